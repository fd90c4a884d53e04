// Shared parts of the grid kernels: rows as vectors, tasks over points, and the gradients of the
// features in the order in which levels read them.
#pragma once

#include "grid_corners.hpp"
#include "memory.hpp"
#include "parallel.hpp"

namespace {

using neurafield::Scratch;

// Keeps the compiler from adding the offset again for each row.
template <typename T>
T* fixed(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

typedef float Four __attribute__((vector_size(16)));

inline Four four(const float* from) {
  Four v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

// The features of a row, as a vector. Two features use a vector of four, for which the processor
// can broadcast a weight while loading it.
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

  static float dot(const float* a, const float* b) {
    if constexpr (F >= 4) {
      Four sum = four(a) * four(b);
      for (int f = 4; f < F; f += 4) sum += four(a + f) * four(b + f);
      const Four halves = sum + __builtin_shufflevector(sum, sum, 2, 3, 0, 1);
      return halves[0] + halves[1];
    }
    float product = 0.0f;
    for (int f = 0; f < F; ++f) product += a[f] * b[f];
    return product;
  }

  // row += weight * grad
  static void add_to(float* row, float weight, const Type& grad) {
    Type features;
    load(row, features);
    store(row, features + weight * grad);
  }
};

// Maximum points per task: the rows of a level are loaded into the cache, and the values written,
// once per task. (With more, the rows would not fit into a cache of half a megabyte.)
constexpr std::int64_t kGridTaskPoints = 2048;

// Points per task, for a few tasks per thread.
std::int64_t grid_task_points(const Grid& grid) {
  const std::int64_t share = (grid.num_points + 4 * grid.threads - 1) / (4 * grid.threads);
  return smaller(round_up(larger(share, 1), kGridBlock), kGridTaskPoints);
}

// Runs one task per `points` points.
void for_points(const Grid& grid, std::int64_t points, void (*task)(void*, std::int64_t),
                void* job) {
  neurafield::parallel_for((grid.num_points + points - 1) / points, grid.threads, task, job);
}

// Number of features of a point.
std::int64_t width_of(const Grid& grid) {
  return static_cast<std::int64_t>(grid.added ? 1 : grid.num_levels) * grid.features;
}

// The inputs of gradient sums, in the order in which levels read them.
struct GridSource {
  const Grid* grid;
  const float *x, *grad_y;
  float* coords;          // Axis by axis, `stride` apart.
  float* room;            // Memory for grad_y by level.
  const float* by_level;  // grad_y level by level, `level_stride` apart.
  std::int64_t stride, level_stride, task_points;
  bool copies;            // True if `by_level` is in `room`, false if it is grad_y itself.
  bool any_nan;
};

// Read in place, each cache line of gradients would be loaded once for every level that has a part
// of it. NaN points get zeros.
template <int D, int F>
void gather_task(void* context, std::int64_t task) {
  GridSource& job = *static_cast<GridSource*>(context);
  const Grid& grid = *job.grid;
  const std::int64_t begin = task * job.task_points;
  const std::int64_t end = smaller(begin + job.task_points, grid.num_points);
  const bool any_nan =
      read_coords<D>(job.x + begin * D, end - begin, job.coords + begin, job.stride);
  if (any_nan) __atomic_store_n(&job.any_nan, true, __ATOMIC_RELAXED);
  if (!job.copies) return;
  for (std::int64_t p = begin; p < end; ++p) {
    const float* from = job.grad_y + p * width_of(grid);
    float* to = job.room + p * F;
    const bool nan = any_nan && is_nan<D>(job.x + p * D);
    for (int l = 0; l < width_of(grid) / F; ++l)
      for (int f = 0; f < F; ++f) to[l * job.level_stride + f] = nan ? 0.0f : from[l * F + f];
  }
}

}  // namespace
