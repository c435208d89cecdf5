// A search over histories on the CPU, as XLA FFI handlers: between the moves of a simulation
// (`move`), and between one simulation and the next (`turn`). What the rules of the world say is
// asked in JAX; what is kept of it is written here. See histories.h.

#include "histories.h"
#include "threads.h"

namespace {

using F32 = ffi::Buffer<ffi::F32>;
using S32 = ffi::Buffer<ffi::S32>;
using U32 = ffi::Buffer<ffi::U32>;
using Pred = ffi::Buffer<ffi::PRED>;
template <typename T>
using Out = ffi::Result<T>;

// Where XLA could not give the same memory in and out, work on a copy.
template <typename In, typename Out>
auto carried(In& in, Out& out) {
  if (out->typed_data() != in.typed_data()) {
    std::memcpy(out->typed_data(), in.typed_data(), in.size_bytes());
  }
  return out->typed_data();
}

// Scratch that a thread keeps from one call to the next.
float* scratch(int64_t actions, int64_t players) {
  static thread_local std::vector<float> room;
  size_t size = size_t(4 * ((actions + CHUNK - 1) / CHUNK * CHUNK) + players);
  if (room.size() < size) room.resize(size);
  return room.data();
}

// The words of jax keys: core/noise.py's as_key.
inline void as_key(uint32_t seed, uint32_t* to) { to[0] = seed, to[1] = mix(seed, 1); }

constexpr int64_t MANY = 512;  // rows from which on threads share them

template <typename F>
void for_rows(ffi::ThreadPool& pool, int64_t rows, F each) {
  if (rows < MANY) return each(0, rows);
  for_blocks(pool, rows, 1, each);
}

Nodes nodes_of(F32& edges, F32& value, F32& span, U32& keys, S32& table) {
  auto shape = edges.dimensions();
  return {edges.typed_data(), value.typed_data(), span.typed_data(), keys.typed_data(),
          table.typed_data(), shape[1], shape[3], table.dimensions()[1]};
}

ffi::Error move(ffi::ThreadPool pool, F32 edges, F32 value, F32 span, U32 keys, S32 table,
                F32 params, F32 rule_table, S32 ways, S32 paths, S32 mover, Pred legal, Pred over,
                S32 words, F32 rewards, Pred, S32, U32, Pred, S32, Out<S32> ways_out, Out<S32> paths_out,
                Out<Pred> going_out, Out<S32> action_out, Out<U32> noise_out, Out<Pred> open_out,
                Out<S32> left_out, Out<Pred> any_out, int32_t kind, int32_t keeps,
                int32_t horizon) {
  Nodes t = nodes_of(edges, value, span, keys, table);
  Rule rule{kind, params.typed_data(), rule_table.typed_data(),
            int64_t(rule_table.element_count()), nullptr, 0, false};
  const int64_t rows = edges.dimensions()[0], width = ways.dimensions()[1];
  const int64_t players = rewards.dimensions()[1], depth = paths.dimensions()[1];
  const Walk how{depth, players, (width - WAY) / 2, keeps != 0};
  const int64_t count = words.dimensions()[1], each = depth * (M_REWARDS + players);
  int32_t *way = carried(ways, ways_out), *path = carried(paths, paths_out);
  const int32_t *movers = mover.typed_data(), *seen = words.typed_data();
  const bool *may = legal.typed_data(), *ended = over.typed_data();
  const float* paid = rewards.typed_data();
  bool *going = going_out->typed_data(), *open = open_out->typed_data();
  int32_t *action = action_out->typed_data(), *left = left_out->typed_data();
  uint32_t* noise = noise_out->typed_data();
  std::atomic<int32_t> all{0};
  std::atomic<int32_t>* counter = &all;
  for_rows(pool, rows, [=](int64_t begin, int64_t end) {
    static thread_local Salts salts;
    static thread_local std::vector<int32_t> room;
    salts.reach(1 + t.actions + count);
    if (room.size() < size_t(1 + t.actions + count)) room.resize(1 + t.actions + count);
    float* floats = scratch(t.actions, players);
    int32_t on = 0;
    for (int64_t row = begin; row < end; ++row) {
      int32_t* mine = way + row * width;
      if (mine[W_GOING]) {
        Seen one{movers[row], may + row * t.actions, ended[row], seen + row * count, count,
                 paid + row * players};
        on += advance(t, row, how, rule, mine[W_LENGTH], one, salts, mine, path + row * each, room.data(),
                      floats);
      }
      going[row] = mine[W_GOING], action[row] = mine[W_ACTION], open[row] = mine[W_OPEN];
      left[row] = horizon - mine[W_LENGTH];
      as_key(mix(uint32_t(mine[W_NOISE]), uint32_t(mine[W_LENGTH])), noise + 2 * row);
    }
    counter->fetch_add(on, std::memory_order_relaxed);
  });
  *any_out->typed_data() = all.load() > 0;
  return ffi::Error::Success();
}

ffi::Error turn(ffi::ThreadPool pool, F32 edges, F32 value, F32 span, U32 keys, S32 table,
                S32 tallies, S32 ways, S32 paths, F32 params, F32 rule_table, S32 limits,
                U32 seeds, S32 number, S32 forced, S32 movers, F32 discount, F32 logits,
                F32 values, Pred legal, S32 mover, S32 steps, S32 faults, Pred stuck,
                Pred, S32, U32, U32, U32, Pred,
                Out<F32> edges_out, Out<F32> value_out, Out<F32> span_out, Out<U32> keys_out,
                Out<S32> table_out, Out<S32> tallies_out, Out<S32> ways_out, Out<S32> paths_out,
                Out<Pred> going_out, Out<S32> action_out, Out<U32> noise_out, Out<U32> drawn_out,
                Out<U32> luck_out, Out<Pred> any_out, Out<S32> number_out, int32_t kind, int32_t concludes,
                int32_t departs, int32_t passes) {
  carried(edges, edges_out), carried(value, value_out), carried(span, span_out);
  carried(keys, keys_out), carried(table, table_out);
  int32_t* path = carried(paths, paths_out);
  Nodes t = nodes_of(*edges_out, *value_out, *span_out, *keys_out, *table_out);
  Rule rule{kind, params.typed_data(), rule_table.typed_data(),
            int64_t(rule_table.element_count()), nullptr, 0, false};
  const int64_t rows = edges.dimensions()[0], width = ways.dimensions()[1];
  const int64_t depth = paths.dimensions()[1], players = paths.dimensions()[2] - M_REWARDS;
  const Walk how{depth, players, (width - WAY) / 2, false};
  const int64_t each = depth * (M_REWARDS + players);
  int32_t *tally = carried(tallies, tallies_out), *way = carried(ways, ways_out);
  const int32_t *most = limits.typed_data(), *from = movers.typed_data(),
                *ahead = forced.element_count() > 0 ? forced.typed_data() : nullptr,
                n = *number.typed_data();
  const uint32_t* seed = seeds.typed_data();
  const float worth = *discount.typed_data();
  const float *prior = logits.typed_data(), *gains = values.typed_data();
  const bool *may = legal.typed_data(), *lost = stuck.typed_data();
  const int32_t *whose = mover.typed_data(), *taken = steps.typed_data(),
                *wrong = faults.typed_data();
  bool* going = going_out->typed_data();
  int32_t* action = action_out->typed_data();
  uint32_t *noise = noise_out->typed_data(), *drawn = drawn_out->typed_data(),
           *luck = luck_out->typed_data();
  std::atomic<int32_t> all{0};
  std::atomic<int32_t>* counter = &all;
  for_rows(pool, rows, [=](int64_t begin, int64_t end) {
    float* floats = scratch(t.actions, players);
    int32_t on = 0;
    for (int64_t row = begin; row < end; ++row) {
      int32_t *mine = way + row * width, *spent = tally + row * COUNTS;
      if (concludes && mine[W_LENGTH] > 0) {
        Judged found{prior + row * t.actions, gains + row * players, may + row * t.actions,
                     whose[row], taken[row], wrong[row], passes, lost[row],
                     (rows - row) * t.actions};
        conclude(t, row, n, how, worth, found, mine, path + row * each, spent, floats);
        mine[W_LENGTH] = 0;
      }
      if (!departs) continue;
      // The simulation of this number follows; there is no room for more than there are nodes.
      const int32_t next = n + concludes;
      bool active = next < t.room && allowed(most + 2 * row, spent);
      uint32_t own = mix(mix(seed[row], 4), uint32_t(next));
      mine[W_GOING] = mine[W_OPEN] = 0;
      mine[W_NOISE] = int32_t(mix(own, 3));
      if (active) {
        depart(t, row, how, rule, own, from[row], ahead != nullptr ? ahead[row] : FREE, mine,
               floats);
      }
      on += active;
      going[row] = active, action[row] = mine[W_ACTION];
      as_key(mix(uint32_t(mine[W_NOISE]), 0), noise + 2 * row);
      as_key(mix(own, 0), drawn + 2 * row);
      luck[row] = mix(own, 2);
    }
    counter->fetch_add(on, std::memory_order_relaxed);
  });
  *any_out->typed_data() = all.load() > 0;
  *number_out->typed_data() = n + (concludes && departs);
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    deliberation_move, move,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        // The nodes: edges, value, span, keys, table; the rule: params, table
        .Arg<F32>().Arg<F32>().Arg<F32>().Arg<U32>().Arg<S32>().Arg<F32>().Arg<F32>()
        // The ways and the paths; what is seen: mover, legal, over, words, rewards
        .Arg<S32>().Arg<S32>().Arg<S32>().Arg<Pred>().Arg<Pred>().Arg<S32>().Arg<F32>()
        // What lay where the results will lie: going, action, noise, open, left
        .Arg<Pred>().Arg<S32>().Arg<U32>().Arg<Pred>().Arg<S32>()
        // ways, paths; going, action, noise, open, moves left; whether any goes on
        .Ret<S32>().Ret<S32>().Ret<Pred>().Ret<S32>().Ret<U32>().Ret<Pred>().Ret<S32>().Ret<Pred>()
        .Attr<int32_t>("kind")
        .Attr<int32_t>("keeps")
        .Attr<int32_t>("horizon"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    deliberation_turn, turn,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        // edges, value, span, keys, table, tallies, ways, paths
        .Arg<F32>().Arg<F32>().Arg<F32>().Arg<U32>().Arg<S32>().Arg<S32>().Arg<S32>().Arg<S32>()
        // params, table, limits, seeds, number, forced, movers of the roots, discount
        .Arg<F32>().Arg<F32>().Arg<S32>().Arg<U32>().Arg<S32>().Arg<S32>().Arg<S32>().Arg<F32>()
        // logits, values, legal, mover, steps, faults, stuck
        .Arg<F32>().Arg<F32>().Arg<Pred>().Arg<S32>().Arg<S32>().Arg<S32>().Arg<Pred>()
        // What lay where the results will lie: going, action, three kinds of noise, any
        .Arg<Pred>().Arg<S32>().Arg<U32>().Arg<U32>().Arg<U32>().Arg<Pred>()
        .Ret<F32>().Ret<F32>().Ret<F32>().Ret<U32>().Ret<S32>().Ret<S32>().Ret<S32>().Ret<S32>()
        // going, action, noise of the moves, of the draws and of the judgements; whether any goes
        // on; the number of the last simulation
        .Ret<Pred>().Ret<S32>().Ret<U32>().Ret<U32>().Ret<U32>().Ret<Pred>().Ret<S32>()
        .Attr<int32_t>("kind")
        .Attr<int32_t>("concludes")
        .Attr<int32_t>("departs")
        .Attr<int32_t>("passes"));
