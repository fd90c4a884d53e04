// Forward and backward of a whole perceptron, tile by tile.
//
// A tile of points goes through all layers before the next one starts, so that its activations stay
// in the cache of its core. Forward saves the pre-activations z of each hidden layer; backward
// reads them, recomputes f(z) and f'(z), and stores nothing else.
#pragma once

#include "mlp_activate.hpp"
#include "mlp_layers.hpp"

namespace {

std::int64_t num_tiles(const Mlp& mlp) {
  return (mlp.num_points + kTile - 1) / kTile;
}

// Saved pre-activations are stored tile by tile, and within a tile layer by layer.
std::int64_t saved_tile_size(const Mlp& mlp) {
  std::int64_t size = 0;
  for (int l = 1; l < mlp.num_layers; ++l) size += padded(mlp.dims[l]);
  return size * kTile;
}

std::int64_t mlp_saved_size(const Mlp& mlp) { return num_tiles(mlp) * saved_tile_size(mlp); }

constexpr int kForwardTiles = 3;

struct ForwardJob {
  const Mlp* mlp;
  const Packed* packed;
  const float* x;
  float *y, *saved;
};

void forward_tile(const ForwardJob& job, std::int64_t index, float* scratch) {
  const Mlp& mlp = *job.mlp;
  const std::int64_t first = index * kTile, rows = smaller(kTile, mlp.num_points - first);
  const Activate apply = activate_with<false>(mlp.activation);
  const std::int64_t buffer = kTile * widest(mlp);
  float *activation = scratch, *temporary = scratch + buffer, *words = scratch + 2 * buffer;
  float* kept = job.saved ? job.saved + index * saved_tile_size(mlp) : nullptr;
  Operand input{job.x + first * mlp.dims[0], mlp.dims[0]};
  for (int l = 0; l < mlp.num_layers; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    const bool last = l == mlp.num_layers - 1;
    const std::int64_t z_row = padded(out);
    float* z = kept && !last ? kept : temporary;
    multiply_rows(mlp, l, rows, out, in, input, job.packed->forward[l], z, z_row,
                  job.packed->bias[l], words);
    if (last) {
      copy_rows(rows, out, z, z_row, job.y + first * out, out);
    } else {
      apply(rows, z_row, z, z_row, activation, activation, row_stride(out));
      input = Operand{activation, row_stride(out)};
      if (kept) kept += kTile * z_row;
    }
  }
}

void mlp_forward(const Mlp& mlp, const float* x, float* y, float* saved) {
  const Scratch weights(static_cast<std::size_t>(packed_size(mlp)));
  const Packed packed = pack(mlp, weights.data(), false);
  const ForwardJob job{&mlp, &packed, x, y, saved};
  for_each_tile<ForwardJob, forward_tile>(job, mlp.threads, num_tiles(mlp),
                                          kForwardTiles * kTile * widest(mlp));
}

struct BackwardJob {
  const Mlp* mlp;
  const Packed* packed;
  const float *x, *saved, *grad_y;
  float *grad_x, *pulled;
  Gradients gradients;
};

constexpr int kBackwardTiles = 5;

void multiply_by_slope(std::int64_t rows, std::int64_t columns, const float* slope,
                       const float* from, std::int64_t from_row, float* grad, std::int64_t row) {
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t n = 0; n < columns; n += kLanes)
      store(grad + m * row + n, load(from + m * from_row + n) * load(slope + m * row + n));
}

void backward_tile(const BackwardJob& job, std::int64_t index, float* scratch, float* sums) {
  const Mlp& mlp = *job.mlp;
  const std::int64_t first = index * kTile, rows = smaller(kTile, mlp.num_points - first);
  const std::int64_t buffer = kTile * widest(mlp);
  const Activate apply = activate_with<true>(mlp.activation);
  float *value = scratch, *slope = scratch + buffer;
  float *grad = scratch + 2 * buffer, *next_grad = scratch + 3 * buffer;
  float* words = scratch + 4 * buffer;
  std::int64_t kept = (index + 1) * saved_tile_size(mlp);

  const int last = mlp.num_layers - 1;
  const std::int64_t num_values = mlp.dims[last + 1];
  copy_rows(rows, num_values, job.grad_y + first * num_values, num_values, grad,
            row_stride(num_values));
  for (int l = last; l >= 0; --l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    const std::int64_t in_row = row_stride(in), out_row = row_stride(out);
    if (l > 0) {
      kept -= kTile * padded(in);
      apply(rows, padded(in), job.saved + kept, padded(in), value, slope, in_row);
    } else {
      copy_rows(rows, in, job.x + first * in, in, value, in_row);
    }
    if (job.gradients.weights) {
      add_bias_gradient(mlp, l, rows, grad, sums);
      add_weight_gradient(mlp, l, rows, value, grad, sums, words);
    }
    if (l == 0 && !job.grad_x) break;
    const bool keep = l > 0 && job.pulled;
    float* reached = keep ? job.pulled + kept : next_grad;
    const std::int64_t reached_row = keep ? padded(in) : in_row;
    multiply_rows(mlp, l, rows, in, out, Operand{grad, out_row}, job.packed->backward[l], reached,
                  reached_row, nullptr, words);
    if (l > 0)
      multiply_by_slope(rows, padded(in), slope, reached, reached_row, next_grad, in_row);
    else
      copy_rows(rows, in, next_grad, in_row, job.grad_x + first * in, in);
    float* swapped = grad;
    grad = next_grad;
    next_grad = swapped;
  }
}

void mlp_backward(const Mlp& mlp, const float* x, const float* saved, const float* grad_y,
                  float* grad_x, float* pulled, float* const* grad_weights,
                  float* const* grad_biases) {
  const Scratch weights(static_cast<std::size_t>(packed_size(mlp)));
  const Packed packed = pack(mlp, weights.data(), true);
  const Gradients gradients{grad_weights, grad_biases};
  const BackwardJob job{&mlp, &packed, x, saved, grad_y, grad_x, pulled, gradients};
  sum_over_tiles<BackwardJob, backward_tile>(job, mlp, num_tiles(mlp),
                                             kBackwardTiles * kTile * widest(mlp), gradients);
}

}  // namespace
