"""The functions that users of mctx write, as models of the engine."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import ContractError
from ...core.keys import is_key
from ...core.noise import Seed
from ...core.rows import beside
from ..tree_search.models.base import Model, Step
from ..tree_search.round import Leaves
from .keys import at
from .rules import Selection
from .types import RecurrentFn, RecurrentFnOutput, StochasticRecurrentState


class Constants(eqx.Module):
    """What is the same in every answer: worked out once, not in every round of the loop."""

    none: Int[Array, " batch"]
    no: Bool[Array, " batch"]
    sign: Float[Array, " batch"]

    @staticmethod
    def of(batch: int) -> "Constants":
        """For so many rows."""
        made = (jnp.zeros(batch, jnp.int32), jnp.zeros(batch, bool), jnp.ones(batch))
        return Constants(*jax.lax.optimization_barrier(made))


class RecurrentModel(Model):
    """A recurrent function and what it was given, as a model of the engine.

    Nodes keep the embedding and the logits as the function gave them; the tree's own logits are
    what the rule makes of them (`kept`). No state is terminal and every mover is the same: the
    function's discounts say what ends and who moves.
    """

    params: Any
    recurrent_fn: RecurrentFn = eqx.field(static=True)
    rule: Selection
    expand: Any
    """The function's key for each simulation."""
    constants: Constants
    depth: int | Int[Array, ""]
    chances: bool = eqx.field(static=True)
    """Whether decisions and chance alternate, as the embedding tells."""
    width: int = eqx.field(static=True)

    @property
    def actions(self) -> int:
        """A node has a slot for each action, and after those for each outcome of chance."""
        return self.width

    @property
    def horizon(self) -> int | Int[Array, ""]:
        """mctx's `max_depth`."""
        return self.depth

    @property
    def bounds(self) -> tuple[float, float]:
        """Nothing is known of returns."""
        return -jnp.inf, jnp.inf

    def root(self, state: Any, seed: Seed, evaluate: bool) -> Step:
        """The roots, of which everything is given: `state` is a `RootFnOutput`."""
        del seed, evaluate
        fixed, logits = self.constants, state.prior_logits
        kept = self.rule.kept(logits, fixed.no)
        kept = self.rule.without_invalid(kept)
        zeros = jnp.zeros_like(state.value)
        return self._step((state.embedding, logits), zeros, zeros, state.value, kept, None)

    def step(self, leaves: Leaves) -> Step:
        """Ask the function, and hold the answer to its shapes."""
        embedding, logits = leaves.state
        key, batch = at(self.expand, leaves.number), leaves.action.shape[0]
        answer, after = self.recurrent_fn(self.params, key, leaves.action, embedding)
        after = _like(after, embedding)
        reward, discount, value, given = (
            _number(getattr(answer, name), name, shape)
            for name, shape in (
                ("reward", (batch,)), ("discount", (batch,)), ("value", (batch,)),
                ("prior_logits", logits.shape),
            )
        )  # fmt: skip
        chance = ~after.is_decision_node if self.chances else self.constants.no
        kept = self.rule.kept(given, chance)
        return self._step((after, given), reward, discount, value, kept, chance)

    def _step(
        self, state: Any, reward: Array, discount: Array, value: Array, logits: Array,
        chance: Bool[Array, " lanes"] | None,
    ) -> Step:  # fmt: skip
        c = self.constants
        return Step(
            state, reward, discount, value, logits, c.sign, c.no, chance, c.none, c.none,
            faults=c.none, stuck=c.no,
        )  # fmt: skip


def _number(x: Any, name: str, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """One of the model's answers in single precision, if it has the right shape."""
    found = jnp.shape(x)
    if found != shape:
        raise ContractError(
            f"The model's {name} must have shape {list(shape)}, one row for each of the batch; got "
            f"{list(found)}."
        )
    return jnp.asarray(x).astype(jnp.float32)


def _like(new: Any, old: Any) -> Any:
    """The new embedding, if it is of the same kind as the one it follows."""
    if jax.tree.structure(new) != jax.tree.structure(old):
        raise ContractError(
            f"The model's new embedding must have the structure of the old one, "
            f"{jax.tree.structure(old)}; got {jax.tree.structure(new)}."
        )

    def check(path: Any, a: Any, b: Any) -> Array:
        a = jnp.asarray(a)
        keys = is_key(a) or is_key(b)
        fits = a.dtype == b.dtype if keys else jnp.can_cast(a.dtype, b.dtype, "same_kind")
        if a.shape != b.shape or not fits:
            raise ContractError(
                f"The model's new embedding{jax.tree_util.keystr(path)} must be {b.dtype}"
                f"{list(b.shape)} as the old one; got {a.dtype}{list(a.shape)}."
            )
        return a if keys else a.astype(b.dtype)

    return jax.tree_util.tree_map_with_path(check, new, old)


def alternating(decision_fn: RecurrentFn, chance_fn: RecurrentFn, actions: int) -> RecurrentFn:
    """One recurrent function of two: both are asked, and the kind of node says which is heard."""

    def recurrent_fn(params: Any, key: Any, action: Any, state: Any) -> tuple[Any, Any]:
        deciding = state.is_decision_node
        acted, after = decision_fn(params, key, action, state.state_embedding)
        lucky, next_state = chance_fn(params, key, action - actions, state.afterstate_embedding)
        batch, outcomes = jnp.shape(acted.chance_logits)
        told = {
            "reward": (jnp.zeros(batch), lucky.reward),
            "discount": (jnp.ones(batch), lucky.discount),
            "value": (acted.afterstate_value, lucky.value),
            "prior_logits": (
                jnp.pad(acted.chance_logits, ((0, 0), (actions, 0)), constant_values=-jnp.inf),
                jnp.pad(lucky.action_logits, ((0, 0), (0, outcomes)), constant_values=-jnp.inf),
            ),
        }
        heard = {name: jnp.where(beside(deciding, a), a, b) for name, (a, b) in told.items()}
        new = StochasticRecurrentState(
            state_embedding=next_state, afterstate_embedding=after, is_decision_node=~deciding
        )
        return RecurrentFnOutput(**heard), new

    return recurrent_fn
