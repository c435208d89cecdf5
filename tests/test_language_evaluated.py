"""Claims about models of language that are evaluated: sources, searches and closed forms."""

import inspect
import itertools
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation import make_task
from deliberation.amortised import Transformer, token_losses
from deliberation.claims.experiments.language import (
    chains,
    forks,
    likeliest,
    scaling,
    stars,
    writing,
)
from deliberation.runs import Context
from deliberation.tasks.text import MarkovText
from deliberation.tasks.text.markov_text import _source

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from reproduced import two_state_source

KEY = jax.random.key(0)
HERE = Context.__new__(Context)
"""The experiments use nothing of it."""


# --- sources --------------------------------------------------------------------------------------


def test_a_chain_is_the_source_of_the_task_with_its_table():
    for task in (make_task("two_state_text"), MarkovText(vocabulary=4, order=2, seed=3)):
        table, stationary = _source(*task.source)
        source = chains.chain(jnp.asarray(table, jnp.float32))
        np.testing.assert_allclose(source.stationary, stationary, atol=1e-5)
        assert float(source.entropy_rate) == pytest.approx(task.entropy_rate, abs=1e-5)
        assert float(source.unigram_entropy) == pytest.approx(task.unigram_entropy, abs=1e-5)


def test_texts_of_a_chain_come_as_often_as_it_says():
    source = chains.drawn_chain(KEY, 3, 2)
    texts = chains.drawn_texts(source, KEY, 40_000, 6)
    where = np.asarray(chains.contexts_of(source, texts))
    assert where[0, 0] == 3 * int(texts[0, 0]) + int(texts[0, 1])
    counts = np.zeros((9, 3))
    np.add.at(counts, (where.ravel(), np.asarray(texts[:, 2:]).ravel()), 1)
    often = counts.sum(1) > 2000
    assert often.sum() > 4
    rows = counts / counts.sum(1, keepdims=True)
    np.testing.assert_allclose(rows[often], source.table[often], atol=0.03)
    np.testing.assert_allclose(counts.sum(1) / counts.sum(), source.stationary, atol=0.01)


def test_shuffled_texts_keep_their_tokens_and_flat_chains_their_rows():
    texts = chains.drawn_texts(chains.drawn_chain(KEY, 4, 2), KEY, 50, 12)
    mixed = chains.shuffled(texts, KEY)
    np.testing.assert_array_equal(np.sort(mixed, 1), np.sort(texts, 1))
    assert (np.asarray(mixed) != np.asarray(texts)).any(1).mean() > 0.8
    flat = chains.drawn_chain(KEY, 3, 2, flat=True)
    assert float(jnp.ptp(flat.table, 0).max()) == 0
    assert float(flat.entropy_rate) == pytest.approx(float(flat.unigram_entropy), abs=1e-5)


# --- forks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("calm", [0.5, 0.2])
def test_texts_with_forks_are_those_of_the_task(calm):
    task, it = forks.source(calm), forks.Condition(jnp.float32(calm), jnp.array(False))
    texts = forks.drawn(it, KEY, 4000)
    grades = np.asarray(jax.vmap(task.grade)(texts))
    assert grades.min() > -20 and grades.mean() == pytest.approx(-task.entropy, abs=0.1)
    assert float(forks.least(it)) == pytest.approx(task.entropy, abs=1e-5)
    assert float((jax.vmap(task.chosen)(texts) == 1).mean()) == pytest.approx(calm, abs=0.02)


def test_where_branches_are_alike_letters_tell_nothing_of_them():
    it = forks.Condition(jnp.float32(0.2), jnp.array(True))
    texts = np.asarray(forks.drawn(it, KEY, 4000))
    calm = texts[:, 1] == forks.LETTERS + 1
    for part in (texts[calm, 2:6], texts[~calm, 2:6]):
        often = np.bincount(part.ravel(), minlength=4) / part.size
        np.testing.assert_allclose(often, 0.25, atol=0.03)
    choice = -0.2 * np.log(0.2) - 0.8 * np.log(0.8)
    assert float(forks.least(it)) == pytest.approx(2 * (choice + 4 * np.log(4)), abs=1e-5)


def small(vocabulary, places, key=KEY):
    network = Transformer((places,), vocabulary, 8, 1, 2, key=key)
    return jax.tree.map(lambda part: part * 2.0, network)


@eqx.filter_jit
def log_likelihoods(network, text):
    """At every place, of every token; -1 behind the text."""
    return jax.nn.log_softmax(network.predict(text[None, :-1])[0])


def test_both_branches_are_followed_to_the_next_fork():
    task, seen = forks.TASK, set()
    texts = forks.drawn(forks.Condition(jnp.float32(0.5), jnp.array(False)), KEY, 3)
    for seed in range(4):
        network = small(len(task.symbols), task.places, jax.random.key(seed))
        found = np.asarray(eqx.filter_jit(forks.looked)(network, texts))
        for row, fork in itertools.product(range(3), range(forks.FORKS)):
            at, totals = fork * (forks.AFTER + 2) + 1, []
            for branch in (forks.LETTERS + 1, forks.LETTERS + 2):
                text = np.where(np.arange(task.places) < at, texts[row], -1)
                text[at] = branch
                total = float(log_likelihoods(network, text)[at, branch])
                for place in range(at + 1, at + forks.AFTER + 2):
                    likely = np.asarray(log_likelihoods(network, text)[place])
                    text[place], total = likely.argmax(), total + likely.max()
                totals.append(total)
            assert found[row, fork] == (totals[0] > totals[1])
            seen.add(float(found[row, fork]))
    assert seen == {0.0, 1.0}


def test_what_is_written_has_the_probability_that_is_told():
    network = small(5, 9)
    begun = jnp.array([[1, 2, 3], [4, 0, -1]])
    for heat in (1.0, 0.0):
        new, nats = writing.written(network, begun, KEY, 4, heat)
        for row, had in ((0, 3), (1, 2)):
            text = jnp.concatenate([begun[row, :had], new[row]])[None]
            lost = token_losses(network, text)[0, had:]
            np.testing.assert_allclose(-nats[row], lost, atol=1e-4)
            if heat == 0:
                likely = network.predict(text[:, :-1])[0, had:].argmax(-1)
                np.testing.assert_array_equal(likely, new[row])


def test_reward_for_texts_that_surprise_little_makes_them():
    network = small(4, 6)

    def surprise(of):
        new, _ = writing.written(of, jnp.zeros((2000, 1), jnp.int32), KEY, 5)
        texts = jnp.pad(new, ((0, 0), (1, 0)))
        return float(token_losses(network, texts)[:, 1:].sum(1).mean())

    def prompts(_):
        return jnp.zeros((64, 1), jnp.int32)

    taught = writing.tuned(network, prompts, 5, KEY, steps=60, rate=1e-2)
    assert surprise(taught) < surprise(network) - 0.5


def test_models_take_each_branch_as_often_as_their_data():
    told = {"trainings": 2, "arm": "", "key": 1, "steps": 300, "tunings": 100}
    found = {k: np.mean(v, 0) for k, v in forks.train(told, HERE).outcomes.items()}
    np.testing.assert_allclose(found["share"], forks.CALM, atol=0.06)
    assert (found["tuned"][: forks.APART] > 0.9).all()
    assert found["planned"].tolist() == [1, 1] and found["looked"][: forks.APART].min() > 0.9


# --- chains ---------------------------------------------------------------------------------------


def test_who_tells_the_source_itself_is_not_apart_from_it():
    source, other = (chains.drawn_chain(jax.random.key(seed), 4, 2) for seed in (0, 1))
    texts = chains.drawn_texts(source, KEY, 50, scaling.LENGTH)
    at = np.asarray(chains.contexts_of(source, texts))
    told = jnp.pad(jnp.log(source.table)[at], ((0, 0), (2, 0), (0, 0)))
    assert float(chains.divergence(source, texts, told)) == pytest.approx(0, abs=1e-6)
    apart = float(chains.divergence(other, texts, told))
    rows, wrong = np.asarray(other.table)[at], np.asarray(source.table)[at]
    assert apart == pytest.approx((rows * np.log(rows / wrong)).sum(-1).mean(), abs=1e-4)
    assert apart > 0.3


def test_the_likeliest_texts_are_those_of_brute_force():
    source = chains.drawn_chain(KEY, 3, 2)
    every = jnp.asarray(likeliest.all_texts())
    logs = jnp.log(source.table)[chains.contexts_of(source, every.reshape(-1, 10))]
    new = every.reshape(-1, 10)[:, 2:]
    total = jnp.take_along_axis(logs, new[..., None], -1)[..., 0].sum(1).reshape(9, -1)
    best = -(source.stationary @ total.max(1)) / 8
    assert float(scaling.likeliest(source, 8)) == pytest.approx(float(best), abs=1e-5)
    assert (np.asarray(every[:, 0, 0] * 3 + every[:, 0, 1]) == np.arange(9)).all()


def test_beams_find_what_a_plain_loop_does():
    each = np.random.default_rng(0).gumbel(size=(likeliest.TEXTS, likeliest.PLACES))
    sums = np.zeros_like(each)
    for at in range(likeliest.PLACES):  # texts with the same beginning share its probability
        step = 3 ** (likeliest.PLACES - 1 - at)
        before = sums[:, at - 1] if at else 0.0
        sums[:, at] = before + np.repeat(each[::step, at], step)
    levels = [np.asarray(level) for level in likeliest.levels(jnp.asarray(sums))]
    assert [len(level) for level in levels] == [3**n for n in range(1, likeliest.PLACES + 1)]
    for width in (1, 3):
        found, held = np.asarray(likeliest.beam(jnp.asarray(sums), width)), [()]
        for at in range(likeliest.PLACES):
            more = [(*text, token) for text in held for token in range(3)]
            score = {text: levels[at][_number(text)] for text in more}
            held = sorted(more, key=lambda text, score=score: -score[text])[:width]
            assert found[at] == pytest.approx(score[held[0]], abs=1e-4)
    everything = likeliest.beam(jnp.asarray(sums), likeliest.TEXTS)
    np.testing.assert_allclose(everything, [level.max() for level in levels], atol=1e-5)


def _number(text):
    return int(sum(token * 3**place for place, token in enumerate(reversed(text))))


def test_the_likeliest_tokens_make_the_likeliest_text_only_where_they_are_drawn_alone():
    told = {"trainings": 4, "arm": "", "key": 1, "steps": 200}
    chained, flat = (
        np.array(likeliest.train({**told, **more}, HERE).outcomes["short"])
        for more in ({}, {"null": True})
    )
    assert chained.min() > -1e-4 and flat.min() > -1e-4
    np.testing.assert_allclose(chained[..., 0], 0, atol=1e-5)
    assert chained[:, :, 0, -1].mean() > 4 * flat[:, :, 0, -1].mean()
    assert (np.diff(chained.mean((0, 1, 3))) < 1e-4).all()


# --- the two-state source -------------------------------------------------------------------------


def test_numbers_of_the_two_state_source_hold():
    texts, chances = two_state_source.all_texts()
    assert len(texts) == 256 and chances.sum() == pytest.approx(1)
    rows = two_state_source.reproduce("smoke", KEY)
    assert len(rows) == 6 and all(row.near for row in rows), rows


# --- paths on a star ------------------------------------------------------------------------------


def test_a_star_as_text_names_its_edges_and_its_path():
    some = stars.draw(KEY, 4)
    forward, backward = (np.asarray(stars.written_out(some, back=b)) for b in (False, True))
    np.testing.assert_array_equal(forward[:, : stars.ASKED], backward[:, : stars.ASKED])
    np.testing.assert_array_equal(forward[:, stars.ASKED :], backward[:, : stars.ASKED - 1 : -1])
    for row, (start, goal) in zip(forward, np.asarray(some.told), strict=True):
        words = row[: stars.EDGES] - stars.SIGN - 1
        edges = {(int(w) // stars.NAMES, int(w) % stars.NAMES) for w in words}
        path = row[stars.ASKED :].tolist()
        assert (path[0], path[-1]) == (start, goal) and row.max() < stars.WORDS
        assert set(itertools.pairwise(path)) <= edges and len(edges) == stars.EDGES


def test_the_first_move_is_the_node_next_to_the_start_whichever_way_it_is_written():
    """Of who tells the true next token with one node wrong: that node counts where it stands."""
    some = stars.draw(KEY, 64)
    for back in (False, True):
        texts = stars.written_out(some, back=back)
        first = some.path[:, 0]

        class Teller:
            def predict(self, seen, texts=texts, first=first):
                said = jax.nn.one_hot(texts, stars.WORDS)
                start = some.told[:, 0]
                # Every first move is told as the start, which is never right there.
                wrong = jnp.where(texts == first[:, None], start[:, None], texts)
                at = jnp.arange(stars.PLACES) > stars.ASKED
                return jnp.where(at[:, None], jax.nn.one_hot(wrong, stars.WORDS), said)

        found = inspect.unwrap(stars.judged)(Teller(), texts, back=back)
        assert float(found["first"]) == 0 and float(found["others"]) == 1
        assert float(found["whole"]) == 0


def test_backward_a_transformer_learns_the_path_within_few_steps():
    settings = {"trainings": 1, "arm": "backward", "key": 0, "steps": 300}
    found = stars.train(settings, HERE).outcomes
    assert found["first"][0] > 0.9 and found["whole"][0] > 0.9 and found["searched"] == [1.0]
    plain = stars.train({**settings, "arm": "forward", "steps": 3}, HERE).outcomes
    nulled = stars.train({**settings, "arm": "forward", "null": True}, HERE).outcomes
    assert plain["first"][0] < 0.7 and nulled["first"] == found["first"]
