"""Searches around a model of text, on sources so small that all texts can be tried."""

import inspect
import itertools
import sys
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised.sequence import LanguageModel, Transformer
from deliberation.core.contract.text_model import Sampling, TextModel
from deliberation.core.errors import (
    BudgetError,
    ContextOverflowError,
    NonFiniteError,
    TokenizerError,
    VerifierError,
    WrongKindError,
)
from deliberation.hybrid.text import (
    TextBudget,
    ValuedModel,
    Verifier,
    beam_search,
    best_of_n,
    fit_values,
    lookahead,
    majority_vote,
    tree_search,
)
from deliberation.hybrid.text.spending import _limit

WORDS, TOKENS, STOP = 4, 5, 3


class Chain(TextModel):
    """A Markov chain over a few tokens; it counts what it is made to read."""

    flops_per_token = 10.0

    def __init__(self, table, longest=32):
        self.table = np.log(np.asarray(table, np.float32))
        self.vocabulary, self.longest, self.read = self.table.shape[1], longest, 0

    def __repr__(self):
        return "Chain()"

    def start(self, texts):
        last = np.array([row[row >= 0][-1] for row in texts])
        self.read += int((texts >= 0).sum())
        return self.table[last], last

    def extend(self, memory, tokens):
        self.read += int((tokens >= 0).sum())
        last = np.where(tokens >= 0, tokens, memory)
        return self.table[last], last

    def pick(self, memory, rows):
        return memory[rows]

    def gather(self, rows):
        return np.array([memory[row] for memory, row in rows])


class Opaque(Chain):
    """The same, with memories that cannot be put side by side."""

    def start(self, texts):
        logits, last = super().start(texts)
        return logits, {"kept": tuple(last.tolist())}

    def extend(self, memory, tokens):
        logits, last = super().extend(np.array(memory["kept"]), tokens)
        return logits, {"kept": tuple(last.tolist())}

    def pick(self, memory, rows):
        return {"kept": tuple(np.array(memory["kept"])[rows].tolist())}

    def gather(self, rows):
        return None


@pytest.fixture
def table():
    return np.random.default_rng(0).dirichlet(np.ones(WORDS), WORDS)


@pytest.fixture
def prompts():
    return np.array([[0, 1], [2, -1], [1, 0]])


def every_text(table, prompt, tokens=TOKENS, stop: int | None = STOP):
    """All texts after a prompt, with their logprobs."""
    prompt = [t for t in prompt if t >= 0]
    out = {}
    for written in itertools.product(range(WORDS), repeat=tokens):
        if stop in written:
            written = written[: written.index(stop) + 1]
        last, total = prompt[-1], 0.0
        for token in written:
            total, last = total + np.log(table[last, token]), token
        out[tuple(prompt) + written] = total
    return out


def edge(table, prompt, which):
    """The likeliest or the least likely text."""
    texts = every_text(table, prompt)
    return which(texts, key=lambda t: texts[t])


def as_tuple(row):
    return tuple(int(t) for t in row if t >= 0)


def secret(wanted, greatest=1.0):
    return Verifier(lambda texts: np.array([float(as_tuple(t) in wanted) for t in texts]), greatest)


def hashed(texts):
    """Grades below 1 that look like noise."""
    return np.array([(hash(as_tuple(t)) % 9973) / 10000 for t in texts])


def test_beams_as_wide_as_there_are_texts_are_exact(table, prompts):
    model = Chain(table)
    for penalty in (0.0, 1.0, 0.6):
        found = beam_search(
            model, prompts, width=WORDS**TOKENS, tokens=TOKENS, stop=STOP, length_penalty=penalty
        )
        for i, prompt in enumerate(prompts):
            texts = every_text(table, prompt)
            size = (prompt >= 0).sum()
            best = max(texts, key=lambda t: texts[t] / (len(t) - size) ** penalty)
            assert as_tuple(found.texts[i]) == best
            assert found.logprobs[i] == pytest.approx(texts[best], abs=1e-4)
    assert found.finished.all() and np.isnan(found.grades).all()


def test_a_beam_of_one_is_greedy_and_wider_ones_are_no_worse(table, prompts):
    model = Chain(table)
    greedy = model.write(
        prompts[:1], key=jax.random.key(0), tokens=TOKENS, stop=STOP,
        sampling=Sampling(temperature=0),
    )  # fmt: skip
    found = [beam_search(model, prompts, width=w, tokens=TOKENS, stop=STOP) for w in (1, 2, 64)]
    assert as_tuple(found[0].texts[0])[2:] == as_tuple(greedy.tokens[0])
    assert (found[2].logprobs >= found[0].logprobs - 1e-6).all()


def test_the_best_of_n_keeps_the_law_of_the_greatest_of_n(table):
    """P(solved) = 1 - (1 - p)^n, with p by enumeration."""
    texts = every_text(table, [0])
    wanted = sorted(texts, key=lambda t: texts[t])[-8:-4]
    p, n, repeats = sum(np.exp(texts[t]) for t in wanted), 8, 2000
    found = best_of_n(
        Chain(table), np.zeros((repeats, 1), int), secret(set(wanted)), n=n, tokens=TOKENS,
        key=jax.random.key(3), stop=STOP,
    )  # fmt: skip
    law = 1 - (1 - p) ** n
    assert abs(found.grades.mean() - law) < 4 * np.sqrt(law * (1 - law) / repeats)
    assert 0.1 < law < 0.9


def test_the_majority_is_the_commonest_answer(table, prompts):
    def answer(text):
        return int(text[text >= 0][-1])

    found = majority_vote(
        Chain(table), prompts, answer, n=2000, tokens=3, key=jax.random.key(0), stop=None
    )
    for i, prompt in enumerate(prompts):
        mass = np.zeros(WORDS)
        for text, nats in every_text(table, prompt, 3, None).items():
            mass[text[-1]] += np.exp(nats)
        assert answer(found.texts[i]) == mass.argmax()
    assert (found.tried == 2000).all()


@pytest.mark.parametrize("kind", [Chain, Opaque])
@pytest.mark.parametrize("line", [None, 2])
def test_a_tree_with_enough_budget_finds_the_one_right_text(table, prompts, kind, line):
    verifier = secret({edge(table, p, min) for p in prompts})
    if line is not None:
        verifier = secret({edge(table, p, max) for p in prompts})
    found = tree_search(
        kind(table), prompts, verifier, tokens=TOKENS, stop=STOP, key=jax.random.key(0),
        budget=TextBudget(passes=4000), line=line, candidates=WORDS if line is None else 64,
    )  # fmt: skip
    assert (found.grades == 1).all() and not found.failed.any()


def test_a_tree_over_tokens_grades_every_text_once_and_finds_the_best_of_all(table, prompts):
    found = tree_search(
        Chain(table), prompts, Verifier(hashed), tokens=TOKENS, stop=STOP, key=jax.random.key(0),
        budget=TextBudget(passes=4000), candidates=WORDS,
    )  # fmt: skip
    for i, prompt in enumerate(prompts):
        texts = list(every_text(table, prompt))
        assert found.tried[i] == len(texts)
        assert found.grades[i] == pytest.approx(max(hashed([np.array(t)])[0] for t in texts))


SEARCHES = {
    "best_of_n": lambda model, prompts, **how: best_of_n(
        model, prompts, Verifier(hashed), n=9, **how
    ),
    "majority_vote": lambda model, prompts, **how: majority_vote(
        model, prompts, as_tuple, n=9, **how
    ),
    "beam_search": lambda model, prompts, key, **how: beam_search(model, prompts, width=3, **how),
    "lookahead": lambda model, prompts, **how: lookahead(
        model, prompts, Verifier(hashed), candidates=3, samples=2,
        rollout=Sampling(), **how
    ),
    "tokens": lambda model, prompts, **how: tree_search(
        model, prompts, Verifier(hashed), **{"budget": TextBudget(passes=90), **how}
    ),
    "lines": lambda model, prompts, **how: tree_search(
        model, prompts, Verifier(hashed), line=2, **{"budget": TextBudget(passes=90), **how}
    ),
    "rollouts": lambda model, prompts, **how: tree_search(
        model, prompts, Verifier(hashed), rollouts=2, **{"budget": TextBudget(passes=90), **how}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("most", [2, 7, 61])
def test_budgets_are_kept_and_what_is_counted_is_what_was_read(table, prompts, name, most):
    for budget in (TextBudget(passes=most), TextBudget(flops=10.0 * most), TextBudget(tokens=most)):
        model = Chain(table)
        found = SEARCHES[name](
            model, prompts, key=jax.random.key(1), tokens=TOKENS, stop=STOP, budget=budget
        )
        assert model.read == found.spent.total().network_evaluations
        if budget.tokens is None:
            assert (found.spent.network_evaluations <= most).all()
        assert found.spent.total().flops == 10 * model.read


@pytest.mark.parametrize("name", SEARCHES)
def test_prompts_are_searched_as_if_alone(table, prompts, name):
    keys = jax.random.split(jax.random.key(5), len(prompts))
    how = {"tokens": TOKENS, "stop": STOP, "budget": TextBudget(passes=70)}
    found = SEARCHES[name](Chain(table), prompts, key=keys, **how)
    for i in (1, 2):
        alone = SEARCHES[name](Chain(table), prompts[i : i + 1], key=keys[i : i + 1], **how)
        assert as_tuple(alone.texts[0]) == as_tuple(found.texts[i])
        assert alone.logprobs[0] == pytest.approx(found.logprobs[i])
        assert alone.spent.network_evaluations[0] == found.spent.network_evaluations[i]


@pytest.mark.parametrize("name", SEARCHES)
def test_what_comes_back_is_a_text_with_its_own_logprob(table, prompts, name):
    found = SEARCHES[name](
        Chain(table), prompts, key=jax.random.key(2), tokens=TOKENS, stop=STOP,
        budget=TextBudget(passes=120),
    )  # fmt: skip
    for i, prompt in enumerate(prompts):
        texts = every_text(table, prompt)
        assert found.finished[i]
        assert found.logprobs[i] == pytest.approx(texts[as_tuple(found.texts[i])], abs=1e-4)


@pytest.mark.parametrize("name", SEARCHES)
def test_only_what_is_allowed_is_written(table, prompts, name):
    def allow(texts):
        last = np.array([row[row >= 0][-1] for row in texts])
        return np.arange(WORDS) != last[:, None]

    found = SEARCHES[name](
        Chain(table), prompts, key=jax.random.key(2), tokens=TOKENS, stop=STOP, allow=allow,
        budget=TextBudget(passes=120),
    )  # fmt: skip
    for row, prompt in zip(found.texts, prompts, strict=True):
        text = as_tuple(row)
        since = text[(prompt >= 0).sum() - 1 :]
        assert all(a != b for a, b in itertools.pairwise(since))


def test_lookahead_with_exact_rollouts_is_better_than_its_model(table):
    prompts = np.zeros((300, 1), int)
    one = best_of_n(
        Chain(table), prompts, Verifier(hashed), n=1, tokens=TOKENS, key=jax.random.key(0),
        stop=STOP,
    )  # fmt: skip
    many = lookahead(
        Chain(table), prompts, Verifier(hashed), candidates=WORDS, samples=2, tokens=TOKENS,
        key=jax.random.key(0), rollout=Sampling(), stop=STOP,
    )  # fmt: skip
    assert many.grades.mean() > one.grades.mean() + 0.2


def test_lookahead_tries_as_many_candidates_as_can_be_seen_through(table):
    """The prompt, all but the last token of each completion, and the token that is chosen."""
    least = 1 + WORDS * (TOKENS - 1) + 1
    # With one pass less a candidate is left out, and what it would have taken sees one text of the
    # next place through.
    for passes, looked in ((least - 1, WORDS - 1 + 1), (least, WORDS), (TOKENS, 1), (3, 0)):
        found = lookahead(
            Chain(table), np.zeros((2, 1), int), Verifier(hashed, greatest=9.0), candidates=WORDS,
            tokens=TOKENS, key=jax.random.key(0), budget=TextBudget(passes=passes),
        )  # fmt: skip
        assert (found.tried == looked).all(), passes
        assert (found.spent.network_evaluations <= passes).all()
        assert (found.finished == (looked > 0)).all()


def raises_on_two(texts):
    if (np.asarray(texts) == 2).any():
        raise RuntimeError("no twos")
    return np.full(len(texts), 0.5)


BROKEN = {
    "raises": raises_on_two,
    "nan": lambda texts: np.where((texts == 2).any(1), np.nan, 0.5),
    "beyond": lambda texts: np.where((texts == 2).any(1), 1.5, 0.5),
    "hangs": lambda texts: time.sleep(2 if (texts == 2).any() else 0) or np.full(len(texts), 0.5),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("search", ["best_of_n", "tree"])
def test_a_verifier_that_fails_costs_only_the_prompt_it_fails_on(table, name, search):
    prompts = np.array([[0], [2]])
    verifier = Verifier(BROKEN[name], seconds=0.05)
    how = {
        "tokens": 2,
        "key": jax.random.key(0),
        "allow": lambda t: np.tile(np.arange(4) < 2, (len(t), 1)),
    }
    if search == "tree":
        found = tree_search(Chain(table), prompts, verifier, budget=TextBudget(passes=20), **how)
    else:
        found = best_of_n(Chain(table), prompts, verifier, n=2, **how)
    assert found.failed.tolist() == [False, True]
    assert found.grades.tolist() == [0.5, 0.0] and found.why[1] and not found.why[0]


def anything(texts):
    return np.ones((len(texts), WORDS), bool)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_grader_that_changes_its_texts_spoils_none(table, prompts, name, monkeypatch):
    """Nor do those that say what is allowed and what an answer is."""
    how = {"key": jax.random.key(2), "tokens": TOKENS, "stop": STOP}
    how |= {"budget": TextBudget(passes=70), "allow": anything}
    clean = SEARCHES[name](Chain(table), prompts, **how)

    def spoiling(given, grade):
        def call(texts):
            found = grade(texts)
            texts[:] = 0
            return found

        return call(given)

    graded, named = hashed, as_tuple
    monkeypatch.setitem(globals(), "hashed", lambda texts: spoiling(texts, graded))
    monkeypatch.setitem(globals(), "as_tuple", lambda text: spoiling(text, named))
    how["allow"] = lambda texts: spoiling(texts, anything)
    spoilt = SEARCHES[name](Chain(table), prompts, **how)
    np.testing.assert_array_equal(spoilt.texts, clean.texts)
    np.testing.assert_array_equal(spoilt.grades, clean.grades)


def test_a_late_grader_changes_no_text_any_more(table):
    def late(texts):
        time.sleep(0.1)
        texts[:] = 0
        return np.zeros(len(texts))

    text = np.array([[1, 2]])
    with pytest.raises(VerifierError, match=r"longer than 0\.02 s"):
        Verifier(late, seconds=0.02)(text)
    time.sleep(0.2)
    assert text.tolist() == [[1, 2]]


def test_a_grader_that_hangs_costs_a_limit_a_prompt():
    asked = []

    def hanging(texts):
        asked.append(len(texts))
        time.sleep(0.3 if (texts[:, 0] == 2).any() else 0)
        return np.full(len(texts), 0.5)

    texts, prompts = np.array([[2]] * 8 + [[1]] * 3), np.array([4] * 4 + [5] * 4 + [6] * 3)
    begun = time.time()
    grades, why = Verifier(hanging, seconds=0.03).each(texts, prompts)
    # Once all together, once for each prompt that hangs, and the three that are graded.
    assert asked == [11] + [1] * 5 and time.time() - begun < 0.3
    assert grades.tolist() == [0.0] * 8 + [0.5] * 3
    assert [bool(x) for x in why] == [True] * 8 + [False] * 3


def test_a_prompt_that_the_grader_failed_on_is_graded_no_more(table):
    asked = []

    def failing(texts):
        asked.extend(as_tuple(t) for t in texts)
        return raises_on_two(texts)

    found = tree_search(
        Chain(table), np.array([[0], [2]]), Verifier(failing), tokens=2, key=jax.random.key(0),
        budget=TextBudget(passes=40), rollouts=4,
        allow=lambda texts: np.tile(np.arange(4) < 2, (len(texts), 1)),
    )  # fmt: skip
    assert found.failed.tolist() == [False, True] and found.grades.tolist() == [0.5, 0.0]
    # The first batch, and its own text alone again.
    assert sum(text[0] == 2 for text in asked) == 2


@pytest.mark.parametrize("kind", [Chain, Opaque])
def test_more_candidates_than_tokens_are_all_tokens(table, prompts, kind):
    found = [
        lookahead(
            kind(table), prompts, Verifier(hashed), candidates=many, tokens=3, stop=STOP,
            key=jax.random.key(0),
        )
        for many in (WORDS, 99)
    ]  # fmt: skip
    np.testing.assert_array_equal(found[0].texts, found[1].texts)


def test_the_best_grade_need_not_be_known(table, prompts):
    how = {"tokens": TOKENS, "stop": STOP, "key": jax.random.key(0), "candidates": WORDS}
    found = [
        tree_search(
            Chain(table), prompts, Verifier(hashed, most), budget=TextBudget(passes=4000), **how
        )
        for most in (1.0, np.inf)
    ]
    np.testing.assert_array_equal(found[0].grades, found[1].grades)
    for least, greatest in ((-np.inf, 1.0), (-np.inf, np.inf), (np.nan, 1.0), (1.0, 1.0)):
        with pytest.raises(ValueError, match="least grade is finite"):
            Verifier(hashed, greatest, least)


VALUES = {
    "raised ZeroDivisionError": lambda texts: 1 / 0,
    "gave nan": lambda texts: np.full(len(texts), np.nan),
    "gave 1.5": lambda texts: np.full(len(texts), 1.5),
    "gave -0.5": lambda texts: np.full(len(texts), -0.5),
    "no number a text": lambda texts: ["half"] * len(texts),
    r"of shape \(3, 2\)": lambda texts: np.zeros((len(texts), 2)),
    r"of shape \(\)": lambda texts: 0.5,
}


@pytest.mark.parametrize("told", VALUES)
def test_a_value_that_is_none_is_told_as_what_it_is(table, prompts, told):
    with pytest.raises(VerifierError, match=f"The value function .*{told}"):
        tree_search(
            Chain(table), prompts, Verifier(hashed), tokens=3, key=jax.random.key(0),
            budget=TextBudget(passes=20), value=VALUES[told],
        )  # fmt: skip


def test_a_model_that_knows_no_worth_any_more_is_told(table, prompts):
    model = Chain(table)
    model.values = lambda memory: np.full(len(memory), np.nan)
    with pytest.raises(NonFiniteError, match="as a text's value"):
        tree_search(
            model, prompts, Verifier(hashed), tokens=3, key=jax.random.key(0),
            budget=TextBudget(passes=20),
        )  # fmt: skip


@pytest.mark.parametrize("wide", [0, 2])
@pytest.mark.parametrize("name", SEARCHES)
def test_prompts_of_no_tokens_are_begun_from_nothing(name, wide):
    network = Transformer((TOKENS,), WORDS, 8, 1, 2, key=jax.random.key(0))
    found = SEARCHES[name](
        LanguageModel(network), np.full((2, wide), -1), key=jax.random.key(1), tokens=3,
        budget=TextBudget(passes=30),
    )  # fmt: skip
    assert found.finished.all() and found.texts.shape == (2, 3)
    assert ((found.texts >= 0).sum(1) == 3).all()


GRADERS = {
    "raised SystemExit: 3": lambda texts: sys.exit(3),
    "raised GeneratorExit: 3": lambda texts: (_ for _ in ()).throw(GeneratorExit(3)),
    "complex128": lambda texts: np.zeros(len(texts)) + 1j,
    "no number a text": lambda texts: ["0.5"] * len(texts),
}


@pytest.mark.parametrize("seconds", [None, 5.0])
@pytest.mark.parametrize("told", GRADERS)
def test_what_is_no_real_grade_is_told_as_it_is(told, seconds):
    grade = GRADERS[told]
    with pytest.raises(VerifierError, match=told.replace("complex128", "no number a text")) as why:
        Verifier(grade, seconds=seconds)(np.array([[0, 1]]))
    assert told != "complex128" or "complex128" in str(why.value.__cause__)


def test_a_budget_of_no_whole_number_is_refused_and_infinity_is_no_limit():
    for wrong in ("5", 2.5, True, np.nan, -1, [3]):
        with pytest.raises(BudgetError, match="tokens is a whole number"):
            _limit("tokens", wrong, whole=True)
    for wrong in ("5", True, np.nan, -1.0):
        with pytest.raises(BudgetError, match="flops is a number"):
            _limit("flops", wrong, whole=False)
    for given, kept in (
        (np.inf, None),
        (None, None),
        (np.int64(5), 5),
        (6.0, 6),
        (jnp.int32(7), 7),
    ):
        assert _limit("passes", given, whole=True) == kept
    assert TextBudget(flops=np.inf) == TextBudget()
    with pytest.raises(BudgetError, match="flops"):
        TextBudget(flops=np.nan)
    assert TextBudget(tokens=10**40).limits(Chain(np.ones((1, 1)))) == (2**62, 2**62)


@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_no_prompt_or_no_number_of_tokens_is_refused(table, prompts, name):
    how = {"key": jax.random.key(0), "tokens": 2}
    with pytest.raises(TokenizerError, match="padded at the end"):
        SEARCHES[name](Chain(table), prompts[:, ::-1], **how)
    for wrong in (0, -2):
        with pytest.raises(ValueError, match="tokens is a whole number of at least 1"):
            SEARCHES[name](Chain(table), prompts, **{**how, "tokens": wrong})


def test_a_search_from_no_prompt_says_so():
    network = Transformer((TOKENS,), WORDS, 8, 1, 2, key=jax.random.key(0))
    found = beam_search(LanguageModel(network), np.zeros((0, 2), int), width=2, tokens=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(found) == "Searched(0 prompts)"


def test_what_no_search_can_do_is_refused(table, prompts):
    how = {"tokens": 2, "key": jax.random.key(0)}
    with pytest.raises(VerifierError, match="shape"):
        best_of_n(Chain(table), prompts, Verifier(lambda t: 1.0), n=1, **how)
    with pytest.raises(BudgetError, match="prompt 0"):
        best_of_n(Chain(table), prompts, Verifier(hashed), n=1, budget=TextBudget(passes=1), **how)
    with pytest.raises(BudgetError, match="tokens or passes"):
        tree_search(Chain(table), prompts, Verifier(hashed), budget=TextBudget(), **how)
    for search in (best_of_n, lookahead, tree_search, majority_vote):
        told = {"key": jax.random.key(0), "n": 1, "answer": as_tuple, "candidates": 2}
        taken = inspect.signature(search).parameters
        told = {x: y for x, y in told.items() if x in taken} | {"budget": TextBudget(passes=9)}
        with pytest.raises(WrongKindError, match=r"got hashed.*`Verifier\(f\)`"):
            # Without the types that tests check.
            inspect.unwrap(search)(
                model=Chain(table), prompts=prompts, verifier=hashed, tokens=2, **told
            )
    for wrong in (0, -3):
        with pytest.raises(ValueError, match="n is a whole number"):
            best_of_n(Chain(table), prompts, Verifier(hashed), n=wrong, **how)
        with pytest.raises(ValueError, match="n is a whole number"):
            majority_vote(Chain(table), prompts, as_tuple, n=wrong, **how)
    for wrong in (1e9, -1e9, np.nan, np.inf):
        with pytest.raises(ValueError, match="length_penalty"):
            beam_search(Chain(table), prompts, width=1, tokens=2, length_penalty=wrong)
    with pytest.raises(BudgetError):
        TextBudget(passes=-1)
    with pytest.raises(ContextOverflowError):
        best_of_n(Chain(table, longest=2), prompts, Verifier(hashed), n=1, **how)
    unknown = Chain(table)
    unknown.flops_per_token = None
    with pytest.raises(BudgetError, match="FLOPs"):
        beam_search(unknown, prompts, width=1, tokens=2, budget=TextBudget(flops=100.0))


def test_values_and_the_next_token_come_from_one_pass():
    network = Transformer((6,), WORDS, 8, 1, 2, key=jax.random.key(0))
    texts = np.array([[0, 1, 2, 0, 1, 3], [0, 2, 1, 0, 1, 3]])
    taught = fit_values(
        network, texts, np.array([1.0, 0.0]), lambda key: jnp.asarray(texts)[0], prompt=1,
        steps=150, key=jax.random.key(1), learning_rate=1e-2,
    ).network  # fmt: skip
    model, alone = ValuedModel(taught), LanguageModel(taught)
    logits, memory = model.start(texts[:, :2])
    assert np.allclose(logits, alone.start(texts[:, :2])[0], atol=1e-4)
    logits, memory = model.extend(memory, texts[:, 2])
    values = model.values(memory)
    assert values[0] > 0.9 and values[1] < 0.1
    apart = model.gather([(memory, 1), (model.start(texts[:, :2])[1], 0)])
    assert apart is not None and np.isclose(model.values(apart)[0], values[1])
    assert model.values(model.pick(memory, np.array([-1]))).tolist() == [values[1]]
    assert not len(model.values(model.pick(memory, np.array([], int))))
