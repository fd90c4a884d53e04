// Products of a tile with packed weights, in registers: C = A B + bias, or C += A B.
//
// A block of C of kRows x (kWide vectors) stays in registers while k runs; each step loads the row
// of B for that k and one value of A per row of C.
#pragma once

#include "simd.hpp"

namespace {

// Columns of a block: two vectors, or one if the product has no more columns. Rows: as many as fit
// the registers together with the row of B and a value of A.
constexpr int kWide = 2;
constexpr int kPanel = kWide * kLanes;
constexpr int kRows = kRegisters == 32 ? 12 : 6;

constexpr std::int64_t panel_width(std::int64_t columns) {
  return columns <= kLanes ? kLanes : kPanel;
}

// A(m, k): the rows of A are `stride` apart, or its columns, for a product with the transpose of
// the stored matrix.
struct Operand {
  const float* data;
  std::int64_t stride;
};
enum class Stored { AsRows, AsColumns };

// One step along k multiplies a value of A with a vector of B,
struct Numbers {
  static Vec repeat(const float* a) { return splat(*a); }
  static Vec add(Vec sum, Vec a, Vec b) { return sum + a * b; }
};

// or does two steps at once: each 32-bit word holds two bfloat16 values of different k. Sums are
// float32.
struct Bfloat16Pairs {
  static Vec repeat(const float* a) {
    std::int32_t word;
    std::memcpy(&word, a, 4);
    return from_bits(word - IntVec{});
  }
  static Vec add(Vec sum, Vec a, Vec b) {
#if defined(__AVX512BF16__)
    return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    const Vec low = from_bits(bits(a) << 16) * from_bits(bits(b) << 16);
    return sum + low + from_bits(bits(a) & kHigh) * from_bits(bits(b) & kHigh);
#endif
  }
  static constexpr std::int32_t kHigh = -0x10000;
};

// Rounds each value to bfloat16, in the high half of its word; ties go to even. NaN stays NaN.
inline IntVec rounded(Vec x) {
  const IntVec word = bits(x);
  const IntVec up = word + 0x7fff + ((word >> 16) & 1);
  return (x == x ? up : word | 0x400000) & Bfloat16Pairs::kHigh;
}

inline Vec pair(Vec first, Vec second) {
  const IntVec low = (rounded(first) >> 16) & 0xffff;
  return from_bits(rounded(second) | low);
}

struct Panels {
  const float* data;
  std::int64_t depth_stride, panel_stride;  // of B(k, panel): panel_width consecutive columns
};

template <typename Step, Stored stored, int rows, int wide, bool accumulate>
inline void block(std::int64_t depth, Operand a, const float* b, std::int64_t b_depth, float* c,
                  std::int64_t c_row, const float* bias) {
  Vec sum[rows][wide];
  for (int m = 0; m < rows; ++m)
    for (int j = 0; j < wide; ++j) sum[m][j] = Vec{};
  // Every third row has a pointer; the others are addressed from it by the stride and twice the
  // stride, which needs no further registers.
  const float* every_third[(rows + 2) / 3];
  for (int m = 0; m < rows; m += 3) every_third[m / 3] = a.data + m * a.stride;
  for (std::int64_t k = 0; k < depth; ++k) {
    Vec row[wide];
    for (int j = 0; j < wide; ++j) row[j] = load(b + k * b_depth + j * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
      const Vec x = Step::repeat(stored == Stored::AsRows ? every_third[m / 3] + m % 3 * a.stride + k
                                                          : a.data + k * a.stride + m);
      for (int j = 0; j < wide; ++j) sum[m][j] = Step::add(sum[m][j], x, row[j]);
    }
  }
  for (int m = 0; m < rows; ++m)
    for (int j = 0; j < wide; ++j) {
      float* to = c + m * c_row + j * kLanes;
      // Added last: otherwise every addition would be rounded at the magnitude of the previous
      // content.
      if (accumulate)
        sum[m][j] += load(to);
      else if (bias)
        sum[m][j] += load(bias + j * kLanes);
      store(to, sum[m][j]);
    }
}

template <typename Step, Stored stored, int rows, int wide, bool accumulate>
inline void rest(std::int64_t count, std::int64_t depth, Operand a, const float* b,
                 std::int64_t b_depth, float* c, std::int64_t c_row, const float* bias) {
  if constexpr (rows > 0) {
    if (count == rows)
      block<Step, stored, rows, wide, accumulate>(depth, a, b, b_depth, c, c_row, bias);
    else
      rest<Step, stored, rows - 1, wide, accumulate>(count, depth, a, b, b_depth, c, c_row, bias);
  }
}

template <typename Step, Stored stored, int wide, bool accumulate>
void panel(std::int64_t rows, std::int64_t depth, Operand a, const float* b, std::int64_t b_depth,
           float* c, std::int64_t c_row, const float* bias) {
  const std::int64_t step = stored == Stored::AsRows ? a.stride : 1;
  std::int64_t m = 0;
  for (; m + kRows <= rows; m += kRows)
    block<Step, stored, kRows, wide, accumulate>(depth, Operand{a.data + m * step, a.stride}, b, b_depth,
                                           c + m * c_row, c_row, bias);
  rest<Step, stored, kRows - 1, wide, accumulate>(rows - m, depth, Operand{a.data + m * step, a.stride},
                                            b, b_depth, c + m * c_row, c_row, bias);
}

// C of (rows, columns), its rows padded to whole panels. `bias` is padded likewise, or null.
template <typename Step, Stored stored, bool accumulate>
void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, Operand a, Panels b,
              float* c, std::int64_t c_row, const float* bias) {
  if (panel_width(columns) == kLanes) {
    panel<Step, stored, 1, accumulate>(rows, depth, a, b.data, b.depth_stride, c, c_row, bias);
    return;
  }
  for (std::int64_t n = 0; n < columns; n += kPanel)
    panel<Step, stored, kWide, accumulate>(rows, depth, a, b.data + n / kPanel * b.panel_stride,
                                     b.depth_stride, c + n, c_row, bias ? bias + n : nullptr);
}

}  // namespace
