"""REINFORCE: the plain policy gradient from whole episodes, entirely in JAX.

Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", with a learned value as the baseline (Sutton and Barto 2018, section 13.4).
"""

from dataclasses import dataclass
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt32

from ...core.ledger import Ledger
from ...core.noise import mix
from ...core.objective import Objective
from ...core.rows import in_one_row
from ...core.task import Task
from ..networks.feed_forward import Network
from ..networks.gaussian import GaussianNetwork
from ..training.optimisers import linear_schedule
from ..training.trained import Trained
from ..training.updates import Metrics, Update, Watch
from .actions import judge
from .experience import Score, first_states, fresh_score, restart, seed_of
from .gradients import begin_adam, check_network, flat_step, flatten, fresh_network, train
from .ppo import Batch, play


@dataclass(frozen=True)
class Reinforce:
    """Settings; the defaults balance CartPole's pole.

    An update is `rounds` gradient steps, each on `environments` episodes played for it side by
    side, for as many actions as the longest may take. `discount` multiplies the objective's own. In
    the loss, `value` weighs the baseline's error and `entropy` what keeps actions from being given
    up early (Williams and Peng 1991). For `hasty` see `PPO`.
    """

    updates: int = 40
    rounds: int = 5
    environments: int = 8
    rate: float = 5e-3
    discount: float = 0.99
    value: float = 0.5
    entropy: float = 0.01
    norm: float = 0.5
    width: int = 32
    depth: int = 1
    anneal: bool = True
    hasty: bool = True

    def __post_init__(self) -> None:
        if min(self.updates, self.rounds, self.environments) < 1 or not 0 < self.discount <= 1:
            raise ValueError(
                f"Reinforce needs counts of at least 1 and 0 < discount <= 1; got {self}."
            )

    @property
    def compiles_hastily(self) -> bool:
        """Whether `hasty`."""
        return self.hasty


class ReinforceCarry(eqx.Module):
    """All that goes from one update to the next."""

    network: Network | GaussianNetwork
    optimiser: PyTree
    score: Score
    step: Int[Array, ""]
    seed: UInt32[Array, ""]


def train_reinforce(
    task: Task,
    *,
    key: Key[Array, ""],
    settings: Reinforce | None = None,
    network: Network | GaussianNetwork | None = None,
    objective: Objective | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn to act by the returns of whole episodes; the decider is the greedy policy.

    Arguments and errors are those of `train_ppo`. Where an episode is cut (`Task.truncated`, or the
    horizon of a task that goes on for ever), the baseline's value stands for the rewards to come.
    """
    return train(
        "reinforce", begin_reinforce, _cost, task, key, settings or Reinforce(), network=network,
        objective=objective, folder=folder, watch=watch,
    )  # fmt: skip


def begin_reinforce(
    task: Task,
    key: Key[Array, ""],
    settings: Reinforce,
    *,
    network: Network | GaussianNetwork | None = None,
    objective: Objective | None = None,
) -> tuple[ReinforceCarry, Update]:
    """What to carry at first and the update, for loops of one's own."""
    if network is None:
        network = fresh_network(task, settings.width, settings.depth, key)
    else:
        check_network(task, network)
    carry = ReinforceCarry(
        network, begin_adam(settings.norm, network), fresh_score(), jax.device_put(np.int32(0)),
        seed_of(key),
    )  # fmt: skip
    scored = task.objective if objective is None else objective
    return carry, lambda c: _update(task, scored, settings, c)


def _update(
    task: Task, objective: Objective, settings: Reinforce, carry: ReinforceCarry
) -> tuple[ReinforceCarry, Metrics]:
    params, rebuild = flatten(carry.network)
    schedule = linear_schedule(settings.rate, settings.updates, anneal=settings.anneal)
    rate = schedule(carry.step)

    def learn(now: tuple, number: Int[Array, ""]) -> tuple[tuple, Array]:
        params, optimiser, score = now
        seed, network = mix(carry.seed, carry.step, number), rebuild(params)
        starts = first_states(task, settings.environments, mix(seed, 0))
        # Summed to the end (a trace of 1), advantages are returns less the baseline.
        _, _, batch, finished, over = play(
            task, objective, network, restart(starts), starts, mix(seed, 1),
            steps=task.traits.horizon, discount=settings.discount, trace=1.0,
        )  # fmt: skip
        # Only the first episodes are sure to end in time: of those begun after, the short ones
        # would, whose returns are not those of all.
        first = jnp.cumsum(over, axis=0) - over == 0
        loss, slope = eqx.filter_value_and_grad(_loss)(network, batch, first, task, settings)
        params, optimiser = flat_step(params, slope, optimiser, settings.norm, rate)
        return (params, optimiser, score.after(finished, over & first)), loss

    now = (params, carry.optimiser, carry.score)
    now, losses = jax.lax.scan(learn, now, jnp.arange(settings.rounds))
    after = ReinforceCarry(rebuild(now[0]), now[1], now[2], carry.step + 1, carry.seed)
    return after, {"return": now[2].mean, "loss": losses.mean()}


def _loss(
    network: Network | GaussianNetwork,
    batch: Batch,
    first: Bool[Array, "steps batch"],
    task: Task,
    settings: Reinforce,
) -> Float[Array, ""]:
    """-advantage log p(action), summed over an episode, and the rest: the mean of the episodes.

    Its slope is, in the mean, the policy's gradient; a mean over actions, of which there are more
    in some batches than in others, would not be.
    """
    flat = in_one_row(batch)
    logp, entropy, value = judge(task, network, flat.observation, flat.legal, flat.raw)
    each = settings.value * jnp.square(value - flat.target) - flat.advantage * logp
    each = each - settings.entropy * entropy
    return jnp.where(first.reshape(-1), each, 0.0).sum() / first.shape[1]


def _cost(
    task: Task, settings: Reinforce, network: Network | GaussianNetwork, updates: int
) -> Ledger:
    """A forward pass to act, one for what followed, and three to learn from it."""
    fits = updates * settings.rounds
    played = fits * settings.environments * task.traits.horizon
    return Ledger(
        model_steps=played, network_evaluations=3 * played, fits=fits, data=played,
        flops=2.0 * network.multiply_adds * 5 * played,
    )  # fmt: skip
