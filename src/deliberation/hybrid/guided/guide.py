"""What lets a search see a network: the one place where both sides meet."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...amortised.networks.feed_forward import Network, flops
from ...core.noise import Seed
from ...core.objective import Objective
from ...core.task import State, Task
from ...direct.evaluators import Evaluation, Evaluator
from ...direct.playouts import of_player, random_playouts

_GRID = 2.0**12


class NetworkGuide(Evaluator):
    """Prior and value from forward passes of a network (Silver et al. 2017).

    `rollouts` random playouts are averaged with the network's value, as in AlphaGo (Silver et al.
    2016, with lambda = 1/2). With `symmetries`, the answer is the mean over the task's symmetries,
    one forward pass each; build it by `NetworkGuide.of`, which counts them. The network was trained
    for one objective and ignores others: only the playouts follow another one.
    """

    plays_on: ClassVar[bool] = True
    network: Network
    rollouts: int = eqx.field(static=True, default=0)
    symmetries: bool = eqx.field(static=True, default=False)
    passes: int = eqx.field(static=True, default=1)
    has_prior: bool = eqx.field(static=True, default=True)

    @staticmethod
    def of(
        task: Task, network: Network, *, rollouts: int = 0, symmetries: bool = False
    ) -> "NetworkGuide":
        """A guide for a task, which says how many forward passes a judgement will take."""
        if rollouts < 0:
            raise ValueError(f"A guide cannot play {rollouts} random playouts; give 0 or more.")
        passes = 1 + len(task.symmetries) * symmetries
        return NetworkGuide(  # type: ignore[call-arg]  # flops is a property here
            network=network, rollouts=rollouts, symmetries=symmetries, passes=passes
        )

    @property
    def flops(self) -> float:  # type: ignore[override]
        """Those of all forward passes of one judgement."""
        return flops(self.network) * self.passes

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
        left: Int[Array, " batch"] | None = None,
    ) -> Evaluation:
        """Judge every row; playouts, if asked for, count as model steps."""
        logits, value = self._look(task, jax.vmap(task.observe)(state))
        steps, stuck = jnp.zeros(live.shape, jnp.int32), None
        if self.rollouts:
            found = random_playouts(task, objective, state, live, seed, self.rollouts, left)
            mean, steps = of_player(found.returns, jax.vmap(task.player)(state)), found.steps
            value = (value + mean) / 2
            stuck = found.stuck
        return Evaluation(logits, value, steps, stuck=stuck)

    def _look(
        self, task: Task, observations: Float[Array, "batch ..."]
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        """The network's answer, averaged over the images of the observation if asked for."""
        logits, value = jax.vmap(self.network)(observations)
        if not self.symmetries:
            return logits, value
        for symmetry in task.symmetries:
            seen, worth = jax.vmap(self.network)(jax.vmap(symmetry.observation)(observations))
            # The logit of action a lies where the image of a lies.
            logits, value = logits + seen[:, np.asarray(symmetry.actions)], value + worth
        # Images of one action tie but for rounding, which depends on the size of the batch: on a
        # grid the tie is exact, and is broken by the search's own seed.
        return _on_grid(logits / self.passes), _on_grid(value / self.passes)


def _on_grid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.round(x * _GRID) / _GRID
