#include <vector>

#include "module.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

using Integers = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using LevelArray = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Columns of a level: kind, offset, size, cells of 4 axes, tile of 4 axes.
constexpr std::size_t kColumns = 11;
constexpr std::int64_t kMostCells = std::int64_t{1} << 24;
constexpr std::int64_t kMostRows = std::int64_t{1} << 40;
constexpr std::int64_t kMostPoints = std::int64_t{1} << 40;

GridLevel read_level(const std::int64_t* column, int dim) {
  require(column[0] >= 0 && column[0] <= static_cast<int>(GridKind::Hashed), "grid: kind");
  GridLevel level = {static_cast<GridKind>(column[0]), column[1], column[2], {}, {}};
  require(level.size >= 1 && level.size <= kMostRows, "grid: size of a level");
  require(level.kind == GridKind::Dense || level.size <= std::int64_t{1} << 32,
          "grid: rows of a tiled or hashed level");
  std::int64_t rows = 1;
  for (int a = 0; a < dim; ++a) {
    level.cells[a] = column[3 + a];
    level.tile[a] = column[7 + a];
    require(level.cells[a] >= 1 && level.cells[a] <= kMostCells, "grid: cells");
    require(level.tile[a] >= 1 && level.tile[a] <= level.cells[a] + 1, "grid: tile");
    require(level.kind != GridKind::Dense || level.tile[a] == level.cells[a] + 1,
            "grid: tile of a dense level");
    if (level.kind != GridKind::Hashed) {
      require(rows <= level.size / level.tile[a], "grid: size of a level");
      rows *= level.tile[a];
    }
  }
  require(level.kind == GridKind::Hashed ? (level.size & (level.size - 1)) == 0
                                         : level.size == rows,
          "grid: size of a level");
  return level;
}

// The description of a grid, with the memory behind its pointer.
struct Description {
  std::vector<GridLevel> levels;
  Grid grid;
  std::int64_t num_rows = 0;

  Description(const LevelArray& columns, bool smooth, int threads, const ConstFloats& x,
              std::size_t features) {
    require(x.ndim() == 2 && x.shape(1) >= 1 && x.shape(1) <= 4, "grid: shape of x");
    require(x.shape(0) <= kMostPoints, "grid: number of points");
    require(features == 1 || features == 2 || features == 4 || features == 8, "grid: features");
    require(columns.shape(0) >= 1 && columns.shape(0) <= kMaxGridLevels &&
                columns.shape(1) == kColumns,
            "grid: levels");
    require(threads >= 1 && threads <= 4096, "grid: threads");
    const int dim = static_cast<int>(x.shape(1));
    for (std::size_t l = 0; l < columns.shape(0); ++l) {
      levels.push_back(read_level(columns.data() + l * kColumns, dim));
      require(levels.back().offset == num_rows, "grid: offset of a level");
      num_rows += levels.back().size;
    }
    grid = {static_cast<std::int64_t>(x.shape(0)),
            dim,
            static_cast<int>(features),
            static_cast<int>(levels.size()),
            levels.data(),
            smooth,
            threads};
  }

  void require_table(std::size_t ndim, std::size_t rows) const {
    require(ndim == 2 && static_cast<std::int64_t>(rows) == num_rows, "grid: shape of the table");
  }

  void require_values(const ConstFloats& y) const {
    require(y.ndim() == 2 && static_cast<std::int64_t>(y.shape(0)) == grid.num_points &&
                static_cast<int>(y.shape(1)) == grid.num_levels * grid.features,
            "grid: shape of the features");
  }
};

std::size_t last_axis(std::size_t ndim, const std::int64_t* shape) {
  require(ndim == 2, "grid: shape of the table");
  return static_cast<std::size_t>(shape[1]);
}

void forward(const LevelArray& levels, bool smooth, int threads, const ConstFloats& table,
             const ConstFloats& x, const Floats& y) {
  const Description d(levels, smooth, threads, x, last_axis(table.ndim(), table.shape_ptr()));
  d.require_table(table.ndim(), table.shape(0));
  d.require_values(ConstFloats(y));
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  kernels.grid_forward(d.grid, table.data(), x.data(), y.data());
}

void backward_table(const LevelArray& levels, bool smooth, int threads, const ConstFloats& x,
                    const ConstFloats& grad_y, const Floats& grad_table) {
  const Description d(levels, smooth, threads, x,
                      last_axis(grad_table.ndim(), grad_table.shape_ptr()));
  d.require_table(grad_table.ndim(), grad_table.shape(0));
  d.require_values(grad_y);
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  kernels.grid_backward_table(d.grid, x.data(), grad_y.data(), grad_table.data());
}

// A row and a place among the corners share 64 bits while they are sorted.
int bits(std::int64_t count) {
  int length = 0;
  while ((count - 1) >> length) ++length;
  return length;
}

std::int64_t backward_touched(const LevelArray& levels, bool smooth, int threads,
                              const ConstFloats& x, const ConstFloats& grad_y,
                              const Integers& rows, const Floats& grad_rows) {
  const Description d(levels, smooth, threads, x,
                      last_axis(grad_rows.ndim(), grad_rows.shape_ptr()));
  d.require_values(grad_y);
  if (d.grid.num_points == 0) return 0;
  const std::int64_t corners = d.grid.num_points << d.grid.dim;
  std::int64_t most = 0;
  for (const GridLevel& level : d.levels) {
    require(bits(level.size) + bits(corners) <= 64, "grid: number of points");
    most += level.size < corners ? level.size : corners;
  }
  require(static_cast<std::int64_t>(rows.shape(0)) >= most &&
              static_cast<std::int64_t>(grad_rows.shape(0)) >= most,
          "grid: room for the rows");
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  return kernels.grid_backward_touched(d.grid, x.data(), grad_y.data(), rows.data(),
                                       grad_rows.data());
}

void backward_coords(const LevelArray& levels, bool smooth, int threads, const ConstFloats& table,
                     const ConstFloats& x, const ConstFloats& grad_y, const Floats& grad_x) {
  const Description d(levels, smooth, threads, x, last_axis(table.ndim(), table.shape_ptr()));
  d.require_table(table.ndim(), table.shape(0));
  d.require_values(grad_y);
  require(grad_x.ndim() == 2 && grad_x.shape(0) == x.shape(0) && grad_x.shape(1) == x.shape(1),
          "grid: shape of grad_x");
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  kernels.grid_backward_coords(d.grid, table.data(), x.data(), grad_y.data(), grad_x.data());
}

}  // namespace

void bind_grid(nb::module_& module) {
  using namespace nb::literals;
  // Never converted: what is written into a converted copy would be lost.
  const auto array = [](const char* name) { return nb::arg(name).noconvert(); };
  module.def("grid_forward", &forward, array("levels"), "smooth"_a, "threads"_a, array("table"),
             array("x"), array("y"));
  module.def("grid_backward_table", &backward_table, array("levels"), "smooth"_a, "threads"_a,
             array("x"), array("grad_y"), array("grad_table"));
  module.def("grid_backward_touched", &backward_touched, array("levels"), "smooth"_a, "threads"_a,
             array("x"), array("grad_y"), array("rows"), array("grad_rows"));
  module.def("grid_backward_coords", &backward_coords, array("levels"), "smooth"_a, "threads"_a,
             array("table"), array("x"), array("grad_y"), array("grad_x"));
}

}  // namespace neurafield
