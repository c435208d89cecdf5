// How the searches of mctx choose, in C++: what direct/_mctx_rules.py does, to the bit where XLA
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
  int32_t bits = (int32_t(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, 4);
  return y * scale;
}

void softmax(const float* x, int actions, float* out) {
  float top = -INFINITE, sum = 0;
  for (int a = 0; a < actions; ++a) top = std::max(top, x[a]);
  chunks(actions, [&](int a) { out[a] = exp_fused(x[a] - top); });
  for (int a = 0; a < actions; ++a) sum += out[a];
  // XLA divides by one number for many as a product with its reciprocal; so does all of this.
  const float share = 1.0f / sum;
  chunks(actions, [&](int a) { out[a] *= share; });
}

// ---------------------------------------------------------------------------------------------
// Threefry-2x32 (Salmon et al. 2011) as jax.random uses it: the numbers of a key are counted from 0.

struct Words {
  uint32_t a, b;
};

Words threefry(Words key, uint32_t counter) {
  const int turns[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t keys[3] = {key.a, key.b, key.a ^ key.b ^ 0x1BD11BDAu};
  uint32_t x = key.a, y = counter + key.b;
  for (int i = 0; i < 5; ++i) {
    for (int turn : turns[i % 2]) {
      x += y;
      y = (y << turn) | (y >> (32 - turn));
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
// What becomes of q. The result is `out` times what is returned.

float siblings(const float* t, const Node& n, int actions, float* out) {
  float low = n.slots[TOTAL], high = low;
  for (int a = 0; a < actions; ++a) {
    if (n.visits[a] > 0) low = std::min(low, n.q[a]), high = std::max(high, n.q[a]);
  }
  chunks(actions, [&](int a) { out[a] = (n.visits[a] > 0 ? n.q[a] : low) - low; });
  return 1.0f / std::max(high - low, t[0]);
}

float min_max(const float* t, const Node& n, int actions, float* out) {
  const float low = t[0], part = 1.0f / t[1];
  chunks(actions, [&](int a) { out[a] = ((n.visits[a] > 0 ? n.q[a] : low) - low) * part; });
  return 1.0f;
}

float mixed(const float* t, const Node& n, int actions, const float* prior, float* out) {
  float value = n.slots[VALUE], most = 0;
  const bool rescales = t[2] > 0, mixes = t[3] > 0;
  if (mixes) {
    float mass = 0, total = 0, sum = 0;
    for (int a = 0; a < actions; ++a) {
      total += n.visits[a];
      if (n.visits[a] > 0) mass += std::max(prior[a], LEAST);
    }
    for (int a = 0; a < actions; ++a) {
      if (n.visits[a] > 0) sum += std::max(prior[a], LEAST) * n.q[a] / mass;
    }
    value = fused(total, sum, value) / (total + 1.0f);
  }
  float low = INFINITE, high = -INFINITE;
  for (int a = 0; a < actions; ++a) {
    out[a] = n.visits[a] > 0 ? n.q[a] : value;
    most = std::max(most, n.visits[a]);
    low = std::min(low, out[a]), high = std::max(high, out[a]);
  }
  if (rescales) {
    float part = 1.0f / std::max(high - low, t[4]);
    chunks(actions, [&](int a) { out[a] = (out[a] - low) * part; });
  }
  return (t[1] + most) * t[0];
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
  float top = -INFINITE, near;
  int best = 0, rivals = 0;
  for (int a = 0; a < actions; ++a) {
    if (n.logit[a] >= 0 && scores[a] > top) top = scores[a], best = a;
  }
  // Noise matters only to what it, rounded, can lift to the top.
  near = top - (1.25f * NOISE + 2.5e-7f * std::fabs(top));
  for (int a = 0; a < actions; ++a) rivals += n.logit[a] >= 0 && scores[a] >= near;
  if (rivals < 2) return best;
  Words key = luck_at(words, row, depth);
  top = -INFINITE;
  for (int a = 0; a < actions; ++a) {
    if (!(n.logit[a] >= 0 && scores[a] >= near)) continue;
    float score = fused(NOISE, uniform(key, uint32_t(a)), scores[a]);
    if (score > top) top = score, best = a;
  }
  return best;
}

// Sequential halving: the best of the actions whose turn it is.
int by_halving(const Rule& rule, const Node& n, int actions, float scale, int64_t row,
               const float* q) {
  const float *base = rule.table + row * actions, turn = rule.params[CONSIDERED + row];
  float top = -INFINITE;
  int best = 0;
  for (int a = 0; a < actions; ++a) {
    if (n.visits[a] != turn || base[a] == -INFINITE) continue;
    float score = std::max(LOW, fused(scale, q[a], base[a]));
    if (score > top) top = score, best = a;
  }
  return best;
}

// In proportion to the improved policy.
int by_proportion(const Node& n, int actions, float scale, float* scores) {
  chunks(actions, [&](int a) { scores[a] = fused(scale, scores[a], n.logit[a]); });
  float most = -INFINITE, sum = 0, total = 1.0f, top = -INFINITE;
  for (int a = 0; a < actions; ++a) most = std::max(most, scores[a]);
  chunks(actions, [&](int a) { scores[a] = exp_fused(scores[a] - most); });
  for (int a = 0; a < actions; ++a) sum += scores[a], total += n.visits[a];
  const float share = 1.0f / sum, part = 1.0f / total;
  int best = 0;
  for (int a = 0; a < actions; ++a) {
    float score = fused(scores[a], share, -(n.visits[a] * part));
    if (score > top) top = score, best = a;
  }
  return best;
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
  switch (kind % TRANSFORMS) {
    case SIBLINGS: scale = siblings(settings, n, actions, scores); break;
    case MIN_MAX: scale = min_max(settings, n, actions, scores); break;
    default:
      if (halves) softmax(n.logit, actions, own), prior = own;
      scale = mixed(settings, n, actions, prior, scores);
  }
  if (!halves) return by_bonus(rule, n, actions, scale, row, depth, words, scores);
  if (depth == 0) return by_halving(rule, n, actions, scale, row, scores);
  return by_proportion(n, actions, scale, scores);
}

}  // namespace mctx
}  // namespace
