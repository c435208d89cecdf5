"""A decision by tree search: begin the trees, grow them, read the answer at their roots.

Each stage is a pure function. In one piece (`whole`) they make a decision inside of a compiled
program. For the host they are compiled apart, and rounds run in chunks (`Running`): only the host
knows the time, so it looks at the clock between chunks and sizes the next one by how long a round
took. A search in many pieces is, number for number, the search in one piece.
"""

import functools
import time
from collections.abc import Hashable, Iterator
from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, UInt32

from ...core import clock
from ...core.budget import UNLIMITED
from ...core.decider import Decision
from ...core.keys import as_typed_keys, is_key
from ...core.ledger import Ledger
from ...core.noise import mix, seeds
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State, Task
from ..aims import aim_of
from ..checks import check_opposed, check_sound, check_stuck
from ..evaluators import Evaluator
from ..faults import IN_AIMS
from ..ties import SINGLE, best_action
from .engine import Outcome, beaten, going_on, init, proceed, surest, watch, won
from .limits import Limits
from .models.base import Model
from .models.chance import model_for
from .models.sampled import Sampling, named
from .picker import Scores
from .principal import statistics
from .proofs import hardest
from .reuse import Remembered, carry, go_on_from, remember
from .rules import Rule
from .stopping import Stopping
from .tree import log_prior, pack

SHARE = 0.1
"""No chunk is meant to take more of a time limit than this, so it is missed by little."""
TRIAL = 0.05
"""After so much of it the pace is known, and rules that plan the root's simulations do so anew."""
_compiled: set[Hashable] = set()


class Setting(eqx.Module):
    """All that a search is made of but what it is asked: what its compiled stages share.

    `backend` is what `backends.choice.backend_for` gives.
    """

    task: Task
    objective: Objective
    rule: Rule
    """How to choose, on the way down and at the root."""
    evaluator: Evaluator
    """What leaves are worth."""
    stopping: Stopping
    prove: bool = eqx.field(static=True)
    backend: ModuleType = eqx.field(static=True)
    line: int = eqx.field(static=True, default=0)
    """How many actions of the principal variation are told."""
    sampling: Sampling | None = None

    @property
    def model(self) -> Model:
        """What the search plans with."""
        model = model_for(self.task, self.objective, self.evaluator)
        return model if self.sampling is None else self.sampling.over(model, self.task)


class Order(eqx.Module):
    """What was asked for: where to search, how much, by what noise, and what is remembered.

    `noise` is a key or a seed for each row, or one key for all; `capacity` the room of the trees.
    `reserve` is how much room a remembered tree must leave (None: for the whole budget).
    """

    state: State
    limits: Limits
    noise: Key[Array, "*batch"] | UInt32[Array, " batch"]
    capacity: int = eqx.field(static=True)
    memory: Remembered | None = None
    reserve: Int[Array, " batch"] | None = None
    leave: bool = eqx.field(static=True, default=False)
    """Whether rows that have finished leave the batch; see `engine.proceed`."""

    @property
    def seed(self) -> UInt32[Array, " batch"]:
        """A seed for each row."""
        if not is_key(self.noise):
            return self.noise
        return seeds(as_typed_keys(self.noise, self.limits.simulations.shape[0]))


def begin(setting: Setting, order: Order) -> Outcome:
    """Trees with room for the order: what is remembered of the states, else their roots alone.

    A remembered tree that leaves no room for the reserve is not gone on with.
    """
    limits, seed, memory = order.limits, order.seed, order.memory
    budget = jnp.minimum(limits.simulations, limits.model_steps)
    model, rule = setting.model, setting.rule
    roots = functools.partial(
        init, model, rule, order.state, budget, seed,
        capacity=order.capacity if memory is None else 0,
        evaluate=setting.evaluator.has_prior, prove=setting.prove,
    )  # fmt: skip
    if memory is None:
        outcome = roots()
    else:
        reserve = budget if order.reserve is None else order.reserve
        states, aim = pack(model.place(order.state)), aim_of(setting.objective)
        carried = carry(memory, states, aim, reserve, order.capacity + 1)
        blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(roots))
        # The roots are not evaluated if every row is carried over.
        blank = eqx.tree_at(lambda outcome: outcome.seed, blank, seed)
        new = jax.lax.cond((carried.tree.size > 0).all(), lambda: blank, roots)
        outcome = go_on_from(carried, new, rule, budget)
    return watch(outcome) if setting.stopping.needs_returns else outcome


def grow(
    setting: Setting, outcome: Outcome, limits: Limits, rounds: Int[Array, ""] | None = None,
    leave: bool = False,
) -> Outcome:  # fmt: skip
    """Go on until the limits, or for so many rounds."""
    sampling, nodes = setting.sampling, outcome.tree.nodes.shape[1]
    return proceed(
        setting.model, setting.rule, outcome, limits, backend=setting.backend,
        widths=None if sampling is None else sampling.widths(nodes),
        stopping=setting.stopping, rounds=rounds, leave=leave,
    )  # fmt: skip


def read(setting: Setting, outcome: Outcome) -> Decision:
    """The answer so far. Seconds are left at zero."""
    root = outcome.tree.root
    weights, preference = _answer(setting, outcome)
    live = root.legal.any(-1)
    weights = jnp.where(live[:, None], weights, 0.0)
    slot = best_action(jnp.where(root.legal, preference, -jnp.inf), mix(outcome.seed, 2))
    traits, candidates, action, drawn = setting.task.traits, None, slot, None
    if setting.sampling is not None:
        rows = jnp.arange(live.shape[0])
        drawn = outcome.tree.state(rows, jnp.zeros_like(rows))
        action, weights, candidates = named(drawn, action, weights, traits)
    # A node may be wider than the task's actions: outcomes of chance share its slots.
    weights = weights[:, : traits.actions] if traits.discrete else weights
    found = statistics(setting.line, outcome.tree, slot, traits, setting.evaluator.has_prior, drawn)
    nothing_to_do = jnp.full_like(action, -1 if traits.discrete else 0)
    value = jnp.where(outcome.done, root.value, root.mean)
    each = setting.evaluator.flops / max(1, setting.evaluator.passes)
    nothing = jnp.zeros_like(outcome.model_steps)
    return Decision(
        action=where_rows(live, action, nothing_to_do),
        weights=weights,
        value=jnp.where(live, value, 0.0),
        spent=Ledger(
            model_steps=outcome.model_steps,
            network_evaluations=outcome.evaluations,
            fits=nothing,
            data=nothing,
            flops=outcome.evaluations * each,
            seconds=jnp.zeros(live.shape, jnp.float32),
        ),
        candidates=candidates,
        root=found,
    )


def _answer(setting: Setting, outcome: Outcome) -> tuple[Scores, Scores]:
    """The rule's answer among actions not proved to be worse; a proved root's best actions.

    Where nothing is proved, weights and preference are what the rule says. Where the mean return of
    the rule's choice is below what another action is proved to be worth, that one is preferred,
    however often the other was visited. Where the root is proved (`outcome.done`), weights are
    shared by the actions of the best value, and the answer is the hardest of them for an imperfect
    opponent (`proofs.hardest`).
    """
    root = outcome.tree.root
    hopeless = beaten(root, setting.objective.bounds)
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
    weights, preference = setting.rule.answer(rest, outcome.schedule)
    preference = jnp.where(hopeless, -jnp.inf, preference)
    top = surest(root)
    winners = root.settled & (root.q >= top - SINGLE * jnp.abs(top))
    chosen = root.legal & (preference >= preference.max(-1, keepdims=True))
    mean = jnp.where(chosen & (root.visits > 0), root.q, -jnp.inf).max(-1, keepdims=True)
    safer = jnp.isfinite(mean) & (mean < top - SINGLE * jnp.abs(top))
    preference = jnp.where(safer, jnp.where(winners, 0.0, -jnp.inf), preference)
    shared = winners / jnp.maximum(winners.sum(-1, keepdims=True), 1)
    done = outcome.done
    at_best = won(top[:, 0], root.sign, setting.objective.bounds)
    score = jax.lax.cond(
        done.any(),
        lambda: hardest(outcome.tree, winners, at_best),
        lambda: jnp.zeros_like(preference),
    )
    preference = jnp.where(done[:, None], score, preference)
    return jnp.where(done[:, None], shared, weights), preference


def whole(setting: Setting, order: Order) -> tuple[Decision, Outcome]:
    """The search in one piece: for use inside of a compiled program."""
    outcome = grow(setting, begin(setting, order), order.limits, leave=order.leave)
    return read(setting, outcome), outcome


def keep(setting: Setting, outcome: Outcome, like: Remembered) -> Remembered:
    """The search as the memory for the next one, of the same room as the one before."""
    return remember(outcome, aim_of(setting.objective), like)


# The same for the host.

begun = eqx.filter_jit(begin)
remembered = eqx.filter_jit(keep)


@functools.partial(eqx.filter_jit, donate="all-except-first")
def grown(
    given: tuple[Setting, Limits, Int[Array, ""]], outcome: Outcome
) -> tuple[Outcome, Bool[Array, ""]]:
    """`grow`, compiled, and whether there is more to do; it uses up the outcome given."""
    setting, limits, rounds = given
    outcome = grow(setting, outcome, limits, rounds)
    return outcome, going_on(setting.model, outcome, limits, setting.stopping).any()


@functools.partial(eqx.filter_jit, donate="all-except-first")
def replanned(given: tuple[Setting, Int[Array, " batch"]], outcome: Outcome) -> Outcome:
    """The same search with the rule's plan for the root drawn up anew, for so many simulations."""
    setting, budget = given
    schedule = setting.rule.begin(outcome.tree.root, budget, mix(outcome.seed, 1))
    return Outcome(outcome.tree, schedule, outcome.seed, outcome.tally, outcome.returns)


@eqx.filter_jit
def answered(
    setting: Setting, outcome: Outcome
) -> tuple[Decision, Int[Array, " batch"], Bool[Array, " batch"]]:
    """`read`, compiled, and what was faulty or stuck in which rows."""
    return read(setting, outcome), outcome.faults, outcome.stuck


class Running:
    """A search under way, for so many seconds at most; they begin once everything is compiled."""

    def __init__(self, setting: Setting, order: Order, seconds: float | int | None = None):
        self.setting, self.order, self.seconds = setting, order, seconds
        self.started = clock.now()
        if seconds is not None:
            self._compile()
        self.clock = time.perf_counter()
        self.outcome = begun(self.setting, self.order)
        self.planned = seconds is None or self.outcome.schedule is None

    def finish(self) -> None:
        """Go on to the end, or until time is up."""
        if self.seconds is None:
            self._go(UNLIMITED)
        else:
            for _ in self.pauses():
                pass

    def pauses(self) -> Iterator[None]:
        """Go on to the end or until time is up, pausing after 1, 2, 4, 8... rounds."""
        rounds, total, more = 1, 0, True
        while more and rounds:
            before = time.perf_counter()
            more = self._go(rounds)
            pace, total = (time.perf_counter() - before) / rounds, total + rounds
            yield
            rounds = total if self.seconds is None else min(total, self._affordable(pace))

    def answer(self) -> Decision:
        """What the search would choose now; refused where it met something not finite."""
        decision, faults, stuck = answered(self.setting, self.outcome)
        check_stuck(self.setting.task, stuck)
        check_opposed(self.setting.task, (faults & IN_AIMS) == 0, "tree search")
        check_sound(self.setting.evaluator, faults == 0, faults)
        seconds = jnp.full(faults.shape, (clock.now() - self.started) / faults.shape[0])
        return eqx.tree_at(lambda d: d.spent.seconds, decision, seconds)

    def memory(self) -> Remembered | None:
        """The search as it stands, as the next one's memory; None where there is none."""
        if self.order.memory is None:
            return None
        return remembered(self.setting, self.outcome, self.order.memory)

    def _go(self, rounds: int) -> bool:
        given = (self.setting, self.order.limits, jnp.int32(rounds))
        self.outcome, more = grown(given, self.outcome)
        return bool(more)

    def _affordable(self, pace: float) -> int:
        """How many rounds of so many seconds the next chunk may have; 0: time is up."""
        assert self.seconds is not None
        left = self.clock + self.seconds - time.perf_counter()
        if left < pace:
            return 0
        if not self.planned and left < (1 - TRIAL) * self.seconds:
            self._plan(left)
        return max(1, int(min(left, SHARE * self.seconds) / pace))

    def _plan(self, left: float) -> None:
        """Let the rule plan the root's simulations for as many as can be expected."""
        assert self.seconds is not None
        # On the host throughout: the first use of an operation of JAX would take its time.
        taken = np.asarray(self.outcome.simulations)
        expected = taken.max() * left / (self.seconds - left)
        limits = self.order.limits
        most = np.minimum(limits.simulations, limits.model_steps) - taken
        budget = np.clip(expected, 1, np.maximum(most, 1)).astype(np.int32)
        self.outcome = replanned((self.setting, jnp.asarray(budget)), self.outcome)
        self.planned = True

    def _compile(self) -> None:
        """Run every stage once, unless that has been done: it would eat into the time."""
        form = _form((self.setting, self.order))
        if form in _compiled:
            return
        self.outcome = begun(self.setting, self.order)
        self._go(0)
        if self.outcome.schedule is not None:
            zero = jnp.zeros(self.outcome.seed.shape, jnp.int32)
            self.outcome = replanned((self.setting, zero), self.outcome)
        self.answer()
        self.memory()
        _compiled.add(form)


def _form(given: Any) -> Hashable:
    """What a compiled program depends on: the structure, and shapes and types of arrays."""
    leaves, structure = jax.tree.flatten(given)
    return structure, tuple((x.shape, str(x.dtype)) if eqx.is_array(x) else x for x in leaves)
