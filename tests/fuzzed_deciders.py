"""Every decider that is asked in a fuzzed world: when it should serve, and what it must keep."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from fuzzed import HORIZON, WIDTH, Kind

from deliberation import amortised, direct, hybrid
from deliberation.core import UniformRandom

BUDGET = 768


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A decider, made for a task of a world.

    `serves` says whether it answers in a world. `held` says to what: "exact" (all best actions
    and no others, and the value), "near" (an action that loses little), "last" (exact where only
    one action is left, and that is certain), "certain" (near, where nothing is left to chance or
    hidden), "mean" (near on average over many worlds: the rule may never look at some action again)
    or "sane". A benchmark asks it in `every` so manieth world of a kind. `sees` says what it surely
    meets: all that can follow the first states ("start") or the states asked about ("ahead"), or
    "some" of it: it cuts, proves or draws.
    """

    name: str
    make: Callable[[Any, Any], Any]
    serves: Callable[[Any], bool]
    held: str
    budget: int | None = None
    every: int = 1
    learns: bool = False
    sees: str = "ahead"

    @property
    def draws(self):
        """Whether it answers by chance, better with a larger budget; then it is held to a rate."""
        return self.budget is not None and self.held in ("near", "certain")


def alone(world):
    return world.kind.players == 1


def seen(world):
    return not world.kind.hidden


def aims(world):
    """One player, or two of which one wants what the other does not."""
    return alone(world) or world.opposed


def certain(world):
    return seen(world) and not world.kind.chance


def anything(world):
    return True


def nothing(world):
    """For those that move continuous actions only."""
    return False


def both(*conditions):
    return lambda world: all(c(world) for c in conditions)


def tree(rule, evaluator=None, **options):
    def make(task, world):
        return direct.TreeSearch(task, rule, evaluator, capacity=1024, **options)

    return make


def history(rule, nodes):
    def make(task, world):
        return direct.HistorySearch(task, rule, nodes=nodes, capacity=1024)

    return make


def network(task):
    shape = jax.eval_shape(task.observe, jax.eval_shape(task.init, jax.random.key(0))).shape
    return amortised.MLP(shape, task.traits.actions, 8, 1, key=jax.random.key(3))


def planned(kind, **options):
    return lambda task, world: kind(task, horizon=HORIZON, population=32, **options)


def mixture(task, world):
    return direct.BayesMixture([task, task], budget=100_000)


def habit(task, world):
    zeros = jnp.zeros((1, task.traits.actions))
    cached = hybrid.TableHabit(zeros, _nowhere)
    return hybrid.PlanUntilHabit(task, cached, depth=HORIZON)


def _nowhere(state):
    return jnp.int32(0)


def gated(task, world):
    search = direct.TreeSearch(task, "uct", capacity=1024)
    return hybrid.Gated(network(task), search, cost=0.0, budget=BUDGET)


def quantiliser(task, world):
    return hybrid.Quantiliser(UniformRandom(task), q=1e-3, budget=96)


def trained(train, settings):
    def make(task, world):
        return train(task, key=jax.random.key(1), settings=settings).decider

    return make


def aixi(task, world):
    percepts = direct.Percepts(_nowhere, 2, -4, 4)
    return direct.MCAIXI(task, percepts=percepts, depth=4, life=16, capacity=512)


TREE, PLAN = both(aims, seen), both(alone)


def searching(name, held="near", every=1, rule=None, **options):
    """A tree search, by default with the rule that its name begins with."""
    rule = name.partition(",")[0] if rule is None else rule
    return Contestant(
        f"TreeSearch {name}", tree(rule, **options), TREE, held, BUDGET, every, sees="some"
    )


CONTESTANTS = (
    Contestant("UniformRandom", lambda t, w: UniformRandom(t), anything, "sane"),
    Contestant(
        "NetworkPolicy", lambda t, w: amortised.NetworkPolicy(t, network(t)), anything, "sane"
    ),
    Contestant(
        "ExactSolver", lambda t, w: direct.ExactSolver(t, direct.solve(t)), TREE, "exact",
        sees="start",
    ),
    Contestant(
        "value iteration", lambda t, w: direct.DynamicProgramming(t), both(alone, seen), "exact",
        sees="start",
    ),
    Contestant(
        "policy iteration", lambda t, w: direct.DynamicProgramming(t, "policy iteration"),
        both(alone, seen), "exact", sees="start",
    ),
    searching("uct"),
    searching("uct, jax", every=4, backend="jax"),
    searching("uct, unproved", every=4, prove=False),
    searching("uct, reuse", every=4, reuse=True),
    searching("puct"),
    searching("gumbel", "mean"),
    searching("sampled", "sane", 4, rule="uct", sampling=direct.Sampling()),
    Contestant(
        "guided_search", lambda t, w: hybrid.guided_search(t, network(t), capacity=1024), TREE,
        "mean", BUDGET, 4, sees="some",
    ),
    Contestant("HistorySearch uct", history("uct", "histories"), anything, "near", BUDGET),
    Contestant("HistorySearch puct", history("puct", "histories"), anything, "near", BUDGET, 4),
    Contestant("HistorySearch gumbel", history("gumbel", "histories"), anything, "mean", BUDGET, 4),
    Contestant("HistorySearch actions", history("uct", "actions"), anything, "certain", BUDGET, 4),
    Contestant("HistorySearch states", history("uct", "states"), seen, "near", BUDGET, 4),
    Contestant(
        "AlphaBeta", lambda t, w: direct.AlphaBeta(t), both(aims, certain), "exact",
        sees="some",
    ),
    Contestant(
        "BestFirst", lambda t, w: direct.BestFirst(t), both(alone, certain), "exact"
    ),
    Contestant(
        "BeamSearch", lambda t, w: direct.BeamSearch(t, width=2 * WIDTH), both(alone, certain),
        "exact",
    ),
    Contestant("BestOfN", lambda t, w: direct.BestOfN(t), anything, "last", 64),
    Contestant("RandomShooting", planned(direct.RandomShooting), alone, "certain", 256),
    Contestant("CEM", planned(direct.CEM), alone, "certain", 256),
    Contestant("MPPI", planned(direct.MPPI), nothing, "sane", 256),
    Contestant(
        "GradientPlanning", lambda t, w: direct.GradientPlanning(t, horizon=HORIZON),
        nothing, "sane",
    ),
    Contestant("BeliefPlanning", lambda t, w: direct.BeliefPlanning(t), alone, "exact"),
    Contestant("BayesMixture", mixture, alone, "exact", every=4),
    Contestant("MCAIXI", aixi, alone, "sane", 16, 4),
    Contestant("Quantiliser", quantiliser, anything, "last"),
    Contestant("PlanUntilHabit", habit, both(aims, seen), "exact"),
    Contestant("Gated", gated, both(aims, seen), "near", BUDGET, 4, sees="some"),
)  # fmt: skip

MADE = (
    Kind(1),
    Kind(1, chance=True, form="keyed"),
    Kind(1, hidden=True),
    Kind(1, chance=True, hidden=True, form="keyed"),
    Kind(1, actions=1),
    Kind(2),
    Kind(2, form="keyed"),
    Kind(2, chance=True),
    Kind(2, hidden=True, form="keyed"),
    Kind(2, chance=True, hidden=True),
    Kind(3, form="keyed"),
    Kind(3, chance=True),
    Kind(3, chance=True, hidden=True),
)
"""The kinds of worlds that are fuzzed."""
MADE_WIDE = (
    Kind(1, chance=True, form="wide"),
    Kind(1, hidden=True, form="wide"),
    Kind(2, form="wide"),
    Kind(3, chance=True, hidden=True, form="wide"),
)
"""Those whose states have 64 bits."""

TABULAR = amortised.Tabular(updates=2, environments=4, steps=8, capacity=1024)
LEARNERS = (
    ("q_learning", amortised.train_q_learning, TABULAR, aims),
    ("sarsa", amortised.train_sarsa, TABULAR, aims),
    ("successor", amortised.train_successor, TABULAR, alone),
    (
        "dqn", amortised.train_dqn,
        amortised.DQN(updates=1, rounds=1, environments=4, fits=2, batch=8, room=256, warmup=32),
        aims,
    ),
    ("ppo", amortised.train_ppo, amortised.PPO(updates=1, environments=8, steps=8), aims),
    (
        "reinforce", amortised.train_reinforce,
        amortised.Reinforce(updates=1, rounds=1, environments=4), aims,
    ),
    (
        "dyna", hybrid.train_dyna, hybrid.DynaSettings(updates=1, steps=16, places=256),
        both(alone, seen),
    ),
)  # fmt: skip
CONTESTANTS_THAT_LEARN = tuple(
    Contestant(name, trained(train, settings), serves, "sane", learns=True, sees="start")
    for name, train, settings, serves in LEARNERS
)


@dataclasses.dataclass
class Value:
    """A function that gives player 0's best expected return in a task, or None."""

    name: str
    call: Callable[[Any], float | None]
    serves: Callable[[Any], bool]
    every: int = 4
    learns: bool = False
    sees: str = "start"
    held: str = "exact"


VALUES = (
    Value("solve", lambda t, o: direct.solve(t, o).value, both(aims, seen)),
    Value("value_iteration", lambda t, o: direct.value_iteration(t, o).value, both(alone, seen)),
    Value("policy_iteration", lambda t, o: direct.policy_iteration(t, o).value, both(alone, seen)),
    Value("optimal_return", direct.optimal_return, alone),
)
