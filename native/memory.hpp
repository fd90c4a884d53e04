// Large buffers that are kept for the next call.
//
// Fresh memory costs a page fault every 4 KiB, more than many kernels themselves; training steps
// request the same sizes each time.
#pragma once

#include <cstddef>

namespace neurafield {

// At least `bytes` bytes, 64-byte aligned, contents arbitrary. Throws std::bad_alloc.
void* take_block(std::size_t bytes);

// Returns a block for reuse. Null is ignored.
void give_block(void* block) noexcept;

// A block for the length of a scope. (Not inline: see simd.hpp.)
class Scratch {
 public:
  explicit Scratch(std::size_t floats);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  float* data() const;

 private:
  float* data_;
};

}  // namespace neurafield
