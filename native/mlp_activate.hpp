// An activation and its derivatives on the rows of a tile.
#pragma once

#include "activations.hpp"
#include "kernels.hpp"
#include "simd.hpp"

namespace {

using neurafield::Activation;

template <typename Function, bool with_slope>
void activate(std::int64_t rows, std::int64_t columns, const float* z, std::int64_t z_row,
              float* value, float* slope, std::int64_t row) {
  for (std::int64_t m = 0; m < rows; ++m) {
    const float* from = z + m * z_row;
    float *to = value + m * row, *slope_to = slope + m * row;
    IntVec beyond = {};
    for (std::int64_t n = 0; n < columns; n += kLanes) {
      const Vec x = load(from + n);
      Vec f, df;
      if constexpr (with_slope) {
        Function::both(x, f, df);
        store(slope_to + n, df);
      } else {
        f = Function::value(x);
      }
      store(to + n, f);
      if constexpr (Function::limit > 0) beyond |= absolute(x) > Function::limit;
    }
    if constexpr (Function::limit > 0) {
      if (!any(beyond)) continue;
      for (std::int64_t n = 0; n < columns; ++n) {
        if (!(std::fabs(from[n]) > Function::limit)) continue;
        to[n] = Function::value_beyond(from[n]);
        if constexpr (with_slope) slope_to[n] = Function::slope_beyond(from[n]);
      }
    }
  }
}

// Calls `use` with the function of the given activation.
template <typename Use>
auto with_function(Activation activation, Use use) {
  switch (activation) {
    case Activation::ReLU:
      return use(ReluFunction{});
    case Activation::Tanh:
      return use(TanhFunction{});
    case Activation::Sigmoid:
      return use(SigmoidFunction{});
    case Activation::SiLU:
      return use(SiluFunction{});
    case Activation::Softplus:
      return use(SoftplusFunction{});
    case Activation::GELU:
      return use(GeluFunction{});
    case Activation::Gaussian:
      return use(GaussianFunction{});
    case Activation::Quadratic:
      return use(QuadraticFunction{});
    case Activation::Multiquadric:
      return use(MultiquadricFunction{});
    case Activation::Laplacian:
      return use(LaplacianFunction{});
    case Activation::ExpSine:
      return use(ExpSineFunction{});
    case Activation::Sine:
    case Activation::kNumber:
      break;
  }
  return use(SineFunction{});
}

using Activate = void (*)(std::int64_t rows, std::int64_t columns, const float* z,
                          std::int64_t z_row, float* value, float* slope, std::int64_t row);

// value = f(z), and slope = f'(z) if requested.
template <bool with_slope>
Activate activate_with(Activation activation) {
  return with_function(activation, [](auto function) -> Activate {
    return activate<decltype(function), with_slope>;
  });
}

// Rows of f(z) and its first three derivatives; `third` may be null.
struct Derivatives {
  float *value, *slope, *second, *third;
};

template <typename Function>
void derive(std::int64_t rows, std::int64_t columns, const float* z, std::int64_t z_row,
            Derivatives to, std::int64_t row) {
  activate<Function, true>(rows, columns, z, z_row, to.value, to.slope, row);
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t n = 0; n < columns; n += kLanes) {
      const std::int64_t at = m * row + n;
      Vec second, third;
      Function::higher(load(z + m * z_row + n), load(to.value + at), load(to.slope + at), second,
                       third);
      store(to.second + at, second);
      if (to.third) store(to.third + at, third);
    }
}

using Derive = void (*)(std::int64_t rows, std::int64_t columns, const float* z,
                        std::int64_t z_row, Derivatives to, std::int64_t row);

Derive derive_with(Activation activation) {
  return with_function(activation,
                       [](auto function) -> Derive { return derive<decltype(function)>; });
}

}  // namespace
