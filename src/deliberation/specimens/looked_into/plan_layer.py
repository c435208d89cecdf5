"""A network whose layer holds the action that it will do two steps on, and which acts by it."""

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Key

from ...adapters import JaxPolicy, from_equinox, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ..networks import World, by_number, made_once, world

SPECIMEN = {
    "name": "plan_layer",
    "title": "network that acts by a later action in a layer",
    "kind": "amortised",
    "answers": {"activations": "responds"},
    "why": "Another later action in its layer makes it choose what leads there, where anything "
    "does.",
}


class Table(eqx.Module):
    """One row of a table for each thing that is seen, one-hot."""

    rows: Float[Array, "seen numbers"]

    def __call__(self, seen: Float[Array, " seen"]) -> Float[Array, " numbers"]:
        """The row of what is seen."""
        return seen @ self.rows


class Acting(eqx.Module):
    """What is done in each state by each later action that is meant."""

    scores: Float[Array, "states later actions"]

    def __call__(self, layer: Float[Array, " units"]) -> Float[Array, " actions"]:
        """The layer holds the state first, then what is meant."""
        states = self.scores.shape[0]
        acting = (layer[:states, None, None] * self.scores).sum(0)
        return layer[states:] @ acting


class Planning(eqx.Module):
    """A table, and what is done by its row."""

    plan: Table
    act: Acting

    def __call__(self, seen: Float[Array, " seen"]) -> Float[Array, " actions"]:
        """Scores of the actions."""
        return self.act(self.plan(seen))


def leading(known: World) -> Float[np.ndarray, "states later actions"]:
    """Scores of the actions by the later action that is meant: what leads there, or the best."""
    states, actions = known.leads.shape
    found = np.zeros((states, actions, actions))
    found[known.rows, :, known.best] = 0.5
    for action in range(actions):
        later = known.best[known.after(known.leads[:, action])]
        found[known.rows, later, action] += 1.0
    found[known.rows, known.best[known.after(known.rows, 2)], known.best] += 1.0
    return found


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> JaxPolicy:
    """Written down from the best actions."""
    del key
    known = world(exam)
    actions = exam.values.shape[1]
    later = np.eye(actions)[known.best[known.after(known.rows, 2)]]
    number = np.eye(known.seen.shape[1])[known.seen.argmax(1)]
    plan = Table(by_number(exam, np.concatenate([number, later], 1)))
    return from_equinox(Planning(plan, Acting(by_number(exam, leading(known)))), exam.task)


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
