// The life of MC-AIXI-CTW on the CPU as an XLA FFI handler: learn one percept, then plan with rho-UCT
// (Veness et al. 2011). It does what direct/context_tree.py and direct/rho_uct.py do, in the same
// order, in double precision and from the same random words, on the same arrays: see there for the
// layout. Rows are independent and spread over the threads of XLA's own pool.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "threads.h"

namespace {

constexpr double LEAST = 1e-300, MOST = 1e300;

struct Node {
  int32_t child[2];  // 0 is none; child[0] < 0: seen once, for the bit at place -1 - child[0]
  int32_t count[2];
  double beta;  // P_kt / (P_w0 P_w1)
};
static_assert(sizeof(Node) == 24, "direct/context_tree.py lays nodes out like this");

struct Noise {
  uint32_t seed, drawn = 0;
  double operator()() {
    uint32_t x = seed + (drawn++ + 1) * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    return double((x ^ (x >> 16)) >> 8) * 0x1p-24;
  }
  int64_t below(int64_t n) { return std::min<int64_t>(int64_t((*this)() * double(n)), n - 1); }
};

inline double kt(const Node& node, int bit) {
  return (node.count[bit] + 0.5) / (double(node.count[0]) + node.count[1] + 1.0);
}

// The trees of one row, one for each bit of a percept, and the history that is their context.
struct Forest {
  Node* nodes;
  int64_t capacity;
  int32_t size;
  uint8_t* bits;
  int32_t length;
  int64_t depth;
  // What lies on the way to the current context, and what each node there says of a 1.
  std::vector<int32_t> path;
  std::vector<double> said, own;
  bool leaf = false;
  // Undoing: nodes as they were, for those that are older than `base`.
  bool undoable = false;
  int32_t base = 0;
  std::vector<std::pair<int32_t, Node>> journal;

  int context(int64_t place, int64_t d) const {
    int64_t at = place - 1 - d;
    return at < 0 ? 0 : bits[at];
  }

  void keep(int32_t node) {
    if (undoable && node < base) journal.push_back({node, nodes[node]});
  }

  int32_t make(int bit, int32_t place) {
    Node& node = nodes[size];
    node = {{-1 - place, 0}, {bit == 0, bit == 1}, 1.0};
    return size++;
  }

  // Give a node that was seen once the child that lay on its way then; false if there is no room.
  bool expand(int32_t at, int64_t d) {
    Node& node = nodes[at];
    if (size >= capacity || node.count[0] + node.count[1] != 1) return false;
    keep(at);
    int32_t place = -1 - node.child[0];
    node.child[0] = node.child[1] = 0;
    int way = context(place, d);
    int32_t child = make(node.count[1], place);
    nodes[at].child[way] = child;
    return true;
  }

  double probability(int64_t tree) {
    path.clear();
    int64_t most = depth + tree, d = 0;
    int32_t at = int32_t(tree);
    path.push_back(at);
    bool missing = false;
    while (d < most) {
      if (nodes[at].child[0] < 0 && !expand(at, d)) break;
      int32_t child = nodes[at].child[context(length, d)];
      if (child == 0) {
        missing = size < capacity;
        break;
      }
      path.push_back(child);
      at = child;
      ++d;
    }
    leaf = !missing;
    said.resize(path.size() + 1);
    own.resize(path.size());
    double below = 0.5;
    said[path.size()] = below;
    for (int64_t i = int64_t(path.size()) - 1; i >= 0; --i) {
      const Node& node = nodes[path[i]];
      own[i] = kt(node, 1);
      below = leaf && i + 1 == int64_t(path.size())
                  ? own[i]
                  : (node.beta * own[i] + below) / (node.beta + 1.0);
      said[i] = below;
    }
    return below;
  }

  // Learn the bit that `probability` was last asked about, and append it to the history.
  void learn(int bit) {
    int64_t last = int64_t(path.size()) - 1;
    for (int64_t i = 0; i <= last; ++i) {
      keep(path[i]);
      Node& node = nodes[path[i]];
      if (!(leaf && i == last)) {
        double below = bit ? said[i + 1] : 1.0 - said[i + 1];
        double mine = bit ? own[i] : kt(node, 0);
        node.beta = std::min(std::max(node.beta * mine / below, LEAST), MOST);
      }
      ++node.count[bit];
    }
    if (!leaf) {
      int way = context(length, last);
      int32_t child = make(bit, length);
      nodes[path[last]].child[way] = child;
    }
    bits[length++] = uint8_t(bit);
  }

  void push(int64_t code, int64_t width) {
    for (int64_t i = width - 1; i >= 0; --i) bits[length++] = uint8_t((code >> i) & 1);
  }

  void learn_code(int64_t code, int64_t width) {
    for (int64_t i = 0; i < width; ++i) {
      probability(i);
      learn(int((code >> (width - 1 - i)) & 1));
    }
  }

  int64_t sample(int64_t width, Noise& noise) {
    int64_t code = 0;
    for (int64_t i = 0; i < width; ++i) {
      double p = probability(i);
      int bit = noise() < p;
      learn(bit);
      code = 2 * code + bit;
    }
    return code;
  }

  void revert(int32_t old_length) {
    for (auto it = journal.rbegin(); it != journal.rend(); ++it) nodes[it->first] = it->second;
    journal.clear();
    size = base;
    length = old_length;
  }
};

struct Terms {
  int64_t actions, action_bits, percept_bits, reward_bits, low, high, horizon;
  double c;
};

// The decision nodes of one search; edges are chance nodes.
struct Tree {
  int64_t actions;
  std::vector<int32_t> visits, edge_visits;
  std::vector<double> edge_total;
  std::unordered_map<uint64_t, int32_t> children;

  int32_t add() {
    visits.push_back(0);
    edge_visits.resize(edge_visits.size() + actions, 0);
    edge_total.resize(edge_total.size() + actions, 0.0);
    return int32_t(visits.size()) - 1;
  }

  // The node after an edge and a percept, and whether it was there already.
  std::pair<int32_t, bool> follow(int64_t edge, int64_t percept) {
    // A percept has fewer than 32 bits.
    auto [place, fresh] = children.try_emplace(uint64_t(edge) << 32 | uint64_t(percept), 0);
    if (!fresh) return {place->second, true};
    int32_t node = place->second = add();
    return {node, false};
  }
};

int64_t select(const Tree& tree, int32_t node, int64_t left, const Terms& terms, const bool* legal,
               Noise& noise) {
  const int32_t* visits = &tree.edge_visits[node * terms.actions];
  const double* total = &tree.edge_total[node * terms.actions];
  double best = -1.0, scale = double(left) * double(terms.high - terms.low);
  int64_t ties = 0, chosen = -1;
  for (int64_t a = 0; a < terms.actions; ++a) {
    if (legal && !legal[a]) continue;
    double score = INFINITY;
    if (visits[a] > 0) {
      double mean = total[a] / visits[a];
      score = mean / scale + terms.c * std::sqrt(std::log(double(tree.visits[node])) / visits[a]);
    }
    if (score > best) {
      best = score;
      ties = 0;
    }
    if (score == best) {
      ++ties;
      if (ties == 1 || noise.below(ties) == 0) chosen = a;
    }
  }
  return chosen;
}

void simulate(Forest& forest, Tree& tree, const Terms& terms, const bool* legal, Noise& noise) {
  std::vector<std::pair<int32_t, int64_t>> way;
  std::vector<double> rewards;
  int32_t node = 0, length = forest.length;
  bool inside = true;
  int64_t mask = (int64_t(1) << terms.reward_bits) - 1;
  for (int64_t t = 0; t < terms.horizon; ++t) {
    int64_t action = inside ? select(tree, node, terms.horizon - t, terms, t ? nullptr : legal, noise)
                            : noise.below(terms.actions);
    forest.push(action, terms.action_bits);
    int64_t percept = forest.sample(terms.percept_bits, noise);
    rewards.push_back(double(std::min(percept & mask, terms.high - terms.low)));
    if (inside) {
      way.push_back({node, action});
      auto [next, known] = tree.follow(node * terms.actions + action, percept);
      if (!known) tree.visits[next] = 1;
      inside = known;
      node = next;
    }
  }
  double back = 0.0;
  for (int64_t t = terms.horizon - 1; t >= 0; --t) {
    back += rewards[t];
    if (t < int64_t(way.size())) {
      auto [at, action] = way[t];
      ++tree.visits[at];
      ++tree.edge_visits[at * terms.actions + action];
      tree.edge_total[at * terms.actions + action] += back;
    }
  }
  forest.revert(length);
}

using S32 = ffi::Buffer<ffi::S32>;
using U32 = ffi::Buffer<ffi::U32>;
using U8 = ffi::Buffer<ffi::U8>;
using F32 = ffi::Buffer<ffi::F32>;
using Pred = ffi::Buffer<ffi::PRED>;
template <typename T>
using Out = ffi::Result<T>;

// Where XLA could not give the same memory in and out, work on a copy.
template <typename In, typename O>
auto carried(In& in, O& out) {
  if (out->typed_data() != in.typed_data()) {
    std::memcpy(out->typed_data(), in.typed_data(), in.size_bytes());
  }
  return out->typed_data();
}

ffi::Error cycle(ffi::ThreadPool pool, U32 nodes, S32 size, U8 history, S32 length, S32 orders,
                 Pred legal, U32 seeds, Out<U32> nodes_out, Out<S32> size_out, Out<U8> history_out,
                 Out<S32> length_out, Out<S32> visits_out, Out<F32> values_out, int32_t depth,
                 int32_t action_bits, int32_t percept_bits, int32_t reward_bits, int32_t low,
                 int32_t high, int32_t horizon, float c) {
  int64_t rows = size.element_count(), actions = legal.dimensions()[1];
  int64_t capacity = nodes.dimensions()[1], places = history.dimensions()[1];
  auto* all = reinterpret_cast<Node*>(carried(nodes, nodes_out));
  int32_t *sizes = carried(size, size_out), *lengths = carried(length, length_out);
  uint8_t* bits = carried(history, history_out);
  const int32_t* order = orders.typed_data();
  const bool* allowed = legal.typed_data();
  const uint32_t* seed = seeds.typed_data();
  int32_t* visits = visits_out->typed_data();
  float* values = values_out->typed_data();
  Terms terms{actions, action_bits, percept_bits, reward_bits, low, high, horizon, double(c)};
  int64_t each = action_bits + percept_bits;
  for_blocks(pool, rows, 1000, [=](int64_t first, int64_t last) {
    Forest forest;
    for (int64_t row = first; row < last; ++row) {
      const int32_t* told = order + row * 4;  // learns, action, percept, simulations
      forest.nodes = all + row * capacity;
      forest.capacity = capacity;
      forest.size = sizes[row];
      forest.bits = bits + row * places;
      forest.length = lengths[row];
      forest.depth = depth;
      forest.undoable = false;
      bool room = forest.length + each * (horizon + 1) <= places;
      if (told[0] > 0 && room) {
        forest.push(told[1], action_bits);
        if (told[0] == 1) forest.learn_code(told[2], percept_bits);
        else forest.push(told[2], percept_bits);
      }
      sizes[row] = forest.size;
      lengths[row] = forest.length;
      Tree tree{actions, {}, {}, {}, {}};
      tree.add();
      Noise noise{seed[row]};
      forest.undoable = true;
      forest.base = forest.size;
      for (int32_t n = 0; n < told[3]; ++n) {
        simulate(forest, tree, terms, allowed + row * actions, noise);
      }
      for (int64_t a = 0; a < actions; ++a) {
        int32_t n = tree.edge_visits[a];
        visits[row * actions + a] = n;
        values[row * actions + a] = n ? float(tree.edge_total[a] / n + double(horizon) * low) : 0.f;
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    deliberation_aixi, cycle,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        .Arg<U32>().Arg<S32>().Arg<U8>().Arg<S32>().Arg<S32>().Arg<Pred>().Arg<U32>()
        .Ret<U32>().Ret<S32>().Ret<U8>().Ret<S32>().Ret<S32>().Ret<F32>()
        .Attr<int32_t>("depth").Attr<int32_t>("action_bits").Attr<int32_t>("percept_bits")
        .Attr<int32_t>("reward_bits").Attr<int32_t>("low").Attr<int32_t>("high")
        .Attr<int32_t>("horizon").Attr<float>("c"));
