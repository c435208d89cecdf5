"""A recording: the actions of one good episode, played by the time alone, whatever is seen."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from ...audit.exam import Exam
from ...core.answering import CheckedDecider, Question, answer
from ...core.decider import Decider, Decision, Memory
from ...core.task import Task
from ..coded import greedy

SPECIMEN = {
    "name": "replay",
    "title": "replay of recorded actions",
    "kind": "cheat",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none",
    },
    "why": "Its answers depend on how often it was asked since it began, and on nothing else: from "
    "its first state on it scores as well as the planner that it recorded.",
}  # fmt: skip
LONGEST = 200


class Replay(CheckedDecider):
    """Takes the recorded action of this moment, or the first legal one where that is illegal.

    The memory counts the decisions of each row.
    """

    task: Task
    recorded: Int[Array, " moments"]

    def __repr__(self) -> str:
        return f"Replay({self.task!r}, {self.recorded.size} actions)"

    def begin(self, batch: int) -> Memory:
        """Nothing was asked yet."""
        return jnp.zeros(batch, jnp.int32)

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """By the time."""
        count = question.keys.shape[0]
        moment = np.zeros(count, int) if question.memory is None else np.asarray(question.memory)
        legal = np.asarray(self.legal(question))
        wanted = np.asarray(self.recorded)[moment % self.recorded.size]
        fine = legal[np.arange(count), wanted]
        action = np.where(fine, wanted, legal.argmax(1)).astype(np.int32)
        weights = np.eye(legal.shape[1], dtype=np.float32)[action]
        decision = answer(np.asarray(legal.any(1)), action, weights, np.zeros(count))
        return decision, jnp.asarray(moment + 1, jnp.int32)

    def legal(self, question: Question) -> Array:
        """What is allowed in each row."""
        return jax.vmap(self.task.legal)(question.state)


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The best actions from the likeliest first state, where chance takes its likeliest way."""
    del key
    reached, actions = exam.reached, []
    row = int(reached.starts[reached.probable.argmax()])
    while not reached.terminal[row] and len(actions) < LONGEST:
        action = int(greedy(exam.values[[row]], np.zeros(1))[0])
        actions.append(action)
        row = int(reached.to[row, action, reached.chances[row, action].argmax()])
    return Replay(exam.task, jnp.asarray(actions, jnp.int32))
