// Vectors of floats with the width of the instruction set.
//
// Everything here and in the kernels is in an unnamed namespace, and uses no template or inline
// function of the standard library: the same source is compiled for several instruction sets, and
// of a function shared by all, the linker may keep the copy that uses AVX-512, for a processor
// without it.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kRegisters = 32;
#elif defined(__AVX__)
constexpr int kLanes = 8;
constexpr int kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kLanes = 4;
constexpr int kRegisters = 32;
#else
constexpr int kLanes = 4;
constexpr int kRegisters = 16;
#endif

// Extensions of GCC and Clang: arithmetic, comparison and selection element by element.
typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t IntVec __attribute__((vector_size(4 * kLanes)));

inline Vec load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline void store(float* to, Vec v) { std::memcpy(to, &v, sizeof v); }

// x - 0 is x for every x, so this is one broadcast; 0 + x would not be: -0 becomes 0.
inline Vec splat(float x) { return x - Vec{}; }

inline IntVec bits(Vec v) {
  IntVec i;
  std::memcpy(&i, &v, sizeof i);
  return i;
}

inline Vec from_bits(IntVec i) {
  Vec v;
  std::memcpy(&v, &i, sizeof v);
  return v;
}

inline Vec absolute(Vec x) { return from_bits(bits(x) & 0x7fffffff); }

inline Vec square_root(Vec x) {
  Vec root;
  for (int i = 0; i < kLanes; ++i) root[i] = __builtin_sqrtf(x[i]);
  return root;
}

inline bool any(IntVec mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask));
#elif defined(__AVX__)
  return !_mm256_testz_si256(reinterpret_cast<__m256i>(mask), reinterpret_cast<__m256i>(mask));
#else
  return mask[0] | mask[1] | mask[2] | mask[3];
#endif
}

constexpr std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
constexpr std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
constexpr std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

}  // namespace
