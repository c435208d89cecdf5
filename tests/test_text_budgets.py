"""Searches over texts that are given little, stops of their own, or none of their arguments."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_text_search import SEARCHES, STOP, TOKENS, WORDS, Chain, as_tuple, every_text, hashed

from deliberation.amortised import LanguageModel, Transformer
from deliberation.core import Budget, Sampling, Written
from deliberation.core.contract.text_model import TextModel
from deliberation.core.errors import (
    AllowanceError,
    BudgetError,
    TokenizerError,
    UnsuitableTaskError,
    VerifierError,
)
from deliberation.hybrid.text import (
    TextBudget,
    ValuedModel,
    Verifier,
    beam_search,
    best_of_n,
    fit_values,
    lookahead,
    tree_search,
)
from deliberation.tasks.text import Countdown, PathStar

KEY = jax.random.key(0)
PROMPTS = np.array([[0, 1], [2, -1], [1, 0]])


@pytest.fixture
def table():
    return np.random.default_rng(0).dirichlet(np.ones(WORDS), WORDS)


@pytest.mark.parametrize("kind", ["tokens", "passes", "flops"])
@pytest.mark.parametrize("name", ["beam_search", "lookahead"])
def test_a_budget_of_one_text_finishes_one_however_wide_the_search_may_be(table, name, kind):
    """Neither stops early: a text takes all its tokens, and all but the last are read."""
    most = {"tokens": TOKENS, "passes": 2 + TOKENS - 1, "flops": 10.0 * (2 + TOKENS - 1)}[kind]
    for times in (1, 1.6, 3):
        budget = TextBudget(**{kind: type(most)(times * most)})
        how = {"tokens": TOKENS, "stop": None, "budget": budget}
        if name == "beam_search":
            found = beam_search(Chain(table), PROMPTS[:1], width=64, **how)
        else:
            found = lookahead(
                Chain(table), PROMPTS[:1], Verifier(hashed), candidates=4, samples=3, key=KEY, **how
            )
        assert found.finished.all() and (as_tuple(found.texts[0])[:2] == (0, 1))
        assert found.spent.network_evaluations[0] <= 2 + int(times * (2 + TOKENS))


def test_a_beam_that_its_budget_narrows_is_as_good_as_one_of_that_width(table):
    """Three times what one text takes holds three beams to the end."""
    budget = TextBudget(tokens=3 * TOKENS)
    narrowed, three = (
        beam_search(Chain(table), PROMPTS, width=width, tokens=TOKENS, stop=None, budget=given)
        for width, given in ((64, budget), (3, None))
    )
    assert narrowed.texts.tolist() == three.texts.tolist()
    wide = beam_search(Chain(table), PROMPTS, width=64, tokens=TOKENS, stop=None)
    assert (wide.logprobs >= three.logprobs - 1e-6).all()


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_stops_at_the_end_of_the_model_and_else_at_that_of_what_is_graded(table, name):
    ended = Chain(table)
    ended.end = STOP
    how = {"key": KEY, "tokens": TOKENS, "budget": TextBudget(passes=90)}
    own, told = (
        SEARCHES[name](model, PROMPTS, **how, **more)
        for model, more in ((ended, {}), (Chain(table), {"stop": STOP}))
    )
    never = SEARCHES[name](ended, PROMPTS, stop=None, **how)
    assert own.texts.tolist() == told.texts.tolist()
    assert ((never.texts >= 0).sum(1) == (PROMPTS >= 0).sum(1) + TOKENS).all()
    graded = best_of_n(
        Chain(table), PROMPTS, Verifier(hashed, end=STOP), n=50, tokens=TOKENS, key=KEY
    )
    for row, prompt in zip(graded.texts, PROMPTS, strict=True):
        assert as_tuple(row) in every_text(table, prompt)


def test_a_language_model_writes_to_its_end():
    network = Transformer((12,), WORDS, 8, 1, 2, key=KEY)
    texts, how = np.zeros((16, 2), int), {"tokens": 8, "key": KEY}
    plain, ended = LanguageModel(network), LanguageModel(network, end=STOP)
    assert (plain.write(texts, **how).tokens >= 0).all()
    assert ended.write(texts, **how).tokens.tolist() == (
        plain.write(texts, stop=STOP, **how).tokens.tolist()
    )
    assert (TextModel.write(ended, texts, **how).tokens < 0).any()
    assert (ended.write(texts, stop=None, **how).tokens >= 0).all()
    assert ValuedModel(network, end=STOP).end == STOP
    with pytest.raises(TokenizerError, match=r"^end is a token from 0 to 3 "):
        LanguageModel(network, end=WORDS)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("wrong", [WORDS, -1, True])
def test_a_stop_that_the_model_cannot_write_is_refused(table, name, wrong):
    with pytest.raises(TokenizerError, match=r"stop is a token from 0 to 3 of Chain\(\)"):
        SEARCHES[name](Chain(table), PROMPTS, key=KEY, tokens=2, stop=wrong)
    with pytest.raises(TokenizerError, match="stop is a token from 0 to 3"):
        Chain(table).write(PROMPTS, key=KEY, tokens=2, stop=wrong)


def test_a_line_that_the_model_cannot_end_is_refused(table):
    with pytest.raises(TokenizerError, match="line is a token from 0 to 3"):
        tree_search(
            Chain(table), PROMPTS, Verifier(hashed), tokens=2, key=KEY, line=WORDS,
            budget=TextBudget(passes=9),
        )  # fmt: skip


@pytest.mark.parametrize("name", [x for x in SEARCHES if x != "rollouts"])
@pytest.mark.parametrize("wrong", [64, Budget(64), Budget(seconds=1.0), "64"])
def test_a_budget_of_another_kind_says_what_to_pass(table, name, wrong):
    search = {"tokens": tree_search, "lines": tree_search}.get(name)
    search = inspect.unwrap(search or globals().get(name) or SEARCHES[name])
    taken = inspect.signature(search).parameters
    told = {"verifier": Verifier(hashed), "n": 1, "width": 1, "candidates": 2, "key": KEY}
    if "answer" in taken or search.__name__ == "<lambda>":
        pytest.skip("the vote takes budgets as best of n does")
    told = {x: y for x, y in told.items() if x in taken}
    with pytest.raises(BudgetError, match=r"pass TextBudget\(passes=64\)"):
        search(model=Chain(table), prompts=PROMPTS, tokens=2, budget=wrong, **told)


def test_words_are_to_be_encoded_first():
    network = Transformer((12,), WORDS, 8, 1, 2, key=KEY)
    for words in ("a b", ["a b", "a"]):
        for write in (LanguageModel.write, TextModel.write):
            with pytest.raises(TokenizerError, match=r"is words: encode it first"):
                inspect.unwrap(write)(LanguageModel(network), words, key=KEY, tokens=2)
        with pytest.raises(TokenizerError, match=r"is words: encode it first"):
            inspect.unwrap(beam_search)(LanguageModel(network), words, width=2, tokens=2)


def boom(texts):
    raise ZeroDivisionError("no mask today")


MASKS = {
    "raised ZeroDivisionError: no mask today": boom,
    r"bool of shape \(4,\)": lambda texts: np.ones(WORDS, bool),
    r"bool of shape \(\d+, 5\)": lambda texts: np.ones((len(texts), WORDS + 1), bool),
    r"float64 of shape": lambda texts: np.zeros((len(texts), WORDS)),
    r"object of shape \(\)": lambda texts: None,
}


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("told", MASKS)
def test_a_mask_that_is_none_is_told_as_what_it_is(table, name, told, monkeypatch):
    how = {"key": KEY, "tokens": TOKENS, "stop": STOP, "allow": MASKS[told]}
    with pytest.raises(AllowanceError, match=told):
        SEARCHES[name](Chain(table), PROMPTS, **how)

    def later(texts):
        """Within a tree, which asks from inside a compiled program."""
        long = (texts >= 0).sum(1).max() > 3
        return MASKS[told](texts) if long else np.ones((len(texts), WORDS), bool)

    with pytest.raises(AllowanceError, match=told):
        SEARCHES[name](Chain(table), PROMPTS, **{**how, "allow": later})


def test_what_was_written_is_described():
    for name in Written._fields:
        assert f"`{name}`" in (Written.__doc__ or "")


def test_the_verifier_of_a_task_grades_as_the_task_does():
    task = Countdown(numbers=3)
    texts = np.asarray(task.pool("optimal", 5))
    verifier = Verifier.of(task)
    wrong = np.array(texts)
    wrong[0, task.prompt_places] = task.end
    assert verifier(texts).tolist() == [1.0] * 5 and verifier(wrong).tolist() == [0.0] + [1.0] * 4
    assert verifier(texts[:, : task.places - 1]).shape == (5,)
    assert (verifier.least, verifier.greatest, verifier.end) == (0.0, 1.0, task.end)
    with pytest.raises(VerifierError, match="longer than the"):
        verifier(np.concatenate([texts, texts[:, :1]], 1)[:1] * 0)
    with pytest.raises(UnsuitableTaskError, match=r"Verifier\(f\)"):
        inspect.unwrap(Verifier.of.__func__)(Verifier, object())


def test_a_search_of_a_tasks_texts_needs_no_stop():
    task = PathStar(names=7)
    network = Transformer((task.places,), len(task.symbols), 8, 1, 2, key=KEY)
    texts = jax.vmap(lambda key: task.examples(key, "path"))(jax.random.split(KEY, 4))
    prompts = np.asarray(texts)[:, : task.prompt_places]
    found = best_of_n(
        LanguageModel(network), prompts, Verifier.of(task), n=20, tokens=task.answer_places,
        key=KEY, sampling=Sampling(2.0),
    )  # fmt: skip
    written = found.texts[:, task.prompt_places :]
    ends = (written == task.end).any(1)
    assert ends.any()
    assert all(
        row[row >= 0][-1] == task.end for row, over in zip(written, ends, strict=True) if over
    )


def test_what_values_took_to_learn_is_counted():
    """Against what XLA counts of the two halves, forwards, three times."""
    network = Transformer((6,), WORDS, 16, 1, 2, key=KEY)
    texts = np.array([[0, 1, 2, 0, 1, 3], [0, 2, 1, 0, 1, 3]])
    taught = fit_values(
        network, texts, np.array([1.0, 0.0]), lambda key: jnp.asarray(texts)[0], prompt=1, steps=3,
        key=KEY, batch_size=8,
    )  # fmt: skip
    forwards = jax.jit(lambda rows: network.predict(rows)).lower(jnp.zeros((16, 6), int)).compile()
    counted = 3 * 3 * forwards.cost_analysis()["flops"]
    found = taught.ledger.flops
    assert found is not None and 0.6 * counted < float(found) < 1.6 * counted


@pytest.mark.parametrize("passes", [2, 3, 2 + TOKENS])
def test_a_spent_budget_begins_no_more_texts_though_a_first_token_costs_no_pass(table, passes):
    drawn = []

    def counted(texts):
        drawn.append(len(texts))
        return hashed(texts)

    found = best_of_n(
        Chain(table), PROMPTS[:1], Verifier(counted), n=10**6, tokens=TOKENS, key=KEY,
        budget=TextBudget(passes=passes),
    )  # fmt: skip
    assert found.spent.network_evaluations[0] <= passes
    assert sum(drawn) <= 60
