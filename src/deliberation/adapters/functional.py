"""Functional environments written in JAX as tasks: `from_gymnax` and `from_jumanji`.

Only what they look like counts (`reset_env` and `step_env`; `reset` and `step`), so that anything
of the same shape serves. Neither their wrappers nor their automatic resets are used: an episode
that is over stays over. Keys that they keep inside of their states are replaced by the planner's
before every step, so that no planner foresees what chance will do.
"""

import abc
import importlib
import math
from importlib import metadata
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ..core.errors import BackendError, UnknownNameError, UnknownSpaceError, WrongKindError
from ..core.objective import Action, Objective
from ..core.task import Traits
from ..tasks.names import join_name
from .bases import CutWorld, Earned
from .calls import words_of


class FunctionalState(eqx.Module):
    """A functional environment's own state, and what came with it."""

    inner: PyTree
    observation: PyTree
    mask: Bool[Array, " actions"]
    reward: Float[Array, ""]
    over: Bool[Array, ""]
    cut: Bool[Array, ""]
    time: Int[Array, ""]


class FunctionalTask(CutWorld):
    """A functional environment for one player; `env` is known by what it does, not what it is."""

    env: eqx.AbstractVar[Any]
    kinds: eqx.AbstractVar[Traits]
    named: eqx.AbstractVar[str | None]

    @property
    def traits(self) -> Traits:
        """As found when it was adapted."""
        return self.kinds

    @property
    def objective(self) -> Objective:
        """The environment's own rewards."""
        return Earned()

    @abc.abstractmethod
    def begun(self, key: Key[Array, ""]) -> FunctionalState:
        """The first state."""

    @abc.abstractmethod
    def moved(self, inner: PyTree, action: Action, key: Key[Array, ""]) -> FunctionalState:
        """What comes of a step; the time is filled in."""

    def init(self, key: Key[Array, ""]) -> FunctionalState:
        """As the environment begins."""
        return self.begun(key)

    def advance(self, state: FunctionalState, action: Action, key: Key[Array, ""]) -> Any:
        """The environment's own step, with its chance from the key."""
        after = self.moved(rekeyed(state.inner, key), action, key)
        after = eqx.tree_at(lambda s: s.time, after, state.time + 1)
        return jax.tree.map(lambda x, y: jnp.asarray(x, jnp.asarray(y).dtype), after, state)

    def observe(self, state: FunctionalState) -> Float[Array, "..."]:
        """An array as it is; of several all numbers in a row."""
        parts = [jnp.asarray(x, jnp.float32) for x in jax.tree.leaves(state.observation)]
        return parts[0] if len(parts) == 1 else jnp.concatenate([x.ravel() for x in parts])

    def legal(self, state: FunctionalState) -> Bool[Array, " actions"]:
        """What the environment's mask allows, until the end."""
        return state.mask & ~self.terminated(state)

    def fingerprint(self, state: FunctionalState) -> Int[Array, " words"]:
        """All of the state but keys, which are replaced, and the last reward."""
        quiet = eqx.tree_at(
            lambda s: (s.inner, s.reward),
            state,
            (rekeyed(state.inner, jax.random.key(0)), jnp.zeros_like(state.reward)),
        )
        return super().fingerprint(quiet)

    def player(self, state: FunctionalState) -> Int[Array, ""]:
        """There is one."""
        del state
        return jnp.int32(0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.env).__name__})"


class GymnaxTask(FunctionalTask):
    """An environment of gymnax, made by `from_gymnax`."""

    env: Any = eqx.field(static=True)
    params: Any
    kinds: Traits = eqx.field(static=True)
    named: str | None = eqx.field(static=True, default=None)

    def begun(self, key: Key[Array, ""]) -> FunctionalState:
        """`reset_env`."""
        seen, inner = self.env.reset_env(words_of(key), self.params)
        return self._state(seen, inner, jnp.float32(0), jnp.bool_(False))

    def moved(self, inner: PyTree, action: Action, key: Key[Array, ""]) -> FunctionalState:
        """`step_env`, which does not reset."""
        seen, inner, reward, over, _ = self.env.step_env(words_of(key), inner, action, self.params)
        return self._state(seen, inner, jnp.asarray(reward, jnp.float32), jnp.asarray(over, bool))

    def _state(self, seen: Any, inner: Any, reward: Array, over: Array) -> FunctionalState:
        cut = getattr(self.env, "is_truncated", None)
        late = jnp.bool_(False) if cut is None else jnp.asarray(cut(inner, self.params), bool)
        mask = jnp.ones(self.kinds.actions, bool)
        return FunctionalState(_arrays(inner), seen, mask, reward, over, late, jnp.int32(0))


class JumanjiTask(FunctionalTask):
    """An environment of Jumanji, made by `from_jumanji`."""

    env: Any = eqx.field(static=True)
    kinds: Traits = eqx.field(static=True)
    counts: tuple[int, ...] = eqx.field(static=True, default=())
    """Values of each part of an action that has several; the task numbers them all together."""
    named: str | None = eqx.field(static=True, default=None)

    def begun(self, key: Key[Array, ""]) -> FunctionalState:
        """`reset`."""
        inner, step = self.env.reset(words_of(key))
        return self._state(inner, step)

    def moved(self, inner: PyTree, action: Action, key: Key[Array, ""]) -> FunctionalState:
        """`step`."""
        parts = jnp.asarray(action)
        if self.counts:
            parts = jnp.stack(jnp.unravel_index(parts, self.counts)).astype(jnp.int32)
        inner, step = self.env.step(inner, parts)
        return self._state(inner, step)

    def _state(self, inner: Any, step: Any) -> FunctionalState:
        last = jnp.asarray(step.step_type == 2, bool)
        goes_on = jnp.asarray(step.discount > 0, bool)
        mask = getattr(step.observation, "action_mask", None)
        mask = jnp.ones(self.kinds.actions, bool) if mask is None else jnp.ravel(mask)
        # A state that leaves nothing to do is an end, whatever else is said of it.
        over = (last & ~goes_on) | ~mask.any()
        reward = jnp.asarray(step.reward, jnp.float32)
        return FunctionalState(
            _arrays(inner), step.observation, mask, reward, over, last & goes_on, jnp.int32(0)
        )


def _arrays(tree: Any) -> Any:
    """Numbers as arrays, of the types that JAX gives them."""
    return jax.tree.map(jnp.asarray, tree)


def rekeyed(state: PyTree, key: Key[Array, ""]) -> PyTree:
    """A state with every random key inside (a leaf by that name) replaced by one of this key's."""
    count = 0

    def one(path: Any, x: Any) -> Any:
        nonlocal count
        name = str(getattr(path[-1], "name", getattr(path[-1], "key", ""))) if path else ""
        typed = jnp.issubdtype(getattr(x, "dtype", np.dtype(bool)), jax.dtypes.prng_key)
        raw = name.endswith(("key", "rng")) and getattr(x, "shape", None) == (2,)
        if not typed and not (raw and x.dtype == np.uint32):
            return x
        count += 1
        fresh = jax.random.fold_in(key, count)
        return fresh if typed else words_of(fresh)

    return jax.tree_util.tree_map_with_path(one, state)


def from_gymnax(
    env: Any, params: Any = None, *, horizon: int | None = None, **options: Any
) -> GymnaxTask:
    """A task from an environment of gymnax: its id, or the environment and its parameters.

    `options` are fields of the parameters to replace. Its own limit of steps cuts episodes.
    Raises `BackendError` without gymnax, `UnknownNameError`, and `WrongKindError` for what does
    not look like such an environment.
    """
    named = None
    if isinstance(env, str):
        given = {**options, **({} if horizon is None else {"horizon": horizon})}
        named = join_name(f"gymnax:{env}", given) if params is None else None
        env, usual = _from_registry("gymnax", env)
        params = usual if params is None else params
    _looks_like(env, ("reset_env", "step_env", "action_space"), "gymnax")
    params = env.default_params if params is None else params
    params = params.replace(**options) if options else params
    space = env.action_space(params)
    limit = getattr(params, "max_steps_in_episode", None)
    longest = horizon or (None if limit is None else int(limit)) or 1000
    kinds = _traits_of(space, longest, horizon is None and limit is None, env)
    return GymnaxTask(env=env, params=params, kinds=kinds, named=named)


def from_jumanji(env: Any, *, horizon: int | None = None, **options: Any) -> JumanjiTask:
    """A task from an environment of Jumanji: its id, or the environment itself.

    Actions of several numbered parts are numbered together. `horizon` is the most actions of an
    episode (else its `time_limit`, or 1000). Raises as `from_gymnax` does.
    """
    named = None
    if isinstance(env, str):
        given = {**options, **({} if horizon is None else {"horizon": horizon})}
        named = join_name(f"jumanji:{env}", given)
        env = _from_registry("jumanji", env, **options)
    _looks_like(env, ("reset", "step", "action_spec"), "Jumanji")
    spec = env.action_spec() if callable(env.action_spec) else env.action_spec
    limit = getattr(env, "time_limit", None)
    longest = horizon or (None if limit is None else int(limit)) or 1000
    endless = horizon is None and limit is None
    values = getattr(spec, "num_values", None)
    if values is None:
        return JumanjiTask(env, _traits_of(spec, longest, endless, env), named=named)
    counts = tuple(np.ravel(np.asarray(values)).tolist())
    kinds = Traits(1, math.prod(counts), longest, False, continuing=endless)
    return JumanjiTask(env, kinds, counts=counts if np.ndim(values) else (), named=named)


def _from_registry(package: str, name: str, **options: Any) -> Any:
    try:
        library = importlib.import_module(package)
    except ImportError as error:
        raise BackendError(
            f"{package}:{name} needs {package}: pip install {package} ({error})."
        ) from error
    try:
        return library.make(name, **options)
    except (KeyError, ValueError, AttributeError, ImportError) as error:
        known: Any = getattr(library, "registered_environments", ())
        names: Any = known() if callable(known) else known
        raise UnknownNameError(f"environment of {package}", name, names, str(error)) from error


def _looks_like(env: Any, names: tuple[str, ...], library: str) -> None:
    missing = [name for name in names if not hasattr(env, name)]
    if missing:
        raise WrongKindError(
            f"{env!r} does not look like an environment of {library}: it has no "
            f"{', '.join(missing)}."
        )


def _traits_of(space: Any, horizon: int, endless: bool, env: Any) -> Traits:
    """One player; chance is expected everywhere, since nothing says where there is none."""
    count = getattr(space, "n", None)
    if count is not None:
        return Traits(1, int(count), horizon, False, continuing=endless)
    low, high = (
        np.asarray(getattr(space, short, getattr(space, long, np.nan)), float)
        for short, long in (("low", "minimum"), ("high", "maximum"))
    )
    if not (np.isfinite(low).all() and np.isfinite(high).all()) or low.size * high.size == 0:
        raise UnknownSpaceError(
            f"{env!r} takes actions of {space!r}; planners take numbered actions, or arrays "
            "between finite bounds."
        )
    if np.ptp(low) > 0 or np.ptp(high) > 0:
        raise UnknownSpaceError(
            f"{env!r} takes actions whose bounds differ ({space!r}): rescale them to one range."
        )
    return Traits(
        1, 1, horizon, False, discrete=False, shape=tuple(space.shape),
        low=float(low.min()), high=float(high.max()), continuing=endless,
    )  # fmt: skip


def version_of_gymnax() -> str:
    """The version of gymnax."""
    return f"gymnax {metadata.version('gymnax')}"


def version_of_jumanji() -> str:
    """The version of Jumanji."""
    return f"jumanji {metadata.version('jumanji')}"
