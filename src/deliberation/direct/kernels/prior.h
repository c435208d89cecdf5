// The log of a prior, as log_prior in direct/tree_search/tree.py, eight actions at a time.

#pragma once

#include "rules.h"

namespace {

// The next eight of an array of which `left` can be read from here on and `count` are wanted.
template <typename X, typename T>
inline X eight(const T* from, int64_t count, int64_t left) {
  X x{};
  if (left >= CHUNK) {
    std::memcpy(&x, from, sizeof x);
  } else {
    std::memcpy(&x, from, std::min(count, left) * sizeof(T));
  }
  return x;
}

// Which of eight actions are legal; those from `count` on are not.
inline Vi legal_of(const bool* from, int64_t count, int64_t left) {
  using Bytes = int8_t __attribute__((vector_size(CHUNK)));
  auto bytes = eight<Bytes>(reinterpret_cast<const int8_t*>(from), count, left);
  return (__builtin_convertvector(bytes, Vi) != 0) & within(0, int(std::min<int64_t>(count, 8)));
}

// The log of the prior over legal actions, and whether all of their logits are finite. `left` says
// how much of `logits` and `legal` may be read, and `out` has room for whole chunks.
bool log_prior(const float* logits, const bool* legal, int64_t actions, int64_t left, float* out) {
  V tops = all(-INFINITE);
  Vi bad{};
  for (int64_t a = 0; a < actions; a += CHUNK) {
    Vi may = legal_of(legal + a, actions - a, left - a);
    V x = eight<V>(logits + a, actions - a, left - a);
    bad |= may & ~(larger(x, -x) < INFINITE);
    x = may ? x : all(-INFINITE);
    tops = tops < x ? x : tops;
    store(out + a, x);
  }
  float top = largest(tops), mass = 0;
  if (!std::isfinite(top)) top = 0;
  for (int64_t a = 0; a < actions; a += CHUNK) {
    Vi may = legal_of(legal + a, actions - a, left - a);
    V x = load(out + a) - top, weight = may ? exp_(x) : all(0.0f);
    store(out + a, x);
    // Action by action, as everywhere.
    for (int i = 0; i < CHUNK; ++i) mass += weight[i];
  }
  const float log_mass = std::log(std::max(mass, 1e-30f));
  for (int64_t a = 0; a < actions; a += CHUNK) {
    Vi may = legal_of(legal + a, actions - a, left - a);
    V x = load(out + a) - log_mass;
    x = x < FORBIDDEN / 10 ? all(FORBIDDEN / 10) : x;
    store(out + a, may ? x : all(FORBIDDEN));
  }
  return bits_of(bad) == 0;
}

}  // namespace
