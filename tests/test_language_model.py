"""A transformer as a model of text: what is kept of a text gives what reading it anew gives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import LanguageModel, Transformer, fit_texts, flops
from deliberation.core.contract import Sampling, TextModel
from deliberation.core.contract.text_model import check_counts, check_texts, picked_rows
from deliberation.core.errors import (
    BatchMismatchError,
    ContextOverflowError,
    NonFiniteError,
    TokenizerError,
)

KEY = jax.random.key(0)
VOCABULARY, LONGEST = 7, 12
TEXTS = np.array([
    [3, 1, 4, 1, 5, -1], [2, -1, -1, -1, -1, -1], [-1, -1, -1, -1, -1, -1], [6, 5, 3, 0, 2, 2],
    [1, 1, 0, -1, -1, -1],
])  # fmt: skip
LENGTHS = (TEXTS >= 0).sum(1)


def network(vocabulary=VOCABULARY, longest=LONGEST):
    net = eqx.filter_jit(Transformer)((longest,), vocabulary, 16, 2, 2, key=KEY)
    # Sharper than at the start, so that what is likely differs from place to place.
    return eqx.tree_at(lambda n: n.policy.w, net, 8 * net.policy.w)


@pytest.fixture(scope="module")
def model():
    return LanguageModel(network(), name="small")


@pytest.fixture(scope="module")
def whole(model):
    """Logits after a text, by a full pass over it alone."""
    predict = eqx.filter_jit(model.network.predict)

    def logits(tokens):
        row = np.full(LONGEST, -1, np.int32)
        row[: len(tokens)] = tokens
        return np.asarray(predict(jnp.asarray(row)))[len(tokens)]

    return logits


def written_in(text):
    return [int(t) for t in text if t >= 0]


def test_what_is_kept_gives_the_logits_of_a_full_pass_at_every_place(model, whole):
    logits, memory = model.start(TEXTS)
    texts = [written_in(t) for t in TEXTS]
    for now in range(6):
        for row, text in enumerate(texts):
            np.testing.assert_allclose(logits[row], whole(text), atol=1e-4)
        tokens = np.array([(now + row) % VOCABULARY for row in range(5)])
        for text, token in zip(texts, tokens, strict=True):
            text.append(int(token))
        logits, memory = model.extend(memory, tokens)
    assert [len(t) for t in texts] == list(LENGTHS + 6)


def test_rows_without_a_token_stay_as_they_are(model, whole):
    full = np.arange(12)[None] % VOCABULARY
    texts = np.concatenate([full, np.where(np.arange(12) < 3, full, -1)])
    _, memory = model.start(texts)
    _, memory = model.extend(memory, np.array([-1, 5]))
    logits, memory = model.extend(memory, np.array([-1, 2]))
    np.testing.assert_allclose(logits[1], whole([0, 1, 2, 5, 2]), atol=1e-4)
    _, memory = model.start(texts[1:].repeat(2, 0))
    for tokens in ([4, -1], [-1, -1], [6, 3]):
        logits, memory = model.extend(memory, np.array(tokens))
    np.testing.assert_allclose(logits[0], whole([0, 1, 2, 4, 6]), atol=1e-4)
    np.testing.assert_allclose(logits[1], whole([0, 1, 2, 3]), atol=1e-4)


def test_a_full_row_keeps_its_last_token_while_others_go_on(model, whole):
    texts = np.full((2, 12), -1)
    texts[0, :11], texts[1, :2] = np.arange(11) % VOCABULARY, 3
    _, memory = model.start(texts)
    _, memory = model.extend(memory, np.array([6, 1]))
    _, memory = model.extend(memory, np.array([-1, 1]))
    kept = model.pick(memory, np.array([0]))
    assert np.asarray(kept.cache.length)[0] == 12
    for before, after in zip(memory.cache.keys, model.start(texts)[1].cache.keys, strict=True):
        np.testing.assert_allclose(before[0, :, :12], after[0, :, :12], atol=1e-4)
    with pytest.raises(ContextOverflowError, match="as many already"):
        model.extend(memory, np.array([0, 1]))


def test_neighbours_and_padding_change_nothing(model):
    alone = [model.start(TEXTS[i : i + 1, : max(n, 1)])[0][0] for i, n in enumerate(LENGTHS)]
    wide = np.pad(TEXTS, ((0, 4), (0, 9)), constant_values=-1)
    np.testing.assert_allclose(model.start(TEXTS)[0], alone, atol=1e-5)
    np.testing.assert_allclose(model.start(wide)[0][:5], alone, atol=1e-5)


def test_picked_rows_go_on_by_themselves_and_the_old_memory_stays(model, whole):
    _, memory = model.start(TEXTS)
    picked = model.pick(memory, np.array([3, 0, 3]))
    first, _ = model.extend(picked, np.array([1, 2, 4]))
    again, _ = model.extend(picked, np.array([1, 2, 4]))
    np.testing.assert_array_equal(first, again)
    for logits, (row, token) in zip(first, [(3, 1), (0, 2), (3, 4)], strict=True):
        np.testing.assert_allclose(logits, whole([*written_in(TEXTS[row]), token]), atol=1e-4)


def test_rows_are_picked_by_number_or_by_mask(model):
    _, memory = model.start(TEXTS)
    for rows, wanted in (
        ([-1, 0], [4, 0]), (LENGTHS > 4, [0, 3]), ([], []), (np.zeros(5, bool), []),
    ):  # fmt: skip
        assert picked_rows(5, rows).tolist() == wanted
        picked = model.pick(memory, picked_rows(5, rows))
        assert picked.rows == len(wanted)
        np.testing.assert_array_equal(
            np.asarray(picked.cache.length)[: picked.rows], LENGTHS[wanted]
        )
    for wrong in ([5], [-6], [True], [0.5], [[0]], 0):
        with pytest.raises(IndexError, match="a memory of 5 texts"):
            picked_rows(5, wrong)
    with pytest.raises(IndexError, match="a memory of 5 texts"):
        model.pick(memory, np.array([5]))
    assert model.pick(memory, np.array([-1])).rows == 1


def test_however_cold_it_is_the_likeliest_is_drawn_with_a_probability(model):
    logits = jnp.asarray([[3.0, 1.0, 3.0, -jnp.inf], [-900.0, 200.0, -3e38, 0.0]])
    for cold in (1e-40, 1e-320, 1e-38, 1e-8):
        found = np.exp(np.asarray(Sampling(cold, top_p=0.9).narrowed(logits)))
        np.testing.assert_allclose(found, [[0.5, 0, 0.5, 0], [0, 1, 0, 0]], atol=1e-6)
        options = {"key": KEY, "tokens": 4, "samples": 2, "sampling": Sampling(cold)}
        greedy = model.write(TEXTS, **{**options, "sampling": Sampling(0)})
        for write in (model.write, lambda *a, **o: TextModel.write(model, *a, **o)):
            new = write(TEXTS, **options)
            np.testing.assert_array_equal(new.tokens, greedy.tokens)
            np.testing.assert_allclose(new.logprob, 0.0, atol=1e-5)


@pytest.mark.parametrize("warmth", [0.3, 1.0, 7.0])
def test_usual_temperatures_divide_the_logits(warmth):
    logits = np.asarray(jax.random.normal(KEY, (5, 9))) * 3 + 40
    wanted = logits.astype(float) / warmth
    wanted -= np.log(np.exp(wanted).sum(1, keepdims=True))
    np.testing.assert_allclose(Sampling(warmth).narrowed(jnp.asarray(logits)), wanted, atol=2e-4)


def test_greedy_writing_is_that_of_full_passes(model, whole):
    found = model.write(TEXTS, key=KEY, tokens=6, sampling=Sampling(0.0), stop=3)
    plain = TextModel.write(model, TEXTS, key=KEY, tokens=6, sampling=Sampling(0.0), stop=3)
    np.testing.assert_array_equal(found.tokens, plain.tokens)
    for text, new in zip(TEXTS, found.tokens, strict=True):
        text, wanted = written_in(text), []
        while len(wanted) < 6 and 3 not in wanted:
            wanted.append(int(whole(text + wanted).argmax()))
        assert written_in(new) == wanted
    assert len(set(map(tuple, found.tokens))) > 2
    assert (found.logprob == 0).all()


@pytest.mark.parametrize(
    "how", [Sampling(), Sampling(0.7), Sampling(1.3, top_k=3), Sampling(1.0, top_p=0.6)]
)
def test_writing_draws_what_the_plain_loop_draws(model, how):
    """Both draw from one key, so that not only the distribution is the same."""
    options = {"key": KEY, "tokens": 5, "sampling": how, "stop": 2, "samples": 3}
    found, plain = model.write(TEXTS, **options), TextModel.write(model, TEXTS, **options)
    np.testing.assert_array_equal(found.tokens, plain.tokens)
    np.testing.assert_allclose(found.logprob, plain.logprob, rtol=1e-4)
    np.testing.assert_array_equal(found.spent.network_evaluations, plain.spent.network_evaluations)
    assert (found.logprob < 0).all()


def test_the_probability_of_what_is_written_is_that_of_its_tokens(model, whole):
    found = model.write(TEXTS, key=KEY, tokens=4, samples=2, sampling=Sampling(0.5))
    for row, new in enumerate(found.tokens):
        text, nats = written_in(TEXTS[row // 2]), 0.0
        for token in written_in(new):
            logits = whole(text).astype(np.float64) / 0.5
            nats += logits[token] - np.log(np.exp(logits).sum())
            text.append(token)
        assert found.logprob[row] == pytest.approx(nats, abs=1e-3)


def test_tokens_come_as_often_as_they_are_likely(model, whole):
    """4,096 samples of one text; six standard errors."""
    found = model.write(TEXTS[:1], key=jax.random.key(1), tokens=2, samples=4096)
    logits = whole(written_in(TEXTS[0])).astype(np.float64)
    chances = np.exp(logits) / np.exp(logits).sum()
    shares = np.bincount(found.tokens[:, 0], minlength=VOCABULARY) / 4096
    assert (np.abs(shares - chances) < 6 * np.sqrt(chances * (1 - chances) / 4096) + 1e-3).all()


def test_it_stops_at_the_stop_token_or_the_last_place(model):
    found = model.write(TEXTS, key=KEY, tokens=6, stop=0, samples=8)
    for new in found.tokens:
        there = new >= 0
        ends = np.flatnonzero(new == 0)
        assert (not ends.size and there.all()) or there.sum() == ends[0] + 1
    assert (found.tokens == 0).any() and (found.tokens >= 0).all(1).any()


def test_what_is_spent_counts_a_reading_of_a_text_once(model):
    found = model.write(TEXTS, key=KEY, tokens=4, samples=2)
    reads = np.stack([LENGTHS, np.zeros(5, int)], 1).ravel()
    np.testing.assert_array_equal(found.spent.network_evaluations, reads + 3)
    np.testing.assert_allclose(found.spent.flops, (reads + 3) * model.flops_per_token)
    net = model.network
    per_place = sum(w.w.size for b in net.blocks for w in (b.look, b.merge, b.widen, b.narrow))
    assert model.flops_per_token == 2 * (per_place + 2 * 13 * 16 * 2 + 16 * VOCABULARY)
    heads = 2 * (16 * VOCABULARY + 16)
    assert flops(net) - heads == 13 * (model.flops_per_token - 2 * 16 * VOCABULARY)


def test_a_sweep_of_budgets_compiles_one_program(model):
    from deliberation.amortised.sequence import language_model

    compiled = []
    for tokens, warmth, stop, samples in ((1, 0.5, 3, 1), (4, 0.9, None, 1), (6, 1.5, 0, 1)):
        model.write(
            TEXTS[:4], key=KEY, tokens=tokens, sampling=Sampling(warmth), stop=stop,
            samples=samples,
        )  # fmt: skip
        compiled.append(language_model._write._cached._cache_size())
    assert len(set(compiled)) == 1


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(ContextOverflowError, match="takes 13"):
        model.write(TEXTS, key=KEY, tokens=8)
    model.write(TEXTS, key=KEY, tokens=7)
    with pytest.raises(ContextOverflowError, match="a text has 13"):
        model.start(np.zeros((1, 13), int))
    for wrong in ([[7]], [[1, -1, 2]]):
        with pytest.raises(TokenizerError):
            model.start(np.array(wrong))
    with pytest.raises(BatchMismatchError, match="one for each text"):
        model.extend(model.start(TEXTS)[1], np.array([1]))
    with pytest.raises(ValueError, match="tokens is a whole number of at least 1"):
        model.write(TEXTS, key=KEY, tokens=0)
    for name in ("tokens", "samples"):
        for write in (model.write, lambda *a, **o: TextModel.write(model, *a, **o)):
            with pytest.raises(ValueError, match=f"{name} is a whole number"):
                write(TEXTS, **{"key": KEY, "tokens": 1, name: 0})
    with pytest.raises(ValueError, match="temperature"):
        model.write(TEXTS, key=KEY, tokens=1, sampling=Sampling(-1.0))


def test_counts_and_texts_are_of_whole_numbers():
    for wrong in (0, 2.5, True, np.True_, "3", None, np.nan):
        with pytest.raises(ValueError, match="tokens is a whole number of at least 1"):
            check_counts(tokens=wrong)
    check_counts(tokens=np.int64(3), samples=jnp.int32(1))
    for wrong in (TEXTS + 0.7, TEXTS > 0, TEXTS[0], TEXTS[:, ::-1]):
        with pytest.raises(TokenizerError):
            check_texts(wrong)
    check_texts(TEXTS[:, :0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_broken_model_writes_nothing(bad):
    net = network()
    broken = LanguageModel(eqx.tree_at(lambda n: n.policy.b, net, net.policy.b.at[2].set(bad)))
    for ask in (
        lambda: broken.start(TEXTS),
        lambda: broken.write(TEXTS, key=KEY, tokens=3),
        lambda: broken.write(TEXTS, key=KEY, tokens=3, sampling=Sampling(0.0)),
    ):
        with pytest.raises(NonFiniteError, match="logit"):
            ask()
    # The vector of a token that is met only while writing.
    late = LanguageModel(eqx.tree_at(lambda n: n.places, net, net.places.at[9].set(jnp.nan)))
    late.write(TEXTS[:1], key=KEY, tokens=4)
    with pytest.raises(NonFiniteError, match="row 0"):
        late.write(TEXTS[:1], key=KEY, tokens=6)


def test_keeping_and_training_further_go_as_is_documented(tmp_path, monkeypatch):
    """The lines of the docstring of `fit_texts`, run as they stand."""
    from deliberation import amortised
    from deliberation.tasks.text import PathStar

    lines = [x[8:] for x in (fit_texts.__doc__ or "").splitlines() if x.startswith(8 * " ")]
    assert len(lines) == 5
    monkeypatch.chdir(tmp_path)
    task = PathStar(names=7)
    texts = jax.vmap(lambda key: task.examples(key, "path"))(jax.random.split(KEY, 64))
    network = Transformer((task.places,), len(task.symbols), 8, 1, 2, key=KEY)
    known = {"task": task, "texts": texts, "network": network, "jax": jax}
    known |= {name: getattr(amortised, name) for name in amortised.__all__}
    exec("\n".join(lines[:3]), known)
    kept = known["network"]
    assert (np.asarray(kept.tokens) != np.asarray(network.tokens)).any()
    exec("\n".join(lines[3:]), known)
    model = known["model"]
    assert isinstance(model, LanguageModel) and model.end == task.end
    assert (np.asarray(model.network.tokens) != np.asarray(kept.tokens)).any()
    assert repr(known["task"]) == repr(task)
