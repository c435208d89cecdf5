"""What each row of a search may spend, checked before it starts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ...core.budget import Budget
from ...core.errors import BudgetError, TooLargeError
from ...core.task import State, Task, is_concrete
from ..evaluators import Evaluator
from .tree import LARGEST


class Limits(eqx.Module):
    """What each row may spend; see `Terms.left` for how they are kept."""

    simulations: Int[Array, " batch"]
    model_steps: Int[Array, " batch"]


def check_prior(who: str, task: Task, evaluator: Evaluator, state: State, limits: Limits) -> None:
    """Refuse a budget of nothing for a live row where there is no prior to answer from."""
    if evaluator.has_prior or not is_concrete((state, limits)):
        return
    live = ~jax.vmap(task.terminated)(state)
    nothing = jnp.minimum(limits.simulations, limits.model_steps) == 0
    if bool((live & nothing).any()):
        raise BudgetError(
            f"A budget of 0 leaves {who} nothing to answer from: it has no prior. Give at "
            "least one simulation, or an evaluator with a prior (a network)."
        )


def needed(limits: Limits, capacity: int, asked: Budget | None = None) -> int:
    """The capacity, or the next power of two at which the largest budget of the batch fits.

    Where budgets cannot be looked at, inside of `jit`, plain numbers `asked` for can be.
    """
    most = 0
    if is_concrete(limits):
        most = int(np.minimum(limits.simulations, limits.model_steps).max())
    elif asked is not None:
        plain = [x for x in (asked.simulations, asked.model_steps) if isinstance(x, int)]
        most = min(plain, default=0)
    if most > capacity:
        capacity = 1 << (most - 1).bit_length()
    if capacity > LARGEST:
        raise TooLargeError(
            f"A tree of {capacity:,} nodes is over the {LARGEST:,} that can be numbered "
            "exactly. Use a smaller budget or capacity."
        )
    return capacity
