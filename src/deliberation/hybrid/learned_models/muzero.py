"""MuZero: search in a world that was learned, by networks that the search teaches.

Schrittwieser et al. (2020), with Gumbel search at the root (Danihelka et al. 2022).
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from ...amortised.files.tensors import description
from ...amortised.imitation.fitting import make_optimiser
from ...amortised.training.updates import Trained, Watch, run_updates
from ...core.answering import checked_keys, timed
from ...core.budget import Budget
from ...core.decider import Decider, Decision, Memory
from ...core.errors import UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State, Task
from ...direct.tree_search.decider import TreeSearch
from ...direct.tree_search.rules import Gumbel
from .latent import LatentGuide, LatentNetworks, LatentState, LatentTask
from .muzero_learning import Moments, draw_windows, returns, unrolled_loss


@dataclass(frozen=True)
class MuZeroSettings:
    """How MuZero is trained. An update plays `plies` in each of `lanes`, then learns."""

    lanes: int = 64
    plies: int = 16
    simulations: int = 16
    explore: float = 0.2
    """Chance that an action is drawn uniformly instead; targets stay the search's."""
    unroll: int = 4
    """K: so many steps of the dynamics are trained at once."""
    returns: int | None = None
    """n of n-step returns; None: 10 for one player, and for two the outcome of the game."""
    discount: float | None = None
    """None: 0.97 for one player (times the objective's own), the objective's for two."""
    timeouts: bool = False
    """Ends at the task's horizon are cuts, after which the value goes on: for tasks that do not
    show the time (see `PPO`)."""
    length: int = 256
    """Plies of each lane that are remembered."""
    batch_size: int = 256
    gradient_steps: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    value_weight: float = 0.5
    latent: int = 48
    width: int = 96
    bins: int = 41
    value_range: tuple[float, float] | None = None
    value_scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.plies + self.unroll < self.length:
            raise ValueError(
                f"{self.length} plies of memory do not hold an update of {self.plies} and "
                f"{self.unroll} to unroll: raise length."
            )
        if min(self.lanes, self.plies, self.simulations, self.unroll, self.batch_size) < 1:
            raise ValueError(f"Every count must be at least 1; got {self}.")
        if self.plies <= self.unroll:
            raise ValueError(f"plies must be above unroll; got {self.plies} and {self.unroll}.")

    def gamma(self, task: Task) -> float:
        """The discount of training and of the search."""
        if self.discount is not None:
            return self.discount
        return task.objective.discount * (0.97 if task.traits.players == 1 else 1.0)

    def steps(self, task: Task) -> int:
        """n of the returns."""
        if self.returns is not None:
            return self.returns
        return 10 if task.traits.players == 1 else task.traits.horizon

    def networks(self, task: Task, key: Key[Array, ""]) -> LatentNetworks:
        """Fresh networks."""
        return LatentNetworks.of(
            task, key=key, latent=self.latent, width=self.width, bins=self.bins,
            value_range=self.value_range,
        )  # fmt: skip

    def decider(self, task: Task, networks: LatentNetworks, **options: Any) -> "MuZero":
        """Networks as the decider that these settings train and use."""
        return MuZero(
            task, networks, gamma=self.gamma(task), scale=self.value_scale,
            budget=self.simulations, **options,
        )  # fmt: skip


class MuZero(Decider):
    """Encodes what is seen and searches in the learned world; the rules are never asked.

    A simulation is one step of the learned dynamics. Budget 0 answers from the prediction network
    alone. The reward is part of what was learned, so another objective is not heard; nor is
    anything seen but the observation, so hidden state stays hidden. `noise` scales the Gumbel noise
    at the root, and `scale` how much returns count against the prior, over the range of returns.
    Raises `UnsuitableTaskError` for networks of other shapes than the task's.
    """

    task: Task
    networks: LatentNetworks
    budget: Budget
    gamma: float = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    noise: float = eqx.field(static=True)
    scale: float = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        networks: LatentNetworks,
        *,
        gamma: float = 1.0,
        budget: Budget | int = 16,
        capacity: int = 64,
        noise: float = 0.0,
        scale: float = 1.0,
    ):
        seen = jax.eval_shape(lambda k: task.observe(task.init(k)), jax.random.key(0)).size
        takes = networks.represent.layers[0].w.shape[0]
        if (seen, task.traits.actions) != (takes, networks.actions):
            raise UnsuitableTaskError(
                f"{task!r} shows {seen} numbers and has {task.traits.actions} actions, but the "
                f"networks take {takes} and answer with {networks.actions}. Build them by "
                "`LatentNetworks.of(task, ...)`."
            )
        self.task, self.networks, self.budget = task, networks, Budget.of(budget)
        self.gamma, self.capacity, self.noise = gamma, capacity, noise
        self.scale = scale

    def __repr__(self) -> str:
        size = self.networks.represent.layers[-1].w.shape[-1]
        return f"MuZero({self.task!r}, {size} latent, budget={self.budget.simulations})"

    @property
    def world(self) -> LatentTask:
        """The learned world, whose states are vectors."""
        return LatentTask(self.task, self.networks, self.gamma)

    @property
    def search(self) -> TreeSearch:
        """The planner over the learned world."""
        low, high = self.networks.values.low, self.networks.values.high
        return TreeSearch(
            self.world,
            Gumbel(noise=self.noise, value_scale=self.scale / (high - low), rescale=False),
            LatentGuide(self.networks),  # type: ignore[call-arg]  # flops is a property here
            budget=self.budget,
            prove=False,
            capacity=self.capacity,
        )

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """Search from what is seen of every row; see `Decider.decide`."""
        del objective
        started = time.perf_counter()
        keys = checked_keys(self.task, state, None, key)
        entered = _enter(self.world, state)
        decision, _ = self.search.decide(entered, budget=budget, key=keys)
        decision = _counted(self.networks, decision)
        return timed(decision, started), memory


@eqx.filter_jit
def _enter(task: LatentTask, state: State) -> LatentState:
    return jax.vmap(task.enter)(state)


def _counted(networks: LatentNetworks, decision: Decision) -> Decision:
    """With the representation, and the dynamics behind each model step, counted as well."""
    live = (decision.action >= 0).astype(jnp.int32)
    steps = jnp.asarray(decision.spent.model_steps)
    more = Ledger(
        network_evaluations=steps + live,
        flops=steps * networks.step_flops + live * networks.represent.flops,
    )
    return eqx.tree_at(lambda d: d.spent, decision, decision.spent + more)


class Carry(eqx.Module):
    """All that an update of MuZero starts from; `age` counts the actions of each lane's episode."""

    networks: LatentNetworks
    opt_state: PyTree
    lanes: State
    age: Int[Array, " lanes"]
    moments: Moments
    filled: Int[Array, ""]
    score: Float[Array, " lanes"]
    last: Float[Array, ""]
    step: Int[Array, ""]
    key: Key[Array, ""]


def train_muzero(
    task: Task,
    *,
    updates: int,
    key: Key[Array, ""],
    settings: MuZeroSettings | None = None,
    folder: Path | str | None = None,
    identity: dict[str, Any] | None = None,
    watch: Watch | None = None,
    hasty: bool = False,
) -> tuple[MuZero, Ledger, Trained]:
    """Learn a world, a policy and values from acting; returns the decider and what it spent.

    Metrics of each update: the losses, and `score`, the mean return of player 0 in the episodes
    that ended (the one before's where none did). With `folder`, a killed training goes on where
    it was (see `run_updates`). Raises `TrainingDivergedError` and `UnsuitableTaskError`.
    """
    settings = settings or MuZeroSettings()
    told = {
        "task": description(task),
        "seed": jax.random.key_data(key).tolist(),
        "updates": updates,
        **asdict(settings),
    }
    # The length goes in as data, and all else is compared by value: equal courses compile once.
    update = eqx.Partial(_update, task, settings, jnp.int32(updates))
    carry = _start(task, settings, key)
    trained = run_updates(
        update, carry, updates=updates, folder=folder,
        identity={"algorithm": "muzero", **told, **(identity or {})}, watch=watch, hasty=hasty,
    )  # fmt: skip
    networks = trained.carry.networks
    decider = settings.decider(task, networks, capacity=max(64, settings.simulations))
    done = len(trained.metrics["score"])
    return decider, _cost(settings, networks, done, trained.seconds), trained


def _cost(
    settings: MuZeroSettings, networks: LatentNetworks, updates: int, seconds: float
) -> Ledger:
    """Steps of the world and of the model, passes and FLOPs of so many updates."""
    plies = updates * settings.plies * settings.lanes
    imagined = plies * settings.simulations
    steps = updates * settings.gradient_steps
    unrolled = steps * settings.batch_size * settings.unroll
    judged = steps * settings.batch_size * (settings.unroll + 1)
    encoded = steps * settings.batch_size
    passes = (plies + encoded, imagined + unrolled, plies + imagined + judged)
    each = (networks.represent.flops, networks.step_flops, networks.predict.flops)
    learned = (encoded, unrolled, judged)
    return Ledger(
        model_steps=plies + imagined,
        network_evaluations=sum(passes),
        fits=steps,
        data=plies,
        # A gradient costs two more passes than the pass itself.
        flops=sum((p + 2 * b) * f for p, b, f in zip(passes, learned, each, strict=True)),
        seconds=seconds,
    )


def _start(task: Task, settings: MuZeroSettings, key: Key[Array, ""]) -> Carry:
    key, weights, first = jax.random.split(key, 3)
    networks = settings.networks(task, weights)
    lanes = jax.vmap(task.init)(jax.random.split(first, settings.lanes))
    seen, legal = jax.vmap(task.observe)(lanes), jax.vmap(task.legal)(lanes)
    room = (settings.length, settings.lanes)
    zeros = jnp.zeros(room)
    moments = Moments(
        jnp.zeros((*room, *seen.shape[1:])), jnp.ones((*room, legal.shape[1]), bool),
        jnp.zeros((*room, legal.shape[1])), jnp.zeros(room, jnp.int32), zeros, zeros, zeros + 1,
        jnp.zeros(room, bool), jnp.zeros(room, bool), jnp.zeros(room, bool),
    )  # fmt: skip
    opt_state = make_optimiser(settings.weight_decay).init(
        eqx.filter(networks, eqx.is_inexact_array)  # type: ignore[arg-type]
    )
    return Carry(
        networks, opt_state, lanes, jnp.zeros(settings.lanes, jnp.int32), moments, jnp.int32(0),
        jnp.zeros(settings.lanes), jnp.float32(0), jnp.int32(0), key,
    )  # fmt: skip


def _update(
    task: Task, settings: MuZeroSettings, updates: Int[Array, ""], carry: Carry
) -> tuple[Carry, dict[str, Float[Array, ""]]]:
    """Play, then learn."""
    key, play, learn = jax.random.split(carry.key, 3)
    (lanes, age, score), new, ended = _play(task, settings, carry, play)
    moments = carry.moments.push(new)
    filled = jnp.minimum(carry.filled + settings.plies, settings.length)
    # A cosine down to a tenth: the first searches change quickly, the last are to agree.
    share = carry.step / updates
    rate = settings.learning_rate * (0.1 + 0.45 * (1 + jnp.cos(jnp.pi * share)))
    networks, opt_state, losses = _learn(
        settings, rate, carry.networks, carry.opt_state, moments,
        returns(moments, settings.gamma(task), settings.steps(task)), filled, learn,
    )  # fmt: skip
    total, count = ended
    last = jnp.where(count > 0, total / jnp.maximum(count, 1), carry.last)
    after = Carry(
        networks, opt_state, lanes, age, moments, filled, score, last, carry.step + 1, key
    )
    return after, {**losses, "score": last}


def _play(
    task: Task, settings: MuZeroSettings, carry: Carry, key: Key[Array, ""]
) -> tuple[tuple, Moments, tuple[Float[Array, ""], Float[Array, ""]]]:
    """Every lane goes on by `plies`, each searched; finished ones start again.

    Returns the lanes with their ages and scores, what was played, and the scores that are final
    (their sum, and how many).
    """
    player = settings.decider(task, carry.networks, capacity=settings.simulations, noise=1.0)

    def ply(now: tuple, key: Key[Array, ""]) -> tuple[tuple, tuple]:
        state, age, score = now
        think, dice, stray, chance, again = jax.random.split(key, 5)
        decision, _ = player.decide(state, key=think)
        legal = jax.vmap(task.legal)(state)
        anything = jax.random.categorical(dice, jnp.where(legal, 0.0, -jnp.inf))
        lost = jax.random.bernoulli(stray, settings.explore, anything.shape)
        action = jnp.where(lost, anything, decision.action).astype(jnp.int32)
        after = jax.vmap(task.advance)(state, action, jax.random.split(chance, settings.lanes))
        earned = jax.vmap(task.objective)(state, action, after)
        mover, follows = jax.vmap(task.player)(state), jax.vmap(task.player)(after)
        over = jax.vmap(task.terminated)(after)
        gain = jnp.take_along_axis(earned, mover[:, None], 1)[:, 0]
        age, score = age + 1, score + earned[:, 0]
        cut = over & settings.timeouts & (age >= task.traits.horizon)
        moment = Moments(
            jax.vmap(task.observe)(state).astype(jnp.float32), legal, decision.weights, action,
            decision.value, gain, jnp.where(mover == follows, 1.0, -1.0), over, cut, lost,
        )  # fmt: skip
        fresh = jax.vmap(task.init)(jax.random.split(again, settings.lanes))
        done = (jnp.where(over, score, 0.0).sum(), over.sum())
        onward = (where_rows(over, fresh, after), *(jnp.where(over, 0, x) for x in (age, score)))
        return onward, (moment, done)

    keys = jax.random.split(key, settings.plies)
    lanes, (moments, done) = jax.lax.scan(ply, (carry.lanes, carry.age, carry.score), keys)
    return lanes, moments, (done[0].sum(), done[1].sum().astype(jnp.float32))


def _learn(
    settings: MuZeroSettings,
    rate: Float[Array, ""],
    networks: LatentNetworks,
    opt_state: PyTree,
    moments: Moments,
    value: Float[Array, "time lanes"],
    filled: Int[Array, ""],
    key: Key[Array, ""],
) -> tuple[LatentNetworks, PyTree, dict[str, Float[Array, ""]]]:
    """Gradient steps on windows drawn from the ring; the losses are their means."""
    optimiser = make_optimiser(settings.weight_decay)
    params, static = eqx.partition(networks, eqx.is_inexact_array)

    def gradient(params: PyTree, key: Key[Array, ""]) -> tuple:
        windows = draw_windows(moments, value, filled, key, settings.batch_size, settings.unroll)
        return jax.grad(
            lambda p: unrolled_loss(eqx.combine(p, static), windows, settings.value_weight),
            has_aux=True,
        )(params)

    def step(now: tuple, key: Key[Array, ""]) -> tuple[tuple, dict]:
        params, opt_state = now
        slope, losses = gradient(params, key)
        update, opt_state = optimiser.update(slope, opt_state, params)
        params = jax.tree.map(lambda p, u: p - rate * u, params, update)
        return (params, opt_state), losses

    keys = jax.random.split(key, settings.gradient_steps)
    (params, opt_state), losses = jax.lax.scan(step, (params, opt_state), keys)
    return eqx.combine(params, static), opt_state, jax.tree.map(lambda x: x.mean(), losses)
