// Activations and their derivatives on vectors, to about 1e-7 of the largest value (the third
// derivative: 3e-7).
//
// The polynomials are our own minimax fits, by iteratively reweighted least squares. Comparisons
// are written so that NaN is propagated.
#pragma once

#include <cmath>

#include "simd.hpp"

namespace {

// Above this, sine and cosine leave the vector path: the three-part pi below is exact for this many
// half turns only.
constexpr float kSineLimit = 8192.0f;

inline void sincos(Vec x, Vec& sine, Vec& cosine) {
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. -ffast-math would cancel
  // the two additions, so it must stay off.
  const Vec magic = splat(12582912.0f);
  const Vec shifted = x * 0.318309886f + magic;
  const Vec n = shifted - magic;
  const Vec r = ((x - n * 3.140625f) - n * 9.67502593994140625e-4f) - n * 1.5099579e-7f;
  const Vec t = r * r;
  const Vec s = r + r * t * (-0.166666659f +
                             t * (0.00833323907f + t * (-0.000198224041f + t * 2.63383542e-06f)));
  const Vec c = 1.0f + t * (-0.5f + t * (0.0416666661f +
                                         t * (-0.00138888108f +
                                              t * (2.47858915e-05f + t * -2.65407678e-07f))));
  // An odd number of half turns changes both signs.
  const IntVec sign = bits(shifted) << 31;
  sine = from_bits(bits(s) ^ sign);
  cosine = from_bits(bits(c) ^ sign);
}

// e^x; 0 or infinity where the result is not a normal number.
inline Vec exponential(Vec unclamped) {
  Vec x = unclamped > 88.0f ? splat(88.0f) : unclamped;
  x = x < -87.0f ? splat(-87.0f) : x;
  const Vec magic = splat(12582912.0f);
  const Vec shifted = x * 1.44269504f + magic;
  const Vec n = shifted - magic;
  const Vec r = (x - n * 0.6923828125f) - n * 7.6436806e-4f;
  const Vec p = 0.5f + r * (0.166666665f +
                            r * (0.0416664574f +
                                 r * (0.00833336183f + r * (0.00139344967f + r * 0.000198581269f))));
  const Vec mantissa = 1.0f + (r + r * r * p);
  const Vec result = mantissa * from_bits((bits(shifted) + 127) << 23);
  const Vec large = unclamped > 88.0f ? splat(__builtin_inff()) : result;
  return unclamped < -87.0f ? Vec{} : large;
}

// Sine and cosine of any size.
inline void sincos_anywhere(Vec x, Vec& sine, Vec& cosine) {
  sincos(x, sine, cosine);
  const IntVec beyond = absolute(x) > kSineLimit;
  if (!any(beyond)) return;
  for (int i = 0; i < kLanes; ++i) {
    if (!beyond[i]) continue;
    sine[i] = static_cast<float>(std::sin(double(x[i])));
    cosine[i] = static_cast<float>(std::cos(double(x[i])));
  }
}

// Clamps to [-most, most]; NaN stays NaN.
inline Vec clamp(Vec x, float most) {
  x = x > most ? splat(most) : x;
  return x < -most ? splat(-most) : x;
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exponential(-x)); }

// e^(-x^2) erfcx(x), the complementary error function, for x >= 0.
inline Vec erfc_of_positive(Vec x) {
  const Vec t = 1.0f / (1.0f + 0.5f * x);
  const Vec p =
      0.282030463f +
      t * (0.283524543f +
           t * (0.233054911f +
                t * (0.251801859f +
                     t * (-0.174699873f +
                          t * (0.564210549f +
                               t * (-0.842484834f +
                                    t * (0.55859866f +
                                         t * (-0.178508481f + t * 0.0224721948f))))))));
  return exponential(-x * x) * t * p;
}

// Each function has `value(z)`, `both(z, value, slope)`, and `higher(z, value, slope, second,
// third)`, which computes the next two derivatives from the results of `both`.

struct SineFunction {
  static constexpr float limit = kSineLimit;
  static Vec value(Vec z) {
    Vec s, c;
    sincos(z, s, c);
    return s;
  }
  static void both(Vec z, Vec& value, Vec& slope) { sincos(z, value, slope); }
  static void higher(Vec, Vec value, Vec slope, Vec& second, Vec& third) {
    second = -value;
    third = -slope;
  }
  static float value_beyond(float z) { return static_cast<float>(std::sin(double(z))); }
  static float slope_beyond(float z) { return static_cast<float>(std::cos(double(z))); }
};

// Functions that need no second path for large arguments.
struct Unlimited {
  static constexpr float limit = 0.0f;
  static float value_beyond(float z) { return z; }
  static float slope_beyond(float z) { return z; }
};

struct ReluFunction : Unlimited {
  static Vec value(Vec z) { return z <= 0.0f ? Vec{} : z; }
  static void both(Vec z, Vec& value, Vec& slope) {
    value = z <= 0.0f ? Vec{} : z;
    slope = z <= 0.0f ? Vec{} : splat(1.0f);
  }
  static void higher(Vec, Vec, Vec, Vec& second, Vec& third) { second = third = Vec{}; }
};

struct TanhFunction : Unlimited {
  static Vec value(Vec z) {
    const Vec a = absolute(z), t = z * z;
    const Vec p = -0.333333289f +
                  t * (0.133327701f +
                       t * (-0.0538509511f + t * (0.0209973488f + t * -0.0060969311f)));
    const Vec near = z + z * t * p;
    const Vec far = 1.0f - 2.0f / (exponential(2.0f * a) + 1.0f);
    const Vec signed_far = from_bits(bits(far) | (bits(z) & INT32_MIN));
    return a < 0.625f ? near : signed_far;
  }
  static void both(Vec z, Vec& value_, Vec& slope) {
    value_ = value(z);
    slope = 1.0f - value_ * value_;
  }
  static void higher(Vec, Vec value, Vec slope, Vec& second, Vec& third) {
    second = -2.0f * value * slope;
    third = slope * (6.0f * value * value - 2.0f);
  }
};

struct SigmoidFunction : Unlimited {
  static Vec value(Vec z) { return sigmoid(z); }
  static void both(Vec z, Vec& value, Vec& slope) {
    value = sigmoid(z);
    slope = value * (1.0f - value);
  }
  static void higher(Vec, Vec value, Vec slope, Vec& second, Vec& third) {
    second = slope * (1.0f - 2.0f * value);
    third = slope * (1.0f - 6.0f * slope);
  }
};

struct SiluFunction : Unlimited {
  static Vec value(Vec z) { return z * sigmoid(z); }
  static void both(Vec z, Vec& value, Vec& slope) {
    const Vec e = exponential(-z), s = 1.0f / (1.0f + e);
    // No cancellation for large z, no infinity for small.
    const Vec rest = z > 0.0f ? e * s : 1.0f - s;
    value = z * s;
    slope = s * (1.0f + z * rest);
  }
  static void higher(Vec z, Vec, Vec, Vec& second, Vec& third) {
    const Vec e = exponential(-z), s = 1.0f / (1.0f + e);
    const Vec d = s * (z > 0.0f ? e * s : 1.0f - s);  // the derivative of s
    const Vec turn = 1.0f - 2.0f * s;
    second = d * (2.0f + z * turn);
    third = d * (3.0f * turn + z * (1.0f - 6.0f * d));
  }
};

struct SoftplusFunction : Unlimited {
  // max(z, 0) + log(1 + u) with u = e^-|z|, and log(1 + u) = 2 artanh(u / (2 + u)).
  static Vec value(Vec z) {
    const Vec u = exponential(-absolute(z));
    const Vec s = u / (2.0f + u), t = s * s;
    const Vec p = 0.333333337f +
                  t * (0.199998516f + t * (0.142962495f + t * (0.108522668f + t * 0.116167786f)));
    return ReluFunction::value(z) + 2.0f * (s + s * t * p);
  }
  static void both(Vec z, Vec& value_, Vec& slope) {
    value_ = value(z);
    slope = sigmoid(z);
  }
  static void higher(Vec, Vec, Vec slope, Vec& second, Vec& third) {
    second = slope * (1.0f - slope);
    third = second * (1.0f - 2.0f * slope);
  }
};

struct GeluFunction : Unlimited {
  // P(Z <= z) for a standard normal Z.
  static Vec probability(Vec z) {
    const Vec half = 0.5f * erfc_of_positive(absolute(z) * 0.707106781f);
    return z > 0.0f ? 1.0f - half : half;
  }
  static Vec value(Vec z) { return z * probability(z); }
  static void both(Vec z, Vec& value, Vec& slope) {
    const Vec p = probability(z);
    value = z * p;
    slope = p + z * 0.398942280f * exponential(-0.5f * z * z);
  }
  static void higher(Vec z, Vec, Vec, Vec& second, Vec& third) {
    const Vec density = 0.398942280f * exponential(-0.5f * z * z);
    // Beyond 20 the density is 0; its product with an infinite square would be NaN.
    const Vec square = z * z > 400.0f ? splat(400.0f) : z * z;
    second = density * (2.0f - square);
    third = density * z * (square - 4.0f);
  }
};

// e^(-z^2 / 2). Beyond 20 it is 0; its product with an infinite z would be NaN.
struct GaussianFunction : Unlimited {
  static Vec value(Vec z) {
    z = clamp(z, 20.0f);
    return exponential(-0.5f * z * z);
  }
  static void both(Vec z, Vec& value, Vec& slope) {
    z = clamp(z, 20.0f);
    value = exponential(-0.5f * z * z);
    slope = -z * value;
  }
  static void higher(Vec z, Vec value, Vec slope, Vec& second, Vec& third) {
    z = clamp(z, 20.0f);
    second = (z * z - 1.0f) * value;
    third = (z * z - 3.0f) * slope;
  }
};

// Above this, z^2 or the sixth power of 1 / z would overflow or underflow.
constexpr float kAlgebraicLimit = 1e18f;

// 1 / (1 + z^2). With z^2 f = 1 - f, f'' could do without z, but would suffer from cancellation
// near 0.
struct QuadraticFunction : Unlimited {
  static Vec value(Vec z) {
    z = clamp(z, kAlgebraicLimit);
    return 1.0f / (1.0f + z * z);
  }
  static void both(Vec z, Vec& value, Vec& slope) {
    z = clamp(z, kAlgebraicLimit);
    value = 1.0f / (1.0f + z * z);
    slope = -2.0f * (z * value) * value;
  }
  static void higher(Vec z, Vec value, Vec slope, Vec& second, Vec& third) {
    z = clamp(z, kAlgebraicLimit);
    second = 2.0f * value * value * (4.0f * z * (z * value) - 1.0f);
    third = 12.0f * value * slope * (1.0f - 2.0f * value);
  }
};

// 1 / sqrt(1 + z^2). As above, with (z f)^2 = 1 - f^2.
struct MultiquadricFunction : Unlimited {
  static Vec value(Vec z) {
    z = clamp(z, kAlgebraicLimit);
    return 1.0f / square_root(1.0f + z * z);
  }
  static void both(Vec z, Vec& value_, Vec& slope) {
    z = clamp(z, kAlgebraicLimit);
    value_ = value(z);
    slope = -(z * value_) * value_ * value_;
  }
  static void higher(Vec z, Vec value, Vec slope, Vec& second, Vec& third) {
    const Vec square = value * value, ratio = clamp(z, kAlgebraicLimit) * value;
    second = square * value * (3.0f * ratio * ratio - 1.0f);
    third = 3.0f * square * slope * (2.0f - 5.0f * square);
  }
};

// e^-|z|. As in torch for |z|, the sign of 0 is 0, so all derivatives at 0 are 0.
struct LaplacianFunction : Unlimited {
  static Vec value(Vec z) { return exponential(-absolute(z)); }
  static void both(Vec z, Vec& value_, Vec& slope) {
    value_ = value(z);
    const Vec falling = z > 0.0f ? -value_ : value_ * 0.0f;
    slope = z < 0.0f ? value_ : falling;
  }
  static void higher(Vec, Vec, Vec slope, Vec& second, Vec& third) {
    second = absolute(slope);
    third = slope;
  }
};

// e^(sin z).
struct ExpSineFunction : Unlimited {
  static Vec value(Vec z) {
    Vec s, c;
    sincos_anywhere(z, s, c);
    return exponential(s);
  }
  static void both(Vec z, Vec& value, Vec& slope) {
    Vec s, c;
    sincos_anywhere(z, s, c);
    value = exponential(s);
    slope = c * value;
  }
  static void higher(Vec z, Vec value, Vec slope, Vec& second, Vec& third) {
    Vec s, c;
    sincos_anywhere(z, s, c);
    second = (c * c - s) * value;
    third = -slope * s * (s + 3.0f);
  }
};

}  // namespace
