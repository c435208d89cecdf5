"""Dyna: its tables by hand, the optimum of small worlds, planning that saves experience."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import check_decider, misere
from deliberation.core.budget import Budget
from deliberation.core.errors import TooLargeError, UnsuitableTaskError
from deliberation.core.play import rollout
from deliberation.hybrid import DynaQ, DynaSettings, train_dyna
from deliberation.hybrid.learned_models.dyna_table import DynaTable, sweep
from deliberation.tasks import make_task

KEY = jax.random.key(0)
SETTINGS = DynaSettings(steps=250, places=40, outcomes=4)


def world():
    return make_task("gridworld")


def place(state):
    return state.cell


def made(updates=12, settings=SETTINGS, **more):
    settings = replace(settings, updates=updates, hasty=True)
    return train_dyna(world(), key=KEY, settings=settings, place=place, **more)


@pytest.fixture(scope="module")
def trained():
    return made()


def at(cell):
    return eqx.tree_at(lambda s: s.cell, world().init(KEY), jnp.int32(cell))


def table_of(*cells):
    task = world()
    table = DynaTable.empty(task, task.init(KEY), 1, 4, 2)
    rows = []
    for cell in cells:
        table, row = table.enter(task, place, at(cell))
        rows.append(int(row))
    return table, rows


def test_places_are_written_down_once_and_never_beyond_the_room():
    table, rows = table_of(7, 3, 7, 0)
    assert rows == [0, 1, 0, 2] and int(table.count) == 3
    assert tuple(map(int, table.find(jnp.array([3])))) == (1, 1)
    assert not bool(table.find(jnp.array([9]))[1])
    full, rows = table_of(7, 3, 0, 1, 2, 3, 5)
    assert rows == [0, 1, 2, 3, 4, 1, 5] and int(full.count) == 5
    np.testing.assert_array_equal(full.prints[:, 0], [7, 3, 0, 1])
    lost = full.remember(*map(jnp.int32, (4, 0, 0)), jnp.float32(1), jnp.bool_(False))
    assert int(lost.tried) == 0 and int(lost.tries.sum()) == 0


def remembered():
    """0 -a1-> 1 earns 1; 1 -a2-> 0 earns 3 or ends with 5; (0, a1) was seen again, earning 2."""
    table, _ = table_of(7, 3)
    for here, action, there, reward, ends in (
        (0, 1, 1, 1.0, False), (1, 2, 0, 3.0, False), (1, 2, 1, 5.0, True), (0, 1, 1, 2.0, False),
    ):  # fmt: skip
        ints = map(jnp.int32, (here, action, there))
        table = table.remember(*ints, jnp.float32(reward), jnp.bool_(ends))
    return table


def test_sweeps_and_backups_are_those_by_hand():
    table = remembered()
    assert int(table.tried) == 2 and int(table.remembered) == 4
    np.testing.assert_array_equal(table.pairs[:2], [1, 6])
    q = jnp.zeros((4, 4)).at[0, 1].set(10.0).at[1, 2].set(20.0).at[0, 0].set(99.0)
    swept = sweep(table, q, table.reward, 0.5)
    # (0, a1): mean of 1 and 2, and half of 20. (1, a2): (3 + half of 10, and 5) / 2.
    assert float(swept[0, 1]) == pytest.approx(11.5)
    assert float(swept[1, 2]) == pytest.approx(6.5)
    assert float(swept[0, 0]) == 99
    table = eqx.tree_at(lambda t: t.q, table, q)
    ints = map(jnp.int32, (1, 2, 0))
    once = table.back_up(*ints, jnp.float32(3.0), jnp.bool_(False), 0.5, 0.1)
    # Habits do hope for what was never tried: 20 + 0.1 (3 + 99 / 2 - 20).
    assert float(once.q[1, 2]) == pytest.approx(23.25)
    seen = {float(table.replay(k, 0.5, 1.0).q[1, 2]) for k in jax.random.split(KEY, 40)}
    assert seen == {20.0, 52.5, 5.0}


def test_habits_reach_the_optimum_and_planning_finds_another_aim(trained):
    decider, spent = trained.decider, trained.ledger
    for budget in (0, 50):
        played = rollout(world(), decider, key=KEY, batch=8, budget=budget)
        np.testing.assert_array_equal(played.lengths, 8)
    opposite = misere(world().objective)
    deaf, heard = (
        rollout(world(), decider, key=KEY, batch=8, budget=b, objective=opposite) for b in (0, 50)
    )
    np.testing.assert_array_equal(deaf.lengths, 8)
    assert heard.lengths.min() > 8 and (heard.returns > 0).all()
    assert spent.data == 3000 and spent.fits == spent.model_steps == 3000 * 11


def test_planning_saves_experience(trained):
    idle = made(settings=DynaSettings(steps=250, planning=0, places=40, outcomes=4))
    early = slice(0, 6)
    assert trained.metrics["score"][early].mean() > idle.metrics["score"][early].mean() + 0.1


def test_a_few_sweeps_revise_forgotten_habits(trained):
    decider = trained.decider
    blank = eqx.tree_at(lambda d: d.table.q, decider, jnp.zeros_like(decider.table.q))
    lengths = [
        rollout(world(), blank, key=KEY, batch=8, budget=b).lengths.mean() for b in (0, 4, 50)
    ]
    assert lengths[0] > 12 and lengths[2] == 8 and lengths[0] > lengths[1] > lengths[2]


def test_it_keeps_the_contract_and_counts_every_sweep(trained):
    decider = trained.decider
    check_decider(decider, budget=3)
    state = jax.vmap(world().init)(jax.random.split(KEY, 4))
    each = int(decider.table.remembered)
    budget = Budget(jnp.array([0, 1, 2, 2**30]), jnp.array([2**30, 2**30, 2 * each - 1, 2**30]))
    steps = np.asarray(decider.decide(state, budget=budget, key=KEY)[0].spent.model_steps)
    np.testing.assert_array_equal(steps[:3], [0, each, each])
    assert steps[3] < 100 * each
    far = eqx.tree_at(lambda d: d.table.count, decider, jnp.int32(0))
    unknown, _ = far.decide(state, budget=5, key=KEY)
    np.testing.assert_allclose(unknown.weights, 0.25)
    np.testing.assert_array_equal(unknown.spent.model_steps, 0)


def test_a_killed_training_ends_with_the_same_bits(trained, tmp_path):
    made(folder=tmp_path, watch=lambda step, metrics: step == 5)
    again = made(folder=tmp_path)
    pairs = zip(jax.tree.leaves(trained.carry), jax.tree.leaves(again.carry), strict=True)
    for a, b in pairs:
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b)


def test_a_discount_may_be_an_array(trained, recwarn):
    decider = DynaQ(world(), trained.decider.table, gamma=jnp.float32(0.5), place=place)
    assert decider.gamma == 0.5 and not recwarn


def test_what_it_cannot_serve_is_refused(trained):
    with pytest.raises(TooLargeError, match="raise DynaSettings"):
        train_dyna(world(), key=KEY, settings=replace(SETTINGS, updates=1, hasty=True))
    for name in ("tic_tac_toe", "pendulum", "gridworld_hidden"):
        with pytest.raises(UnsuitableTaskError):
            DynaQ(make_task(name), trained.decider.table)
