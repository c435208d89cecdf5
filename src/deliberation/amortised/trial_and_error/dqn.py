"""Deep Q-learning, entirely in JAX: playing, replay and gradient steps in one compiled loop.

Mnih et al. 2015, "Human-level control through deep reinforcement learning", with double Q-learning
(van Hasselt et al. 2016), a dueling network (Wang et al. 2016) and returns over several steps.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt32

from ...core.errors import UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.noise import Seed, mix, pick_uniform, uniform
from ...core.objective import Objective
from ...core.rows import greatest, in_one_row, where_rows
from ...core.task import Task
from ..networks.feed_forward import Network
from ..policies.network import evaluate
from ..training.optimisers import linear_schedule
from ..training.trained import Trained
from ..training.updates import Metrics, Update, Watch
from .experience import (
    Score,
    Worlds,
    advance,
    empty_worlds,
    first_states,
    fresh_score,
    restart,
    seed_of,
)
from .gradients import begin_adam, check_network, flat_step, flatten, fresh_network, train
from .normalising import Statistics, check_limit, fresh_statistics, in_task_units
from .recommended import Recommended


@dataclass(frozen=True)
class DQN(Recommended):
    """Settings; the defaults solve CartPole where ends by the clock are cuts, as in `for_task`.

    An update is `rounds` rounds of `steps` actions in each of `environments` episodes and then
    `fits` gradient steps on `batch` transitions from the `room` kept last. Returns run over up to
    `steps` actions (those that are left of a round). Actions are random with a probability that
    falls from 1 to `explore` over the first `exploring` part of training; nothing is learned from
    fewer than `warmup` transitions. `target` is how much of the gap the target network closes at
    each gradient step. For `timeouts`, `hasty` and what is normalised see `PPO`.
    """

    updates: int = 80
    rounds: int = 8
    environments: int = 16
    steps: int = 8
    fits: int = 32
    batch: int = 128
    room: int = 32768
    warmup: int = 1024
    rate: float = 1e-3
    discount: float = 0.98
    explore: float = 0.04
    exploring: float = 0.2
    target: float = 0.3
    norm: float = 10.0
    width: int = 64
    depth: int = 2
    anneal: bool = True
    timeouts: bool = False
    normalise_observations: bool = False
    normalise_rewards: bool = False
    limit: float = 10.0
    hasty: bool | None = None

    def __post_init__(self) -> None:
        counts = (self.updates, self.rounds, self.environments, self.steps, self.fits, self.batch)
        chunk = self.environments * self.steps
        if min(counts) < 1 or self.room < chunk or self.room % chunk or self.warmup > self.room:
            raise ValueError(
                "DQN needs counts of at least 1, and room for a multiple of environments x steps "
                f"transitions and for the warmup; got {self}."
            )
        if not (0 < self.discount <= 1 and 0 < self.target <= 1):
            raise ValueError(f"DQN needs 0 < discount <= 1 and 0 < target <= 1; got {self}.")
        if not (0 <= self.explore <= 1 and 0 < self.exploring <= 1):
            raise ValueError(f"DQN needs 0 <= explore <= 1 and 0 < exploring <= 1; got {self}.")
        check_limit("DQN", self.limit)

    @property
    def compiles_hastily(self) -> bool:
        """Whether `hasty`, as given or from the number of samples learned from."""
        samples = self.updates * self.rounds * self.fits * self.batch
        return samples * self.width < 64 * 2_000_000 if self.hasty is None else self.hasty


class Replay(eqx.Module):
    """Transitions, of which the first `size` are filled; `place` is where the next ones go.

    `gain` is the worth of the value in `after`: the discount over the steps between, with its sign
    where the opponent moves there, and 0 where the episode ended.
    """

    seen: Float[Array, "room ..."]
    action: Int[Array, " room"]
    earned: Float[Array, " room"]
    gain: Float[Array, " room"]
    after: Float[Array, "room ..."]
    legal: Bool[Array, "room actions"]
    here: Bool[Array, "room actions"]
    place: Int[Array, ""]
    size: Int[Array, ""]


class DQNCarry(eqx.Module):
    """All that goes from one update to the next."""

    network: Network
    target: Float[Array, " weights"]
    optimiser: PyTree
    worlds: Worlds
    replay: Replay
    statistics: Statistics
    score: Score
    step: Int[Array, ""]
    seed: UInt32[Array, ""]


def train_dqn(
    task: Task,
    *,
    key: Key[Array, ""],
    settings: DQN | None = None,
    network: Network | None = None,
    objective: Objective | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn action values by trial and error; the decider is the greedy policy.

    The network's logits are then advantages and its value is that of the best action, so that
    `NetworkPolicy` reads both; see `action_values`. Two players learn by playing against
    themselves. `watch(update, metrics)` sees the mean "return" of the episodes that ended last
    (player 0's), and the "loss"; training ends early where it gives True. Equal keys give equal
    bits. Raises `UnsuitableTaskError` for continuous actions, and what `run_updates` raises.
    """
    return train(
        "dqn", begin_dqn, _cost, task, key, settings or DQN(), network=network, objective=objective,
        folder=folder, watch=watch,
        outcome=lambda c: in_task_units(c.network, c.statistics, logits_are_values=True),
    )  # fmt: skip


def begin_dqn(
    task: Task,
    key: Key[Array, ""],
    settings: DQN,
    *,
    network: Network | None = None,
    objective: Objective | None = None,
) -> tuple[DQNCarry, Update]:
    """What to carry at first and the update, for loops of one's own."""
    if not task.traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has continuous actions, of which DQN cannot take the best. Use `train_ppo`."
        )
    if network is None:
        network = fresh_network(task, settings.width, settings.depth, key)  # type: ignore[assignment]
    assert network is not None
    check_network(task, network)
    carry = DQNCarry(
        network=network,
        target=jax.device_put(np.concatenate([np.ravel(x) for x in _weights(network)])),
        optimiser=begin_adam(settings.norm, network),
        worlds=empty_worlds(task, settings.environments),
        replay=_empty_replay(settings.room, network),
        statistics=fresh_statistics(network, settings),
        score=fresh_score(),
        step=jax.device_put(np.int32(0)),
        seed=seed_of(key),
    )
    scored = task.objective if objective is None else objective
    return carry, lambda c: _update(task, scored, settings, c)


def action_values(
    network: Network,
    observations: Float[Array, "batch ..."],
    legal: Bool[Array, "batch actions"],
) -> Float[Array, "batch actions"]:
    """Q = V + A - max A (Wang et al. 2016, eq. 8); very low where illegal.

    With the maximum taken off, the value head says what the best action is worth.
    """
    logits, value = evaluate(network, observations, legal)
    return value[:, None] + logits - greatest(logits)[:, None]


def _weights(network: Network) -> list[np.ndarray]:
    return [np.asarray(x) for x in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))]


def _empty_replay(room: int, network: Network) -> Replay:
    def nothing(shape: tuple[int, ...], kind: Any) -> Array:
        return jax.device_put(np.zeros(shape, kind))

    seen, allowed = (room, *network.observation_shape), (room, network.actions)
    return Replay(
        nothing(seen, np.float32), nothing((room,), np.int32), nothing((room,), np.float32),
        nothing((room,), np.float32), nothing(seen, np.float32), nothing(allowed, np.bool_),
        nothing(allowed, np.bool_), nothing((), np.int32), nothing((), np.int32),
    )  # fmt: skip


def _update(
    task: Task, objective: Objective, settings: DQN, carry: DQNCarry
) -> tuple[DQNCarry, Metrics]:
    seed = mix(carry.seed, carry.step)
    starts = first_states(task, settings.environments, mix(seed, 0))
    worlds = jax.tree.map(
        lambda a, b: jnp.where(carry.step == 0, a, b), restart(starts), carry.worlds
    )
    params, rebuild = flatten(carry.network)
    schedule = linear_schedule(settings.rate, settings.updates, anneal=settings.anneal)
    rate = schedule(carry.step)

    def one(now: tuple, number: Int[Array, ""]) -> tuple[tuple, Array]:
        params, target, optimiser, worlds, replay, statistics, score = now
        part = (carry.step + number / settings.rounds) / settings.updates
        random = jnp.maximum(
            1 - part * (1 - settings.explore) / settings.exploring, settings.explore
        )
        dice = mix(seed, 1, number)
        worlds, statistics, chunk, score = _play(
            task, objective, settings, rebuild(params), worlds, statistics, starts, score, random,
            mix(dice, 0),
        )  # fmt: skip
        replay = _remember(replay, chunk, settings.room)
        learn = jnp.where(replay.size >= settings.warmup, rate, 0.0)
        (params, target, optimiser), losses = _learn(
            settings, rebuild, (params, target, optimiser), replay, statistics, learn, mix(dice, 1)
        )
        return (params, target, optimiser, worlds, replay, statistics, score), losses.mean()

    rest = (carry.replay, carry.statistics, carry.score)
    now = (params, carry.target, carry.optimiser, worlds, *rest)
    now, losses = jax.lax.scan(one, now, jnp.arange(settings.rounds))
    params, target, optimiser, worlds, replay, statistics, score = now
    after = DQNCarry(
        rebuild(params), target, optimiser, worlds, replay, statistics, score, carry.step + 1,
        carry.seed,
    )  # fmt: skip
    return after, {"return": score.mean, "loss": losses.mean()}


def _play(
    task: Task,
    objective: Objective,
    settings: DQN,
    network: Network,
    worlds: Worlds,
    statistics: Statistics,
    starts: PyTree,
    score: Score,
    random: Float[Array, "*rows"],
    seed: Seed,
) -> tuple[Worlds, Statistics, PyTree, Score]:
    """Some actions in every episode, random or greedy, as transitions over several steps."""
    rows = jnp.arange(settings.environments)

    def act(
        carried: tuple[Worlds, Statistics], t: Int[Array, ""]
    ) -> tuple[tuple[Worlds, Statistics], tuple]:
        (worlds, statistics), now = carried, mix(seed, t)
        seen = jax.vmap(task.observe)(worlds.state).astype(jnp.float32)
        legal = jax.vmap(task.legal)(worlds.state)
        statistics = statistics.seeing(seen)
        greedy = jnp.argmax(action_values(network, statistics.see(seen), legal), axis=-1)
        any_legal = pick_uniform(legal, uniform(mix(now, 0, rows)))
        action = jnp.where(uniform(mix(now, 1, rows)) < random, any_legal, greedy)
        action = action.astype(jnp.int32)
        worlds, step = advance(
            task, objective, worlds, action, mix(now, 2), starts=starts,
            discount=settings.discount, timeouts=settings.timeouts,
        )  # fmt: skip
        statistics = statistics.earning(step.reward, step.gain, step.over)
        after = jax.vmap(task.observe)(step.after).astype(jnp.float32)
        # What ended only by the clock has a value still: that of any action.
        then = jax.vmap(task.legal)(step.after)
        then = then | ~then.any(axis=-1, keepdims=True)
        kept = (seen, action, step.reward, step.gain, after, then, legal)
        return (worlds, statistics), (kept, step.over, step.finished)

    (worlds, statistics), (kept, over, finished) = jax.lax.scan(
        act, (worlds, statistics), jnp.arange(settings.steps)
    )
    return worlds, statistics, several_steps(kept, over), score.after(finished, over)


def several_steps(kept: tuple, over: Bool[Array, "steps batch"]) -> tuple:
    """Transitions to as far as the round or the episode goes, from those over one step."""

    def back(later: tuple, now: tuple) -> tuple[tuple, tuple]:
        (seen, action, reward, gain, after, then, legal), ended = now
        earned, worth, far, allowed = later
        stop = ended | (worth == -jnp.inf)

        total = jnp.where(stop, reward, reward + gain * earned)
        reach = jnp.where(stop, gain, gain * worth)
        later = (total, reach, *where_rows(stop, (after, then), (far, allowed)))
        return later, (seen, action, total, reach, later[2], later[3], legal)

    last = jax.tree.map(lambda x: x[-1], kept)
    nothing = (last[2], jnp.full_like(last[3], -jnp.inf), last[4], last[5])
    return jax.lax.scan(back, nothing, (kept, over), reverse=True)[1]


def _remember(replay: Replay, chunk: tuple, room: int) -> Replay:
    """Put a round's transitions where the oldest are."""
    flat = in_one_row(chunk)
    old = (replay.seen, replay.action, replay.earned, replay.gain, replay.after, replay.legal)
    kept = [
        jax.lax.dynamic_update_slice_in_dim(a, b.astype(a.dtype), replay.place, 0)
        for a, b in zip((*old, replay.here), flat, strict=True)
    ]
    count = flat[1].shape[0]
    size = jnp.minimum(replay.size + count, room)
    seen, action, earned, gain, after, legal, here = kept
    place = (replay.place + count) % room
    return Replay(seen, action, earned, gain, after, legal, here, place, size)


def _learn(
    settings: DQN,
    rebuild: Any,
    now: tuple,
    replay: Replay,
    statistics: Statistics,
    rate: Float[Array, ""],
    seed: Seed,
) -> tuple[tuple, Float[Array, " fits"]]:
    """Gradient steps towards returns that end in the target network's values.

    The replay holds what was seen and paid as it was; it is normalised by what is known by now.
    """
    dice = uniform(mix(seed, jnp.arange(settings.fits * settings.batch)))
    rows = (dice * replay.size).astype(jnp.int32).reshape(settings.fits, settings.batch)

    def fit(now: tuple, rows: Int[Array, " batch"]) -> tuple[tuple, Array]:
        params, target, optimiser = now
        network = rebuild(params)
        after, allowed = statistics.see(replay.after[rows]), replay.legal[rows]
        # Double Q-learning: one network chooses, the other says what the choice is worth.
        best = jnp.argmax(action_values(network, after, allowed), axis=-1)
        worth = action_values(rebuild(target), after, allowed)
        follow = jnp.take_along_axis(worth, best[:, None], axis=1)[:, 0]
        wanted = statistics.earn(replay.earned[rows]) + replay.gain[rows] * follow

        def loss(network: Network) -> Array:
            seen = statistics.see(replay.seen[rows])
            q = action_values(network, seen, replay.here[rows])
            chosen = jnp.take_along_axis(q, replay.action[rows][:, None], axis=1)[:, 0]
            gap = jnp.abs(chosen - wanted)
            # Huber's loss: the error is clipped at 1, as in Mnih et al. 2015.
            return jnp.where(gap < 1, 0.5 * jnp.square(gap), gap - 0.5).mean()

        error, slope = eqx.filter_value_and_grad(loss)(network)
        params, optimiser = flat_step(params, slope, optimiser, settings.norm, rate)
        target = target + settings.target * (params - target)
        return (params, target, optimiser), error

    return jax.lax.scan(fit, now, rows)


def _cost(task: Task, settings: DQN, network: Network, updates: int) -> Ledger:
    """A forward pass an action; a sample three to learn and two for what is wanted of it."""
    rounds = updates * settings.rounds
    played = rounds * settings.environments * settings.steps
    learned = rounds * settings.fits * settings.batch
    return Ledger(
        model_steps=played,
        network_evaluations=played + 3 * learned,
        fits=rounds * settings.fits,
        data=played,
        flops=2.0 * network.multiply_adds * (played + 5 * learned),
    )
