"""Goal-directedness on CliffWorld: the more often a policy errs, the less it has of it."""

import numpy as np
from jaxtyping import Array, Key

from deliberation.audit.goal_directedness import goal_directedness
from deliberation.direct import enumerate_states, value_iteration
from deliberation.direct.exact.dynamic_programming import best_policy
from deliberation.stats import Estimate
from deliberation.tasks.arrays import from_arrays

from . import Row

REPRODUCTION = {
    "name": "goal_directedness",
    "title": "Goal-directedness on CliffWorld",
    "source": "MacDermott et al. 2024",
    "published": "It falls with epsilon for an epsilon-greedy optimal policy and is nothing for an "
    "even one; it is the same under U -> a U + b, a != 0.",
    "tolerance": "Every step down (above 0); 1e-3 nats for what is nothing or the same.",
    "by_construction": {
        "nats a decision, epsilon 1": "by its definition it is nothing for even choices",
        "the same by rewards times *": "a scale of rewards is one of beta, over which the greatest "
        "is taken",
    },
}
ROWS, COLUMNS, DISCOUNT = 4, 12, 0.95
EPSILONS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def cliff_world(scale: float = 1.0):
    """Sutton and Barto's cliff, 4 by 12: -1 a step, -100 and back to the start for falling."""
    cells = ROWS * COLUMNS
    moves, rewards = np.zeros((cells, 4, cells)), np.full((cells, 4), -1.0)
    start, goal = (ROWS - 1) * COLUMNS, cells - 1
    for cell in range(cells):
        row, column = divmod(cell, COLUMNS)
        for action, (down, right) in enumerate(MOVES):
            r = min(max(row + down, 0), ROWS - 1)
            c = min(max(column + right, 0), COLUMNS - 1)
            after = r * COLUMNS + c
            if r == ROWS - 1 and 0 < c < COLUMNS - 1:
                after, rewards[cell, action] = start, -100.0
            moves[cell, action, after] = 1
    moves[goal], rewards[goal] = np.eye(cells)[goal], 0.0
    return from_arrays(moves, scale * rewards, start=start, gamma=DISCOUNT)


def measured(epsilon: float, scale: float = 1.0):
    """Of the best policy, which errs evenly with chance epsilon; by rewards times a scale."""
    own, task = cliff_world(), cliff_world(scale)
    reached = enumerate_states(task)
    table = value_iteration(enumerate_states(own))
    best = best_policy(table.action_values)
    legal = reached.legal
    even = legal / np.maximum(legal.sum(1, keepdims=True), 1)
    policy = (1 - epsilon) * best + epsilon * even
    values = value_iteration(reached, task.objective).action_values
    return goal_directedness(reached, task.objective, policy, values)


def reproduce(effort: str, key: Key[Array, ""]) -> list[Row]:
    """Exact; nats a decision, so that longer episodes do not count for more."""
    del effort, key
    found = [measured(epsilon) for epsilon in EPSILONS]
    rows = []
    for (a, one), (b, other) in zip(
        list(zip(EPSILONS, found, strict=True))[:-1],
        list(zip(EPSILONS, found, strict=True))[1:],
        strict=True,
    ):
        at = one.each - other.each
        rows.append(
            Row(f"nats a decision, epsilon {a:g} less {b:g}", None, Estimate(at, at, at, 0), 1e-6)
        )
    last = found[-1].each
    rows.append(Row("nats a decision, epsilon 1", 0.0, Estimate(last, last, last, 0), -1e-3, 1e-3))
    for scale in (5.0, -1.0):
        at = measured(0.2, scale).each - found[2].each
        rows.append(
            Row(f"the same by rewards times {scale:g}, less by these", 0.0,
                Estimate(at, at, at, 0), -1e-3, 1e-3)
        )  # fmt: skip
    return rows
