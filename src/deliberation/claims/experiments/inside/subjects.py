"""Subjects that are no specimens: on none of them was a setting of a probe chosen."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from ....audit import Exam
from ....core.answering import Question
from ....core.decider import Decider
from ....core.objective import Objective
from ....direct import RandomShooting
from ....specimens.coded import Coded, greedy, simulations

STEPS = 300
"""Random steps from which a model is counted: about half of what could be done is not seen."""
MUTATIONS = 600
"""Of a table that is evolved, one at a time."""
EPISODES, LONGEST, RATE, EXPLORED = 1500, 40, 0.2, 0.2
"""Of learning by trial: episodes and their length, learning rate, share of random moves."""
FAR = 16
"""Random moves after which a rollout ends."""


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


class ActionTable(Coded):
    """Takes what its table says."""

    actions: Int[np.ndarray, " states"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The same, whatever is asked."""
        del question, draws
        return self.actions[rows]


def evolved(exam: Exam, rng: np.random.Generator) -> ActionTable:
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
    return ActionTable(exam.task, exam, actions)


class RolloutPlanner(Coded):
    """Tries every move, each followed by as many random plays as it is offered, and takes that with
    the best mean return (Tesauro and Galperin 1996, from a random base policy). What was never
    tried is thought to change nothing.
    """

    tried: Bool[np.ndarray, "states actions"]

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The move after which random play earned most."""
        reached, plays = self.exam.reached, simulations(question, 16)
        rewards = reached.rewards(question.objective)
        discount = float(question.objective.discount)
        found = []
        for row, count, draw in zip(rows, np.maximum(plays, 1), draws, strict=True):
            rng = np.random.default_rng((draw * 2**32).astype(np.uint64))
            legal = np.flatnonzero(reached.legal[row])
            worth = self.played(row, np.repeat(legal, int(count)), rewards, discount, rng)
            found.append(legal[worth.reshape(len(legal), -1).mean(1).argmax()] if len(legal) else 0)
        return np.array(found, int)

    def played(
        self,
        row: int,
        first: Int[np.ndarray, " plays"],
        rewards: Float[np.ndarray, "states actions outcomes"],
        discount: float,
        rng: np.random.Generator,
    ) -> Float[np.ndarray, " plays"]:
        """Discounted returns of plays from one state, each with its first move."""
        reached = self.exam.reached
        at, action = np.full(len(first), row), first
        returns, weight = np.zeros(len(first)), 1.0
        for _ in range(FAR):
            known = self.tried[at, action] & ~reached.terminal[at]
            chances = reached.chances[at, action].cumsum(1)
            drawn = (rng.random(len(at))[:, None] > chances).sum(1).clip(max=chances.shape[1] - 1)
            returns += np.where(known, weight * rewards[at, action, drawn], 0.0)
            at = np.where(known, reached.to[at, action, drawn], at)
            weight *= discount
            action = self.legal_draw(at, rng.random(len(at)))
        return returns


def sarsa(exam: Exam, rng: np.random.Generator) -> ActionTable:
    """What is best by values learned on policy, from episodes that begin anywhere (SARSA)."""
    reached, gamma = exam.reached, float(exam.objective.discount)
    rewards, starts = reached.rewards(exam.objective), np.flatnonzero(reached.legal.any(1))
    values = np.where(reached.legal, 0.0, -np.inf)

    def chosen(state: int) -> int:
        legal = np.flatnonzero(reached.legal[state])
        explores = rng.random() < EXPLORED
        return int(rng.choice(legal)) if explores else int(values[state].argmax())

    for _ in range(EPISODES):
        state = int(rng.choice(starts))
        action = chosen(state)
        for _ in range(LONGEST):
            drawn = rng.choice(reached.chances.shape[2], p=reached.chances[state, action])
            after = int(reached.to[state, action, drawn])
            over = reached.terminal[after] or not reached.legal[after].any()
            onward = 0 if over else chosen(after)
            target = rewards[state, action, drawn] + (0 if over else gamma * values[after, onward])
            values[state, action] += RATE * (target - values[state, action])
            if over:
                break
            state, action = after, onward
    return ActionTable(exam.task, exam, values.argmax(1))


def all_tried(exam: Exam) -> Bool[np.ndarray, "states actions"]:
    """The world as it is."""
    return exam.reached.legal


def seen(exam: Exam, rng: np.random.Generator) -> Bool[np.ndarray, "states actions"]:
    """What random steps have tried."""
    tried = np.zeros(exam.reached.legal.shape, bool)
    tried[tuple(rng.integers(0, size, STEPS) for size in tried.shape)] = True
    return tried


MORE: dict[str, Callable[[Exam, np.random.Generator], Decider]] = {
    "rollout_planner": lambda exam, rng: RolloutPlanner(exam.task, exam, all_tried(exam)),
    "learned_rollouts": lambda exam, rng: RolloutPlanner(exam.task, exam, seen(exam, rng)),
    "learned_model": lambda exam, rng: LearnedModel(exam.task, exam, seen(exam, rng)),
    "first_legal": lambda exam, rng: ActionTable(exam.task, exam, exam.reached.legal.argmax(1)),
    "evolved_table": evolved,
    "sarsa_table": sarsa,
    "random_shooting": lambda exam, rng: RandomShooting(exam.task, horizon=8, budget=64),
}
"""How each is made in a world."""
