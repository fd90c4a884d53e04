#include "memory.hpp"

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace neurafield {
namespace {

constexpr std::size_t kAlignment = 64;

// A kept block that was not used by this many requests is returned to the system.
constexpr std::uint64_t kPatience = 64;

// Stored in the 64 bytes before the caller's memory.
struct Header {
  void* allocation;
  std::size_t bytes;
  std::uint64_t given;  // Number of requests when it was returned.
};
static_assert(sizeof(Header) <= kAlignment);

Header* header_of(void* block) {
  return reinterpret_cast<Header*>(static_cast<char*>(block) - kAlignment);
}

void free_block(void* block) { std::free(header_of(block)->allocation); }

std::mutex mutex;
std::uint64_t requests = 0;
// Never destroyed: blocks may be returned at any time, also at process exit.
std::vector<void*>& kept() {
  static auto* blocks = new std::vector<void*>;
  return *blocks;
}

}  // namespace

void* take_block(std::size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  ++requests;
  auto& blocks = kept();
  std::size_t best = blocks.size();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::size_t size = header_of(blocks[i])->bytes;
    // A block that is much too large would be withheld from a caller who needs it.
    if (size >= bytes && size / 2 <= bytes &&
        (best == blocks.size() || size < header_of(blocks[best])->bytes))
      best = i;
  }
  void* found = nullptr;
  if (best < blocks.size()) {
    found = blocks[best];
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(best));
  }
  for (std::size_t i = blocks.size(); i-- > 0;) {
    if (header_of(blocks[i])->given + kPatience < requests) {
      free_block(blocks[i]);
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  if (found) return found;
  if (bytes > SIZE_MAX - 2 * kAlignment) throw std::bad_alloc();
  void* allocation = std::malloc(bytes + 2 * kAlignment);
  if (!allocation) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(allocation);
  void* block = reinterpret_cast<void*>((address / kAlignment + 2) * kAlignment);
  *header_of(block) = {allocation, bytes, 0};
  return block;
}

void give_block(void* block) noexcept {
  if (!block) return;
#if defined(NEURAFIELD_SANITIZERS)
  // Each block is a separate allocation, so that sanitizers detect every invalid access.
  free_block(block);
  return;
#endif
  std::lock_guard<std::mutex> lock(mutex);
  header_of(block)->given = requests;
  try {
    kept().push_back(block);
  } catch (...) {
    free_block(block);
  }
}

Scratch::Scratch(std::size_t floats) : data_(static_cast<float*>(take_block(4 * floats))) {}

Scratch::~Scratch() { give_block(data_); }

float* Scratch::data() const { return data_; }

}  // namespace neurafield
