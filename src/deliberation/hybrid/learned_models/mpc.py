"""Planning by a learned model: collect, fit, plan, and again ("learned-model MPC").

Chua et al. (2018, "PETS"): an ensemble fitted to all experience so far, searched anew at every
step by the cross-entropy method, which thereby collects the experience for the next fit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ...amortised.training.optimisers import init_optimiser, make_optimiser
from ...amortised.training.trained import Trained, training_identity
from ...amortised.training.updates import Watch, run_updates
from ...amortised.trial_and_error.experience import stops
from ...core.answering import CheckedDecider, Question
from ...core.decider import Decider, Decision, Memory
from ...core.errors import BatchMismatchError, ForeignMemoryError, UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import Actions, State, Task
from ...direct.control.cross_entropy import CEM
from .learned_model import (
    Decode,
    Ends,
    Ensemble,
    LearnedModel,
    ModelState,
    action_size,
    observed_size,
    write_action,
)
from .model_learning import Experience, fit_ensemble

MakePlanner = Callable[[Task], Decider]
"""A planner for a task; called with the learned model. Its `decide` must run inside of `jit`."""


def by_cross_entropy(model: Task) -> Decider:
    """The planner unless another is given."""
    return CEM(model, horizon=20, budget=128, population=32)


@dataclass(frozen=True)
class MPCSettings:
    """How a model is learned by planning with it. An update collects, then fits."""

    updates: int = 10
    lanes: int = 4
    steps: int = 50
    """Actions in each lane between two fits."""
    warmup: int = 2
    """Updates whose actions are drawn uniformly."""
    explore: float = 0.1
    """Deviation of the noise on actions, in half ranges; if discrete, the chance of another."""
    members: int = 5
    width: int = 64
    depth: int = 2
    room: int = 2**15
    """Transitions that are remembered."""
    gradient_steps: int = 500
    batch_size: int = 128
    learning_rate: float = 5e-3
    weight_decay: float = 1e-5
    spread: bool = False
    """Plan with members drawn anew at every step (TS1) instead of their mean."""
    hasty: bool = False
    """Compiles quickly, to a slower program (see `run_updates`)."""

    def __post_init__(self) -> None:
        counts = ("updates", "lanes", "steps", "warmup", "members", "gradient_steps", "batch_size")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"MPCSettings needs {name} of at least 1.")
        if self.lanes * self.steps > self.room:
            raise ValueError(f"room={self.room} does not hold one update's transitions.")


class MPCMemory(eqx.Module):
    """What the planner remembers, and how many actions were taken since the beginning."""

    plan: Memory
    age: Int[Array, " batch"]


class LearnedModelMPC(CheckedDecider):
    """Plans by a learned model of the task from what is seen, and plans anew at every decision.

    Budgets are the planner's own (`CEM`: one simulation is one plan); budget 0 asks it for its
    habit. An objective handed over is planned for if it can be read off observations: an
    `OnObservations`, the task's own, `misere` of either, or with `decode` (a state made of an
    observation) any. Others raise `UnsuitableTaskError`. The rules are never asked; but its own
    actions are counted, so that no plan looks beyond the horizon of a task that ends there.
    """

    task: Task
    model: LearnedModel
    planner: Decider
    decode: Decode | None = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        model: LearnedModel,
        planner: MakePlanner = by_cross_entropy,
        *,
        decode: Decode | None = None,
    ):
        if not bool(eqx.tree_equal(model.task, task)):
            raise UnsuitableTaskError(f"{model!r} was learned of another task than {task!r}.")
        self.task, self.model, self.planner, self.decode = task, model, planner(model), decode

    def __repr__(self) -> str:
        return f"LearnedModelMPC({self.model!r}, {type(self.planner).__name__})"

    def begin(self, batch: int) -> Memory:
        """The planner's, and no action taken."""
        return MPCMemory(self.planner.begin(batch), jnp.zeros(batch, jnp.int32))

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Plan from what is observed of every row."""
        memory, batch = question.memory, len(question.keys)
        aim = self.model.translate(question.given, self.decode)
        memory = _own(self, self.begin(batch) if memory is None else memory, batch)
        entered = _enter(self.model, question.state, memory.age)
        decision, plan = self.planner.decide(
            entered, memory.plan, objective=aim, budget=question.budget, key=question.keys
        )
        steps = jnp.asarray(decision.spent.model_steps)
        ensemble = self.model.ensemble
        more = Ledger(network_evaluations=steps * ensemble.count, flops=steps * ensemble.flops)
        decision = eqx.tree_at(lambda d: d.spent, decision, decision.spent + more)
        return decision, MPCMemory(plan, memory.age + ~entered.over)


def _own(decider: LearnedModelMPC, memory: Memory, batch: int) -> MPCMemory:
    """The memory, if it can be this decider's; the planner looks at its own part."""
    if not isinstance(memory, MPCMemory):
        raise ForeignMemoryError(
            f"{decider!r} remembers a plan and how many actions were taken; got "
            f"{type(memory).__name__}. Start with `begin(batch)` and hand on what `decide` returns."
        )
    if memory.age.shape != (batch,):
        raise BatchMismatchError(f"A memory of {len(memory.age)} rows for a batch of {batch}.")
    return memory


@eqx.filter_jit
def _enter(model: LearnedModel, state: State, age: Int[Array, " batch"]) -> ModelState:
    return jax.vmap(model.enter)(state, age)


class Course(eqx.Module):
    """What an update of the loop is told: all of it is compared by value, so it compiles once."""

    task: Task
    objective: Objective
    planner: MakePlanner = eqx.field(static=True)
    settings: MPCSettings = eqx.field(static=True)
    ends: Ends | None = eqx.field(static=True)

    def model(self, ensemble: Ensemble) -> LearnedModel:
        """The ensemble as a task."""
        return LearnedModel(self.task, ensemble, self.settings.spread, self.ends)

    def mpc(self, ensemble: Ensemble, decode: Decode | None = None) -> LearnedModelMPC:
        """The ensemble as a decider."""
        return LearnedModelMPC(self.task, self.model(ensemble), self.planner, decode=decode)


class Carry(eqx.Module):
    """All that an update starts from."""

    ensemble: Ensemble
    opt_state: PyTree
    data: Experience
    lanes: State
    memory: MPCMemory
    score: Float[Array, " lanes"]
    last: Float[Array, ""]
    imagined: Int[Array, ""]
    step: Int[Array, ""]
    key: Key[Array, ""]


def train_mpc(
    task: Task,
    *,
    key: Key[Array, ""],
    settings: MPCSettings | None = None,
    objective: Objective | None = None,
    planner: MakePlanner = by_cross_entropy,
    ends: Ends | None = None,
    decode: Decode | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn a model by planning with it.

    `planner` makes one for a model (give a function of a module, not a lambda made anew, and equal
    calls compile once); `ends` and `decode` are those of `LearnedModel` and `LearnedModelMPC`. The
    rewards of an `objective` handed over are learned instead of the task's own. Metrics of each
    update: `loss` of the model, and `score`, the mean return of the episodes that ended (the one
    before's where none did). `folder` and `watch` are those of `run_updates`. Raises
    `TrainingDivergedError`, and `UnsuitableTaskError` for two players.
    """
    settings = settings or MPCSettings()
    # What only the loop needs is left out, so that trainings of any length share a program.
    course = Course(
        task, task.objective if objective is None else objective, planner,
        replace(settings, updates=1, hasty=False), ends,
    )  # fmt: skip
    carry = _start(course, key)
    identity = training_identity(
        "learned-model MPC", key, task=task, objective=objective, settings=settings,
        functions={"ends": ends}, planner=repr(course.mpc(carry.ensemble).planner),
    )  # fmt: skip
    trained = run_updates(
        eqx.Partial(_update, course), carry, updates=settings.updates, folder=folder,
        identity=identity, watch=watch, hasty=settings.hasty,
    )  # fmt: skip
    ensemble, done = trained.carry.ensemble, len(trained.metrics["score"])
    plies, fits = settings.lanes * settings.steps * done, settings.gradient_steps * done
    imagined = int(trained.carry.imagined)
    passes = fits * settings.batch_size
    spent = Ledger(
        model_steps=plies + imagined,
        network_evaluations=(imagined + passes) * ensemble.count,
        fits=fits,
        data=plies,
        flops=(imagined + 3.0 * passes) * ensemble.flops,
        seconds=trained.seconds,
    )
    return Trained(
        course.mpc(ensemble, decode), ensemble, spent, trained.metrics, trained.carry,
        None if folder is None else Path(folder),
    )  # fmt: skip


def _start(course: Course, key: Key[Array, ""]) -> Carry:
    task, settings = course.task, course.settings
    key, weights, first = jax.random.split(key, 3)
    ensemble = Ensemble.of(
        task, key=weights, members=settings.members, width=settings.width, depth=settings.depth
    )
    opt_state = init_optimiser(make_optimiser(settings.weight_decay), ensemble.members)
    zeros = jnp.zeros(settings.lanes)
    return Carry(
        ensemble=ensemble,
        opt_state=opt_state,
        data=Experience.empty(settings.room, observed_size(task), action_size(task)),
        lanes=jax.vmap(task.init)(jax.random.split(first, settings.lanes)),
        memory=course.mpc(ensemble).begin(settings.lanes),
        score=zeros,
        last=jnp.float32(0),
        imagined=jnp.int32(0),
        step=jnp.int32(0),
        key=key,
    )


def _update(course: Course, carry: Carry) -> tuple[Carry, dict[str, Float[Array, ""]]]:
    """Collect, then fit."""
    settings = course.settings
    key, act, learn = jax.random.split(carry.key, 3)
    keys = jax.random.split(act, settings.steps)
    mpc = course.mpc(carry.ensemble)
    random = carry.step < settings.warmup
    (lanes, memory, score, imagined), (rows, total, count) = jax.lax.scan(
        lambda now, key: _act(course, mpc, random, now, key),
        (carry.lanes, carry.memory, carry.score, carry.imagined),
        keys,
    )
    data = carry.data.add(*(x.reshape(-1, *x.shape[2:]) for x in rows))
    ensemble, opt_state, loss = fit_ensemble(
        carry.ensemble, carry.opt_state, make_optimiser(settings.weight_decay), data, learn,
        steps=settings.gradient_steps, batch_size=settings.batch_size, rate=settings.learning_rate,
    )  # fmt: skip
    last = jnp.where(count.sum() > 0, total.sum() / jnp.maximum(count.sum(), 1), carry.last)
    after = Carry(
        ensemble, opt_state, data, lanes, memory, score, last, imagined, carry.step + 1, key
    )
    return after, {"loss": loss, "score": last}


def _act(
    course: Course,
    mpc: LearnedModelMPC,
    random: Bool[Array, ""],
    now: tuple,
    key: Key[Array, ""],
) -> tuple[tuple, tuple]:
    """One action in every lane, and what came of it."""
    task, lanes = course.task, course.settings.lanes
    state, memory, score, imagined = now
    plan, stray, chance, again = jax.random.split(key, 4)
    action, memory, steps = _choose(course, mpc, random, state, memory, (plan, stray))
    after = jax.vmap(task.advance)(state, action, jax.random.split(chance, lanes))
    earned = jax.vmap(course.objective)(state, action, after)[:, 0]
    # Nobody can see an end by the limit of time coming.
    (over, cut), score = stops(task, after, memory.age, timeouts=True), score + earned
    seen, seen_after = (
        jax.vmap(task.observe)(s).astype(jnp.float32).reshape(lanes, -1) for s in (state, after)
    )
    written = jax.vmap(lambda a: write_action(task, a))(action)
    rows = (seen, written, seen_after - seen, earned, over, cut)
    done = (jnp.where(over, score, 0.0).sum(), over.sum())
    fresh = jax.vmap(task.init)(jax.random.split(again, lanes))
    state = where_rows(over, fresh, after)
    memory = where_rows(over, mpc.begin(lanes), memory)
    return (state, memory, jnp.where(over, 0.0, score), imagined + steps), (rows, *done)


def _choose(
    course: Course,
    mpc: LearnedModelMPC,
    random: Bool[Array, ""],
    state: State,
    memory: MPCMemory,
    keys: tuple[Key[Array, ""], Key[Array, ""]],
) -> tuple[Actions, MPCMemory, Int[Array, ""]]:
    """Actions at random in the beginning, afterwards planned ones with a little noise."""
    traits, explore = course.task.traits, course.settings.explore
    legal = jax.vmap(course.task.legal)(state)
    lanes, (dice, noise) = legal.shape[0], jax.random.split(keys[1])
    if traits.discrete:
        anything = jax.random.categorical(dice, jnp.where(legal, 0.0, -jnp.inf))
    else:
        shape = (lanes, *traits.shape)
        anything = jax.random.uniform(dice, shape, minval=traits.low, maxval=traits.high)

    def planned() -> tuple:
        decision, after = mpc.decide(state, memory, key=keys[0])
        if traits.discrete:
            strays = jax.random.bernoulli(noise, explore, (lanes,))
            action = jnp.where(strays, anything, decision.action)
        else:
            half = (traits.high - traits.low) / 2
            action = decision.action + explore * half * jax.random.normal(noise, anything.shape)
            action = jnp.clip(action, traits.low, traits.high)
        spent = jnp.asarray(decision.spent.model_steps).sum()
        return action.astype(anything.dtype), after, spent.astype(jnp.int32)

    def at_random() -> tuple:
        return anything, MPCMemory(memory.plan, memory.age + 1), jnp.int32(0)

    return jax.lax.cond(random, at_random, planned)
