// Shared declarations of the Python module.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "kernels.hpp"

namespace neurafield {

// C-contiguous float32 on the CPU, with any number of axes; never a copy.
using Floats = nanobind::ndarray<float, nanobind::c_contig, nanobind::device::cpu>;
using ConstFloats = nanobind::ndarray<const float, nanobind::c_contig, nanobind::device::cpu>;

// The kernels of the instruction set in use.
const Kernels& active_kernels();

// Sizes are checked at this boundary, so that no call can read or write out of bounds. The Python
// side reports errors to the user before; these checks are for developers.
inline void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

void bind_adam(nanobind::module_& module);
void bind_fused_mlp(nanobind::module_& module);
void bind_fused_mlp_jet(nanobind::module_& module);
void bind_grid(nanobind::module_& module);
void bind_mesh_distance(nanobind::module_& module);

}  // namespace neurafield
