#include <nanobind/stl/optional.h>

#include <optional>
#include <utility>

#include "mlp_description.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

bool has_shape(const ConstFloats& array, std::int64_t rows, std::int64_t columns) {
  return array.ndim() == 2 && static_cast<std::int64_t>(array.shape(0)) == rows &&
         static_cast<std::int64_t>(array.shape(1)) == columns;
}

bool has_shape(const Floats& array, std::int64_t rows, std::int64_t columns) {
  return has_shape(ConstFloats(array), rows, columns);
}

std::int64_t points(const ConstFloats& x, std::int64_t dim) {
  require(x.ndim() == 2 && static_cast<std::int64_t>(x.shape(1)) == dim, "fused_mlp: shape of x");
  return static_cast<std::int64_t>(x.shape(0));
}

std::int64_t saved_size(const ConstFloats& x, const std::vector<ConstFloats>& weights,
                        const std::vector<ConstFloats>& biases, std::vector<float> scales,
                        int activation) {
  const Description d(points(x, in_dim(weights)), weights, biases, std::move(scales), activation,
                      false, 1);
  return active_kernels().mlp_saved_size(d.mlp);
}

void forward(const ConstFloats& x, const std::vector<ConstFloats>& weights,
             const std::vector<ConstFloats>& biases, std::vector<float> scales, int activation,
             bool bfloat16, int threads, const Floats& y, const std::optional<Floats>& saved) {
  const Description d(points(x, in_dim(weights)), weights, biases, std::move(scales), activation,
                      bfloat16, threads);
  const Kernels& kernels = active_kernels();
  require(has_shape(y, d.mlp.num_points, d.dims.back()), "fused_mlp: shape of y");
  require(!saved || static_cast<std::int64_t>(saved->size()) >= kernels.mlp_saved_size(d.mlp),
          "fused_mlp: size of saved");
  nb::gil_scoped_release release;
  kernels.mlp_forward(d.mlp, x.data(), y.data(), saved ? saved->data() : nullptr);
}

void backward(const ConstFloats& x, const std::vector<ConstFloats>& weights,
              const std::vector<ConstFloats>& biases, std::vector<float> scales, int activation,
              bool bfloat16, int threads, const ConstFloats& saved, const ConstFloats& grad_y,
              const std::optional<Floats>& grad_x, const std::vector<Floats>& grad_weights,
              const std::vector<Floats>& grad_biases, const std::optional<Floats>& pulled) {
  const Description d(points(x, in_dim(weights)), weights, biases, std::move(scales), activation,
                      bfloat16, threads);
  const Kernels& kernels = active_kernels();
  const std::int64_t kept = kernels.mlp_saved_size(d.mlp);
  require(static_cast<std::int64_t>(saved.size()) >= kept, "fused_mlp: size of saved");
  require(has_shape(grad_y, d.mlp.num_points, d.dims.back()), "fused_mlp: shape of grad_y");
  require(!grad_x || has_shape(*grad_x, d.mlp.num_points, d.dims[0]),
          "fused_mlp: shape of grad_x");
  require(!pulled || static_cast<std::int64_t>(pulled->size()) >= kept,
          "fused_mlp: size of pulled");
  const GradientPointers to(d, grad_weights, grad_biases);
  nb::gil_scoped_release release;
  kernels.mlp_backward(d.mlp, x.data(), saved.data(), grad_y.data(),
                       grad_x ? grad_x->data() : nullptr, pulled ? pulled->data() : nullptr,
                       to.weights(), to.biases());
}

void gradient_backward(const ConstFloats& x, const std::vector<ConstFloats>& weights,
                       const std::vector<ConstFloats>& biases, std::vector<float> scales,
                       int activation, int threads, const ConstFloats& saved,
                       const ConstFloats& pulled, const ConstFloats& grad_y,
                       const ConstFloats& gbar, const std::optional<Floats>& grad_x,
                       const std::optional<Floats>& grad_grad_y,
                       const std::vector<Floats>& grad_weights,
                       const std::vector<Floats>& grad_biases) {
  const Description d(points(x, in_dim(weights)), weights, biases, std::move(scales), activation,
                      false, threads);
  const Kernels& kernels = active_kernels();
  const std::int64_t kept = kernels.mlp_saved_size(d.mlp);
  require(static_cast<std::int64_t>(saved.size()) >= kept, "fused_mlp: size of saved");
  require(static_cast<std::int64_t>(pulled.size()) >= kept, "fused_mlp: size of pulled");
  require(has_shape(grad_y, d.mlp.num_points, d.dims.back()), "fused_mlp: shape of grad_y");
  require(has_shape(gbar, d.mlp.num_points, d.dims[0]), "fused_mlp: shape of gbar");
  require(!grad_x || has_shape(*grad_x, d.mlp.num_points, d.dims[0]),
          "fused_mlp: shape of grad_x");
  require(!grad_grad_y || has_shape(*grad_grad_y, d.mlp.num_points, d.dims.back()),
          "fused_mlp: shape of grad_grad_y");
  const GradientPointers to(d, grad_weights, grad_biases);
  nb::gil_scoped_release release;
  kernels.mlp_gradient_backward(d.mlp, x.data(), saved.data(), pulled.data(), grad_y.data(),
                                gbar.data(), grad_x ? grad_x->data() : nullptr,
                                grad_grad_y ? grad_grad_y->data() : nullptr, to.weights(),
                                to.biases());
}

}  // namespace

void bind_fused_mlp(nb::module_& module) {
  using namespace nb::literals;
  // Never converted: results written into a copy would be lost.
  module.def("mlp_saved_size", &saved_size, "x"_a.noconvert(), "weights"_a.noconvert(),
             "biases"_a.noconvert(), "scales"_a, "activation"_a);
  module.def("mlp_forward", &forward, "x"_a.noconvert(), "weights"_a.noconvert(),
             "biases"_a.noconvert(), "scales"_a, "activation"_a, "bfloat16"_a, "threads"_a,
             "y"_a.noconvert(), "saved"_a.noconvert().none());
  module.def("mlp_backward", &backward, "x"_a.noconvert(), "weights"_a.noconvert(),
             "biases"_a.noconvert(), "scales"_a, "activation"_a, "bfloat16"_a, "threads"_a,
             "saved"_a.noconvert(), "grad_y"_a.noconvert(), "grad_x"_a.noconvert().none(),
             "grad_weights"_a.noconvert(), "grad_biases"_a.noconvert(),
             "pulled"_a.noconvert() = nb::none());
  module.def("mlp_gradient_backward", &gradient_backward, "x"_a.noconvert(),
             "weights"_a.noconvert(), "biases"_a.noconvert(), "scales"_a, "activation"_a,
             "threads"_a, "saved"_a.noconvert(), "pulled"_a.noconvert(), "grad_y"_a.noconvert(),
             "gbar"_a.noconvert(), "grad_x"_a.noconvert().none(),
             "grad_grad_y"_a.noconvert().none(), "grad_weights"_a.noconvert(),
             "grad_biases"_a.noconvert());
}

}  // namespace neurafield
