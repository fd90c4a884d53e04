// Running tasks on several cores.
#pragma once

#include <cstdint>

namespace neurafield {

// Calls body(context, 0) ... body(context, tasks - 1), each once, on up to `threads` threads at a
// time, and returns when all are done. Which thread runs which task is not fixed, so results are
// the same from run to run only if a task's result does not depend on that. `body` must not throw.
void parallel_for(std::int64_t tasks, int threads, void (*body)(void* context, std::int64_t task),
                  void* context);

// Whether to run on workers of our own even where torch's could be used; for tests.
void use_own_threads(bool own);

// Whose workers they are, for people.
const char* thread_pool_name();

}  // namespace neurafield
