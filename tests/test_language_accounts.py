"""Accounts of who writes a text: exact worths, what each account can hold, who is told by it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.claims.experiments.language import accounts
from deliberation.runs import Context

KEY = jax.random.key(0)
HERE = Context.__new__(Context)
"""The experiment uses nothing of it."""
SOURCE = accounts.drawn_source(KEY)
ALL = jnp.arange(accounts.PAIRS)


def texts(pair, count):
    """What every continuation earns by the source, by its first token."""
    earned, logs = {}, np.log(np.asarray(SOURCE))
    for tokens in itertools.product(range(accounts.TOKENS), repeat=count):
        at, total = pair, 0.0
        for token in tokens:
            total += logs[at, token]
            at = at % accounts.TOKENS * accounts.TOKENS + token
        earned.setdefault(tokens[0], []).append(total)
    return earned


def test_a_source_leaves_no_token_impossible():
    np.testing.assert_allclose(SOURCE.sum(1), 1.0, rtol=1e-5)
    assert float(SOURCE.min()) >= accounts.FLOOR / accounts.TOKENS - 1e-6
    other = accounts.drawn_source(jax.random.key(1))
    assert float(jnp.abs(SOURCE - other).max()) > 0.2


def test_worths_are_those_of_all_continuations():
    hard, soft = (accounts.worths(jnp.log(SOURCE), kind) for kind in (False, True))
    assert hard.shape == (accounts.LONG, accounts.PAIRS, accounts.TOKENS)
    for count, pair in ((1, 5), (3, 2), (4, 11)):
        every = texts(pair, count)
        for token, earned in every.items():
            assert float(hard[count - 1, pair, token]) == pytest.approx(max(earned), abs=1e-4)
            total = float(jax.nn.logsumexp(jnp.array(earned)))
            assert float(soft[count - 1, pair, token]) == pytest.approx(total, abs=1e-4)


def test_the_planner_takes_the_best_and_trembles():
    table = accounts.planner(SOURCE, jnp.array([0.0, 0.0, 0.0, 30.0]))
    np.testing.assert_allclose(table.argmax(-1), 3)
    np.testing.assert_allclose(table.max(-1), 0.95 + 0.0125, rtol=1e-5)
    plain = accounts.planner(SOURCE, jnp.zeros(accounts.TOKENS))
    np.testing.assert_array_equal(plain[0].argmax(-1), SOURCE.argmax(-1))
    assert (plain[0].argmax(-1) != plain[-1].argmax(-1)).any()


def test_contexts_are_those_of_the_texts():
    table = accounts.planner(SOURCE, jnp.zeros(accounts.TOKENS))
    text, seen = accounts.write(accounts.of_table(table), KEY, 50, accounts.LONG, 3)
    assert text.shape == (50, 5) and int(text.min()) >= 0
    pair = seen.pair.reshape(3, 50)
    for place in range(3):
        np.testing.assert_array_equal(pair[place], text[:, place] * 4 + text[:, place + 1])
    np.testing.assert_array_equal(seen.left, np.repeat([12, 11, 10], 50))
    np.testing.assert_allclose(seen.chance, table[seen.left - 1, seen.pair])
    np.testing.assert_array_equal(accounts.after(pair[0], text[:, 2]), pair[1])
    taken = (seen.chance.argmax(1) == text[:, 2:].T.reshape(-1)).mean()
    assert float(taken) == pytest.approx(0.96, abs=0.06)


def agent(soft, sharp=1.0):
    zeros = jnp.zeros(accounts.TOKENS)
    return accounts.Agent(jnp.float32(sharp), zeros, jnp.float32(-20.0), jnp.bool_(soft))


def test_the_source_is_an_entropy_regularised_planner_of_its_own_predictability():
    """Whatever is left of the text; one who counts only the best continuation is another."""
    said, hard = (jnp.exp(agent(kind)(SOURCE)) for kind in (True, False))
    for left in range(accounts.LONG):
        np.testing.assert_allclose(said[left], SOURCE, atol=1e-4)
    np.testing.assert_allclose(hard[0], SOURCE, atol=1e-4)
    assert float(jnp.abs(hard[1:] - SOURCE).max((1, 2)).min()) > 0.05


def test_a_planner_without_a_tremble_is_a_sharp_account():
    table = accounts.planner(SOURCE, jnp.zeros(accounts.TOKENS))
    said = jnp.exp(agent(False, 1000.0)(SOURCE))
    np.testing.assert_array_equal(said.argmax(-1), table.argmax(-1))
    assert float(jnp.median(said.max(-1))) > 0.99


def test_what_is_lost_is_the_mean_over_contexts():
    model = accounts.Clone(KEY)
    _, seen = accounts.write(lambda *_: jnp.full((40, 4), 0.25), KEY, 40, accounts.LONG, 5)
    said = model(SOURCE)
    assert said.shape == (accounts.LONG, accounts.PAIRS, accounts.TOKENS)
    np.testing.assert_allclose(jnp.exp(said).sum(-1), 1.0, rtol=1e-5)
    plain = -(seen.chance * said[seen.left - 1, seen.pair]).sum(1).mean()
    count = accounts.counted(seen, seen.chance)
    assert float(accounts.lost(model, SOURCE, count)) == pytest.approx(float(plain), rel=1e-5)
    assert float(count.sum()) == pytest.approx(1.0, abs=1e-5) and float(count[:7].sum()) == 0.0


def test_who_writes_by_chance_is_told_alike_and_the_end_is_told_by_the_planners_account():
    told = {"trainings": 3, "arm": "", "key": 1, "steps": 30, "fits": 100}
    found = {k: np.mean(v) for k, v in accounts.train(told, HERE).outcomes.items()}
    assert found["planner_agent_ending"] < found["planner_clone_ending"] - 0.1
    assert 0 < found["changes"] < 0.6 and found["model_excess"] > 0
    assert min(found[f"model_{a}_{p}"] for a in accounts.ACCOUNTS for p in accounts.PLACES) > 0
    null = {k: np.mean(v) for k, v in accounts.train({**told, "null": True}, HERE).outcomes.items()}
    for who, place in itertools.product(accounts.SUBJECTS, accounts.PLACES):
        gap = null[f"{who}_clone_{place}"] - null[f"{who}_agent_{place}"]
        assert abs(gap) < 0.1, (who, place)
