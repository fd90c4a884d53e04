#include <nanobind/stl/optional.h>

#include <optional>
#include <utility>

#include "mlp_description.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

JetMix checked(const ConstFloats& mix) {
  require(mix.ndim() == 2 && mix.shape(1) >= 1 && mix.shape(0) < kMaxStreams &&
              mix.shape(1) < kMaxStreams && 1 + mix.shape(0) + mix.shape(1) <= kMaxStreams,
          "fused_mlp_jet: shape of mix");
  return {static_cast<int>(mix.shape(1)), static_cast<int>(mix.shape(0)), mix.data()};
}

bool has_shape(const ConstFloats& array, const JetMix& mix, std::int64_t points,
               std::int64_t columns) {
  return array.ndim() == 3 && static_cast<std::int64_t>(array.shape(0)) == 1 + mix.d + mix.s &&
         static_cast<std::int64_t>(array.shape(1)) == points &&
         static_cast<std::int64_t>(array.shape(2)) == columns;
}

std::int64_t points(const ConstFloats& streams, const JetMix& mix,
                    const std::vector<ConstFloats>& weights) {
  require(streams.ndim() == 3, "fused_mlp_jet: shape of streams");
  const auto points = static_cast<std::int64_t>(streams.shape(1));
  require(has_shape(streams, mix, points, in_dim(weights)), "fused_mlp_jet: shape of streams");
  return points;
}

std::int64_t saved_size(const ConstFloats& streams, const ConstFloats& mix,
                        const std::vector<ConstFloats>& weights,
                        const std::vector<ConstFloats>& biases, std::vector<float> scales,
                        int activation) {
  const JetMix jet = checked(mix);
  const Description d(points(streams, jet, weights), weights, biases, std::move(scales),
                      activation, false, 1);
  return active_kernels().mlp_jet_saved_size(d.mlp, jet);
}

void forward(const ConstFloats& streams, const ConstFloats& mix,
             const std::vector<ConstFloats>& weights, const std::vector<ConstFloats>& biases,
             std::vector<float> scales, int activation, int threads, const Floats& y,
             const std::optional<Floats>& saved) {
  const JetMix jet = checked(mix);
  const Description d(points(streams, jet, weights), weights, biases, std::move(scales),
                      activation, false, threads);
  const Kernels& kernels = active_kernels();
  require(has_shape(ConstFloats(y), jet, d.mlp.num_points, d.dims.back()),
          "fused_mlp_jet: shape of y");
  require(!saved ||
              static_cast<std::int64_t>(saved->size()) >= kernels.mlp_jet_saved_size(d.mlp, jet),
          "fused_mlp_jet: size of saved");
  nb::gil_scoped_release release;
  kernels.mlp_jet_forward(d.mlp, jet, streams.data(), y.data(), saved ? saved->data() : nullptr);
}

void backward(const ConstFloats& streams, const ConstFloats& mix,
              const std::vector<ConstFloats>& weights, const std::vector<ConstFloats>& biases,
              std::vector<float> scales, int activation, int threads, const ConstFloats& saved,
              const ConstFloats& grad_y, const std::optional<Floats>& grad_streams,
              const std::vector<Floats>& grad_weights, const std::vector<Floats>& grad_biases) {
  const JetMix jet = checked(mix);
  const Description d(points(streams, jet, weights), weights, biases, std::move(scales),
                      activation, false, threads);
  const Kernels& kernels = active_kernels();
  require(static_cast<std::int64_t>(saved.size()) >= kernels.mlp_jet_saved_size(d.mlp, jet),
          "fused_mlp_jet: size of saved");
  require(has_shape(grad_y, jet, d.mlp.num_points, d.dims.back()),
          "fused_mlp_jet: shape of grad_y");
  require(!grad_streams ||
              has_shape(ConstFloats(*grad_streams), jet, d.mlp.num_points, d.dims[0]),
          "fused_mlp_jet: shape of grad_streams");
  const GradientPointers to(d, grad_weights, grad_biases);
  nb::gil_scoped_release release;
  kernels.mlp_jet_backward(d.mlp, jet, streams.data(), saved.data(), grad_y.data(),
                           grad_streams ? grad_streams->data() : nullptr, to.weights(),
                           to.biases());
}

}  // namespace

void bind_fused_mlp_jet(nb::module_& module) {
  using namespace nb::literals;
  // Never converted: results written into a copy would be lost.
  module.def("mlp_jet_saved_size", &saved_size, "streams"_a.noconvert(), "mix"_a.noconvert(),
             "weights"_a.noconvert(), "biases"_a.noconvert(), "scales"_a, "activation"_a);
  module.def("mlp_jet_forward", &forward, "streams"_a.noconvert(), "mix"_a.noconvert(),
             "weights"_a.noconvert(), "biases"_a.noconvert(), "scales"_a, "activation"_a,
             "threads"_a, "y"_a.noconvert(), "saved"_a.noconvert().none());
  module.def("mlp_jet_backward", &backward, "streams"_a.noconvert(), "mix"_a.noconvert(),
             "weights"_a.noconvert(), "biases"_a.noconvert(), "scales"_a, "activation"_a,
             "threads"_a, "saved"_a.noconvert(), "grad_y"_a.noconvert(),
             "grad_streams"_a.noconvert().none(), "grad_weights"_a.noconvert(),
             "grad_biases"_a.noconvert());
}

}  // namespace neurafield
