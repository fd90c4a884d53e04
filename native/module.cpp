// neurafield._native: the kernels for Python.
#include "module.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <string>
#include <vector>

#include "memory.hpp"
#include "parallel.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

std::atomic<const Level*>& active() {
  static std::atomic<const Level*> level = [] {
    const Level* best = &levels[0];
    for (int i = 0; i < num_levels; ++i)
      if (levels[i].runs_here()) best = &levels[i];
    return best;
  }();
  return level;
}

std::vector<std::string> level_names(bool here) {
  std::vector<std::string> names;
  for (int i = 0; i < num_levels; ++i)
    if (!here || levels[i].runs_here()) names.push_back(levels[i].name);
  return names;
}

void use_level(const std::string& name) {
  for (int i = 0; i < num_levels; ++i) {
    if (name == levels[i].name && levels[i].runs_here()) {
      active() = &levels[i];
      return;
    }
  }
  throw std::invalid_argument("level: expected one that this processor has, got " + name);
}

// Floats in a kept block, which is returned when the last tensor on it is gone.
nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu> empty(std::size_t size) {
  require(size < SIZE_MAX / 8, "empty: size");
  void* block = take_block(4 * size);
  nb::capsule owner(block, [](void* block) noexcept { give_block(block); });
  return {static_cast<float*>(block), {size}, owner};
}

}  // namespace

const Kernels& active_kernels() { return *active().load()->kernels; }

}  // namespace neurafield

NB_MODULE(_native, module) {
  using namespace neurafield;
  module.def("levels", [] { return level_names(true); }, "Supported instruction sets.");
  module.def("compiled_levels", [] { return level_names(false); }, "Compiled instruction sets.");
  module.def("level", [] { return std::string(active().load()->name); }, "The one in use.");
  module.def(
      "has_bfloat16", [] { return std::string(active().load()->name) == "avx512bf16"; },
      "True if the instruction set in use multiplies bfloat16.");
  module.def("use_level", &use_level, "Use another instruction set from now on.");
  module.def("use_own_threads", &use_own_threads, "Leave torch's workers alone; for tests.");
  module.def("thread_pool", &thread_pool_name, "Name of the thread pool that runs the kernels.");
  module.def("empty", &empty, "Float32 memory that is kept and handed out again.");
#if defined(NEURAFIELD_SANITIZERS)
  module.attr("sanitizers") = NEURAFIELD_SANITIZERS;
#else
  module.attr("sanitizers") = "";
#endif
  bind_adam(module);
  bind_fused_mlp(module);
  bind_fused_mlp_jet(module);
  bind_grid(module);
  bind_mesh_distance(module);
}
