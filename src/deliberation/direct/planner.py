"""Tree search as a decider: the public face of `direct.search`."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from ..core.budget import Budget
from ..core.decider import Decider, Decision, Memory, row_keys
from ..core.errors import (
    BatchMismatchError,
    BudgetError,
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
    UnknownNameError,
    UnsuitableTaskError,
)
from ..core.ledger import Ledger
from ..core.noise import Seed, mix, seeds
from ..core.objective import Objective
from ..core.task import State, Task, batch_size, check_batch, is_concrete
from .backend import BackendName, backend_name
from .chance import model_for
from .evaluators import Evaluator, RandomRollouts
from .portable import best_action
from .rules import PUCT, UCT, Gumbel, Rule, Scores
from .search import Limits, Outcome, search, slack
from .tree import FORBIDDEN, LARGEST, NodeView, log_prior, size_in_bytes

RULES = {"uct": UCT, "puct": PUCT, "gumbel": Gumbel}


class TreeSearch(Decider):
    """Searches when asked: builds a tree from each state by simulation and answers from its root.

    `rule` is UCT, PUCT or Gumbel (an instance, or its name); `evaluator` judges leaves (random
    rollouts unless given). `budget` is what a decision may spend when the caller names none. With
    `prove` (the default) values that are certain are proved and a proved root ends its search
    early; without it the search is the paper's own. Trees have room for `capacity` simulations; a
    larger budget doubles the room until it fits, at the price of compiling anew. `max_bytes` bounds
    the memory of one batch of trees.

    A cap on model steps is looked at between simulations, so the last one may pass it; it also caps
    the simulations.

    Chance is met at chance nodes, for tasks that list what it can do (`Task.outcomes`). Raises
    `UnsuitableTaskError` for hidden state, chance that is not listed, continuous actions or more
    than two players (see `HistorySearch`), `BudgetError` for budget 0 without a prior,
    `TooLargeError` before allocating more than `max_bytes`, `NonFiniteError` if the evaluator or
    the objective gives NaN or infinity, and `NoLegalActionError` if a state in the tree is live and
    leaves nothing to do.
    """

    task: Task
    rule: Rule
    evaluator: Evaluator
    budget: Budget
    prove: bool = eqx.field(static=True)
    backend: BackendName = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    max_bytes: int = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        rule: Rule | str = "uct",
        evaluator: Evaluator | None = None,
        *,
        budget: Budget | int = 128,
        prove: bool = True,
        backend: BackendName = "auto",
        capacity: int = 1024,
        max_bytes: int = 4 * 2**30,
    ):
        _check_suits(task)
        if isinstance(rule, str) and rule not in RULES:
            raise UnknownNameError("rule", rule, RULES)
        self.task = task
        self.rule = RULES[rule]() if isinstance(rule, str) else rule
        self.evaluator = RandomRollouts() if evaluator is None else evaluator
        self.budget = Budget.of(budget)
        self.prove, self.backend = prove, backend
        self.capacity, self.max_bytes = capacity, max_bytes

    def __repr__(self) -> str:
        rule, judge = type(self.rule).__name__, type(self.evaluator).__name__
        return f"TreeSearch({self.task!r}, {rule}, {judge}, budget={self.budget.simulations})"

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """Search from every row; see `Decider.decide`."""
        batch = batch_size(state)
        if batch == 0:
            raise BatchMismatchError("A search needs at least one state; got an empty batch.")
        asked = self.budget if budget is None else Budget.of(budget)
        limits = Limits(*asked.rows(batch))
        check_batch(self.task, state)
        self._refuse_empty(state, limits)
        capacity = self._room(state, limits)
        started = time.perf_counter()
        # The default budget stays out of the compiled program, or each would compile anew.
        planner = eqx.tree_at(lambda p: p.budget, self, Budget(0))
        objective = self.task.objective if objective is None else objective
        decision, sound, stuck = _decide(
            planner, objective, state, limits, row_keys(key, batch), capacity,
            # By name, so that a change of the environment is heard.
            backend_name(self.backend),
        )  # fmt: skip
        if is_concrete(decision):
            _check_stuck(self.task, stuck)
            _check_sound(self.evaluator, sound)
            seconds = jnp.full(batch, (time.perf_counter() - started) / batch)
            decision = eqx.tree_at(lambda d: d.spent.seconds, decision, seconds)
        return decision, memory

    def _refuse_empty(self, state: State, limits: Limits) -> None:
        if self.evaluator.has_prior or not is_concrete((state, limits)):
            return
        live = ~jax.vmap(self.task.terminated)(state)
        nothing = jnp.minimum(limits.simulations, limits.model_steps) == 0
        if bool((live & nothing).any()):
            raise BudgetError(
                f"A budget of 0 leaves {self!r} nothing to answer from: it has no prior. Give at "
                "least one simulation, or an evaluator with a prior (a network)."
            )

    def _room(self, state: State, limits: Limits) -> int:
        """The capacity that fits the largest budget of the batch, refused if memory would not."""
        capacity = self.capacity
        if is_concrete(limits):
            need = int(jnp.minimum(limits.simulations, limits.model_steps).max())
            capacity = max(capacity, 1 << max(0, need - 1).bit_length())
        if capacity > LARGEST:
            raise TooLargeError(
                f"A tree of {capacity:,} nodes is over the {LARGEST:,} that can be numbered "
                "exactly. Use a smaller budget or capacity."
            )
        model = model_for(self.task, self.task.objective, self.evaluator)
        size = size_in_bytes(model.enter(state), model.actions, capacity)
        if size > self.max_bytes:
            raise TooLargeError(
                f"Trees of {capacity} nodes for {batch_size(state)} rows would take {size:,} bytes,"
                f" more than max_bytes={self.max_bytes:,}. Use smaller batches or budgets, or raise"
                " max_bytes."
            )
        return capacity


def _check_suits(task: Task) -> None:
    traits = task.traits
    if not traits.fully_observable or not (traits.deterministic or traits.outcomes):
        what = "chance that is not listed" if traits.fully_observable else "hidden state"
        raise UnsuitableTaskError(
            f"{task!r} has {what}: TreeSearch serves tasks in full view whose chance, if any, "
            "`Task.outcomes` lists, or it would plan on one sampled future. Use "
            "`HistorySearch(task, ...)`."
        )
    if traits.players not in (1, 2) or not traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has {traits.players} players and discrete={traits.discrete}: TreeSearch "
            "serves discrete tasks of one player, or of two with opposite aims."
        )


def plan(
    planner: TreeSearch,
    objective: Objective,
    state: State,
    limits: Limits,
    seed: Seed,
    capacity: int,
    backend: BackendName | None = None,
) -> tuple[Decision, Outcome]:
    """Search and read the answer; pure, for use inside of a larger compiled loop.

    Nothing is checked here: the caller looks at `outcome.sound`. Seconds are left at zero.
    """
    model = model_for(planner.task, objective, planner.evaluator)
    outcome = search(
        model, planner.rule, state, limits, seed, capacity=capacity,
        judge=planner.evaluator.has_prior, prove=planner.prove,
        backend=planner.backend if backend is None else backend,
    )  # fmt: skip
    root = outcome.tree.root
    weights, preference = _answer(planner.rule, root, outcome, objective)
    # A node may be wider than the task's actions: outcomes of chance share its slots.
    weights = weights[:, : planner.task.traits.actions]
    live = root.legal.any(-1)
    action = best_action(jnp.where(root.legal, preference, -jnp.inf), mix(seed, 2))
    value = jnp.where(outcome.done, root.value, root.mean)
    each = planner.evaluator.flops / max(1, planner.evaluator.passes)
    nothing = jnp.zeros_like(outcome.model_steps)
    return Decision(
        action=jnp.where(live, action, -1),
        weights=jnp.where(live[:, None], weights, 0.0),
        value=jnp.where(live, value, 0.0),
        spent=Ledger(
            model_steps=outcome.model_steps,
            network_evaluations=outcome.evaluations,
            fits=nothing,
            data=nothing,
            flops=outcome.evaluations * each,
            seconds=jnp.zeros(live.shape),
        ),
    ), outcome


@eqx.filter_jit
def _decide(
    planner: TreeSearch,
    objective: Objective,
    state: State,
    limits: Limits,
    keys: Key[Array, " batch"],
    capacity: int,
    backend: BackendName,
) -> tuple[Decision, Bool[Array, " batch"], Bool[Array, " batch"]]:
    decision, outcome = plan(planner, objective, state, limits, seeds(keys), capacity, backend)
    return decision, outcome.sound, outcome.stuck


def _answer(
    rule: Rule, root: NodeView, outcome: Outcome, objective: Objective
) -> tuple[Scores, Scores]:
    """The rule's answer among actions not proved as bad as can be; a proved root's best actions.

    Where nothing is proved, weights and preference are what the rule says.
    """
    low, high = objective.bounds
    floor = jnp.where(root.sign > 0, low, -high)[:, None]
    hopeless = root.settled & (root.q <= floor + slack(objective.bounds))
    rest = eqx.tree_at(
        lambda n: (n.visits, n.q, n.logits, n.settled),
        root,
        (
            jnp.where(hopeless, 0.0, root.visits),
            jnp.where(hopeless, 0.0, root.q),
            log_prior(root.logits, root.legal & ~hopeless),
            root.settled & ~hopeless,
        ),
    )
    weights, preference = rule.answer(rest, outcome.schedule)
    preference = jnp.where(hopeless, FORBIDDEN, preference)
    best = jnp.where(root.settled, root.q, FORBIDDEN)
    top = best.max(-1, keepdims=True)
    winners = root.settled & (best >= top - 1e-5 * jnp.abs(top))
    shared = winners / jnp.maximum(winners.sum(-1, keepdims=True), 1)
    proved = outcome.done[:, None]
    return jnp.where(proved, shared, weights), jnp.where(proved, best, preference)


def _check_stuck(task: Task, stuck: Bool[Array, " batch"]) -> None:
    if bool(stuck.any()):
        raise NoLegalActionError(
            f"From row {int(np.argmax(np.asarray(stuck)))} of the batch the search came to a state "
            f"of {task!r} that is not terminal and has no legal action; the task must end the "
            "episode there (`core.check_task` finds such states)."
        )


def _check_sound(evaluator: Evaluator, sound: Bool[Array, " batch"]) -> None:
    if not bool(sound.all()):
        row = int(np.argmin(np.asarray(sound)))
        raise NonFiniteError(
            f"In row {row} of the batch the search met NaN or infinity in a prior or value of "
            f"{type(evaluator).__name__}, in a reward or in their sum. Check the network's weights "
            "(a diverged training run?) and the objective."
        )
