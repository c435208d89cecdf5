// How the searches of mctx choose, in C++: what direct/mctx/rules.py does, to the bit where XLA
// computes the same in one loop on this processor (it fuses products into sums, and so does this).

#pragma once

#include "rules.h"

namespace {
namespace mctx {

enum Transform { SIBLINGS, MIN_MAX, MIXED, TRANSFORMS };
enum Param { ACTIONS, SETTINGS, CONSIDERED = SETTINGS + 5 };

constexpr float LEAST = std::numeric_limits<float>::min();
constexpr float LOW = -1e9f;    // a considered action's score is never below this
constexpr float NOISE = 1e-7f;  // the most that noise adds to a score: it decides ties

inline float fused(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

// exp for x <= 0 with the roundings of XLA's (Cephes' polynomial, every product fused).
inline float exp_fused(float x) {
  x = std::max(x, -87.0f);
  float n = std::floor(fused(x, 1.44269504088896341f, 0.5f));
  float r = fused(2.12194440e-4f, n, fused(-0.693359375f, n, x));
  float y = 1.9875691500e-4f;
  y = fused(y, r, 1.3981999507e-3f);
  y = fused(y, r, 8.3334519073e-3f);
  y = fused(y, r, 4.1665795894e-2f);
  y = fused(y, r, 1.6666665459e-1f);
  y = fused(y, r, 5.0000001201e-1f);
  y = fused(y, r * r, r) + 1.0f;
  const union { int32_t bits; float scale; } two_to = {(int32_t(n) + 127) << 23};
  return y * two_to.scale;
}

// Reductions whose order does not matter, a chunk at a time; sums of floats are taken one by one.
template <typename F>
inline float greatest(int actions, F each) {
  float tops[CHUNK];
  for (int i = 0; i < CHUNK; ++i) tops[i] = -INFINITE;
  for (int start = 0; start < actions; start += CHUNK) {
    float x[CHUNK];
    for (int i = 0; i < CHUNK; ++i) x[i] = start + i < actions ? each(start + i) : -INFINITE;
    for (int i = 0; i < CHUNK; ++i) tops[i] = x[i] > tops[i] ? x[i] : tops[i];
  }
  for (int half = CHUNK / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) tops[i] = tops[i + half] > tops[i] ? tops[i + half] : tops[i];
  }
  return tops[0];
}

template <typename F>
inline float count_of(int actions, F each) {
  float sums[CHUNK] = {};
  for (int start = 0; start < actions; start += CHUNK) {
    for (int i = 0; i < CHUNK; ++i) sums[i] += start + i < actions ? each(start + i) : 0.0f;
  }
  for (int half = CHUNK / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

// The first that is as good as the best; without branches, for it is hard to foresee.
inline int first(const float* scores, int actions, float top) {
  int best = 0;
  for (int a = actions - 1; a >= 0; --a) best = scores[a] == top ? a : best;
  return best;
}

// exp(x - max x) into `out`; returns what to multiply it by for a softmax. XLA divides many numbers
// by one as products with its reciprocal, and so does all of this.
float exponentials(const float* x, int actions, float* out) {
  const float top = greatest(actions, [&](int a) { return x[a]; });
  float sum = 0;
  for (int start = 0; start < actions; start += CHUNK) {
    // A copy, since `out` may be `x`: the compiler can then take all at once.
    float y[CHUNK];
    for (int i = 0; i < CHUNK; ++i) y[i] = x[start + i] - top;
    for (int i = 0; i < CHUNK; ++i) y[i] = exp_fused(y[i]);
    for (int i = 0; i < CHUNK; ++i) out[start + i] = y[i];
  }
  for (int a = 0; a < actions; ++a) sum += out[a];
  return 1.0f / sum;
}

// ---------------------------------------------------------------------------------------------
// Threefry-2x32 (Salmon et al. 2011) as jax.random uses it: the numbers of a key are counted from 0.

struct Words {
  uint32_t a, b;
};

Words threefry(Words key, uint32_t counter) {
  const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t keys[3] = {key.a, key.b, key.a ^ key.b ^ 0x1BD11BDAu};
  uint32_t x = key.a, y = counter + key.b;
  for (int i = 0; i < 5; ++i) {
    for (int by : rotations[i % 2]) {
      x += y;
      y = (y << by) | (y >> (32 - by));
      y ^= x;
    }
    x += keys[(i + 1) % 3];
    y += keys[(i + 2) % 3] + uint32_t(i + 1);
  }
  return {x, y};
}

// The `index`-th of jax.random.uniform's numbers in [0, 1).
inline float uniform(Words key, uint32_t index) {
  Words bits = threefry(key, index);
  uint32_t mantissa = ((bits.a ^ bits.b) >> 9) | 0x3F800000u;
  float x;
  std::memcpy(&x, &mantissa, 4);
  return x - 1.0f;
}

// The key of a row's choice at a depth: the simulation's is split over the rows, and a row's at
// each step down into the key for what lies below (0) and the key for this choice (1).
Words luck_at(const uint32_t* words, int64_t row, int depth) {
  Words key = threefry({words[0], words[1]}, uint32_t(row));
  for (int d = 0; d < depth; ++d) key = threefry(key, 0);
  return threefry(key, 1);
}

// ---------------------------------------------------------------------------------------------
// What becomes of q. The result is `out` times what is returned. -inf stays -inf: it is left out of
// the range that q is rescaled by.

// The least that is more than -inf.
template <typename F>
inline float least(int actions, F each) {
  return -greatest(actions, [&](int a) {
    const float x = each(a);
    return x > -INFINITE ? -x : -INFINITE;
  });
}

float siblings(const float* t, const Node& n, int actions, float* out) {
  const float mean = n.slots[TOTAL];
  const float low = least(actions, [&](int a) { return n.visits[a] > 0 ? n.q[a] : mean; });
  const float high = greatest(actions, [&](int a) { return n.visits[a] > 0 ? n.q[a] : mean; });
  const float bottom = mean > -INFINITE ? std::min(mean, low) : low;
  chunks(actions, [&](int a) { out[a] = n.visits[a] > 0 ? n.q[a] - low : 0.0f; });
  return 1.0f / std::max(std::max(mean, high) - bottom, t[0]);
}

float min_max(const float* t, const Node& n, int actions, float* out) {
  const float low = t[0], part = 1.0f / t[1];
  chunks(actions, [&](int a) { out[a] = ((n.visits[a] > 0 ? n.q[a] : low) - low) * part; });
  return 1.0f;
}

// `prior` times `share` is the prior.
float mixed(const float* t, const Node& n, int actions, const float* prior, float share,
            float* out) {
  float value = n.slots[VALUE];
  const bool rescales = t[2] > 0, mixes = t[3] > 0;
  if (mixes) {
    const float worst = rescales ? -INFINITE : std::numeric_limits<float>::quiet_NaN();
    const auto known = [&](int a) { return n.visits[a] > 0 && n.q[a] != worst; };
    const float total = count_of(actions, [&](int a) { return known(a) ? n.visits[a] : 0.0f; });
    float mass = 0, sum = 0;
    chunks(actions, [&](int a) {
      out[a] = known(a) ? std::max(prior[a] * share, LEAST) : 0.0f;
    });
    for (int a = 0; a < actions; ++a) mass += out[a];
    mass = mass > 0 ? mass : 1.0f;
    chunks(actions, [&](int a) { out[a] = known(a) ? out[a] * n.q[a] / mass : 0.0f; });
    for (int a = 0; a < actions; ++a) sum += out[a];
    value = fused(total, sum, value) / (total + 1.0f);
  }
  chunks(actions, [&](int a) { out[a] = n.visits[a] > 0 ? n.q[a] : value; });
  if (rescales) {
    const float low = least(actions, [&](int a) { return out[a]; });
    const float high = greatest(actions, [&](int a) { return out[a]; });
    const float part = 1.0f / std::max(high - low, t[4]);
    chunks(actions, [&](int a) { out[a] = (out[a] - low) * part; });
  }
  return (t[1] + greatest(actions, [&](int a) { return n.visits[a]; })) * t[0];
}

// ---------------------------------------------------------------------------------------------
// Choices. The first of the best is taken; what is not a number never is.

int outcome(const Node& n, int actions) {
  float top = -INFINITE;
  int best = actions;
  for (int a = actions; a < n.actions; ++a) {
    float behind = n.logit[a] / (1.0f + n.visits[a]);
    if (behind > top) top = behind, best = a;
  }
  return best;
}

int by_bonus(const Rule& rule, const Node& n, int actions, float scale, int64_t row, int depth,
             const uint32_t* words, float* scores) {
  float rate = lookup(rule, n.slots[COUNT]);
  chunks(actions, [&](int a) {
    scores[a] = fused(scale, scores[a], rate * n.logit[a] / (n.visits[a] + 1.0f));
  });
  chunks(actions, [&](int a) { scores[a] = n.logit[a] >= 0 ? scores[a] : -INFINITE; });
  float top = greatest(actions, [&](int a) { return scores[a]; });
  if (top == -INFINITE) {
    int offered = 0;
    while (offered < actions && !(n.logit[offered] >= 0)) ++offered;
    return offered < actions ? offered : 0;
  }
  // Noise matters only to what it, rounded, can lift to the top.
  const float near = top - (1.25f * NOISE + 2.5e-7f * std::fabs(top));
  if (count_of(actions, [&](int a) { return float(scores[a] >= near); }) < 2) {
    return first(scores, actions, top);
  }
  Words key = luck_at(words, row, depth);
  for (int a = 0; a < actions; ++a) {
    if (scores[a] >= near) scores[a] = fused(NOISE, uniform(key, uint32_t(a)), scores[a]);
  }
  return first(scores, actions, greatest(actions, [&](int a) { return scores[a]; }));
}

// Sequential halving: the best of the actions that are considered now. What is invalid has NaN for a base.
int by_halving(const Rule& rule, const Node& n, int actions, float scale, int64_t row,
               const float* q) {
  const float *base = rule.table + row * actions, considered = rule.params[CONSIDERED + row];
  float top = -INFINITE;
  int best = 0;
  for (int a = 0; a < actions; ++a) {
    if (n.visits[a] != considered || std::isnan(base[a])) continue;
    float score = std::max(LOW, fused(scale, q[a], base[a]));
    if (score > top) top = score, best = a;
  }
  return best;
}

// In proportion to the improved policy.
int by_proportion(const Node& n, int actions, float scale, float* scores) {
  chunks(actions, [&](int a) { scores[a] = fused(scale, scores[a], n.logit[a]); });
  const float share = exponentials(scores, actions, scores);
  const float part = 1.0f / (1.0f + count_of(actions, [&](int a) { return n.visits[a]; }));
  chunks(actions, [&](int a) { scores[a] = fused(scores[a], share, -(n.visits[a] * part)); });
  return first(scores, actions, greatest(actions, [&](int a) { return scores[a]; }));
}

int select(const Rule& rule, const Node& n, int64_t row, int depth, const uint32_t* words) {
  const int actions = int(rule.params[ACTIONS]), kind = rule.kind - MCTX;
  const bool halves = kind >= TRANSFORMS;
  if (!halves && n.slots[CHANCE] > 0) return outcome(n, actions);
  // Scratch that a thread keeps from one call to the next.
  static thread_local std::vector<float> scratch;
  const size_t padded = (actions + CHUNK - 1) / CHUNK * CHUNK;
  if (scratch.size() < 2 * padded) scratch.resize(2 * padded);
  float *scores = scratch.data(), *own = scores + padded, scale;
  const float *settings = rule.params + SETTINGS, *prior = n.logit;
  float share = 1.0f;
  switch (kind % TRANSFORMS) {
    case SIBLINGS: scale = siblings(settings, n, actions, scores); break;
    case MIN_MAX: scale = min_max(settings, n, actions, scores); break;
    default:
      if (halves) share = exponentials(n.logit, actions, own), prior = own;
      scale = mixed(settings, n, actions, prior, share, scores);
  }
  if (!halves) return by_bonus(rule, n, actions, scale, row, depth, words, scores);
  if (depth == 0) return by_halving(rule, n, actions, scale, row, scores);
  return by_proportion(n, actions, scale, scores);
}

}  // namespace mctx
}  // namespace
