// Interface of the kernels: plain functions on raw pointers, with one table per instruction set.
#pragma once

#include <cstdint>

#include "mesh_tree.hpp"

namespace neurafield {

// Maximum layers of a perceptron.
constexpr int kMaxLayers = 257;

// In the order of the names in kernels/fused_mlp/reference.py. `with_function` in mlp_activate.hpp
// selects the implementation.
enum class Activation : int {
  Sine,
  ReLU,
  Tanh,
  Sigmoid,
  SiLU,
  Softplus,
  GELU,
  Gaussian,
  Quadratic,
  Multiquadric,
  Laplacian,
  ExpSine,
  kNumber,
};

// h_0 = x, h_l = f(scale_l (W_l h_{l-1} + b_l)), y = W_L h_{L-1} + b_L.
struct Mlp {
  std::int64_t num_points;
  int num_layers;                // affine ones, L >= 1
  const std::int64_t* dims;      // L + 1 of them: inputs, hidden widths, outputs
  const float* const* weights;   // L of shape (dims[l + 1], dims[l])
  const float* const* biases;    // L of shape (dims[l + 1])
  const float* scales;           // L - 1
  Activation activation;
  bool bfloat16;                 // round the factors of products between hidden layers
  int threads;
};

// Maximum streams of a jet.
constexpr int kMaxStreams = 16;

// Derivatives that pass through a perceptron with the values: d first derivatives, and s sums of
// pure second derivatives, the i-th with weights (i, k) along coordinate k.
struct JetMix {
  int d, s;  // 1 + d + s <= kMaxStreams
  const float* weights;
};

// ---- grids

constexpr int kMaxGridLevels = 64;

// The rule that maps a vertex of a level to its row. Dense: each vertex has its own row, in
// row-major order. Tiled: as dense, with the vertex taken modulo the tile. Hashed: the coordinates,
// each times a prime, are combined by exclusive or; the lowest bits are the row. Indexed: chosen
// vertices have rows, in row-major order; the others are zero.
enum class GridKind : int { Dense, Tiled, Hashed, Indexed };

// 64 consecutive vertices, in row-major order, of an indexed level.
struct GridWord {
  std::uint64_t stored;  // one bit per vertex
  std::uint64_t before;  // number of stored vertices before these
};

// Maximum vertices of an indexed level: their indices have 32 bits, and the words take 2^29 bytes.
constexpr std::int64_t kMaxIndexedVertices = std::int64_t{1} << 31;

struct GridLevel {
  GridKind kind;
  std::int64_t offset, size;  // Its rows in the table.
  std::int64_t cells[4];      // Along each axis, at most 2^24.
  std::int64_t tile[4];       // Vertices along each axis before rows repeat; dense: all of them.
  const GridWord* words;      // Indexed: one per 64 vertices; else null.
};

struct Grid {
  std::int64_t num_points;
  int dim, features, num_levels;  // 1 to 4; 1, 2, 4 or 8; at most kMaxGridLevels.
  const GridLevel* levels;
  bool smooth;  // Weights w^2 (3 - 2 w) in place of w.
  bool added;   // True if the features of levels are summed, false if they are concatenated.
  int threads;
};

// ---- optimizer

// One tensor of rows of `row_size` values; updates all rows or chosen ones.
struct Adam {
  float* parameter;
  const float* grad;          // of shape (num_rows, row_size)
  const std::int64_t* rows;   // rows of the parameter to update, ascending; null: all
  std::int64_t num_rows, row_size;
  float *mean, *square;       // moving averages of the gradient and its square
  bool lazy;                  // skip values whose gradient is zero
  std::int64_t step;          // from 1
  double lr, beta1, beta2, eps;
  int threads;
};

struct Kernels {
  // Number of floats that `forward` saves for `backward`.
  std::int64_t (*mlp_saved_size)(const Mlp& mlp);
  // Values of shape (num_points, dims[L]). `saved` may be null: nothing is saved then.
  void (*mlp_forward)(const Mlp& mlp, const float* x, float* y, float* saved);
  // Gradients; `grad_x` may be null, or `grad_weights` and `grad_biases` both. `pulled`, null or as
  // large as `saved`, receives the gradients for the activations, for the next function.
  void (*mlp_backward)(const Mlp& mlp, const float* x, const float* saved, const float* grad_y,
                       float* grad_x, float* pulled, float* const* grad_weights,
                       float* const* grad_biases);
  // Backward of `grad_x` itself, given `gbar`, the gradient of a loss for it. `grad_x` and
  // `grad_grad_y` may be null, or `grad_weights` and `grad_biases` both.
  void (*mlp_gradient_backward)(const Mlp& mlp, const float* x, const float* saved,
                                const float* pulled, const float* grad_y, const float* gbar,
                                float* grad_x, float* grad_grad_y, float* const* grad_weights,
                                float* const* grad_biases);

  // The same three functions for streams of shape (1 + d + s, num_points, dims[0 or L]); `bfloat16`
  // is off.
  std::int64_t (*mlp_jet_saved_size)(const Mlp& mlp, const JetMix& mix);
  void (*mlp_jet_forward)(const Mlp& mlp, const JetMix& mix, const float* x, float* y,
                          float* saved);
  void (*mlp_jet_backward)(const Mlp& mlp, const JetMix& mix, const float* x, const float* saved,
                           const float* grad_y, float* grad_x, float* const* grad_weights,
                           float* const* grad_biases);

  // Features of shape (num_points, num_levels * features), or (num_points, features) if levels are
  // summed, from a table of rows of features.
  void (*grid_forward)(const Grid& grid, const float* table, const float* x, float* y);
  // Overwrites `grad_table`.
  void (*grid_backward_table)(const Grid& grid, const float* x, const float* grad_y,
                              float* grad_table);
  // The same for touched rows only: their indices, ascending, and their gradients. Both buffers
  // must hold min(num_points << dim, size) rows per level. Returns the number of rows.
  std::int64_t (*grid_backward_touched)(const Grid& grid, const float* x, const float* grad_y,
                                        std::int64_t* rows, float* grad_rows);
  // Overwrites `grad_x`.
  void (*grid_backward_coords)(const Grid& grid, const float* table, const float* x,
                               const float* grad_y, float* grad_x);

  void (*adam_step)(const Adam& adam);

  // The nearest point of a mesh to each point, of shape (num_points, 3), and its triangle; NaN and
  // -1 for a point that is not finite.
  void (*mesh_closest)(const MeshTree& tree, const MeshQuery& query, double* points,
                       std::int64_t* numbers);
  // The winding number of each point; NaN for one that is not finite. Groups of triangles farther
  // away than `accuracy` >= 1 times their radius contribute by their moments.
  void (*mesh_winding)(const MeshTree& tree, const MeshQuery& query, double accuracy,
                       double* turns);
};

// One instruction set: its table, and a test whether this processor supports it.
struct Level {
  const char* name;
  const Kernels* kernels;
  bool (*runs_here)();
};

// All instruction sets that were compiled, slowest first.
extern const Level levels[];
extern const int num_levels;

}  // namespace neurafield
