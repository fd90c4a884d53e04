#include <algorithm>
#include <vector>

#include "mesh_build.hpp"
#include "module.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

using Doubles = nb::ndarray<double, nb::c_contig, nb::device::cpu>;
using ConstDoubles = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Spreads the lowest ten bits, with two zeros after each.
std::uint64_t spread(std::uint64_t bits) {
  bits = (bits | bits << 16) & 0x030000ff;
  bits = (bits | bits << 8) & 0x0300f00f;
  bits = (bits | bits << 4) & 0x030c30c3;
  return (bits | bits << 2) & 0x09249249;
}

// Order along a space-filling curve, so that neighbours reuse cached data.
std::vector<std::uint32_t> order_in_space(const double* points, std::size_t count) {
  std::vector<std::uint64_t> keys(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t key = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      // Points outside [-1.25, 1.25] fall into the border cells; NaN falls into the first.
      const double scaled = (points[3 * i + k] + 1.25) * (1024 / 2.5);
      const double inside = scaled > 0.0 ? std::min(scaled, 1023.0) : 0.0;
      key |= spread(static_cast<std::uint64_t>(inside)) << k;
    }
    keys[i] = key << 32 | i;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::uint32_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = static_cast<std::uint32_t>(keys[i]);
  return order;
}

MeshTreeOwner* make_tree(const ConstDoubles& corners) {
  require(corners.ndim() == 3 && corners.shape(1) == 3 && corners.shape(2) == 3, "mesh: corners");
  require(corners.shape(0) >= 1 && corners.shape(0) < std::size_t{1} << 31, "mesh: triangles");
  for (std::size_t i = 0; i < corners.size(); ++i)
    // Values far beyond the range of 32 bits would make boxes infinite.
    require(corners.data()[i] >= -1e6 && corners.data()[i] <= 1e6, "mesh: corners around 0");
  nb::gil_scoped_release release;
  return new MeshTreeOwner(corners.data(), static_cast<std::int64_t>(corners.shape(0)));
}

MeshQuery read_query(const ConstDoubles& points, int threads) {
  require(points.ndim() == 2 && points.shape(1) == 3, "mesh: points");
  require(points.shape(0) < std::size_t{1} << 32, "mesh: number of points");
  require(threads >= 1 && threads <= 65536, "mesh: threads");
  return {points.data(), nullptr, static_cast<std::int64_t>(points.shape(0)), threads};
}

void closest(const MeshTreeOwner& tree, const ConstDoubles& points, const Doubles& nearest,
             const Numbers& numbers, int threads) {
  MeshQuery query = read_query(points, threads);
  require(nearest.ndim() == 2 && nearest.shape(0) == points.shape(0) && nearest.shape(1) == 3 &&
              numbers.shape(0) == points.shape(0),
          "mesh: results");
  nb::gil_scoped_release release;
  const auto order = order_in_space(points.data(), points.shape(0));
  query.order = order.data();
  active_kernels().mesh_closest(tree.tree(), query, nearest.data(), numbers.data());
}

void winding(const MeshTreeOwner& tree, const ConstDoubles& points, double accuracy,
             const Doubles& turns, int threads) {
  MeshQuery query = read_query(points, threads);
  require(turns.ndim() == 1 && turns.shape(0) == points.shape(0), "mesh: results");
  require(accuracy >= 1.0, "mesh: accuracy");
  nb::gil_scoped_release release;
  const auto order = order_in_space(points.data(), points.shape(0));
  query.order = order.data();
  active_kernels().mesh_winding(tree.tree(), query, accuracy, turns.data());
}

}  // namespace

void bind_mesh_distance(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<MeshTreeOwner>(module, "MeshTree")
      .def(nb::new_(&make_tree), "corners"_a.noconvert());
  module.def("mesh_closest", &closest, "tree"_a, "points"_a.noconvert(), "nearest"_a.noconvert(),
             "numbers"_a.noconvert(), "threads"_a);
  module.def("mesh_winding", &winding, "tree"_a, "points"_a.noconvert(), "accuracy"_a,
             "turns"_a.noconvert(), "threads"_a);
}

}  // namespace neurafield
