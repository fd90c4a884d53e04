#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <vector>

#include "module.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

// The description of a perceptron, with the memory behind its pointers.
struct Description {
  std::vector<std::int64_t> dims;
  std::vector<const float*> weights, biases;
  std::vector<float> scales;
  Mlp mlp;

  Description(std::int64_t num_points, const std::vector<ConstFloats>& weight_arrays,
              const std::vector<ConstFloats>& bias_arrays, std::vector<float> scale_list,
              int activation, bool bfloat16,
              int threads)
      : scales(std::move(scale_list)) {
    const std::size_t layers = weight_arrays.size();
    require(layers >= 1 && layers <= kMaxLayers, "fused_mlp: number of layers");
    require(bias_arrays.size() == layers && scales.size() == layers - 1, "fused_mlp: lists");
    require(activation >= 0 && activation <= static_cast<int>(Activation::GELU),
            "fused_mlp: activation");
    require(threads >= 1 && threads <= 65536, "fused_mlp: threads");
    for (std::size_t l = 0; l < layers; ++l) {
      const ConstFloats &weight = weight_arrays[l], &bias = bias_arrays[l];
      require(weight.ndim() == 2 && bias.ndim() == 1 && bias.shape(0) == weight.shape(0),
              "fused_mlp: shape of a layer");
      require(weight.shape(0) >= 1 && weight.shape(0) <= 65536 && weight.shape(1) >= 1 &&
                  weight.shape(1) <= 65536,
              "fused_mlp: size of a layer");
      if (l == 0) dims.push_back(static_cast<std::int64_t>(weight.shape(1)));
      require(static_cast<std::int64_t>(weight.shape(1)) == dims.back(),
              "fused_mlp: layers that fit each other");
      dims.push_back(static_cast<std::int64_t>(weight.shape(0)));
      weights.push_back(weight.data());
      biases.push_back(bias.data());
    }
    mlp = {num_points,    static_cast<int>(layers), dims.data(),
           weights.data(), biases.data(),           scales.data(),
           static_cast<Activation>(activation),     bfloat16, threads};
  }
};

std::int64_t points(const ConstFloats& x, std::int64_t dim) {
  require(x.ndim() == 2 && static_cast<std::int64_t>(x.shape(1)) == dim, "fused_mlp: shape of x");
  return static_cast<std::int64_t>(x.shape(0));
}

std::int64_t in_dim(const std::vector<ConstFloats>& weights) {
  require(!weights.empty() && weights[0].ndim() == 2, "fused_mlp: weights");
  return static_cast<std::int64_t>(weights[0].shape(1));
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
  require(y.ndim() == 2 && static_cast<std::int64_t>(y.shape(0)) == d.mlp.num_points &&
              static_cast<std::int64_t>(y.shape(1)) == d.dims.back(),
          "fused_mlp: shape of y");
  require(!saved || static_cast<std::int64_t>(saved->size()) >= kernels.mlp_saved_size(d.mlp),
          "fused_mlp: size of saved");
  nb::gil_scoped_release release;
  kernels.mlp_forward(d.mlp, x.data(), y.data(), saved ? saved->data() : nullptr);
}

void backward(const ConstFloats& x, const std::vector<ConstFloats>& weights,
              const std::vector<ConstFloats>& biases, std::vector<float> scales, int activation,
              bool bfloat16, int threads, const ConstFloats& saved, const ConstFloats& grad_y,
              const std::optional<Floats>& grad_x, const std::vector<Floats>& grad_weights,
              const std::vector<Floats>& grad_biases) {
  const Description d(points(x, in_dim(weights)), weights, biases, std::move(scales), activation,
                      bfloat16, threads);
  const Kernels& kernels = active_kernels();
  require(static_cast<std::int64_t>(saved.size()) >= kernels.mlp_saved_size(d.mlp),
          "fused_mlp: size of saved");
  require(grad_y.ndim() == 2 && static_cast<std::int64_t>(grad_y.shape(0)) == d.mlp.num_points &&
              static_cast<std::int64_t>(grad_y.shape(1)) == d.dims.back(),
          "fused_mlp: shape of grad_y");
  require(!grad_x || (grad_x->ndim() == 2 && grad_x->shape(0) == x.shape(0) &&
                      grad_x->shape(1) == x.shape(1)),
          "fused_mlp: shape of grad_x");
  require(grad_weights.size() == grad_biases.size() &&
              (grad_weights.empty() || grad_weights.size() == weights.size()),
          "fused_mlp: gradients");
  std::vector<float*> weight_pointers, bias_pointers;
  for (std::size_t l = 0; l < grad_weights.size(); ++l) {
    require(grad_weights[l].size() == weights[l].size() &&
                grad_biases[l].size() == biases[l].size(),
            "fused_mlp: shape of a gradient");
    weight_pointers.push_back(grad_weights[l].data());
    bias_pointers.push_back(grad_biases[l].data());
  }
  const bool parameters = !grad_weights.empty();
  nb::gil_scoped_release release;
  kernels.mlp_backward(d.mlp, x.data(), saved.data(), grad_y.data(),
                       grad_x ? grad_x->data() : nullptr,
                       parameters ? weight_pointers.data() : nullptr,
                       parameters ? bias_pointers.data() : nullptr);
}

}  // namespace

void bind_fused_mlp(nb::module_& module) {
  using namespace nb::literals;
  // Never converted: what is written into a copy would be lost.
  module.def("mlp_saved_size", &saved_size, "x"_a.noconvert(), "weights"_a.noconvert(),
             "biases"_a.noconvert(), "scales"_a, "activation"_a);
  module.def("mlp_forward", &forward, "x"_a.noconvert(), "weights"_a.noconvert(),
             "biases"_a.noconvert(), "scales"_a, "activation"_a, "bfloat16"_a, "threads"_a,
             "y"_a.noconvert(), "saved"_a.noconvert().none());
  module.def("mlp_backward", &backward, "x"_a.noconvert(), "weights"_a.noconvert(),
             "biases"_a.noconvert(), "scales"_a, "activation"_a, "bfloat16"_a, "threads"_a,
             "saved"_a.noconvert(), "grad_y"_a.noconvert(), "grad_x"_a.noconvert().none(),
             "grad_weights"_a.noconvert(), "grad_biases"_a.noconvert());
}

}  // namespace neurafield
