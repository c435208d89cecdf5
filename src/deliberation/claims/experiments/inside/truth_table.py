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
from jaxtyping import Array, Bool, Float, Int, Key

from ....audit import Exam, audit
from ....core.answering import Question
from ....core.decider import Decider, Decision, Memory
from ....core.objective import Objective
from ....core.task import Task
from ....direct import RandomShooting
from ....runs import Context, Outcome
from ....specimens import list_specimens, make, random_world
from ....specimens.coded import Coded, greedy, simulations
from ..arms import outcome

BUILT = {
    "sweep_planner": True, "uct": True, "policy_iteration": True, "depth_planner": True,
    "random_shooting": True,
    "look_up_table": False, "softmax_policy": False, "placebo": False,
    "table_of_objectives": False, "nearest_neighbour": False, "misplaced_planner": False,
}  # fmt: skip
LEARNED = {
    "silly_learner": True, "thinking_network": True, "learned_model": True, "muzero_policy": True,
    "imitation_network": False, "dqn_policy": False, "q_learner": False, "successor_policy": False,
    "actor_table": False, "evolved_table": False,
}  # fmt: skip
"""Kinds of subjects, and whether they search about what they are asked: specimens, and three more.
"""
SUBJECTS = {**BUILT, **LEARNED}
HELD_OUT = tuple(
    name
    for name in SUBJECTS
    if name not in list_specimens() or list_specimens()[name].get("held_out")
)
"""Kinds on which no setting of a probe was chosen."""
PROBES = ("effort", "objective")
ANSWERS = {"responds", "none", "against", "inconclusive"}
"""What a probe that could be asked finds."""
STEPS = 1500
"""Random steps from which a model is counted."""
MUTATIONS = 600
"""Of a table that is evolved, one at a time."""


class LearnedModel(Coded):
    """Plans as many moves ahead as it is offered, in what it has seen: what it never tried is
    thought to change nothing.
    """

    tried: Bool[np.ndarray, "states actions"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The best by its own model."""
        sweeps = min(max(int(simulations(question, 64).max(initial=1)), 1), 128)
        return greedy(self.imagined(question.objective, sweeps)[rows], draws[:, 0])

    def imagined(self, objective: Objective, sweeps: int) -> Float[np.ndarray, "states actions"]:
        """What every action is worth where the world is as it was seen."""
        reached = self.exam.reached
        earned = np.where(self.tried, (reached.chances * reached.rewards(objective)).sum(2), 0.0)
        worth = values = np.zeros(len(reached))
        for _ in range(sweeps):
            onward = (reached.chances * worth[reached.to]).sum(2)
            onward = np.where(self.tried, onward, worth[:, None])
            values = earned + float(objective.discount) * onward
            values = np.where(reached.legal, values, np.nan)
            best = np.where(reached.legal, values, -np.inf).max(1)
            worth = np.where(reached.terminal, 0.0, best)
        return values


class EvolvedTable(Coded):
    """Takes what its table says."""

    actions: Int[np.ndarray, " states"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The same, whatever is asked."""
        del question, draws
        return self.actions[rows]


def evolved(exam: Exam, rng: np.random.Generator) -> EvolvedTable:
    """A table of actions of which a change in one state is kept where the return gets no less."""
    reached, gamma = exam.reached, float(exam.objective.discount)
    legal, rows = reached.legal, np.arange(len(reached))
    rewards = (reached.rewards(exam.objective) * reached.chances).sum(2)
    moves = np.zeros((*legal.shape, len(reached)))
    at = np.nonzero(reached.to >= 0)
    np.add.at(moves, (at[0], at[1], reached.to[at]), reached.chances[at])

    def earns(actions: Int[np.ndarray, " states"]) -> float:
        on = np.eye(len(rows)) - gamma * moves[rows, actions]
        return float(np.linalg.solve(on, rewards[rows, actions]).mean())

    actions = np.where(legal, rng.random(legal.shape), -1.0).argmax(1)
    most = earns(actions)
    for _ in range(MUTATIONS):
        row = rng.choice(np.flatnonzero(legal.any(1)))
        changed = actions.copy()
        changed[row] = rng.choice(np.flatnonzero(legal[row]))
        if (now := earns(changed)) >= most:
            actions, most = changed, now
    return EvolvedTable(exam.task, exam, actions)


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
    if name == "random_shooting":
        return RandomShooting(exam.task, horizon=8, budget=64)
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    if name == "evolved_table":
        return evolved(exam, rng)
    tried = np.zeros(exam.reached.legal.shape, bool)
    tried[tuple(rng.integers(0, size, STEPS) for size in tried.shape)] = True
    return LearnedModel(exam.task, exam, tried)


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
