"""The rows of the comparison table, in the order of the sources, and what these say of each side.

Source: the table of "Deconfusing Direct vs Amortised Optimisation" as distilled in the sources.
"""

from typing import NamedTuple


class Aspect(NamedTuple):
    """A row of the table: its title, and what is said of direct and of amortised optimisation."""

    title: str
    direct: str
    amortised: str


_TABLE = """
problem_solving | Problem solving
  | Computes optimal responses on the fly. | Evaluates the learned function on the given input.
computation | Computational approach
  | Searches through a solution space. | Learns a function approximator.
runtime_cost | Runtime cost
  | Higher: an in-depth search for each answer. | Lower: one forward pass.
scalability | Scalability with compute
  | By expanding the search depth. | By better approximating the posterior.
convergence | Convergence
  | To the argmax of the objective. | To the best description of the training data.
performance | Performance
  | More favourable in simple domains. | More favourable in rich domains.
data_efficiency | Data efficiency
  | Little data: the rules suffice. | Requires (much) more data.
generalisation | Generalisation
  | Depends on search depth and compute. | Depends on the approximator and its training data.
alignment | Alignment focus
  | Safe design of the reward function. | Design of reward function and dataset.
out_of_distribution | Out-of-distribution behaviour
  | Can diverge arbitrarily from previous behaviour.
  | Constrained by the learned function approximator.
examples | Examples
  | AIXI, MCTS, model-based RL. | Supervised learning, model-free RL, GPT models.
"""
"""A row's name, its title, and what is said of each side."""


def _read(table: str) -> dict[str, Aspect]:
    rows = table.strip().replace("\n  |", " |").splitlines()
    parts = ([part.strip() for part in row.split("|")] for row in rows)
    return {name: Aspect(*said) for name, *said in parts}


ASPECTS = _read(_TABLE)
COMMENTARY = "commentary"
"""Claims of the text beneath the table."""

ORDER = {name: place for place, name in enumerate([*ASPECTS, COMMENTARY])}
