// Gradient of only those rows of a grid's table that points touch, at a cost independent of the
// size of the table.
#pragma once

#include "grid_source.hpp"

namespace {

// Memory for one level at a time: pairs of (row, corner), sorted from one half into the other, and
// the weights of the corners.
std::int64_t touch_size(const Grid& grid) {
  return round_up(5 * (grid.num_points << grid.dim), 16);  // In floats; a pair takes two.
}

struct GridTouchedGradient {
  const GridSource* source;
  std::int64_t* rows;  // Each level has its own range of these two,
  float* grad_rows;
  const std::int64_t* begin;  // which starts here
  std::int64_t* count;        // and has this many rows.
  float* scratch;             // One share per thread.
  int* taken;                 // Nonzero if a share is in use.
  int shares;
};

int bit_length(std::uint64_t value) { return value ? 64 - __builtin_clzll(value) : 0; }

// Stable sort by the bits [low, high). Returns the buffer that holds the result.
std::uint64_t* sort_by_bits(std::uint64_t* from, std::uint64_t* to, std::int64_t count, int low,
                            int high) {
  const int passes = (high - low + 10) / 11;
  for (int pass = 0; pass < passes; ++pass) {
    const int bits = (high - low + passes - 1 - pass) / (passes - pass);
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    std::int64_t starts[1 << 11] = {};
    for (std::int64_t i = 0; i < count; ++i) ++starts[from[i] >> low & mask];
    std::int64_t position = 0;
    for (std::uint64_t digit = 0; digit <= mask; ++digit) {
      const std::int64_t equal = starts[digit];
      starts[digit] = position;
      position += equal;
    }
    for (std::int64_t i = 0; i < count; ++i) to[starts[from[i] >> low & mask]++] = from[i];
    std::uint64_t* sorted = to;
    to = from;
    from = sorted;
    low += bits;
  }
  return from;
}

template <int D, int F, typename Row>
void touch_level(const GridTouchedGradient& job, int l, float* scratch) {
  const GridSource& source = *job.source;
  const Grid& grid = *source.grid;
  const GridLevel& level = grid.levels[l];
  const std::int64_t most = grid.num_points << D;
  const int position_bits = bit_length(static_cast<std::uint64_t>(most - 1));
  const int row_bits = bit_length(static_cast<std::uint64_t>(level.size - 1));
  std::uint64_t* pairs = reinterpret_cast<std::uint64_t*>(scratch);
  float* weights = reinterpret_cast<float*>(pairs + 2 * most);
  Corners<D, Row> corners;
  std::int64_t touched = 0;
  for (std::int64_t first = 0; first < grid.num_points; first += kGridBlock) {
    const int count = static_cast<int>(smaller(kGridBlock, grid.num_points - first));
    find_corners<D>(grid, level, source.coords + first, source.stride, count, corners);
    for (int p = 0; p < count; ++p) {
      if (is_nan<D>(source.x + (first + p) * D)) continue;
      for (int c = 0; c < 1 << D; ++c) {
        if constexpr (kIndexed<Row>) {
          if (corners.rows[c][p] == kAbsent) continue;
        }
        const std::uint64_t position = static_cast<std::uint64_t>(first + p) << D | c;
        pairs[touched++] = static_cast<std::uint64_t>(corners.rows[c][p]) << position_bits | position;
        weights[position] = corners.weights[c][p];
      }
    }
  }
  pairs = sort_by_bits(pairs, pairs + most, touched, position_bits, position_bits + row_bits);
  const float* grads = source.by_level + l * source.level_stride;
  std::int64_t* rows = job.rows + job.begin[l];
  float* grad_row = job.grad_rows + job.begin[l] * F;
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < touched; ++found, grad_row += F) {
    const std::uint64_t row = pairs[i] >> position_bits;
    typename Features<F>::Type sum = {};
    for (; i < touched && pairs[i] >> position_bits == row; ++i) {
      const std::uint64_t position = pairs[i] & ((std::uint64_t{1} << position_bits) - 1);
      Features<F>::add(sum, weights[position], grads + static_cast<std::int64_t>(position >> D) * F);
    }
    rows[found] = static_cast<std::int64_t>(row) + level.offset;
    Features<F>::store(grad_row, sum);
  }
  job.count[l] = found;
}

template <int D, int F>
void touched_gradient_task(void* context, std::int64_t task) {
  const GridTouchedGradient& job = *static_cast<GridTouchedGradient*>(context);
  const Grid& grid = *job.source->grid;
  const int l = grid.num_levels - 1 - static_cast<int>(task);
  int share = 0;
  while (__atomic_exchange_n(&job.taken[share], 1, __ATOMIC_ACQUIRE))
    share = (share + 1) % job.shares;
  float* scratch = job.scratch + share * touch_size(grid);
  with_row_type(grid.levels[l],
                [&](auto row) { touch_level<D, F, decltype(row)>(job, l, scratch); });
  __atomic_store_n(&job.taken[share], 0, __ATOMIC_RELEASE);
}

}  // namespace
