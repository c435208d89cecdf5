"""The most that one seat of a small game can win from an opponent at random.

Minimax answers what can be secured against the best reply; a score against random play is measured
against this instead. It is exact: a random opponent is chance, so that what is left is a decision
process of one player, solved backwards (Bellman 1957).
"""

import numpy as np

from ...core.errors import TooLargeError, UnsuitableTaskError
from ...core.objective import Objective
from ...core.task import Task
from .best_replies import list_histories
from .plies import Graph, enumerate_plies


def return_against_random(
    task: Task, objective: Objective | None = None, *, max_states: int = 300_000
) -> tuple[float, float] | None:
    """The best expected return of either seat where the other draws evenly from legal actions.

    Where cards are hidden, that of a player who remembers all it saw. None where it cannot be had
    by listing the game: one player, continuous actions, dice or several first states in open play,
    chance that is not listed, or more than `max_states` states (histories, where cards are hidden).
    """
    traits = task.traits
    if traits.players != 2 or not traits.discrete:
        return None
    objective = task.objective if objective is None else objective
    try:
        if traits.deterministic and traits.fully_observable:
            graph = enumerate_plies(task, objective, None, max_states, 2**31)
            if graph.offsets[1] > 1:
                return None
            discount = float(objective.discount)
            return _seat(graph, discount, 0), _seat(graph, discount, 1)
        listed = task.starts() is not None and (traits.deterministic or traits.outcomes > 0)
        if traits.fully_observable or not listed:
            return None
        tree = list_histories(task, objective, max_histories=max_states)
    except (TooLargeError, UnsuitableTaskError):
        return None
    return tree.best_reply(tree.uniform(), 0), tree.best_reply(tree.uniform(), 1)


def _seat(graph: Graph, discount: float, seat: int) -> float:
    """Backwards from the end: the seat takes its best action, the other the mean of its actions."""
    sign = 1.0 if seat == 0 else -1.0
    values = np.zeros(len(graph.player))
    for layer in reversed(graph.layers()):
        legal = graph.legal(layer)
        gains = sign * graph.rewards[layer] + discount * graph.expected(layer, values)
        best = np.where(legal, gains, -np.inf).max(1)
        mean = np.where(legal, gains, 0.0).sum(1) / np.maximum(legal.sum(1), 1)
        found = np.where(graph.player[layer] == seat, best, mean)
        values[layer] = np.where(graph.terminal[layer], 0.0, found)
    return float(values[0])
