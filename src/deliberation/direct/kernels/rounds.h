// What a round does to the tree of a row: `insert` (expand and back up) and `descend`, as in
// direct/tree_search/backends/portable.py.

#pragma once

#include "rules.h"

#include "mctx.h"
#include "prior.h"

namespace {

struct Tree {
  float* edges;
  float* nodes;
  uint8_t* states;
  int64_t room, actions, bytes;
  bool by_simulation, means;  // see Bookkeeping in tree_search/tree.py

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

// Asks for memory that will be read soon; a few lines are enough to begin with.
inline void fetch(const void* data, size_t size) {
  const char* line = static_cast<const char*>(data);
  for (size_t i = 0; i < std::min<size_t>(size, 256); i += 64) __builtin_prefetch(line + i);
}

struct Piece {
  uint8_t* data;
  int64_t size;  // bytes of one lane
};

// Whether a node's value follows from its settled edges, and the best of them.
bool proved(const float* q, const float* logit, const float* child, int64_t actions,
            float ceiling, float* best) {
  bool all = true;
  *best = -INFINITE;
  for (int64_t a = 0; a < actions; ++a) {
    if (child[a] < 0) {
      *best = std::max(*best, q[a]);
    } else if (legal(logit[a])) {
      all = false;
    }
  }
  return all || *best >= ceiling;
}

struct Return {
  float q, gain;
  bool exact;
};

// A node's value as the return by the edge into it.
inline float returned(const Tree& tree, const float* slots, float value) {
  if (tree.means) return mctx::fused(slots[DISCOUNT], value, slots[REWARD]);
  return slots[REWARD] + slots[DISCOUNT] * value;
}

// One edge and its node on the way up. `up.q` is the edge's mean return by now.
void backup(const Tree& tree, int64_t row, int64_t node, int64_t action, float ceiling_high,
            float ceiling_low, bool prove, Return& up) {
  float *visits = tree.edge(row, node, VISITS), *q = tree.edge(row, node, Q),
        *logit = tree.edge(row, node, LOGIT), *child = tree.edge(row, node, CHILD),
        *slots = tree.slots(row, node);
  // A lane beside this one has settled the edge: it returns what it is known to be worth.
  if (prove && child[action] < 0 && !up.exact) up = {q[action], q[action], true};
  visits[action] += 1.0f;
  q[action] = up.q;
  float mean;
  if (tree.means) {
    mean = mctx::fused(slots[TOTAL], slots[COUNT], up.gain) / (slots[COUNT] + 1.0f);
    slots[TOTAL] = mean;
  } else {
    slots[TOTAL] += up.gain;
    mean = slots[TOTAL] / (slots[COUNT] + 1.0f);
  }
  slots[COUNT] += 1.0f;
  slots[LOW] = std::min(slots[LOW], up.gain);
  slots[HIGH] = std::max(slots[HIGH], up.gain);
  if (prove && up.exact) {
    child[action] = -std::fabs(child[action]);
    float best;
    float ceiling = slots[SIGN] > 0 ? ceiling_high : ceiling_low;
    up.exact = slots[CHANCE] <= 0 && proved(q, logit, child, tree.actions, ceiling, &best);
    if (up.exact) slots[VALUE] = mean = best;
  }
  up.q = returned(tree, slots, mean);
  up.gain = returned(tree, slots, up.gain);
}

struct Lanes {
  int32_t *node, *action, *child, *number;
  bool* active;
  int32_t* depth;  // the actions from the root through the edge; outcomes of chance are none
};

// What a model found behind the edges of the last round. Without `legal` the logits are log-priors
// already and `stuck` is given; with it `stuck` may say where a playout led nowhere.
struct Found {
  const float *reward, *discount, *value, *sign, *logits;
  const bool *legal, *over, *chance, *stuck;
  const int32_t *faults, *steps, *evaluations;
  const float *ceilings, *known;
  int64_t lanes;
};

// Another judgement of a node that a lane beside this one has made just now.
void join(const Tree& tree, int64_t row, int64_t lane, int64_t child, const Found& found,
          int32_t* tally) {
  float *slots = tree.slots(row, child), value = found.value[lane];
  slots[TOTAL] += value;
  slots[LOW] = std::min(slots[LOW], value);
  slots[HIGH] = std::max(slots[HIGH], value);
  if (found.faults != nullptr) tally[FAULTS] |= found.faults[lane];
  if (found.legal != nullptr && !std::isfinite(value)) tally[FAULTS] |= IN_VALUE;
  if (found.stuck != nullptr && found.stuck[lane]) tally[STUCK] = 1;
}

// Writes a node, the `visits`-th time that it is reached, below its edge and returns its number.
int64_t expand(const Tree& tree, int64_t row, int64_t lane, int64_t child, float visits,
               const Lanes& at, const Found& found, const Piece* piece, size_t count,
               int32_t* tally) {
  int64_t node = at.node[lane], action = at.action[lane], actions = tree.actions;
  float* e = tree.edge(row, child, 0);
  std::memset(e, 0, sizeof(float) * EDGE_SLOTS * actions);
  const float* logits = found.logits + lane * actions;
  bool over = found.over[lane], stuck = false;
  int32_t faults = std::isfinite(found.reward[lane]) ? 0 : IN_REWARD;
  if (found.legal != nullptr) {
    const bool* may = found.legal + lane * actions;
    bool any = false;
    for (int64_t a = 0; a < actions; ++a) any = any | may[a];
    const int64_t left = (found.lanes - lane) * actions;
    bool finite;
    if (2 * actions >= (actions + CHUNK - 1) / CHUNK * CHUNK) {
      // What is written behind the logits lies in the next slot.
      finite = log_prior(logits, may, actions, left, e + LOGIT * actions);
      std::memset(e + CHILD * actions, 0, sizeof(float) * actions);
    } else {
      float whole[CHUNK];
      finite = log_prior(logits, may, actions, left, whole);
      std::memcpy(e + LOGIT * actions, whole, sizeof(float) * actions);
    }
    stuck = (!over && !any) || (found.stuck != nullptr && found.stuck[lane]);
    if (!over && !finite) faults |= IN_PRIOR;
    if (!over && !std::isfinite(found.value[lane])) faults |= IN_VALUE;
  } else {
    std::memcpy(e + LOGIT * actions, logits, sizeof(float) * actions);
    stuck = found.stuck[lane];
  }
  if (found.faults != nullptr) faults |= found.faults[lane];
  if (stuck) tally[STUCK] = 1;
  tally[FAULTS] |= faults;
  float* slots = tree.slots(row, child);
  slots[COUNT] = visits;
  slots[TOTAL] = slots[VALUE] = found.value[lane];
  slots[REWARD] = found.reward[lane];
  slots[DISCOUNT] = found.discount[lane];
  slots[SIGN] = found.sign[lane];
  slots[PARENT] = float(node);
  slots[ACTION] = float(action);
  slots[CHANCE] = found.chance != nullptr && found.chance[lane] ? 1.0f : 0.0f;
  float low = found.known[0], high = found.known[1];
  bool bounded = std::isfinite(low) && std::isfinite(high), first = slots[SIGN] > 0;
  slots[LOW] = !bounded ? slots[VALUE] : first ? low : -high;
  slots[HIGH] = !bounded ? slots[VALUE] : first ? high : -low;
  uint8_t* to = tree.state(row, child);
  for (size_t i = 0; i < count; ++i) {
    copy(to, piece[i].data + lane * piece[i].size, piece[i].size);
    to += piece[i].size;
  }
  if (over) child = -child;
  tree.edge(row, node, CHILD)[action] = float(child);
  return child;
}

// The lanes from `first` to `last` are those of the row.
void insert(const Tree& tree, int64_t row, int64_t first, int64_t last, const Lanes& at,
            const Found& found, const Piece* piece, size_t count, bool prove, int32_t* size,
            int32_t* tally, float* gains) {
  bool proven = false;
  for (int64_t lane = first; lane < last; ++lane) {
    gains[lane] = 0.0f;
    if (!at.active[lane]) continue;
    int64_t node = at.node[lane], action = at.action[lane], child = at.child[lane];
    tally[SIMULATIONS] += 1;
    tally[STEPS] += found.steps[lane];
    tally[EVALUATIONS] += found.evaluations[lane];
    // Where lanes share paths, one before this may have made the node meanwhile.
    bool twin = false;
    if (child == 0 && last - first > 1) {
      child = int64_t(tree.edge(row, node, CHILD)[action]);
      twin = child > 0;
    }
    int64_t next = *size;
    if (child == 0 || tree.by_simulation) ++*size;
    if (child == 0) {
      child = expand(tree, row, lane, next, 1.0f, at, found, piece, count, tally);
    } else if (tree.means) {
      float visits = tree.slots(row, child)[COUNT] + 1.0f;
      child = expand(tree, row, lane, child, visits, at, found, piece, count, tally);
    } else {
      tree.slots(row, std::llabs(child))[COUNT] += 1.0f;
    }
    if (twin) join(tree, row, lane, child, found, tally);
    const float* leaf = tree.slots(row, std::llabs(child));
    float gain = returned(tree, leaf, twin ? found.value[lane] : leaf[VALUE]);
    float mean = twin ? returned(tree, leaf, leaf[TOTAL] / leaf[COUNT]) : gain;
    Return up{mean, gain, child < 0};
    while (true) {
      gains[lane] = up.gain;
      const float* here = tree.slots(row, node);
      int64_t parent = int64_t(here[PARENT]), from = int64_t(here[ACTION]);
      backup(tree, row, node, action, found.ceilings[0], found.ceilings[1], prove, up);
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
  if (!finite) tally[FAULTS] |= IN_SUM;
}

struct Plan {
  const int32_t* limits;   // [rows, 2]: simulations, model steps
  const uint32_t* seeds;   // [rows]
  const int32_t* forced;   // [rows, lanes], or none: all free
  const uint32_t* noise;   // [rows, lanes, 2], or none: from the seeds
  int32_t depth;
  bool shares;             // whether lanes of a row may take the same path
  const int32_t* part;     // the rows that take part; forced and noise are theirs. None: all

  int64_t row(int64_t place) const { return part != nullptr ? part[place] : place; }
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

// Simulations that are under way count as visits for the lanes that follow (WU-UCT, Liu et al.
// 2020); an action that has returned nothing yet is taken to be worth what its node is.
void depart(const Tree& tree, int64_t row, int64_t node, int64_t action) {
  float *visits = tree.edge(row, node, VISITS) + action, *slots = tree.slots(row, node);
  if (*visits == 0) tree.edge(row, node, Q)[action] = slots[TOTAL] / std::max(slots[COUNT], 1.0f);
  *visits += 1.0f;
}

// The tree as it was before the lane that ended at this edge.
void withdraw(const Tree& tree, int64_t row, int64_t node, int64_t action) {
  while (true) {
    float* visits = tree.edge(row, node, VISITS) + action;
    *visits -= 1.0f;
    if (*visits == 0) tree.edge(row, node, Q)[action] = 0.0f;
    if (node == 0) return;
    const float* slots = tree.slots(row, node);
    node = int64_t(slots[PARENT]), action = int64_t(slots[ACTION]);
  }
}

struct Walker {
  int64_t row, lane;
  int32_t node, action, child, first, taken;
  uint32_t luck;
};

inline Node node_of(const Tree& tree, const Walker& w) {
  const float* e = tree.edge(w.row, w.node, 0);
  return {e, e + tree.actions, e + 2 * tree.actions, e + 3 * tree.actions,
          tree.slots(w.row, w.node), int(tree.actions)};
}

// The next actions of up to eight lanes of as many rows, by a rule of mctx's.
void choose_together(const Tree& tree, const Rule& rule, const Plan& plan, Walker* walkers,
                     int count, int32_t depth) {
  Node nodes[CHUNK];
  mctx::Chooser who[CHUNK];
  for (int i = 0; i < CHUNK; ++i) {
    const Walker& w = walkers[i < count ? i : 0];
    nodes[i] = node_of(tree, w);
    who[i] = {w.row, plan.noise + 2 * w.lane};
  }
  const Vi found = mctx::select(rule, nodes, who, count, depth);
  for (int i = 0; i < count; ++i) walkers[i].action = found[i];
}

// All lanes of some rows go down together, one level at a time: while one is at work, what the
// others read next is on its way from memory.
int descend(const Tree& tree, int64_t first, int64_t last, int64_t lanes, const Rule& rule,
            const Plan& plan, const Lanes& at, uint32_t* noise, const Piece* piece, size_t count,
            const int32_t* tallies, const int32_t* sizes) {
  // Scratch that a thread keeps from one call to the next.
  static thread_local std::vector<float> scores;
  static thread_local std::vector<Walker> walkers;
  size_t padded = (tree.actions + CHUNK - 1) / CHUNK * CHUNK;
  if (scores.size() < padded) scores.resize(padded);
  walkers.clear();
  for (int64_t place = first; place < last; ++place) {
    int64_t row = plan.row(place);
    const int32_t* tally = tallies + row * TALLY_SLOTS;
    int64_t left = left_of(tree, row, plan, tally, sizes[row]);
    int32_t number = tally[SIMULATIONS];
    for (int64_t i = 0; i < lanes; ++i) {
      int64_t lane = place * lanes + i;
      int32_t forced = plan.forced != nullptr ? plan.forced[lane] : FREE;
      bool active = i < left && forced != IDLE;
      number += active;
      noise[lane] = mix(plan.seeds[row], uint32_t(number));
      at.number[lane] = number, at.active[lane] = active;
      at.node[lane] = at.action[lane] = at.depth[lane] = 0;
      at.child[lane] = int32_t(tree.edge(row, 0, CHILD)[0]);
      uint32_t luck = plan.noise != nullptr ? plan.noise[2 * lane] : noise[lane];
      if (active) walkers.push_back({row, lane, 0, 0, 0, forced, 0, luck});
    }
  }
  int going = int(walkers.size()), walking = going;
  for (const Walker& w : walkers) {
    // Where its leaf will be written, if the lane is its row's only one.
    int64_t next = sizes[w.row];
    fetch(tree.edge(w.row, next, 0), sizeof(float) * EDGE_SLOTS * tree.actions);
    fetch(tree.slots(w.row, next), sizeof(float) * NODE_SLOTS);
    fetch(tree.state(w.row, next), tree.bytes);
  }
  for (int32_t d = 0; walking > 0; ++d) {
    int still = 0;
    for (int k = 0; k < walking; ++k) {
      if (rule.kind >= MCTX && k % CHUNK == 0) {
        choose_together(tree, rule, plan, &walkers[k], std::min(CHUNK, walking - k), d);
      }
      Walker w = walkers[k];
      const Node here = node_of(tree, w);
      if (d == 0 && w.first >= 0) {
        w.action = w.first;
      } else if (rule.kind < MCTX) {
        w.action = select(rule, here, w.luck, uint32_t(w.node), scores.data());
      }
      if (plan.shares) depart(tree, w.row, w.node, w.action);
      w.child = int32_t(here.child[w.action]);
      w.taken += !(here.slots[CHANCE] > 0);
      if (w.child > 0 && d + 1 < plan.depth) {
        w.node = w.child;
        fetch(tree.edge(w.row, w.node, 0), sizeof(float) * EDGE_SLOTS * tree.actions);
        fetch(tree.slots(w.row, w.node), sizeof(float) * NODE_SLOTS);
        walkers[still++] = w;
      } else {
        at.node[w.lane] = w.node, at.action[w.lane] = w.action, at.child[w.lane] = w.child;
        at.depth[w.lane] = w.taken;
        fetch(tree.state(w.row, w.node), tree.bytes);
      }
    }
    walking = still;
  }
  for (int64_t lane = first * lanes; plan.shares && lane < last * lanes; ++lane) {
    if (at.active[lane]) withdraw(tree, plan.row(lane / lanes), at.node[lane], at.action[lane]);
  }
  for (int64_t lane = first * lanes; lane < last * lanes; ++lane) {
    const uint8_t* from = tree.state(plan.row(lane / lanes), at.node[lane]);
    for (size_t k = 0; k < count; ++k) {
      copy(piece[k].data + lane * piece[k].size, from, piece[k].size);
      from += piece[k].size;
    }
  }
  return going;
}

}  // namespace
