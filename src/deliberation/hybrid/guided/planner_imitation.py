"""A continuous policy learned from a planner: it plays, the planner says what it would have done.

DAgger (Ross, Gordon and Bagnell 2011, "A reduction of imitation learning and structured prediction
to no-regret online learning"): states come from the learner's own play as well as the planner's,
labels from the planner. The loss is the Gaussian likelihood of the planner's actions.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from ...amortised.files.tensors import description
from ...amortised.networks.gaussian import GaussianMLP, log_density
from ...amortised.policies.gaussian import GaussianPolicy, check_gaussian, scaled
from ...amortised.training.optimisers import gradient_steps, init_optimiser, make_optimiser
from ...amortised.training.trained import Trained, training_identity
from ...amortised.training.updates import Metrics, Watch, run_updates
from ...amortised.trial_and_error.experience import stops
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State
from ...direct.control.plan_search import PlanSearch
from ...direct.control.plans import half_range

_SPENT = ("model_steps", "network_evaluations", "flops")
"""What playing one round spends, reported by each update."""


_OPTIMISER = make_optimiser(0.0, 10.0)


@dataclass(frozen=True)
class ImitationSettings:
    """How a policy is learned from a planner.

    In each of `updates`, `rows` episodes go on for `steps` actions (`share` of them are the
    policy's own, the others the planner's) with `simulations` a decision; then `fits` gradient
    steps of `batch` examples are taken from the last `memory` rounds. `hasty` compiles quickly, to
    a slower program (see `run_updates`).
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
    hasty: bool = False

    def __post_init__(self) -> None:
        counts = {k: v for k, v in asdict(self).items() if type(v) is int}
        bad = {k: v for k, v in counts.items() if v < 1}
        if bad or not 0 <= self.share <= 1 or not self.rate > 0:
            raise ValueError(
                "Imitating a planner takes counts of at least 1, a share from 0 to 1 and a rate "
                f"above 0; got {bad or (self.share, self.rate)}."
            )


class _Carry(eqx.Module):
    """Everything that goes from one update to the next."""

    network: GaussianMLP
    moments: PyTree
    state: State
    age: Int[Array, " rows"]
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
    objective: Objective | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn a Gaussian policy (and the planner's value) from a planner's decisions.

    Episodes begin anew where they end or are cut. The planner plans for `objective` if one is
    given; what it spends is counted in the ledger. `folder` and `watch` are those of
    `run_updates`. Raises what that raises, and `UnsuitableTaskError` for discrete actions.
    """
    settings = settings or ImitationSettings()
    carry = _begin(planner, settings, key)
    check_gaussian(planner.task, carry.network)
    identity = training_identity(
        "planner imitation", key, task=planner.task, objective=objective, settings=settings,
        planner=description(planner),
    )  # fmt: skip
    done = run_updates(
        lambda c: _update(planner, settings, objective, c), carry, updates=settings.updates,
        folder=folder, identity=identity, watch=watch, hasty=settings.hasty,
    )  # fmt: skip
    # Each update's amounts are exact in single precision, their sum over a training is not.
    amounts = {name: float(done.metrics[name].sum(dtype=float)) for name in _SPENT}
    rounds = len(done.metrics["imitation"])
    spent = Ledger(
        **amounts,
        fits=rounds * settings.fits,
        data=rounds * settings.rows * settings.steps,
        seconds=done.seconds,
    )
    return Trained(
        GaussianPolicy(planner.task, done.carry.network), done.carry.network, spent, done.metrics,
        done.carry, None if folder is None else Path(folder),
    )  # fmt: skip


def _begin(
    planner: PlanSearch,
    settings: ImitationSettings,
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
        moments=init_optimiser(_OPTIMISER, network),
        state=state,
        age=jnp.zeros(settings.rows, jnp.int32),
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
    objective: Objective | None,
    carry: _Carry,
) -> tuple[_Carry, Metrics]:
    """Play on for some steps, then fit; pure."""
    key, play, fit = jax.random.split(carry.key, 3)
    lanes, seen, wanted, worth, spent = _play(planner, settings, objective, carry, play)
    place = carry.rounds % settings.memory
    kept = [
        old.at[place].set(new.reshape(old.shape[1:]))
        for old, new in ((carry.seen, seen), (carry.wanted, wanted), (carry.worth, worth))
    ]
    known = jnp.minimum(carry.rounds + 1, settings.memory) * seen.shape[0] * seen.shape[1]
    flat = [x.reshape(-1, *x.shape[2:]) for x in kept]

    keys = jax.random.split(fit, settings.fits)

    def draw(now: Int[Array, ""]) -> list[Array]:
        rows = jax.random.randint(keys[now], (settings.batch,), 0, known)
        return [x[rows] for x in flat]

    network, moments, losses = gradient_steps(
        lambda n, batch: _loss(n, *batch), carry.network, carry.moments, _OPTIMISER, draw,
        jnp.full(settings.fits, settings.rate),
    )  # fmt: skip
    seen, wanted, worth = kept
    rounds = carry.rounds + 1
    after = _Carry(network, moments, *lanes, seen, wanted, worth, rounds, key)
    amounts = {name: getattr(spent, name) for name in _SPENT}
    return after, {"imitation": losses[-1, 0], "value": losses[-1, 1], **amounts}


def _play(
    planner: PlanSearch,
    settings: ImitationSettings,
    objective: Objective | None,
    carry: _Carry,
    key: Key[Array, ""],
) -> tuple[tuple[State, Array, Any], Array, Array, Array, Ledger]:
    """Go on with all episodes, starting anew where one ends or is cut.

    Returns the states, ages and memories to go on from, what was seen, what the planner said of it
    (actions and values), and what that took. Nothing is bootstrapped here: the values are the
    planner's own, which looks past a cut.
    """
    task, rows = planner.task, settings.rows
    traits = task.traits
    own = jnp.arange(rows) < settings.share * rows

    def step(now: tuple, key: Key[Array, ""]) -> tuple[tuple, tuple]:
        state, age, memory = now
        search, move, anew = jax.random.split(key, 3)
        said, memory = planner.decide(
            state, memory, objective=objective, budget=settings.simulations, key=search
        )
        seen = jax.vmap(task.observe)(state).astype(jnp.float32)
        mine = scaled(traits, jax.vmap(carry.network)(seen)[0])
        action = where_rows(own, mine, said.action)
        after = jax.vmap(task.advance)(state, action, jax.random.split(move, rows))
        over, _ = stops(task, after, age + 1)
        fresh = jax.vmap(task.init)(jax.random.split(anew, rows))
        blank = planner.begin(rows)
        after, memory = where_rows(over, (fresh, blank), (after, memory))
        age = jnp.where(over, 0, age + 1)
        middle = (traits.low + traits.high) / 2
        label = (said.action - middle).reshape(rows, -1) / half_range(traits)
        amounts = jax.tree.map(lambda x: jnp.sum(x, dtype=jnp.float32), said.spent)
        own_passes = Ledger(
            model_steps=jnp.float32(rows),
            network_evaluations=own.sum().astype(jnp.float32),
            flops=own.sum() * jnp.float32(2 * carry.network.multiply_adds),
        )
        return (after, age, memory), (seen, label, said.value, amounts + own_passes)

    keys = jax.random.split(key, settings.steps)
    lanes, told = jax.lax.scan(step, (carry.state, carry.age, carry.memory), keys)
    seen, label, value, amounts = told
    spent = jax.tree.map(jnp.sum, amounts)
    return lanes, seen, label, value, spent


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
