"""A continuous policy learned from a planner: it plays, the planner says what it would have done.

DAgger (Ross, Gordon and Bagnell 2011, "A reduction of imitation learning and structured prediction
to no-regret online learning"): states come from the learner's own play as well as the planner's,
labels from the planner. The loss is the Gaussian likelihood of the planner's actions.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ...amortised.files.tensors import description
from ...amortised.policies.gaussian import GaussianMLP, check_gaussian, log_density, scaled
from ...amortised.training.updates import Metrics, run_updates
from ...core.ledger import Ledger
from ...core.rows import where_rows
from ...core.task import State
from ...direct.control.plan_search import PlanSearch
from ...direct.control.plans import half_range

_SPENT = ("model_steps", "network_evaluations", "flops")
"""What playing one round spends, reported by each update."""


@dataclass(frozen=True)
class ImitationSettings:
    """How a policy is learned from a planner.

    In each of `updates`, `rows` episodes go on for `steps` actions (`share` of them are the
    policy's own, the others the planner's) with `simulations` a decision; then `fits` gradient
    steps of `batch` examples are taken from the last `memory` rounds.
    """

    updates: int = 40
    rows: int = 16
    steps: int = 25
    share: float = 0.5
    simulations: int = 64
    fits: int = 50
    batch: int = 256
    memory: int = 40
    width: int = 64
    depth: int = 2
    rate: float = 2e-3

    def __post_init__(self) -> None:
        counts = {k: v for k, v in asdict(self).items() if isinstance(v, int)}
        bad = {k: v for k, v in counts.items() if v < 1}
        if bad or not 0 <= self.share <= 1 or not self.rate > 0:
            raise ValueError(
                "Imitating a planner takes counts of at least 1, a share from 0 to 1 and a rate "
                f"above 0; got {bad or (self.share, self.rate)}."
            )


class _Carry(eqx.Module):
    """Everything that goes from one update to the next."""

    network: GaussianMLP
    moments: optax.OptState
    state: State
    memory: Any
    seen: Float[Array, "rounds examples ..."]
    wanted: Float[Array, "rounds examples numbers"]
    worth: Float[Array, "rounds examples"]
    rounds: Int[Array, ""]
    key: Key[Array, ""]


def imitate_planner(
    planner: PlanSearch,
    *,
    key: Key[Array, ""],
    settings: ImitationSettings | None = None,
    folder: Path | str | None = None,
    watch: Callable[[int, dict[str, float]], bool | None] | None = None,
    hasty: bool = False,
) -> tuple[GaussianMLP, Ledger]:
    """Learn a Gaussian policy (and the planner's value) from a planner's decisions.

    Returns the network and what training spent, the planner's thinking included. Resumes from
    `folder`, and takes `hasty`, as `run_updates` does. Raises what that raises, and
    `UnsuitableTaskError` for discrete actions.
    """
    settings = settings or ImitationSettings()
    task = planner.task
    optimiser = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(settings.rate))
    carry = _begin(planner, settings, optimiser, key)
    check_gaussian(task, carry.network)
    identity = {
        "planner": description(planner), **asdict(settings),
        "key": np.asarray(jax.random.key_data(key)).tolist(),
    }  # fmt: skip
    done = run_updates(
        lambda c: _update(planner, settings, optimiser, c),
        carry,
        updates=settings.updates,
        folder=folder,
        identity=identity,
        watch=watch,
        hasty=hasty,
    )
    # Each update's amounts are exact in single precision, their sum over a training is not.
    amounts = {name: float(done.metrics[name].sum(dtype=float)) for name in _SPENT}
    rounds = len(done.metrics["imitation"])
    return done.carry.network, Ledger(
        **amounts,
        fits=rounds * settings.fits,
        data=rounds * settings.rows * settings.steps,
        seconds=done.seconds,
    )


def _begin(
    planner: PlanSearch,
    settings: ImitationSettings,
    optimiser: optax.GradientTransformation,
    key: Key[Array, ""],
) -> _Carry:
    task, (make, start, rest) = planner.task, jax.random.split(key, 3)
    state = jax.vmap(task.init)(jax.random.split(start, settings.rows))
    shape = jax.eval_shape(jax.vmap(task.observe), state).shape[1:]
    # Small deviations: they are to tell how sure the policy is, and grow where it is not.
    network = GaussianMLP(
        shape, task.traits.shape, settings.width, settings.depth, log_sd=-1.0, key=make
    )
    room = (settings.memory, settings.rows * settings.steps)
    return _Carry(
        network=network,
        moments=optimiser.init(eqx.filter(network, eqx.is_array)),
        state=state,
        memory=planner.begin(settings.rows),
        seen=jnp.zeros((*room, *shape)),
        wanted=jnp.zeros((*room, network.log_sd.shape[0])),
        worth=jnp.zeros(room),
        rounds=jnp.int32(0),
        key=rest,
    )


def _update(
    planner: PlanSearch,
    settings: ImitationSettings,
    optimiser: optax.GradientTransformation,
    carry: _Carry,
) -> tuple[_Carry, Metrics]:
    """Play on for some steps, then fit; pure."""
    key, play, fit = jax.random.split(carry.key, 3)
    state, memory, seen, wanted, worth, spent = _play(planner, settings, carry, play)
    place = carry.rounds % settings.memory
    kept = [
        old.at[place].set(new.reshape(old.shape[1:]))
        for old, new in ((carry.seen, seen), (carry.wanted, wanted), (carry.worth, worth))
    ]
    known = jnp.minimum(carry.rounds + 1, settings.memory) * seen.shape[0] * seen.shape[1]
    flat = [x.reshape(-1, *x.shape[2:]) for x in kept]

    def one(now: tuple, key: Key[Array, ""]) -> tuple[tuple, Float[Array, " 2"]]:
        network, moments = now
        rows = jax.random.randint(key, (settings.batch,), 0, known)
        (_, parts), slope = eqx.filter_value_and_grad(_loss, has_aux=True)(
            network, *(x[rows] for x in flat)
        )
        step, moments = optimiser.update(slope, moments)
        return (eqx.apply_updates(network, step), moments), parts

    arrays, static = eqx.partition((carry.network, carry.moments), eqx.is_array)

    def scanned(now: Any, key: Key[Array, ""]) -> tuple[Any, Float[Array, " 2"]]:
        after, parts = one(eqx.combine(now, static), key)
        return eqx.filter(after, eqx.is_array), parts

    arrays, losses = jax.lax.scan(scanned, arrays, jax.random.split(fit, settings.fits))
    network, moments = eqx.combine(arrays, static)
    seen, wanted, worth = kept
    rounds = carry.rounds + 1
    after = _Carry(network, moments, state, memory, seen, wanted, worth, rounds, key)
    amounts = {name: getattr(spent, name) for name in _SPENT}
    return after, {"imitation": losses[-1, 0], "value": losses[-1, 1], **amounts}


def _play(
    planner: PlanSearch, settings: ImitationSettings, carry: _Carry, key: Key[Array, ""]
) -> tuple[State, Any, Array, Array, Array, Ledger]:
    """Go on with all episodes, starting anew where one ends; what was seen and what was said."""
    task, rows = planner.task, settings.rows
    traits = task.traits
    own = jnp.arange(rows) < settings.share * rows

    def step(now: tuple, key: Key[Array, ""]) -> tuple[tuple, tuple]:
        state, memory = now
        think, move, anew = jax.random.split(key, 3)
        said, memory = planner.decide(state, memory, budget=settings.simulations, key=think)
        seen = jax.vmap(task.observe)(state).astype(jnp.float32)
        mine = scaled(traits, jax.vmap(carry.network)(seen)[0])
        action = where_rows(own, mine, said.action)
        after = jax.vmap(task.advance)(state, action, jax.random.split(move, rows))
        over = jax.vmap(task.terminated)(after)
        fresh = jax.vmap(task.init)(jax.random.split(anew, rows))
        blank = planner.begin(rows)
        after, memory = where_rows(over, (fresh, blank), (after, memory))
        middle = (traits.low + traits.high) / 2
        label = (said.action - middle).reshape(rows, -1) / half_range(traits)
        amounts = jax.tree.map(lambda x: jnp.sum(x, dtype=jnp.float32), said.spent)
        own_passes = Ledger(
            model_steps=jnp.float32(rows),
            network_evaluations=own.sum().astype(jnp.float32),
            flops=own.sum() * jnp.float32(2 * carry.network.multiply_adds),
        )
        return (after, memory), (seen, label, said.value, amounts + own_passes)

    keys = jax.random.split(key, settings.steps)
    (state, memory), told = jax.lax.scan(step, (carry.state, carry.memory), keys)
    seen, label, value, amounts = told
    spent = jax.tree.map(jnp.sum, amounts)
    return state, memory, seen, label, value, spent


def _loss(
    network: GaussianMLP,
    seen: Float[Array, "batch ..."],
    wanted: Float[Array, "batch numbers"],
    worth: Float[Array, " batch"],
) -> tuple[Float[Array, ""], Float[Array, " 2"]]:
    """Minus the likelihood of the planner's actions, and the value's unexplained variance."""
    mean, log_sd, value = jax.vmap(network)(seen)
    unlikely = -log_density(wanted, mean, jnp.maximum(log_sd, -3.0)).mean()
    off = jnp.square(value - worth).mean() / (worth.var() + 1e-3)
    return unlikely + off, jnp.stack([unlikely, off])
