// Shared parts of all passes through a perceptron: packing of layers, their products with the rows
// of a tile, sums of gradients, and the assignment of tiles to lanes.
#pragma once

#include "kernels.hpp"
#include "matmul.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace {

using neurafield::Mlp;
using neurafield::Scratch;

std::int64_t padded(std::int64_t columns) { return round_up(columns, panel_width(columns)); }

// Row length of a tile's activations. Rows a multiple of 1 KiB apart would map to the same few
// cache lines.
std::int64_t row_stride(std::int64_t columns) {
  const std::int64_t stride = padded(columns);
  return stride % 256 == 0 ? stride + 16 : stride;
}

std::int64_t widest(const Mlp& mlp) {
  std::int64_t most = 0;
  for (int l = 0; l <= mlp.num_layers; ++l) most = larger(most, row_stride(mlp.dims[l]));
  return most;
}

// Points per tile, a multiple of the rows of every block: enough to reuse loaded weights, few
// enough for the cache. Measured: within 3 % of the best from width 64 to 1,024.
constexpr std::int64_t kTile = 96;

// Offsets of the packed weights of each layer, and the end.
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

// Returns true if a layer's products use bfloat16: those between hidden layers, which are nearly
// all the work. Coordinates and values keep their precision.
//
// Columns k and k + depth / 2 of a matrix then share a word, so that words are formed from whole
// vectors. The depth is that of padded columns; the padding is packed as zeros.
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

// Packs the first layers, forward or backward.
struct PackJob {
  const Mlp* mlp;
  Packed* packed;
  bool backward;
};

Packed pack(const Mlp& mlp, float* buffer, bool backward, int layers) {
  Packed packed;
  for (int l = 0; l < layers; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    packed.forward[l] = packed.backward[l] = buffer;
    buffer += padded(in) * padded(out);
    packed.bias[l] = buffer;
    buffer += padded(out);
  }
  PackJob job{&mlp, &packed, backward};
  neurafield::parallel_for(
      layers, mlp.threads,
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

Packed pack(const Mlp& mlp, float* buffer, bool backward) {
  return pack(mlp, buffer, backward, mlp.num_layers);
}

void copy_rows(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t from_row,
               float* to, std::int64_t to_row) {
  for (std::int64_t m = 0; m < rows; ++m)
    std::memcpy(to + m * to_row, from + m * from_row, 4 * static_cast<std::size_t>(columns));
}

// Packs the rows of a tile for a product along its columns: words of columns k and k + padded / 2.
void pair_columns(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t row,
                  float* to) {
  const std::int64_t half = padded(columns) / 2;
  for (std::int64_t m = 0; m < rows; ++m)
    for (std::int64_t k = 0; k < half; k += kLanes)
      store(to + m * row_stride(half) + k,
            pair(load(from + m * row + k), load(from + m * row + k + half)));
}

// Packs the rows of a tile for a product along its points: words of points 2 m and 2 m + 1.
void pair_points(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t row,
                 float* to) {
  for (std::int64_t m = 0; m < rows; m += 2)
    for (std::int64_t n = 0; n < padded(columns); n += kLanes)
      store(to + m / 2 * row + n, pair(load(from + m * row + n),
                                       m + 1 < rows ? load(from + (m + 1) * row + n) : Vec{}));
}

// C = A B + bias for the rows A of a tile, (rows, depth), and the packed weights B of a layer.
// `words` is scratch memory for the rows as pairs.
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

// The weight gradient of a layer is the product of two tiles; the narrower one provides the rows,
// so that there is little padding.
bool transposed(std::int64_t in, std::int64_t out) { return in < out; }

std::int64_t gradient_row(std::int64_t in, std::int64_t out) { return padded(larger(in, out)); }

// Number of floats in the gradient sums of the first layers: weights, then bias, per layer.
std::int64_t gradient_size(const Mlp& mlp, int layers) {
  std::int64_t size = 0;
  for (int l = 0; l < layers; ++l) {
    const std::int64_t in = mlp.dims[l], out = mlp.dims[l + 1];
    size += smaller(in, out) * gradient_row(in, out) + padded(out);
  }
  return size;
}

std::int64_t gradient_size(const Mlp& mlp) { return gradient_size(mlp, mlp.num_layers); }

void add_rows(std::int64_t rows, std::int64_t columns, const float* grad, std::int64_t row,
              float* sum) {
  for (std::int64_t n = 0; n < columns; n += kLanes) {
    Vec total = {};
    for (std::int64_t m = 0; m < rows; ++m) total += load(grad + m * row + n);
    store(sum + n, load(sum + n) + total);
  }
}

// sum += A' B for two tiles of points: A of the narrow side, whose columns make the rows. `words`
// is scratch memory for both as pairs.
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

// Adds a tile's contribution to a layer's weight gradient, grad' value, to the sums of a lane.
void add_weight_gradient(const Mlp& mlp, int layer, std::int64_t rows, const float* value,
                         const float* grad, float* sums, float* words) {
  const std::int64_t in = mlp.dims[layer], out = mlp.dims[layer + 1];
  const std::int64_t in_row = row_stride(in), out_row = row_stride(out);
  float* sum = sums + gradient_size(mlp, layer);
  if (transposed(in, out))
    multiply_tiles(mlp, layer, rows, in, out, value, in_row, grad, out_row, sum, words);
  else
    multiply_tiles(mlp, layer, rows, out, in, grad, out_row, value, in_row, sum, words);
}

// The same for the bias: the sum of some rows of the tile.
void add_bias_gradient(const Mlp& mlp, int layer, std::int64_t rows, const float* grad,
                       float* sums) {
  const std::int64_t out = mlp.dims[layer + 1];
  add_rows(rows, padded(out), grad, row_stride(out),
           sums + gradient_size(mlp, layer + 1) - padded(out));
}

// Gradients of the parameters; null pointers if not requested.
struct Gradients {
  float* const* weights;
  float* const* biases;
};

struct Finish {
  const Mlp* mlp;
  Gradients gradients;
  float* sums;
  std::int64_t lanes;
};

// Adds up the sums of all lanes for one layer, in order, and writes them in the caller's layout.
void finish_layer(const Finish& job, int layer) {
  const Mlp& mlp = *job.mlp;
  float* sums = job.sums + gradient_size(mlp, layer);
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
      job.gradients.weights[layer][o * in + i] =
          scale * (transposed(in, out) ? sums[i * row + o] : sums[o * row + i]);
    job.gradients.biases[layer][o] = scale * sums[narrow * row + o];
  }
}

template <typename Job>
struct Lanes {
  const Job* job;
  std::int64_t tiles, lanes, scratch_size, sums_size;
  float *scratch, *sums;
  std::int64_t next_tile;
};

// Calls run(job, tile, scratch) for every tile; tiles must be independent.
template <typename Job, void (*run)(const Job&, std::int64_t, float*)>
void for_each_tile(const Job& job, int threads, std::int64_t tiles, std::int64_t scratch_size) {
  const std::int64_t lanes = larger(1, smaller(threads, tiles));
  const Scratch scratch(static_cast<std::size_t>(lanes * scratch_size));
  Lanes<Job> all{&job, tiles, lanes, scratch_size, 0, scratch.data(), nullptr, 0};
  neurafield::parallel_for(
      lanes, threads,
      [](void* context, std::int64_t lane) {
        auto& all = *static_cast<Lanes<Job>*>(context);
        float* scratch = all.scratch + lane * all.scratch_size;
        // A lane takes the next remaining tile.
        for (;;) {
          const std::int64_t tile = __atomic_fetch_add(&all.next_tile, 1, __ATOMIC_RELAXED);
          if (tile >= all.tiles) return;
          run(*all.job, tile, scratch);
        }
      },
      &all);
}

// Calls run(job, tile, scratch, sums) for every tile, where each adds to the sums of its lane, and
// computes the parameter gradients from these.
template <typename Job, void (*run)(const Job&, std::int64_t, float*, float*)>
void sum_over_tiles(const Job& job, const Mlp& mlp, std::int64_t tiles, std::int64_t scratch_size,
                    Gradients gradients) {
  const std::int64_t lanes = larger(1, smaller(mlp.threads, tiles));
  const std::int64_t sums_size = gradient_size(mlp);
  const Scratch scratch(static_cast<std::size_t>(lanes * scratch_size));
  const Scratch sums(static_cast<std::size_t>(lanes * sums_size));
  Lanes<Job> all{&job, tiles, lanes, scratch_size, sums_size, scratch.data(), sums.data(), 0};
  neurafield::parallel_for(
      lanes, mlp.threads,
      [](void* context, std::int64_t lane) {
        const auto& all = *static_cast<const Lanes<Job>*>(context);
        float* scratch = all.scratch + lane * all.scratch_size;
        float* sums = all.sums + lane * all.sums_size;
        // Zeros, because padding is multiplied, though never used, and must not trap or slow down.
        std::memset(scratch, 0, 4 * static_cast<std::size_t>(all.scratch_size));
        std::memset(sums, 0, 4 * static_cast<std::size_t>(all.sums_size));
        // A fixed share per lane, so that sums are the same from run to run.
        const std::int64_t end = (lane + 1) * all.tiles / all.lanes;
        for (std::int64_t tile = lane * all.tiles / all.lanes; tile < end; ++tile)
          run(*all.job, tile, scratch, sums);
      },
      &all);
  if (!gradients.weights) return;
  Finish finish{&mlp, gradients, sums.data(), lanes};
  neurafield::parallel_for(
      mlp.num_layers, mlp.threads,
      [](void* context, std::int64_t layer) {
        finish_layer(*static_cast<Finish*>(context), static_cast<int>(layer));
      },
      &finish);
}

}  // namespace
