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

inline V fused(V a, V b, V c) {
#if defined(__AVX__) && defined(__FMA__)
  return V(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
#else
  V x;
  for (int i = 0; i < CHUNK; ++i) x[i] = fused(a[i], b[i], c[i]);
  return x;
#endif
}

inline V below_of(V x) {
  const V whole = __builtin_convertvector(__builtin_convertvector(x, Vi), V);
  return whole > x ? whole - 1.0f : whole;
}

// exp for x <= 0 with the roundings of XLA's (Cephes' polynomial, every product fused).
inline V exp_fused(V x) {
  x = x < -87.0f ? all(-87.0f) : x;
  const V n = below_of(fused(x, all(1.44269504088896341f), all(0.5f)));
  const V r = fused(all(2.12194440e-4f), n, fused(all(-0.693359375f), n, x));
  V y = all(1.9875691500e-4f);
  y = fused(y, r, all(1.3981999507e-3f));
  y = fused(y, r, all(8.3334519073e-3f));
  y = fused(y, r, all(4.1665795894e-2f));
  y = fused(y, r, all(1.6666665459e-1f));
  y = fused(y, r, all(5.0000001201e-1f));
  y = fused(y, r * r, r) + 1.0f;
  const Vi bits = (__builtin_convertvector(n, Vi) + 127) << 23;
  V scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return y * scale;
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
// Eight nodes are looked at side by side, a vector for each action: sums then go action by action,
// as in mctx, without one waiting for the other.

struct Eight {
  const Node* nodes;
  int count, actions;            // the actions of a choice; those beyond are outcomes of chance
  V *visits, *q, *logit;         // one for each action
  V *scores, *own;               // scratch
  V slot(Slot which) const {
    V x;
    for (int i = 0; i < CHUNK; ++i) x[i] = nodes[i].slots[which];
    return x;
  }
};

// Rows to columns.
inline void turned(const V* in, V* out) {
#ifdef __AVX__
  __m256 a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_ps(__m256(in[i]), __m256(in[i + 1]));
    a[i + 1] = _mm256_unpackhi_ps(__m256(in[i]), __m256(in[i + 1]));
  }
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xEE);
    b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    out[i] = V(_mm256_permute2f128_ps(b[i], b[i + 4], 0x20));
    out[i + 4] = V(_mm256_permute2f128_ps(b[i], b[i + 4], 0x31));
  }
#else
  for (int i = 0; i < CHUNK; ++i) {
    for (int k = 0; k < CHUNK; ++k) out[k][i] = in[i][k];
  }
#endif
}

// A slot of eight nodes by actions. What is read past it lies in the same node, of four slots.
inline void columns(const Node* nodes, const float* Node::*slot, int actions, V* out) {
  const bool whole = 2 * nodes[0].actions >= CHUNK;
  for (int first = 0; first < actions; first += CHUNK) {
    V rows[CHUNK]{};
    for (int i = 0; i < CHUNK; ++i) {
      const float* from = nodes[i].*slot + first;
      if (whole) {
        rows[i] = load(from);
      } else {
        std::memcpy(&rows[i], from, sizeof(float) * actions);
      }
    }
    turned(rows, out + first);
  }
}

// The first that is as good as the best; without branches, for it is hard to foresee.
inline Vi first(const V* scores, int actions, V top) {
  Vi best{};
  for (int a = actions - 1; a >= 0; --a) best = scores[a] == top ? Vi{} + a : best;
  return best;
}

inline V greatest(const V* x, int actions) {
  V top = all(-INFINITE);
  for (int a = 0; a < actions; ++a) top = larger(x[a], top);
  return top;
}

// The least that is more than -inf.
inline V least(const V* x, int actions) {
  V low = all(INFINITE);
  for (int a = 0; a < actions; ++a) low = smaller(x[a] > -INFINITE ? x[a] : all(INFINITE), low);
  return low;
}

inline V sum_of(const V* x, int actions) {
  V sum = all(0.0f);
  for (int a = 0; a < actions; ++a) sum += x[a];
  return sum;
}

// What is below a bound is put at it.
inline V at_least(V bound, V x) { return x < bound ? bound : x; }

// exp(x - max x) into `out`; returns what to multiply it by for a softmax. XLA divides many numbers
// by one as products with its reciprocal, and so does all of this.
inline V exponentials(const V* x, int actions, V* out) {
  const V top = greatest(x, actions);
  V sum = all(0.0f);
  for (int a = 0; a < actions; ++a) sum += out[a] = exp_fused(x[a] - top);
  return 1.0f / sum;
}

// ---------------------------------------------------------------------------------------------
// What becomes of q. The result is `out` times what is returned. -inf stays -inf: it is left out of
// the range that q is rescaled by.

V siblings(const float* t, const Eight& e, V* out) {
  const V mean = e.slot(TOTAL);
  for (int a = 0; a < e.actions; ++a) out[a] = e.visits[a] > 0 ? e.q[a] : mean;
  const V low = least(out, e.actions), high = at_least(greatest(out, e.actions), mean);
  const V bottom = mean > -INFINITE ? smaller(low, mean) : low;
  for (int a = 0; a < e.actions; ++a) out[a] = e.visits[a] > 0 ? e.q[a] - low : all(0.0f);
  return 1.0f / at_least(all(t[0]), high - bottom);
}

V min_max(const float* t, const Eight& e, V* out) {
  const float low = t[0], part = 1.0f / t[1];
  for (int a = 0; a < e.actions; ++a) {
    out[a] = ((e.visits[a] > 0 ? e.q[a] : all(low)) - low) * part;
  }
  return all(1.0f);
}

// `prior` times `share` is the prior.
V mixed(const float* t, const Eight& e, const V* prior, V share, V* out) {
  V value = e.slot(VALUE);
  const bool rescales = t[2] > 0, mixes = t[3] > 0;
  if (mixes) {
    const float worst = rescales ? -INFINITE : std::numeric_limits<float>::quiet_NaN();
    V total = all(0.0f), mass = total, sum = total;
    for (int a = 0; a < e.actions; ++a) {
      const Vi known = (e.visits[a] > 0) & (e.q[a] != worst);
      out[a] = known ? at_least(all(LEAST), prior[a] * share) : all(0.0f);
      total += known ? e.visits[a] : all(0.0f);
      mass += out[a];
    }
    mass = mass > 0 ? mass : all(1.0f);
    for (int a = 0; a < e.actions; ++a) {
      const Vi known = (e.visits[a] > 0) & (e.q[a] != worst);
      sum += known ? out[a] * e.q[a] / mass : all(0.0f);
    }
    value = fused(total, sum, value) / (total + 1.0f);
  }
  for (int a = 0; a < e.actions; ++a) out[a] = e.visits[a] > 0 ? e.q[a] : value;
  if (rescales) {
    const V low = least(out, e.actions), high = greatest(out, e.actions);
    const V part = 1.0f / at_least(all(t[4]), high - low);
    for (int a = 0; a < e.actions; ++a) out[a] = (out[a] - low) * part;
  }
  return (t[1] + greatest(e.visits, e.actions)) * t[0];
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

// Who chooses at each of the eight: its row of the batch, and the words that it draws from.
struct Chooser {
  int64_t row;
  const uint32_t* words;
};

// The choice at the `i`-th of the eight where noise decides, or where there is nothing to choose.
int by_noise(const Eight& e, int i, float top, float near, const Chooser& who, int depth) {
  if (top == -INFINITE) {
    int offered = 0;
    while (offered < e.actions && !(e.logit[offered][i] >= 0)) ++offered;
    return offered < e.actions ? offered : 0;
  }
  const Words key = luck_at(who.words, who.row, depth);
  float best = -INFINITE;
  int found = 0;
  for (int a = 0; a < e.actions; ++a) {
    float score = e.scores[a][i];
    // What is not near stays below the top, which noise only raises.
    if (!(score >= near)) continue;
    score = fused(NOISE, uniform(key, uint32_t(a)), score);
    if (score > best) best = score, found = a;
  }
  return found;
}

Vi by_bonus(const Rule& rule, const Eight& e, V scale, const Chooser* who, int depth) {
  V rate, ties = all(0.0f);
  for (int i = 0; i < CHUNK; ++i) rate[i] = lookup(rule, e.nodes[i].slots[COUNT]);
  for (int a = 0; a < e.actions; ++a) {
    const V score = fused(scale, e.scores[a], rate * e.logit[a] / (e.visits[a] + 1.0f));
    e.scores[a] = e.logit[a] >= 0 ? score : all(-INFINITE);
  }
  const V top = greatest(e.scores, e.actions), size = larger(top, -top);
  // Noise matters only to what it, rounded, can lift to the top.
  const V near = top - (1.25f * NOISE + 2.5e-7f * size);
  for (int a = 0; a < e.actions; ++a) ties += e.scores[a] >= near ? all(1.0f) : all(0.0f);
  Vi best = first(e.scores, e.actions, top);
  for (int i = 0; i < e.count; ++i) {
    if (ties[i] >= 2 || top[i] == -INFINITE) {
      best[i] = by_noise(e, i, top[i], near[i], who[i], depth);
    }
    if (e.nodes[i].slots[CHANCE] > 0) best[i] = outcome(e.nodes[i], e.actions);
  }
  return best;
}

// Sequential halving: the best of the actions that are considered now. What is invalid has NaN for
// a base.
Vi by_halving(const Rule& rule, const Eight& e, V scale, const Chooser* who) {
  V considered, top = all(-INFINITE);
  for (int i = 0; i < CHUNK; ++i) considered[i] = rule.params[CONSIDERED + who[i].row];
  Vi best{};
  for (int a = 0; a < e.actions; ++a) {
    V base;
    for (int i = 0; i < CHUNK; ++i) base[i] = rule.table[who[i].row * e.actions + a];
    const V score = fused(scale, e.scores[a], base);
    const V held = score > LOW ? score : all(LOW);
    const Vi better = (e.visits[a] == considered) & (base == base) & (held > top);
    top = better ? held : top;
    best = better ? Vi{} + a : best;
  }
  return best;
}

// In proportion to the improved policy.
Vi by_proportion(const Eight& e, V scale) {
  for (int a = 0; a < e.actions; ++a) e.scores[a] = fused(scale, e.scores[a], e.logit[a]);
  const V share = exponentials(e.scores, e.actions, e.scores);
  const V part = 1.0f / (1.0f + sum_of(e.visits, e.actions));
  for (int a = 0; a < e.actions; ++a) {
    e.scores[a] = fused(e.scores[a], share, -(e.visits[a] * part));
  }
  return first(e.scores, e.actions, greatest(e.scores, e.actions));
}

// The choices at `count` nodes; all eight are given, what is too many being like any other.
Vi select(const Rule& rule, const Node* nodes, const Chooser* who, int count, int depth) {
  const int actions = int(rule.params[ACTIONS]), kind = rule.kind - MCTX;
  const size_t padded = (actions + CHUNK - 1) / CHUNK * CHUNK;
  // Scratch that a thread keeps from one call to the next.
  static thread_local std::vector<float> scratch;
  if (scratch.size() < (5 * padded + 1) * CHUNK) scratch.resize((5 * padded + 1) * CHUNK);
  const uintptr_t whole = sizeof(V), start = uintptr_t(scratch.data());
  V* space = reinterpret_cast<V*>((start + whole - 1) / whole * whole);
  const Eight e{nodes, count, actions, space, space + padded, space + 2 * padded,
                space + 3 * padded, space + 4 * padded};
  columns(nodes, &Node::visits, actions, e.visits);
  columns(nodes, &Node::q, actions, e.q);
  columns(nodes, &Node::logit, actions, e.logit);
  const bool halves = kind >= TRANSFORMS;
  const float* settings = rule.params + SETTINGS;
  const V* prior = e.logit;
  V share = all(1.0f), scale;
  switch (kind % TRANSFORMS) {
    case SIBLINGS: scale = siblings(settings, e, e.scores); break;
    case MIN_MAX: scale = min_max(settings, e, e.scores); break;
    default:
      if (halves) share = exponentials(e.logit, actions, e.own), prior = e.own;
      scale = mixed(settings, e, prior, share, e.scores);
  }
  if (!halves) return by_bonus(rule, e, scale, who, depth);
  if (depth == 0) return by_halving(rule, e, scale, who);
  return by_proportion(e, scale);
}

}  // namespace mctx
}  // namespace
