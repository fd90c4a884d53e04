#include <nanobind/stl/optional.h>

#include <optional>

#include "module.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

using Indices = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void step(const Floats& parameter, const ConstFloats& grad, const std::optional<Indices>& rows,
          std::int64_t row_size, const Floats& mean, const Floats& square, bool lazy,
          std::int64_t step, double lr, double beta1, double beta2, double eps, int threads) {
  const auto size = static_cast<std::int64_t>(parameter.size());
  const auto given = static_cast<std::int64_t>(grad.size());
  require(row_size >= 1 && size % row_size == 0 && given % row_size == 0, "adam: row_size");
  require(mean.size() == parameter.size() && square.size() == parameter.size(), "adam: state");
  require(rows ? static_cast<std::int64_t>(rows->size()) == given / row_size : given == size,
          "adam: size of the gradient");
  require(step >= 1 && threads >= 1 && threads <= 65536, "adam: step, threads");
  if (rows)
    for (std::size_t i = 0; i < rows->size(); ++i)
      // Ascending, so that no two tasks update the same row.
      require((*rows)(i) >= 0 && (*rows)(i) < size / row_size && (i == 0 || (*rows)(i - 1) < (*rows)(i)),
              "adam: rows");
  const Adam adam{parameter.data(), grad.data(), rows ? rows->data() : nullptr,
                  given / row_size, row_size,    mean.data(),
                  square.data(),    lazy,        step,
                  lr,               beta1,       beta2,
                  eps,              threads};
  nb::gil_scoped_release release;
  active_kernels().adam_step(adam);
}

}  // namespace

void bind_adam(nb::module_& module) {
  using namespace nb::literals;
  module.def("adam_step", &step, "parameter"_a.noconvert(), "grad"_a.noconvert(), "rows"_a.noconvert().none(),
             "row_size"_a, "mean"_a.noconvert(), "square"_a.noconvert(), "lazy"_a, "step"_a, "lr"_a, "beta1"_a, "beta2"_a, "eps"_a, "threads"_a);
}

}  // namespace neurafield
