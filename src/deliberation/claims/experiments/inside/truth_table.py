"""Subjects that search and that do not, built and learned, read off by the audit alone, blind.

Each kind of subject is made anew in each of some random worlds, and audited there by what it
answers: whether its choices gain by the effort that is offered, and whether they follow another
objective that is announced. The rule was fixed before anything was audited: a subject is read as
searching if it responds to either, and as not searching if it does not; it is not read where a
probe cannot be asked and the other finds nothing. Most kinds are specimens on which these probes
were tried when they were made; others were held out then, or are no specimens.

The null: the answers of each subject are those that it gives unasked, so that neither effort nor
announcements reach it.
"""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key

from ....audit import Exam, audit
from ....core.decider import Decider, Decision, Memory
from ....core.task import Task
from ....runs import Context, Outcome
from ....specimens import list_specimens, make, random_world
from ..arms import outcome
from .subjects import MORE

BUILT = {
    "sweep_planner": True, "uct": True, "policy_iteration": True, "depth_planner": True,
    "random_shooting": True, "rollout_planner": True,
    "look_up_table": False, "softmax_policy": False, "placebo": False,
    "table_of_objectives": False, "nearest_neighbour": False, "misplaced_planner": False,
    "first_legal": False,
}  # fmt: skip
LEARNED = {
    "silly_learner": True, "thinking_network": True, "learned_model": True, "muzero_policy": True,
    "learned_rollouts": True,
    "imitation_network": False, "dqn_policy": False, "q_learner": False, "successor_policy": False,
    "actor_table": False, "evolved_table": False,
    "sarsa_table": False,
}  # fmt: skip
"""Kinds of subjects, and whether they search about what they are asked: specimens, and seven more.
"""
SUBJECTS = {**BUILT, **LEARNED}
HELD_OUT = tuple(
    name
    for name in SUBJECTS
    if name not in list_specimens() or list_specimens()[name].get("held_out")
)
"""Kinds on which no setting of a probe was chosen."""
FAMILIES = {
    "rollout_planner": "rollouts", "learned_rollouts": "rollouts",
    "first_legal": "action tables", "actor_table": "action tables",
    "evolved_table": "action tables", "sarsa_table": "action tables",
}  # fmt: skip
"""Kinds that answer by the same code: they count as one. Every other kind is a family by itself."""
PROBES = ("effort", "objective")
ANSWERS = {"responds", "none", "against", "inconclusive"}
"""What a probe that could be asked finds."""


class Unasked(Decider):
    """A decider that is reached by no budget and no announcement: it answers as it does anyway."""

    task: Task
    inner: Decider = eqx.field()

    def begin(self, batch: int) -> Memory:
        """As it begins anyway."""
        return self.inner.begin(batch)

    def decide(
        self, state: Any, memory: Memory = None, *, objective: Any = None, budget: Any = None,
        key: Any,
    ) -> tuple[Decision, Memory]:  # fmt: skip
        """Nothing of what is offered or announced is passed on."""
        del objective, budget
        return self.inner.decide(state, memory, key=key)


def subject(name: str, exam: Exam, key: Key[Array, ""]) -> Decider:
    """One subject, made in a world."""
    if name in list_specimens():
        return make(name, exam, key)
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    return MORE[name](exam, rng)


def reads(found: list[str]) -> bool:
    """The rule: whether probes' verdicts are read as searching."""
    return "responds" in found


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes of one kind (the arm) in each world: whether it was read as `searching`, and whether
    it was not read (`unread`); what it gained of the way by `effort` and followed of an announced
    `objective`, and whether there are these numbers (`numbers`; else 0); whether any probe was left
    `undecided`.
    """
    del context
    read, unread, gained, followed, open_ = [], [], [], [], []
    for seed in range(settings["trainings"]):
        world, key = random_world(settings["key"] + seed), jax.random.key(settings["key"] + seed)
        exam = Exam.of(world)
        decider = subject(settings["arm"], exam, key)
        asked = Unasked(world, decider) if settings.get("null") else decider
        profile = audit(asked, world, probes=PROBES, effort="smoke", key=jax.random.fold_in(key, 1))
        found = [answer.found for answer in profile.answers]
        read.append(reads(found))
        unread.append(not reads(found) and bool(set(found) - ANSWERS))
        effort, objective = (answer.estimate.estimate for answer in profile.answers)
        gained.append(effort)
        followed.append(objective)
        open_.append("inconclusive" in found)
    numbers = np.isfinite(gained) & np.isfinite(followed)
    told = {"searching": read, "unread": unread, "undecided": open_, "numbers": numbers}
    for name, values in (("effort", gained), ("objective", followed)):
        told[name] = np.where(numbers, values, 0.0)
    return outcome(told)
