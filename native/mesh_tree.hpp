// A tree over the triangles of a mesh, as the kernels read it. Made by mesh_build.cpp.
//
// All coordinates are roughly within [-1, 1]: float32 is enough to find a triangle; results are
// then computed from it in float64.
#pragma once

#include <cstdint>

namespace neurafield {

// Maximum children of a node, and triangles of a leaf.
constexpr int kMeshWidth = 8;

// Size of the stack of pending nodes: see kDeepest in mesh_build.cpp.
constexpr int kMeshStack = 80 * kMeshWidth;

// Margin of boxes around their content, above the error of a distance in float32.
constexpr float kBoxMargin = 2e-6f;

constexpr std::int32_t kNoChild = INT32_MIN;

// Boxes and indices of the children of a node: nodes count from 0 up, leaves from -1 down.
struct MeshNode {
  float low[3][kMeshWidth], high[3][kMeshWidth];
  std::int32_t child[kMeshWidth];
};

// Contribution of the triangles below each child of a node to the winding number of a distant
// point: with R from the point to the centre, u = R / |R|,
//   first . u / |R|^2 + second(u, u) / |R|^3 + third(u, u, u) / |R|^4.
struct MeshMoments {
  float centre[3][kMeshWidth], radius2[kMeshWidth];
  float first[3][kMeshWidth];
  float second[6][kMeshWidth];   // xx, xy, xz, yy, yz, zz
  float third[10][kMeshWidth];   // xxx, xxy, xxz, xyy, xyz, xzz, yyy, yyz, yzz, zzz
};

struct MeshLeaf {
  float corner[3][3][kMeshWidth];     // a, b, c, and x, y, z of each
  float normal[3][kMeshWidth];        // of unit length; 0 for a triangle without area
  float depth2[kMeshWidth];           // squared largest distance of an inner point from the sides
  std::int32_t number[kMeshWidth];    // index of the triangle; -1 if there is none
};

struct MeshTree {
  const double* corners;  // (triangles, 3, 3)
  const MeshNode* nodes;  // the first is the root
  const MeshMoments* moments;
  const MeshLeaf* leaves;
};

// Points, and the order in which they are processed, along neighbours in space. Results are in the
// order of the points.
struct MeshQuery {
  const double* points;
  const std::uint32_t* order;
  std::int64_t num_points;
  int threads;
};

}  // namespace neurafield
