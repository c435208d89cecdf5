"""Random play written down in full, for the contract tests to look at."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from ..errors import ContractError
from ..keys import is_key
from ..play import advance_rows
from ..task import State, Task, dtype_of

_LONGEST = 256
"""So many actions tell what a task is like whose episodes need not end."""

LANES = 32
"""Rows of a small batch; see `_in_batches`."""


@dataclasses.dataclass
class Trace:
    """Random episodes, time first; rows that are over or cut stay as they are and earn nothing."""

    states: State
    observation: Float[np.ndarray, "plies1 episodes ..."]
    legal: Bool[np.ndarray, "plies1 episodes actions"]
    player: Int[np.ndarray, "plies1 episodes"]
    over: Bool[np.ndarray, "plies1 episodes"]
    fingerprint: Int[np.ndarray, "plies1 episodes ..."]
    cut: Bool[np.ndarray, "plies1 episodes"]
    action: Shaped[np.ndarray, "plies episodes ..."]
    reward: Float[np.ndarray, "plies episodes players"]
    keys: Key[Array, "plies episodes"]

    @property
    def live(self) -> Bool[np.ndarray, "plies1 episodes"]:
        """Where play goes on."""
        return ~(self.over | self.cut)

    def at(self, ply: int, row: int) -> State:
        """One state."""
        return jax.tree.map(lambda x: jnp.asarray(x[ply, row]), self.states)

    def pick(self, mask: Bool[np.ndarray, "plies episodes"], n: int) -> Int[np.ndarray, "n 2"]:
        """Up to `n` places (ply, episode) under a mask, spread evenly; none if there are none."""
        places = np.argwhere(mask)
        return places[np.unique(np.linspace(0, len(places) - 1, n).astype(int))[: len(places)]]

    def some(self, mask: Bool[np.ndarray, "plies episodes"], n: int) -> list[tuple[int, int]]:
        """The same as pairs of plain numbers."""
        return [(int(p), int(r)) for p, r in self.pick(mask, n)]

    def take(self, places: Int[np.ndarray, "n 2"]) -> State:
        """A batch of the states at some places."""
        return jax.tree.map(lambda x: x[places[:, 0], places[:, 1]], self.states)

    def where(self, mask: Bool[np.ndarray, "plies episodes"], ply: int = 0) -> str:
        """Words for the first place under a mask that starts at `ply`."""
        if not mask.any():
            return "no state"
        first, row = np.argwhere(mask)[0]
        return f"the state in ply {first + ply} of episode {row}"


def record(task: Task, key: Key[Array, ""], episodes: int) -> Trace:
    """Play uniformly random legal actions until all episodes stop, or to the horizon.

    Of tasks whose episodes need not end (`traits.continuing`) at most `_LONGEST` actions.
    """
    key, first = jax.random.split(key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(first)).tolist())
    state = jax.vmap(task.init)(jax.random.split(first, episodes))
    seen, done = [(state, *look(task, state))], []
    traits = task.traits
    for ply in range(min(traits.horizon, _LONGEST) if traits.continuing else traits.horizon):
        _, _, legal, _, over, _, cut = seen[-1]
        stuck = ~over & ~legal.any(-1)
        require(
            not stuck.any(),
            task,
            f"the state in ply {ply} of episode {np.argmax(stuck)} is not terminal and has no "
            "legal action. End the episode there, or offer an action that passes.",
        )
        if (over | cut).all():
            break
        action = _random_actions(task, rng, legal)
        key, now = jax.random.split(key)
        keys = jax.random.split(now, episodes)
        state, reward = move(task, state, action, keys)
        seen.append((state, *look(task, state)))
        done.append((action, reward, keys))
    require(
        done,
        task,
        "every episode is over before its first action. Let `terminated` be false at the start.",
    )
    states, *seen_parts = (jax.tree.map(_stack, *c) for c in zip(*seen, strict=True))
    action, reward, keys = (_stack(*c) for c in zip(*done, strict=True))
    observation, legal, player, over, fingerprint, cut = seen_parts
    return Trace(states, observation, legal, player, over, fingerprint, cut, action, reward, keys)


def _random_actions(
    task: Task, rng: np.random.Generator, legal: Bool[np.ndarray, "episodes actions"]
) -> np.ndarray:
    traits = task.traits
    if traits.discrete:
        action = (rng.random(legal.shape) * np.where(legal, 1.0, -1.0)).argmax(-1)
    else:
        action = rng.uniform(traits.low, traits.high, (len(legal), *traits.shape))
    return action.astype(dtype_of(traits))


def _stack(*parts: Any) -> Any:
    return _joined(np.stack, *parts)


@eqx.filter_jit
def _look(task: Task, state: State) -> tuple[Array, ...]:
    parts = (
        task.observe, task.legal, task.player, task.terminated, task.fingerprint, task.truncated
    )  # fmt: skip
    return tuple(jax.vmap(part)(state) for part in parts)


def look(task: Task, state: State) -> tuple[np.ndarray, ...]:
    """Observation, legal actions, player, end, fingerprint and cut of each state of a batch."""
    return _in_batches(lambda part: _look(task, part[0]), (state,))


def move(
    task: Task, state: State, action: np.ndarray, keys: Key[Array, " batch"]
) -> tuple[State, Float[np.ndarray, "batch players"]]:
    """Carry one action out in each live state of a batch; what the task's own objective gives."""
    given = (state, jnp.asarray(action, dtype_of(task.traits)), keys)
    after, reward = _in_batches(lambda part: advance_rows(task, task.objective, *part), given)
    return after, np.asarray(reward)


def _in_batches(compute: Callable[[Any], Any], given: Any) -> Any:
    """The results for a batch, on the host; small batches are filled up to `LANES` rows each.

    So one compiled program serves the small batches of all clauses: with large simulators,
    compiling is what a contract test takes its time for.
    """
    rows = jax.tree.leaves(given)[0].shape[0]
    if rows > 4 * LANES:
        return jax.tree.map(_on_host, compute(given))
    parts = []
    for start in range(0, rows, LANES):
        which = np.minimum(np.arange(start, start + LANES), rows - 1)
        part = jax.tree.map(lambda x, which=which: _on_host(x)[which], given)
        parts.append(jax.tree.map(_on_host, compute(part)))
    return jax.tree.map(lambda *x: _joined(np.concatenate, *x)[:rows], *parts)


def _on_host(x: Any) -> Any:
    """As a NumPy array, where indexing is cheap and compiles nothing; keys stay what they are."""
    return x if is_key(x) else np.asarray(x)


def _joined(how: Callable[[list[np.ndarray]], np.ndarray], *parts: Any) -> Any:
    """Arrays of one kind put together by a function of NumPy; keys by what they are made of."""
    if not is_key(parts[0]):
        return how(list(parts))
    data = how([np.asarray(jax.random.key_data(x)) for x in parts])
    return jax.random.wrap_key_data(jnp.asarray(data), impl=jax.random.key_impl(parts[0]))


def require(holds: Any, task: Task, message: str) -> None:
    """Raise `ContractError` with the message unless a clause holds."""
    if not holds:
        raise ContractError(f"{task!r} breaks the contract of a task: {message}")


def form(tree: Any) -> Any:
    """Structure, shapes and dtypes, to compare and to print."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, [f"{x.dtype}{list(x.shape)}" for x in leaves]


def same_tree(a: Any, b: Any, tolerance: float = 0.0) -> bool:
    """Whether two trees of arrays agree: exactly, or floats to within a tolerance."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(_same(_plain(x), _plain(y), tolerance) for x, y in pairs)


def _plain(x: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(x) if is_key(x) else x)


def _same(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    if tolerance and np.issubdtype(a.dtype, np.floating):
        return a.shape == b.shape and np.allclose(a, b, rtol=tolerance, atol=tolerance)
    return np.array_equal(a, b)
