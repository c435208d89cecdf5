"""Planning over beliefs and mixtures, against answers worked out by other means."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import Budget, check_decider, misere, rollout
from deliberation.core.errors import UnsuitableTaskError
from deliberation.direct import BayesMixture, BeliefPlanning, HistorySearch, optimal_return
from deliberation.direct.exact.belief_graph import Particles, grow, valued
from deliberation.tasks import make_task
from deliberation.tasks.grids.frozen_lake import FrozenLake
from deliberation.tasks.hidden.tiger import Tiger, TigerState

KEY = jax.random.key(0)
ACCURACIES, PRIOR = (0.6, 0.95), (0.3, 0.7)


def first(task, batch=1):
    return jax.vmap(task.init)(jax.random.split(KEY, batch))


def heard(tiger, lead, heard, gain, time):
    """A batch of states of the tiger."""
    return jax.vmap(TigerState)(*jnp.broadcast_arrays(tiger, lead, heard, gain, time))


@pytest.mark.parametrize("horizon", [1, 3, 10])
def test_the_tigers_optimum_is_found(horizon):
    task = make_task("tiger", horizon=horizon)
    decision, _ = BeliefPlanning(task).decide(first(task), key=KEY)
    assert float(decision.value[0]) == pytest.approx(
        float(task.objective.optimum(task.init(KEY))), abs=1e-3
    )


def maze_value(cells, left):
    """The best return from a belief over cells, by the rules in plain Python."""
    if left == 0:
        return 0.0
    return max(maze_action(cells, action, left) for action in range(4))


LOOKS = (9, 10, 8, 10, 12, 5, 5, 5, 7, 7, 7)
TO = (
    (0, 5, 0, 1), (1, 1, 0, 2), (2, 6, 1, 3), (3, 3, 2, 4), (4, 7, 3, 4), (0, 8, 5, 5),
    (2, 9, 6, 6), (4, 10, 7, 7), (5, 8, 8, 8), (6, 9, 9, 9), (7, 10, 10, 10),
)  # fmt: skip


def maze_action(cells, action, left):
    gain, after = 0.0, {}
    for cell, p in cells:
        to = TO[cell][action]
        reward = 10 if to == 9 else -10 if to == cell else -1
        gain += p * reward
        spread = [(c, p / 10) for c in range(11) if c != 9] if to == 9 else [(to, p)]
        for c, q in spread:
            seen = after.setdefault((reward, LOOKS[c]), {})
            seen[c] = seen.get(c, 0) + q
    for seen in after.values():
        total = sum(seen.values())
        gain += total * maze_value([(c, q / total) for c, q in seen.items()], left - 1)
    return gain


@pytest.mark.parametrize(("look", "cells"), [(5, (5, 6, 7)), (7, (8, 10)), (10, (1, 3))])
def test_the_mazes_action_values_are_those_of_the_rules(look, cells):
    del look
    task = make_task("cheese_maze", horizon=3)
    state = task.init(KEY)
    belief = jnp.zeros(11).at[jnp.array(cells)].set(1 / len(cells))
    state = eqx.tree_at(lambda s: (s.cell, s.belief), state, (jnp.int32(cells[0]), belief))
    decision, _ = BeliefPlanning(task).decide(jax.tree.map(lambda x: x[None], state), key=KEY)
    share = [(c, 1 / len(cells)) for c in cells]
    exact = [maze_action(share, a, 3) for a in range(4)]
    assert float(decision.value[0]) == pytest.approx(max(exact), abs=1e-4)
    best = np.isclose(exact, max(exact), atol=1e-5)
    assert np.array_equal(np.asarray(decision.weights[0]) > 0, best)


def test_the_whole_mazes_value_is_that_found_by_listing_all_its_states():
    task = make_task("cheese_maze", horizon=5)
    states, chances = task.starts()
    decision, _ = BeliefPlanning(task).decide(states, key=KEY)
    assert float((decision.value * chances).sum()) == pytest.approx(optimal_return(task), abs=1e-4)


def test_nothing_hidden_is_planned_for_as_well():
    task = make_task("biased_rps", horizon=6)
    decision, _ = BeliefPlanning(task).decide(first(task), key=KEY)
    assert float(decision.value[0]) == pytest.approx(
        float(task.objective.optimum(task.init(KEY))), abs=1e-5
    )
    assert int(decision.action[0]) == 2


def test_what_comes_later_counts_less():
    task = make_task("tiger", horizon=5, discount=0.5)
    decision, _ = BeliefPlanning(task).decide(first(task), key=KEY)
    exact = float(task.objective.optimum(task.init(KEY)))
    assert float(decision.value[0]) == pytest.approx(exact, abs=1e-4)
    assert abs(exact - float(make_task("tiger", horizon=5).objective.optimum(task.init(KEY)))) > 0.5


def test_another_objective_is_followed():
    task = make_task("tiger", horizon=2)
    decision, _ = BeliefPlanning(task).decide(
        first(task), objective=misere(task.objective), key=KEY
    )
    assert int(decision.action[0]) in (1, 2)
    # Open a door twice: 45 each on average.
    assert float(decision.value[0]) == pytest.approx(90)


def test_budgets_are_kept_a_layer_at_a_time():
    task = make_task("tiger", horizon=8)
    planner, state = BeliefPlanning(task), first(task, 3)
    decision, _ = planner.decide(state, budget=Budget(jnp.array([0, 1, 4])), key=KEY)
    # One belief of two states, three actions, two outcomes; then four more, as opening tells one.
    assert np.asarray(decision.spent.model_steps)[:2].tolist() == [0, 12]
    assert np.allclose(decision.value, [0, -1, -1])
    assert np.allclose(decision.weights[0], 1 / 3)
    # Rows that know the same share a search, and each counts all of it.
    shared, _ = planner.decide(state, budget=1, key=KEY)
    assert np.asarray(shared.spent.model_steps).tolist() == [12, 12, 12]
    limited, _ = planner.decide(state, budget=Budget(model_steps=100), key=KEY)
    assert (np.asarray(limited.spent.model_steps) <= 100).all()


def test_the_contracts_are_kept():
    check_decider(BeliefPlanning(make_task("cheese_maze", horizon=5)), budget=30)
    check_decider(BeliefPlanning(make_task("tiger", horizon=5)))
    worlds = [make_task("tiger", accuracy=a, horizon=5) for a in ACCURACIES]
    check_decider(BayesMixture(worlds, horizon=2))


def test_search_by_simulation_comes_close_to_the_optimum():
    """HistorySearch draws where BeliefPlanning lists: the same best action."""
    task = make_task("tiger", horizon=3)
    for lead, best in ((0, 0), (2, 2), (-2, 1)):
        state = heard(*(jnp.full(1, x, jnp.int32) for x in (0, lead, 0, 1, 2)))
        exact, _ = BeliefPlanning(task).decide(state, key=KEY)
        found, _ = HistorySearch(task, budget=4000).decide(state, key=KEY)
        assert int(exact.action[0]) == int(found.action[0]) == best


# The mixture, against sums over everything that could have happened.


def likelihood(accuracy, sounds):
    """Of what was heard since the tiger was put somewhere, by where it is."""
    return [
        0.5 * np.prod([accuracy if s == side else 1 - accuracy for s in sounds] or [1.0])
        for side in range(2)
    ]


def mixture_values(past, sounds, left):
    """Action values: `past` weighs the worlds by closed rounds, `sounds` is this round's."""
    if left == 0:
        return [0.0]
    joint = [[w * x for x in likelihood(a, sounds)] for w, a in zip(past, ACCURACIES, strict=True)]
    total = sum(map(sum, joint))
    listen = -1.0
    for side in range(2):
        more = [[w * x for x in likelihood(a, (*sounds, side))]
                for w, a in zip(past, ACCURACIES, strict=True)]  # fmt: skip
        p = sum(map(sum, more)) / total
        listen += p * best_value(past, (*sounds, side), left - 1)
    closed = tuple(sum(x) for x in joint)
    values = [listen]
    for door in range(2):
        tiger = sum(x[door] for x in joint) / total
        values.append(10 - 110 * tiger + best_value(closed, (), left - 1))
    return values


@functools.cache
def best_value(past, sounds, left):
    return max(mixture_values(past, sounds, left))


def worlds(horizon):
    return [Tiger(a, horizon) for a in ACCURACIES]


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_the_mixtures_values_are_those_of_brute_force(horizon):
    mixture = BayesMixture(worlds(horizon), prior=PRIOR)
    decision, _ = mixture.decide(first(mixture.task), key=KEY)
    exact = mixture_values(PRIOR, (), horizon)
    assert float(decision.value[0]) == pytest.approx(max(exact), abs=1e-3)
    assert int(decision.action[0]) == int(np.argmax(exact))


def test_every_action_of_the_mixture_is_valued_as_by_brute_force():
    """After opening a door the state is new and the belief in the worlds is not."""
    hypotheses = worlds(4)
    roots = []
    for world, share in zip(hypotheses, PRIOR, strict=True):
        states, chances = jax.tree.map(np.asarray, world.starts())
        roots.append(Particles(states, np.zeros(2, int), chances.astype(float) * share))
    wants = [world.objective for world in hypotheses]
    grown = grow(hypotheses, wants, roots, np.ones((1, 3), bool), 4, 10**6, 10**6)
    assert np.allclose(valued(grown, 1.0), mixture_values(PRIOR, (), 4), atol=1e-3)
    # Heard twice, 4; opened and heard, 2; and for gold and tiger each: opened at once twice, or
    # after a sound that was true, or after one that was not.
    assert [len(layer.legal) for layer in grown.layers[:3]] == [1, 4, 12]


def test_worlds_are_believed_by_bayes_rule():
    """All eight ways to hear three times, and their exact likelihood in each world."""
    mixture = BayesMixture(worlds(6), prior=PRIOR, horizon=1)
    ways = list(itertools.product(range(2), repeat=3))
    state, memory = first(mixture.task, len(ways)), mixture.begin(len(ways))
    for turn in range(4):
        _, memory = mixture.decide(state, memory, budget=0, key=KEY)
        memory = eqx.tree_at(lambda m: m.action, memory, jnp.zeros(len(ways), jnp.int32))
        if turn < 3:
            side = jnp.array([way[turn] for way in ways], jnp.int32)
            state = heard(
                state.tiger, state.lead + 1 - 2 * side, side, jnp.ones_like(side), state.time + 1
            )
    for row, way in enumerate(ways):
        weight = [p * sum(likelihood(a, way)) for p, a in zip(PRIOR, ACCURACIES, strict=True)]
        exact = np.array(weight) / sum(weight)
        assert np.allclose(memory.posterior[row], exact, atol=1e-5)


def test_it_finds_out_how_slippery_the_ice_is():
    """The posterior comes to the true lake within an episode, and is kept for the next."""
    lakes = [FrozenLake(4, slip, 30) for slip in (0.0, 0.3, 0.9)]
    mixture = BayesMixture(lakes, task=lakes[1], horizon=2)
    state, memory = first(lakes[1], 4), mixture.begin(4)
    step = jax.jit(jax.vmap(lakes[1].advance))
    for turn in range(25):
        _, memory = mixture.decide(state, memory, budget=0, key=jax.random.key(turn))
        action = jnp.maximum(memory.action, 0)
        after = step(state, action, jax.random.split(jax.random.key(turn + 100), 4))
        over = jax.vmap(lakes[1].terminated)(after)
        state = jax.tree.map(
            lambda x, y, over=over: jnp.where(over, y, x), after, first(lakes[1], 4)
        )
    assert (np.argmax(memory.posterior, axis=1) == 1).mean() >= 0.75
    assert float(memory.posterior[:, 0].max()) == 0


def test_play_in_the_mixture_comes_near_to_knowing():
    """Not knowing the accuracy costs little: half of the distance from listening to the optimum."""
    task = Tiger(0.95, 8)
    mixture = BayesMixture([Tiger(0.6, 8), task], task=task, horizon=4)
    found = rollout(task, mixture, key=KEY, batch=32).returns.mean()
    best = float(task.objective.optimum(task.init(KEY)))
    assert found > (best - 8) / 2


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(UnsuitableTaskError, match="players"):
        BeliefPlanning(make_task("kuhn_poker"))
    with pytest.raises(UnsuitableTaskError, match="alike"):
        BayesMixture([make_task("tiger"), make_task("cheese_maze")])
    with pytest.raises(ValueError, match="prior"):
        BayesMixture(worlds(3), prior=(0.5, 0.6))
    with pytest.raises(ValueError, match="at least one"):
        BayesMixture([])
    with pytest.raises(ValueError, match="horizon"):
        BeliefPlanning(make_task("tiger"), horizon=0)
