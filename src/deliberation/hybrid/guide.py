"""What lets a search see a network: the one place where both sides meet."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ..amortised.networks import Network, flops
from ..core.noise import Seed
from ..core.objective import Objective
from ..core.task import State, Task
from ..direct.evaluators import Evaluation, Evaluator, playout


class NetworkGuide(Evaluator):
    """Prior and value from one forward pass of a network (Silver et al. 2017).

    `rollouts` random playouts may be averaged with the network's value, as in AlphaGo (Silver et
    al. 2016, with lambda = 1/2). The network was trained for one objective and is deaf to others.
    """

    network: Network
    rollouts: int = eqx.field(static=True, default=0)
    has_prior: bool = eqx.field(static=True, default=True)
    passes: int = eqx.field(static=True, default=1)

    @property
    def flops(self) -> float:  # type: ignore[override]
        """Those of one forward pass."""
        return flops(self.network)

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
    ) -> Evaluation:
        """One forward pass for each row, and playouts if asked."""
        logits, value = jax.vmap(self.network)(jax.vmap(task.observe)(state))
        steps = jnp.zeros(live.shape, jnp.int32)
        if self.rollouts:
            total = jnp.zeros(live.shape)
            for i in range(self.rollouts):
                gain, plies = playout(task, objective, state, live, seed + jnp.uint32(i))
                total, steps = total + gain, steps + plies
            mean = jnp.where(jax.vmap(task.player)(state) == 0, total, -total) / self.rollouts
            value = (value + mean) / 2
        return Evaluation(logits, value, steps)
