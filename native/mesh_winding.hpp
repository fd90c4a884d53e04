// Winding number of a mesh around a point: near triangles by their solid angles, distant groups by
// their moments.
#pragma once

#include "mesh_closest.hpp"

namespace {

using neurafield::MeshMoments;

// Relative to the product of three lengths: below it, float32 does not resolve the angle.
constexpr float kLost = 1e-3f;

// The angle of (x, y), 0 for (0, 0). The polynomial is 4.4.49 of Abramowitz and Stegun, with an
// error of 2e-8.
inline void angle(Eight& to, const Eight& y, const Eight& x) {
  const Eight wide = x < 0.0f ? -x : x, high = y < 0.0f ? -y : y;
  const EightInts steep = high > wide;
  const Eight large = steep ? high : wide, small = steep ? wide : high;
  const Eight t = small / (large > 0.0f ? large : Eight{} + 1.0f), s = t * t;
  const Eight arc =
      t * (1.0f + s * (-0.3333314528f +
           s * (0.1999355085f +
           s * (-0.1420889944f +
           s * (0.1065626393f +
           s * (-0.0752896400f +
           s * (0.0429096138f + s * (-0.0161657367f + s * 0.0028662257f))))))));
  const Eight half = steep ? 1.57079632679f - arc : arc;
  const Eight whole = x < 0.0f ? 3.14159265359f - half : half;
  to = y < 0.0f ? -whole : whole;
}

inline void dot(Eight& to, const Eight3& a, const Eight3& b) {
  to = a.x * b.x + a.y * b.y + a.z * b.z;
}

// Half the solid angle of one triangle, in float64.
inline double half_angle(const double* corners, const double* x) {
  double d[3][3], length[3], product[3];
  for (int i = 0; i < 9; ++i) d[i / 3][i % 3] = corners[i] - x[i % 3];
  const double *a = d[0], *b = d[1], *c = d[2];
  for (int i = 0; i < 3; ++i) {
    const double *p = d[i], *q = d[(i + 1) % 3];
    length[i] = __builtin_sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
    product[i] = p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
  }
  const double volume = a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
                        a[2] * (b[0] * c[1] - b[1] * c[0]);
  return __builtin_atan2(volume, length[0] * length[1] * length[2] + product[0] * length[2] +
                                     product[1] * length[0] + product[2] * length[1]);
}

inline void add_leaf(const MeshTree& tree, const MeshLeaf& leaf, const double* x,
                     const float* point, Eight& sum) {
  Eight3 a, b, c;
  fill_from(a, leaf.corner[0], point);
  fill_from(b, leaf.corner[1], point);
  fill_from(c, leaf.corner[2], point);
  Eight la, lb, lc, ab, bc, ca, volume, half;
  dot(la, a, a);
  dot(lb, b, b);
  dot(lc, c, c);
  root_of(la, la);
  root_of(lb, lb);
  root_of(lc, lc);
  dot(ab, a, b);
  dot(bc, b, c);
  dot(ca, c, a);
  turn(volume, a, b, c);
  const Eight whole = la * lb * lc, rest = whole + ab * lc + bc * la + ca * lb;
  angle(half, volume, rest);
  EightInts numbers;
  fill(numbers, leaf.number);
  // Close to a side both are small differences of large numbers.
  const Eight lost = kLost * whole;
  const EightInts unsure = (volume < lost) & (-volume < lost) & (rest < lost) & (-rest < lost);
  for (unsigned left = bits_of(unsure & (numbers >= 0)); left; left &= left - 1) {
    const int i = __builtin_ctz(left);
    half[i] = static_cast<float>(half_angle(tree.corners + 9 * std::int64_t(numbers[i]), x));
  }
  sum += numbers >= 0 ? half * 0.159154943f : Eight{};
}

// Adds the contributions of distant children; returns a mask of those that are too near.
inline unsigned add_distant(const MeshMoments& moments, const EightInts& children,
                            const float* point, float accuracy2, Eight& sum) {
  Eight3 u, first;
  fill_from(u, moments.centre, point);
  Eight distance2, radius2, m[10];
  dot(distance2, u, u);
  fill(radius2, moments.radius2);
  const EightInts used = children != kNoChild;
  const EightInts distant = (distance2 > accuracy2 * radius2) & used;
  if (bits_of(distant)) {
    Eight inverse2 = 1.0f / distance2, inverse;
    root_of(inverse, inverse2);
    u.x *= inverse;
    u.y *= inverse;
    u.z *= inverse;
    fill(first.x, moments.first[0]);
    fill(first.y, moments.first[1]);
    fill(first.z, moments.first[2]);
    Eight value;
    dot(value, first, u);
    for (int i = 0; i < 6; ++i) fill(m[i], moments.second[i]);
    const Eight second = u.x * (m[0] * u.x + m[1] * u.y + m[2] * u.z) +
                         u.y * (m[3] * u.y + m[4] * u.z) + m[5] * u.z * u.z;
    for (int i = 0; i < 10; ++i) fill(m[i], moments.third[i]);
    const Eight third =
        u.x * (u.x * (m[0] * u.x + m[1] * u.y + m[2] * u.z) + u.y * (m[3] * u.y + m[4] * u.z) +
               m[5] * u.z * u.z) +
        u.y * (u.y * (m[6] * u.y + m[7] * u.z) + m[8] * u.z * u.z) + m[9] * u.z * u.z * u.z;
    value = inverse2 * (value + inverse * (second + inverse * third));
    sum += distant ? value : Eight{};
  }
  return bits_of(used & ~distant);
}

inline double winding_number(const MeshTree& tree, const double* x, const float* point,
                             float accuracy2) {
  std::int32_t stack[kMeshStack];
  int size = 1;
  stack[0] = 0;
  Eight sum = {};
  while (size > 0) {
    const std::int32_t at = stack[--size];
    EightInts children;
    fill(children, tree.nodes[at].child);
    for (unsigned near = add_distant(tree.moments[at], children, point, accuracy2, sum); near;
         near &= near - 1) {
      const std::int32_t child = children[__builtin_ctz(near)];
      if (child < 0)
        add_leaf(tree, tree.leaves[-1 - child], x, point, sum);
      else
        stack[size++] = child;
    }
  }
  double all = 0.0;
  for (int i = 0; i < kMeshWidth; ++i) all += double(sum[i]);
  return all;
}

struct WindingJob {
  const MeshTree* tree;
  const MeshQuery* query;
  float accuracy2;
  double* turns;
};

void mesh_winding(const MeshTree& tree, const MeshQuery& query, double accuracy, double* turns) {
  // Beyond a million radii float32 has no more precision.
  const double limited = accuracy < 1e6 ? accuracy : 1e6;
  WindingJob job{&tree, &query, float(limited * limited), turns};
  neurafield::parallel_for(
      (query.num_points + kMeshBlock - 1) / kMeshBlock, query.threads,
      [](void* context, std::int64_t block) {
        const WindingJob& job = *static_cast<WindingJob*>(context);
        const std::int64_t last = smaller(job.query->num_points, (block + 1) * kMeshBlock);
        for (std::int64_t i = block * kMeshBlock; i < last; ++i) {
          const std::int64_t at = job.query->order[i];
          const double* x = job.query->points + 3 * at;
          float point[3];
          job.turns[at] = query_point(x, point)
                              ? winding_number(*job.tree, x, point, job.accuracy2)
                              : __builtin_nan("");
        }
      },
      &job);
}

}  // namespace
