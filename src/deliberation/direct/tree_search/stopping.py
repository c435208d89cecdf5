"""When a search may end early: never, once its answer is decided, or once it pays no more.

A stopping rule looks at the roots between rounds. A row that it stops takes no further part; its
root is left as it is, so it stays stopped until more budget is given.
"""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from .round import FREE
from .tree import NodeView

_NOBODY = -1.0
"""Fewer visits than any action can have."""


class Returns(eqx.Module):
    """What came back along each edge of the roots in this search: count, mean and spread.

    `spread` is the sum of squared distances from the mean, kept by Welford's recurrence (1962);
    `visits` are those of the roots when they were last looked at.
    """

    count: Float[Array, "batch actions"]
    mean: Float[Array, "batch actions"]
    spread: Float[Array, "batch actions"]
    visits: Float[Array, "batch actions"]

    @staticmethod
    def none(visits: Float[Array, "batch actions"]) -> "Returns":
        """Before the first simulation of roots which had so many."""
        zero = jnp.zeros_like(visits)
        return Returns(zero, zero, zero, visits)

    def add(
        self,
        visits: Float[Array, "batch actions"],
        forced: Int[Array, "batch width"],
        gain: Float[Array, "batch width"],
    ) -> "Returns":
        """After a round, whose lanes left the root by different actions.

        `forced` names these actions; what a lane chose freely shows in the new `visits`.
        """
        taken = visits - self.visits
        named = jax.nn.one_hot(forced, visits.shape[1])
        free = (forced == FREE)[:, :, None]
        lanes = jnp.where(free, (taken - named.sum(1))[:, None], named)
        gains = (lanes * gain[:, :, None]).sum(1)
        count = self.count + taken
        off = (gains - self.mean) * taken
        mean = self.mean + off / jnp.maximum(count, 1)
        return Returns(count, mean, self.spread + off * (gains - mean), visits)


class Standing(eqx.Module):
    """What a stopping rule sees of each row.

    `left` is the most simulations it may still take, `beaten` marks actions proved to be worse than
    others, which no answer names; `returns` is there for the rules that ask for it.
    """

    root: NodeView
    beaten: Bool[Array, "batch actions"]
    left: Int[Array, " batch"]
    returns: Returns | None

    @property
    def simulations(self) -> Float[Array, " batch"]:
        """How many went through each root, those of a tree carried over among them."""
        return self.root.visits.sum(-1)


class Stopping(eqx.Module):
    """One way of ending early.

    `needs_returns` asks the search to keep `Returns`. `by_visits` says that it is for rules that
    answer with the most visited action, and for no others.
    """

    needs_returns: eqx.AbstractClassVar[bool]
    by_visits: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def stops(self, standing: Standing) -> Bool[Array, " batch"] | None:
        """Which rows need not go on; None: no row is ever looked at, which costs nothing."""


class Never(Stopping):
    """Every budget is spent, but for roots whose value is proved."""

    needs_returns: ClassVar[bool] = False
    by_visits: ClassVar[bool] = False

    def stops(self, standing: Standing) -> None:
        """None does."""
        del standing


class Decided(Stopping):
    """Stop where what is left of the budget cannot make another action the most visited one.

    The action is that of the whole budget, for rules that answer with the most visited action and
    a search that proves nothing. Proofs can overrule visits: what is left might have proved a win
    elsewhere or the leader lost; a stopped row forgoes that. Where an action is proved that is not
    worse than others, means decide between it and the most visited one: there no row stops unless
    the two are one and the same. A row with a single action left to
    choose stops after one simulation, which gives its value.
    """

    needs_returns: ClassVar[bool] = False
    by_visits: ClassVar[bool] = True

    def stops(self, standing: Standing) -> Bool[Array, " batch"]:
        """Whether the leader's visits exceed all others' by more than is left."""
        root = standing.root
        open_ = root.legal & ~standing.beaten
        visits = jnp.where(open_, root.visits, _NOBODY)
        leads = visits > _best_other(visits) + standing.left[:, None]
        sure = root.settled & open_
        ahead = (leads & (sure | ~sure.any(-1, keepdims=True))).any(-1)
        return (standing.simulations > 0) & (ahead | (open_.sum(-1) <= 1))


class ValueOfComputation(Stopping):
    """Stop where another simulation is expected to gain less than its `cost`, in units of return.

    The gain of one more simulation of action a is that of the decision it might change,

        s_a f(-|q_a - max_b q_b| / s_a),   f(z) = z Phi(z) + phi(z),   b any other action,

    with s_a^2 = v_a / (n_a (n_a + 1)), the variance of the change of a mean of n_a returns of
    variance v_a by one more: the knowledge gradient for independent Gaussian beliefs (Gupta and
    Miescke 1996; Frazier, Powell and Dayanik 2008), a myopic value of computation in the sense of
    Russell and Wefald (1991; for tree search: Hay, Russell, Tolpin and Shimony 2012). A row stops
    when the largest gain is below the cost. Values that are proved have nothing to gain.

    Returns spread within an action as M_a = sum (x - mean)^2 says; few of them say little, so
    v_a = (M_a + v) / n_a, shrunk by one observation towards v = sum M_a / sum (n_a - 1), what all
    actions have in common. Before any action has two returns nothing is known and no row stops, nor
    before `minimum` simulations. Actions never simulated count at the node's own value if it was
    evaluated, and are no candidates themselves: the rule left them aside.

    `cost` is one number, or an array with one for each row: data, to be swept without compiling.
    Raises `ValueError` for a negative or undefined cost or a `minimum` below 1.
    """

    needs_returns: ClassVar[bool] = True
    by_visits: ClassVar[bool] = False
    cost: Float[Array, "*batch"]
    minimum: int = eqx.field(static=True)

    def __init__(self, cost: float | Float[Array, "*batch"], minimum: int = 16):
        self.cost = jnp.asarray(cost, jnp.float32)
        self.minimum = minimum
        if not isinstance(self.cost, Tracer) and not bool((self.cost >= 0).all()):
            raise ValueError(
                f"A simulation cannot cost {cost}: give 0 or more, in units of return."
            )
        if minimum < 1:
            raise ValueError(f"minimum is {minimum}: beliefs need at least one simulation.")

    def stops(self, standing: Standing) -> Bool[Array, " batch"]:
        """Whether the largest gain is below the cost."""
        assert standing.returns is not None
        known = (standing.returns.count > 1).any(-1) & (standing.simulations >= self.minimum)
        return known & (gains(standing).max(-1) < self.cost)


def gains(standing: Standing) -> Float[Array, "batch actions"]:
    """What one more simulation of each action is expected to gain: see `ValueOfComputation`."""
    root, returns = standing.root, standing.returns
    assert returns is not None
    spare = jnp.maximum(returns.count - 1, 0).sum(-1, keepdims=True)
    common = returns.spread.sum(-1, keepdims=True) / jnp.maximum(spare, 1)
    variance = (returns.spread + common) / jnp.maximum(returns.count, 1)
    n = root.visits
    s = jnp.sqrt(variance / jnp.maximum(n * (n + 1), 1))
    candidate = root.legal & (n > 0)
    s = jnp.where(candidate & ~root.settled, s, 0.0)
    evaluated = (root.count > n.sum(-1))[:, None]
    means = jnp.where(n > 0, root.q, root.value[:, None])
    means = jnp.where(candidate | (root.legal & evaluated), means, -jnp.inf)
    gap = jnp.abs(means - _best_other(means))
    z = jnp.where(s > 0, -gap / jnp.where(s > 0, s, 1.0), -jnp.inf)
    return jnp.where(jnp.isfinite(z), s * expected_excess(z), 0.0)


def expected_excess(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """f(z) = z Phi(z) + phi(z), the mean of max(z + X, 0) for standard normal X; 0 far down."""
    density = jnp.exp(-0.5 * z * z) / jnp.sqrt(2 * jnp.pi)
    return jnp.maximum(z * jax.scipy.stats.norm.cdf(z) + density, 0.0)


def _best_other(means: Float[Array, "batch actions"]) -> Float[Array, "batch actions"]:
    """The best of the other actions, for each action."""
    actions = jnp.arange(means.shape[1])
    top = jnp.argmax(means, axis=-1, keepdims=True)
    first = means.max(-1, keepdims=True)
    second = jnp.where(actions == top, -jnp.inf, means).max(-1, keepdims=True)
    return jnp.where(actions == top, second, first)
