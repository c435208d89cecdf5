// What a search over histories does in its tables, for one row: names of histories, the table that
// finds them, moves and returns. As direct/partial_observation/histories.py and information.py, in
// the same order and on the same arrays.

#pragma once

#include "prior.h"

namespace {

constexpr int32_t MISSING = -1;
enum HistoryEdge { H_VISITS, H_TOTAL, H_LOGIT, H_SLOTS };
enum Count { C_SIMULATIONS, C_STEPS, C_EVALUATIONS, C_FAULTS, C_STUCK, C_DONE, COUNTS };
// What is known of a simulation on its way, row by row; the pasts of the seats follow, two words
// each.
enum Way {
  W_GOING, W_STUCK, W_NODE, W_ACTION, W_MOVER, W_OPEN, W_NEW, W_SLOT, W_KEY, W_KEY_2, W_LENGTH,
  W_NOISE, WAY
};
enum Move { M_NODE, M_ACTION, M_MOVER, M_REWARDS };  // a reward for each player

struct Nodes {
  float *edges, *value, *span;
  uint32_t* keys;
  int32_t* table;
  int64_t room, actions, slots;

  float* edge(int64_t row, int64_t node, int slot) const {
    return edges + ((row * room + node) * H_SLOTS + slot) * actions;
  }
  int64_t at(int64_t row, int64_t node) const { return row * room + node; }
};

// The words of one lane after another that salt what is absorbed, by its place.
struct Salts {
  std::vector<uint32_t> lane[2];

  void reach(size_t places) {
    for (uint32_t i = 0; i < 2; ++i) {
      while (lane[i].size() < places) lane[i].push_back(mix(i + 3, uint32_t(lane[i].size())));
    }
  }
};

struct Name {
  uint32_t a, b;
};

inline Name absorb(const Salts& salts, Name past, const int32_t* words, int64_t count) {
  uint32_t a = 0, b = 0;
  const uint32_t *first = salts.lane[0].data(), *second = salts.lane[1].data();
  for (int64_t i = 0; i < count; ++i) a += mix(first[i], uint32_t(words[i]));
  for (int64_t i = 0; i < count; ++i) b += mix(second[i], uint32_t(words[i]));
  return {mix(past.a, a), mix(past.b, b)};
}

// The node of a name, or MISSING, and its place in the table.
inline int32_t look_up(const Nodes& t, int64_t row, Name name, int32_t* place) {
  const int32_t* table = t.table + row * t.slots;
  uint32_t last = uint32_t(t.slots - 1), slot = name.a & last;
  while (true) {
    int32_t node = table[slot];
    *place = int32_t(slot);
    if (node == MISSING) return node;
    const uint32_t* key = t.keys + 2 * t.at(row, node);
    if (key[0] == name.a && key[1] == name.b) return node;
    slot = (slot + 1) & last;
  }
}

// The rule's action at a node. `scratch` has room for four times a whole number of chunks.
inline int choose(const Nodes& t, int64_t row, int64_t node, const Rule& rule, uint32_t luck,
                  float* scratch) {
  const int64_t actions = t.actions, whole = (actions + CHUNK - 1) / CHUNK * CHUNK;
  float *visits = scratch, *q = visits + whole, *logit = q + whole, *scores = logit + whole;
  const float* e = t.edge(row, node, 0);
  for (int64_t a = 0; a < actions; ++a) {
    visits[a] = e[a];
    q[a] = e[H_TOTAL * actions + a] / std::max(e[a], 1.0f);
    logit[a] = e[H_LOGIT * actions + a];
  }
  float slots[NODE_SLOTS] = {};
  slots[VALUE] = t.value[t.at(row, node)];
  slots[LOW] = t.span[2 * t.at(row, node)], slots[HIGH] = t.span[2 * t.at(row, node) + 1];
  Node view{visits, q, logit, nullptr, slots, int(actions)};
  return select(rule, view, luck, 0, scores);
}

// What came of a move, for one row.
struct Seen {
  int32_t mover;
  const bool* legal;
  bool over;
  const int32_t* words;
  int64_t count;
  const float* rewards;
};

struct Walk {
  int64_t depth, players, seats;
  bool keeps;  // whether moves are part of what is remembered
};

// One move further; returns whether the row goes on.
inline bool advance(const Nodes& t, int64_t row, const Walk& how, const Rule& rule, int32_t d,
                    const Seen& seen, const Salts& salts, int32_t* way, int32_t* path,
                    int32_t* words, float* scratch) {
  int32_t* move = path + d * (M_REWARDS + how.players);
  const int32_t mover = way[W_MOVER];
  move[M_NODE] = way[W_NODE], move[M_ACTION] = way[W_ACTION], move[M_MOVER] = mover;
  std::memcpy(move + M_REWARDS, seen.rewards, sizeof(float) * how.players);
  way[W_LENGTH] += 1;
  auto* pasts = reinterpret_cast<uint32_t*>(way + WAY);
  if (how.keeps) {
    Name key{uint32_t(way[W_KEY]), uint32_t(way[W_KEY_2])};
    Name past = absorb(salts, key, way + W_ACTION, 1);
    int64_t seat = how.seats == 1 ? 0 : mover;
    if (seat >= 0 && seat < how.seats) pasts[2 * seat] = past.a, pasts[2 * seat + 1] = past.b;
  }
  words[0] = seen.mover;
  bool any = false;
  for (int64_t a = 0; a < t.actions; ++a) words[1 + a] = seen.legal[a], any = any | seen.legal[a];
  std::memcpy(words + 1 + t.actions, seen.words, sizeof(int32_t) * seen.count);
  const int64_t seat = std::min<int64_t>(seen.mover, how.seats - 1);
  Name key = absorb(salts, {pasts[2 * seat], pasts[2 * seat + 1]}, words,
                    1 + t.actions + seen.count);
  bool live = !seen.over, trapped = live && !any;
  live = live && !trapped;
  int32_t slot = 0, node = live ? look_up(t, row, key, &slot) : MISSING;
  bool onwards = live && node != MISSING && d + 1 < how.depth;
  way[W_GOING] = onwards;
  way[W_STUCK] |= trapped;
  way[W_OPEN] = live && !onwards;
  way[W_NEW] = live && node == MISSING;
  way[W_SLOT] = slot, way[W_KEY] = int32_t(key.a), way[W_KEY_2] = int32_t(key.b);
  way[W_MOVER] = seen.mover;
  way[W_NODE] = std::max(node, 0);
  if (onwards) {
    uint32_t luck = mix(uint32_t(way[W_NOISE]), uint32_t(d + 1));
    way[W_ACTION] = choose(t, row, node, rule, luck, scratch);
  }
  return onwards;
}

// What was found behind the last move of a simulation, for one row.
struct Judged {
  const float *logits, *values;
  const bool* legal;
  int32_t mover, steps, faults, passes;
  bool stuck;
  int64_t left;  // how much of logits and legal may be read
};

// Adds a simulation to the row: makes its node, and gives every player on the path its return.
inline void conclude(const Nodes& t, int64_t row, int32_t number, const Walk& how, float discount,
                     const Judged& found, const int32_t* way, const int32_t* path, int32_t* tally,
                     float* scratch) {
  const bool open = way[W_OPEN];
  if (way[W_NEW]) {
    float* e = t.edge(row, number, 0);
    std::memset(e, 0, sizeof(float) * H_LOGIT * t.actions);
    log_prior(found.logits, found.legal, t.actions, found.left, scratch);
    std::memcpy(e + H_LOGIT * t.actions, scratch, sizeof(float) * t.actions);
    const int64_t at = t.at(row, number);
    t.value[at] = t.span[2 * at] = t.span[2 * at + 1] = found.values[found.mover];
    t.keys[2 * at] = uint32_t(way[W_KEY]), t.keys[2 * at + 1] = uint32_t(way[W_KEY_2]);
    t.table[row * t.slots + way[W_SLOT]] = number;
  }
  float* gains = scratch;
  for (int64_t p = 0; p < how.players; ++p) gains[p] = open ? found.values[p] : 0.0f;
  int32_t faults = 0;
  for (int32_t d = way[W_LENGTH] - 1; d >= 0; --d) {
    const int32_t* move = path + d * (M_REWARDS + how.players);
    bool paid = true, sound = true;
    for (int64_t p = 0; p < how.players; ++p) {
      float reward;
      std::memcpy(&reward, move + M_REWARDS + p, sizeof reward);
      gains[p] = reward + discount * gains[p];
      paid = paid && std::isfinite(reward), sound = sound && std::isfinite(gains[p]);
    }
    const int64_t at = t.at(row, move[M_NODE]);
    float *e = t.edge(row, move[M_NODE], 0), gain = gains[move[M_MOVER]];
    e[move[M_ACTION]] += 1.0f;
    e[H_TOTAL * t.actions + move[M_ACTION]] += gain;
    t.span[2 * at] = std::min(t.span[2 * at], gain);
    t.span[2 * at + 1] = std::max(t.span[2 * at + 1], gain);
    float sum = t.value[at];
    for (int64_t a = 0; a < t.actions; ++a) sum += e[H_TOTAL * t.actions + a];
    if (!paid) faults |= IN_REWARD;
    if (!sound || !std::isfinite(sum)) faults |= IN_SUM;
  }
  // What was wrong in a part is not wrong in the sum as well.
  int32_t wrong = (open ? found.faults : 0) | (faults & IN_REWARD);
  tally[C_FAULTS] |= wrong ? wrong : faults;
  tally[C_SIMULATIONS] += 1;
  tally[C_STEPS] += way[W_LENGTH] + (open ? found.steps : 0);
  tally[C_EVALUATIONS] += open ? found.passes : 0;
  tally[C_STUCK] |= way[W_STUCK] || (open && found.stuck);
}

// Whether a row may simulate once more.
inline bool allowed(const int32_t* limits, const int32_t* tally) {
  const bool spare = tally[C_STEPS] < limits[1] || tally[C_SIMULATIONS] == 0;
  return tally[C_SIMULATIONS] < std::min(limits[0], limits[1]) && spare && !tally[C_DONE];
}

// Sends a row on its way from the root.
inline void depart(const Nodes& t, int64_t row, const Walk& how, const Rule& rule, uint32_t seed,
                   int32_t mover, int32_t forced, int32_t* way, float* scratch) {
  std::memset(way, 0, sizeof(int32_t) * WAY);
  way[W_GOING] = 1, way[W_MOVER] = mover;
  way[W_KEY] = int32_t(t.keys[2 * t.at(row, 0)]), way[W_KEY_2] = int32_t(t.keys[2 * t.at(row, 0) + 1]);
  way[W_NOISE] = int32_t(mix(seed, 3));
  auto* pasts = reinterpret_cast<uint32_t*>(way + WAY);
  for (int64_t s = 0; s < how.seats; ++s) {
    pasts[2 * s] = mix(1, uint32_t(s)), pasts[2 * s + 1] = mix(2, uint32_t(s));
  }
  uint32_t luck = mix(uint32_t(way[W_NOISE]), 0);
  way[W_ACTION] = forced >= 0 ? forced : choose(t, row, 0, rule, luck, scratch);
}

}  // namespace
