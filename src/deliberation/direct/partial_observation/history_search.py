"""Search under chance and hidden state as a decider; the search itself is `histories`."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory
from ...core.errors import BatchMismatchError, UnknownNameError, UnsuitableTaskError
from ...core.noise import Seed, mix, seeds
from ...core.objective import Objective
from ...core.root import RootStatistics
from ...core.task import State, Task, is_concrete
from ..checks import check_memory, check_sound, check_stuck
from ..evaluators import Evaluator, RandomRollouts, speaks_for_all
from ..ties import best_action
from ..tree_search.decider import RULES
from ..tree_search.limits import Limits, check_prior, needed
from ..tree_search.rules import Rule
from ..tree_search.tree import NodeView
from .histories import Outcome, room, root_view, search
from .information import NODES, STATES


class HistorySearch(CheckedDecider):
    """Searches tasks with chance and hidden state, seeing neither the future nor another's hand.

    Every simulation starts from `task.resample` of the state asked about, a state that the player
    to move cannot tell from it, and meets chance drawn anew; statistics are kept by what players
    did and saw, never by state. For one player this is POMCP (Silver and Veness 2010), for several
    multiple-observer information-set search (Cowling, Powley and Whitehouse 2012); any number of
    players may take part, each after its own rewards.

    `nodes` says what tells nodes apart:

    - "histories": what their player has done and seen since the root.
    - "actions": what has been done, and what could be, but nothing seen (everybody's actions where
      the task hides nothing, else the player's own). This is open-loop search: narrower trees, in
      which the value of a *sequence* of actions is found; less where seeing pays.
    - "states": the state itself, so that different ways to it share what was learned. Only where
      nothing is hidden.

    `rule` is UCT, PUCT or Gumbel (an instance, or its name); `evaluator` judges leaves (random
    rollouts unless given). `budget` is what a decision may spend when the caller names none. There
    is room for `capacity` simulations; a larger budget doubles the room until it fits, at the price
    of compiling anew. `max_bytes` bounds the memory of one batch. The cap on model steps is that of
    `TreeSearch`; a limit of seconds is refused.

    The others' hands are drawn anew in each simulation, the mover's own stays as it is: its
    opponents learn to play against that hand, as if they had guessed it. So the search thinks
    little of bluffing, and its play, though sound, can be exploited: in Kuhn poker it loses a sixth
    of a chip a game to best replies.

    Raises `UnsuitableTaskError` for continuous actions, for "states" where something is hidden and
    for three or more players with an evaluator that speaks for one; `BudgetError` for budget 0
    without a prior, `TooLargeError` before allocating more than `max_bytes`, `NonFiniteError` if
    the evaluator or the objective gives NaN or infinity, and `NoLegalActionError` if a simulation
    meets a state that is live and leaves nothing to do.
    """

    pads: ClassVar[bool] = True
    task: Task
    rule: Rule
    evaluator: Evaluator
    budget: Budget
    nodes: str = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    max_bytes: int = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        rule: Rule | str = "uct",
        evaluator: Evaluator | None = None,
        *,
        nodes: str = "histories",
        budget: Budget | int = 128,
        capacity: int = 1024,
        max_bytes: int = 4 * 2**30,
    ):
        evaluator = RandomRollouts() if evaluator is None else evaluator
        if isinstance(rule, str) and rule not in RULES:
            raise UnknownNameError("rule", rule, RULES)
        if nodes not in NODES:
            raise UnknownNameError("way to tell nodes apart", nodes, NODES)
        _check_suits(task, evaluator, nodes)
        self.task = task
        self.rule = RULES[rule]() if isinstance(rule, str) else rule
        self.evaluator = evaluator
        self.budget = Budget.of(budget)
        self.nodes, self.capacity, self.max_bytes = nodes, capacity, max_bytes

    def __repr__(self) -> str:
        rule, judge = type(self.rule).__name__, type(self.evaluator).__name__
        spend = f"nodes={self.nodes!r}, budget={self.budget.simulations}"
        return f"HistorySearch({self.task!r}, {rule}, {judge}, {spend})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Search from every row."""
        state, batch = question.state, len(question.keys)
        if batch == 0:
            raise BatchMismatchError("A search needs at least one state; got an empty batch.")
        assert question.budget is not None, "there is a budget of its own"
        limits = Limits(*question.limits)
        check_prior(repr(self), self.task, self.evaluator, state, limits)
        capacity = needed(limits, self.capacity, question.budget)
        size = room(self.task, batch, capacity, self.nodes)
        check_memory(size, self.max_bytes, capacity, batch)
        # The default budget stays out of the compiled program, or each would compile anew.
        planner = eqx.tree_at(lambda p: p.budget, self, Budget(0))
        decision, faults, stuck = _decide(
            planner, question.objective, state, limits, question.keys, capacity
        )
        if is_concrete(decision):
            check_stuck(self.task, stuck)
            check_sound(self.evaluator, faults == 0, faults)
        return decision, question.memory


def _check_suits(task: Task, evaluator: Evaluator, nodes: str) -> None:
    traits = task.traits
    if not traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has continuous actions: HistorySearch serves tasks whose actions can be "
            "counted."
        )
    if nodes == STATES and not traits.fully_observable:
        raise UnsuitableTaskError(
            f"{task!r} hides something: nodes that are states would let each player act on what "
            'it has not seen. Use nodes="histories".'
        )
    if traits.players > 2 and not speaks_for_all(evaluator):
        raise UnsuitableTaskError(
            f"{task!r} has {traits.players} players and {type(evaluator).__name__} gives a value "
            "for one of them: use RandomRollouts or NoEvaluation."
        )


def plan(
    planner: HistorySearch,
    objective: Objective,
    state: State,
    limits: Limits,
    seed: Seed,
    capacity: int,
) -> tuple[Decision, Outcome]:
    """Search and read the answer; pure, for use inside of a larger compiled loop.

    Nothing is checked here: the caller looks at the outcome's `faults` and `stuck`. Seconds are
    left at zero.
    """
    task, evaluator, rule = planner.task, planner.evaluator, planner.rule
    outcome = search(
        task, objective, evaluator, rule, state, limits, seed,
        capacity=capacity, nodes=planner.nodes,
    )  # fmt: skip
    root = root_view(task, outcome, state)
    weights, preference = rule.answer(root, outcome.schedule)
    live = root.legal.any(-1) & ~jax.vmap(task.terminated)(state)
    action = best_action(jnp.where(root.legal, preference, -jnp.inf), mix(seed, 2))
    each = evaluator.flops / max(1, evaluator.passes)
    decision = answer(
        live, action, weights, root.mean,
        model_steps=outcome.model_steps, network_evaluations=outcome.evaluations,
        flops=outcome.evaluations * each, root=_told(root, live, evaluator.has_prior),
    )  # fmt: skip
    return decision, outcome


def _told(root: NodeView, live: Bool[Array, " batch"], prior: bool) -> RootStatistics:
    """Without a line: what follows depends on what the players will see."""
    shown = root.legal & live[:, None]
    return RootStatistics(
        jnp.where(shown, root.visits, 0.0),
        jnp.where(shown, root.q, 0.0),
        jnp.where(shown, root.prior, 0.0) if prior else None,
        jnp.zeros((live.shape[0], 0), jnp.int32),
    )


@eqx.filter_jit
def _decide(
    planner: HistorySearch,
    objective: Objective,
    state: State,
    limits: Limits,
    keys: Key[Array, " batch"],
    capacity: int,
) -> tuple[Decision, Int[Array, " batch"], Bool[Array, " batch"]]:
    decision, outcome = plan(planner, objective, state, limits, seeds(keys), capacity)
    return decision, outcome.faults, outcome.stuck
