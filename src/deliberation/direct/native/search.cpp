// One round of a batched tree search on the CPU, as an XLA FFI handler: `insert` adds what a model
// said of the last round's leaves to the trees and backs it up, `descend` follows a rule from the
// roots to the next leaves. They do what direct/portable.py does, in the same order and in single
// precision, on the same arrays: see direct/tree.py for the layout. Rows are independent and spread
// over the threads of XLA's own pool.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

enum Edge { VISITS, Q, LOGIT, CHILD, EDGE_SLOTS };
enum Slot { COUNT, TOTAL, VALUE, REWARD, DISCOUNT, SIGN, PARENT, ACTION, CHANCE, NODE_SLOTS };
enum Tally { SIMULATIONS, STEPS, EVALUATIONS, UNSOUND, STUCK, DONE, TALLY_SLOTS };
enum Kind { UCT, PUCT, GUMBEL, MCTX };  // from MCTX on: see mctx.h

constexpr float FORBIDDEN = -1e9f;
constexpr float FIRST = 2.5e8f;      // the score of an unvisited action where those come first
constexpr float INFINITE = std::numeric_limits<float>::infinity();
constexpr int IDLE = -2;             // a lane that takes no part; -1: the rule chooses at the root
constexpr int64_t BLOCK = 16;        // rows that a thread takes at a time
constexpr int CHUNK = 8;             // actions are scored so many at a time, which vectorises

// ---------------------------------------------------------------------------------------------
// Threads: the caller works too and takes whatever block is next, so that it never waits for a
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
  while (work->finished.load(std::memory_order_acquire) < work->blocks) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }
}

// ---------------------------------------------------------------------------------------------
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

inline float largest(V x) {
  float most = x[0];
  for (int i = 1; i < CHUNK; ++i) most = std::max(most, x[i]);
  return most;
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

// ---------------------------------------------------------------------------------------------
// Rules

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

void score_uct(const Rule& rule, const Node& n, float total, float* out) {
  float spread = lookup(rule, total);
  for (int a = 0; a < n.actions; a += CHUNK) {
    V visits = load(n.visits + a);
    V bonus = root_of(spread / larger(visits, all(1.0f)));
    store(out + a, visits > 0 ? load(n.q + a) + bonus : all(FIRST));
  }
  if (!rule.prove) return;
  for (int a = 0; a < n.actions; ++a) {
    if (n.child[a] < 0) out[a] = n.q[a];
  }
}

void score_puct(const Rule& rule, const Node& n, float total, float* out) {
  float rate = lookup(rule, total);
  V value = all(n.slots[VALUE]);
  for (int a = 0; a < n.actions; a += CHUNK) {
    V visits = load(n.visits + a);
    V q = visits > 0 ? load(n.q + a) : value;
    store(out + a, q + rate * exp_(load(n.logit + a)) / (1.0f + visits));
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
  float range = std::max(largest(high) - least, 1e-8f);
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
  float total = 0;
  for (int i = 0; i < CHUNK; ++i) total += sums[i];  // whole numbers: exact in any order
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
  float top = largest(tops);
  // Without branches: which action is best is hard to foresee.
  int best = 0, ties = 0;
  for (int a = actions - 1; a >= 0; --a) {
    bool equal = scores[a] == top;
    best = equal ? a : best;
    ties += equal;
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

#include "mctx.h"

// ---------------------------------------------------------------------------------------------
// Tree

struct Tree {
  float* edges;
  float* nodes;
  uint8_t* states;
  int64_t room, actions, bytes;
  bool running;  // the arithmetic of mctx: see Tree.running

  float* edge(int64_t row, int64_t node, int slot) const {
    return edges + ((row * room + node) * EDGE_SLOTS + slot) * actions;
  }
  float* slots(int64_t row, int64_t node) const { return nodes + (row * room + node) * NODE_SLOTS; }
  uint8_t* state(int64_t row, int64_t node) const { return states + (row * room + node) * bytes; }
};

// Most leaves of a state are one number: no call for those.
inline void copy(uint8_t* to, const uint8_t* from, int64_t size) {
  switch (size) {
    case 1: *to = *from; break;
    case 4: std::memcpy(to, from, 4); break;
    case 8: std::memcpy(to, from, 8); break;
    default: std::memcpy(to, from, size);
  }
}

inline ffi::AnyBuffer value_of(ffi::AnyBuffer buffer) { return buffer; }
inline ffi::AnyBuffer value_of(ffi::Result<ffi::AnyBuffer> buffer) { return *buffer; }

// Asks for memory that will be read soon; a few lines are enough to begin with.
inline void fetch(const void* data, size_t size) {
  const char* line = static_cast<const char*>(data);
  for (size_t i = 0; i < std::min<size_t>(size, 256); i += 64) __builtin_prefetch(line + i);
}

struct Piece {
  uint8_t* data;
  int64_t size;  // bytes of one lane
};

// The first so many buffers as a state's leaves, lane by lane.
template <typename Leaves>
ffi::Error pieces_of(Leaves& leaves, size_t count, int64_t lanes, std::vector<Piece>& out) {
  for (size_t i = 0; i < count; ++i) {
    auto leaf = leaves.template get<ffi::AnyBuffer>(i);
    if (!leaf.has_value()) return leaf.error();
    ffi::AnyBuffer buffer = value_of(leaf.value());
    out.push_back({static_cast<uint8_t*>(buffer.untyped_data()),
                   int64_t(buffer.size_bytes()) / lanes});
  }
  return ffi::Error::Success();
}

// Whether a node's value follows from its settled edges, and the best of them.
bool proved(const float* visits, const float* q, const float* logit, const float* child,
            int64_t actions, float ceiling, float* best) {
  bool all = true;
  *best = -INFINITE;
  for (int64_t a = 0; a < actions; ++a) {
    if (child[a] < 0) {
      *best = std::max(*best, q[a]);
    } else if (legal(logit[a])) {
      all = false;
    }
  }
  (void)visits;
  return all || *best >= ceiling;
}

struct Credit {
  float q, gain;
  bool exact;
};

// A node's value as the return by the edge into it.
inline float returned(const Tree& tree, const float* slots, float value) {
  if (tree.running) return mctx::fused(slots[DISCOUNT], value, slots[REWARD]);
  return slots[REWARD] + slots[DISCOUNT] * value;
}

// One edge and its node on the way up. `up.q` is the edge's mean return by now.
void credit(const Tree& tree, int64_t row, int64_t node, int64_t action, float ceiling_high,
            float ceiling_low, bool prove, Credit& up) {
  float *visits = tree.edge(row, node, VISITS), *q = tree.edge(row, node, Q),
        *logit = tree.edge(row, node, LOGIT), *child = tree.edge(row, node, CHILD),
        *slots = tree.slots(row, node);
  visits[action] += 1.0f;
  q[action] = up.q;
  float mean;
  if (tree.running) {
    mean = mctx::fused(slots[TOTAL], slots[COUNT], up.gain) / (slots[COUNT] + 1.0f);
    slots[TOTAL] = mean;
  } else {
    slots[TOTAL] += up.gain;
    mean = slots[TOTAL] / (slots[COUNT] + 1.0f);
  }
  slots[COUNT] += 1.0f;
  if (prove && up.exact) {
    child[action] = -std::fabs(child[action]);
    float best;
    float ceiling = slots[SIGN] > 0 ? ceiling_high : ceiling_low;
    up.exact = slots[CHANCE] <= 0 && proved(visits, q, logit, child, tree.actions, ceiling, &best);
    if (up.exact) slots[VALUE] = mean = best;
  }
  up.q = returned(tree, slots, mean);
  up.gain = returned(tree, slots, up.gain);
}

// ---------------------------------------------------------------------------------------------
// A round. Everything a row's thread needs is copied into its closure: plain pointers and sizes.

struct Lanes {
  int32_t *node, *action, *child, *number;
  bool* active;
};

// What a model found behind the edges of the last round. Without `legal` the logits are log-priors
// already and `sound` and `stuck` are given.
struct Found {
  const float *reward, *discount, *value, *sign, *logits;
  const bool *legal, *over, *chance, *sound, *stuck;
  const int32_t *steps, *evaluations;
  const float* ceilings;
};

// The log of the prior over legal actions, and whether all of their logits are finite.
bool log_prior(const float* logits, const bool* legal, int64_t actions, float* out) {
  size_t padded = (actions + CHUNK - 1) / CHUNK * CHUNK;
  float small[64];
  std::vector<float> large(padded > 32 ? 2 * padded : 0);
  float *shifted = padded > 32 ? large.data() : small, *weight = shifted + padded;
  float top = -INFINITE, mass = 0;
  bool finite = true;
  for (int64_t a = 0; a < actions; ++a) {
    finite = finite & (!legal[a] | (std::fabs(logits[a]) < INFINITE));
    shifted[a] = legal[a] ? logits[a] : -INFINITE;
    top = std::max(top, shifted[a]);
  }
  if (!std::isfinite(top)) top = 0;
  for (size_t a = actions; a < padded; ++a) shifted[a] = -INFINITE;
  for (size_t a = 0; a < padded; a += CHUNK) {
    V x = load(shifted + a) - top;
    store(shifted + a, x);
    store(weight + a, exp_(x));
  }
  for (int64_t a = 0; a < actions; ++a) mass += legal[a] ? weight[a] : 0.0f;
  float log_mass = std::log(std::max(mass, 1e-30f));
  for (int64_t a = 0; a < actions; ++a) {
    out[a] = legal[a] ? std::max(shifted[a] - log_mass, FORBIDDEN / 10) : FORBIDDEN;
  }
  return finite;
}

// Writes a node, the `visits`-th time that it is reached, below its edge and returns its number.
int64_t hang(const Tree& tree, int64_t row, int64_t lane, int64_t child, float visits,
             const Lanes& at, const Found& found, const Piece* piece, size_t count,
             int32_t* tally) {
  int64_t node = at.node[lane], action = at.action[lane], actions = tree.actions;
  float* e = tree.edge(row, child, 0);
  std::memset(e, 0, sizeof(float) * EDGE_SLOTS * actions);
  const float* logits = found.logits + lane * actions;
  bool over = found.over[lane], sound = std::isfinite(found.reward[lane]), stuck = false;
  if (found.legal != nullptr) {
    const bool* may = found.legal + lane * actions;
    bool any = false;
    for (int64_t a = 0; a < actions; ++a) any = any || may[a];
    bool finite = log_prior(logits, may, actions, e + LOGIT * actions);
    stuck = !over && !any;
    sound = sound && !stuck && (over || (finite && std::isfinite(found.value[lane])));
  } else {
    std::memcpy(e + LOGIT * actions, logits, sizeof(float) * actions);
    stuck = found.stuck[lane];
    sound = sound && found.sound[lane];
  }
  if (stuck) tally[STUCK] = 1;
  if (!sound) tally[UNSOUND] = 1;
  float* slots = tree.slots(row, child);
  slots[COUNT] = visits;
  slots[TOTAL] = slots[VALUE] = found.value[lane];
  slots[REWARD] = found.reward[lane];
  slots[DISCOUNT] = found.discount[lane];
  slots[SIGN] = found.sign[lane];
  slots[PARENT] = float(node);
  slots[ACTION] = float(action);
  slots[CHANCE] = found.chance[lane] ? 1.0f : 0.0f;
  uint8_t* to = tree.state(row, child);
  for (size_t i = 0; i < count; ++i) {
    copy(to, piece[i].data + lane * piece[i].size, piece[i].size);
    to += piece[i].size;
  }
  if (over) child = -child;
  tree.edge(row, node, CHILD)[action] = float(child);
  return child;
}

void insert(const Tree& tree, int64_t row, int64_t lanes, const Lanes& at, const Found& found,
            const Piece* piece, size_t count, bool prove, int32_t* size, int32_t* tally,
            float* gains) {
  bool proven = false;
  for (int64_t lane = row * lanes; lane < (row + 1) * lanes; ++lane) {
    gains[lane] = 0.0f;
    if (!at.active[lane]) continue;
    int64_t node = at.node[lane], action = at.action[lane], child = at.child[lane];
    tally[SIMULATIONS] += 1;
    tally[STEPS] += found.steps[lane];
    tally[EVALUATIONS] += found.evaluations[lane];
    if (child == 0) {
      child = hang(tree, row, lane, (*size)++, 1.0f, at, found, piece, count, tally);
    } else if (tree.running) {
      float visits = tree.slots(row, child)[COUNT] + 1.0f;
      child = hang(tree, row, lane, child, visits, at, found, piece, count, tally);
    } else {
      tree.slots(row, std::llabs(child))[COUNT] += 1.0f;
    }
    const float* leaf = tree.slots(row, std::llabs(child));
    float gain = returned(tree, leaf, leaf[VALUE]);
    Credit up{gain, gain, child < 0};
    while (true) {
      gains[lane] = up.gain;
      const float* here = tree.slots(row, node);
      int64_t parent = int64_t(here[PARENT]), from = int64_t(here[ACTION]);
      credit(tree, row, node, action, found.ceilings[0], found.ceilings[1], prove, up);
      if (node == 0) break;
      node = parent, action = from;
    }
    proven = proven || (prove && up.exact);
  }
  if (proven) tally[DONE] = 1;
  // A sum that overflowed shows at the root.
  const float* q = tree.edge(row, 0, Q);
  bool finite = std::isfinite(tree.slots(row, 0)[TOTAL]);
  for (int64_t a = 0; a < tree.actions; ++a) finite = finite && std::isfinite(q[a]);
  if (!finite) tally[UNSOUND] = 1;
}

struct Plan {
  const int32_t* limits;   // [rows, 2]: simulations, model steps
  const uint32_t* seeds;   // [rows]
  const int32_t* forced;   // [rows, lanes]
  const uint32_t* noise;   // [rows, lanes, 2], or none: from the seeds
  int32_t depth;
};

// How many simulations the row may still take.
int64_t left_of(const Tree& tree, int64_t row, const Plan& plan, const int32_t* tally,
                int32_t size) {
  if (tally[DONE]) return 0;
  int64_t most = std::min(plan.limits[2 * row], plan.limits[2 * row + 1]) - tally[SIMULATIONS];
  int64_t steps = int64_t(plan.limits[2 * row + 1]) - tally[STEPS];
  steps = std::max<int64_t>(steps, tally[SIMULATIONS] == 0);
  most = std::max<int64_t>(std::min(most, steps), 0);
  return std::min<int64_t>(most, tree.room - size);
}

struct Walker {
  int64_t row, lane;
  int32_t node, action, child, first;
  uint32_t luck;
};

// All lanes of some rows go down together, one level at a time: while one is at work, what the
// others read next is on its way from memory.
int descend(const Tree& tree, int64_t first_row, int64_t last_row, int64_t lanes, const Rule& rule,
            const Plan& plan, const Lanes& at, uint32_t* noise, const Piece* piece, size_t count,
            const int32_t* tallies, const int32_t* sizes) {
  // Scratch that a thread keeps from one call to the next.
  static thread_local std::vector<float> scores;
  static thread_local std::vector<Walker> walkers;
  size_t padded = (tree.actions + CHUNK - 1) / CHUNK * CHUNK;
  if (scores.size() < padded) scores.resize(padded);
  walkers.clear();
  for (int64_t row = first_row; row < last_row; ++row) {
    const int32_t* tally = tallies + row * TALLY_SLOTS;
    int64_t left = left_of(tree, row, plan, tally, sizes[row]);
    int32_t number = tally[SIMULATIONS];
    for (int64_t i = 0; i < lanes; ++i) {
      int64_t lane = row * lanes + i;
      int32_t first = plan.forced[lane];
      bool active = i < left && first != IDLE;
      number += active;
      noise[lane] = mix(plan.seeds[row], uint32_t(number));
      at.number[lane] = number, at.active[lane] = active;
      at.node[lane] = at.action[lane] = 0;
      at.child[lane] = int32_t(tree.edge(row, 0, CHILD)[0]);
      uint32_t luck = plan.noise != nullptr ? plan.noise[2 * lane] : noise[lane];
      if (active) walkers.push_back({row, lane, 0, 0, 0, first, luck});
    }
  }
  int going = int(walkers.size()), walking = going;
  for (int32_t d = 0; walking > 0; ++d) {
    int still = 0;
    for (int k = 0; k < walking; ++k) {
      Walker w = walkers[k];
      const float* e = tree.edge(w.row, w.node, 0);
      Node view{e, e + tree.actions, e + 2 * tree.actions, e + 3 * tree.actions,
                tree.slots(w.row, w.node), int(tree.actions)};
      if (d == 0 && w.first >= 0) {
        w.action = w.first;
      } else if (rule.kind >= MCTX) {
        w.action = mctx::select(rule, view, w.row, d, plan.noise + 2 * w.lane);
      } else {
        w.action = select(rule, view, w.luck, uint32_t(w.node), scores.data());
      }
      w.child = int32_t(view.child[w.action]);
      if (w.child > 0 && d + 1 < plan.depth) {
        w.node = w.child;
        fetch(tree.edge(w.row, w.node, 0), sizeof(float) * EDGE_SLOTS * tree.actions);
        fetch(tree.slots(w.row, w.node), sizeof(float) * NODE_SLOTS);
        walkers[still++] = w;
      } else {
        at.node[w.lane] = w.node, at.action[w.lane] = w.action, at.child[w.lane] = w.child;
        fetch(tree.state(w.row, w.node), tree.bytes);
      }
    }
    walking = still;
  }
  for (int64_t lane = first_row * lanes; lane < last_row * lanes; ++lane) {
    const uint8_t* from = tree.state(lane / lanes, at.node[lane]);
    for (size_t k = 0; k < count; ++k) {
      copy(piece[k].data + lane * piece[k].size, from, piece[k].size);
      from += piece[k].size;
    }
  }
  return going;
}

// Where XLA could not give the same memory in and out, work on a copy.
template <typename In, typename Out>
auto carried(In& in, Out& out) {
  if (out->typed_data() != in.typed_data()) {
    std::memcpy(out->typed_data(), in.typed_data(), in.size_bytes());
  }
  return out->typed_data();
}

template <typename B>
auto given(B& buffer) -> decltype(buffer.typed_data()) {
  return buffer.element_count() > 0 ? buffer.typed_data() : nullptr;
}

using F32 = ffi::Buffer<ffi::F32>;
using S32 = ffi::Buffer<ffi::S32>;
using U32 = ffi::Buffer<ffi::U32>;
using U8 = ffi::Buffer<ffi::U8>;
using Pred = ffi::Buffer<ffi::PRED>;
template <typename T>
using Out = ffi::Result<T>;

ffi::Error one_round(ffi::ThreadPool pool, F32 edges, F32 nodes, U8 states, S32 sizes, S32 tallies,
                 S32 limits, U32 seeds, S32 forced, U32 noise, F32 params, F32 table, S32 widths,
                 S32 leaf_node, S32 leaf_action, S32 leaf_child, Pred active, F32 reward,
                 F32 discount, F32 value, F32 sign, F32 logits, Pred legal, Pred over, Pred chance,
                 Pred sound, Pred stuck, S32 steps, S32 evaluations, F32 ceilings,
                 ffi::RemainingArgs found_states, Out<F32> edges_out, Out<F32> nodes_out,
                 Out<U8> states_out, Out<S32> sizes_out, Out<S32> tallies_out, Out<F32> gain_out,
                 Out<S32> node_out, Out<S32> action_out, Out<S32> child_out, Out<S32> number_out,
                 Out<Pred> active_out, Out<U32> noise_out, Out<S32> going_out,
                 ffi::RemainingRets asked_states, int32_t kind, int32_t prove, int32_t depth,
                 int32_t running, int32_t inserts, int32_t descends) {
  auto shape = edges.dimensions();
  Tree tree{carried(edges, edges_out), carried(nodes, nodes_out), carried(states, states_out),
            shape[1], shape[3], states.dimensions()[2], running != 0};
  int32_t *size = carried(sizes, sizes_out), *tally = carried(tallies, tallies_out);
  int64_t rows = shape[0];
  Rule rule{kind, params.typed_data(), table.typed_data(), int64_t(table.element_count()),
            widths.typed_data(), int64_t(widths.element_count()), prove != 0};
  Plan plan{limits.typed_data(), seeds.typed_data(), given(forced), given(noise), depth};
  Lanes last{given(leaf_node), given(leaf_action), given(leaf_child), nullptr, given(active)};
  Lanes next{node_out->typed_data(), action_out->typed_data(), child_out->typed_data(),
             number_out->typed_data(), active_out->typed_data()};
  Found found{given(reward), given(discount), given(value), given(sign), given(logits),
              given(legal), given(over), given(chance), given(sound), given(stuck),
              given(steps), given(evaluations), ceilings.typed_data()};
  int64_t width_in = inserts ? leaf_node.element_count() / rows : 0;
  int64_t width_out = descends ? forced.element_count() / rows : 0;
  std::vector<Piece> in, out;
  // Found states may be followed by those asked about, whose memory the next ones take over.
  size_t parts = descends ? asked_states.size() : found_states.size();
  if (inserts) {
    ffi::Error error = pieces_of(found_states, parts, rows * width_in, in);
    if (error.failure()) return error;
  }
  if (descends) {
    ffi::Error error = pieces_of(asked_states, parts, rows * width_out, out);
    if (error.failure()) return error;
  }
  const Piece *from = in.data(), *to = out.data();
  size_t from_count = in.size(), to_count = out.size();
  float* gains = gain_out->typed_data();
  uint32_t* luck = noise_out->typed_data();
  std::atomic<int32_t> going{0};
  std::atomic<int32_t>* counter = &going;

  for_blocks(pool, rows, std::max(width_in, width_out), [=](int64_t first, int64_t last_row) {
    for (int64_t row = first; width_in > 0 && row < last_row; ++row) {
      insert(tree, row, width_in, last, found, from, from_count, rule.prove, size + row,
             tally + row * TALLY_SLOTS, gains);
    }
    if (width_out == 0) return;
    int took = descend(tree, first, last_row, width_out, rule, plan, next, luck, to, to_count,
                       tally, size);
    if (took > 0) counter->fetch_add(took, std::memory_order_relaxed);
  });
  *going_out->typed_data() = going.load();
  return ffi::Error::Success();
}

// The keys of one simulation after another, (to simulate, to expand): what jax.random.split makes of
// a key in three, the first of which goes on.
ffi::Error keys(U32 start, Out<U32> out) {
  mctx::Words key{start.typed_data()[0], start.typed_data()[1]};
  uint32_t* to = out->typed_data();
  for (int64_t i = 0; i < out->dimensions()[0]; ++i) {
    for (uint32_t use = 1; use <= 2; ++use) {
      mctx::Words made = mctx::threefry(key, use);
      *to++ = made.a, *to++ = made.b;
    }
    key = mctx::threefry(key, 0);
  }
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(deliberation_keys, keys, ffi::Ffi::Bind().Arg<U32>().Ret<U32>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    deliberation_round, one_round,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        // The trees: edges, nodes, states, sizes, tallies
        .Arg<F32>().Arg<F32>().Arg<U8>().Arg<S32>().Arg<S32>()
        // What may be spent and how to choose: limits, seeds, forced, noise, params, table, widths
        .Arg<S32>().Arg<U32>().Arg<S32>().Arg<U32>().Arg<F32>().Arg<F32>().Arg<S32>()
        // The last round's lanes: node, action, child, active
        .Arg<S32>().Arg<S32>().Arg<S32>().Arg<Pred>()
        // What was found: reward, discount, value, sign, logits
        .Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>()
        // legal, over, chance, sound, stuck, steps, evaluations; ceilings
        .Arg<Pred>().Arg<Pred>().Arg<Pred>().Arg<Pred>().Arg<Pred>().Arg<S32>().Arg<S32>()
        .Arg<F32>()
        .RemainingArgs()
        .Ret<F32>().Ret<F32>().Ret<U8>().Ret<S32>().Ret<S32>()
        // gain; the next lanes: node, action, child, number, active, noise; how many take part
        .Ret<F32>().Ret<S32>().Ret<S32>().Ret<S32>().Ret<S32>().Ret<Pred>().Ret<U32>().Ret<S32>()
        .RemainingRets()
        .Attr<int32_t>("kind")
        .Attr<int32_t>("prove")
        .Attr<int32_t>("depth")
        .Attr<int32_t>("running")
        .Attr<int32_t>("inserts")
        .Attr<int32_t>("descends"));
