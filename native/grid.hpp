// Multiresolution grids: interpolation between the vertices around a point, level by level, and its
// gradients.
//
// A block of points first gets its vertices' rows of the table and their weights, in vectors over
// points; then the rows are read, or added to, in loops over points. Levels are outermost over as
// many points as pay for loading a level's rows into the cache.
#pragma once

#include "kernels.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace {

using neurafield::Grid;
using neurafield::GridKind;
using neurafield::GridLevel;
using neurafield::Scratch;

typedef std::uint32_t UintVec __attribute__((vector_size(4 * kLanes)));

// Points whose rows and weights are held at once: 2^dim of each, in the nearest cache.
constexpr int kGridBlock = 256;
static_assert(kGridBlock % kLanes == 0);

// Points of a task, at most: a level's rows come into the cache once for so many, and their values
// leave it once.
constexpr std::int64_t kGridTaskPoints = 4096;

template <int D>
bool is_nan(const float* x) {
  bool nan = false;
  for (int a = 0; a < D; ++a) nan |= x[a] != x[a];
  return nan;
}

// Coordinates inside the box, one axis after the other, `stride` apart. The rest of the last vector
// is filled up with zeros. Returns whether any is NaN.
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
      // NaN goes to the border too, so that every index is in range.
      const Vec above = value > -1.0f ? value : splat(-1.0f);
      store(axis + p, above < 1.0f ? above : splat(1.0f));
    }
  }
  return any(nan);
}

// x * slope + constant, rounded once: a position at 512 cells an axis, rounded to float32, would be
// off by 3e-5 of a cell.
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

// The cell of each coordinate and the place in it, in [0, 1].
struct Cells {
  IntVec cell;
  Vec place;
};

inline Cells find_cells(Vec x, std::int64_t num_cells) {
  const float half = 0.5f * static_cast<float>(num_cells);
  const std::int32_t last = static_cast<std::int32_t>(num_cells - 1);
  IntVec cell = __builtin_convertvector(multiply_add(x, half, splat(half)), IntVec);
  cell = cell > last ? IntVec{} + last : cell;
  // half - cell is exact.
  Vec place = multiply_add(x, half, half - __builtin_convertvector(cell, Vec));
  // The position was rounded up to the next vertex.
  const IntVec over = place < 0.0f;
  return {cell + over, place - __builtin_convertvector(over, Vec)};
}

inline Vec smooth_weight(Vec place) { return place * place * (3.0f - 2.0f * place); }
inline Vec smooth_slope(Vec place) { return 6.0f * place * (1.0f - place); }

// What a level needs for its rows, axis by axis. The last axis is the contiguous one.
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

// Rows of the 2^D vertices around each point; bit a of a corner's number is its side on axis a.
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

// The vertices around each point of a block. `Row` is 64 bits wide for levels of 2^32 rows and more.
template <int D, typename Row>
struct Corners {
  alignas(64) Row rows[1 << D][kGridBlock];
  alignas(64) float weights[1 << D][kGridBlock];
};

// For gradients of coordinates: weights along each axis, and their slopes in cells.
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
      const Vec high = smooth ? smooth_weight(found.place) : found.place;
      const Vec low = 1.0f - high;
      if (axes) {
        store(axes->weight[a] + p, high);
        store(axes->slope[a] + p, smooth ? smooth_slope(found.place) : splat(1.0f));
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
    if constexpr (sizeof(Row) == 4) {
      UintVec found[1 << D];
      find_rows<D, kind>(rows, cells, found);
      for (int c = 0; c < 1 << D; ++c) std::memcpy(corners.rows[c] + p, &found[c], sizeof(UintVec));
    } else {
      // A dense level; strides of more than 32 bits, point by point.
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
  if (level.kind == GridKind::Dense || sizeof(Row) == 8)
    find_corners_of_kind<D, GridKind::Dense>(level, smooth, coords, stride, count, corners, axes);
  else if (level.kind == GridKind::Tiled)
    find_corners_of_kind<D, GridKind::Tiled>(level, smooth, coords, stride, count, corners, axes);
  else
    find_corners_of_kind<D, GridKind::Hashed>(level, smooth, coords, stride, count, corners, axes);
}

bool has_wide_rows(const GridLevel& level) { return level.size > std::int64_t{1} << 32; }

// Keeps the compiler from adding the offset again for each row.
template <typename T>
T* fixed(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// The features of a row, as a vector. Two are held in a vector of four: there the processor can
// repeat a weight while it loads it.
template <int F>
struct Features {
  typedef float Type __attribute__((vector_size(F == 2 ? 16 : 4 * F)));

  static void load(const float* from, Type& to) {
    if constexpr (F == 2) {
      typedef double Pair __attribute__((vector_size(16)));
      double both;
      std::memcpy(&both, from, sizeof both);
      to = (Type)Pair{both, 0.0};
    } else {
      std::memcpy(&to, from, sizeof to);
    }
  }

  static void store(float* to, const Type& from) { std::memcpy(to, &from, 4 * F); }

  // sum += weight * row
  static void add(Type& sum, float weight, const float* row) {
    Type features;
    load(row, features);
    sum += weight * features;
  }

  // row += weight * grad
  static void add_to(float* row, float weight, const Type& grad) {
    Type features;
    load(row, features);
    store(row, features + weight * grad);
  }
};

// ---- values

struct GridForward {
  const Grid* grid;
  const float *table, *x;
  float* y;
  std::int64_t task_points;
};

template <int D, int F, typename Row>
void read_level(const GridForward& job, int l, const float* coords, std::int64_t begin,
                std::int64_t end) {
  const Grid& grid = *job.grid;
  const GridLevel& level = grid.levels[l];
  const float* table = fixed(job.table + level.offset * F);
  const std::int64_t width = static_cast<std::int64_t>(grid.num_levels) * F;
  Corners<D, Row> corners;
  for (std::int64_t first = begin; first < end; first += kGridBlock) {
    const int count = static_cast<int>(smaller(kGridBlock, end - first));
    find_corners<D>(grid, level, coords + first - begin, kGridTaskPoints, count, corners);
    float* y = job.y + first * width + l * F;
    for (int p = 0; p < count; ++p) {
      // Two sums, because each addition waits for the one before.
      typename Features<F>::Type sums[2] = {};
      for (int c = 0; c < 1 << D; ++c)
        Features<F>::add(sums[c & 1], corners.weights[c][p],
                         table + static_cast<std::size_t>(corners.rows[c][p]) * F);
      Features<F>::store(y + p * width, sums[0] + sums[1]);
    }
  }
}

template <int D, int F>
void grid_forward_task(void* context, std::int64_t task) {
  const GridForward& job = *static_cast<GridForward*>(context);
  const Grid& grid = *job.grid;
  const std::int64_t begin = task * job.task_points;
  const std::int64_t end = smaller(begin + job.task_points, grid.num_points);
  alignas(64) float coords[D * kGridTaskPoints];
  const bool nan = read_coords<D>(job.x + begin * D, end - begin, coords, kGridTaskPoints);
  for (int l = 0; l < grid.num_levels; ++l) {
    if (has_wide_rows(grid.levels[l]))
      read_level<D, F, std::uint64_t>(job, l, coords, begin, end);
    else
      read_level<D, F, std::uint32_t>(job, l, coords, begin, end);
  }
  if (!nan) return;
  const std::int64_t width = static_cast<std::int64_t>(grid.num_levels) * F;
  for (std::int64_t p = begin; p < end; ++p)
    if (is_nan<D>(job.x + p * D))
      for (std::int64_t i = 0; i < width; ++i) job.y[p * width + i] = __builtin_nanf("");
}

// ---- gradients of the table

// What gradients are added up from, in the order in which levels read it.
struct GridSource {
  const Grid* grid;
  const float *x, *grad_y;
  float* coords;    // One axis after the other, `stride` apart.
  float* by_level;  // grad_y, one level after the other, `level_stride` apart.
  std::int64_t stride, level_stride, task_points;
};

// Read from where they are, each line of memory with gradients would come into the cache once for
// every level that has a part of it. Points that are NaN get zeros.
template <int D, int F>
void gather_task(void* context, std::int64_t task) {
  const GridSource& job = *static_cast<GridSource*>(context);
  const Grid& grid = *job.grid;
  const std::int64_t begin = task * job.task_points;
  const std::int64_t end = smaller(begin + job.task_points, grid.num_points);
  const bool any_nan =
      read_coords<D>(job.x + begin * D, end - begin, job.coords + begin, job.stride);
  for (std::int64_t p = begin; p < end; ++p) {
    const float* from = job.grad_y + p * grid.num_levels * F;
    float* to = job.by_level + p * F;
    const bool nan = any_nan && is_nan<D>(job.x + p * D);
    for (int l = 0; l < grid.num_levels; ++l)
      for (int f = 0; f < F; ++f) to[l * job.level_stride + f] = nan ? 0.0f : from[l * F + f];
  }
}

struct GridTableGradient {
  const GridSource* source;
  float* grad_table;
  std::int64_t parts;  // Of each level's rows, so that there are enough tasks.
};

template <int D, int F, typename Row>
void add_to_level(const GridTableGradient& job, int l, std::int64_t part) {
  const GridSource& source = *job.source;
  const Grid& grid = *source.grid;
  const GridLevel& level = grid.levels[l];
  float* table = fixed(job.grad_table + level.offset * F);
  const Row begin = static_cast<Row>(part * (level.size / job.parts));
  const Row size =
      static_cast<Row>(part + 1 == job.parts ? level.size - begin : level.size / job.parts);
  std::memset(table + static_cast<std::size_t>(begin) * F, 0,
              4 * F * static_cast<std::size_t>(job.parts == 1 ? level.size : size));
  Corners<D, Row> corners;
  std::uint32_t mine[kGridBlock << D];
  for (std::int64_t first = 0; first < grid.num_points; first += kGridBlock) {
    const int count = static_cast<int>(smaller(kGridBlock, grid.num_points - first));
    find_corners<D>(grid, level, source.coords + first, source.stride, count, corners);
    const float* grads = source.by_level + l * source.level_stride + first * F;
    typename Features<F>::Type grad;
    if (job.parts == 1) {
      for (int p = 0; p < count; ++p) {
        Features<F>::load(grads + p * F, grad);
        for (int c = 0; c < 1 << D; ++c)
          Features<F>::add_to(table + static_cast<std::size_t>(corners.rows[c][p]) * F,
                              corners.weights[c][p], grad);
      }
      continue;
    }
    int found = 0;
    for (int p = 0; p < count; ++p) {
      for (int c = 0; c < 1 << D; ++c) {
        mine[found] = static_cast<std::uint32_t>(p << D | c);
        found += static_cast<Row>(corners.rows[c][p] - begin) < size;
      }
    }
    for (int i = 0; i < found; ++i) {
      const int p = static_cast<int>(mine[i] >> D), c = static_cast<int>(mine[i] & ((1 << D) - 1));
      Features<F>::load(grads + p * F, grad);
      Features<F>::add_to(table + static_cast<std::size_t>(corners.rows[c][p]) * F,
                          corners.weights[c][p], grad);
    }
  }
}

template <int D, int F>
void table_gradient_task(void* context, std::int64_t task) {
  const GridTableGradient& job = *static_cast<GridTableGradient*>(context);
  // The finest levels take longest, so they are begun first.
  const int l = job.source->grid->num_levels - 1 - static_cast<int>(task / job.parts);
  if (has_wide_rows(job.source->grid->levels[l]))
    add_to_level<D, F, std::uint64_t>(job, l, task % job.parts);
  else
    add_to_level<D, F, std::uint32_t>(job, l, task % job.parts);
}

// ---- gradients of the coordinates

struct GridCoordsGradient {
  const Grid* grid;
  const float *table, *x, *grad_y;
  float* grad_x;
  std::int64_t task_points;
};

template <int D, int F, typename Row>
void differentiate_level(const GridCoordsGradient& job, int l, const float* coords,
                         std::int64_t begin, std::int64_t end) {
  const Grid& grid = *job.grid;
  const GridLevel& level = grid.levels[l];
  const float* table = fixed(job.table + level.offset * F);
  const std::int64_t width = static_cast<std::int64_t>(grid.num_levels) * F;
  Corners<D, Row> corners;
  AxisWeights<D> axes;
  alignas(64) float products[1 << D][kGridBlock];
  alignas(64) float slopes[D][kGridBlock];
  for (std::int64_t first = begin; first < end; first += kGridBlock) {
    const int count = static_cast<int>(smaller(kGridBlock, end - first));
    find_corners<D>(grid, level, coords + first - begin, kGridTaskPoints, count, corners, &axes);
    const float* grad_y = job.grad_y + first * width + l * F;
    for (int p = 0; p < count; ++p) {
      for (int c = 0; c < 1 << D; ++c) {
        const float* row = table + static_cast<std::size_t>(corners.rows[c][p]) * F;
        float product = 0.0f;
        for (int f = 0; f < F; ++f) product += grad_y[p * width + f] * row[f];
        products[c][p] = product;
      }
    }
    for (int p = 0; p < count; p += kLanes) {
      for (int a = 0; a < D; ++a) {
        Vec values[1 << D];
        for (int c = 0; c < 1 << D; ++c) values[c] = load(products[c] + p);
        // One axis after the other, the last first, is summed up; on axis a, differences.
        for (int b = D - 1; b >= 0; --b) {
          const Vec high = load(axes.weight[b] + p);
          for (int c = 0; c < 1 << b; ++c) {
            const Vec difference = values[c | 1 << b] - values[c];
            values[c] = b == a ? difference : values[c] + high * difference;
          }
        }
        const float half = 0.5f * static_cast<float>(level.cells[a]);
        store(slopes[a] + p, values[0] * load(axes.slope[a] + p) * half);
      }
    }
    float* grad_x = job.grad_x + first * D;
    for (int p = 0; p < count; ++p)
      for (int a = 0; a < D; ++a)
        grad_x[p * D + a] = l == 0 ? slopes[a][p] : grad_x[p * D + a] + slopes[a][p];
  }
}

template <int D, int F>
void coords_gradient_task(void* context, std::int64_t task) {
  const GridCoordsGradient& job = *static_cast<GridCoordsGradient*>(context);
  const std::int64_t begin = task * job.task_points;
  const std::int64_t end = smaller(begin + job.task_points, job.grid->num_points);
  alignas(64) float coords[D * kGridTaskPoints];
  read_coords<D>(job.x + begin * D, end - begin, coords, kGridTaskPoints);
  for (int l = 0; l < job.grid->num_levels; ++l) {
    if (has_wide_rows(job.grid->levels[l]))
      differentiate_level<D, F, std::uint64_t>(job, l, coords, begin, end);
    else
      differentiate_level<D, F, std::uint32_t>(job, l, coords, begin, end);
  }
  // Nothing changes outside the box, nor for NaN.
  for (std::int64_t p = begin; p < end; ++p) {
    const float* x = job.x + p * D;
    const bool nan = is_nan<D>(x);
    for (int a = 0; a < D; ++a)
      if (nan || x[a] < -1.0f || x[a] > 1.0f) job.grad_x[p * D + a] = 0.0f;
  }
}

// ---- gradients of those rows of the table that were touched

// Memory for one level at a time: pairs of (row, corner), sorted from one half into the other, and
// the corners' weights.
std::int64_t touch_size(const Grid& grid) {
  return round_up(5 * (grid.num_points << grid.dim), 16);  // Floats; a pair is as large as two.
}

struct GridTouchedGradient {
  const GridSource* source;
  std::int64_t* rows;  // Each level has its own stretch of these two,
  float* grad_rows;
  const std::int64_t* begin;  // which begins here
  std::int64_t* count;        // and has so many rows.
  float* scratch;  // One share for each thread.
  int* taken;      // Whether a share is in use.
  int shares;
};

int bit_length(std::uint64_t value) { return value ? 64 - __builtin_clzll(value) : 0; }

// Sorts by the bits [low, high), equal ones left in their order. Returns where the result is.
std::uint64_t* sort_by_bits(std::uint64_t* from, std::uint64_t* to, std::int64_t count, int low,
                            int high) {
  const int passes = (high - low + 10) / 11;
  for (int pass = 0; pass < passes; ++pass) {
    const int bits = (high - low + passes - 1 - pass) / (passes - pass);
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    std::int64_t places[1 << 11] = {};
    for (std::int64_t i = 0; i < count; ++i) ++places[from[i] >> low & mask];
    std::int64_t place = 0;
    for (std::uint64_t digit = 0; digit <= mask; ++digit) {
      const std::int64_t equal = places[digit];
      places[digit] = place;
      place += equal;
    }
    for (std::int64_t i = 0; i < count; ++i) to[places[from[i] >> low & mask]++] = from[i];
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
  const int place_bits = bit_length(static_cast<std::uint64_t>(most - 1));
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
        const std::uint64_t place = static_cast<std::uint64_t>(first + p) << D | c;
        pairs[touched++] = static_cast<std::uint64_t>(corners.rows[c][p]) << place_bits | place;
        weights[place] = corners.weights[c][p];
      }
    }
  }
  pairs = sort_by_bits(pairs, pairs + most, touched, place_bits, place_bits + row_bits);
  const float* grads = source.by_level + l * source.level_stride;
  std::int64_t* rows = job.rows + job.begin[l];
  float* grad_row = job.grad_rows + job.begin[l] * F;
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < touched; ++found, grad_row += F) {
    const std::uint64_t row = pairs[i] >> place_bits;
    typename Features<F>::Type sum = {};
    for (; i < touched && pairs[i] >> place_bits == row; ++i) {
      const std::uint64_t place = pairs[i] & ((std::uint64_t{1} << place_bits) - 1);
      Features<F>::add(sum, weights[place],
                       grads + static_cast<std::int64_t>(place >> D) * F);
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
  if (has_wide_rows(grid.levels[l]))
    touch_level<D, F, std::uint64_t>(job, l, scratch);
  else
    touch_level<D, F, std::uint32_t>(job, l, scratch);
  __atomic_store_n(&job.taken[share], 0, __ATOMIC_RELEASE);
}

// ---- the entries of the table of kernels

struct GridTasks {
  void (*forward)(void* context, std::int64_t task);
  void (*gather)(void* context, std::int64_t task);
  void (*table_gradient)(void* context, std::int64_t task);
  void (*touched_gradient)(void* context, std::int64_t task);
  void (*coords_gradient)(void* context, std::int64_t task);
};

template <int D, int F>
constexpr GridTasks grid_tasks = {
    grid_forward_task<D, F>, gather_task<D, F>, table_gradient_task<D, F>,
    touched_gradient_task<D, F>, coords_gradient_task<D, F>};

template <int D>
const GridTasks& grid_tasks_for(int features) {
  switch (features) {
    case 1:
      return grid_tasks<D, 1>;
    case 2:
      return grid_tasks<D, 2>;
    case 4:
      return grid_tasks<D, 4>;
    default:
      return grid_tasks<D, 8>;
  }
}

const GridTasks& grid_tasks_for(const Grid& grid) {
  switch (grid.dim) {
    case 1:
      return grid_tasks_for<1>(grid.features);
    case 2:
      return grid_tasks_for<2>(grid.features);
    case 3:
      return grid_tasks_for<3>(grid.features);
    default:
      return grid_tasks_for<4>(grid.features);
  }
}

// Points of a task: some tasks for each thread.
std::int64_t grid_task_points(const Grid& grid) {
  const std::int64_t share = (grid.num_points + 4 * grid.threads - 1) / (4 * grid.threads);
  return smaller(round_up(larger(share, 1), kGridBlock), kGridTaskPoints);
}

// A task for each `points` points.
void for_points(const Grid& grid, std::int64_t points, void (*task)(void*, std::int64_t),
                void* job) {
  neurafield::parallel_for((grid.num_points + points - 1) / points, grid.threads, task, job);
}

void grid_forward(const Grid& grid, const float* table, const float* x, float* y) {
  GridForward job{&grid, table, x, y, grid_task_points(grid)};
  for_points(grid, job.task_points, grid_tasks_for(grid).forward, &job);
}

void grid_backward_coords(const Grid& grid, const float* table, const float* x,
                          const float* grad_y, float* grad_x) {
  GridCoordsGradient job{&grid, table, x, grad_y, grad_x, grid_task_points(grid)};
  for_points(grid, job.task_points, grid_tasks_for(grid).coords_gradient, &job);
}

std::int64_t coords_stride(const Grid& grid) { return round_up(grid.num_points, kGridBlock); }

// Levels a power of two apart would fall on the same few lines of the cache.
std::int64_t level_stride(const Grid& grid) {
  return round_up(grid.num_points * grid.features, 1024) + 16;
}

std::int64_t source_size(const Grid& grid) {
  return coords_stride(grid) * grid.dim + level_stride(grid) * grid.num_levels;
}

// `memory` has room for source_size floats.
GridSource gather(const Grid& grid, const float* x, const float* grad_y, float* memory) {
  const std::int64_t stride = coords_stride(grid);
  GridSource source{&grid,  x,
                    grad_y, memory,
                    memory + stride * grid.dim,
                    stride, level_stride(grid),
                    grid_task_points(grid)};
  for_points(grid, source.task_points, grid_tasks_for(grid).gather, &source);
  return source;
}

// Each row's terms are added up in the order of the points, however many parts there are.
void grid_backward_table(const Grid& grid, const float* x, const float* grad_y,
                         float* grad_table) {
  const Scratch memory(static_cast<std::size_t>(source_size(grid)));
  const GridSource source = gather(grid, x, grad_y, memory.data());
  const std::int64_t parts = (grid.threads + grid.num_levels - 1) / grid.num_levels;
  GridTableGradient job{&source, grad_table, smaller(parts, 64)};
  neurafield::parallel_for(grid.num_levels * job.parts, grid.threads,
                           grid_tasks_for(grid).table_gradient, &job);
}

std::int64_t grid_backward_touched(const Grid& grid, const float* x, const float* grad_y,
                                   std::int64_t* rows, float* grad_rows) {
  if (grid.num_points == 0) return 0;
  const int shares = static_cast<int>(smaller(grid.threads, grid.num_levels));
  const Scratch memory(static_cast<std::size_t>(source_size(grid)));
  const Scratch touched(static_cast<std::size_t>(shares * touch_size(grid)));
  const GridSource source = gather(grid, x, grad_y, memory.data());
  std::int64_t begin[neurafield::kMaxGridLevels], count[neurafield::kMaxGridLevels];
  int taken[neurafield::kMaxGridLevels] = {};
  std::int64_t end = 0;
  for (int l = 0; l < grid.num_levels; ++l) {
    begin[l] = end;
    end += smaller(grid.num_points << grid.dim, grid.levels[l].size);
  }
  GridTouchedGradient job{&source, rows, grad_rows, begin, count, touched.data(), taken, shares};
  neurafield::parallel_for(grid.num_levels, shares,
                           grid_tasks_for(grid).touched_gradient, &job);
  std::int64_t total = 0;
  for (int l = 0; l < grid.num_levels; ++l) {
    std::memmove(rows + total, rows + begin[l], static_cast<std::size_t>(count[l]) * 8);
    std::memmove(grad_rows + total * grid.features, grad_rows + begin[l] * grid.features,
                 static_cast<std::size_t>(count[l] * grid.features) * 4);
    total += count[l];
  }
  return total;
}

}  // namespace
