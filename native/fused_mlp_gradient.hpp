// The backward pass of a perceptron's gradient g = dy/dx' grad_y.
//
// With r_l the gradient for the l-th hidden activations, g was computed as
//   delta_l = f'(z_l) r_l,  r_{l-1} = W_l' delta_l,  g = r_0.
// Given gbar, the gradient of a loss for g, the same chain is traversed upwards,
//   t_0 = gbar,  s_l = W_l t_{l-1},  t_l = f'(z_l) s_l,  dW_l += delta_l t_{l-1}',
// up to the gradient for grad_y, W_L t_{L-1}. The gradients for z_l on the way, f''(z_l) r_l s_l,
// then propagate down as in any backward pass. z and r were saved; everything else is recomputed,
// once.
#pragma once

#include "fused_mlp.hpp"

namespace {

struct GradientBackwardJob {
  const Mlp* mlp;
  const Packed *up, *down;
  const float *x, *saved, *pulled, *grad_y, *gbar;
  float *grad_x, *grad_grad_y;
  Gradients gradients;
};

// Buffers per tile, and per hidden layer: f, f' and the gradient for z.
constexpr int kGradientTiles = 5, kLayerTiles = 3;

// From r, s and the derivatives of f: delta = f' r, the gradient for z = f'' r s, and t = f' s in
// place of s.
void climb(std::int64_t rows, std::int64_t columns, Derivatives f, const float* pulled,
           float* delta, float* grad_z, float* t, std::int64_t row) {
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t n = 0; n < columns; n += kLanes) {
      const std::int64_t at = m * row + n;
      const Vec slope = load(f.slope + at), r = load(pulled + m * columns + n), s = load(t + at);
      store(delta + at, slope * r);
      store(grad_z + at, load(f.second + at) * r * s);
      store(t + at, slope * s);
    }
}

void add_times_slope(std::int64_t rows, std::int64_t columns, const float* slope,
                     const float* grad, float* sum, std::int64_t row) {
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t n = 0; n < columns; n += kLanes) {
      const std::int64_t at = m * row + n;
      store(sum + at, load(sum + at) + load(slope + at) * load(grad + at));
    }
}

void gradient_backward_tile(const GradientBackwardJob& job, std::int64_t index, float* scratch,
                            float* sums) {
  const Mlp& mlp = *job.mlp;
  const std::int64_t first = index * kTile, rows = smaller(kTile, mlp.num_points - first);
  const std::int64_t buffer = kTile * widest(mlp);
  const Derive derive = derive_with(mlp.activation);
  float *t = scratch, *next_t = scratch + buffer, *delta = scratch + 2 * buffer;
  float *second = scratch + 3 * buffer, *words = scratch + 4 * buffer;
  float* layers = scratch + kGradientTiles * buffer;
  const auto value = [&](int l) { return layers + kLayerTiles * l * buffer; };
  const auto slope = [&](int l) { return value(l) + buffer; };
  const auto grad_z = [&](int l) { return value(l) + 2 * buffer; };
  std::int64_t kept = index * saved_tile_size(mlp);

  const int last = mlp.num_layers - 1;
  const std::int64_t num_values = mlp.dims[last + 1], num_coords = mlp.dims[0];
  copy_rows(rows, num_coords, job.gbar + first * num_coords, num_coords, t,
            row_stride(num_coords));
  for (int l = 0; l <= last; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1], out_row = row_stride(out);
    if (l < last || job.grad_grad_y)
      multiply_rows(mlp, l, rows, out, in, Operand{t, row_stride(in)}, job.up->forward[l], next_t,
                    out_row, nullptr, words);
    if (l == last) {
      copy_rows(rows, out, job.grad_y + first * out, out, delta, out_row);
    } else {
      const Derivatives f{value(l), slope(l), second, nullptr};
      derive(rows, padded(out), job.saved + kept, padded(out), f, out_row);
      climb(rows, padded(out), f, job.pulled + kept, delta, grad_z(l), next_t, out_row);
      kept += kTile * padded(out);
    }
    if (job.gradients.weights) add_weight_gradient(mlp, l, rows, t, delta, sums, words);
    float* swapped = t;
    t = next_t;
    next_t = swapped;
  }
  if (job.grad_grad_y)
    copy_rows(rows, num_values, t, row_stride(num_values), job.grad_grad_y + first * num_values,
              num_values);

  copy_rows(rows, num_coords, job.x + first * num_coords, num_coords, t, row_stride(num_coords));
  for (int l = last - 1; l >= 0; --l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1], in_row = row_stride(in);
    if (job.gradients.weights) {
      add_bias_gradient(mlp, l, rows, grad_z(l), sums);
      add_weight_gradient(mlp, l, rows, l > 0 ? value(l - 1) : t, grad_z(l), sums, words);
    }
    if (l == 0 && !job.grad_x) break;
    multiply_rows(mlp, l, rows, in, out, Operand{grad_z(l), row_stride(out)},
                  job.down->backward[l], delta, in_row, nullptr, words);
    if (l > 0)
      add_times_slope(rows, padded(in), slope(l - 1), delta, grad_z(l - 1), in_row);
    else
      copy_rows(rows, in, delta, in_row, job.grad_x + first * in, in);
  }
}

void mlp_gradient_backward(const Mlp& mlp, const float* x, const float* saved, const float* pulled,
                           const float* grad_y, const float* gbar, float* grad_x,
                           float* grad_grad_y, float* const* grad_weights,
                           float* const* grad_biases) {
  // A single affine layer: g does not depend on x.
  if (grad_x && mlp.num_layers == 1)
    std::memset(grad_x, 0, 4 * static_cast<std::size_t>(mlp.num_points * mlp.dims[0]));
  const std::int64_t size = packed_size(mlp);
  const Scratch weights(static_cast<std::size_t>(2 * size));
  const Packed up = pack(mlp, weights.data(), false);
  const Packed down = pack(mlp, weights.data() + size, true);
  const Gradients gradients{grad_weights, grad_biases};
  const GradientBackwardJob job{&mlp,   &up,  &down,  x,           saved,    pulled,
                                grad_y, gbar, grad_x, grad_grad_y, gradients};
  sum_over_tiles<GradientBackwardJob, gradient_backward_tile>(
      job, mlp, num_tiles(mlp),
      (kGradientTiles + kLayerTiles * (mlp.num_layers - 1)) * kTile * widest(mlp), gradients);
}

}  // namespace
