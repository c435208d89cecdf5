// The slots of direct/tree_search/tree.py and round.py by name, noise and eight floats at a time.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#ifdef __AVX__
#include <immintrin.h>
#endif

namespace {

enum Edge { VISITS, Q, LOGIT, CHILD, EDGE_SLOTS };
enum Slot {
  COUNT, TOTAL, VALUE, REWARD, DISCOUNT, SIGN, PARENT, ACTION, CHANCE, LOW, HIGH, NODE_SLOTS
};
enum Tally { SIMULATIONS, STEPS, EVALUATIONS, FAULTS, STUCK, DONE, TALLY_SLOTS };
enum Fault { IN_PRIOR = 1, IN_VALUE = 2, IN_REWARD = 4, IN_SUM = 8 };
enum Kind { UCT, PUCT, GUMBEL, MCTX };  // from MCTX on: see mctx.h

constexpr float FORBIDDEN = -1e9f;
constexpr float SINGLE = 1e-5f;      // relative differences of returns that are rounding: ties.py
constexpr float HOPE = 8.0f;         // no range is widened by more than so many of itself: scale.py
constexpr float INFINITE = std::numeric_limits<float>::infinity();
constexpr int IDLE = -2, FREE = -1;  // a lane that takes no part, or by which the rule chooses
constexpr int CHUNK = 8;             // actions are scored so many at a time, which vectorises

// Noise: core/noise.py's mix, and Threefry as jax.random has it (for the searches of mctx).

inline uint32_t mix(uint32_t seed, uint32_t counter) {
  seed += (counter + 1u) * 0x9E3779B9u;
  seed = (seed ^ (seed >> 16)) * 0x7FEB352Du;
  seed = (seed ^ (seed >> 15)) * 0x846CA68Bu;
  return seed ^ (seed >> 16);
}

inline float uniform(uint32_t seed) { return float(seed >> 8) * 0x1p-24f; }

// Eight floats at a time, by the compilers' vector extension: they do not find it by themselves.
using V = float __attribute__((vector_size(32)));
using Vi = int32_t __attribute__((vector_size(32)));

inline V load(const float* from) {
  V x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

inline void store(float* to, V x) { std::memcpy(to, &x, sizeof x); }

inline V all(float x) { return V{x, x, x, x, x, x, x, x}; }

inline V larger(V a, V b) { return a > b ? a : b; }

inline V smaller(V a, V b) { return a < b ? a : b; }

// Folded in halves: in any order the largest is the same, and so are sums of whole numbers.
template <typename X, typename F>
inline auto folded(X x, F join) {
  for (int half = CHUNK / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) x[i] = join(x[i], x[i + half]);
  }
  return x[0];
}

inline float largest(V x) {
  return folded(x, [](float a, float b) { return a > b ? a : b; });
}

inline float whole_sum(V x) {
  return folded(x, [](float a, float b) { return a + b; });
}

// A bit for each lane of a mask.
inline unsigned bits_of(Vi mask) {
#ifdef __AVX__
  return unsigned(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#else
  unsigned bits = 0;
  for (int i = 0; i < CHUNK; ++i) bits |= unsigned(mask[i] & 1) << i;
  return bits;
#endif
}

inline V root_of(V x) {
  V y;
  for (int i = 0; i < CHUNK; ++i) y[i] = std::sqrt(x[i]);
  return y;
}

// exp for x <= 0 (Cephes' polynomial, single precision).
inline V exp_(V x) {
  x = larger(x, all(-87.0f));
  // Rounded to the nearest: x is negative, and conversion drops the fraction.
  Vi n = __builtin_convertvector(x * 1.44269504088896341f - 0.5f, Vi);
  V whole = __builtin_convertvector(n, V);
  V r = x - whole * 0.693359375f - whole * -2.12194440e-4f;
  V y = all(1.9875691500e-4f);
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  Vi bits = (n + 127) << 23;
  V scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return y * scale;
}

}  // namespace
