// Forward and backward of a whole perceptron, tile by tile.
//
// A tile of points goes through all layers before the next one starts, so that its activations stay
// in the cache of its core. Forward keeps the pre-activations z of each hidden layer; backward
// reads them once more, makes f(z) and f'(z) of them, and holds nothing else.
#pragma once

#include "activations.hpp"
#include "kernels.hpp"
#include "matmul.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace {

using neurafield::Activation;
using neurafield::Mlp;
using neurafield::Scratch;

std::int64_t padded(std::int64_t columns) { return round_up(columns, panel_width(columns)); }

// Row length of a tile's activations. Rows a multiple of 1 KiB apart would fall on the same few
// lines of the cache.
std::int64_t row_stride(std::int64_t columns) {
  const std::int64_t stride = padded(columns);
  return stride % 256 == 0 ? stride + 16 : stride;
}

std::int64_t widest(const Mlp& mlp) {
  std::int64_t most = 0;
  for (int l = 0; l <= mlp.num_layers; ++l) most = larger(most, row_stride(mlp.dims[l]));
  return most;
}

// Points in a tile, a multiple of the rows of every block: enough to reuse what was loaded of the
// weights, few enough for the cache. Measured: within 3 % of the best from width 64 to 1,024.
constexpr std::int64_t kTile = 96;

std::int64_t num_tiles(const Mlp& mlp) {
  return (mlp.num_points + kTile - 1) / kTile;
}

// Where each layer's packed weights begin, and the end.
struct Packed {
  const float* forward[neurafield::kMaxLayers];
  const float* backward[neurafield::kMaxLayers];
  const float* bias[neurafield::kMaxLayers];
};

std::int64_t packed_size(const Mlp& mlp) {
  std::int64_t size = 0;
  for (int l = 0; l < mlp.num_layers; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    size += padded(in) * padded(out) + padded(out);
  }
  return size;
}

float scale_of(const Mlp& mlp, int layer) {
  return layer < mlp.num_layers - 1 ? mlp.scales[layer] : 1.0f;
}

// Whether a layer's products are of bfloat16: those between hidden layers, which hold nearly all the
// work. Coordinates and values keep their precision.
//
// Column k of a matrix and column k + depth / 2 share a word then, so that words are made of whole
// vectors. The depth is that of padded columns; what is packed for the padding is zero.
bool paired(const Mlp& mlp, int layer) {
  return mlp.bfloat16 && layer > 0 && layer < mlp.num_layers - 1;
}

float packed_pair(float first, float second) {
  Vec a = {}, b = {};
  a[0] = first;
  b[0] = second;
  return pair(a, b)[0];
}

// The weights as panels: panel p holds columns [p * width, ...) of the matrix B(k, n) that a
// product walks through, each k's columns consecutive, zeros beyond the last one.
template <bool backward>
void pack_layer(const Mlp& mlp, int layer, float* to) {
  const float* weight = mlp.weights[layer];
  const float scale = scale_of(mlp, layer);
  const std::int64_t in = mlp.dims[layer], out = mlp.dims[layer + 1];
  const std::int64_t depth = backward ? out : in, columns = backward ? in : out;
  const std::int64_t width = panel_width(columns), half = padded(depth) / 2;
  const auto number = [&](std::int64_t k, std::int64_t n) {
    if (k >= depth || n >= columns) return 0.0f;
    return scale * (backward ? weight[k * in + n] : weight[n * in + k]);
  };
  for (std::int64_t first = 0; first < columns; first += width) {
    if (paired(mlp, layer)) {
      for (std::int64_t k = 0; k < half; ++k)
        for (std::int64_t n = first; n < first + width; ++n)
          *to++ = packed_pair(number(k, n), number(k + half, n));
    } else {
      for (std::int64_t k = 0; k < depth; ++k)
        for (std::int64_t n = first; n < first + width; ++n) *to++ = number(k, n);
    }
  }
}

struct PackJob {
  const Mlp* mlp;
  Packed* packed;
  bool backward;
};

Packed pack(const Mlp& mlp, float* buffer, bool backward) {
  Packed packed;
  for (int l = 0; l < mlp.num_layers; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    packed.forward[l] = packed.backward[l] = buffer;
    buffer += padded(in) * padded(out);
    packed.bias[l] = buffer;
    buffer += padded(out);
  }
  PackJob job{&mlp, &packed, backward};
  neurafield::parallel_for(
      mlp.num_layers, mlp.threads,
      [](void* context, std::int64_t task) {
        const PackJob& job = *static_cast<PackJob*>(context);
        const int l = static_cast<int>(task);
        if (job.backward) {
          pack_layer<true>(*job.mlp, l, const_cast<float*>(job.packed->backward[l]));
        } else {
          pack_layer<false>(*job.mlp, l, const_cast<float*>(job.packed->forward[l]));
          float* bias = const_cast<float*>(job.packed->bias[l]);
          const std::int64_t out = job.mlp->dims[l + 1];
          for (std::int64_t n = 0; n < padded(out); ++n)
            bias[n] = n < out ? scale_of(*job.mlp, l) * job.mlp->biases[l][n] : 0.0f;
        }
      },
      &job);
  return packed;
}

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

using Activate = void (*)(std::int64_t rows, std::int64_t columns, const float* z,
                          std::int64_t z_row, float* value, float* slope, std::int64_t row);

template <bool with_slope>
Activate activate_with(Activation activation) {
  switch (activation) {
    case Activation::Sine:
      return activate<SineFunction, with_slope>;
    case Activation::ReLU:
      return activate<ReluFunction, with_slope>;
    case Activation::Tanh:
      return activate<TanhFunction, with_slope>;
    case Activation::Sigmoid:
      return activate<SigmoidFunction, with_slope>;
    case Activation::SiLU:
      return activate<SiluFunction, with_slope>;
    case Activation::Softplus:
      return activate<SoftplusFunction, with_slope>;
    case Activation::GELU:
      return activate<GeluFunction, with_slope>;
  }
  return nullptr;
}

// Kept pre-activations lie tile after tile, in a tile layer after layer.
std::int64_t saved_tile_size(const Mlp& mlp) {
  std::int64_t size = 0;
  for (int l = 1; l < mlp.num_layers; ++l) size += padded(mlp.dims[l]);
  return size * kTile;
}

std::int64_t mlp_saved_size(const Mlp& mlp) { return num_tiles(mlp) * saved_tile_size(mlp); }

void copy_rows(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t from_row,
               float* to, std::int64_t to_row) {
  for (std::int64_t m = 0; m < rows; ++m)
    std::memcpy(to + m * to_row, from + m * from_row, 4 * static_cast<std::size_t>(columns));
}

// A tile's rows for a product along its columns: words of columns k and k + padded / 2.
void pair_columns(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t row,
                  float* to) {
  const std::int64_t half = padded(columns) / 2;
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t k = 0; k < half; k += kLanes)
      store(to + m * row_stride(half) + k,
            pair(load(from + m * row + k), load(from + m * row + k + half)));
}

// A tile's rows for a product along its points: words of points 2 m and 2 m + 1.
void pair_points(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t row,
                 float* to) {
  for (std::int64_t m = 0; m < rows; m += 2)
    for (std::int64_t n = 0; n < padded(columns); n += kLanes)
      store(to + m / 2 * row + n, pair(load(from + m * row + n),
                                       m + 1 < rows ? load(from + (m + 1) * row + n) : Vec{}));
}

// C = A B + bias for A a tile's rows, (rows, depth), and B a layer's packed weights. `words` is
// room for the rows as pairs.
void multiply_rows(const Mlp& mlp, int layer, std::int64_t rows, std::int64_t columns,
                   std::int64_t depth, Operand a, const float* packed, float* c,
                   std::int64_t c_row, const float* bias, float* words) {
  const std::int64_t width = panel_width(columns);
  if (!paired(mlp, layer)) {
    multiply<Numbers, Stored::AsRows, false>(rows, columns, depth, a,
                                             Panels{packed, width, depth * width}, c, c_row, bias);
    return;
  }
  const std::int64_t half = padded(depth) / 2;
  pair_columns(rows, depth, a.data, a.stride, words);
  multiply<Bfloat16Pairs, Stored::AsRows, false>(rows, columns, half,
                                                 Operand{words, row_stride(half)},
                                                 Panels{packed, width, half * width}, c, c_row,
                                                 bias);
}

constexpr int kForwardTiles = 3;

struct ForwardJob {
  const Mlp* mlp;
  const Packed* packed;
  const float* x;
  float *y, *saved, *scratch;
  std::int64_t next_tile;
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
  const std::int64_t lanes = larger(1, smaller(mlp.threads, num_tiles(mlp)));
  const std::int64_t lane_size = kForwardTiles * kTile * widest(mlp);
  const Scratch weights(static_cast<std::size_t>(packed_size(mlp)));
  const Scratch scratch(static_cast<std::size_t>(lanes * lane_size));
  const Packed packed = pack(mlp, weights.data(), false);
  ForwardJob job{&mlp, &packed, x, y, saved, scratch.data(), 0};
  neurafield::parallel_for(
      lanes, mlp.threads,
      [](void* context, std::int64_t lane) {
        ForwardJob& job = *static_cast<ForwardJob*>(context);
        const Mlp& mlp = *job.mlp;
        float* scratch = job.scratch + lane * kForwardTiles * kTile * widest(mlp);
        // Tiles do not depend on each other, so a lane takes the next one that is left.
        for (;;) {
          const std::int64_t tile = __atomic_fetch_add(&job.next_tile, 1, __ATOMIC_RELAXED);
          if (tile >= num_tiles(mlp)) return;
          forward_tile(job, tile, scratch);
        }
      },
      &job);
}

// A layer's weight gradient is the product of two tiles; the narrower side makes the rows, so that
// little is padded.
bool transposed(std::int64_t in, std::int64_t out) { return in < out; }

std::int64_t gradient_row(std::int64_t in, std::int64_t out) { return padded(larger(in, out)); }

std::int64_t gradient_size(const Mlp& mlp) {
  std::int64_t size = 0;
  for (int l = 0; l < mlp.num_layers; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    size += smaller(in, out) * gradient_row(in, out) + padded(out);
  }
  return size;
}

struct BackwardJob {
  const Mlp* mlp;
  const Packed* packed;
  const float *x, *saved, *grad_y;
  float* grad_x;
  float* const* grad_weights;
  float* const* grad_biases;
  float* scratch;
  float* sums;  // Each lane's sums of the parameters' gradients.
  std::int64_t lanes;
};

constexpr int kBackwardTiles = 5;

void multiply_by_slope(std::int64_t rows, std::int64_t columns, const float* slope, float* grad,
                       std::int64_t row) {
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t n = 0; n < columns; n += kLanes)
      store(grad + m * row + n, load(grad + m * row + n) * load(slope + m * row + n));
}

void add_rows(std::int64_t rows, std::int64_t columns, const float* grad, std::int64_t row,
              float* sum) {
  for (std::int64_t n = 0; n < columns; n += kLanes) {
    Vec total = {};
    for (std::int64_t m = 0; m < rows; ++m) total += load(grad + m * row + n);
    store(sum + n, load(sum + n) + total);
  }
}

// sum += A' B for two tiles of points: A of the narrow side, whose columns make the rows. `words` is
// room for both as pairs.
void multiply_tiles(const Mlp& mlp, int layer, std::int64_t points, std::int64_t narrow,
                    std::int64_t wide, const float* a, std::int64_t a_row, const float* b,
                    std::int64_t b_row, float* sum, float* words) {
  if (!paired(mlp, layer)) {
    multiply<Numbers, Stored::AsColumns, true>(narrow, wide, points, Operand{a, a_row},
                                               Panels{b, b_row, kPanel}, sum, padded(wide),
                                               nullptr);
    return;
  }
  const std::int64_t pairs = (points + 1) / 2;
  float* b_words = words + kTile / 2 * a_row;
  pair_points(points, narrow, a, a_row, words);
  pair_points(points, wide, b, b_row, b_words);
  multiply<Bfloat16Pairs, Stored::AsColumns, true>(narrow, wide, pairs, Operand{words, a_row},
                                                   Panels{b_words, b_row, kPanel}, sum,
                                                   padded(wide), nullptr);
}

void backward_tile(const BackwardJob& job, std::int64_t index, float* scratch, float* sums) {
  const Mlp& mlp = *job.mlp;
  const std::int64_t first = index * kTile, rows = smaller(kTile, mlp.num_points - first);
  const std::int64_t buffer = kTile * widest(mlp);
  const Activate apply = activate_with<true>(mlp.activation);
  float *value = scratch, *slope = scratch + buffer;
  float *grad = scratch + 2 * buffer, *next_grad = scratch + 3 * buffer;
  float* words = scratch + 4 * buffer;
  const float* kept = job.saved + (index + 1) * saved_tile_size(mlp);
  float* sum = sums + gradient_size(mlp);

  const int last = mlp.num_layers - 1;
  const std::int64_t num_values = mlp.dims[last + 1];
  copy_rows(rows, num_values, job.grad_y + first * num_values, num_values, grad,
            row_stride(num_values));
  for (int l = last; l >= 0; --l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    const std::int64_t in_row = row_stride(in), out_row = row_stride(out);
    if (l > 0) {
      kept -= kTile * padded(in);
      apply(rows, padded(in), kept, padded(in), value, slope, in_row);
    } else {
      copy_rows(rows, in, job.x + first * in, in, value, in_row);
    }
    if (job.grad_weights) {
      sum -= padded(out);
      add_rows(rows, padded(out), grad, out_row, sum);
      sum -= smaller(in, out) * gradient_row(in, out);
      if (transposed(in, out))
        multiply_tiles(mlp, l, rows, in, out, value, in_row, grad, out_row, sum, words);
      else
        multiply_tiles(mlp, l, rows, out, in, grad, out_row, value, in_row, sum, words);
    }
    if (l > 0 || job.grad_x) {
      multiply_rows(mlp, l, rows, in, out, Operand{grad, out_row}, job.packed->backward[l],
                    next_grad, in_row, nullptr, words);
      if (l > 0)
        multiply_by_slope(rows, padded(in), slope, next_grad, in_row);
      else
        copy_rows(rows, in, next_grad, in_row, job.grad_x + first * in, in);
      float* swapped = grad;
      grad = next_grad;
      next_grad = swapped;
    }
  }
}

// Adds up the lanes' sums of one layer, in order, and writes them as the caller wants them.
void finish_layer(const BackwardJob& job, int layer) {
  const Mlp& mlp = *job.mlp;
  float* sums = job.sums;
  for (int l = 0; l < layer; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    sums += smaller(in, out) * gradient_row(in, out) + padded(out);
  }
  const std::int64_t in = mlp.dims[layer], out = mlp.dims[layer + 1];
  const std::int64_t row = gradient_row(in, out), narrow = smaller(in, out);
  const std::int64_t size = narrow * row + padded(out), lane_size = gradient_size(mlp);
  for (std::int64_t lane = 1; lane < job.lanes; ++lane)
    for (std::int64_t i = 0; i < size; i += kLanes)
      store(sums + i, load(sums + i) + load(sums + lane * lane_size + i));
  // z = scale (W h + b), and the sums are gradients for the scaled parameters.
  const float scale = scale_of(mlp, layer);
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t i = 0; i < in; ++i)
      job.grad_weights[layer][o * in + i] =
          scale * (transposed(in, out) ? sums[i * row + o] : sums[o * row + i]);
    job.grad_biases[layer][o] = scale * sums[narrow * row + o];
  }
}

void mlp_backward(const Mlp& mlp, const float* x, const float* saved, const float* grad_y,
                  float* grad_x, float* const* grad_weights, float* const* grad_biases) {
  const std::int64_t lanes = larger(1, smaller(mlp.threads, num_tiles(mlp)));
  const std::int64_t lane_size = kBackwardTiles * kTile * widest(mlp);
  const Scratch weights(static_cast<std::size_t>(packed_size(mlp)));
  const Scratch scratch(static_cast<std::size_t>(lanes * lane_size));
  const Scratch sums(static_cast<std::size_t>(lanes * gradient_size(mlp)));
  const Packed packed = pack(mlp, weights.data(), true);
  BackwardJob job{&mlp,   &packed,      x,           saved,          grad_y,
                  grad_x, grad_weights, grad_biases, scratch.data(), sums.data(),
                  lanes};
  neurafield::parallel_for(
      lanes, mlp.threads,
      [](void* context, std::int64_t lane) {
        const BackwardJob& job = *static_cast<BackwardJob*>(context);
        const Mlp& mlp = *job.mlp;
        float* scratch = job.scratch + lane * kBackwardTiles * kTile * widest(mlp);
        float* sums = job.sums + lane * gradient_size(mlp);
        // Zeros: padding is multiplied, though never used, and must not trap or slow down.
        std::memset(scratch, 0, 4 * static_cast<std::size_t>(kBackwardTiles * kTile * widest(mlp)));
        std::memset(sums, 0, 4 * static_cast<std::size_t>(gradient_size(mlp)));
        // A fixed share for each lane: sums are then the same from run to run.
        const std::int64_t tiles = num_tiles(mlp);
        const std::int64_t end = (lane + 1) * tiles / job.lanes;
        for (std::int64_t tile = lane * tiles / job.lanes; tile < end; ++tile)
          backward_tile(job, tile, scratch, sums);
      },
      &job);
  if (grad_weights)
    neurafield::parallel_for(
        mlp.num_layers, mlp.threads,
        [](void* context, std::int64_t layer) {
          finish_layer(*static_cast<BackwardJob*>(context), static_cast<int>(layer));
        },
        &job);
}

}  // namespace
