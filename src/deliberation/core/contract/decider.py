"""The clauses of `check_decider`; the public face is `contract`."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ..budget import Budget
from ..decider import Decider, Decision, Memory
from ..errors import BudgetError, ContractError
from ..keys import KeyLike, one_key
from ..ledger import Ledger
from ..objective import misere
from ..task import State, Task, batch_size
from .trace import look, record, same_tree

Keys = Key[Array, " batch"]

_UNHEARD = (
    "another {0} changed its answers, and its `hears` says that no {0} reaches it. Name it there."
)
_CLOSE = 1e-4
"""Weights and values of one row may differ this much between batch sizes: sums are reordered."""


def check_decider(
    decider: Decider,
    *,
    states: State | None = None,
    budget: Budget | int = 8,
    key: KeyLike | None = None,
) -> None:
    """Hold a decider to the contract of `Decider` on a batch of states (from random play).

    Actions are legal; weights are a distribution over legal actions; terminal rows answer -1 and
    zeros; the key decides everything; a row's answer does not depend on its neighbours, and neither
    does its memory; hidden state and future chance are not looked at; what was spent is counted a
    row, and where a larger budget changed the answer, more was counted as spent.

    What is counted stays the decider's own word: one that searches inside, always alike, and
    reports no model steps passes. Only its wall time tells.
    """
    key = jax.random.key(0) if key is None else one_key(key)
    budget = Budget.of(budget)
    if budget.simulations is None or budget.seconds is not None:
        raise BudgetError(
            "Answers are compared one with another here, and under a limit of seconds they differ "
            "from call to call: give a number of simulations."
        )
    states = _states(decider.task, key) if states is None else states
    keys = jax.random.split(key, batch_size(states))
    memory = decider.begin(len(keys))
    _check_memory(decider, memory, len(keys))
    decision, after = decider.decide(states, memory, budget=budget, key=keys)
    _check_answers(decider, states, decision)
    _check_root(decider, decision)
    _check_spent(decider, decision.spent, len(keys))
    _require(
        _form(memory) == _form(after),
        decider,
        f"`decide` changed the form of its memory from {_form(memory)} to {_form(after)}. Return "
        "what `begin` gave, with every shape and dtype the same.",
    )
    case = _Case(decider, states, memory, budget, keys, decision)
    _check_repeats(case)
    _check_rows(decider, states, budget, keys, (decision, after))
    _check_peeking(case)
    _check_effort(case)
    _check_hears(case)


@dataclasses.dataclass
class _Case:
    """A decision on a batch, and all that it was asked with."""

    decider: Decider
    states: State
    memory: Memory
    budget: Budget
    keys: Keys
    decision: Decision

    def again(self, states: State, budget: Budget) -> Decision:
        """What is answered with the same keys to other states, or under another budget."""
        return self.decider.decide(states, self.memory, budget=budget, key=self.keys)[0]


def _require(holds: Any, decider: Decider, message: str) -> None:
    if not holds:
        raise ContractError(f"{decider!r} breaks the contract of a decider: {message}")


def _states(task: Task, key: Key[Array, ""]) -> State:
    """Six live states from different stages of random play, and two that are over."""
    trace = record(task, key, 16)
    live, over = trace.pick(trace.live, 6), trace.pick(trace.over, 2)
    return jax.tree.map(jnp.asarray, trace.take(np.concatenate([live, over])))


def _check_memory(decider: Decider, memory: Memory, batch: int) -> None:
    for leaf in jax.tree.leaves(memory):
        _require(
            np.shape(leaf)[:1] == (batch,),
            decider,
            f"`begin({batch})` gives memory of shape {np.shape(leaf)}; its leading axis must be "
            "the batch, so that rows can be kept and dropped.",
        )


def _check_answers(decider: Decider, states: State, decision: Decision) -> None:
    _, legal, _, over, *_ = look(decider.task, states)
    action, weights, value = map(np.asarray, (decision.action, decision.weights, decision.value))
    traits, candidates = decider.task.traits, decision.candidates
    wide = legal.shape
    if candidates is not None:
        wide = (len(over), np.shape(candidates)[1])
        _check_candidates(decider, np.asarray(candidates))
    for name, got, shape in (
        ("action", action, over.shape if traits.discrete else (*over.shape, *traits.shape)),
        ("weights", weights, wide),
        ("value", value, over.shape),
    ):
        _require(got.shape == shape, decider, f"{name} has shape {got.shape}, not {shape}.")
        _require(np.isfinite(got).all(), decider, f"{name} holds NaN or infinity.")
    if traits.discrete:
        inside = (action >= 0) & (action < legal.shape[1])
        allowed = inside & np.take_along_axis(legal, np.where(inside, action, 0)[:, None], 1)[:, 0]
        stray = (np.abs(weights) * ~legal).max(-1) > 0
        still = action == -1
    else:
        allowed = _within(decider.task, action)
        stray = np.zeros_like(over)
        still = (action == 0).reshape(len(over), -1).all(-1)
    total = np.abs(weights.sum(-1) - 1) > _CLOSE
    quiet = still & (weights == 0).all(-1) & (value == 0)
    for bad, message in (
        (~over & ~allowed, "its action is illegal. Mask with `task.legal`, or keep to the bounds."),
        (~over & stray, "an illegal action has weight. Set weights to zero where illegal."),
        (~over & (weights < 0).any(-1), "a weight is negative."),
        (~over & total, "its weights do not sum to 1."),
        (
            over & ~quiet,
            "it is terminal: answer action -1 (continuous: zeros), zero weights and zero value.",
        ),
    ):
        _require(not bad.any(), decider, f"in row {np.argmax(bad)}, {message}")


def _check_candidates(decider: Decider, candidates: np.ndarray) -> None:
    traits = decider.task.traits
    fits = not traits.discrete and candidates.shape[2:] == traits.shape
    _require(
        fits,
        decider,
        f"candidates have shape {candidates.shape}. They are for continuous actions: one axis for "
        f"the batch, one for the candidates, then {list(traits.shape)}.",
    )
    _require(
        _within(decider.task, candidates).all(),
        decider,
        f"a candidate is not finite or not from {traits.low} to {traits.high}.",
    )


def _check_root(decider: Decider, decision: Decision) -> None:
    """What a search tells of its root, where it tells anything."""
    root = decision.root
    if root is None:
        return
    wanted = np.shape(decision.weights)
    told = {"visits": root.visits, "values": root.values, "prior": root.prior}
    for name, found in told.items():
        if found is None:
            continue
        shape = np.shape(found)
        _require(shape == wanted, decider, f"root.{name} has shape {shape}, not {wanted}.")
        _require(np.isfinite(found).all(), decider, f"root.{name} holds NaN or infinity.")
    visits, values = np.asarray(root.visits), np.asarray(root.values)
    _require((visits >= 0).all(), decider, "root.visits holds a negative number.")
    _require(
        (values[visits == 0] == 0).all(), decider, "root.values is not 0 where nothing was visited."
    )
    line = np.asarray(root.line)
    _require(
        line.shape[:1] == wanted[:1] and line.ndim == 2 and (line >= -1).all(),
        decider,
        f"root.line of shape {line.shape} is no line of actions a row, padded with -1.",
    )


def _within(task: Task, action: np.ndarray) -> np.ndarray:
    """Which rows of continuous actions are legal as long as the episode lasts."""
    inside = (task.traits.low <= action) & (action <= task.traits.high)
    return np.all(inside.reshape(len(action), -1), axis=-1, keepdims=True)[:, 0]


def _check_spent(decider: Decider, spent: Ledger, batch: int) -> None:
    for name, amount in zip(spent.__dataclass_fields__, spent._amounts(), strict=True):
        if amount is None or (np.ndim(amount) == 0 and amount == 0):
            continue
        _require(
            np.shape(amount) == (batch,),
            decider,
            f"spent.{name} has shape {np.shape(amount)} for a batch of {batch}: give one entry a "
            "row, or None if it is unknown.",
        )
        good = np.isfinite(np.asarray(amount)) & (np.asarray(amount) >= 0)
        _require(good.all(), decider, f"spent.{name} is negative or not finite.")


def _check_repeats(case: _Case) -> None:
    again = case.again(case.states, case.budget)
    _require(
        same_tree(_answer(case.decision), _answer(again)),
        case.decider,
        "two calls with the same arguments gave different answers. Draw chance from the key, and "
        "carry state in the memory alone.",
    )


def _check_rows(
    decider: Decider,
    states: State,
    budget: Budget,
    keys: Keys,
    first: tuple[Decision, Memory],
) -> None:
    """Each of a few rows alone, for two decisions in a row, against the same row in the batch."""
    second, _ = decider.decide(states, first[1], budget=budget, key=keys)
    for row in np.unique(np.linspace(0, len(keys) - 1, 3).astype(int)):
        one = slice(row, row + 1)
        state, memory = _rows(states, one), decider.begin(1)
        for turn, batched in enumerate((first[0], second)):
            alone, memory = decider.decide(state, memory, budget=budget, key=keys[one])
            _require(
                same_tree(_answer(alone), _rows(_answer(batched), one), tolerance=_CLOSE),
                decider,
                f"row {row} is answered differently alone than among {len(keys)} rows"
                + (", once its memory is used" if turn else "")
                + ". With one key a row, neighbours must not matter: use `row_keys`, and keep "
                "rows of the memory apart.",
            )
            _require(
                same_tree(_counts(alone), _rows(_counts(batched), one), tolerance=_CLOSE),
                decider,
                f"row {row} is charged {_rows(_counts(batched), one)} (model steps, evaluations, "
                f"FLOPs) among {len(keys)} rows and {_counts(alone)} alone. Let each row count "
                "what it would have spent by itself.",
            )


def _check_peeking(case: _Case) -> None:
    task = case.decider.task
    if task.traits.fully_observable and task.traits.deterministic:
        return
    for seed in range(3):
        fresh = jax.random.split(jax.random.fold_in(case.keys[0], seed), len(case.keys))
        other = jax.vmap(task.resample)(case.states, fresh)
        hidden = case.again(other, case.budget)
        _require(
            same_tree(_answer(case.decision), _answer(hidden), tolerance=_CLOSE),
            case.decider,
            "its answer changes when what the player to move has not seen is drawn anew: it "
            "peeks. Plan from `task.resample(state, key)`, never from the state itself.",
        )


def _check_effort(case: _Case) -> None:
    """A changed answer must have cost something, unless the costs are unknown."""
    more = Budget(jnp.asarray(case.budget.simulations) * 4, None)
    if case.budget.model_steps is not None:
        more = Budget(more.simulations, jnp.asarray(case.budget.model_steps) * 4)
    longer = case.again(case.states, more)
    if same_tree(_answer(case.decision), _answer(longer)):
        return
    _require("budget" in case.decider.hears, case.decider, _UNHEARD.format("budget"))
    before, after = (_thought(d.spent) for d in (case.decision, longer))
    _require(
        before is None or after is None or after > before,
        case.decider,
        f"four times the budget changed its answers, but what it says it spent went from {before} "
        f"to {after} (model steps + network evaluations). Count every one.",
    )


def _check_hears(case: _Case) -> None:
    """What it says does not reach it changes nothing; budgets are looked at by `_check_effort`."""
    if "objective" in case.decider.hears:
        return
    other, _ = case.decider.decide(
        case.states, case.memory, objective=misere(case.decider.task.objective),
        budget=case.budget, key=case.keys,
    )  # fmt: skip
    same = same_tree(_answer(case.decision), _answer(other))
    _require(same, case.decider, _UNHEARD.format("objective"))


def _thought(spent: Ledger) -> float | None:
    total = spent.total()
    if total.model_steps is None or total.network_evaluations is None:
        return None
    return float(np.asarray(total.model_steps) + np.asarray(total.network_evaluations))


def _answer(decision: Decision) -> tuple[Any, ...]:
    return decision.action, decision.weights, decision.value, decision.candidates


def _counts(decision: Decision) -> list[Any]:
    """What each row was charged, but for time; None where that is unknown."""
    spent, rows = decision.spent, len(decision.value)
    amounts = (spent.model_steps, spent.network_evaluations, spent.flops)
    return [None if x is None else np.broadcast_to(x, rows) for x in amounts]


def _rows(tree: Any, rows: slice) -> Any:
    return jax.tree.map(lambda x: x[rows], tree)


def _form(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return str(structure), [f"{jnp.asarray(x).dtype}{list(np.shape(x))}" for x in leaves]
