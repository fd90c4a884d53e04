// Positions of points in a multiresolution grid: for each level, the table rows of the vertices
// around a point and their weights, vectorised over points.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace {

using neurafield::Grid;
using neurafield::GridKind;
using neurafield::GridLevel;
using neurafield::GridWord;

typedef std::uint32_t UintVec __attribute__((vector_size(4 * kLanes)));

// Points whose rows and weights, 2^dim each, are held at once in the L1 cache.
constexpr int kGridBlock = 256;
static_assert(kGridBlock % kLanes == 0);

template <int D>
bool is_nan(const float* x) {
  bool nan = false;
  for (int a = 0; a < D; ++a) nan |= x[a] != x[a];
  return nan;
}

// Coordinates clamped to the box, axis by axis, `stride` apart. The last vector is padded with
// zeros. Returns true if any is NaN.
template <int D>
bool read_coords(const float* x, std::int64_t count, float* axes, std::int64_t stride) {
  for (std::int64_t p = 0; p < count; ++p)
    for (int a = 0; a < D; ++a) axes[a * stride + p] = x[p * D + a];
  IntVec nan = {};
  for (int a = 0; a < D; ++a) {
    float* axis = axes + a * stride;
    for (std::int64_t p = count; p % kLanes != 0; ++p) axis[p] = 0.0f;
    for (std::int64_t p = 0; p < count; p += kLanes) {
      const Vec value = load(axis + p);
      nan |= value != value;
      // NaN is mapped to the border too, so that every index is in range.
      const Vec above = value > -1.0f ? value : splat(-1.0f);
      store(axis + p, above < 1.0f ? above : splat(1.0f));
    }
  }
  return any(nan);
}

// x * slope + constant, rounded once: with 512 cells per axis, rounding the position to float32
// would cause an error of 3e-5 cells.
inline Vec multiply_add(Vec x, float slope, Vec constant) {
#if defined(__FMA__) || defined(__aarch64__)
  return x * splat(slope) + constant;
#else
  typedef double Wide __attribute__((vector_size(8 * kLanes)));
  return __builtin_convertvector(__builtin_convertvector(x, Wide) * static_cast<double>(slope) +
                                     __builtin_convertvector(constant, Wide),
                                 Vec);
#endif
}

// The cell of each coordinate and the position in it, in [0, 1].
struct Cells {
  IntVec cell;
  Vec fraction;
};

inline Cells find_cells(Vec x, std::int64_t num_cells) {
  const float half = 0.5f * static_cast<float>(num_cells);
  const std::int32_t last = static_cast<std::int32_t>(num_cells - 1);
  IntVec cell = __builtin_convertvector(multiply_add(x, half, splat(half)), IntVec);
  cell = cell > last ? IntVec{} + last : cell;
  // half - cell is exact.
  Vec fraction = multiply_add(x, half, half - __builtin_convertvector(cell, Vec));
  // The position was rounded up to the next vertex.
  const IntVec over = fraction < 0.0f;
  return {cell + over, fraction - __builtin_convertvector(over, Vec)};
}

inline Vec smooth_weight(Vec fraction) { return fraction * fraction * (3.0f - 2.0f * fraction); }
inline Vec smooth_slope(Vec fraction) { return 6.0f * fraction * (1.0f - fraction); }

// Per-axis data from which the rows of a level are computed. The last axis is contiguous.
template <int D>
struct Rows {
  std::uint32_t factor[D], tile[D], mask;

  explicit Rows(const GridLevel& level) : mask(static_cast<std::uint32_t>(level.size - 1)) {
    const std::uint32_t primes[4] = {1u, 2654435761u, 805459861u, 3674653429u};
    std::int64_t stride = 1;
    for (int a = D - 1; a >= 0; --a) {
      factor[a] = level.kind == GridKind::Hashed ? primes[D - 1 - a]
                                                 : static_cast<std::uint32_t>(stride);
      tile[a] = static_cast<std::uint32_t>(level.tile[a]);
      stride *= level.tile[a];
    }
  }
};

inline UintVec remainder_of(IntVec dividend, std::uint32_t divisor) {
  const std::int32_t by = static_cast<std::int32_t>(divisor);
  // Dividends are below 2^24 and the quotient is off by at most one.
  const Vec quotient =
      __builtin_convertvector(dividend, Vec) * splat(1.0f / static_cast<float>(divisor));
  IntVec rest = dividend - __builtin_convertvector(quotient, IntVec) * by;
  rest += (rest < 0) & by;
  rest -= (rest >= by) & by;
  return (UintVec)rest;
}

// Rows of the 2^D vertices around each point; bit a of a corner index is its side on axis a.
template <int D, GridKind kind>
void find_rows(const Rows<D>& rows, const IntVec (&cells)[D], UintVec (&out)[1 << D]) {
  for (int a = 0; a < D; ++a) {
    UintVec low = (UintVec)cells[a], high;
    if constexpr (kind == GridKind::Tiled) {
      low = remainder_of(cells[a], rows.tile[a]);
      high = low + 1;
      high = high == rows.tile[a] ? UintVec{} : high;
      low *= rows.factor[a];
      high *= rows.factor[a];
    } else {
      low *= rows.factor[a];
      high = low + rows.factor[a];
    }
    if (a == 0) {
      out[0] = low;
      out[1] = high;
      continue;
    }
    for (int c = 0; c < 1 << a; ++c) {
      if constexpr (kind == GridKind::Hashed) {
        out[c | 1 << a] = out[c] ^ high;
        out[c] ^= low;
      } else {
        out[c | 1 << a] = out[c] + high;
        out[c] += low;
      }
    }
  }
  if constexpr (kind == GridKind::Hashed)
    for (int c = 0; c < 1 << D; ++c) out[c] &= rows.mask;
}

// The row of a vertex that an indexed level does not store.
constexpr std::int32_t kAbsent = -1;

inline std::int32_t indexed_row(const GridWord* words, std::uint32_t vertex) {
  const GridWord& word = words[vertex / 64];
  const std::uint64_t bit = std::uint64_t{1} << vertex % 64;
  const std::uint64_t row = word.before + __builtin_popcountll(word.stored & (bit - 1));
  return word.stored & bit ? static_cast<std::int32_t>(row) : kAbsent;
}

// The rows of a vertex and the next one, which are usually in the same word.
inline void indexed_pair(const GridWord* words, std::uint32_t vertex, std::int32_t& low,
                         std::int32_t& high) {
  if (vertex % 64 == 63) {
    low = indexed_row(words, vertex);
    high = indexed_row(words, vertex + 1);
    return;
  }
  const GridWord& word = words[vertex / 64];
  const std::uint64_t from = word.stored >> vertex % 64;
  const std::uint64_t below = word.stored & ((std::uint64_t{1} << vertex % 64) - 1);
  const auto row = static_cast<std::int32_t>(word.before + __builtin_popcountll(below));
  low = from & 1 ? row : kAbsent;
  high = from & 2 ? row + static_cast<std::int32_t>(from & 1) : kAbsent;
}

// The vertices around each point of a block. `Row` has 64 bits for levels of more than 2^32 rows,
// and a sign for indexed ones, where kAbsent is a row of zeros.
template <int D, typename Row>
struct Corners {
  alignas(64) Row rows[1 << D][kGridBlock];
  alignas(64) float weights[1 << D][kGridBlock];
};

template <typename Row>
constexpr bool kIndexed = Row(-1) < Row(0);

// Start of a row of F values; `absent` if it is not stored.
template <int F, typename Number, typename Row>
Number* row_of(Number* table, Row row, Number* absent) {
  if constexpr (kIndexed<Row>) {
    if (row == kAbsent) return absent;
  }
  return table + static_cast<std::size_t>(row) * F;
}

// Returns true if any vertex around a point has a row.
template <int D, typename Row>
bool has_row(const Corners<D, Row>& corners, int p) {
  if constexpr (kIndexed<Row>) {
    Row all = corners.rows[0][p];
    for (int c = 1; c < 1 << D; ++c) all &= corners.rows[c][p];
    return all != kAbsent;
  }
  return true;
}

// For gradients of coordinates: weights along each axis, and their derivatives in cells.
template <int D>
struct AxisWeights {
  alignas(64) float weight[D][kGridBlock];
  alignas(64) float slope[D][kGridBlock];
};

template <int D, GridKind kind, typename Row>
void find_corners_of_kind(const GridLevel& level, bool smooth, const float* coords,
                          std::int64_t stride, int count, Corners<D, Row>& corners,
                          AxisWeights<D>* axes) {
  const Rows<D> rows(level);
  for (int p = 0; p < count; p += kLanes) {
    IntVec cells[D];
    Vec weights[1 << D];
    for (int a = 0; a < D; ++a) {
      const Cells found = find_cells(load(coords + a * stride + p), level.cells[a]);
      cells[a] = found.cell;
      const Vec high = smooth ? smooth_weight(found.fraction) : found.fraction;
      const Vec low = 1.0f - high;
      if (axes) {
        store(axes->weight[a] + p, high);
        store(axes->slope[a] + p, smooth ? smooth_slope(found.fraction) : splat(1.0f));
      }
      if (a == 0) {
        weights[0] = low;
        weights[1] = high;
        continue;
      }
      for (int c = 0; c < 1 << a; ++c) {
        weights[c | 1 << a] = weights[c] * high;
        weights[c] *= low;
      }
    }
    for (int c = 0; c < 1 << D; ++c) store(corners.weights[c] + p, weights[c]);
    if constexpr (kind == GridKind::Indexed) {
      UintVec found[1 << D];
      find_rows<D, GridKind::Dense>(rows, cells, found);
      constexpr int next = 1 << (D - 1);  // along the last axis
      for (int c = 0; c < next; ++c)
        for (int i = 0; i < kLanes; ++i)
          indexed_pair(level.words, found[c][i], corners.rows[c][p + i],
                       corners.rows[c | next][p + i]);
    } else if constexpr (sizeof(Row) == 4) {
      UintVec found[1 << D];
      find_rows<D, kind>(rows, cells, found);
      for (int c = 0; c < 1 << D; ++c) std::memcpy(corners.rows[c] + p, &found[c], sizeof(UintVec));
    } else {
      // A dense level with strides of more than 32 bits, point by point.
      for (int i = 0; i < kLanes; ++i) {
        std::uint64_t found[1 << D] = {}, stride = 1;
        for (int a = D - 1; a >= 0; --a) {
          const std::uint64_t low = static_cast<std::uint64_t>(cells[a][i]) * stride;
          for (int c = 0; c < 1 << D; ++c) found[c] += c >> a & 1 ? low + stride : low;
          stride *= static_cast<std::uint64_t>(level.tile[a]);
        }
        for (int c = 0; c < 1 << D; ++c) corners.rows[c][p + i] = found[c];
      }
    }
  }
}

template <int D, typename Row>
void find_corners(const Grid& grid, const GridLevel& level, const float* coords,
                  std::int64_t stride, int count, Corners<D, Row>& corners,
                  AxisWeights<D>* axes = nullptr) {
  const bool smooth = grid.smooth;
  if constexpr (kIndexed<Row>)
    find_corners_of_kind<D, GridKind::Indexed>(level, smooth, coords, stride, count, corners, axes);
  else if (level.kind == GridKind::Dense || sizeof(Row) == 8)
    find_corners_of_kind<D, GridKind::Dense>(level, smooth, coords, stride, count, corners, axes);
  else if (level.kind == GridKind::Tiled)
    find_corners_of_kind<D, GridKind::Tiled>(level, smooth, coords, stride, count, corners, axes);
  else
    find_corners_of_kind<D, GridKind::Hashed>(level, smooth, coords, stride, count, corners, axes);
}

// Calls `use` with a value of the integer type of a level's rows.
template <typename Use>
void with_row_type(const GridLevel& level, Use use) {
  if (level.kind == GridKind::Indexed)
    use(std::int32_t{});
  else if (level.size > std::int64_t{1} << 32)
    use(std::uint64_t{});
  else
    use(std::uint32_t{});
}

}  // namespace
