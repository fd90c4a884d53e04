#include "kernels.hpp"

namespace neurafield {

extern const Kernels kernels_baseline;

#if defined(NEURAFIELD_X86)
extern const Kernels kernels_avx2, kernels_avx512, kernels_avx512bf16;

static bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("fma");
}

const Level levels[] = {
    {"baseline", &kernels_baseline, [] { return true; }},
    {"avx2", &kernels_avx2,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
    {"avx512", &kernels_avx512, has_avx512},
    {"avx512bf16", &kernels_avx512bf16,
     [] { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }},
};
#else
// On ARM, NEON is part of the baseline.
const Level levels[] = {{"baseline", &kernels_baseline, [] { return true; }}};
#endif

const int num_levels = sizeof levels / sizeof levels[0];

}  // namespace neurafield
