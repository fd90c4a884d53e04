#include "parallel.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#endif

// torch runs its operations on an OpenMP pool whose idle workers spin for some milliseconds before
// they sleep. A second pool would have to share the cores with these spinning workers in every
// step. So where torch's OpenMP is GNU's, its entry point is looked up in the running process, and
// its workers run our tasks too. Elsewhere we have our own workers, which sleep when idle.
//
// OpenMP has one weakness: a region ends only when every worker has arrived. On a busy machine that
// can take a time slice of milliseconds, for regions a tenth as long. When this is detected, our
// own workers, which are waited for only once they have started, run the next regions. Both give
// the same bytes.

namespace neurafield {
namespace {

using Clock = std::chrono::steady_clock;

struct Job {
  std::atomic<std::int64_t> next{0};
  std::int64_t tasks;
  void (*body)(void*, std::int64_t);
  void* context;
  std::thread::id caller = std::this_thread::get_id();
  Clock::time_point caller_done{};  // Time at which the caller found no task left.
};

void work(void* data) {
  Job& job = *static_cast<Job*>(data);
  for (std::int64_t task; (task = job.next.fetch_add(1)) < job.tasks;) job.body(job.context, task);
  if (std::this_thread::get_id() == job.caller) job.caller_done = Clock::now();
}

using GompParallel = void (*)(void (*)(void*), void*, unsigned threads, unsigned flags);

#if defined(__linux__)
// GOMP_parallel of the loaded libgomp; torch's if there are several.
GompParallel find_gomp() {
  struct Found {
    char path[4096] = "";
  } found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto* found = static_cast<Found*>(data);
        const bool gomp = std::strstr(info->dlpi_name, "libgomp") != nullptr;
        const bool torchs = gomp && std::strstr(info->dlpi_name, "torch") != nullptr;
        if (gomp && (torchs || !found->path[0]) && std::strlen(info->dlpi_name) < 4096)
          std::strcpy(found->path, info->dlpi_name);
        return torchs ? 1 : 0;
      },
      &found);
  if (!found.path[0]) return nullptr;
  void* library = dlopen(found.path, RTLD_LAZY | RTLD_NOLOAD);
  return library ? reinterpret_cast<GompParallel>(dlsym(library, "GOMP_parallel")) : nullptr;
}
#else
GompParallel find_gomp() { return nullptr; }
#endif

std::atomic<bool> own_threads{false};

GompParallel gomp() {
  static const GompParallel found = find_gomp();
  return own_threads ? nullptr : found;
}

// Workers that wait for jobs, one job at a time. The caller works on its job too, and does not wait
// for workers that have not started: on a busy machine it may do everything itself.
class Pool {
 public:
  void run(Job& job, int threads) {
    std::lock_guard<std::mutex> one_at_a_time(entry_);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (static_cast<int>(workers_.size()) < threads - 1)
        workers_.emplace_back([this, seen = round_] { serve(seen); });
      job_ = &job;
      places_ = threads - 1;
      ++round_;
    }
    start_.notify_all();
    work(&job);
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;
    done_.wait(lock, [this] { return active_ == 0; });
  }

 private:
  void serve(std::uint64_t seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      start_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      if (!job_ || places_ == 0) continue;
      Job* job = job_;
      --places_;
      ++active_;
      lock.unlock();
      work(job);
      lock.lock();
      if (--active_ == 0) done_.notify_one();
    }
  }

  std::mutex entry_, mutex_;
  std::condition_variable start_, done_;
  std::vector<std::thread> workers_;
  Job* job_ = nullptr;
  int places_ = 0, active_ = 0;
  std::uint64_t round_ = 0;
};

// Never destroyed: its workers may outlive main. A forked child starts with a fresh one, since
// threads do not survive a fork; neither do OpenMP's, and it would wait for them forever.
Pool* pool = new Pool;

#if defined(__linux__)
const int at_fork = pthread_atfork(nullptr, nullptr, [] {
  pool = new Pool;
  own_threads = true;
});
#endif

// Remaining regions for our own workers after OpenMP's were late.
std::atomic<int> regions_without_openmp{0};
constexpr int kRegionsWithoutOpenmp = 500;

bool late(const Job& job, Clock::time_point begun) {
  const auto waited = Clock::now() - job.caller_done;
  return waited > std::chrono::milliseconds(1) && 2 * waited > Clock::now() - begun;
}

void run_on_openmp(Job& job, int threads) {
  const auto begun = Clock::now();
  gomp()(work, &job, static_cast<unsigned>(threads), 0);
  if (late(job, begun)) regions_without_openmp = kRegionsWithoutOpenmp;
}

}  // namespace

void parallel_for(std::int64_t tasks, int threads, void (*body)(void*, std::int64_t),
                  void* context) {
  if (tasks <= 0) return;
  Job job;
  job.tasks = tasks;
  job.body = body;
  job.context = context;
  if (threads > tasks) threads = static_cast<int>(tasks);
  if (threads <= 1)
    work(&job);
  else if (gomp() && regions_without_openmp <= 0)
    run_on_openmp(job, threads);
  else {
    if (regions_without_openmp > 0) --regions_without_openmp;
    pool->run(job, threads);
  }
}

void use_own_threads(bool own) { own_threads = own; }

const char* thread_pool_name() { return gomp() ? "torch's OpenMP" : "its own"; }

}  // namespace neurafield
