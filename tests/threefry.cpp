// JAX's threefry2x32 hash (Salmon et al. 2011, twenty rounds) over arrays, to the same bits.
#include <cstdint>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;
using U32 = ffi::Buffer<ffi::U32>;
using Out = ffi::Result<U32>;

namespace {

constexpr uint32_t kParity = 0x1BD11BDA;
constexpr int kTurns[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};

// An operand of one element stands for all.
struct Words {
  const uint32_t* data;
  size_t step;
  explicit Words(U32 buffer)
      : data(buffer.typed_data()), step(buffer.element_count() == 1 ? 0 : 1) {}
  uint32_t operator[](size_t i) const { return data[i * step]; }
};

ffi::Error hash(U32 key1, U32 key2, U32 count1, U32 count2, Out out1, Out out2) {
  const Words first(key1), second(key2), low(count1), high(count2);
  uint32_t* const left = out1->typed_data();
  uint32_t* const right = out2->typed_data();
  const size_t size = out1->element_count();
  for (size_t i = 0; i < size; ++i) {
    const uint32_t k[3] = {first[i], second[i], first[i] ^ second[i] ^ kParity};
    uint32_t x = low[i] + k[0], y = high[i] + k[1];
    for (uint32_t five = 0; five < 5; ++five) {
      for (int turn : kTurns[five % 2]) {
        x += y;
        y = (y << turn | y >> (32 - turn)) ^ x;
      }
      x += k[(five + 1) % 3];
      y += k[(five + 2) % 3] + five + 1;
    }
    left[i] = x;
    right[i] = y;
  }
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(tests_threefry, hash,
                              ffi::Ffi::Bind().Arg<U32>().Arg<U32>().Arg<U32>().Arg<U32>()
                                  .Ret<U32>().Ret<U32>());
