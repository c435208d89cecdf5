// How a search chooses: what direct/tree_search/rules.py does, natively.

#pragma once

#include "layout.h"

namespace {

struct Rule {
  int kind;
  const float* params;
  const float* table;   // what depends on a node's visits alone
  int64_t table_size;
  const int32_t* widths;  // how many actions a node offers, by its visits; none: all
  int64_t widths_size;
  bool prove;
};

struct Node {
  const float* visits;
  const float* q;
  const float* logit;
  const float* child;
  const float* slots;
  int actions;
};

inline bool legal(float logit) { return logit > FORBIDDEN / 2; }

inline Vi legal(V logit) { return logit > FORBIDDEN / 2; }

inline float lookup(const Rule& rule, float visits) {
  int64_t i = std::min<int64_t>(int64_t(visits), rule.table_size - 1);
  return rule.table[i];
}

// Loops over whole chunks read up to seven floats past a slot: the next slot's, whatever they are.
// `child`, the last slot, is only ever read up to `actions`.
template <typename F>
inline void chunks(int actions, F each) {
  for (int first = 0; first < actions; first += CHUNK) {
    for (int i = 0; i < CHUNK; ++i) each(first + i);
  }
}

// Which places of a chunk are actions below `count`.
inline Vi within(int first, int count) {
  return Vi{0, 1, 2, 3, 4, 5, 6, 7} + first < count;
}

// On what scale a node's returns lie, as in direct/tree_search/scale.py.
struct Scale {
  float middle, half;
};

inline float above_rounding(float width, float low, float high) {
  width = std::max(width, SINGLE * std::max(std::fabs(low), std::fabs(high)));
  return width > 0 ? width : 1.0f;
}

inline Scale scale_of(const Rule& rule, const Node& n) {
  float low = n.slots[LOW], high = n.slots[HIGH];
  if (!(rule.params[0] > 0) || !(low <= high)) return {0.0f, 1.0f};
  float most = rule.params[1], half = 0.5f * high - 0.5f * low;
  float above = std::isfinite(most) ? std::max(0.5f * most - 0.5f * high, 0.0f) : 0.0f;
  bool unequal = half > SINGLE * std::max(std::fabs(low), std::fabs(high));
  half += unequal ? std::min(above, HOPE * half) : above;
  return {0.5f * low + 0.5f * high, above_rounding(half, low, high)};
}

void score_uct(const Rule& rule, const Node& n, float total, float* out) {
  float spread = lookup(rule, total);
  Scale scale = scale_of(rule, n);
  for (int a = 0; a < n.actions; a += CHUNK) {
    V visits = load(n.visits + a);
    V bonus = scale.half * root_of(spread / larger(visits, all(1.0f)));
    store(out + a, visits > 0 ? load(n.q + a) - scale.middle + bonus : all(INFINITE));
  }
  if (!rule.prove) return;
  for (int a = 0; a < n.actions; ++a) {
    if (n.child[a] < 0) out[a] = n.q[a] - scale.middle;
  }
}

void score_puct(const Rule& rule, const Node& n, float total, float* out) {
  Scale scale = scale_of(rule, n);
  float rate = scale.half * lookup(rule, total);
  V value = all(n.slots[VALUE]);
  for (int a = 0; a < n.actions; a += CHUNK) {
    V visits = load(n.visits + a);
    V q = visits > 0 ? load(n.q + a) : value;
    store(out + a, q - scale.middle + rate * exp_(load(n.logit + a)) / (1.0f + visits));
  }
}

// sigma(completed q) of Danihelka et al. (2022), into `out`. Sums go action by action.
void sigma(const Rule& rule, const Node& n, float total, float* out) {
  const float value_scale = rule.params[0], offset = rule.params[1];
  const bool rescale = rule.params[2] > 0;
  float mass = 0, returned = 0;
  for (int a = 0; a < n.actions; a += CHUNK) {
    V p = larger(exp_(load(n.logit + a)), all(1e-30f));
    store(out + a, load(n.visits + a) > 0 ? p : all(0.0f));
  }
  for (int a = 0; a < n.actions; ++a) {
    mass += out[a];
    returned += out[a] * n.q[a];
  }
  returned /= std::max(mass, 1e-30f);
  V mixed = all((n.slots[VALUE] + total * returned) / (1.0f + total));
  V low = all(INFINITE), high = -low, most = all(0.0f);
  for (int a = 0; a < n.actions; a += CHUNK) {
    V visits = load(n.visits + a);
    V q = visits > 0 ? load(n.q + a) : mixed;
    Vi may = legal(load(n.logit + a)) & within(a, n.actions);
    most = larger(most, within(a, n.actions) ? visits : all(0.0f));
    low = smaller(low, may ? q : all(INFINITE));
    high = larger(high, may ? q : all(-INFINITE));
    store(out + a, q);
  }
  float least = -largest(-low), scale = (offset + largest(most)) * value_scale;
  float greatest = largest(high), range = above_rounding(greatest - least, least, greatest);
  for (int a = 0; a < n.actions; a += CHUNK) {
    V q = load(out + a);
    if (rescale) q = (q - least) / range;
    store(out + a, legal(load(n.logit + a)) ? scale * q : all(0.0f));
  }
}

void score_gumbel(const Rule& rule, const Node& n, float total, float* out) {
  sigma(rule, n, total, out);
  V tops = all(-INFINITE);
  for (int a = 0; a < n.actions; a += CHUNK) {
    V x = within(a, n.actions) ? load(out + a) + load(n.logit + a) : all(-INFINITE);
    tops = larger(tops, x);
    store(out + a, x);
  }
  float top = largest(tops), sum = 0;
  for (int a = 0; a < n.actions; a += CHUNK) store(out + a, exp_(load(out + a) - top));
  for (int a = 0; a < n.actions; ++a) sum += out[a];
  for (int a = 0; a < n.actions; a += CHUNK) {
    store(out + a, load(out + a) / sum - load(n.visits + a) / (1.0f + total));
  }
}

void score_chance(const Node& n, float* out) {
  for (int a = 0; a < n.actions; a += CHUNK) {
    store(out + a, exp_(load(n.logit + a)) / (1.0f + load(n.visits + a)));
  }
}

// The best action among those on offer, exact ties broken by `luck`. `scores` has room for a whole
// number of chunks.
int select(const Rule& rule, const Node& n, uint32_t luck, uint32_t at, float* scores) {
  const int actions = n.actions;
  V sums = all(0.0f), tops = all(-INFINITE);
  for (int a = 0; a < actions; a += CHUNK) {
    sums += within(a, actions) ? load(n.visits + a) : all(0.0f);
  }
  const float total = whole_sum(sums);
  bool chance = n.slots[CHANCE] > 0;
  if (chance) {
    score_chance(n, scores);
  } else {
    switch (rule.kind) {
      case UCT: score_uct(rule, n, total, scores); break;
      case PUCT: score_puct(rule, n, total, scores); break;
      default: score_gumbel(rule, n, total, scores); break;
    }
  }
  int offered = actions;
  if (rule.widths_size > 0 && !chance) {
    offered = rule.widths[std::min<int64_t>(int64_t(total), rule.widths_size - 1)];
    offered = std::min(offered, actions);
  }
  for (int a = 0; a < actions; a += CHUNK) {
    Vi may = within(a, offered) & legal(load(n.logit + a));
    V x = may ? load(scores + a) : all(-INFINITE);
    tops = larger(tops, x);
    store(scores + a, x);
  }
  const float top = largest(tops);
  // Without branches: which action is best is hard to foresee.
  int best = 0, ties = 0;
  for (int a = (actions - 1) / CHUNK * CHUNK; a >= 0; a -= CHUNK) {
    const unsigned equal = bits_of(load(scores + a) == top);
    best = equal ? a + __builtin_ctz(equal) : best;
    ties += __builtin_popcount(equal);
  }
  if (ties < 2) return best;
  uint32_t seed = mix(luck, at);
  float most = -1;
  for (int a = 0; a < actions; ++a) {
    if (scores[a] != top) continue;
    float mine = 1.0f + uniform(mix(seed, a));
    if (mine > most) most = mine, best = a;
  }
  return best;
}

}  // namespace
