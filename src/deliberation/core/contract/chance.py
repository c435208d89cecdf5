"""The clauses of `check_task` about chance and hidden state; the public face is `contract`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..objective import Action
from ..rows import in_one_row
from ..task import Actions, State, Task
from .trace import Trace, form, look, move, require, same_tree

_PLACES, _DRAWS = 16, 2048
_SIGMAS = 5
"""Standard errors that a frequency may be off: luck reaches it once in a million times."""

Looks = dict[str, np.ndarray]
"""What can be told of states, by name; one axis of states, or one of places before it."""


def check_deterministic(task: Task, trace: Trace) -> None:
    """Without chance, two keys lead to the same state."""
    if not task.traits.deterministic:
        return
    rows = trace.pick(trace.live[:-1], 64)
    states, action = trace.take(rows), trace.action[tuple(rows.T)]
    keys = jax.random.split(jax.random.key(1), 2 * len(rows)).reshape(2, -1)
    first, second = (move(task, states, action, k)[0] for k in keys)
    require(
        same_tree(first, second),
        task,
        "the same action led to different states under different keys, though "
        "traits.deterministic is true. Set it to false, or take the chance out.",
    )


def check_starts(task: Task, trace: Trace) -> None:
    """The first states that a task lists, if it does, are those that `init` draws, and as often."""
    del trace
    listed = task.starts()
    if listed is None:
        return
    states, chances = listed[0], np.asarray(listed[1])
    count = len(chances)
    _check_chances(task, chances, "`starts`")
    drawn = jax.vmap(task.init)(jax.random.split(jax.random.key(4), _DRAWS))
    # In one batch, so that one program is compiled.
    both = jax.tree.map(lambda x, y: jnp.concatenate([x, y]), states, drawn)
    prints = look(task, both)[4].reshape(count + _DRAWS, -1)
    _, which = np.unique(prints, axis=0, return_inverse=True)
    which = which.reshape(-1)
    mass = np.bincount(which[:count], chances, minlength=which.max() + 1)
    times = np.bincount(which[count:], minlength=which.max() + 1)
    require(
        not (times[mass == 0]).any(),
        task,
        "`init` drew a state that `starts` does not list as possible. List all that it can draw, "
        "or let `starts` be None.",
    )
    band = _SIGMAS * np.sqrt(_DRAWS * mass * np.maximum(1 - mass, 0)) + 3
    require(
        not (np.abs(times - _DRAWS * mass) > band).any(),
        task,
        "`init` draws first states with other probabilities than `starts` gives them.",
    )


def check_outcomes(task: Task, trace: Trace) -> None:
    """The outcomes that a task lists are those that `advance` draws, and as often."""
    count = task.traits.outcomes
    require(count >= 0, task, f"traits.outcomes is {count}; it must be at least 0.")
    require(
        count <= 1 or not task.traits.deterministic,
        task,
        f"traits.outcomes is {count}, though traits.deterministic is true. Correct one of them.",
    )
    if count == 0:
        return
    _check_outcomes_form(task, trace)
    places = trace.pick(trace.live[:-1], _PLACES)
    states, action = trace.take(places), trace.action[tuple(places.T)]
    listed, chances, earned = _list_outcomes(task, states, jnp.asarray(action))
    chances = np.asarray(chances)
    rows = np.repeat(np.arange(len(places)), _DRAWS)
    keys = jax.random.split(jax.random.key(3), len(rows))
    drawn, reward = move(task, jax.tree.map(lambda x: x[rows], states), action[rows], keys)
    listed, earned = in_one_row((listed, earned))
    offered = _looks(task, listed, np.asarray(earned), len(places))
    found = _looks(task, drawn, reward, len(places))
    for row, (ply, episode) in enumerate(places):
        where = f"the action in ply {ply} of episode {episode}"
        _check_chances(task, chances[row], f"the outcomes of {where}")
        here, there = ({k: x[row] for k, x in looks.items()} for looks in (offered, found))
        _check_draws(task, here, there, chances[row], where)


def _check_outcomes_form(task: Task, trace: Trace) -> None:
    ply, row = trace.some(trace.live, 1)[0]
    state = trace.at(ply, row)
    listed, chances = jax.eval_shape(task.outcomes, state, trace.action[ply, row])
    count = task.traits.outcomes
    stacked = jax.eval_shape(lambda s: jax.tree.map(lambda x: jnp.stack([x] * count), s), state)
    require(
        form(listed) == form(stacked),
        task,
        f"`outcomes` gives states of the form {form(listed)}, not {form(stacked)}. Stack "
        "traits.outcomes states on a leading axis; every other shape and dtype is the state's.",
    )
    require(
        chances.shape == (count,) and np.issubdtype(chances.dtype, np.floating),
        task,
        f"`outcomes` gives probabilities {chances.dtype}{list(chances.shape)}; they must be "
        f"floating[{count}], one for each of traits.outcomes.",
    )


@eqx.filter_jit
def _list_outcomes(
    task: Task, states: State, action: Actions
) -> tuple[State, Float[Array, "places outcomes"], Float[Array, "places outcomes players"]]:
    def one(state: State, a: Action):
        listed, chances = task.outcomes(state, a)
        earned = jax.vmap(task.objective, (None, None, 0))(state, a, listed)
        return listed, chances, earned

    return jax.vmap(one)(states, action)


def _looks(task: Task, states: State, reward: np.ndarray, places: int) -> Looks:
    names = ("observation", "legal actions", "player", "end", "fingerprint", "cut")
    parts = {**dict(zip(names, look(task, states), strict=True)), "reward": reward}
    flat = {name: x.reshape(places, -1, *x.shape[1:]) for name, x in parts.items()}
    return {name: x.reshape(*x.shape[:2], -1) for name, x in flat.items()}


def _check_chances(task: Task, chances: Float[np.ndarray, " outcomes"], where: str) -> None:
    require(
        np.isfinite(chances).all() and (chances >= 0).all() and abs(chances.sum() - 1) < 1e-4,
        task,
        f"the probabilities of {where} are {chances}. They must be non-negative "
        "and sum to 1; pad with probability 0.",
    )


def _check_draws(
    task: Task, listed: Looks, drawn: Looks, chances: Float[np.ndarray, " outcomes"], where: str
) -> None:
    """Tell states apart by fingerprint: two outcomes may be the same state."""
    prints, real = listed["fingerprint"], chances > 0
    equal = (drawn["fingerprint"][:, None] == prints[None]).all(-1) & real
    require(
        equal.any(1).all(),
        task,
        f"{where} led to a state that `outcomes` does not list as possible. List all that "
        "`advance` can draw, or set traits.outcomes to 0.",
    )
    which = equal.argmax(1)
    for name, seen in drawn.items():
        require(
            np.allclose(seen, listed[name][which], rtol=1e-5, atol=1e-5),
            task,
            f"a state that {where} led to has another {name} than its equal among `outcomes`. "
            "Build both in one way.",
        )
    # Each class of equal outcomes is counted under its first member.
    first = ((prints[:, None] == prints[None]).all(-1) & real).argmax(1)
    mass = np.bincount(first[real], chances[real], minlength=len(chances))
    times = np.bincount(which, minlength=len(chances))
    band = _SIGMAS * np.sqrt(len(which) * mass * np.maximum(1 - mass, 0)) + 3
    off = np.abs(times - len(which) * mass) > band
    k = int(off.argmax())
    require(
        not off.any(),
        task,
        f"{where} led to outcome {k} in {times[k]} of {len(which)} draws, though `outcomes` gives "
        f"it the probability {mass[k]:.4g}. Let `advance` draw from what `outcomes` lists.",
    )


def check_resample(task: Task, trace: Trace) -> None:
    """What was seen stays, nothing else is used, and what is hidden is drawn anew."""
    rows = trace.pick(trace.live, 64)
    states = trace.take(rows)
    keys = jax.random.split(jax.random.key(2), 2 * len(rows)).reshape(2, -1)
    resample = jax.jit(jax.vmap(task.resample))
    other = resample(states, keys[0])
    if task.traits.fully_observable and task.traits.deterministic:
        require(
            same_tree(states, other),
            task,
            "`resample` changes the state, though everything is seen and nothing is chance.",
        )
    for name, before, after in zip(
        ("observation", "legal actions", "player", "end"),
        look(task, states)[:4],
        look(task, other)[:4],
        strict=True,
    ):
        require(
            same_tree(before, after, tolerance=1e-6),
            task,
            f"`resample` changes the {name} of the player to move. Draw only what is not seen.",
        )
    require(
        same_tree(resample(states, keys[1]), resample(other, keys[1]), tolerance=1e-6),
        task,
        "`resample` with one key gives different states for two states that look the same to the "
        "player to move: it peeks. Draw from what was seen and the key alone (put hidden things "
        "in a fixed order before shuffling).",
    )
    require(
        task.traits.fully_observable or not same_tree(states, other),
        task,
        "`resample` changes nothing, though traits.fully_observable is false: a search would plan "
        "on what is hidden. Draw anew what the player to move has not seen.",
    )
