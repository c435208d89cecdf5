"""Every decider that can be asked in a fuzzed world, when it should serve, and what is right of it.

An outcome is one of `OUTCOMES`. A decider that serves a kind of world must answer there, and one
that does not must refuse: with a typed error that says so, never with another one.
"""

import dataclasses
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from fuzzed import HORIZON, WIDTH, Kind, as_objective, as_states, as_task, draw_rows
from fuzzed_truth import Oracle

from deliberation import amortised, direct, hybrid
from deliberation.core import UniformRandom
from deliberation.core.errors import DeliberationError, NoLegalActionError

RIGHT, SANE, REFUSED, WRONG, CRASH, HANG = OUTCOMES = (
    "right", "sane", "refused", "wrong", "crash", "hang",
)  # fmt: skip
"""Right by brute force; well-formed, where there is no single right answer; refused by a typed
error; wrong (or refused where it serves); another error; not done within the time limit."""
BAND = 0.1
"""Sampling deciders may lose so much of what separates the best action from the worst, or of the
greatest reward where that is more."""
CLOSE = 3e-5
"""Values of exact deciders are compared in these parts of the greatest return."""
BUDGET = 768


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A decider, made for a task of a world.

    `serves` says whether it answers in a world. `held` says to what: "exact" (all best actions
    and no others, and the value), "near" (an action that loses little), "last" (exact where only
    one action is left, and that is certain), "certain" (near, where nothing is left to chance or
    hidden), "mean" (near on average over many worlds: the rule may never look at some action again)
    or "sane". A benchmark asks it in `every` so manieth world of a kind.
    """

    name: str
    make: Callable[[Any, Any], Any]
    serves: Callable[[Any], bool]
    held: str
    budget: int | None = None
    every: int = 1
    learns: bool = False


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


RULES = {"uct": direct.UCT, "puct": direct.PUCT}
BY_RANGE = find_spec("deliberation.direct.tree_search.scale") is not None
"""Whether rules take their exploration constant relative to the range of returns."""


def ruled(rule, world):
    """A rule that explores on the scale of returns; constants are arrays, so one program serves."""
    if rule not in RULES or BY_RANGE:
        return rule
    return RULES[rule](c=jnp.float32(max(world.span, 1e-30) / 6))


def tree(rule, evaluator=None, **options):
    def make(task, world):
        return direct.TreeSearch(task, ruled(rule, world), evaluator, capacity=1024, **options)

    return make


def history(rule, nodes):
    def make(task, world):
        return direct.HistorySearch(task, ruled(rule, world), nodes=nodes, capacity=1024)

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
    search = direct.TreeSearch(task, ruled("uct", world), capacity=1024)
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
CONTESTANTS = (
    Contestant("UniformRandom", lambda t, w: UniformRandom(t), anything, "sane"),
    Contestant(
        "NetworkPolicy", lambda t, w: amortised.NetworkPolicy(t, network(t)), anything, "sane"
    ),
    Contestant(
        "ExactSolver", lambda t, w: direct.ExactSolver(t, direct.solve(t)), TREE, "exact"
    ),
    Contestant(
        "value iteration", lambda t, w: direct.DynamicProgramming(t), both(alone, seen), "exact"
    ),
    Contestant(
        "policy iteration", lambda t, w: direct.DynamicProgramming(t, "policy iteration"),
        both(alone, seen), "exact",
    ),
    Contestant("TreeSearch uct", tree("uct"), TREE, "near", BUDGET),
    Contestant("TreeSearch uct, jax", tree("uct", backend="jax"), TREE, "near", BUDGET, 4),
    Contestant("TreeSearch uct, unproved", tree("uct", prove=False), TREE, "near", BUDGET, 4),
    Contestant("TreeSearch uct, reuse", tree("uct", reuse=True), TREE, "near", BUDGET, 4),
    Contestant("TreeSearch puct", tree("puct"), TREE, "near", BUDGET),
    Contestant("TreeSearch gumbel", tree("gumbel"), TREE, "mean", BUDGET),
    Contestant(
        "TreeSearch sampled", tree("uct", sampling=direct.Sampling()), TREE, "sane", BUDGET, 4
    ),
    Contestant(
        "guided_search", lambda t, w: hybrid.guided_search(t, network(t), capacity=1024), TREE,
        "mean", BUDGET, 4,
    ),
    Contestant("HistorySearch uct", history("uct", "histories"), anything, "near", BUDGET),
    Contestant("HistorySearch puct", history("puct", "histories"), anything, "near", BUDGET, 4),
    Contestant("HistorySearch gumbel", history("gumbel", "histories"), anything, "mean", BUDGET, 4),
    Contestant("HistorySearch actions", history("uct", "actions"), anything, "certain", BUDGET, 4),
    Contestant("HistorySearch states", history("uct", "states"), seen, "near", BUDGET, 4),
    Contestant(
        "AlphaBeta", lambda t, w: direct.AlphaBeta(t), both(aims, certain), "exact"
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
    Contestant("Gated", gated, both(aims, seen), "near", every=4),
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
    ("successor", amortised.train_successor, TABULAR, aims),
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
    Contestant(name, trained(train, settings), serves, "sane", learns=True)
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
    held: str = "exact"


VALUES = (
    Value("solve", lambda t, o: direct.solve(t, o).value, both(aims, seen)),
    Value("value_iteration", lambda t, o: direct.value_iteration(t, o).value, both(alone, seen)),
    Value("policy_iteration", lambda t, o: direct.policy_iteration(t, o).value, both(alone, seen)),
    Value("optimal_return", direct.optimal_return, alone),
)


@dataclasses.dataclass
class Case:
    """A world as a task, some of its states, and what is right there.

    `objective` is what is handed over with a question: the task's own rewards are then others.
    """

    world: Any
    task: Any
    rows: Any
    states: Any
    truths: list[Any]
    oracle: Oracle
    objective: Any = None

    @staticmethod
    def of(world, seed, own=None):
        """By a seed for the states, and perhaps another world whose rewards are the task's own."""
        task, rows, oracle = as_task(world, own), draw_rows(world, seed), Oracle(world)
        every = zip(rows.places, rows.kinds, rows.posteriors, strict=True)
        truths = [oracle.truth(*row) for row in every]
        handed = None if own is None else as_objective(world)
        return Case(world, task, rows, as_states(task, rows), truths, oracle, handed)


@dataclasses.dataclass
class Verdict:
    """How it went; `loss` is what each judged row lost, in parts of what separates its actions."""

    outcome: str
    why: str = ""
    loss: list[float] = dataclasses.field(default_factory=list)


def judge(contestant, case, seed=0):
    """Ask a decider in one world, and say how it went."""
    if isinstance(contestant, Value):
        return _judge_value(contestant, case)
    try:
        decider = contestant.make(case.task, case.world)
        batch = len(case.truths)
        decision, _ = decider.decide(
            case.states, decider.begin(batch), objective=case.objective, budget=contestant.budget,
            key=jax.random.key(seed),
        )  # fmt: skip
        found = [np.asarray(x, float) for x in (decision.action, decision.weights, decision.value)]
    except DeliberationError as error:
        return _refused(contestant, case, error)
    except Exception as error:  # the very thing looked for
        return Verdict(CRASH, f"{type(error).__name__}: {str(error)[:200]}")
    if not contestant.serves(case.world):
        return Verdict(WRONG, "answered where it should refuse")
    return _answered(contestant, case, *found)


def _judge_value(asked, case):
    try:
        found = asked.call(case.task, case.objective)
    except DeliberationError as error:
        return _refused(asked, case, error)
    except Exception as error:  # the very thing looked for
        return Verdict(CRASH, f"{type(error).__name__}: {str(error)[:200]}")
    if not asked.serves(case.world):
        fine = found is None
        return Verdict(REFUSED if fine else WRONG, "" if fine else "answered what it cannot know")
    truth = case.oracle.start()
    if found is None or truth is None:
        return Verdict(SANE if truth is None else WRONG, f"{found}, not {truth}")
    close = abs(found - truth) <= CLOSE * case.world.span
    return Verdict(RIGHT if close else WRONG, "" if close else f"{found}, not {truth}")


def _refused(contestant, case, error):
    said = f"{type(error).__name__}: {str(error)[:200]}"
    if isinstance(error, NoLegalActionError):
        # A training meets the whole world, a decision what follows from its states.
        follows = any(t.dead for t in case.truths) or (
            bool(case.world.dead.any()) and _sees_all(contestant)
        )
        return Verdict(REFUSED if follows else WRONG, said)
    return Verdict(WRONG if contestant.serves(case.world) else REFUSED, said)


def _sees_all(contestant):
    return contestant.learns or contestant.held == "exact"


def _answered(contestant, case, action, weights, value):
    legal = case.world.legal[case.rows.places]
    live = ~case.world.over[case.rows.places]
    wrong = _malformed(live, legal, action, weights, value)
    if wrong:
        return Verdict(WRONG, wrong)
    judged, losses = False, []
    for row in np.flatnonzero(live):
        truth = case.truths[row]
        if truth.low is None or not _holds(contestant.held, case.world, truth):
            continue
        judged = True
        act, spread = int(action[row]), _spread(truth)
        losses.append(truth.loss(act) / spread if spread > 0 else 0.0)
        exact = contestant.held in ("exact", "last")
        small = CLOSE * case.world.span
        if contestant.held == "mean":
            continue
        if truth.loss(act) > (small if exact else BAND * max(spread, case.world.span / 3)):
            return Verdict(WRONG, f"row {row}: action {act} of {truth.low.tolist()}", losses)
        if contestant.held == "exact":
            wrong = _inexact(truth, weights[row], value[row], small)
            if wrong:
                return Verdict(WRONG, f"row {row}: {wrong}", losses)
    return Verdict(RIGHT if judged else SANE, "", losses)


def _malformed(live, legal, action, weights, value):
    """What is wrong with the form of an answer, if anything."""
    whole = np.maximum(action.astype(int), 0)
    tests = {
        "not finite": np.isfinite(value).all() and np.isfinite(weights).all(),
        "an illegal action": legal[live, whole[live]].all(),
        "weight on an illegal action": not weights[~legal].any(),
        "a negative weight": (weights >= 0).all(),
        "weights that do not sum to 1": np.allclose(weights[live].sum(-1), 1, atol=1e-4),
        "an answer where it is over": (action[~live] == -1).all() and not value[~live].any(),
    }
    return next((name for name, fine in tests.items() if not fine), "")


def _holds(held, world, truth):
    if held == "certain":
        return certain(world)
    if held == "last":
        return truth.last and certain(world)
    return held != "sane"


def _spread(truth):
    legal = truth.high > -np.inf
    return float(truth.high[legal].max() - truth.low[legal].min())


def _inexact(truth, weights, value, small):
    stray = [a for a in np.flatnonzero(weights > 0) if truth.loss(a) > small]
    if stray:
        return f"weight on {stray}, of {truth.low.tolist()}"
    low, high = truth.value
    if not low - small <= value <= high + small:
        return f"value {value}, not {low} to {high}"
    return ""
