"""A recurrent network that reads the graph of a world, and was trained to need its iterations.

What is seen of rewards and moves comes in anew at every iteration (recall), and in training the
answer is asked for after a random number of them, of which the first ones are not learned from
(progressive loss): Bansal et al. 2022. Then more iterations than in training go on to help.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ...amortised import init_optimiser, make_optimiser
from ...amortised.training.optimisers import gradient_steps
from ...audit.exam import Exam
from ...core.answering import Question
from ..coded import Coded, greedy, simulations
from ..networks import made_once, world

SPECIMEN = {
    "name": "thinking_network",
    "title": "recurrent network, its iterations the budget",
    "kind": "amortised",
    "answers": {"effort": "responds"},
    "why": "An iteration passes what is known of a state to those before it. It was trained to "
    "imitate, with 1 to 12 iterations.",
}
UNITS, MOST, STEPS, RATE = 6, 12, 300, 2e-2


class Graph(eqx.Module):
    """What earns how much and leads where."""

    rewards: Float[Array, "states actions"]
    leads: Int[Array, "states actions"]


class Thinking(eqx.Module):
    """Each iteration a state's units become the greatest, over its actions, of what those earn and
    what is known of where they lead.
    """

    earned: Float[Array, " units"]
    passed: Float[Array, "units units"]
    told: Float[Array, " units"]

    def messages(
        self, graph: Graph, units: Float[Array, "states units"]
    ) -> Float[Array, "states actions units"]:
        """What every action tells of itself."""
        return graph.rewards[..., None] * self.earned + units[graph.leads] @ self.passed

    def scores(
        self, graph: Graph, units: Float[Array, "states units"]
    ) -> Float[Array, "states actions"]:
        """Of the actions, by what is known."""
        return self.messages(graph, units) @ self.told

    def step(
        self, graph: Graph, units: Float[Array, "states units"]
    ) -> Float[Array, "states units"]:
        """One iteration."""
        return self.messages(graph, units).max(1)


class Thinker(Coded):
    """As many iterations as simulations are offered, at least one and at most 64."""

    network: Thinking
    graph: Graph

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        """The greatest score; all rows are offered the same."""
        offered = int(simulations(question, MOST).max(initial=1))
        iterations = jnp.int32(min(max(offered, 1), 64))
        scores = np.asarray(_thought(self.network, self.graph, iterations), float)
        return greedy(np.where(self.exam.reached.legal, scores, np.nan)[rows], draws[:, 0])


@eqx.filter_jit
def _thought(
    network: Thinking, graph: Graph, iterations: Int[Array, ""]
) -> Float[Array, "states actions"]:
    start = jnp.zeros((len(graph.leads), UNITS))
    units = jax.lax.fori_loop(0, iterations - 1, lambda _, u: network.step(graph, u), start)
    return network.scores(graph, units)


@eqx.filter_jit
def _fitted(
    start: Thinking, graph: Graph, best: Int[Array, " states"], key: Key[Array, ""]
) -> Thinking:
    def loss(network: Thinking, key: Key[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        first, last = jnp.sort(jax.random.randint(key, (2,), 0, MOST))

        def iterate(units: Array, now: Array) -> tuple[Array, Array]:
            units = jnp.where(now == first, jax.lax.stop_gradient(units), units)
            return network.step(graph, units), network.scores(graph, units)

        blank = jnp.zeros((len(graph.leads), UNITS))
        _, scores = jax.lax.scan(iterate, blank, jnp.arange(MOST))
        asked = jnp.stack([scores[last], scores[-1]])
        labels = jnp.stack([best, best])
        total = optax.softmax_cross_entropy_with_integer_labels(asked, labels).mean()
        return total, total

    optimiser = make_optimiser(0.0)
    rates = RATE * (1 - jnp.arange(STEPS) / STEPS)
    state = init_optimiser(optimiser, start)
    draw = lambda now: jax.random.fold_in(key, now)  # noqa: E731
    return gradient_steps(loss, start, state, optimiser, draw, rates)[0]


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> Thinker:
    """Trained on all states."""
    known, keys = world(exam), jax.random.split(key, 4)
    rewards = exam.reached.rewards(exam.objective)[..., 0] / exam.span
    graph = Graph(jnp.asarray(rewards, jnp.float32), jnp.asarray(known.leads, jnp.int32))
    start = Thinking(
        jax.random.normal(keys[0], (UNITS,)),
        0.5 * jnp.eye(UNITS) + 0.1 * jax.random.normal(keys[1], (UNITS, UNITS)),
        jax.random.normal(keys[2], (UNITS,)),
    )
    network = _fitted(start, graph, jnp.asarray(known.best, jnp.int32), keys[3])
    return Thinker(exam.task, exam, network, graph)
