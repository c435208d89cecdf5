"""AIXI with a finite class: a Bayes mixture over a few worlds, planned in exactly.

Hutter, "Universal artificial intelligence" (2005), equation 5.5: the true world is one of a list,
each is believed by its prior and by how probable it made everything seen so far, and the action is
taken that is best in the mixture. In so far as it pays, it tries things to find out where it is.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.answering import CheckedDecider, Question
from ...core.budget import Budget
from ...core.decider import Decision
from ...core.errors import UnsuitableTaskError
from ...core.host import on_host
from ...core.noise import seeds
from ...core.objective import Objective
from ...core.rows import in_one_row, where_rows
from ...core.task import State, Task
from ..exact.belief_graph import (
    Grown,
    Particles,
    check_believable,
    grow,
    listed,
    sight,
)
from ..partial_observation.belief_planning import action_values, judged


class MixtureMemory(eqx.Module):
    """What each row believes of the worlds, what it has seen in terms of each, its last action.

    `states` has, for each world, one state of those in which the player would have seen what it
    has seen: the world's own `beliefs` of it are what may be the case. `action` is -1 at birth.
    """

    posterior: Float[Array, "batch worlds"]
    states: tuple[State, ...]
    action: Int[Array, " batch"]


class BayesMixture(CheckedDecider):
    """Knows that it is in one of `worlds`, finds out in which, and acts well meanwhile.

    `prior` is how probable each world is at first (even unless given). The likelihood of what is
    seen is exact, from the outcomes that the worlds list; of rewards counts what `observe` shows.
    The worlds must agree on how episodes begin. What no world explains is taken for a new episode:
    the posterior stays.

    Actions are searched by expectimax over the mixture to `horizon` actions ahead (the rest of the
    episode unless given), within a budget as in `BeliefPlanning`. Runs on the host, not inside of
    `jit`. Raises `UnsuitableTaskError` for worlds that cannot be planned in (see
    `BeliefPlanning`) or do not have the same actions, observations and states.
    """

    task: Task
    worlds: tuple[Task, ...]
    prior: Float[Array, " worlds"]
    budget: Budget
    horizon: int = eqx.field(static=True)

    def __init__(
        self,
        worlds: Sequence[Task],
        *,
        task: Task | None = None,
        prior: Sequence[float] | None = None,
        horizon: int | None = None,
        budget: Budget | int = 10_000,
    ):
        if not worlds:
            raise ValueError("A mixture needs at least one world.")
        self.task, self.worlds = worlds[0] if task is None else task, tuple(worlds)
        for world in (self.task, *worlds):
            check_believable(world)
            _check_alike(self.task, world)
        even = np.full(len(worlds), 1 / len(worlds))
        given = even if prior is None else np.asarray(prior, float)
        if given.shape != even.shape or not (given >= 0).all() or not np.isclose(given.sum(), 1):
            raise ValueError(
                f"A prior over {len(worlds)} worlds has as many probabilities, which sum to 1; got "
                f"{given.tolist()}."
            )
        self.prior, self.budget = jnp.asarray(given, jnp.float32), Budget.of(budget)
        if horizon is not None and horizon < 1:
            raise ValueError(f"BayesMixture needs a horizon of at least 1; got {horizon}.")
        self.horizon = self.task.traits.horizon if horizon is None else horizon

    def __repr__(self) -> str:
        spend = f"horizon={self.horizon}, budget={self.budget.simulations}"
        return f"BayesMixture({len(self.worlds)} worlds like {self.task!r}, {spend})"

    def begin(self, batch: int) -> MixtureMemory:
        """The prior, and nothing done."""
        first = jax.eval_shape(self.task.init, jax.random.key(0))
        states = jax.tree.map(lambda x: jnp.zeros((batch, *x.shape), x.dtype), first)
        posterior = jnp.broadcast_to(self.prior, (batch, len(self.worlds)))
        return MixtureMemory(posterior, (states,) * len(self.worlds), jnp.full(batch, -1))

    def choose(self, question: Question) -> tuple[Decision, MixtureMemory]:
        """Learn from what is seen, then search."""
        state, keys, limits = question.state, question.keys, question.limits
        memory = self.begin(len(keys)) if question.memory is None else question.memory
        memory = learned(self, state, memory)
        legal = np.asarray(_legal(self.task, state))
        roots: list[tuple[State, np.ndarray]] = [
            on_host(_listed(world, states))
            for world, states in zip(self.worlds, memory.states, strict=True)
        ]
        posterior = np.asarray(memory.posterior)
        q, spent = np.full(legal.shape, -np.inf), np.zeros(len(keys), np.int64)
        known: dict[tuple[bytes, ...], tuple[np.ndarray, Grown]] = {}
        for row in np.flatnonzero(legal.any(1)):
            likely = [
                _particles(states, chances, float(posterior[row, w]), int(row))
                for w, (states, chances) in enumerate(roots)
            ]
            most = [int(x[row]) for x in limits]
            name = tuple(np.asarray(x).tobytes() for x in [*jax.tree.leaves(likely), *most])
            if name not in known:
                known[name] = self._search(likely, legal[row], most, question.given)
            q[row], grown = known[name]
            spent[row] = grown.steps
        decision = judged(q, legal, spent, seeds(keys))
        memory = eqx.tree_at(lambda m: m.action, memory, decision.action)
        return decision, memory

    def _search(
        self,
        root: list[Particles],
        legal: Bool[np.ndarray, " actions"],
        most: list[int],
        objective: Objective | None,
    ) -> tuple[np.ndarray, Grown]:
        wants = [world.objective if objective is None else objective for world in self.worlds]
        grown = grow(self.worlds, wants, root, legal[None], self.horizon, *most)
        return action_values(grown, legal, float(wants[0].discount)), grown


def learned(mixture: BayesMixture, state: State, memory: MixtureMemory) -> MixtureMemory:
    """The memory once the state that came of the last action is seen; pure."""
    found = [
        _explained(world, states, memory.action, mixture.task, state)
        for world, states in zip(mixture.worlds, memory.states, strict=True)
    ]
    weight = memory.posterior * jnp.stack([likelihood for likelihood, _ in found], axis=1)
    total = weight.sum(1)
    anew = (memory.action < 0) | (total <= 0)
    posterior = weight / jnp.where(total > 0, total, 1)[:, None]
    posterior = jnp.where(anew[:, None], memory.posterior, posterior)
    states = tuple(
        _seen_as(world, state, after, anew)
        for world, (_, after) in zip(mixture.worlds, found, strict=True)
    )
    return MixtureMemory(posterior, states, memory.action)


@eqx.filter_jit
def _explained(
    world: Task, states: State, action: Int[Array, " batch"], task: Task, state: State
) -> tuple[Float[Array, " batch"], State]:
    """How probable a world thought what is seen now, and a state of it in which that is seen."""

    def one(before: State, a: Int[Array, ""], now: State):
        may_be, chances = listed(world, before)
        if world.traits.outcomes > 0:
            after, odds = jax.vmap(world.outcomes, (0, None))(may_be, jnp.maximum(a, 0))
        else:
            key = jax.random.key(0)
            moved = jax.vmap(world.advance, (0, None, None))(may_be, jnp.maximum(a, 0), key)
            after, odds = jax.tree.map(lambda x: x[:, None], moved), jnp.ones((len(chances), 1))
        seen = jax.vmap(jax.vmap(lambda s: sight(world, s)))(after)
        agrees = (seen == sight(task, now)).all(-1)
        weight = (chances[:, None] * odds * agrees).ravel()
        which = jnp.argmax(weight)
        return weight.sum(), jax.tree.map(lambda x: x[which], in_one_row(after))

    return jax.vmap(one)(states, action, state)


@eqx.filter_jit
def _seen_as(world: Task, state: State, after: State, anew: Bool[Array, " batch"]) -> State:
    """What came of it, or where the row begins anew the state given, without what it hides."""
    listed_, chances = _listed(world, state)
    # What is listed first may be padding.
    rows, possible = jnp.arange(len(chances)), jnp.argmax(chances > 0, axis=1)
    first = jax.tree.map(lambda x: x[rows, possible], listed_)
    return where_rows(anew, first, after)


@eqx.filter_jit
def _listed(world: Task, states: State) -> tuple[State, Float[Array, "batch states"]]:
    return jax.vmap(lambda s: listed(world, s))(states)


@eqx.filter_jit
def _legal(task: Task, state: State) -> Bool[Array, "batch actions"]:
    return jax.vmap(task.legal)(state)


def _particles(states: State, chances: np.ndarray, share: float, row: int) -> Particles:
    """One row's belief within one world, weighted by what the world is believed."""
    weight = chances[row].astype(float) * share
    likely = weight > 0
    chosen = jax.tree.map(lambda x: x[row][likely], states)
    return Particles(chosen, np.zeros(int(likely.sum()), int), weight[likely])


def _check_alike(task: Task, world: Task) -> None:
    key = jax.random.key(0)

    def looks(one: Task):
        state = jax.eval_shape(one.init, key)
        leaves, structure = jax.tree.flatten((state, jax.eval_shape(one.observe, state)))
        return one.traits.actions, structure, [(x.shape, x.dtype) for x in leaves]

    if looks(task) != looks(world):
        raise UnsuitableTaskError(
            f"{task!r} and {world!r} differ in their actions, observations or states: the worlds "
            "of a mixture must be alike to whoever lives in them. Take tasks of one kind with "
            "different options."
        )
