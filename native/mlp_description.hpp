// Descriptions of perceptrons from Python, checked.
#pragma once

#include <nanobind/stl/vector.h>

#include <vector>

#include "module.hpp"

namespace neurafield {

// The description of a perceptron, owning the memory behind its pointers.
struct Description {
  std::vector<std::int64_t> dims;
  std::vector<const float*> weights, biases;
  std::vector<float> scales;
  Mlp mlp;

  Description(std::int64_t num_points, const std::vector<ConstFloats>& weight_arrays,
              const std::vector<ConstFloats>& bias_arrays, std::vector<float> scale_list,
              int activation, bool bfloat16, int threads)
      : scales(std::move(scale_list)) {
    const std::size_t layers = weight_arrays.size();
    require(layers >= 1 && layers <= kMaxLayers, "fused_mlp: number of layers");
    require(bias_arrays.size() == layers && scales.size() == layers - 1, "fused_mlp: lists");
    require(activation >= 0 && activation < static_cast<int>(Activation::kNumber),
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

inline std::int64_t in_dim(const std::vector<ConstFloats>& weights) {
  require(!weights.empty() && weights[0].ndim() == 2, "fused_mlp: weights");
  return static_cast<std::int64_t>(weights[0].shape(1));
}

// Destinations of parameter gradients; null if not requested.
struct GradientPointers {
  std::vector<float*> weight_list, bias_list;

  GradientPointers(const Description& d, const std::vector<Floats>& weights,
                   const std::vector<Floats>& biases) {
    require(weights.size() == biases.size() &&
                (weights.empty() || weights.size() == d.weights.size()),
            "fused_mlp: gradients");
    for (std::size_t l = 0; l < weights.size(); ++l) {
      const auto size = static_cast<std::size_t>(d.dims[l + 1]);
      require(weights[l].size() == size * static_cast<std::size_t>(d.dims[l]) &&
                  biases[l].size() == size,
              "fused_mlp: shape of a gradient");
      weight_list.push_back(weights[l].data());
      bias_list.push_back(biases[l].data());
    }
  }

  float* const* weights() const { return weight_list.empty() ? nullptr : weight_list.data(); }
  float* const* biases() const { return bias_list.empty() ? nullptr : bias_list.data(); }
};

}  // namespace neurafield
