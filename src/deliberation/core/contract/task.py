"""Contract tests for tasks, built in or a user's own: what everything else relies on.

`check_task(task)` and `check_decider(decider)` raise `ContractError` with the broken clause, where
it broke, and what to do; they return nothing when all is well. Both play random episodes, so a
pass is evidence and not proof: raise `episodes` for rare events.
"""

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ContractError, FinishedGameError, IllegalActionError
from ..failures import as_raised
from ..keys import KeyLike, one_key
from ..objective import SINGLE, cancel
from ..task import State, Symmetry, Task, check_is_task, dtype_of
from .chance import check_deterministic, check_outcomes, check_resample, check_starts
from .decider import check_decider
from .text_task import check_text_declared, check_texts, is_text
from .trace import Trace, form, look, move, record, require, require_nowhere, same_tree

__all__ = ["check_decider", "check_task"]


@as_raised
def check_task(
    task: Task,
    *,
    key: KeyLike | None = None,
    episodes: int = 32,
    tolerance: float = 1e-5,
) -> None:
    """Play random episodes of a task and hold it to the contract of `Task`.

    Shapes and types stay the same; legal actions exist until the end and not after; episodes end or
    are cut by the horizon, unless traits.continuing says that they need not; everything is
    determined by the key; `vmap` changes nothing; rewards are finite, sum to zero over two players
    and stay within the objective's bounds; observations are finite; `outcomes` and `starts`, where
    listed, are what `advance` and `init` draw from; `resample` keeps what was seen, uses nothing
    else and draws the rest anew; symmetries hold along whole episodes; equal fingerprints mean
    equal states; `step` refuses illegal use. Of a task of text, too: symbols, prompts, examples of
    every kind, grades, the objective, and `encode` and `decode` fit each other. `tolerance` is how
    far, both in numbers and in parts, rounding may lead one action astray under `vmap`: simulators
    that iterate to solve for contacts need more than the default.
    """
    check_is_task(task)
    if episodes < 1:
        raise ValueError(f"A contract test plays at least 1 episode; got episodes={episodes}.")
    key = jax.random.key(0) if key is None else one_key(key)
    text = is_text(task)
    if text:
        check_text_declared(task)
    _check_traits(task)
    _check_shapes(task)
    if text:
        check_texts(task, key)
    trace = record(task, key, episodes)
    for clause in (
        _check_over,
        _check_players,
        _check_finite,
        _check_rewards,
        functools.partial(_check_unbatched, tolerance=tolerance),
        check_starts,
        check_deterministic,
        check_outcomes,
        check_resample,
        _check_fingerprints,
        _check_symmetries,
        _check_refusals,
    ):
        clause(task, trace)


def _check_traits(task: Task) -> None:
    traits = task.traits
    sizes = {name: getattr(traits, name) for name in ("players", "actions", "horizon")}
    for name, size in sizes.items():
        require(size >= 1, task, f"traits.{name} is {size}; it must be at least 1.")
    if not traits.discrete:
        _check_continuous(task)


def _check_continuous(task: Task) -> None:
    traits = task.traits
    require(
        traits.actions == 1,
        task,
        f"traits.actions is {traits.actions}, though traits.discrete is false. Set it to 1, for "
        "the one answer of `legal`, and traits.shape to that of an action.",
    )
    require(
        np.isfinite([traits.low, traits.high]).all() and traits.low < traits.high,
        task,
        f"continuous actions range from {traits.low} to {traits.high}. Let both be finite, and "
        "traits.low the less.",
    )
    require(
        not task.symmetries,
        task,
        "it has symmetries, which number actions, though traits.discrete is false. Leave them out.",
    )


def _check_shapes(task: Task) -> None:
    key, traits = jax.random.key(0), task.traits
    action = jax.ShapeDtypeStruct(() if traits.discrete else traits.shape, dtype_of(traits))
    first = jax.eval_shape(task.init, key)
    after = jax.eval_shape(task.advance, first, action, key)
    again = jax.eval_shape(task.resample, first, key)
    for name, other in (("advance", after), ("resample", again)):
        require(
            form(first) == form(other),
            task,
            f"`{name}` changes the form of the state from {form(first)} to {form(other)}. Keep "
            "every shape and dtype (compare with `jax.eval_shape`).",
        )
    reward = jax.eval_shape(task.objective, first, action, first)
    players, actions = traits.players, traits.actions
    wanted: list[tuple[str, Any, tuple[int, ...] | None, type]] = [
        ("legal", jax.eval_shape(task.legal, first), (actions,), np.bool_),
        ("terminated", jax.eval_shape(task.terminated, first), (), np.bool_),
        ("truncated", jax.eval_shape(task.truncated, first), (), np.bool_),
        ("player", jax.eval_shape(task.player, first), (), np.integer),
        ("objective", reward, (players,), np.floating),
        ("observe", jax.eval_shape(task.observe, first), None, np.floating),
        ("fingerprint", jax.eval_shape(task.fingerprint, first), None, np.integer),
    ]
    for name, got, shape, kind in wanted:
        require(
            isinstance(got, jax.ShapeDtypeStruct),
            task,
            f"`{name}` gives {got!r}; it must give one array. Join several into one, as "
            "`jax.flatten_util.ravel_pytree(parts)[0]` does.",
        )
        fits = (shape is None or got.shape == shape) and np.issubdtype(got.dtype, kind)
        require(
            fits,
            task,
            f"`{name}` gives {got.dtype}{list(got.shape)}; it must give "
            f"{kind.__name__}{'' if shape is None else list(shape)}.",
        )


def _check_over(task: Task, trace: Trace) -> None:
    late = trace.over & trace.legal.any(-1)
    said = "is terminal and still has legal actions. Let `legal` be all false once `terminated`."
    require_nowhere(late, task, trace, said)
    endless = trace.live[-1:] & (not task.traits.continuing)
    require(
        not endless.any(),
        task,
        f"{trace.where(endless, ply=len(trace.over) - 1)} is not terminal after "
        f"traits.horizon = {task.traits.horizon} actions, nor truncated. Raise the "
        "horizon, or end or cut the episode there; if episodes need not end at all, set "
        "traits.continuing.",
    )


def _check_players(task: Task, trace: Trace) -> None:
    outside = ~trace.over & ((trace.player < 0) | (trace.player >= task.traits.players))
    said = f"gives the move to a player outside of 0 to {task.traits.players - 1}."
    require_nowhere(outside, task, trace, said)


def _check_finite(task: Task, trace: Trace) -> None:
    finite = np.isfinite(trace.observation).reshape(*trace.over.shape, -1)
    bad = np.asarray(~finite.all(-1))
    require_nowhere(bad, task, trace, "is observed as NaN or infinity.")
    bad = np.asarray(~np.isfinite(trace.reward).all(-1))
    require(not bad.any(), task, f"the action in {trace.where(bad)} earns NaN or infinity.")


def _check_rewards(task: Task, trace: Trace) -> None:
    if task.traits.players == 2:
        bad = np.asarray(~cancel(trace.reward))
        require(
            not bad.any(),
            task,
            f"the rewards of the action in {trace.where(bad)} do not sum to zero over the two "
            "players. Give one player what the other loses.",
        )
    discount, (low, high) = task.objective.discount, task.objective.bounds
    require(
        0.0 <= float(discount) <= 1.0,
        task,
        f"its objective's discount is {float(discount)}. A reward one action later is worth from 0 "
        "to 1 times as much as one now.",
    )
    rest = np.zeros(trace.reward.shape[1])
    largest = np.abs(trace.reward).max(initial=0)
    for ply in reversed(range(len(trace.reward))):
        rest = trace.reward[ply, :, 0] + discount * rest
        # Whatever the unit of rewards is, sums of them round by their size.
        rounding = SINGLE * max(largest, np.abs(rest).max(initial=0))
        # What was cut short is no whole return.
        bad = np.asarray((rest < low - rounding) | (rest > high + rounding)) & trace.over[-1]
        require(
            not bad.any(),
            task,
            f"from {trace.where(bad[None], ply=ply)} on player 0 gets {rest[bad][:1]}, outside of "
            f"objective.bounds = {(low, high)}. Widen the bounds: search relies on them.",
        )


def _check_unbatched(task: Task, trace: Trace, tolerance: float) -> None:
    """Twice without `jit` and once in a batch must agree: no hidden state, no mixing of rows."""
    for ply, row in trace.some(trace.live[:-1], 4):
        state, key = trace.at(ply, row), trace.keys[ply, row]
        action = jnp.asarray(trace.action[ply, row])
        once, twice = task.advance(state, action, key), task.advance(state, action, key)
        place = f"the action in ply {ply} of episode {row}"
        require(
            same_tree(once, twice),
            task,
            f"{place} led to two different states under the same key. Draw chance from the key "
            "alone, never from global random state.",
        )
        require(
            same_tree(once, trace.at(ply + 1, row), tolerance),
            task,
            f"{place} leads elsewhere under `vmap` and `jit` than alone. Write `advance` for one "
            "state, without side effects.",
        )
    keys = jax.random.split(jax.random.key(7), 2)
    # A function of its own: a bound method would have to be hashed, and a task may hold arrays.
    compiled = jax.jit(lambda key: task.init(key))
    require(
        all(same_tree(task.init(k), compiled(k), tolerance=1e-5) for k in keys),
        task,
        "`init` gives different states under the same key. Draw chance from the key alone.",
    )


def _check_fingerprints(task: Task, trace: Trace) -> None:
    """States with one fingerprint must agree on all that decides their future and can be seen."""
    if not task.traits.fully_observable:
        return
    prints = trace.fingerprint.reshape(trace.over.size, -1)
    _, first, inverse = np.unique(prints, axis=0, return_index=True, return_inverse=True)
    for name in ("legal", "player", "over", "cut"):
        values = getattr(trace, name).reshape(trace.over.size, -1)
        if name in ("legal", "player"):
            values = np.where(trace.over.reshape(-1, 1), 0, values)
        bad = (values != values[first][inverse.reshape(-1)]).any(-1).reshape(trace.over.shape)
        said = f"has the fingerprint of a state that differs in `{name}`. Put into `fingerprint` "
        require_nowhere(bad, task, trace, said + "everything that decides the future.")


def _check_symmetries(task: Task, trace: Trace) -> None:
    for symmetry in task.symmetries:
        require(
            sorted(symmetry.actions) == list(range(task.traits.actions)),
            task,
            f"symmetry {symmetry.name!r} does not map the {task.traits.actions} actions one to "
            f"one: {symmetry.actions}.",
        )
        starts = list(_image_starts(task, trace, symmetry))
        if not starts:
            require(
                len(np.unique(trace.observation[0], axis=0)) > 1,
                task,
                f"the first state is not its own image under symmetry {symmetry.name!r}, so play "
                "never reaches the images of its positions. Leave the symmetry out.",
            )
            warnings.warn(
                f"Symmetry {symmetry.name!r} of {task!r} could not be checked: no start of "
                f"{len(trace.over[0])} was the image of another. Raise `episodes`.",
                stacklevel=3,
            )
            continue
        _check_symmetry(task, trace, symmetry, np.array(starts))


def _image_starts(task: Task, trace: Trace, symmetry: Symmetry) -> Iterator[tuple[int, int]]:
    """Pairs of episodes of which the second starts in the image of the first."""
    first = np.asarray(trace.observation[0])
    place = {observed.tobytes(): row for row, observed in enumerate(first)}
    for row, observed in enumerate(first):
        image = np.ascontiguousarray(_image(symmetry)(observed)).astype(first.dtype)
        if image.tobytes() in place:
            yield row, place[image.tobytes()]


def _image(symmetry: Symmetry) -> Callable[[np.ndarray], np.ndarray]:
    return lambda observed: np.asarray(symmetry.observation(jnp.asarray(observed)))


def _check_symmetry(task: Task, trace: Trace, symmetry: Symmetry, pairs: np.ndarray) -> None:
    """Play the images of all actions from the images of all starts, and compare at every ply."""
    rows, images = pairs.T
    mapped, image = np.array(symmetry.actions), jax.vmap(symmetry.observation)
    state: State = jax.tree.map(lambda x: x[0][images], trace.states)
    plies = len(trace.action) if task.traits.deterministic else 0
    for ply in range(plies + 1):
        observed, legal, _, over, *_ = look(task, state)
        live = trace.live[ply, rows]
        agrees = {
            "observation": np.isclose(image(trace.observation[ply, rows]), observed, atol=1e-6),
            "legal actions": trace.legal[ply, rows] == legal[:, mapped],
            "end": trace.over[ply, rows] == over,
        }
        if ply < plies:
            action = mapped[trace.action[ply, rows]]
            state, reward = move(task, state, action, trace.keys[ply, rows])
            agrees["reward"] = np.isclose(trace.reward[ply, rows], reward, atol=1e-5)
        for name, same in agrees.items():
            bad = live & ~same.reshape(len(rows), -1).all(-1)
            require(
                not bad.any(),
                task,
                f"symmetry {symmetry.name!r} does not keep the {name}, seen in ply {ply} of "
                f"episode {rows[np.argmax(bad)]}. Action a becomes actions[a]; check the direction "
                "of the map against that of the observation.",
            )


def _check_refusals(task: Task, trace: Trace) -> None:
    ply, row = trace.some(trace.live, 1)[0]
    illegal = _illegal_actions(task)
    places = trace.some(trace.live & ~trace.legal.all(-1), 1)
    attempts = [(ply, row, a, IllegalActionError) for a in illegal]
    attempts += [(p, r, int(np.argmin(trace.legal[p, r])), IllegalActionError) for p, r in places]
    fine = trace.action[ply, row]
    attempts += [(p, r, fine, FinishedGameError) for p, r in trace.some(trace.over, 1)]
    for ply, row, action, error in attempts:
        try:
            task.step(trace.at(ply, row), action, jax.random.key(0))
        except error:
            continue
        raise ContractError(
            f"{task!r} breaks the contract of a task: `step` accepted action {action} in ply "
            f"{ply} of episode {row}, where it must raise {error.__name__}. Define `advance` and "
            "leave `step` as it is."
        )


def _illegal_actions(task: Task) -> list[Any]:
    traits = task.traits
    if traits.discrete:
        return [-1, traits.actions]
    outside = (np.nextafter(traits.low, -np.inf, dtype=np.float32), traits.high + 1.0, np.nan)
    return [*(np.full(traits.shape, x, np.float32) for x in outside), np.zeros((*traits.shape, 2))]
