"""A batch of another size finds its program compiled, and no row hears of it."""

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation import Budget, make_task, rollout
from deliberation.core.errors import BatchMismatchError, ForeignStateError, TooLargeError
from deliberation.core.host import cut, filled
from deliberation.core.keys import as_typed_keys
from deliberation.core.play import random_positions
from deliberation.core.rows import padded_size
from deliberation.core.uniform import UniformRandom
from deliberation.direct import (
    CEM,
    AlphaBeta,
    BeamSearch,
    BestOfN,
    HistorySearch,
    RandomShooting,
    TreeSearch,
)
from deliberation.direct.partial_observation.histories import room

compiled: list[str] = []


def _heard(event, seconds, **about):
    if event == "/jax/core/compile/backend_compile_duration":
        compiled.append(event)


jax.monitoring.register_event_duration_secs_listener(_heard)


def test_sizes_are_few_and_never_much_too_large():
    known = {0: 0, 1: 1, 2: 2, 3: 4, 5: 8, 33: 64, 64: 64, 65: 80, 80: 80, 113: 128, 129: 160}
    assert {rows: padded_size(rows) for rows in known} == known
    sizes = [padded_size(rows) for rows in range(1, 1025)]
    assert all(rows <= size for rows, size in enumerate(sizes, 1))
    assert len(set(sizes)) == 7 + 4 * 4
    assert max(size / rows for rows, size in enumerate(sizes, 1) if rows > 64) < 1.25
    assert [padded_size(size) for size in sizes] == sizes


def test_rows_are_filled_up_with_the_first_one_and_cut_off_again():
    keys = jax.random.split(jax.random.key(3), 3)
    tree = {"keys": keys, "rows": jnp.arange(6).reshape(3, 2), "number": jnp.int32(7)}
    full = filled(tree, 3, 5)
    assert full["rows"].tolist() == [[0, 1], [2, 3], [4, 5], [0, 1], [0, 1]]
    assert (full["keys"][jnp.array([0, 1, 2, 0, 0])] == full["keys"]).all()
    assert (full["keys"][:3] == keys).all() and full["number"] == 7
    back = cut(full, 3, 5)
    assert back["rows"].tolist() == tree["rows"].tolist() and (back["keys"] == keys).all()


def test_keys_do_not_depend_on_how_many_rows_are_filled_in():
    key = jax.random.key(5)
    for rows in (1, 3, 5, 70):
        split = jax.random.key_data(jax.random.split(key, rows))
        assert (jax.random.key_data(as_typed_keys(key, rows)) == split).all()


def positions(task, count):
    if task.traits.discrete:
        return random_positions(task, count, jax.random.key(0))
    return jax.vmap(task.init)(jax.random.split(jax.random.key(0), count))


def deciders():
    tic, kuhn, tiles = map(make_task, ("tic_tac_toe", "kuhn_poker", "sliding_tiles"))
    pendulum = make_task("pendulum")
    return {
        "tree": TreeSearch(tic, budget=12),
        "gumbel": TreeSearch(tic, "gumbel", budget=12),
        "histories": HistorySearch(kuhn, budget=12),
        "alpha_beta": AlphaBeta(make_task("connect_3_4x4"), budget=40),
        "beam": BeamSearch(tiles, width=4, budget=12),
        "best_of_n": BestOfN(tic, budget=4),
        "shooting": RandomShooting(pendulum, horizon=5, budget=8),
        "warm": CEM(pendulum, horizon=4, budget=16, warm_start=True),
        "uniform": UniformRandom(tic),
    }


@pytest.mark.parametrize("name", list(deciders()))
def test_a_row_is_answered_and_charged_as_in_a_batch_that_is_not_filled_up(name, monkeypatch):
    decider = deciders()[name]
    key, states = jax.random.key(1), positions(decider.task, 5)
    given = Budget(jnp.array([6, 3, 8, 5, 4])) if name in ("tree", "histories") else None
    found = decider.decide(states, decider.begin(5), key=key, budget=given)
    again = decider.decide(states, found[1], key=key, budget=given)
    for module in ("deliberation.core.answering", "deliberation.direct.tree_search.decider"):
        monkeypatch.setattr(f"{module}.size_for", lambda rows, asked: rows)
    plain = decider.decide(states, decider.begin(5), key=key, budget=given)
    later = decider.decide(states, plain[1], key=key, budget=given)
    for left, right in ((found, plain), (again, later)):
        left, right = (
            jax.tree.map(np.asarray, (d.action, d.weights, d.value, d.root, _counts(d), memory))
            for d, memory in (left, right)
        )
        assert jax.tree.structure(left) == jax.tree.structure(right)
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
            assert np.array_equal(a, b) and a.dtype == b.dtype
    assert found[0].action.shape[0] == 5
    assert (
        np.shape(found[0].spent.seconds) == (5,) and (np.asarray(found[0].spent.seconds) > 0).all()
    )


def _counts(decision):
    spent = decision.spent
    return spent.model_steps, spent.network_evaluations, spent.flops


@pytest.mark.parametrize("name", ["tree", "histories", "best_of_n", "shooting", "uniform"])
def test_a_second_size_of_batch_compiles_nothing(name):
    decider = deciders()[name]
    states = jax.tree.map(np.asarray, positions(decider.task, 8))
    asked = [jax.tree.map(lambda x, n=n: jax.device_put(x[:n]), states) for n in (8, 5, 7)]
    key = jax.random.key(1)
    decider.decide(asked[0], key=key)
    before = len(compiled)
    for some in asked[1:]:
        decider.decide(some, key=key)
    assert len(compiled) == before


def test_what_is_wrong_with_a_call_is_told_of_the_rows_that_were_given():
    task = make_task("tic_tac_toe")
    states = random_positions(task, 3, jax.random.key(0))
    for decider in (TreeSearch(task, budget=4), BestOfN(task, budget=4)):
        with pytest.raises(BatchMismatchError, match="batch of 3"):
            decider.decide(states, budget=Budget(jnp.array([1, 2])), key=jax.random.key(0))
        with pytest.raises(BatchMismatchError, match="batch of 3"):
            decider.decide(states, key=jax.random.split(jax.random.key(0), 2))
        with pytest.raises(ForeignStateError, match="not states of"):
            other = random_positions(make_task("gridworld"), 3, jax.random.key(0))
            decider.decide(other, key=jax.random.key(0))


def test_a_rollout_of_some_rows_spends_what_those_rows_spend():
    task = make_task("kuhn_poker")
    played = rollout(task, HistorySearch(task, budget=8), key=jax.random.key(2), batch=3)
    assert played.returns.shape == (3, 2)
    assert sum(spent.data for spent in played.spent) == 0
    turns, steps = played.turns.sum(), sum(spent.model_steps for spent in played.spent)
    assert 8 * turns <= steps <= 8 * 3 * turns


def test_rows_that_fit_as_they_are_are_not_refused_for_what_is_filled_in():
    task = make_task("kuhn_poker")
    states, key = random_positions(task, 5, jax.random.key(0)), jax.random.key(1)
    most = room(task, 5, 16)
    tight = HistorySearch(task, budget=8, capacity=16, max_bytes=most)
    loose = HistorySearch(task, budget=8, capacity=16)
    answers = [search.decide(states, key=key)[0].value.tolist() for search in (tight, loose)]
    assert answers[0] == answers[1]
    with pytest.raises(TooLargeError, match="for 5 rows"):
        HistorySearch(task, budget=8, capacity=16, max_bytes=most - 1).decide(states, key=key)
