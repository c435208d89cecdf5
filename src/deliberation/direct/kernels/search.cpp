// One round of a batched tree search on the CPU, as an XLA FFI handler: `insert` adds what a model
// said of the last round's leaves to the trees and backs it up, `descend` follows a rule from the
// roots to the next leaves. They do what direct/tree_search/backends/portable.py does, in the same
// order and in single precision, on the same arrays: see direct/tree_search/tree.py for the layout.
// Rows are independent and spread over the threads of XLA's own pool.

#include "rounds.h"
#include "threads.h"

namespace {

inline ffi::AnyBuffer value_of(ffi::AnyBuffer buffer) { return buffer; }
inline ffi::AnyBuffer value_of(ffi::Result<ffi::AnyBuffer> buffer) { return *buffer; }

// The buffers of a state's leaves, lane by lane.
template <typename Leaves>
ffi::Error pieces_of(Leaves& leaves, int64_t lanes, std::vector<Piece>& out) {
  for (size_t i = 0; i < leaves.size(); ++i) {
    auto leaf = leaves.template get<ffi::AnyBuffer>(i);
    if (!leaf.has_value()) return leaf.error();
    ffi::AnyBuffer buffer = value_of(leaf.value());
    out.push_back({static_cast<uint8_t*>(buffer.untyped_data()),
                   int64_t(buffer.size_bytes()) / lanes});
  }
  return ffi::Error::Success();
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
                 S32 depth, S32 part,
                 S32 leaf_node, S32 leaf_action, S32 leaf_child, Pred active, F32 reward,
                 F32 discount, F32 value, F32 sign, F32 logits, Pred legal, Pred over, Pred chance,
                 Pred stuck, S32 faults, S32 steps, S32 evaluations, F32 ceilings, F32 known,
                 ffi::RemainingArgs found_states, Out<F32> edges_out, Out<F32> nodes_out,
                 Out<U8> states_out, Out<S32> sizes_out, Out<S32> tallies_out, Out<F32> gain_out,
                 Out<S32> node_out, Out<S32> action_out, Out<S32> child_out, Out<S32> number_out,
                 Out<Pred> active_out, Out<U32> noise_out, Out<S32> going_out,
                 Out<S32> depth_out, ffi::RemainingRets asked_states, int32_t kind, int32_t prove,
                 int32_t by_simulation, int32_t means, int32_t inserts, int32_t descends,
                 int32_t shares) {
  auto shape = edges.dimensions();
  Tree tree{carried(edges, edges_out), carried(nodes, nodes_out), carried(states, states_out),
            shape[1], shape[3], states.dimensions()[2], by_simulation != 0, means != 0};
  int32_t *size = carried(sizes, sizes_out), *tally = carried(tallies, tallies_out);
  int64_t rows = part.element_count() > 0 ? part.element_count() : shape[0];
  Rule rule{kind, params.typed_data(), table.typed_data(), int64_t(table.element_count()),
            widths.typed_data(), int64_t(widths.element_count()), prove != 0};
  Plan plan{limits.typed_data(), seeds.typed_data(), given(forced), given(noise),
            *depth.typed_data(), shares != 0, given(part)};
  Lanes last{given(leaf_node), given(leaf_action), given(leaf_child), nullptr, given(active),
             nullptr};
  Lanes next{node_out->typed_data(), action_out->typed_data(), child_out->typed_data(),
             number_out->typed_data(), active_out->typed_data(), depth_out->typed_data()};
  Found found{given(reward), given(discount), given(value), given(sign), given(logits),
              given(legal), given(over), given(chance), given(stuck), given(faults),
              given(steps), given(evaluations), ceilings.typed_data(), known.typed_data(),
              leaf_node.element_count()};
  int64_t width_in = inserts ? leaf_node.element_count() / rows : 0;
  int64_t width_out = descends;
  std::vector<Piece> in, out;
  if (inserts) {
    ffi::Error error = pieces_of(found_states, rows * width_in, in);
    if (error.failure()) return error;
  }
  if (descends) {
    ffi::Error error = pieces_of(asked_states, rows * width_out, out);
    if (error.failure()) return error;
  }
  const Piece *from = in.data(), *to = out.data();
  size_t from_count = in.size(), to_count = out.size();
  float* gains = gain_out->typed_data();
  uint32_t* luck = noise_out->typed_data();
  std::atomic<int32_t> going{0};
  std::atomic<int32_t>* counter = &going;

  for_blocks(pool, rows, std::max(width_in, width_out), [=](int64_t begin, int64_t end) {
    for (int64_t place = begin; width_in > 0 && place < end; ++place) {
      int64_t row = plan.row(place);
      insert(tree, row, place * width_in, (place + 1) * width_in, last, found, from, from_count,
             rule.prove, size + row, tally + row * TALLY_SLOTS, gains);
    }
    if (width_out == 0) return;
    int took = descend(tree, begin, end, width_out, rule, plan, next, luck, to, to_count, tally,
                       size);
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
        // What may be spent and how to choose: limits, seeds, forced, noise, params, table, widths,
        // depth, rows that take part
        .Arg<S32>().Arg<U32>().Arg<S32>().Arg<U32>().Arg<F32>().Arg<F32>().Arg<S32>().Arg<S32>()
        .Arg<S32>()
        // The last round's lanes: node, action, child, active
        .Arg<S32>().Arg<S32>().Arg<S32>().Arg<Pred>()
        // What was found: reward, discount, value, sign, logits
        .Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>().Arg<F32>()
        // legal, over, chance, stuck, faults, steps, evaluations; ceilings, known bounds
        .Arg<Pred>().Arg<Pred>().Arg<Pred>().Arg<Pred>().Arg<S32>().Arg<S32>().Arg<S32>()
        .Arg<F32>().Arg<F32>()
        .RemainingArgs()
        .Ret<F32>().Ret<F32>().Ret<U8>().Ret<S32>().Ret<S32>()
        // gain; the next lanes: node, action, child, number, active, noise; how many take part;
        // how many actions lead through the lanes
        .Ret<F32>().Ret<S32>().Ret<S32>().Ret<S32>().Ret<S32>().Ret<Pred>().Ret<U32>().Ret<S32>()
        .Ret<S32>()
        .RemainingRets()
        .Attr<int32_t>("kind")
        .Attr<int32_t>("prove")
        .Attr<int32_t>("by_simulation")
        .Attr<int32_t>("means")
        .Attr<int32_t>("inserts")
        .Attr<int32_t>("descends")
        .Attr<int32_t>("shares"));
