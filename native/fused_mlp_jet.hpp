// A perceptron on values and derivatives together: streams in, streams out.
//
// The rows of a tile are the values of its points, then their first derivatives along each
// coordinate, then their sums of second derivatives; a layer multiplies all of them in one product.
// Forward saves the pre-activations of all streams, backward recomputes f and its derivatives from
// them. A first layer with few inputs is not saved but recomputed, since its product is cheap.
#pragma once

#include "mlp_activate.hpp"
#include "mlp_layers.hpp"

namespace {

using neurafield::JetMix;
using neurafield::kMaxStreams;

int num_streams(const JetMix& mix) { return 1 + mix.d + mix.s; }

// Points per tile, so that its rows fill whole blocks of a product and number about kTile.
std::int64_t jet_tile(const JetMix& mix) {
  const std::int64_t streams = num_streams(mix);
  std::int64_t step = 1;
  while (step * streams % kRows) ++step;
  return step * larger(1, (2 * kTile + step * streams) / (2 * step * streams));
}

std::int64_t num_jet_tiles(const Mlp& mlp, const JetMix& mix) {
  return (mlp.num_points + jet_tile(mix) - 1) / jet_tile(mix);
}

// The first hidden layer that is saved.
int first_kept(const Mlp& mlp) { return mlp.num_layers > 1 && 8 * mlp.dims[0] <= mlp.dims[1] ? 2 : 1; }

std::int64_t jet_saved_tile_size(const Mlp& mlp, const JetMix& mix) {
  std::int64_t size = 0;
  for (int l = first_kept(mlp); l < mlp.num_layers; ++l) size += padded(mlp.dims[l]);
  return size * jet_tile(mix) * num_streams(mix);
}

std::int64_t mlp_jet_saved_size(const Mlp& mlp, const JetMix& mix) {
  return num_jet_tiles(mlp, mix) * jet_saved_tile_size(mlp, mix);
}

// Copies the points of a tile from arrays of whole streams, and back.
void gather(const Mlp& mlp, int streams, std::int64_t first, std::int64_t points,
            std::int64_t columns, const float* from, float* to) {
  for (int j = 0; j < streams; ++j)
    copy_rows(points, columns, from + (j * mlp.num_points + first) * columns, columns,
              to + j * points * row_stride(columns), row_stride(columns));
}

void scatter(const Mlp& mlp, int streams, std::int64_t first, std::int64_t points,
             std::int64_t columns, const float* from, std::int64_t row, float* to) {
  for (int j = 0; j < streams; ++j)
    copy_rows(points, columns, from + j * points * row, row,
              to + (j * mlp.num_points + first) * columns, columns);
}

// An affine layer; the bias applies to the values only.
void affine(const Mlp& mlp, const Packed& packed, int layer, int streams, std::int64_t points,
            const float* input, float* z) {
  const std::int64_t in = mlp.dims[layer], out = mlp.dims[layer + 1], z_row = padded(out);
  multiply_rows(mlp, layer, streams * points, out, in, Operand{input, row_stride(in)},
                packed.forward[layer], z, z_row, nullptr, nullptr);
  for (std::int64_t m = 0; m < points; ++m)
    for (std::int64_t n = 0; n < z_row; n += kLanes)
      store(z + m * z_row + n, load(z + m * z_row + n) + load(packed.bias[layer] + n));
}

// The chain rule: J_k becomes f' J_k and S_i becomes f' S_i + f'' sum_k m_ik J_k^2. Arguments are
// passed by value: a reference would be reloaded after each store.
void spread(JetMix mix, std::int64_t points, std::int64_t columns, const float* z,
            std::int64_t z_row, Derivatives f, float* y, std::int64_t row) {
  const std::int64_t z_stream = points * z_row, stream = points * row;
  for (std::int64_t m = 0; m < points; ++m)
    for (std::int64_t n = 0; n < columns; n += kLanes) {
      const std::int64_t at = m * row + n;
      const float* from = z + m * z_row + n;
      float* to = y + at;
      const Vec slope = load(f.slope + at), second = load(f.second + at);
      Vec squares[kMaxStreams];
      for (int k = 0; k < mix.d; ++k) {
        const Vec j = load(from += z_stream);
        store(to += stream, slope * j);
        squares[k] = second * j * j;
      }
      const float* weight = mix.weights;
      for (int i = 0; i < mix.s; ++i) {
        Vec sum = slope * load(from += z_stream);
        for (int k = 0; k < mix.d; ++k) sum += *weight++ * squares[k];
        store(to += stream, sum);
      }
    }
}

// Its transpose: maps gradients for the outputs of the rule to gradients for its inputs.
void collect(JetMix mix, std::int64_t points, std::int64_t columns, const float* z,
             std::int64_t z_row, Derivatives f, float* grad, std::int64_t row) {
  const std::int64_t z_stream = points * z_row, stream = points * row;
  for (std::int64_t m = 0; m < points; ++m)
    for (std::int64_t n = 0; n < columns; n += kLanes) {
      const std::int64_t at = m * row + n;
      const Vec slope = load(f.slope + at), second = load(f.second + at);
      const float* sums = z + m * z_row + n + (mix.d + 1) * z_stream;
      float* grad_sums = grad + at + (mix.d + 1) * stream;
      Vec incoming[kMaxStreams], by_second = {}, by_third = {};
      for (int i = 0; i < mix.s; ++i) {
        incoming[i] = load(grad_sums + i * stream);
        by_second += load(sums + i * z_stream) * incoming[i];
        store(grad_sums + i * stream, slope * incoming[i]);
      }
      for (int k = 0; k < mix.d; ++k) {
        const Vec j = load(z + m * z_row + n + (k + 1) * z_stream);
        float* to = grad + at + (k + 1) * stream;
        const Vec g = load(to);
        Vec square = {};  // The gradient for J_k^2, without its factor f''.
        for (int i = 0; i < mix.s; ++i) square += mix.weights[i * mix.d + k] * incoming[i];
        const Vec tilt = j * square;
        by_second += j * g;
        by_third += j * tilt;
        store(to, slope * g + 2.0f * second * tilt);
      }
      store(grad + at, slope * load(grad + at) + second * by_second + load(f.third + at) * by_third);
    }
}

struct JetForwardJob {
  const Mlp* mlp;
  const JetMix* mix;
  const Packed* packed;
  const float* x;
  float *y, *saved;
};

// Rows of the buffers of a tile, at the widest layer: for streams, their pre-activations, f' and
// f''.
std::int64_t jet_forward_rows(const JetMix& mix) { return jet_tile(mix) * (2 * num_streams(mix) + 2); }

void jet_forward_tile(const JetForwardJob& job, std::int64_t index, float* scratch) {
  const Mlp& mlp = *job.mlp;
  const JetMix& mix = *job.mix;
  const int streams = num_streams(mix);
  const std::int64_t tile = jet_tile(mix), first = index * tile;
  const std::int64_t points = smaller(tile, mlp.num_points - first);
  const Derive derive = derive_with(mlp.activation);
  float* value = scratch;
  float* temporary = value + streams * tile * widest(mlp);
  float* slope = temporary + streams * tile * widest(mlp);
  const Derivatives f{value, slope, slope + tile * widest(mlp), nullptr};
  float* kept = job.saved ? job.saved + index * jet_saved_tile_size(mlp, mix) : nullptr;

  gather(mlp, streams, first, points, mlp.dims[0], job.x, value);
  for (int l = 0; l < mlp.num_layers; ++l) {
    const std::int64_t out = mlp.dims[l + 1], z_row = padded(out);
    const bool last = l == mlp.num_layers - 1, keep = kept && !last && l + 1 >= first_kept(mlp);
    float* z = keep ? kept : temporary;
    affine(mlp, *job.packed, l, streams, points, value, z);
    if (keep) kept += streams * tile * z_row;
    if (last) {
      scatter(mlp, streams, first, points, out, z, z_row, job.y);
    } else {
      derive(points, z_row, z, z_row, f, row_stride(out));
      spread(mix, points, z_row, z, z_row, f, value, row_stride(out));
    }
  }
}

void mlp_jet_forward(const Mlp& mlp, const JetMix& mix, const float* x, float* y, float* saved) {
  const Scratch weights(static_cast<std::size_t>(packed_size(mlp)));
  const Packed packed = pack(mlp, weights.data(), false);
  const JetForwardJob job{&mlp, &mix, &packed, x, y, saved};
  for_each_tile<JetForwardJob, jet_forward_tile>(job, mlp.threads, num_jet_tiles(mlp, mix),
                                                 jet_forward_rows(mix) * widest(mlp));
}

struct JetBackwardJob {
  const Mlp* mlp;
  const JetMix* mix;
  const Packed *up, *down;
  const float *x, *saved, *grad_y;
  float* grad_x;
  Gradients gradients;
};

// For streams, their gradients twice, pre-activations that were not saved, and f' to f'''.
std::int64_t jet_backward_rows(const JetMix& mix) {
  return jet_tile(mix) * (4 * num_streams(mix) + 3);
}

void jet_backward_tile(const JetBackwardJob& job, std::int64_t index, float* scratch,
                       float* sums) {
  const Mlp& mlp = *job.mlp;
  const JetMix& mix = *job.mix;
  const int streams = num_streams(mix);
  const std::int64_t tile = jet_tile(mix), first = index * tile;
  const std::int64_t points = smaller(tile, mlp.num_points - first), rows = streams * points;
  const Derive derive = derive_with(mlp.activation);
  const std::int64_t all = streams * tile * widest(mlp), one = tile * widest(mlp);
  float *value = scratch, *grad = scratch + all, *next_grad = scratch + 2 * all;
  float *temporary = scratch + 3 * all, *slope = scratch + 4 * all;
  const Derivatives f{value, slope, slope + one, slope + 2 * one};
  const float* kept = job.saved + (index + 1) * jet_saved_tile_size(mlp, mix);

  const int last = mlp.num_layers - 1;
  gather(mlp, streams, first, points, mlp.dims[last + 1], job.grad_y, grad);
  for (int l = last; l >= 0; --l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    const std::int64_t in_row = row_stride(in), z_row = padded(in);
    const float* z = temporary;
    if (l == 0 || l < first_kept(mlp)) gather(mlp, streams, first, points, mlp.dims[0], job.x, value);
    if (l > 0) {
      if (l < first_kept(mlp))
        affine(mlp, *job.up, l - 1, streams, points, value, temporary);
      else
        z = kept -= streams * tile * z_row;
      derive(points, z_row, z, z_row, f, in_row);
      spread(mix, points, z_row, z, z_row, f, value, in_row);
    }
    if (job.gradients.weights) {
      add_bias_gradient(mlp, l, points, grad, sums);
      add_weight_gradient(mlp, l, rows, value, grad, sums, nullptr);
    }
    if (l == 0 && !job.grad_x) break;
    multiply_rows(mlp, l, rows, in, out, Operand{grad, row_stride(out)}, job.down->backward[l],
                  next_grad, in_row, nullptr, nullptr);
    if (l > 0)
      collect(mix, points, z_row, z, z_row, f, next_grad, in_row);
    else
      scatter(mlp, streams, first, points, in, next_grad, in_row, job.grad_x);
    float* swapped = grad;
    grad = next_grad;
    next_grad = swapped;
  }
}

void mlp_jet_backward(const Mlp& mlp, const JetMix& mix, const float* x, const float* saved,
                      const float* grad_y, float* grad_x, float* const* grad_weights,
                      float* const* grad_biases) {
  const std::int64_t size = packed_size(mlp);
  const Scratch weights(static_cast<std::size_t>(2 * size));
  const Packed up = pack(mlp, weights.data(), false, 1);
  const Packed down = pack(mlp, weights.data() + size, true);
  const Gradients gradients{grad_weights, grad_biases};
  const JetBackwardJob job{&mlp, &mix, &up, &down, x, saved, grad_y, grad_x, gradients};
  sum_over_tiles<JetBackwardJob, jet_backward_tile>(job, mlp, num_jet_tiles(mlp, mix),
                                                    jet_backward_rows(mix) * widest(mlp),
                                                    gradients);
}

}  // namespace
