// A tree over the triangles of a mesh, as the kernels read it. Made by mesh_build.cpp.
//
// All coordinates are around 0, about within [-1, 1]: 32 bits are enough to find a triangle, and
// what is then calculated from that one is calculated in 64.
#pragma once

#include <cstdint>

namespace neurafield {

// Children of a node, and triangles of a leaf, at most.
constexpr int kMeshWidth = 8;

// Nodes on the way down, at most, and so what is still to be looked at: see kDeepest there.
constexpr int kMeshStack = 80 * kMeshWidth;

// How much larger boxes are than what they hold: more than 32 bits err in a distance to it.
constexpr float kBoxMargin = 2e-6f;

constexpr std::int32_t kNoChild = INT32_MIN;

// The boxes of a node's children, and where these are: nodes from 0, leaves from -1 downward.
struct MeshNode {
  float low[3][kMeshWidth], high[3][kMeshWidth];
  std::int32_t child[kMeshWidth];
};

// What the triangles below each child of a node add to the winding number of a distant point:
// with R from the point to the centre, u = R / |R|,
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
  float depth2[kMeshWidth];           // how far from its sides a place in it can be, squared
  std::int32_t number[kMeshWidth];    // of the triangle; -1 where there is none
};

struct MeshTree {
  const double* corners;  // (triangles, 3, 3)
  const MeshNode* nodes;  // the first is the root
  const MeshMoments* moments;
  const MeshLeaf* leaves;
};

// Points, and the order in which they are looked at, neighbours in space one after the other.
// What comes out is in the order of the points.
struct MeshQuery {
  const double* points;
  const std::uint32_t* order;
  std::int64_t num_points;
  int threads;
};

}  // namespace neurafield
