"""Any Gymnasium environment as a task: `from_gymnasium`."""

import functools
from collections.abc import Callable
from importlib import metadata
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.objective import Action, Objective
from ...core.task import Traits, dtype_of
from ...tasks.bases import SoloTask
from ...tasks.names import join_name
from ..bases import CutWorld, Earned
from ..calls import ask_host, like, words_of
from ..words import names_itself, words_for_actions, words_for_seen
from .form import Leaf
from .making import registered
from .proof import Fidelity
from .settings import Settings, hooks_given, horizon_of, settings_of
from .state import GymState
from .world import World


class GymTask(CutWorld, SoloTask):
    """A Gymnasium environment, made by `from_gymnasium`; rules and rewards are the environment's.

    `fidelity` says how its states are kept and what that was judged by. What the environment hides
    from its player is in its states all the same, and a planner makes use of it; only chance that
    is still to come is hidden. Where there are worker processes, `close` ends them.
    """

    world: World = eqx.field(static=True)
    settings: Settings = eqx.field(static=True)
    named: str | None = eqx.field(static=True, default=None)
    """The name by which `make_task` makes this task again."""

    def __repr__(self) -> str:
        traits = self.traits
        kinds = f"actions of shape {list(traits.shape)}"
        if traits.discrete:
            kinds = f"{traits.actions} action{'s' * (traits.actions != 1)}"
        return (
            f"GymTask({self.world.name}, {kinds}, at most {traits.horizon} steps, copied by "
            f"{self.fidelity.way})"
        )

    @property
    def traits(self) -> Traits:
        """One player; chance as far as it was met in the trial; episodes as long as its limit.

        Without a limit they need not end.
        """
        form = self.world.form.action
        horizon = horizon_of(self.world.limit, self.settings)
        certain, endless = not self.fidelity.random, self.world.limit is None
        if form.count:
            listing = self.world.listing
            listed = 0 if listing is None else listing.most
            return Traits(1, form.count, horizon, certain, outcomes=listed, continuing=endless)
        low, high = (-1.0, 1.0) if form.spread else (form.low[0], form.high[0])
        return Traits(
            1, 1, horizon, certain, discrete=False, shape=form.shape,
            low=float(np.float32(low)), high=float(np.float32(high)), continuing=endless,
        )  # fmt: skip

    @property
    def objective(self) -> Objective:
        """The environment's own rewards."""
        return Earned()

    @property
    def fidelity(self) -> Fidelity:
        """How states are kept, and what was tried."""
        return self.world.fidelity

    def init(self, key: Key[Array, ""]) -> GymState:
        """The environment reset by a seed that the key determines."""
        origin = words_of(key)
        rows = ask_host(self.world.reset, self._like(), origin)
        form = self.world.form
        history = jnp.zeros((form.history, 2 + form.action.words), jnp.uint32)
        return self._state(rows, origin, history, jnp.int32(0))

    def advance(self, state: GymState, action: Action, key: Key[Array, ""]) -> GymState:
        """The environment put into the state, its chance set by the key, and stepped."""
        action, key_words = jnp.asarray(action, dtype_of(self.traits)), words_of(key)
        rows = ask_host(
            self.world.step, self._like(), state.memory, state.origin, state.history, state.time,
            self.terminated(state), action, key_words,
        )  # fmt: skip
        history = state.history
        if self.world.form.history:
            record = jax.lax.bitcast_convert_type(action, jnp.uint32).ravel()
            history = history.at[state.time].set(jnp.concatenate([record, key_words]))
        moved = self._state(rows, state.origin, history, state.time + 1)
        still = self.terminated(state)
        return jax.tree.map(lambda old, new: jnp.where(still, old, new), state, moved)

    def outcomes(
        self, state: GymState, action: Action
    ) -> tuple[GymState, Float[Array, " outcomes"]]:
        """What the environment's own table lists, where it has one that it plays by."""
        listing = self.world.listing
        if listing is None:
            return super().outcomes(state, action)
        action = jnp.asarray(action, dtype_of(self.traits))
        room = [like((listing.most, *x.shape), x.dtype) for x in self._like()]
        *rows, chances = ask_host(
            self.world.outcomes, [*room, like((listing.most,), np.float32)], state.memory,
            state.origin, state.history, state.time, self.terminated(state), action,
        )  # fmt: skip
        after = jax.vmap(
            lambda *row: self._state(list(row), state.origin, state.history, state.time + 1)
        )(*rows)
        still = self.terminated(state)
        after = jax.tree.map(lambda old, new: jnp.where(still, old, new), state, after)
        return after, chances

    def _like(self) -> list[jax.ShapeDtypeStruct]:
        return [like(x.shape[1:], x.dtype) for x in self.world.form.rows(1)]

    def _state(self, rows: list[Array], origin: Array, history: Array, time: Array) -> GymState:
        form, leaves = self.world.form, len(self.world.form.leaves)
        info = dict(zip([e.name for e in form.info], rows[2 + leaves : -2], strict=True))
        seen = _structured(form.leaves, rows[1 : 1 + leaves]) if form.wrapped else rows[1]
        return GymState(
            rows[0], origin, history, seen, rows[1 + leaves], info, rows[-2], rows[-1], time
        )

    def observe(self, state: GymState) -> Float[Array, "..."]:
        """A Box as it is; numbers one-hot; of a Tuple or Dict all parts in a row."""
        parts = _parts(self.world.form.leaves, state.observation)
        seen = [_numbers(leaf, part) for leaf, part in parts]
        return seen[0] if len(seen) == 1 else jnp.concatenate([x.ravel() for x in seen])

    def fingerprint(self, state: GymState) -> Int[Array, " words"]:
        """What the state is made of again."""
        stop = state.over.astype(jnp.int32) + 2 * state.cut.astype(jnp.int32)
        return jnp.append(state.memory.astype(jnp.int32), stop)

    def render(self, state: GymState) -> str:
        """What is seen, and what the last action earned."""
        told = {name: np.asarray(x).tolist() for name, x in state.info.items()}
        seen: Any = jax.tree.map(lambda x: np.asarray(x).tolist(), state.observation)
        if names_itself(self.world.env):
            seen = ", ".join(f"{name} {value}" for name, value in self.table_seen(state)[:-1])
        return (
            f"{self.world.name} after {int(state.time)} actions\nseen: {seen}\n"
            f"earned: {float(state.reward):g}; info: {told}"
        )

    @property
    def action_names(self) -> tuple[str, ...]:
        """Those that it gives itself (`action_names`), or of its documentation where known."""
        return words_for_actions(self.world.env, self.world.form.action.count)

    def table_seen(self, state: GymState) -> tuple[tuple[str, str], ...]:
        """What is observed, by the names of its parts, and what the last action earned."""
        parts = [
            ("/".join(map(str, leaf.path)) or "observation", leaf.counts, np.asarray(part))
            for leaf, part in _parts(self.world.form.leaves, state.observation)
        ]
        earned = ("earned by the last action", f"{float(state.reward):g}")
        return (*words_for_seen(self.world.env, parts), earned)

    def close(self) -> None:
        """End the worker processes; they start again where the task is used again."""
        self.world.close()


def _structured(leaves: tuple[Leaf, ...], rows: list[Array]) -> Any:
    """Arrays put where their spaces are: dictionaries by name, tuples by place."""
    if leaves and not leaves[0].path:
        return rows[0]
    groups: dict[Any, tuple[list[Leaf], list[Array]]] = {}
    for leaf, row in zip(leaves, rows, strict=True):
        inner, arrays = groups.setdefault(leaf.path[0], ([], []))
        inner.append(Leaf(leaf.path[1:], leaf.kind, leaf.dtype, leaf.shape))
        arrays.append(row)
    parts = {key: _structured(tuple(inner), arrays) for key, (inner, arrays) in groups.items()}
    return tuple(parts.values()) if all(isinstance(key, int) for key in parts) else parts


def _parts(leaves: tuple[Leaf, ...], seen: Any) -> list[tuple[Leaf, Array]]:
    return [(leaf, functools.reduce(lambda x, key: x[key], leaf.path, seen)) for leaf in leaves]


def _numbers(leaf: Leaf, part: Array) -> Float[Array, "..."]:
    if not leaf.counts:
        return part.astype(jnp.float32)
    hot = [
        jax.nn.one_hot(x - start, count, dtype=jnp.float32)
        for x, count, start in zip(
            jnp.atleast_1d(part).ravel(), leaf.counts, leaf.start, strict=True
        )
    ]
    return jnp.concatenate(hot)


_MADE: dict[tuple[str, bool], tuple[Any, World]] = {}
"""What a name stood for, and the world made of it, by name with options and settings, and whether
numbers are of 64 bits: equal tasks share programs, snapshots and workers."""


def from_gymnasium(
    env: Any,
    *,
    clone: str = "best",
    workers: int = 0,
    cache_megabytes: float = 256.0,
    horizon: int | None = None,
    info: tuple[str, ...] | list[str] | None = None,
    get_state: Callable[[Any], Any] | None = None,
    set_state: Callable[[Any, Any], Any] | None = None,
    **options: Any,
) -> GymTask:
    """A task from a Gymnasium environment: its id, a factory that makes one, or one itself.

    Further `options` go to `gymnasium.make`, or to the factory. An environment that is handed over
    is stepped, and reset, from then on; several tasks may be made of it. Wrappers stay, and what
    they keep is part of the state. Where the environment cuts an episode (`truncated`, by a
    `TimeLimit` or by itself) searches stop as `rollout` does, and it is never stepped past that;
    learners bootstrap there, as from what is cut and not over (`Task.only_cut`).

    Numbers are kept as they are, up to rounding where they have a fraction: whole ones that do not
    fit in 32 bits are refused unless 64 are enabled (`JAX_ENABLE_X64`), and so is an observation
    of another shape or kind than its space's, or that its space does not count. The bounds of a Box
    of observations are not held against anything. In a Box of whole numbers actions are whole.
    TreeSearch plans where chance can be listed: as it is in environments of toy text, whose table
    `P` is held against what they play; elsewhere `adapters.SampledChance(task, 16)` lists draws.

    Attributes that did not move in a trial are compared with what they were after each step, those
    of more than 4096 bytes after every 64th at most; one that then moves for the first time in
    place is refused. So is drawing from NumPy's or Python's global generator where it is noticed
    after the trial, in which each step is watched, and then one in 64.

    - `clone` chooses how states are kept; 'best' tries all ways and takes the first that is exact
      (`GymTask.fidelity` tells). Before each step all sources of chance are set from the step's
      key, so that no planner foresees what chance will do.
    - `workers` steps batches in so many processes, for environments that are slow.
    - `cache_megabytes` bounds the snapshots of states that are not kept as bytes; the others are
      played again.
    - `horizon` is the most actions of an episode where it has no time limit (else 1000).
    - `info` lists the names of the numbers of `info` that objectives read; None keeps all that were
      met.
    - `get_state(env)` and `set_state(env, state)`, both or neither, keep what nothing else can.

    Attributes `action_names` and `observation_names` of the environment, a name for each action and
    for each number of an observation, are shown to people.

    Raises `BackendError` without Gymnasium, `UnknownNameError`, `WrongKindError`,
    `UnknownSpaceError` for spaces that tasks do not have, `UnfaithfulCloneError` where no way of
    keeping states is exact, with what was tried, `ForeignWorldError` where the environment fails or
    answers with what Gymnasium's API does not allow, and `NonFiniteError` for rewards that are not
    finite; `step`, `rollout` and deciders raise these three as well.
    """
    asked = settings_of(clone, workers, cache_megabytes, horizon, info)
    hooks = hooks_given(get_state, set_state)
    if not isinstance(env, str) or hooks is not None:
        return GymTask(World(env, options, asked, hooks, _wide()), asked)
    written = {k: v for k, v in _written(asked).items() if v != _written(Settings())[k]}
    try:
        named = join_name(f"gym:{env}", {**options, **written})
    except (TypeError, ValueError):  # options that no name can hold, such as an array
        return GymTask(World(env, options, asked, None, _wide()), asked)
    return _known(env, named, options, asked)


def adopted(name: str, factory: Callable[..., Any], options: dict[str, Any]) -> GymTask:
    """The task of the environments that a factory makes, which a name stands for."""
    return _known(factory, join_name(name, options), options, Settings())


def _known(made_by: Any, named: str, options: dict[str, Any], asked: Settings) -> GymTask:
    held, world = _MADE.get((named, _wide()), (None, None))
    # An id may have been registered anew since, and a module loaded again.
    now = registered(made_by)
    if world is None or held is not now:
        world = World(made_by, options, asked, None, _wide())
        # Making it may have imported the module that registers the id.
        _MADE[named, _wide()] = registered(made_by), world
    return GymTask(world, asked, named)


def _wide() -> bool:
    """Whether JAX keeps numbers of 64 bits."""
    return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]


def _written(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def version() -> str:
    """The version of Gymnasium, which says what an id stands for."""
    return f"gymnasium {metadata.version('gymnasium')}"
