// The two steps of a batched tree search that touch the tree, as XLA FFI handlers for the CPU:
// `descend` follows a rule from the roots to the leaves, `insert` adds what a model said of them
// and backs it up. They do what direct/portable.py does, in the same order and in single precision,
// on the same arrays: see direct/tree.py for the layout. Rows are independent and spread over the
// threads of XLA's own pool.

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
enum Kind { UCT, PUCT, GUMBEL, MUZERO_SIBLINGS, MUZERO_MIN_MAX, GUMBEL_MCTX };

constexpr float FORBIDDEN = -1e9f;
constexpr float FIRST = 2.5e8f;      // the score of an unvisited action where those come first
constexpr float INFINITE = std::numeric_limits<float>::infinity();
constexpr int IDLE = -2;             // a lane that takes no part; -1: the rule chooses at the root

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
    int64_t last = std::min(first + work.block, work.total);
    for (int64_t i = first; i < last; ++i) each(i);
    work.finished.fetch_add(1, std::memory_order_release);
  }
}

template <typename F>
void for_rows(ffi::ThreadPool& pool, int64_t rows, int64_t lanes, F each) {
  int64_t threads = pool.num_threads();
  if (threads < 2 || rows < 2 || rows * lanes < 24) {
    for (int64_t i = 0; i < rows; ++i) each(i);
    return;
  }
  auto work = std::make_shared<Work>();
  work->total = rows;
  work->block = std::max<int64_t>(1, rows / (4 * threads));
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

// exp for x <= 0 (Cephes' polynomial, single precision), in a form that compilers vectorise.
inline float exp_(float x) {
  x = std::max(x, -87.0f);
  float n = std::floor(x * 1.44269504088896341f + 0.5f);
  float r = x - n * 0.693359375f - n * -2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  int32_t bits = (int32_t(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, 4);
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

inline float lookup(const Rule& rule, float visits) {
  int64_t i = std::min<int64_t>(int64_t(visits), rule.table_size - 1);
  return rule.table[i];
}

void score_uct(const Rule& rule, const Node& n, float total, float* out) {
  float spread = lookup(rule, total);
  for (int a = 0; a < n.actions; ++a) {
    float bonus = std::sqrt(spread / std::max(n.visits[a], 1.0f));
    if (rule.prove && n.child[a] < 0) bonus = 0.0f;
    out[a] = n.visits[a] > 0 ? n.q[a] + bonus : FIRST;
  }
}

void score_puct(const Rule& rule, const Node& n, float total, float* out) {
  float rate = lookup(rule, total), value = n.slots[VALUE];
  for (int a = 0; a < n.actions; ++a) {
    float q = n.visits[a] > 0 ? n.q[a] : value;
    out[a] = q + rate * exp_(n.logit[a]) / (1.0f + n.visits[a]);
  }
}

// sigma(completed q) of Danihelka et al. (2022), into `out`.
void sigma(const Rule& rule, const Node& n, float total, float* out) {
  const float value_scale = rule.params[0], offset = rule.params[1];
  const bool rescale = rule.params[2] > 0;
  float mass = 0, returned = 0, most = 0;
  for (int a = 0; a < n.actions; ++a) {
    float p = n.visits[a] > 0 ? std::max(exp_(n.logit[a]), 1e-30f) : 0.0f;
    mass += p;
    returned += p * n.q[a];
    most = std::max(most, n.visits[a]);
  }
  returned /= std::max(mass, 1e-30f);
  float mixed = (n.slots[VALUE] + total * returned) / (1.0f + total);
  float low = INFINITE, high = -INFINITE;
  for (int a = 0; a < n.actions; ++a) {
    out[a] = n.visits[a] > 0 ? n.q[a] : mixed;
    low = std::min(low, legal(n.logit[a]) ? out[a] : INFINITE);
    high = std::max(high, legal(n.logit[a]) ? out[a] : -INFINITE);
  }
  float scale = (offset + most) * value_scale;
  float range = std::max(high - low, 1e-8f);
  for (int a = 0; a < n.actions; ++a) {
    float q = rescale ? (out[a] - low) / range : out[a];
    out[a] = legal(n.logit[a]) ? scale * q : 0.0f;
  }
}

void score_gumbel(const Rule& rule, const Node& n, float total, float* out) {
  sigma(rule, n, total, out);
  float top = -INFINITE, sum = 0;
  for (int a = 0; a < n.actions; ++a) {
    out[a] += n.logit[a];
    top = std::max(top, out[a]);
  }
  for (int a = 0; a < n.actions; ++a) {
    out[a] = exp_(out[a] - top);
    sum += out[a];
  }
  for (int a = 0; a < n.actions; ++a) out[a] = out[a] / sum - n.visits[a] / (1.0f + total);
}

void score_chance(const Node& n, float* out) {
  for (int a = 0; a < n.actions; ++a) out[a] = exp_(n.logit[a]) / (1.0f + n.visits[a]);
}

int select(const Rule& rule, const Node& n, uint32_t seed, float* scores) {
  float total = 0;
  for (int a = 0; a < n.actions; ++a) total += n.visits[a];
  if (n.slots[CHANCE] > 0) {
    score_chance(n, scores);
  } else {
    switch (rule.kind) {
      case UCT: score_uct(rule, n, total, scores); break;
      case PUCT: score_puct(rule, n, total, scores); break;
      default: score_gumbel(rule, n, total, scores); break;
    }
  }
  int offered = n.actions;
  if (rule.widths_size > 0 && n.slots[CHANCE] <= 0) {
    offered = rule.widths[std::min<int64_t>(int64_t(total), rule.widths_size - 1)];
  }
  int best = 0, ties = 0;
  float top = -INFINITE;
  for (int a = 0; a < n.actions; ++a) {
    if (!legal(n.logit[a]) || a >= offered) continue;
    if (scores[a] > top) {
      top = scores[a], best = a, ties = 1;
    } else if (scores[a] == top) {
      ++ties;
    }
  }
  if (ties < 2) return best;
  float luck = -1;
  for (int a = 0; a < n.actions; ++a) {
    if (!legal(n.logit[a]) || a >= offered || scores[a] != top) continue;
    float mine = 1.0f + uniform(mix(seed, a));
    if (mine > luck) luck = mine, best = a;
  }
  return best;
}

// ---------------------------------------------------------------------------------------------
// Tree

struct Tree {
  float* edges;
  float* nodes;
  uint8_t* states;
  int64_t room, actions, bytes;

  float* edge(int64_t row, int64_t node, int slot) const {
    return edges + ((row * room + node) * EDGE_SLOTS + slot) * actions;
  }
  float* slots(int64_t row, int64_t node) const { return nodes + (row * room + node) * NODE_SLOTS; }
  uint8_t* state(int64_t row, int64_t node) const { return states + (row * room + node) * bytes; }
};

struct Piece {
  uint8_t* data;
  int64_t size;  // bytes of one lane
};

ffi::Error descend(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> edges, ffi::Buffer<ffi::F32> nodes,
                   ffi::Buffer<ffi::U8> states, ffi::Buffer<ffi::S32> forced,
                   ffi::Buffer<ffi::U32> noise, ffi::Buffer<ffi::F32> params,
                   ffi::Buffer<ffi::F32> table, ffi::Buffer<ffi::S32> widths,
                   ffi::Result<ffi::Buffer<ffi::S32>> node_out,
                   ffi::Result<ffi::Buffer<ffi::S32>> action_out,
                   ffi::Result<ffi::Buffer<ffi::S32>> child_out, ffi::RemainingRets leaves,
                   int32_t kind, int32_t prove, int32_t depth) {
  auto shape = edges.dimensions();
  Tree tree{edges.typed_data(), nodes.typed_data(), states.typed_data(),
            shape[1], shape[3], states.dimensions()[2]};
  int64_t rows = shape[0], lanes = forced.dimensions()[1];
  Rule rule{kind, params.typed_data(), table.typed_data(), int64_t(table.element_count()),
            widths.typed_data(), int64_t(widths.element_count()), prove != 0};
  std::vector<Piece> pieces;
  for (size_t i = 0; i < leaves.size(); ++i) {
    auto leaf = leaves.get<ffi::AnyBuffer>(i);
    if (!leaf.has_value()) return leaf.error();
    auto buffer = *leaf.value();
    pieces.push_back({static_cast<uint8_t*>(buffer.untyped_data()),
                      int64_t(buffer.size_bytes()) / (rows * lanes)});
  }
  const int32_t* want = forced.typed_data();
  const uint32_t* seeds = noise.typed_data();
  int32_t *at_node = node_out->typed_data(), *at_action = action_out->typed_data(),
          *at_child = child_out->typed_data();
  const Piece* piece = pieces.data();
  size_t count = pieces.size();

  for_rows(pool, rows, lanes, [=](int64_t row) {
    // One row's scratch; a thread keeps it from one call to the next.
    static thread_local std::vector<float> scores;
    if (int64_t(scores.size()) < tree.actions) scores.resize(tree.actions);
    for (int64_t lane = row * lanes; lane < (row + 1) * lanes; ++lane) {
      int32_t node = 0, action = 0, child = 0;
      if (want[lane] != IDLE) {
        for (int32_t d = 0; d < depth; ++d) {
          const float* e = tree.edge(row, node, 0);
          Node view{e, e + tree.actions, e + 2 * tree.actions, e + 3 * tree.actions,
                    tree.slots(row, node), int(tree.actions)};
          action = d == 0 && want[lane] >= 0
                       ? want[lane]
                       : select(rule, view, mix(seeds[2 * lane], uint32_t(node)), scores.data());
          child = int32_t(view.child[action]);
          if (child <= 0 || d + 1 == depth) break;
          node = child;
        }
      } else {
        child = int32_t(tree.edge(row, 0, CHILD)[0]);
      }
      at_node[lane] = node, at_action[lane] = action, at_child[lane] = child;
      const uint8_t* from = tree.state(row, node);
      for (size_t i = 0; i < count; ++i) {
        std::memcpy(piece[i].data + lane * piece[i].size, from, piece[i].size);
        from += piece[i].size;
      }
    }
  });
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

// One edge and its node on the way up. `up.q` is the edge's mean return by now.
void credit(const Tree& tree, int64_t row, int64_t node, int64_t action, float ceiling_high,
            float ceiling_low, bool prove, Credit& up) {
  float *visits = tree.edge(row, node, VISITS), *q = tree.edge(row, node, Q),
        *logit = tree.edge(row, node, LOGIT), *child = tree.edge(row, node, CHILD),
        *slots = tree.slots(row, node);
  visits[action] += 1.0f;
  q[action] = up.q;
  slots[TOTAL] += up.gain;
  slots[COUNT] += 1.0f;
  float mean = slots[TOTAL] / slots[COUNT];
  if (prove && up.exact) {
    child[action] = -std::fabs(child[action]);
    float best;
    float ceiling = slots[SIGN] > 0 ? ceiling_high : ceiling_low;
    up.exact = slots[CHANCE] <= 0 && proved(visits, q, logit, child, tree.actions, ceiling, &best);
    if (up.exact) slots[VALUE] = mean = best;
  }
  up.q = slots[REWARD] + slots[DISCOUNT] * mean;
  up.gain = slots[REWARD] + slots[DISCOUNT] * up.gain;
}

ffi::Error insert(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> edges, ffi::Buffer<ffi::F32> nodes,
                  ffi::Buffer<ffi::U8> states, ffi::Buffer<ffi::S32> sizes,
                  ffi::Buffer<ffi::S32> leaf_node, ffi::Buffer<ffi::S32> leaf_action,
                  ffi::Buffer<ffi::S32> leaf_child, ffi::Buffer<ffi::PRED> active,
                  ffi::Buffer<ffi::F32> reward, ffi::Buffer<ffi::F32> discount,
                  ffi::Buffer<ffi::F32> value, ffi::Buffer<ffi::F32> sign,
                  ffi::Buffer<ffi::F32> logits, ffi::Buffer<ffi::PRED> over,
                  ffi::Buffer<ffi::PRED> chance, ffi::Buffer<ffi::F32> ceilings,
                  ffi::RemainingArgs leaves, ffi::Result<ffi::Buffer<ffi::F32>> edges_out,
                  ffi::Result<ffi::Buffer<ffi::F32>> nodes_out,
                  ffi::Result<ffi::Buffer<ffi::U8>> states_out,
                  ffi::Result<ffi::Buffer<ffi::S32>> sizes_out,
                  ffi::Result<ffi::Buffer<ffi::PRED>> done_out,
                  ffi::Result<ffi::Buffer<ffi::F32>> gain_out, int32_t prove) {
  auto shape = edges.dimensions();
  Tree tree{edges_out->typed_data(), nodes_out->typed_data(), states_out->typed_data(),
            shape[1], shape[3], states.dimensions()[2]};
  // Where XLA could not give the same memory in and out, work on a copy.
  if (tree.edges != edges.typed_data()) {
    std::memcpy(tree.edges, edges.typed_data(), edges.size_bytes());
  }
  if (tree.nodes != nodes.typed_data()) {
    std::memcpy(tree.nodes, nodes.typed_data(), nodes.size_bytes());
  }
  if (tree.states != states.typed_data()) {
    std::memcpy(tree.states, states.typed_data(), states.size_bytes());
  }
  int32_t* size = sizes_out->typed_data();
  if (size != sizes.typed_data()) std::memcpy(size, sizes.typed_data(), sizes.size_bytes());

  int64_t rows = shape[0], lanes = leaf_node.dimensions()[1], actions = tree.actions;
  std::vector<Piece> pieces;
  for (size_t i = 0; i < leaves.size(); ++i) {
    auto leaf = leaves.get<ffi::AnyBuffer>(i);
    if (!leaf.has_value()) return leaf.error();
    pieces.push_back({static_cast<uint8_t*>(leaf->untyped_data()),
                      int64_t(leaf->size_bytes()) / (rows * lanes)});
  }
  const int32_t *l_node = leaf_node.typed_data(), *l_action = leaf_action.typed_data(),
                *l_child = leaf_child.typed_data();
  const bool *on = active.typed_data(), *ends = over.typed_data(), *luck = chance.typed_data();
  const float *r = reward.typed_data(), *g = discount.typed_data(), *v = value.typed_data(),
              *s = sign.typed_data(), *l = logits.typed_data(), *top = ceilings.typed_data();
  bool* done = done_out->typed_data();
  float* gains = gain_out->typed_data();
  const Piece* piece = pieces.data();
  size_t count = pieces.size();
  bool proving = prove != 0;

  for_rows(pool, rows, lanes, [=](int64_t row) {
    done[row] = false;
    for (int64_t lane = row * lanes; lane < (row + 1) * lanes; ++lane) {
      gains[lane] = 0.0f;
      if (!on[lane]) continue;
      int64_t node = l_node[lane], action = l_action[lane], child = l_child[lane];
      if (child == 0) {
        child = size[row]++;
        float* e = tree.edge(row, child, 0);
        std::memset(e, 0, sizeof(float) * EDGE_SLOTS * actions);
        std::memcpy(e + LOGIT * actions, l + lane * actions, sizeof(float) * actions);
        float* slots = tree.slots(row, child);
        slots[COUNT] = 1.0f;
        slots[TOTAL] = slots[VALUE] = v[lane];
        slots[REWARD] = r[lane];
        slots[DISCOUNT] = g[lane];
        slots[SIGN] = s[lane];
        slots[PARENT] = float(node);
        slots[ACTION] = float(action);
        slots[CHANCE] = luck[lane] ? 1.0f : 0.0f;
        uint8_t* to = tree.state(row, child);
        for (size_t i = 0; i < count; ++i) {
          std::memcpy(to, piece[i].data + lane * piece[i].size, piece[i].size);
          to += piece[i].size;
        }
        if (ends[lane]) child = -child;
        tree.edge(row, node, CHILD)[action] = float(child);
      } else {
        tree.slots(row, std::llabs(child))[COUNT] += 1.0f;
      }
      const float* leaf = tree.slots(row, std::llabs(child));
      float gain = leaf[REWARD] + leaf[DISCOUNT] * leaf[VALUE];
      Credit up{gain, gain, child < 0};
      while (true) {
        gains[lane] = up.gain;
        const float* here = tree.slots(row, node);
        int64_t parent = int64_t(here[PARENT]), from = int64_t(here[ACTION]);
        credit(tree, row, node, action, top[0], top[1], proving, up);
        if (node == 0) break;
        node = parent, action = from;
      }
      done[row] = done[row] || (proving && up.exact);
    }
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    deliberation_descend, descend,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::U8>>()
        .Arg<ffi::Buffer<ffi::S32>>()
        .Arg<ffi::Buffer<ffi::U32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::S32>>()
        .Ret<ffi::Buffer<ffi::S32>>()
        .Ret<ffi::Buffer<ffi::S32>>()
        .Ret<ffi::Buffer<ffi::S32>>()
        .RemainingRets()
        .Attr<int32_t>("kind")
        .Attr<int32_t>("prove")
        .Attr<int32_t>("depth"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    deliberation_insert, insert,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::U8>>()
        .Arg<ffi::Buffer<ffi::S32>>()
        .Arg<ffi::Buffer<ffi::S32>>()
        .Arg<ffi::Buffer<ffi::S32>>()
        .Arg<ffi::Buffer<ffi::S32>>()
        .Arg<ffi::Buffer<ffi::PRED>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .Arg<ffi::Buffer<ffi::PRED>>()
        .Arg<ffi::Buffer<ffi::PRED>>()
        .Arg<ffi::Buffer<ffi::F32>>()
        .RemainingArgs()
        .Ret<ffi::Buffer<ffi::F32>>()
        .Ret<ffi::Buffer<ffi::F32>>()
        .Ret<ffi::Buffer<ffi::U8>>()
        .Ret<ffi::Buffer<ffi::S32>>()
        .Ret<ffi::Buffer<ffi::PRED>>()
        .Ret<ffi::Buffer<ffi::F32>>()
        .Attr<int32_t>("prove"));
