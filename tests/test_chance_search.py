"""Search through chance nodes: equal to a plain search, exact in the limit, blind to the future."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_search as reference
from chances import OddsTask, as_task, build, plain_search, random_odds
from optima import lake_optimum, lake_transitions
from tables import TableEvaluator, compile_lightly, run  # noqa: F401

from deliberation.amortised import MLP
from deliberation.core import check_decider, rollout
from deliberation.core.budget import UNLIMITED
from deliberation.core.errors import NonFiniteError
from deliberation.direct import (
    PUCT,
    UCT,
    Evaluation,
    Evaluator,
    Gumbel,
    NoEvaluation,
    RandomRollouts,
    TreeSearch,
)
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.models.chance import NONE, Pending, draw, model_for
from deliberation.direct.tree_search.round import Leaves
from deliberation.hybrid import guided_search
from deliberation.tasks.grids.frozen_lake import FrozenLake, LakeState

RULES = {
    "uct": (UCT, reference.UCT, {"c": 0.7}),
    "puct": (PUCT, reference.PUCT, {"c": 0.4, "base": 20.0}),
    "gumbel": (functools.partial(Gumbel, considered=3), reference.Gumbel, {}),
}
ROWS = 16
BACKENDS = ["jax"] if why_not_native() else ["native", "jax"]


def search_rows(planner, roots, budgets, noise, room=64):
    limits = Limits(jnp.asarray(budgets, jnp.int32), jnp.full(len(roots), UNLIMITED))
    args = (planner.task.objective, jnp.asarray(roots, jnp.int32), limits)
    decision, outcome = run(planner, *args, jnp.asarray(noise, jnp.uint32), room)
    names = ("simulations", "sound", "done")
    found = {name: getattr(outcome, name) for name in names} | {"edges": outcome.tree.edges}
    return jax.tree.map(np.asarray, (decision, found))


def rows_of(seed, most=50):
    rng = np.random.default_rng(seed)
    roots, budgets = rng.integers(0, 12, ROWS), rng.integers(1, most, ROWS)
    noise = rng.integers(0, 2**32, ROWS, dtype=np.uint32)
    return roots.astype(np.int32), budgets.astype(np.int32), noise


def judge_of(world):
    return TableEvaluator(jnp.asarray(world.logits), jnp.asarray(world.value))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", RULES)
def test_equals_the_reference_search(name, backend):
    fast, slow, options = RULES[name]
    rule = fast(**{k: jnp.float32(v) for k, v in options.items()})
    for seed in range(3):
        world = random_odds(seed)
        planner = TreeSearch(as_task(world), rule, judge_of(world), prove=False, backend=backend)
        given = rows_of(seed)
        decision, outcome = search_rows(planner, *given)
        assert outcome["sound"].all()
        for row, (root, budget, noise) in enumerate(zip(*(x.tolist() for x in given), strict=True)):
            if world.over[root]:
                continue
            made = functools.partial(slow, considered=3) if name == "gumbel" else slow
            true = plain_search(world, root, made(**options), budget, noise)
            edges = outcome["edges"][row, 0]
            np.testing.assert_array_equal(edges[0], true.root.visits)
            np.testing.assert_allclose(edges[1], true.root.q, rtol=2e-5, atol=2e-5)
            np.testing.assert_allclose(decision.weights[row], true.weights[:3], atol=2e-5)
            assert decision.action[row] == true.action
            assert decision.value[row] == pytest.approx(true.root.mean, abs=2e-5)


@pytest.mark.parametrize("dyadic", [False, True])
@pytest.mark.skipif(len(BACKENDS) < 2, reason="there is one back end here")
@pytest.mark.parametrize("name", RULES)
def test_both_back_ends_agree(name, dyadic):
    """Also where outcomes are equally far behind: the noise that breaks ties is the same."""
    fast, _, options = RULES[name]
    rule = fast(**{k: jnp.float32(v) for k, v in options.items()})
    for seed in range(3):
        world = random_odds(seed, dyadic=dyadic, discount=0.5)
        roots, budgets, noise = rows_of(seed)
        found = []
        for backend in BACKENDS:
            planner = TreeSearch(as_task(world), rule, judge_of(world), backend=backend)
            found.append(search_rows(planner, roots, budgets, noise)[1])
        one, two = (f["edges"] for f in found)
        np.testing.assert_array_equal(one[:, :, [0, 3]], two[:, :, [0, 3]])
        np.testing.assert_allclose(one[:, :, 1], two[:, :, 1], atol=2e-5)


def decide(planner, budget, rows=8, root=0, key=0):
    states = jnp.full(rows, root, jnp.int32)
    return planner.decide(states, budget=budget, key=jax.random.key(key))[0]


@pytest.mark.parametrize(
    "rule", [UCT(3.0, normalise=False), PUCT(5.0, normalise=False)], ids=["uct", "puct"]
)
def test_root_values_converge_to_expectimax(rule):
    """Two players, discounted, some actions certain: signs, and what is proved, among it."""
    errors = {64: [], 8192: []}
    for seed in range(4):
        world = random_odds(seed, discount=0.9)
        values, q = world.exact()
        roots = np.flatnonzero(~world.over[:12])[:8].astype(np.int32)
        sign = 1 - 2 * world.mover[roots]
        judge = TableEvaluator(jnp.zeros_like(world.logits), jnp.asarray(world.value))
        planner = TreeSearch(as_task(world), rule, judge)
        for budget, worst in errors.items():
            decision, outcome = search_rows(
                planner, roots, np.full(8, budget), np.arange(8, dtype=np.uint32), room=8192
            )
            worst.append(np.abs(decision.value - sign * values[roots]))
        mine = np.where(world.legal[roots], sign[:, None] * q[roots], -np.inf)
        assert (mine.max(1) - mine[np.arange(8), decision.action]).max() < 0.05
        edges = outcome["edges"][:, 0]
        settled = edges[:, 3, :3] < 0
        np.testing.assert_allclose(edges[:, 1, :3][settled], mine[settled], atol=1e-5)
    few, many = (np.concatenate(worst) for worst in errors.values())
    assert few.mean() > 0.5
    assert many.mean() < 0.12 and many.max() < 0.4


WIN, LOSS, MIDDLE = 4, 5, 6
GAMBLE = build(
    # Look at the coin and then call it, or call it unseen, or take the middle.
    {
        0: {0: [(0.5, 1), (0.5, 2)], 1: [(0.5, WIN), (0.5, LOSS)], 2: [(1.0, MIDDLE)]},
        1: {0: [(1.0, WIN)], 1: [(1.0, LOSS)]},
        2: {0: [(1.0, LOSS)], 1: [(1.0, WIN)]},
        # From node 3 the coin falls after the call: a clairvoyant is worth 0.8, others 0.6.
        3: {0: [(0.5, WIN), (0.5, LOSS)], 2: [(1.0, MIDDLE)]},
    },
    7,
    actions=3,
    arrive=np.array([0, 0, 0, 0, 1, 0, 0.6], np.float32),
    low=0.0,
    high=1.0,
)


@pytest.mark.parametrize(
    "rule", [UCT(0.6, normalise=False), PUCT(), Gumbel(noise=0.0)], ids=["uct", "puct", "gumbel"]
)
def test_what_is_seen_counts_and_what_is_not_does_not(rule):
    """Looking first is worth 1, for one can call what one saw; a gamble is worth its mean."""
    assert GAMBLE.exact()[0][[0, 3]].tolist() == pytest.approx([1.0, 0.6])
    planner = TreeSearch(as_task(GAMBLE), rule, NoEvaluation(), capacity=2048)
    decision = decide(planner, 2048)
    assert (decision.action == 0).all()
    gamble, outcome = search_rows(planner, np.full(8, 3), np.full(8, 2048), np.arange(8), room=2048)
    assert (gamble.action == 2).all()
    edges = outcome["edges"][:, 0]
    np.testing.assert_allclose(edges[:, 1, [0, 2]], np.resize([0.5, 0.6], (8, 2)), atol=0.03)
    assert (edges[:, 3, 2] < 0).all() and not outcome["done"].any()
    if isinstance(rule, UCT):
        np.testing.assert_allclose(decision.value, 1, atol=0.1)
        np.testing.assert_allclose(gamble.value, 0.6, atol=0.05)


def test_proofs_hold_beside_chance():
    """What is certain is proved through certain actions; a gamble is not, however it turns out."""
    world = build(
        {
            0: {0: [(1.0, 1)], 1: [(0.9, 3), (0.1, 4)]},
            1: {0: [(1.0, 3)], 1: [(0.5, 3), (0.5, 4)]},
            2: {0: [(0.5, 3), (0.5, 5)]},
        },
        6,
        arrive=np.array([0, 0, 0, 1, 0, 1], np.float32),
        low=0.0,
        high=1.0,
    )
    planner = TreeSearch(as_task(world), UCT(2.0), NoEvaluation(), capacity=64)
    roots = np.array([0, 1, 2] * 4)
    decision, outcome = search_rows(planner, roots, np.full(12, 64), np.arange(12))
    assert outcome["done"].tolist() == [True, True, False] * 4
    assert (outcome["simulations"][roots < 2] < 64).all()
    assert decision.action.tolist() == [0, 0, 0] * 4
    # Both outcomes of the last gamble win, and are proved; the mean says so too.
    assert decision.value.tolist() == pytest.approx([1, 1, 64 / 65] * 4, abs=1e-6)


def test_a_new_chance_node_is_judged_without_bias():
    """By one outcome, drawn with its probability, its reward and discount included."""
    world = random_odds(3, discount=0.9)
    world.mover[0], world.child[0, 0] = 1, [6, 7, 8, 9]
    world.chance[0, 0], world.legal[0, 0] = [0.5, 0.3, 0.0, 0.2], True
    model = model_for(as_task(world), as_task(world).objective, judge_of(world))
    lanes = 20_000
    state = Pending.of(jnp.zeros(lanes, jnp.int32), lanes)
    zeros, seed = jnp.zeros(lanes, jnp.int32), jnp.arange(lanes, dtype=jnp.uint32)
    follow = eqx.filter_jit(model.step)
    leaves = Leaves(zeros, zeros, zeros, zeros, zeros == 0, zeros, seed, jnp.int32(lanes), state)
    step = follow(leaves)
    assert step.chance.all() and not step.over.any()
    assert (step.state.action == 0).all() and (step.state.state == 0).all()
    assert (step.reward == 0).all() and (step.discount == 1).all() and (step.sign == -1).all()
    np.testing.assert_allclose(np.exp(step.logits[0]), [0.5, 0.3, 0, 0.2], atol=1e-6)
    after = world.child[0, 0]
    sign = np.where(world.mover[after] == 1, 1, -1)
    worth = np.where(world.over[after], 0, sign * world.value[after])
    each = -(world.cost[0, 0] + world.arrive[after]) + 0.9 * worth
    drawn = np.abs(np.asarray(step.value)[:, None] - each).argmin(1)
    np.testing.assert_allclose(step.value, each[drawn], atol=1e-5)
    shares = np.bincount(drawn, minlength=4) / lanes
    np.testing.assert_allclose(shares, world.chance[0, 0], atol=4 * np.sqrt(0.25 / lanes))
    # Then each edge of the chance node is one outcome, and a player moves again.
    met = follow(dataclasses.replace(leaves, action=zeros + 3, state=step.state))
    assert (met.state.state == after[3]).all() and (met.state.action == NONE).all()
    np.testing.assert_allclose(met.reward + met.discount * met.value, each[3], atol=1e-5)
    assert not met.chance.any()


def test_outcomes_of_probability_zero_are_never_drawn():
    chances = jnp.broadcast_to(jnp.array([0.0, 1e-6, 0.0, 1 - 1e-6]), (50_000, 4))
    drawn = np.asarray(draw(chances, jnp.arange(50_000, dtype=jnp.uint32)))
    assert set(drawn) <= {1, 3} and (drawn == 1).mean() < 1e-3


class Rigged(OddsTask):
    """What really happens is always the first outcome: a search that looks at it would know."""

    def advance(self, state, action, key):
        return self.child[state, action, 0]


@pytest.mark.parametrize("rule", [UCT(), Gumbel()], ids=["uct", "gumbel"])
def test_the_answer_does_not_depend_on_what_will_happen(rule):
    task = as_task(random_odds(5))
    rigged = Rigged(task.child, task.chance, task.over, task.mover, task.legal_, task.gains)
    answers = [
        decide(TreeSearch(t, rule, NoEvaluation(), capacity=64), 64, root=1) for t in (task, rigged)
    ]
    assert (answers[0].action == answers[1].action).all()
    np.testing.assert_array_equal(answers[0].weights, answers[1].weights)


def test_improper_probabilities_are_reported():
    for row in ([np.nan, 0.5, 0.25, 0.25], [np.inf, 0, 0, 0], [0, 0, 0, 0]):
        world = random_odds(0)
        world.chance[0], world.legal[0] = row, True
        planner = TreeSearch(as_task(world), UCT(), judge_of(world), capacity=64)
        with pytest.raises(NonFiniteError, match="row 0"):
            decide(planner, 16)


# Frozen Lake

LAKE = FrozenLake(horizon=4)
NEAR = jnp.array([6, 8, 9, 10, 13, 14, 4, 0])


def test_the_lake_is_worth_what_dynamic_programming_says():
    values, q = (x[0][np.asarray(NEAR)] for x in lake_optimum(LAKE))
    states = jax.vmap(LakeState)(NEAR, jnp.zeros(8, jnp.int32))
    planner = TreeSearch(LAKE, UCT(0.4, normalise=False), NoEvaluation(), capacity=8192)
    errors = []
    for budget in (32, 8192):
        decision, _ = planner.decide(states, budget=budget, key=jax.random.key(0))
        errors.append(np.abs(np.asarray(decision.value) - values))
    assert errors[0].mean() > 3 * errors[1].mean()
    assert errors[1].max() < 0.05
    assert (values - q[np.arange(8), np.asarray(decision.action)]).max() < 0.02


class Known(Evaluator):
    """The value of best play with the time that is left, and a uniform prior."""

    values: jax.Array
    has_prior: bool = eqx.field(static=True, default=True)
    passes: int = eqx.field(static=True, default=0)
    flops: float = eqx.field(static=True, default=0.0)

    def __call__(self, task, objective, state, live, seed):
        steps = jnp.zeros(live.shape, jnp.int32)
        value = self.values[jnp.minimum(state.time, self.values.shape[0] - 1), state.cell]
        return Evaluation(jnp.zeros((live.shape[0], 4)), value, steps)


def test_the_whole_lake_is_played_as_well_as_can_be():
    """With exact values at the leaves, the expectation over outcomes is all that is missing."""
    task = FrozenLake(horizon=20)
    values, _ = lake_optimum(task)
    planner = TreeSearch(
        task, UCT(0.2, normalise=False), Known(jnp.asarray(values, jnp.float32)), capacity=1024
    )
    # The policy of the search at every cell and time, and what it is worth, exactly.
    time, cell = (x.ravel() for x in np.indices((20, 16)))
    states = jax.vmap(LakeState)(jnp.asarray(cell), jnp.asarray(time))
    decision, _ = planner.decide(states, budget=1024, key=jax.random.key(0))
    action = np.asarray(decision.action).reshape(20, 16)
    after, chances, rewards = lake_transitions(task)
    worth = np.zeros(16)
    for t in reversed(range(20)):
        here = np.arange(16), action[t]
        gains = (chances * (rewards + worth[after.astype(int)]))[here].sum(-1)
        worth = np.where(action[t] >= 0, gains, 0)
    assert values[0, 0] - 0.006 < worth[0] <= values[0, 0] + 1e-6
    # Played from next to the last hole with eight actions left.
    start = jax.vmap(LakeState)(jnp.full(320, 10), jnp.full(320, 12))
    played = rollout(task, planner, key=jax.random.key(0), state=start, budget=1024)
    returns = played.returns[:, 0]
    assert abs(returns.mean() - values[12, 10]) < 3 * returns.std() / np.sqrt(320)


@pytest.mark.parametrize("rule", ["uct", "puct", "gumbel"])
def test_keeps_the_contract_of_deciders(rule):
    planner = TreeSearch(FrozenLake(horizon=8), rule, RandomRollouts(), capacity=64)
    check_decider(planner)


def test_a_network_can_guide_it():
    network = MLP((4, 4, 4), 4, 8, 1, key=jax.random.key(0))
    check_decider(guided_search(LAKE, network))
