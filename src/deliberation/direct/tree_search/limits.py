"""What each row of a search may spend, checked before it starts."""

import functools

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

_MUCH = 128
"""Simulations of a row from which on it pays to compile a search for fewer rows."""


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
    return room_for(most, capacity)


def room_for(most: int, capacity: int) -> int:
    """The capacity, or the next power of two that holds the most simulations of any row."""
    if most > capacity:
        capacity = 1 << (most - 1).bit_length()
    if capacity > LARGEST:
        raise TooLargeError(
            f"A tree of {capacity:,} nodes is over the {LARGEST:,} that can be numbered "
            "exactly. Use a smaller budget or capacity."
        )
    return capacity


def host_limits(asked: Budget, batch: int) -> Int[np.ndarray, "2 batch"]:
    """(simulations, model steps) of each row, on the host. Raises as `Budget.rows` does."""
    simulations, steps = asked.simulations, asked.model_steps
    if isinstance(simulations, int | None) and isinstance(steps, int | None):
        return _plain_limits(simulations, steps, batch)
    return np.stack(Budget.host_rows(asked, batch))


def far_apart(limits: Int[np.ndarray, "2 batch"], all_spent: bool) -> bool:
    """Whether many rows may finish long before others do.

    Half of them or more may do less than half of what another may, and that much; or nobody can
    tell, since budgets need not be spent (`all_spent`).
    """
    most = np.minimum(limits[0], limits[1])
    greatest = int(most.max())
    early = int((2 * most < greatest).sum())
    return greatest >= _MUCH and (not all_spent or 2 * early >= len(most))


@functools.lru_cache(maxsize=256, typed=True)
def _plain_limits(
    simulations: int | None, model_steps: int | None, batch: int
) -> Int[np.ndarray, "2 batch"]:
    limits = np.stack(Budget(simulations, model_steps).host_rows(batch))
    limits.flags.writeable = False
    return limits
