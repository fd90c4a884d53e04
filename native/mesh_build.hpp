// Construction of the tree over a mesh.
#pragma once

#include <vector>

#include "mesh_tree.hpp"

namespace neurafield {

// A tree that owns the memory behind its pointers.
class MeshTreeOwner {
 public:
  // Corners of shape (triangles, 3, 3): finite, 1 to 2^31 - 1 triangles.
  MeshTreeOwner(const double* corners, std::int64_t triangles);
  MeshTree tree() const;

 private:
  std::vector<double> corners_;
  std::vector<MeshNode> nodes_;
  std::vector<MeshMoments> moments_;
  std::vector<MeshLeaf> leaves_;

  friend class MeshTreeBuilder;
};

}  // namespace neurafield
