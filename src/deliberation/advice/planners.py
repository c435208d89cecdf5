"""The candidates that learn nothing: the baselines, an exact solution, and planners."""

from ..core.clock import now
from ..core.decider import Decider
from ..core.task import Task
from ..core.uniform import UniformRandom
from ..direct import (
    CEM,
    BestOfN,
    DynamicProgramming,
    ExactSolver,
    HistorySearch,
    RandomRollouts,
    RandomShooting,
    TreeSearch,
    solve,
)
from .choosing import LOOK, PLAN, RANDOM
from .dials import Dial, Made, Making

AHEAD = 30
"""Actions that plans over sequences look ahead, at most."""
POPULATION = 32
TRIES = 4
"""Tries of each action, on average, in a one-step look."""
MANY = 20_000
"""States up to which an exact solution is tried."""


def random_play(making: Making) -> Made:
    """Any legal action."""
    yield Dial(
        "random", RANDOM, "Random play", UniformRandom(making.task),
        "from deliberation.core import UniformRandom", "UniformRandom(task)",
    )  # fmt: skip


def one_step(making: Making) -> Made:
    """What pays most at once: each action tried some times, nothing looked at beyond it."""
    traits = making.task.traits
    imports, decider = "from deliberation.direct import BestOfN", None
    if traits.discrete:
        playouts = 1 if traits.deterministic and traits.fully_observable else 4
        budget = TRIES * traits.actions
        recipe = f"BestOfN(task, budget={budget}, depth=0, playouts={playouts})"
        decider = BestOfN(making.task, budget=budget, depth=0, playouts=playouts)
    else:
        recipe = f"RandomShooting(task, horizon=1, budget={POPULATION})"
        decider = RandomShooting(making.task, horizon=1, budget=POPULATION)
        imports = "from deliberation.direct import RandomShooting"
    yield Dial("one-step look", LOOK, "One-step look", decider, imports, recipe)


def exact(making: Making) -> Made:
    """All states solved beforehand, where there are few enough to list in the time there is.

    Raises `TooLargeError`.
    """
    task = making.task
    each = making.world["step"] * max(task.traits.actions, 1) * max(task.traits.outcomes, 1)
    most = int(min(MANY, max(making.allowed / max(each, 1e-9), 1)))
    started = now()
    decider, recipe = _solved(task, most)
    yield Dial(
        "exact solution", PLAN, "Exact solution", decider,
        "from deliberation.direct import DynamicProgramming, ExactSolver, solve", recipe,
        preparation=now() - started,
    )  # fmt: skip


def _solved(task: Task, most: int) -> tuple[Decider, str]:
    """A decider that has been asked once, so that its table is there."""
    import jax

    if task.traits.players == 1:
        decider = DynamicProgramming(task, max_states=most)
        start = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 1))
        decider.decide(start, key=jax.random.key(0))
        return decider, "DynamicProgramming(task)"
    return ExactSolver(task, solve(task, max_states=most)), "ExactSolver(task, solve(task))"


def tree_search(making: Making) -> Made:
    """UCT with random rollouts, which needs nothing but the rules."""
    yield Dial(
        "tree search", PLAN, "Tree search (UCT)", TreeSearch(making.task, "uct"),
        "from deliberation.direct import TreeSearch", 'TreeSearch(task, "uct", budget={budget})',
        budgets=making.ladder(),
    )  # fmt: skip


def history_search(making: Making) -> Made:
    """Search over histories, from states drawn anew from what was seen."""
    yield Dial(
        "history search", PLAN, "Search under chance and hidden state", HistorySearch(making.task),
        "from deliberation.direct import HistorySearch", "HistorySearch(task, budget={budget})",
        budgets=making.ladder(8),
    )  # fmt: skip


def best_of_n(making: Making) -> Made:
    """Some actions played out to the end several times each."""
    actions = making.task.traits.actions
    yield Dial(
        "best of n", PLAN, "Best of n tries", BestOfN(making.task, playouts=4),
        "from deliberation.direct import BestOfN", "BestOfN(task, budget={budget}, playouts=4)",
        budgets=tuple(b for b in (2 * actions, 8 * actions) if b <= making.largest) or (actions,),
    )  # fmt: skip


def ahead(task: Task) -> tuple[dict[str, object], str]:
    """How far plans look, and how that is written; discrete plans are played out from there."""
    horizon = min(AHEAD, task.traits.horizon)
    if task.traits.discrete and horizon < task.traits.horizon:
        options = {"horizon": 10, "terminal": RandomRollouts(count=2)}
        return options, "horizon=10, terminal=RandomRollouts(count=2)"
    return {"horizon": horizon}, f"horizon={horizon}"


def cross_entropy(making: Making) -> Made:
    """Plans drawn, and the distribution refitted to the best of them."""
    options, written = ahead(making.task)
    yield Dial(
        "cross-entropy", PLAN, "Cross-entropy planning",
        CEM(making.task, population=POPULATION, **options),  # type: ignore[arg-type]
        "from deliberation.direct import CEM, RandomRollouts",
        f"CEM(task, budget={{budget}}, population={POPULATION}, {written})",
        budgets=making.ladder(POPULATION, 2 if making.task.traits.discrete else 4),
    )  # fmt: skip
