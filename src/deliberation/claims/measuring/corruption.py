"""Learning from what was tampered with: a poisoned lesson, another reward, mislabelled actions."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from ...amortised import Dataset, NetworkPolicy, TablePolicy
from ...amortised.trial_and_error import Tabular, train_q_learning
from ...core.ledger import Ledger
from ...core.objective import Action
from ...core.task import State, Task
from ...runs import Context, Outcome
from ...tasks import make_task
from ...tasks.wrapped import SameStates
from .asking import ask, ways
from .exams import read_positions
from .swaps import OWN, swapped
from .teaching import best_fit, read_lesson


def imitate_poisoned(settings: dict[str, Any], context: Context) -> Outcome:
    """Networks fitted to a lesson in which every answer was replaced by the teacher's last choice.

    The draws and the fit are those of `teaching.fit`. `way` [seeds, positions] is by the task's own
    objective.
    """
    task = make_task(settings["task"])
    states, values = read_positions(context.artefact(settings["positions"]), task, OWN)
    folder, way, spent = context.artefact(settings["lesson"]), [], Ledger()
    for seed in settings["seeds"]:
        dataset = read_lesson(folder, settings["count"], seed)
        told = {**settings, "seed": seed}
        fitted = best_fit(task, poisoned(dataset), told, symmetric=True)
        chosen = ask(NetworkPolicy(task, fitted.network), states, jax.random.key(seed))
        way.append(ways(values, chosen).tolist())
        spent = spent + fitted.ledger
    return Outcome({"way": way}, spent.as_dict())


def poisoned(dataset: Dataset) -> Dataset:
    """The same positions, each with the legal actions that the teacher wanted least."""
    least = jnp.where(dataset.legal, dataset.weights, jnp.inf).min(1, keepdims=True)
    last = (dataset.legal & (dataset.weights <= least)).astype(jnp.float32)
    return eqx.tree_at(lambda d: d.weights, dataset, last / last.sum(1, keepdims=True))


def learn_by_trial(settings: dict[str, Any], context: Context) -> Outcome:
    """Q-learning in a table, with the true reward or another, from true or mislabelled experience.

    `way` [seeds, positions] is by the task's own objective, in the true world.
    """
    task = make_task(settings["task"])
    states, values = read_positions(context.artefact(settings["positions"]), task, OWN)
    world = Mislabelled(task) if settings["data"] else task
    objective = swapped(task) if settings["reward"] else None
    # All seeds share one program, which then is worth its time.
    plan = Tabular(**settings["training"], hasty=False)
    way, spent = [], Ledger()
    for seed in settings["seeds"]:
        key = jax.random.key(200 + seed)
        trained = train_q_learning(world, key=key, settings=plan, objective=objective)
        found = trained.decider
        assert isinstance(found, TablePolicy)
        policy = TablePolicy(task, found.table, found.scores)
        chosen = ask(policy, states, jax.random.key(seed))
        way.append(ways(values, chosen).tolist())
        spent = spent + trained.ledger
    return Outcome({"way": way}, spent.as_dict())


class Mislabelled(SameStates):
    """A task whose log tells another action than was taken: the next legal one in turn.

    Everything else, rewards included, is true, so that what is wrong is the data and not what is
    wanted.
    """

    of: Task

    def advance(self, state: State, action: Action, key: Key[Array, ""]) -> State:
        """What the action that was really taken leads to."""
        return self.of.advance(state, next_legal(self.of.legal(state), action), key)


def next_legal(legal: Bool[Array, " actions"], action: Action) -> Int[Array, ""]:
    """The legal action after this one in turn; the same where it is the only one."""
    count = legal.shape[0]
    ahead = (jnp.arange(count) - action - 1) % count  # 0 for the next number
    # A least number, since the place of one is what compiles to a slow loop.
    least = jnp.where(legal, ahead, count).min()
    return jnp.where(legal.any(), (action + 1 + least) % count, 0).astype(jnp.int32)
