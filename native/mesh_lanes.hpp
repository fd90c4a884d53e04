// Vectors of eight values for any instruction set, since a node has eight children.
#pragma once

#include "mesh_tree.hpp"
#include "simd.hpp"

namespace {

using neurafield::kMeshWidth;

typedef float Eight __attribute__((vector_size(4 * kMeshWidth)));
typedef std::int32_t EightInts __attribute__((vector_size(4 * kMeshWidth)));

struct Eight3 {
  Eight x, y, z;
};

inline void fill(Eight& to, const float* from) { std::memcpy(&to, from, sizeof to); }
inline void fill(EightInts& to, const std::int32_t* from) { std::memcpy(&to, from, sizeof to); }

// Three rows of coordinates, minus those of a point.
inline void fill_from(Eight3& to, const float (*rows)[kMeshWidth], const float* point) {
  fill(to.x, rows[0]);
  fill(to.y, rows[1]);
  fill(to.z, rows[2]);
  to.x -= point[0];
  to.y -= point[1];
  to.z -= point[2];
}

inline void root_of(Eight& to, const Eight& from) {
  for (int i = 0; i < kMeshWidth; ++i) to[i] = __builtin_sqrtf(from[i]);
}

// One bit per lane that is true.
inline unsigned bits_of(const EightInts& mask) {
#if defined(__AVX__)
  return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#else
  unsigned all = 0;
  for (int i = 0; i < kMeshWidth; ++i) all |= static_cast<unsigned>(mask[i] & 1) << i;
  return all;
#endif
}

// Converts a point to float32; returns false if its square is not finite.
inline bool query_point(const double* from, float* to) {
  bool finite = true;
  for (int k = 0; k < 3; ++k) {
    finite = finite && __builtin_isfinite(from[k]);
    to[k] = static_cast<float>(from[k] < -1e15 ? -1e15 : from[k] > 1e15 ? 1e15 : from[k]);
  }
  return finite;
}

// Points per task.
constexpr std::int64_t kMeshBlock = 256;

}  // namespace
