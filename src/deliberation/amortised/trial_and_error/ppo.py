"""Proximal policy optimisation, entirely in JAX: playing and learning in one compiled loop.

Schulman et al. 2017, "Proximal policy optimization algorithms", with generalised advantage
estimates (Schulman et al. 2016) and the usual details (Huang et al. 2022): orthogonal weights,
advantages normalised in each minibatch, gradients clipped, the learning rate annealed to zero.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, Shaped, UInt32

from ...core.ledger import Ledger
from ...core.noise import Seed, mix, uniform
from ...core.objective import Objective
from ...core.task import State, Task
from ..networks.feed_forward import Network
from ..networks.gaussian import GaussianNetwork
from ..training.optimisers import linear_schedule
from ..training.trained import Trained
from ..training.updates import Metrics, Update, Watch
from .actions import draw, judge, values
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
class PPO(Recommended):
    """Settings; the defaults solve CartPole in some hundred thousand steps; see also `for_task`.

    An update plays `environments` x `steps` actions and goes through them `epochs` times in
    `minibatches` parts. `discount` multiplies the objective's own; `trace` is the lambda of the
    advantages; `clip` bounds the change of an action's probability; `value` and `entropy` weigh
    these parts of the loss. With `anneal` the rate falls linearly to zero over all `updates`. Where
    a task says that an episode is cut and not over (`Task.truncated`), the value goes on; with
    `timeouts` so it does after ends at the horizon of a task that says nothing and does not show
    the time. With `normalise_observations` and `normalise_rewards` both are normalised by
    running statistics and cut at -`limit` and `limit` (see `normalising`); the policy that comes
    out normalises by itself, and its value is in the task's units, but for what was cut. `hasty`
    compiles quickly to a slower program (None: where little is learned).
    """

    updates: int = 60
    environments: int = 64
    steps: int = 32
    epochs: int = 4
    minibatches: int = 8
    rate: float = 2.5e-3
    discount: float = 0.98
    trace: float = 0.9
    clip: float = 0.2
    value: float = 0.5
    entropy: float = 0.0
    norm: float = 0.5
    width: int = 64
    depth: int = 2
    anneal: bool = True
    timeouts: bool = False
    normalise_observations: bool = False
    normalise_rewards: bool = False
    limit: float = 10.0
    hasty: bool | None = None

    def __post_init__(self) -> None:
        counts = (self.updates, self.environments, self.steps, self.epochs, self.minibatches)
        if min(counts) < 1 or self.environments * self.steps % self.minibatches:
            raise ValueError(
                "PPO needs counts of at least 1, and minibatches that divide environments x "
                f"steps; got {self}."
            )
        if not (0 < self.discount <= 1 and 0 <= self.trace <= 1 and self.clip > 0):
            raise ValueError(
                f"PPO needs 0 < discount <= 1, 0 <= trace <= 1 and clip > 0; got {self}."
            )
        check_limit("PPO", self.limit)

    @property
    def compiles_hastily(self) -> bool:
        """Whether `hasty`, as given or from the number of samples learned from."""
        samples = self.updates * self.environments * self.steps * self.epochs
        return samples * self.width < HASTY_BELOW if self.hasty is None else self.hasty


PLAIN = Statistics()
"""Nothing is normalised."""
HASTY_BELOW = 64 * 2_000_000
"""Samples times width; about where optimising the program begins to pay."""


class PPOCarry(eqx.Module):
    """All that goes from one update to the next."""

    network: Network | GaussianNetwork
    optimiser: PyTree
    worlds: Worlds
    statistics: Statistics
    score: Score
    step: Int[Array, ""]
    seed: UInt32[Array, ""]


class Batch(eqx.Module):
    """What was played, time first; later flattened to one row a transition."""

    observation: Float[Array, "..."]
    legal: Bool[Array, "..."]
    raw: Shaped[Array, "..."]
    logp: Float[Array, "..."]
    advantage: Float[Array, "..."]
    target: Float[Array, "..."]


def train_ppo(
    task: Task,
    *,
    key: Key[Array, ""],
    settings: PPO | None = None,
    network: Network | GaussianNetwork | None = None,
    objective: Objective | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn to act by trial and error; the decider is the greedy policy.

    Two players learn by playing against themselves; the value is that of the player to move.
    `network` is trained on instead of a fresh one. `watch(update, metrics)` sees the mean "return"
    of the episodes that ended last (player 0's), and the "loss"; training ends early where it gives
    True. Equal keys give equal bits; `folder` and errors are those of `run_updates`.
    """
    return train(
        "ppo", begin_ppo, _cost, task, key, settings or PPO(), network=network, objective=objective,
        folder=folder, watch=watch,
        outcome=lambda c: in_task_units(c.network, c.statistics, logits_are_values=False),
    )  # fmt: skip


def begin_ppo(
    task: Task,
    key: Key[Array, ""],
    settings: PPO,
    *,
    network: Network | GaussianNetwork | None = None,
    objective: Objective | None = None,
) -> tuple[PPOCarry, Update]:
    """What to carry at first and the update, for loops of one's own: `carry, metrics = ...`."""
    if network is None:
        network = fresh_network(task, settings.width, settings.depth, key)
    else:
        check_network(task, network)
    carry = PPOCarry(
        network=network,
        optimiser=begin_adam(settings.norm, network),
        worlds=empty_worlds(task, settings.environments),
        statistics=fresh_statistics(network, settings),
        score=fresh_score(),
        step=jax.device_put(np.int32(0)),
        seed=seed_of(key),
    )
    scored = task.objective if objective is None else objective
    return carry, lambda c: _update(task, scored, settings, c)


def _update(
    task: Task, objective: Objective, settings: PPO, carry: PPOCarry
) -> tuple[PPOCarry, Metrics]:
    seed = mix(carry.seed, carry.step)
    worlds, statistics, batch, score = _play(task, objective, settings, carry, mix(seed, 0))
    params, rebuild = flatten(carry.network)
    schedule = linear_schedule(settings.rate, settings.updates, anneal=settings.anneal)
    rate = schedule(carry.step)
    rows = settings.environments * settings.steps
    batch = jax.tree.map(lambda x: x.reshape(rows, *x.shape[2:]), batch)
    dice = uniform(mix(seed, 1, jnp.arange(settings.epochs * rows)))
    order = jnp.argsort(dice.reshape(settings.epochs, rows), axis=-1)

    def learn(now: tuple[Array, PyTree], chosen: Int[Array, " rows"]) -> tuple[Any, Array]:
        params, optimiser = now
        part = jax.tree.map(lambda x: x[chosen], batch)
        loss, slope = eqx.filter_value_and_grad(_loss)(rebuild(params), part, task, settings)
        return flat_step(params, slope, optimiser, settings.norm, rate), loss

    now, losses = jax.lax.scan(
        learn,
        (params, carry.optimiser),
        order.reshape(settings.epochs * settings.minibatches, -1),
    )
    network = rebuild(now[0])
    after = PPOCarry(network, now[1], worlds, statistics, score, carry.step + 1, carry.seed)
    return after, {"return": score.mean, "loss": losses.mean()}


def _play(
    task: Task, objective: Objective, settings: PPO, carry: PPOCarry, seed: Seed
) -> tuple[Worlds, Statistics, Batch, Score]:
    """Some actions in every episode, with their advantages."""
    starts = first_states(task, settings.environments, mix(seed, 0))
    worlds = jax.tree.map(
        lambda a, b: jnp.where(carry.step == 0, a, b), restart(starts), carry.worlds
    )
    worlds, statistics, batch, finished, over = play(
        task, objective, carry.network, worlds, starts, mix(seed, 1), steps=settings.steps,
        discount=settings.discount, trace=settings.trace, timeouts=settings.timeouts,
        statistics=carry.statistics,
    )  # fmt: skip
    return worlds, statistics, batch, carry.score.after(finished, over)


def play(
    task: Task,
    objective: Objective,
    network: Network | GaussianNetwork,
    worlds: Worlds,
    starts: State,
    seed: Seed,
    *,
    steps: int,
    discount: float,
    trace: float,
    timeouts: bool = False,
    statistics: Statistics = PLAIN,
) -> tuple[Worlds, Statistics, Batch, Float[Array, "steps batch"], Bool[Array, "steps batch"]]:
    """So many actions of a policy in every episode; then returns, where episodes were `over`.

    For the options see `advance` and `advantages`. Each step adds to the `statistics` what is seen
    and paid in it, and is normalised by all up to it.
    """

    def act(
        carried: tuple[Worlds, Statistics], t: Int[Array, ""]
    ) -> tuple[tuple[Worlds, Statistics], tuple]:
        (worlds, statistics), now = carried, mix(seed, t)
        seen = jax.vmap(task.observe)(worlds.state).astype(jnp.float32)
        statistics = statistics.seeing(seen)
        seen = statistics.see(seen)
        legal = jax.vmap(task.legal)(worlds.state)
        action, raw, logp, value = draw(task, network, seen, legal, mix(now, 0))
        worlds, step = advance(
            task, objective, worlds, action, mix(now, 1), starts=starts, discount=discount,
            timeouts=timeouts,
        )  # fmt: skip
        statistics = statistics.earning(step.reward, step.gain, step.over)
        after = statistics.see(jax.vmap(task.observe)(step.after).astype(jnp.float32))
        kept = (statistics.earn(step.reward), step.gain, step.over, step.finished)
        return (worlds, statistics), (seen, legal, raw, logp, value, after, *kept)

    (worlds, statistics), played = jax.lax.scan(act, (worlds, statistics), jnp.arange(steps))
    seen, legal, raw, logp, value, after, reward, gain, over, finished = played
    follow = values(network, after.reshape(-1, *after.shape[2:])).reshape(value.shape)
    advantage = advantages(reward, gain, over, value, follow, trace)
    batch = Batch(seen, legal, raw, logp, advantage, advantage + value)
    return worlds, statistics, batch, finished, over


def advantages(
    reward: Float[Array, "steps batch"],
    gain: Float[Array, "steps batch"],
    over: Bool[Array, "steps batch"],
    value: Float[Array, "steps batch"],
    follow: Float[Array, "steps batch"],
    trace: float,
) -> Float[Array, "steps batch"]:
    """Generalised advantage estimates (Schulman et al. 2016, eq. 16).

    `gain` is the worth of what comes after a step, with its sign where the opponent moves next, and
    `follow` the value there. Sums end where an episode does (`over`).
    """
    error = reward + gain * follow - value
    carried = jnp.where(over, 0.0, gain * trace)

    def back(rest: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        rest = now[0] + now[1] * rest
        return rest, rest

    return jax.lax.scan(back, jnp.zeros_like(error[0]), (error, carried), reverse=True)[1]


def _loss(
    network: Network | GaussianNetwork,
    batch: Batch,
    task: Task,
    settings: PPO,
) -> Float[Array, ""]:
    """The clipped objective (Schulman et al. 2017, eq. 7 and 9), to be made small."""
    logp, entropy, value = judge(task, network, batch.observation, batch.legal, batch.raw)
    advantage = (batch.advantage - batch.advantage.mean()) / (batch.advantage.std() + 1e-8)
    ratio = jnp.exp(logp - batch.logp)
    clipped = jnp.clip(ratio, 1 - settings.clip, 1 + settings.clip)
    gained = jnp.minimum(ratio * advantage, clipped * advantage).mean()
    error = jnp.square(value - batch.target).mean()
    return -gained + settings.value * error - settings.entropy * entropy.mean()


def _cost(task: Task, settings: PPO, network: Network | GaussianNetwork, updates: int) -> Ledger:
    """A forward pass an action to act and one for what followed; three a sample to learn."""
    played = updates * settings.environments * settings.steps
    passes = played * (2 + settings.epochs)
    each = 2.0 * network.multiply_adds
    return Ledger(
        model_steps=played,
        network_evaluations=passes,
        fits=updates * settings.epochs * settings.minibatches,
        data=played,
        flops=each * played * (2 + 3 * settings.epochs),
    )
