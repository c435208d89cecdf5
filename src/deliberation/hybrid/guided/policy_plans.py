"""A planner over action sequences that begins from a policy: the policy proposes the plans.

Tschantz et al. 2020, "Control as hybrid inference", start the planner's sampling distribution from
an amortised policy; Hansen et al. 2024 (TD-MPC2) put 24 trajectories of the policy among the
candidates. Both are done here: the policy's own plan is the mean, drawn ones are tried as they are.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ...amortised.networks.feed_forward import Network
from ...amortised.networks.gaussian import GaussianNetwork
from ...amortised.policies.gaussian import scaled
from ...core.objective import Action
from ...core.task import State, Task
from ...direct.control.plans import PlanProposals, ProposedPlans, Spent, choose, is_dead_end


class PolicyPlans(PlanProposals):
    """Proposes what a policy would do: its network rolled out through the planner's model.

    The first plan follows the policy's mean (discrete actions: its likeliest), and is the mean that
    the planner begins from; the others are drawn from the policy. `plans` is how many at most; they
    take at most half of a decision's simulations. `spread` is the standard deviation that the
    planner begins with around the mean, in units of half the range of actions, None for its own.
    A network with logits serves discrete actions, a `GaussianNetwork` continuous ones.
    """

    network: Network | GaussianNetwork
    plans: int = eqx.field(static=True, default=8)
    spread: float | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        if self.plans < 1 or (self.spread is not None and not self.spread > 0):
            raise ValueError(
                f"A policy proposes at least one plan, with a spread above 0 or None; got "
                f"plans={self.plans}, spread={self.spread}."
            )

    @property
    def flops(self) -> float:
        """Those of one forward pass."""
        return 2.0 * self.network.multiply_adds

    def act(self, task: Task, state: State) -> tuple[Float[Array, "..."], Spent]:
        """What the policy answers by itself: one forward pass."""
        written = self._written(task, state, None)
        spent = Spent(
            jnp.int32(0), jnp.int32(0), jnp.int32(1), jnp.float32(self.flops), jnp.bool_(False)
        )
        return written, spent

    def propose(
        self, task: Task, state: State, horizon: int, count: Int[Array, ""], key: Key[Array, ""]
    ) -> ProposedPlans:
        """Roll the policy out `count` times; a simulation each, a forward pass each step."""

        def roll(place: Array, key: Key[Array, ""]) -> tuple[Array, Array, Array]:
            def step(now: State, keys: Key[Array, " 2"]) -> tuple[State, tuple]:
                stuck = is_dead_end(task, now)
                over = task.terminated(now) | stuck
                noise = jnp.where(place == 0, 0.0, 1.0)
                written = self._written(task, now, keys[0], noise)
                action: Action = choose(task, now, written)
                after = task.advance(now, action, keys[1])
                kept = jax.tree.map(lambda x, y: jnp.where(over, x, y), now, after)
                return kept, (written, ~over, stuck)

            keys = jax.random.split(key, (horizon, 2))
            written, live, stuck = jax.lax.scan(step, state, keys)[1]
            return written, live.sum(), stuck.any()

        places = jnp.arange(self.plans)
        rolled, steps, stuck = jax.vmap(roll)(places, jax.random.split(key, self.plans))
        taken = jnp.where(places < count, steps, 0).sum().astype(jnp.int32)
        stuck = (stuck & (places < count)).any()
        spent = Spent(count.astype(jnp.int32), taken, taken, taken * jnp.float32(self.flops), stuck)
        spread = jnp.float32(jnp.nan if self.spread is None else self.spread)
        return ProposedPlans(rolled[0], spread, rolled[1:] if self.plans > 1 else rolled, spent)

    def _written(
        self,
        task: Task,
        state: State,
        key: Key[Array, ""] | None,
        noise: Float[Array, ""] | float = 0.0,
    ) -> Float[Array, "..."]:
        """One step of a plan: an action or a score for each, with so much of the noise."""
        seen = task.observe(state).astype(jnp.float32)
        if isinstance(self.network, GaussianNetwork):
            mean, log_sd, _ = self.network(seen)
            if key is not None:
                mean = mean + noise * jnp.exp(log_sd) * jax.random.normal(key, mean.shape)
            return scaled(task.traits, mean[None])[0]
        logits = jax.nn.log_softmax(self.network(seen)[0])
        return logits if key is None else logits + noise * jax.random.gumbel(key, logits.shape)
