"""What the planners over action sequences share in the zoo: how far ahead, and how much."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import PlanSearch, RandomRollouts
from ..hybrid import ImitationSettings, PolicyPlans, imitate_planner
from ..tasks.control.cartpole import CartPole
from .made import Made

BUDGET = {"smoke": 32, "quick": 64, "full": 256}
"""Simulations a decision, unless an entry says otherwise."""


def ahead(task: Task) -> dict[str, Any]:
    """How far to plan. A pole stands for longer than any plan: what comes after is played out."""
    if isinstance(task, CartPole):
        return {"horizon": 10, "terminal": RandomRollouts(count=2)}
    return {"horizon": 30}


IMITATION = {
    "smoke": ImitationSettings(updates=4, steps=10, simulations=16, fits=50),
    "quick": ImitationSettings(updates=24, steps=25, simulations=32, fits=80),
    "full": ImitationSettings(updates=120, steps=50, simulations=128, fits=200, memory=120),
}


def imitated(
    teacher: PlanSearch,
    helped: Callable[[PolicyPlans], PlanSearch],
    effort: str,
    key: Key[Array, ""],
) -> Made:
    """A planner that begins from a policy, which has learned from the planner without it.

    With so good a beginning, an eighth of the planner's simulations is enough.
    """
    found = imitate_planner(teacher, key=key, settings=IMITATION[effort])
    decider = helped(PolicyPlans(network=found.network, spread=0.3))
    return Made(
        decider, searching=teacher, learned=found.decider, budget=BUDGET[effort] // 8,
        trained=found.ledger,
    )  # fmt: skip


def begun_from_policy(
    kind: Callable[..., PlanSearch], task: Task, effort: str, key: Key[Array, ""], **options: Any
) -> Made:
    """A kind of planner that begins from what has learned from it alone, at the same budget."""
    plain = {**options, **ahead(task)}
    teacher = kind(task, **plain)
    return imitated(teacher, lambda p: kind(task, proposals=p, **plain), effort, key)
