"""Thinking aloud: worlds, arms and controls of the claims about what is written before answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import LanguageModel
from deliberation.claims.experiments.language import countdown_texts, serial
from deliberation.claims.experiments.language.writing import written
from deliberation.claims.language.aloud import effort_by_size, thinking_aloud, traces_or_paths
from deliberation.core.contract.text_model import Sampling
from deliberation.runs import Context
from deliberation.stats import pass_at_k
from deliberation.tasks.text.base import TextState

KEY = jax.random.key(4)
HERE = Context.__new__(Context)
"""The experiments use nothing of it."""


# --- what is written ------------------------------------------------------------------------------


def test_it_writes_what_the_model_of_text_writes():
    network = serial.built("chain", 16, KEY)
    prompts = serial.draw(serial.machine(KEY), KEY, 5).prompts
    ours = jax.jit(lambda n: written(n, prompts, KEY, 3, 0.0)[0])(network)
    model = LanguageModel(network)
    theirs = model.write(np.asarray(prompts), key=KEY, tokens=3, sampling=Sampling(0.0))
    np.testing.assert_array_equal(ours, theirs.tokens)


# --- machines -------------------------------------------------------------------------------------


def test_states_follow_from_the_moves_made_in_order():
    moves = serial.machine(KEY)
    assert (np.sort(moves, 1) == np.arange(serial.STATES)).all()
    runs = serial.draw(moves, KEY, 50)
    for prompt, states in zip(np.asarray(runs.prompts), np.asarray(runs.states), strict=True):
        state = prompt[0]
        assert prompt[-1] == serial.COLON
        for move, after in zip(prompt[1:-1] - serial.STATES, states, strict=True):
            state = moves[move, state]
            assert state == after


def test_the_ways_differ_in_what_they_read_and_are_told_alone():
    runs = serial.draw(serial.machine(KEY), KEY, 6)
    told = {name: serial.told(runs, name) for name in serial.ARMS}
    long, first = serial.LONG, serial.PROMPT
    for name, (read, target, counts) in told.items():
        np.testing.assert_array_equal(read[:, :first], runs.prompts)
        np.testing.assert_array_equal(target[:, -1], runs.states[:, -1])
        aloud = name in ("chain", "filler", "unread")
        assert read.shape[1] == first + (long - 1) * aloud and target.shape[1] == len(counts)
    np.testing.assert_array_equal(told["chain"][0][:, first:], runs.states[:, :-1])
    np.testing.assert_array_equal(told["chain"][1], told["unread"][1])
    np.testing.assert_array_equal(told["filler"][0], told["unread"][0])
    assert (told["filler"][0][:, first:] == serial.DOT).all()
    assert told["filler"][2].tolist() == [0.0] * (long - 1) + [1.0]
    assert told["chain"][2].tolist() == told["unread"][2].tolist() == [1.0] * long


def test_in_the_null_states_are_those_of_another_prompt_and_answers_their_own():
    runs = serial.draw(serial.machine(KEY), KEY, 6)
    read, target, _ = serial.told(runs, "chain", strange=True)
    np.testing.assert_array_equal(read[1:, serial.PROMPT :], runs.states[:-1, :-1])
    np.testing.assert_array_equal(target[:, -1], runs.states[:, -1])


@pytest.mark.parametrize(("name", "passes"), [("once", 5), ("deep", 5), ("chain", 7)])
def test_operations_are_those_of_the_network(name, passes):
    network = serial.built(name, 16, KEY)
    each = LanguageModel(network).flops_per_token
    assert serial.operations(name, 16) == passes * each
    assert serial.operations("deep", 16) > serial.operations("chain", 16)


@pytest.mark.parametrize("reads", [True, False])
def test_a_state_put_in_is_followed_by_who_reads_it(monkeypatch, reads):
    """Stand-ins: one goes on from the state that stands last, one from the prompt alone."""
    moves, first = serial.machine(KEY), serial.PROMPT
    runs = serial.draw(moves, KEY, 40)

    def write(network, texts, key, places, heat):
        order, had = texts[:, 1 : first - 1] - serial.STATES, texts.shape[1] - first
        if reads:
            return serial.run(moves, texts[:, -1], order[:, had:]), heat
        return serial.run(moves, texts[:, 0], order)[:, had : had + places], heat

    monkeypatch.setattr(serial, "written", write)
    found = serial.disturbed(serial.built("chain", 8, KEY), moves, runs, runs.states, KEY)
    assert float(found["followed"]) == float(reads) and float(found["undone"]) == 0


# --- Countdown ------------------------------------------------------------------------------------


@pytest.fixture
def _small(monkeypatch):
    monkeypatch.setattr(countdown_texts, "POOL", 300)
    monkeypatch.setattr(countdown_texts, "ASKED", 40)


def _parts(name, key):
    """What a training learns from, and what it is asked."""
    pool = countdown_texts.lessons(name)
    asked, order, n = countdown_texts.split(key, jnp.asarray(pool.problem), len(pool.first))
    return pool.texts[np.asarray(order)[: int(n)]], pool.texts[pool.first[np.asarray(asked)]]


def _problems(texts):
    return [(*sorted(row[:3]), row[4]) for row in texts.tolist()]


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("name", ["paths", "searches"])
def test_problems_that_are_asked_are_different_and_in_no_text_in_any_order(name):
    learnt, asked = _parts(name, KEY)
    assert len(set(_problems(asked))) == len(asked) == 40
    assert not set(_problems(learnt)) & set(_problems(asked))
    every = countdown_texts.lessons(name)
    assert set(_problems(learnt)) | set(_problems(asked)) == set(_problems(every.texts))
    assert len(every.first) == len(set(_problems(every.texts)))


@pytest.mark.usefixtures("_small")
def test_each_training_splits_the_pool_by_its_own_key_and_all_ways_alike():
    one, other = (_parts("paths", jax.random.key(k))[1] for k in (1, 2))
    assert 0 < len(set(_problems(one)) & set(_problems(other))) < 40
    for name in countdown_texts.ARMS:
        learnt, asked = _parts(name, KEY)
        np.testing.assert_array_equal(learnt[:, :6], _parts("paths", KEY)[0][:, :6])
        np.testing.assert_array_equal(asked[:, :6], _parts("paths", KEY)[1][:, :6])


def test_a_blind_writer_draws_from_what_the_grammar_allows():
    """Counted from texts that are drawn token by token, where it is computed from all lines."""
    task = countdown_texts.world("paths")
    prompt, n = jnp.asarray(task.encode("4 2 2 -> 8 :")), 4000

    def text(key):
        def add(tokens, now):
            place, key = now
            allowed = task.well_formed(TextState(tokens, place))
            token = jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf))
            return tokens.at[len(prompt) + place].set(token), None

        room = task.answer_places
        blank = jnp.concatenate([prompt, jnp.full(room, -1)])
        return jax.lax.scan(add, blank, (jnp.arange(room), jax.random.split(key, room)))[0]

    texts = jax.jit(jax.vmap(text))(jax.random.split(KEY, n))
    counted = float(jax.vmap(task.grade)(texts).mean())
    exact = countdown_texts.blind(np.asarray(prompt), task.most)
    assert abs(counted - exact) < 4 * np.sqrt(exact * (1 - exact) / n) and 0 < exact < 1


def test_searches_of_other_problems_leave_each_path_its_own(monkeypatch):
    monkeypatch.setattr(countdown_texts, "POOL", 300)
    task = countdown_texts.world("searches")
    own, strange = (countdown_texts.lessons("searches", strange=s).texts for s in (False, True))
    so = task.encode("so")[0]
    grade = jax.jit(jax.vmap(task.grade))
    np.testing.assert_array_equal(grade(jnp.asarray(own)), grade(jnp.asarray(strange)))
    np.testing.assert_array_equal(own == so, strange == so)
    np.testing.assert_array_equal((own >= 0).sum(1), (strange >= 0).sum(1))
    assert (own != strange).any(1).mean() > 0.8


def test_coverage_is_the_unbiased_one():
    right = jnp.arange(countdown_texts.SAMPLES + 1.0)
    for k in countdown_texts.BUDGETS:
        ours = countdown_texts.covers(right, k)
        np.testing.assert_allclose(ours, pass_at_k(right, countdown_texts.SAMPLES, k), atol=1e-6)


def test_operations_and_texts_drawn_for_them():
    for width in effort_by_size.WIDTHS[:2]:
        network = countdown_texts.built(countdown_texts.world("paths"), width, KEY)
        assert LanguageModel(network).flops_per_token == countdown_texts.operations(width)
    assert [effort_by_size.drawn_for(*pair) for pair in ((8, 16), (16, 32), (32, 64))] == [3, 3, 3]


def test_statements_tell_the_settings_of_the_quick_effort():
    moves, learnt = f"{serial.LONG} moves", "700 different problems"
    aloud, steps = f"{thinking_aloud.STEPS['quick']:,}", f"{traces_or_paths.STEPS['quick']:,}"
    for claim, words in {
        thinking_aloud: (moves, f"{aloud} steps of {serial.BATCH} prompts"),
        traces_or_paths: (learnt, f"{steps} steps of {countdown_texts.BATCH} texts"),
        effort_by_size: (moves, learnt, f"{aloud} steps", f"{steps} steps"),
    }.items():
        for word in words:
            assert word in claim.CLAIM["statement"], word
    assert 650 <= len(countdown_texts.lessons("paths").first) - countdown_texts.ASKED < 750


# --- trainings ------------------------------------------------------------------------------------


def test_a_chain_is_learned_where_each_state_is_read():
    told = {"trainings": 2, "arm": "chain", "key": 9, "steps": 300, "width": 32}
    found = serial.train(told, HERE).outcomes
    assert np.mean(found["along"]) > 0.6 and min(found["followed"]) > 0.5
    assert max(found["right"]) <= 1 and found["voted"] == found["right"]
    assert np.shape(found["along"]) == (2, serial.LONG)


def test_small_trainings_of_paths_are_whole(monkeypatch):
    monkeypatch.setattr(countdown_texts, "POOL", 200)
    monkeypatch.setattr(countdown_texts, "ASKED", 30)
    told = {"trainings": 2, "arm": "paths", "key": 9, "steps": 3, "width": 8}
    found = countdown_texts.train(told, HERE).outcomes
    assert np.shape(found["covered"]) == (2, len(countdown_texts.BUDGETS))
    assert (np.diff(found["covered"]) >= 0).all() and found["again"] == found["solved"]
    null = countdown_texts.train({**told, "null": True, "trainings": 5}, HERE).outcomes
    assert null["covered"] == null["chance"]
    # Among others a training ends where it ends among few, and the null changes the choice alone.
    np.testing.assert_allclose(null["loss"][:2], found["loss"], atol=1e-4)
    np.testing.assert_allclose(null["chance"][:2], found["chance"], atol=0.02)
