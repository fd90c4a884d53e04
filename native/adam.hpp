// One step of Adam on one tensor, in one pass over it.
#pragma once

#include <cmath>

#include "kernels.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace {

using neurafield::Adam;

struct AdamFactors {
  float beta1, beta2, rate, root, eps;
};

AdamFactors adam_factors(const Adam& adam) {
  // p -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps), with divisions by constants
  // hoisted.
  const double first = 1.0 - std::pow(adam.beta1, double(adam.step));
  const double second = std::sqrt(1.0 - std::pow(adam.beta2, double(adam.step)));
  return {float(adam.beta1), float(adam.beta2), float(adam.lr / first), float(1.0 / second),
          float(adam.eps)};
}

inline void adam_number(const AdamFactors& f, bool lazy, float g, float& p, float& m, float& v) {
  if (lazy && g == 0.0f) return;
  m += (1.0f - f.beta1) * (g - m);
  v = f.beta2 * v + (1.0f - f.beta2) * g * g;
  p -= f.rate * m / (__builtin_sqrtf(v) * f.root + f.eps);
}

inline void adam_vector(const AdamFactors& f, bool lazy, const float* grad, float* parameter,
                        float* mean, float* square) {
  const Vec g = load(grad);
  const IntVec touched = lazy ? IntVec(g != 0.0f) : ~IntVec{};
  // Most of a large table is often untouched; it is then not even read.
  if (!any(touched)) return;
  const Vec m = load(mean), v = load(square), p = load(parameter);
  const Vec new_m = m + (1.0f - f.beta1) * (g - m);
  const Vec new_v = f.beta2 * v + (1.0f - f.beta2) * g * g;
  const Vec new_p = p - f.rate * new_m / (square_root(new_v) * f.root + f.eps);
  store(mean, touched ? new_m : m);
  store(square, touched ? new_v : v);
  store(parameter, touched ? new_p : p);
}

// Values that one task updates.
constexpr std::int64_t kAdamBlock = 16384;

struct AdamJob {
  const Adam* adam;
  AdamFactors factors;
  std::int64_t rows_per_task;
};

void adam_block(const AdamJob& job, std::int64_t first, std::int64_t last) {
  const Adam& adam = *job.adam;
  std::int64_t i = first;
  for (; i + kLanes <= last; i += kLanes)
    adam_vector(job.factors, adam.lazy, adam.grad + i, adam.parameter + i, adam.mean + i,
                adam.square + i);
  for (; i < last; ++i)
    adam_number(job.factors, adam.lazy, adam.grad[i], adam.parameter[i], adam.mean[i],
                adam.square[i]);
}

void adam_chosen_rows(const AdamJob& job, std::int64_t first, std::int64_t last) {
  const Adam& adam = *job.adam;
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t at = adam.rows[row] * adam.row_size;
    for (std::int64_t j = 0; j < adam.row_size; ++j)
      adam_number(job.factors, adam.lazy, adam.grad[row * adam.row_size + j],
                  adam.parameter[at + j], adam.mean[at + j], adam.square[at + j]);
  }
}

void adam_step(const Adam& adam) {
  AdamJob job{&adam, adam_factors(adam), larger(1, kAdamBlock / adam.row_size)};
  neurafield::parallel_for(
      (adam.num_rows + job.rows_per_task - 1) / job.rows_per_task, adam.threads,
      [](void* context, std::int64_t task) {
        const AdamJob& job = *static_cast<AdamJob*>(context);
        const std::int64_t first = task * job.rows_per_task;
        const std::int64_t last = smaller(first + job.rows_per_task, job.adam->num_rows);
        if (job.adam->rows)
          adam_chosen_rows(job, first, last);
        else
          adam_block(job, first * job.adam->row_size, last * job.adam->row_size);
      },
      &job);
}

}  // namespace
