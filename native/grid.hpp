// Multiresolution grids: interpolation between the vertices around a point, level by level, and its
// gradients.
//
// For a block of points, the table rows and weights of the vertices are computed first; then rows
// are read, or added to, in loops over points. The loop over levels is outside a number of points
// that amortises loading the rows of a level into the cache.
#pragma once

#include "grid_corners.hpp"
#include "grid_source.hpp"
#include "grid_touched.hpp"
#include "kernels.hpp"

namespace {

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
  const std::int64_t width = width_of(grid);
  const float zeros[F] = {};
  const bool continues = grid.added && l > 0;
  Corners<D, Row> corners;
  for (std::int64_t first = begin; first < end; first += kGridBlock) {
    const int count = static_cast<int>(smaller(kGridBlock, end - first));
    find_corners<D>(grid, level, coords + first - begin, kGridTaskPoints, count, corners);
    float* y = job.y + first * width + (grid.added ? 0 : l * F);
    for (int p = 0; p < count; ++p) {
      // Two sums, to break the dependency chain of additions.
      typename Features<F>::Type sums[2] = {};
      if (continues) Features<F>::load(y + p * width, sums[0]);
      if (has_row(corners, p))
        for (int c = 0; c < 1 << D; ++c)
          Features<F>::add(sums[c & 1], corners.weights[c][p],
                           row_of<F>(table, corners.rows[c][p], zeros));
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
    with_row_type(grid.levels[l], [&](auto row) {
      read_level<D, F, decltype(row)>(job, l, coords, begin, end);
    });
  }
  if (!nan) return;
  const std::int64_t width = width_of(grid);
  for (std::int64_t p = begin; p < end; ++p)
    if (is_nan<D>(job.x + p * D))
      for (std::int64_t i = 0; i < width; ++i) job.y[p * width + i] = __builtin_nanf("");
}

// ---- gradients of the table

struct GridTableGradient {
  const GridSource* source;
  float* grad_table;
};

template <int D, int F, typename Row>
void add_to_level(const GridTableGradient& job, int l) {
  const GridSource& source = *job.source;
  const Grid& grid = *source.grid;
  const GridLevel& level = grid.levels[l];
  float* table = fixed(job.grad_table + level.offset * F);
  std::memset(table, 0, 4 * F * static_cast<std::size_t>(level.size));
  // One per corner, to break the dependency chain.
  float unused[1 << D][F] = {};
  Corners<D, Row> corners;
  for (std::int64_t first = 0; first < grid.num_points; first += kGridBlock) {
    const int count = static_cast<int>(smaller(kGridBlock, grid.num_points - first));
    find_corners<D>(grid, level, source.coords + first, source.stride, count, corners);
    const float* grads = source.by_level + l * source.level_stride + first * F;
    for (int p = 0; p < count; ++p) {
      if (!has_row(corners, p)) continue;
      typename Features<F>::Type grad;
      Features<F>::load(grads + p * F, grad);
      for (int c = 0; c < 1 << D; ++c)
        Features<F>::add_to(row_of<F>(table, corners.rows[c][p], unused[c]),
                            corners.weights[c][p], grad);
    }
  }
}

// Each level is a separate task, so that the terms of a row are added in the order of the points.
// (Splitting the rows of a level between two threads was no faster. A separate table per share of
// the points made one 2-D level a fifth faster and 3-D no faster, and bytes would depend on the
// number of threads.)
template <int D, int F>
void table_gradient_task(void* context, std::int64_t task) {
  const GridTableGradient& job = *static_cast<GridTableGradient*>(context);
  const Grid& grid = *job.source->grid;
  // The finest levels take longest, so they start first.
  const int l = grid.num_levels - 1 - static_cast<int>(task);
  with_row_type(grid.levels[l], [&](auto row) { add_to_level<D, F, decltype(row)>(job, l); });
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
  const std::int64_t width = width_of(grid);
  const float zeros[F] = {};
  Corners<D, Row> corners;
  AxisWeights<D> axes;
  alignas(64) float products[1 << D][kGridBlock];
  alignas(64) float slopes[D][kGridBlock];
  for (std::int64_t first = begin; first < end; first += kGridBlock) {
    const int count = static_cast<int>(smaller(kGridBlock, end - first));
    find_corners<D>(grid, level, coords + first - begin, kGridTaskPoints, count, corners, &axes);
    const float* grad_y = job.grad_y + first * width + (grid.added ? 0 : l * F);
    for (int p = 0; p < count; ++p) {
      if (!has_row(corners, p)) {
        for (int c = 0; c < 1 << D; ++c) products[c][p] = 0.0f;
        continue;
      }
      for (int c = 0; c < 1 << D; ++c) {
        const float* row = row_of<F>(table, corners.rows[c][p], zeros);
        products[c][p] = Features<F>::dot(grad_y + p * width, row);
      }
    }
    for (int p = 0; p < count; p += kLanes) {
      for (int a = 0; a < D; ++a) {
        Vec values[1 << D];
        for (int c = 0; c < 1 << D; ++c) values[c] = load(products[c] + p);
        // Axes are summed one after the other, the last one first; on axis a, differences are
        // taken.
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
    with_row_type(job.grid->levels[l], [&](auto row) {
      differentiate_level<D, F, decltype(row)>(job, l, coords, begin, end);
    });
  }
  // The gradient is zero outside the box and for NaN.
  for (std::int64_t p = begin; p < end; ++p) {
    const float* x = job.x + p * D;
    const bool nan = is_nan<D>(x);
    for (int a = 0; a < D; ++a)
      if (nan || x[a] < -1.0f || x[a] > 1.0f) job.grad_x[p * D + a] = 0.0f;
  }
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

// Levels a power of two apart would map to the same few cache lines.
std::int64_t level_stride(const Grid& grid) {
  if (grid.added) return 0;
  return round_up(grid.num_points * grid.features, 1024) + 16;
}

std::int64_t source_size(const Grid& grid) {
  const std::int64_t by_level =
      grid.added ? grid.num_points * grid.features : level_stride(grid) * grid.num_levels;
  return coords_stride(grid) * grid.dim + by_level;
}

// `memory` has room for source_size floats.
GridSource gather(const Grid& grid, const float* x, const float* grad_y, float* memory) {
  const std::int64_t stride = coords_stride(grid);
  GridSource source{};
  source.grid = &grid;
  source.x = x;
  source.grad_y = grad_y;
  source.coords = memory;
  source.room = memory + stride * grid.dim;
  source.stride = stride;
  source.level_stride = level_stride(grid);
  source.task_points = grid_task_points(grid);
  // Gradients of a single level, or shared by all levels, can be read in place, unless NaN points
  // need zeros.
  source.copies = width_of(grid) > grid.features;
  for_points(grid, source.task_points, grid_tasks_for(grid).gather, &source);
  if (source.any_nan && !source.copies) {
    source.copies = true;
    for_points(grid, source.task_points, grid_tasks_for(grid).gather, &source);
  }
  source.by_level = source.copies ? source.room : grad_y;
  return source;
}

void grid_backward_table(const Grid& grid, const float* x, const float* grad_y,
                         float* grad_table) {
  const Scratch memory(static_cast<std::size_t>(source_size(grid)));
  const GridSource source = gather(grid, x, grad_y, memory.data());
  GridTableGradient job{&source, grad_table};
  neurafield::parallel_for(grid.num_levels, grid.threads, grid_tasks_for(grid).table_gradient,
                           &job);
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
  neurafield::parallel_for(grid.num_levels, shares, grid_tasks_for(grid).touched_gradient, &job);
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
