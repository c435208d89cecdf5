"""The moves from a start of a task to one of its positions, so that a link can hold it."""

import heapq
import itertools
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DeliberationError
from ...core.host import on_host, with_keys
from ...core.keys import is_key, named_key
from ...core.rows import in_one_row
from ...core.task import State, Task, stopped
from ...core.witness.codes import as_bits
from ...runs.provenance import content
from ..kept import Kept

SEEDS = 16
"""So many games are looked at, where first states or chance differ from one to the next."""
EXPANDED, SECONDS = 6_000, 2.0
"""Positions looked at on the way to one, and seconds; some are not found by then."""
_AT_ONCE, _ACTIONS, _BYTES, _PAIRS = 32, 128, 8_192, 3
_RAW = ((2,), (4,))
"""The shapes of raw keys."""
_WAYS, _STARTS = Kept(4096), Kept(32)


def way_to(
    task: Task,
    state: State,
    code: str,
    moves: Sequence[int] | None = None,
    seconds: float = SECONDS,
) -> dict[str, Any] | None:
    """The `seed` and `moves` (the task's words) of a game that comes to a state; None if unknown.

    `moves` are those that led there, where they were kept. Else they are searched for: from the
    first states on, the positions first that differ least from the wanted one. What took longer
    than `seconds` is searched for again when it is next asked for: the machine may be less busy.
    """
    name = (*_named(task), code, None if moves is None else tuple(moves))
    try:
        return _WAYS.get(name, lambda: (_way(task, state, moves, seconds),))[0]
    except TimeoutError:
        return None


def _way(
    task: Task, state: State, moves: Sequence[int] | None, seconds: float
) -> dict[str, Any] | None:
    from ...tasks.moves import names_of

    if not task.traits.discrete or task.traits.actions > _ACTIONS or len(_row(state)) > _BYTES:
        return None
    starts = _STARTS.get(_named(task), lambda: _first_states(task))
    if moves is not None:
        for seed in starts.states:
            if _leads(task, seed, moves, state, starts.chance):
                return {"seed": seed, "moves": names_of(task, moves)}
    found = _search(task, starts, state, seconds)
    if found is None or not _leads(task, *found, state, starts.chance):
        return None
    return {"seed": found[0], "moves": names_of(task, found[1])}


def _named(task: Task) -> tuple[str, ...]:
    """What tells a task from others; those of other libraries show no options in their `repr`."""
    return content(task), str(getattr(task, "named", ""))


class _Starts(NamedTuple):
    """The first states of games by their seeds, and which leaves of a state are chance's alone."""

    states: dict[int, State]
    chance: frozenset[int]


def _first_states(task: Task) -> _Starts:
    """The first states of games; where nothing is drawn, each state once."""
    states = {s: task.init(named_key(jax.random.key(s), "start")) for s in range(SEEDS)}
    if not task.traits.deterministic:
        return _Starts(states, frozenset())
    chance, found, met = _chance(task, list(states.values())), {}, set()
    for seed, state in states.items():
        words = _row(state, chance).tobytes()
        if words not in met:
            met.add(words)
            found[seed] = state
    return _Starts(found, chance)


def _chance(task: Task, starts: Sequence[State]) -> frozenset[int]:
    """Which leaves hold only a key that nothing depends on, in a task without chance.

    Those are random keys, or words like a raw one's, that differ from one first state to another:
    with the one's in the other's place, the future stays the same by the task's own word
    (`fingerprint`), or else whatever is done in the first states.
    """
    first, form = jax.tree.flatten(starts[0])
    found = []
    for i, leaf in enumerate(first):
        if not (is_key(leaf) or (leaf.dtype == jnp.uint32 and leaf.shape in _RAW)):
            continue
        other = next((x for s in starts if _differ(x := jax.tree.leaves(s)[i], leaf)), None)
        if other is None:
            continue
        exchanged = jax.tree.unflatten(form, [*first[:i], other, *first[i + 1 :]])
        if _same_future(task, starts[0], exchanged, frozenset([i])):
            found.append(i)
    return frozenset(found)


def _differ(x: Any, y: Any) -> bool:
    return not np.array_equal(as_bits(x), as_bits(y))


def _same_future(task: Task, one: State, other: State, but: frozenset[int]) -> bool:
    if not _differ(task.fingerprint(one), task.fingerprint(other)):
        return True
    luck = named_key(jax.random.key(0), "moves")
    _, fine, numbers = _onward_of(task, [one, other], [luck] * 2, [0] * 2, but)
    seen = (task.observe(one), task.observe(other))
    same = jax.tree.map(lambda x, y: not _differ(x, y), *seen)
    ahead = numbers[0, fine[0]], numbers[1, fine[1]]
    return all(jax.tree.leaves(same)) and np.array_equal(*ahead)


def _leads(
    task: Task, seed: int, moves: Sequence[int], wanted: State, chance: frozenset[int]
) -> bool:
    """Whether a game on the board comes to the state by these moves."""
    from ...tasks.moves import Game

    game = Game(task, seed=seed)
    try:
        for move in moves:
            game.play(int(move))
    except DeliberationError:
        return False
    return bool(np.array_equal(_row(game.state, chance), _row(wanted, chance)))


class _Node(NamedTuple):
    """A position on the way: its state, in a batch of such (most are never looked at again); by
    which action of which node it was come to, in which game, after so many moves.
    """

    batch: State
    place: tuple[int, ...]
    parent: int
    action: int
    seed: int
    depth: int

    @property
    def state(self) -> State:
        return jax.tree.map(lambda x: x[self.place], self.batch)


def _search(
    task: Task, starts: _Starts, wanted: State, seconds: float
) -> tuple[int, list[int]] | None:
    """Best first, by what still differs, then by fewer moves; `TimeoutError` after so long.

    The chance of a game is its seed's: with the number of the move it says what an action leads to.
    """
    luck = {seed: named_key(jax.random.key(seed), "moves") for seed in starts.states}
    sure, chance, alike = task.traits.deterministic, starts.chance, _alike(wanted, starts.chance)
    some = next(iter(starts.states))
    _onward_of(task, [starts.states[some]], [luck[some]], [0], chance)  # compiles
    signed = _signed(starts.states[some], chance)
    end, count = time.monotonic() + seconds, itertools.count()
    nodes: list[_Node] = []
    met: set[Any] = set()
    waiting: list[tuple[int, int, int, int]] = []

    def add(node: _Node, numbers: np.ndarray, differ: np.ndarray) -> bool:
        words = numbers.tobytes() if sure else (numbers.tobytes(), node.seed, node.depth)
        if words in met:
            return False
        met.add(words)
        nodes.append(node)
        heapq.heappush(waiting, (int(differ.min()), node.depth, next(count), len(nodes) - 1))
        return not differ[0]

    for seed, first in starts.states.items():
        row = _row(first, chance)
        if add(_Node(on_host(first), (), -1, -1, seed, 0), row, _apart(alike ^ row, signed)):
            return seed, []
    while waiting and len(nodes) < EXPANDED:
        if time.monotonic() > end:
            raise TimeoutError
        best = [heapq.heappop(waiting)[3] for _ in range(min(_AT_ONCE, len(waiting)))]
        above = [nodes[at] for at in best]
        lucks, depths = [luck[n.seed] for n in above], [n.depth for n in above]
        after, fine, numbers = _onward_of(task, [n.state for n in above], lucks, depths, chance)
        apart = _apart(alike ^ numbers[:, :, None], signed)
        for i, (at, node) in enumerate(zip(best, above, strict=True)):
            for action in np.flatnonzero(fine[i]).tolist():
                child = _Node(after, (i, action), at, action, node.seed, node.depth + 1)
                if add(child, numbers[i, action], apart[i, action]):
                    return _back(nodes)
    return None


def _back(nodes: list[_Node]) -> tuple[int, list[int]]:
    """The moves to the last node."""
    at, moves = len(nodes) - 1, []
    while nodes[at].parent >= 0:
        moves.append(nodes[at].action)
        at = nodes[at].parent
    return nodes[at].seed, moves[::-1]


def _onward_of(
    task: Task, states: Sequence[State], luck: Sequence[Any], depths: Sequence[int],
    chance: frozenset[int],
) -> tuple[State, np.ndarray, np.ndarray]:  # fmt: skip
    """The states after each action of some, whether it is legal, and those states as numbers."""
    rows = [i % len(states) for i in range(_AT_ONCE)]  # one size is compiled
    some = [on_host(one) for one in states]
    batch = with_keys(jax.tree.map(lambda *x: np.stack(x), *(some[i] for i in rows)))
    keys = jnp.stack([luck[i] for i in rows])
    after, fine = _onward(task, batch, keys, jnp.array([depths[i] for i in rows]))
    after, fine = on_host(after), np.asarray(fine)
    return after, fine, _numbers(in_one_row(after), chance).reshape(*fine.shape, -1)


@eqx.filter_jit
def _onward(task: Task, states: State, luck: Any, depths: Any) -> tuple[State, Any]:
    actions = jnp.arange(task.traits.actions, dtype=jnp.int32)

    def one(state: State, base: Any, depth: Any) -> tuple[State, Any]:
        key = jax.random.fold_in(base, depth)
        after = jax.vmap(lambda a: task.advance(state, a, key))(actions)
        return after, task.legal(state) & ~stopped(task, state)

    return jax.vmap(one)(states, luck, depths)


def _signed(state: State, chance: frozenset[int]) -> list[int]:
    """The number of bytes of each signed number, one after the other; of others 0, for each byte.

    Boards are bits of unsigned words, and counters and places are signed.
    """
    found: list[int] = []
    for x in _leaves(state, chance):
        bits = as_bits(x)
        size, width = int(np.size(bits)), np.dtype(bits.dtype).itemsize
        found += [width] * size if np.dtype(bits.dtype).kind in "if" else [0] * (size * width)
    return found


def _apart(xor: np.ndarray, signed: Sequence[int]) -> np.ndarray:
    """How much differs: bits of what is bits, and whole numbers of what is numbers."""
    starts = np.cumsum([0, *(width or 1 for width in signed)])[:-1]
    bits = np.add.reduceat(np.bitwise_count(xor).astype(int), starts, axis=-1)
    return np.where(np.array(signed) > 0, bits > 0, bits).sum(axis=-1)


def _alike(state: State, chance: frozenset[int]) -> np.ndarray:
    """The state as bytes, and again with two parts of one form exchanged, for each such pair.

    Where parts are of the mover and of the other, they change places with every move.
    """
    parts, form = jax.tree.flatten(state, is_leaf=lambda x: x is not state)
    shapes = [jax.tree.map(lambda x: (x.shape, x.dtype.name), part) for part in parts]
    pairs = [
        (i, j) for i, j in itertools.combinations(range(len(parts)), 2) if shapes[i] == shapes[j]
    ]
    found = [parts]
    for i, j in pairs[:_PAIRS]:
        other = list(parts)
        other[i], other[j] = parts[j], parts[i]
        found.append(other)
    return np.stack([_row(jax.tree.unflatten(form, some), chance) for some in found])


def _row(state: State, chance: frozenset[int] = frozenset()) -> np.ndarray:
    """One state as bytes, without the leaves that are chance's alone."""
    return _numbers(jax.tree.map(lambda x: jnp.asarray(x)[None], state), chance)[0]


def _leaves(states: State, chance: frozenset[int]) -> list[Any]:
    return [x for i, x in enumerate(jax.tree.leaves(states)) if i not in chance]


def _numbers(states: State, chance: frozenset[int]) -> np.ndarray:
    """A batch of states as rows of bytes: stones are bits of some, numbers of others."""
    leaves = [np.ascontiguousarray(as_bits(x)) for x in _leaves(states, chance)]
    rows = [x.reshape(len(x), -1).view(np.uint8).reshape(len(x), -1) for x in leaves]
    return np.concatenate(rows, axis=1)
