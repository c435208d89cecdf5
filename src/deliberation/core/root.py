"""What a search found out about the actions it chose from: the statistics of its root."""

from dataclasses import fields
from typing import Any, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, Int

Searching = TypeVar("Searching", bound=eqx.Module)

LINE = "line"
"""The field of a decider that says how many actions of the principal variation it gives."""


class RootStatistics(eqx.Module):
    """Visits, values and prior of the actions at the root, and the principal variation.

    `visits` counts the simulations that began with each action; where trees are reused, those of
    earlier searches too. `values` are their mean returns for the player to move, the exact value
    where it is proved, and 0 where an action has no visit. `prior` is the evaluator's distribution
    over legal actions, None where it has none. Where actions are continuous, all of these are of
    the decision's candidates. Rows that are terminal hold zeros.

    `line` is the principal variation: the action answered, then what the search holds best for
    either player, -1 from where nothing was visited or chance decides. It is as long as was asked
    for (`TreeSearch(line=8)`), and by default 0, for reading it off takes time to compile.
    """

    visits: Float[Array, "batch actions"]
    values: Float[Array, "batch actions"]
    prior: Float[Array, "batch actions"] | None
    line: Int[Array, "batch depth"]


def with_line(decider: Searching, depth: int) -> Searching:
    """The same decider, with its searches asked for a principal variation of `depth` actions.

    Those within it (a gate's planner, a search that another one starts from) are asked too.
    """
    changed: dict[str, Any] = {}
    for field in fields(decider):
        value = getattr(decider, field.name, None)
        if field.name == LINE:
            changed[LINE] = depth
        elif isinstance(value, eqx.Module) and _asks(value):
            changed[field.name] = with_line(value, depth)
    if not changed:
        return decider
    # Field by field: a decider's constructor may take other arguments than it has fields.
    again = object.__new__(type(decider))
    for field in fields(decider):
        if hasattr(decider, field.name):
            value = changed.get(field.name, getattr(decider, field.name))
            object.__setattr__(again, field.name, value)
    return again


def _asks(value: eqx.Module) -> bool:
    """Whether it has a line to ask for, or holds something that has."""
    if any(field.name == LINE for field in fields(value)):
        return hasattr(value, LINE) and hasattr(value, "decide")
    inner = (getattr(value, field.name, None) for field in fields(value))
    return any(isinstance(x, eqx.Module) and _asks(x) for x in inner)
