// One instruction set: compiled several times, with different flags and NEURAFIELD_LEVEL.
#include "adam.hpp"
#include "fused_mlp.hpp"
#include "fused_mlp_gradient.hpp"
#include "fused_mlp_jet.hpp"
#include "grid.hpp"
#include "kernels.hpp"
#include "mesh_closest.hpp"
#include "mesh_winding.hpp"

namespace neurafield {

extern const Kernels NEURAFIELD_LEVEL;
const Kernels NEURAFIELD_LEVEL = {
    .mlp_saved_size = mlp_saved_size,
    .mlp_forward = mlp_forward,
    .mlp_backward = mlp_backward,
    .mlp_gradient_backward = mlp_gradient_backward,
    .mlp_jet_saved_size = mlp_jet_saved_size,
    .mlp_jet_forward = mlp_jet_forward,
    .mlp_jet_backward = mlp_jet_backward,
    .grid_forward = grid_forward,
    .grid_backward_table = grid_backward_table,
    .grid_backward_touched = grid_backward_touched,
    .grid_backward_coords = grid_backward_coords,
    .adam_step = adam_step,
    .mesh_closest = mesh_closest,
    .mesh_winding = mesh_winding,
};

}  // namespace neurafield
