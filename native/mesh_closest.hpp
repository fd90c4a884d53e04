// The nearest point of a mesh.
//
// The search for the nearest triangle uses float32: among triangles with the least squared distance
// in this arithmetic, the one with the lowest index wins. Boxes are slightly enlarged, so that the
// box of that triangle is never skipped; so the result depends on the point only, not on the start
// of the search. The nearest point on the triangle is then computed in float64.
#pragma once

#include "kernels.hpp"
#include "mesh_lanes.hpp"
#include "parallel.hpp"

namespace {

using neurafield::kMeshStack;
using neurafield::kNoChild;
using neurafield::MeshLeaf;
using neurafield::MeshNode;
using neurafield::MeshQuery;
using neurafield::MeshTree;

// Boxes are skipped only if they are farther by more than the error of float32.
constexpr float kNearly = 1.0f - 4e-6f;

// Squared ratio of twice the area to the square of the longest side below which only the sides of a
// triangle count.
constexpr double kFlat2 = 1e-24;

struct Nearest {
  float distance2;
  std::int32_t number, leaf;
};

// n . (a x b)
inline void turn(Eight& to, const Eight3& n, const Eight3& a, const Eight3& b) {
  to = n.x * (a.y * b.z - a.z * b.y) + n.y * (a.z * b.x - a.x * b.z) + n.z * (a.x * b.y - a.y * b.x);
}

// The squared distance from 0 to the segments between a and b, if it is less.
inline void least_to_segment(Eight& least, const Eight3& a, const Eight3& b) {
  const Eight x = b.x - a.x, y = b.y - a.y, z = b.z - a.z;
  const Eight length2 = x * x + y * y + z * z;
  // For zero length the parameter is 0 / tiny.
  Eight t = -(a.x * x + a.y * y + a.z * z) / (length2 + 1e-37f);
  t = t > 0.0f ? t : Eight{};
  t = t < 1.0f ? t : Eight{} + 1.0f;
  const Eight px = a.x + t * x, py = a.y + t * y, pz = a.z + t * z;
  const Eight distance2 = px * px + py * py + pz * pz;
  least = distance2 < least ? distance2 : least;
}

inline void try_leaf(const MeshTree& tree, std::int32_t at, const float* point, Nearest& best) {
  const MeshLeaf& leaf = tree.leaves[at];
  Eight3 a, b, c, n;
  fill_from(a, leaf.corner[0], point);
  fill_from(b, leaf.corner[1], point);
  fill_from(c, leaf.corner[2], point);
  fill(n.x, leaf.normal[0]);
  fill(n.y, leaf.normal[1]);
  fill(n.z, leaf.normal[2]);
  Eight least = Eight{} + __builtin_inff(), ab, bc, ca;
  least_to_segment(least, a, b);
  least_to_segment(least, b, c);
  least_to_segment(least, c, a);
  // Strictly inside the prism over the triangle; never if the normal is 0.
  turn(ab, n, a, b);
  turn(bc, n, b, c);
  turn(ca, n, c, a);
  const Eight height = n.x * a.x + n.y * a.y + n.z * a.z, height2 = height * height;
  // For distant points the signs are dominated by rounding; no side may then be much farther than
  // the foot.
  Eight depth2;
  fill(depth2, leaf.depth2);
  const EightInts inside = (ab > 0.0f) & (bc > 0.0f) & (ca > 0.0f) & (least - height2 <= depth2);
  least = inside ? height2 : least;
  EightInts numbers;
  fill(numbers, leaf.number);
  const EightInts candidates = (least <= best.distance2) & (numbers >= 0);
  for (unsigned left = bits_of(candidates); left; left &= left - 1) {
    const int i = __builtin_ctz(left);
    if (least[i] < best.distance2 || (least[i] == best.distance2 && numbers[i] < best.number))
      best = {least[i], numbers[i], at};
  }
}

struct MeshEntry {
  float distance2;
  std::int32_t child;
};

// Pushes the children of a node that may contain a nearer triangle onto the stack, nearest on top.
inline int push_children(const MeshNode& node, const float* point, float best, MeshEntry* stack,
                         int size) {
  Eight distance2 = {};
  for (int k = 0; k < 3; ++k) {
    Eight low, high;
    fill(low, node.low[k]);
    fill(high, node.high[k]);
    const Eight below = low - point[k], above = point[k] - high;
    Eight out = below > above ? below : above;
    out = out > 0.0f ? out : Eight{};
    distance2 += out * out;
  }
  EightInts children;
  fill(children, node.child);
  const int begin = size;
  for (unsigned left = bits_of((distance2 * kNearly <= best) & (children != kNoChild)); left;
       left &= left - 1) {
    const int i = __builtin_ctz(left);
    int at = size++;
    for (; at > begin && stack[at - 1].distance2 < distance2[i]; --at) stack[at] = stack[at - 1];
    stack[at] = {distance2[i], children[i]};
  }
  return size;
}

inline void find_nearest(const MeshTree& tree, const float* point, Nearest& best) {
  MeshEntry stack[kMeshStack];
  int size = 1;
  stack[0] = {0.0f, 0};
  while (size > 0) {
    const MeshEntry entry = stack[--size];
    if (entry.distance2 * kNearly > best.distance2) continue;
    if (entry.child < 0)
      try_leaf(tree, -1 - entry.child, point, best);
    else
      size = push_children(tree.nodes[entry.child], point, best.distance2, stack, size);
  }
}

// The point of a triangle nearest to x, in float64: on a side, or at the foot of the perpendicular
// if that is inside.
inline void nearest_on_triangle(const double* corners, const double* x, double* nearest) {
  double d[3][3], least = __builtin_inf(), longest2 = 0.0, n[3];
  for (int i = 0; i < 9; ++i) d[i / 3][i % 3] = corners[i] - x[i % 3];
  for (int i = 0; i < 3; ++i) {
    const double *a = d[i], *b = d[(i + 1) % 3];
    double along = 0.0, length2 = 0.0, distance2 = 0.0, offset[3];
    for (int k = 0; k < 3; ++k) {
      along -= a[k] * (b[k] - a[k]);
      length2 += (b[k] - a[k]) * (b[k] - a[k]);
    }
    const double t = !(along > 0.0) ? 0.0 : along >= length2 ? 1.0 : along / length2;
    for (int k = 0; k < 3; ++k) {
      offset[k] = a[k] + t * (b[k] - a[k]);
      distance2 += offset[k] * offset[k];
    }
    longest2 = length2 > longest2 ? length2 : longest2;
    if (i > 0 && !(distance2 < least)) continue;
    least = distance2;
    for (int k = 0; k < 3; ++k) nearest[k] = x[k] + offset[k];
  }
  double length2 = 0.0, height = 0.0;
  for (int k = 0; k < 3; ++k) {
    const int i = (k + 1) % 3, j = (k + 2) % 3;
    n[k] = (d[1][i] - d[0][i]) * (d[2][j] - d[0][j]) - (d[1][j] - d[0][j]) * (d[2][i] - d[0][i]);
    length2 += n[k] * n[k];
    height += n[k] * d[0][k];
  }
  bool inside = length2 > kFlat2 * longest2 * longest2;
  for (int i = 0; i < 3; ++i) {
    const double *a = d[i], *b = d[(i + 1) % 3];
    inside = inside && n[0] * (a[1] * b[2] - a[2] * b[1]) + n[1] * (a[2] * b[0] - a[0] * b[2]) +
                               n[2] * (a[0] * b[1] - a[1] * b[0]) >
                           0.0;
  }
  // Again, for distant points the signs are dominated by rounding.
  const double distance2 = height * height / length2;
  if (!inside || distance2 > least || least - distance2 > longest2) return;
  for (int k = 0; k < 3; ++k) nearest[k] = x[k] + n[k] * (height / length2);
}

struct ClosestJob {
  const MeshTree* tree;
  const MeshQuery* query;
  double* points;
  std::int64_t* numbers;
};

void closest_block(const ClosestJob& job, std::int64_t block) {
  const MeshQuery& query = *job.query;
  const std::int64_t last = smaller(query.num_points, (block + 1) * kMeshBlock);
  std::int32_t leaf = 0;  // Leaf of the previous point's nearest triangle: a good first guess.
  for (std::int64_t i = block * kMeshBlock; i < last; ++i) {
    const std::int64_t at = query.order[i];
    const double* x = query.points + 3 * at;
    double* nearest = job.points + 3 * at;
    float point[3];
    if (!query_point(x, point)) {
      nearest[0] = nearest[1] = nearest[2] = __builtin_nan("");
      job.numbers[at] = -1;
      continue;
    }
    Nearest best = {__builtin_inff(), INT32_MAX, leaf};
    try_leaf(*job.tree, leaf, point, best);
    find_nearest(*job.tree, point, best);
    leaf = best.leaf;
    job.numbers[at] = best.number;
    nearest_on_triangle(job.tree->corners + 9 * std::int64_t(best.number), x, nearest);
  }
}

void mesh_closest(const MeshTree& tree, const MeshQuery& query, double* points,
                  std::int64_t* numbers) {
  ClosestJob job{&tree, &query, points, numbers};
  neurafield::parallel_for(
      (query.num_points + kMeshBlock - 1) / kMeshBlock, query.threads,
      [](void* context, std::int64_t task) {
        closest_block(*static_cast<ClosestJob*>(context), task);
      },
      &job);
}

}  // namespace
