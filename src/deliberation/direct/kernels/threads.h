// Spreading the rows of a batch over the threads of XLA's own pool.

#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;

constexpr int64_t BLOCK = 16;  // rows that a thread takes at a time

constexpr int PATIENCE = 500;  // pauses, some ten microseconds

// The caller works too and takes whatever block is next, so that it never waits for a
// helper to wake up, only for blocks that a helper has begun.

struct Work {
  std::atomic<int64_t> next{0}, finished{0};
  int64_t blocks, block, total;
};

template <typename F>
void claim(Work& work, F&& each) {
  while (true) {
    int64_t mine = work.next.fetch_add(1, std::memory_order_relaxed);
    if (mine >= work.blocks) return;
    int64_t first = mine * work.block;
    each(first, std::min(first + work.block, work.total));
    work.finished.fetch_add(1, std::memory_order_release);
  }
}

// Calls `each(first, last)` on blocks of rows. Below about ten microseconds' work a second thread
// costs more than it saves.
template <typename F>
void for_blocks(ffi::ThreadPool& pool, int64_t rows, int64_t lanes, F each) {
  int64_t threads = std::min<int64_t>(pool.num_threads(), rows * lanes / 24);
  if (threads < 2) {
    for (int64_t first = 0; first < rows; first += BLOCK) each(first, std::min(first + BLOCK, rows));
    return;
  }
  auto work = std::make_shared<Work>();
  work->total = rows;
  work->block = std::min<int64_t>(BLOCK, (rows + 2 * threads - 1) / (2 * threads));
  work->blocks = (rows + work->block - 1) / work->block;
  for (int64_t t = 1; t < std::min(threads, work->blocks); ++t) {
    // A helper that wakes up late finds every block taken and touches nothing but `work`.
    pool.Schedule([work, each] { claim(*work, each); });
  }
  claim(*work, each);
  // A helper that has begun a block may have lost its core to somebody else: after a while of
  // waiting it is given this one.
  for (int waited = 0; work->finished.load(std::memory_order_acquire) < work->blocks; ++waited) {
    if (waited > PATIENCE) std::this_thread::yield();
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }
}

}  // namespace
