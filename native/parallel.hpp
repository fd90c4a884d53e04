// Parallel execution of tasks on several cores.
#pragma once

#include <cstdint>

namespace neurafield {

// Calls body(context, 0) ... body(context, tasks - 1), each once, on up to `threads` threads at a
// time, and returns when all are done. The assignment of tasks to threads is not fixed, so results
// are reproducible only if they do not depend on it. `body` must not throw.
void parallel_for(std::int64_t tasks, int threads, void (*body)(void* context, std::int64_t task),
                  void* context);

// Selects our own workers even where torch's could be used; for tests.
void use_own_threads(bool own);

// Name of the thread pool, for display.
const char* thread_pool_name();

}  // namespace neurafield
