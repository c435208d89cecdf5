"""Samples of Countdown, who chooses among them, laws of coverage, and trees at equal passes."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import Transformer, side_by_side
from deliberation.amortised.sequence import LanguageModel
from deliberation.claims.experiments.language import countdown_searches as searches
from deliberation.claims.experiments.language.countdown_chosen import (
    COUNTS,
    FORECAST,
    covered_and_forecast,
    same_answer,
    who_chose,
)
from deliberation.claims.experiments.language.countdown_trees import (
    allowed,
    blindly,
    by_lot,
    graded,
    samples_for,
    searched,
)
from deliberation.core.contract.text_model import Sampling
from deliberation.hybrid.text import TextBudget, Verifier, best_of_n
from deliberation.runs import Context

HERE = Context.__new__(Context)
TASK = searches.world()
TINY = {"arm": "", "key": 0, "trainings": 2, "steps": 3, "problems": 4, "searched": 2}


def asked(n: int) -> np.ndarray:
    return np.asarray(jax.vmap(TASK.prompt)(jax.random.split(jax.random.key(3), n)))


@pytest.fixture(scope="module")
def network() -> Transformer:
    texts = jnp.asarray(searches.lessons(TASK))
    return searches.taught(TASK, texts, jax.random.key(0), 5)[0]


def text(problem: str, answer: str) -> np.ndarray:
    return TASK.encode(f"{problem} {answer} end")


def test_answers_are_the_same_whatever_the_order_of_lines_and_of_sums():
    told = "2 3 4 5 -> 25 :"
    answers = (
        "2 + 3 = 5 ; 4 * 5 = 20 ; 5 + 20 = 25 ;",
        "4 * 5 = 20 ; 3 + 2 = 5 ; 20 + 5 = 25 ;",
        "2 + 3 = 5 ; 5 * 4 = 20 ; 20 - 5 = 15 ;",
        "5 - 4 = 1 ; 3 - 2 = 1 ; 1 + 1 = 2 ;",
        "5 - 4 = 1 ; 3 * 2 = 6 ; 1 + 6 = 7 ;",
    )
    rows = np.stack([text(told, answer) for answer in answers])
    assert graded(TASK, rows).tolist() == [1, 1, 0, 0, 0]
    kinds = same_answer(TASK, rows[None, :, TASK.prompt_places :])[0]
    assert kinds[0] == kinds[1] and len(set(kinds.tolist())) == 4
    turned = "6 - 8 = 2 ;", "8 - 6 = 2 ;"
    one, other = (
        same_answer(TASK, text(told, f"{line} {answers[0][12:]}")[None, None, TASK.prompt_places :])
        for line in turned
    )
    assert one != other  # differences are not turned


def test_compiled_writing_keeps_to_the_grammar_and_is_the_searches_own(network):
    prompts = asked(5)
    drawn = searches.written(network, TASK, jnp.asarray(prompts), jax.random.key(1))
    for row in np.concatenate([prompts, drawn], 1):
        for place in range(TASK.prompt_places, TASK.places):
            begun = np.where(np.arange(TASK.places) < place, row, -1)
            assert allowed(TASK, begun[None])[0, row[place]]
    likeliest = searches.written(
        network, TASK, jnp.asarray(prompts), jax.random.key(1), greedy=True
    )
    found = best_of_n(
        LanguageModel(network), prompts, Verifier(partial(graded, TASK)), n=1, stop=TASK.end,
        tokens=TASK.answer_places, key=jax.random.key(0), sampling=Sampling(temperature=0),
        allow=partial(allowed, TASK),
    )  # fmt: skip
    assert (found.texts[:, TASK.prompt_places :] == np.asarray(likeliest)).all()


@pytest.mark.parametrize(("passes", "n"), [(64, 3), (128, 6)])
def test_passes_pay_for_as_many_samples_as_best_of_n_finishes(network, passes, n):
    never = Verifier(lambda texts: np.zeros(len(texts)))
    found = best_of_n(
        LanguageModel(network), asked(2), never, n=1000, stop=TASK.end, tokens=TASK.answer_places,
        key=jax.random.key(0), allow=partial(allowed, TASK), budget=TextBudget(passes=passes),
    )  # fmt: skip
    assert samples_for(TASK, passes) == n == found.tried[0] == found.tried[1]


def test_who_chooses_in_closed_form():
    answer = np.arange(128) + np.zeros((6, 1), int)
    right = np.zeros((6, 128))
    right[:3] = 1
    for some in who_chose(right, answer, 0).values():
        assert some == pytest.approx([0.5] * len(COUNTS))  # nobody errs where all are alike
    right = np.zeros((2, 128))
    right[:, ::4] = 1
    found = who_chose(right, answer[:2], 0)
    assert [found[name][0] for name in found] == pytest.approx([0.25] * 5, abs=0.1)
    assert [found[name][0] for name in ("covered", "voted")] == pytest.approx([0.25] * 2)
    assert found["covered"][COUNTS.index(2)] == pytest.approx(1 - 96 * 95 / (128 * 127))
    assert found["covered"][-1] == 1 and found["voted"][-1] == pytest.approx(0.25)
    # Of those that a verifier accepts which errs one time in ten, 9 of 12 are right.
    many = np.zeros((400, 128))
    many[:, ::4] = 1
    many = np.random.default_rng(1).permuted(many, axis=1)
    found = who_chose(many, answer[:1] + np.zeros((400, 1), int), 0)
    assert found["erring"][-1] == pytest.approx(0.75, abs=0.06)
    assert found["heavy"][COUNTS.index(8)] > found["heavy"][-1] + 0.1
    assert found["light"][-1] > found["heavy"][-1] + 0.1


def test_choosers_that_go_by_lot_choose_like_one_sample():
    rng = np.random.default_rng(2)
    right, lots = ((rng.random((400, 128)) < share).astype(float) for share in (0.2, 0.5))
    found = who_chose(right, np.arange(128) + np.zeros((400, 1), int), 0, lots)
    for name in ("covered", "erring", "heavy", "light"):
        assert found[name] == pytest.approx([0.2] * len(COUNTS), abs=0.08)


def test_a_vote_finds_the_commonest_answer():
    answer, right = np.zeros((3, 128), int), np.zeros((3, 128))
    answer[:, 70:] = 1 + np.arange(58)
    right[:2, :70] = 1
    right[2, 70:] = 1
    found = who_chose(right, answer, 0)
    assert found["voted"][-1] == pytest.approx(2 / 3)
    assert found["voted"][0] == pytest.approx((2 * 70 + 58) / 3 / 128)


def test_forecasts_where_the_law_is_known():
    rng = np.random.default_rng(0)
    chance = rng.beta(0.8, 3.0, (4000, 1))
    draws = (rng.random((4000, 144)) < chance).astype(float)
    found = covered_and_forecast(draws[:, :16], draws[:, 16:])
    assert found["power"] == pytest.approx(0.8, abs=0.1)
    assert (found["law_error"] < 0.01).all()
    mean = draws[:, :16].mean()
    assert found["alike"] == pytest.approx(1 - (1 - mean) ** np.array(FORECAST))
    assert (found["alike_error"][:2] > 0.04).all()
    draws = (rng.random((4000, 144)) < 0.03).astype(float)
    found = covered_and_forecast(draws[:, :16], draws[:, 16:])
    assert (found["law_error"] < 0.02).all() and (found["alike_error"] < 0.02).all()
    two = np.zeros((2, 16))
    two[0, :8] = 1
    assert covered_and_forecast(two, np.zeros((2, 128)))["own"] == pytest.approx(
        [(1 - 0.5**k) / 2 for k in FORECAST]
    )
    nothing = covered_and_forecast(np.zeros((4, 16)), np.zeros((4, 128)))
    assert not nothing["law_error"].any() and not nothing["alike_error"].any()


def test_lots_accept_half_of_all_texts_and_always_the_same():
    rows = np.random.default_rng(0).integers(0, 40, (2000, 26))
    assert by_lot(rows).mean() == pytest.approx(0.5, abs=0.05)
    padded = np.concatenate([rows, np.full((2000, 3), -1)], 1)
    assert (by_lot(padded) == by_lot(rows)).all()


def test_lessons_of_strangers_answer_another_prompt():
    own, strange = (searches.lessons(TASK, strange=s)[:500] for s in (False, True))
    assert graded(TASK, own).all() and graded(TASK, strange).mean() < 0.02
    assert (own[:, : TASK.prompt_places] == strange[:, : TASK.prompt_places]).all()


def test_no_problem_that_is_asked_is_in_a_lesson_in_any_order():
    def problems(rows: np.ndarray) -> list[tuple[int, ...]]:
        return [(*sorted(row[:4]), row[5]) for row in rows.tolist()]

    kept, often = searches.kept_for_asking(TASK)
    learnt, asked_of = set(problems(searches.lessons(TASK))), problems(kept)
    assert not learnt & set(asked_of) and len(set(asked_of)) == len(asked_of) > 1024
    assert 0.15 < len(asked_of) / (len(asked_of) + len(learnt)) < 0.25
    assert often.sum() == pytest.approx(1) and often.max() > 2 * often.min() > 0
    turned = kept[:, [3, 1, 0, 2, 4, 5, 6]]
    assert (searches.problems_of(TASK, turned) == searches.problems_of(TASK, kept)).all()


def test_texts_drawn_blindly_are_true_lines_and_their_luck_is_their_own():
    prompts = np.repeat(asked(4), 50, axis=0)
    rows, others = (blindly(TASK, prompts, luck) for luck in (1, 2))
    assert (rows[:, : TASK.prompt_places] == prompts).all() and (rows[:, -1] == TASK.end).all()
    for place in range(TASK.prompt_places, TASK.places):
        begun = np.where(np.arange(TASK.places) < place, rows, -1)
        assert np.take_along_axis(allowed(TASK, begun), rows[:, place, None], 1).all()
    assert (rows != others).any(1).mean() > 0.9


def test_choosers_err_by_luck_of_their_own():
    right = np.random.default_rng(0).random((50, 128)) < 0.3
    one, same, other = (
        who_chose(right.astype(float), np.cumsum(right, 1), luck) for luck in (1, 1, 2)
    )
    assert one == same
    for name in ("erring", "heavy", "light", "voted"):
        assert one[name] != other[name]
    assert np.allclose(one["covered"], other["covered"])


def test_trees_keep_to_their_passes_and_lots_take_the_verifier_away(network):
    prompts, right = asked(3), np.zeros((3, 144))
    right[:, ::2] = 1
    found = searched(network, TASK, prompts, right, [64], 1)
    assert 0.5 < found["passes"] <= 1
    assert found["best"] == [pytest.approx(1 - 72 * 71 * 70 / (144 * 143 * 142))]
    assert searched(network, TASK, prompts, right, [64], 1, lot=True)["best"] == [0.5]


def test_a_training_alone_is_as_among_others():
    texts = jnp.asarray(searches.lessons(TASK))

    def one(key, texts):
        return eqx.filter(searches.taught(TASK, texts, key, 8)[0], eqx.is_array)

    keys = jax.random.split(jax.random.key(1), 3)
    among, alone = side_by_side(one, keys, texts), side_by_side(one, keys[1:2], texts)
    for x, y in zip(jax.tree.leaves(among), jax.tree.leaves(alone), strict=True):
        assert np.allclose(x[1], y[0], atol=2e-4)


@pytest.mark.parametrize("taken", ["verifier", "problems"])
def test_the_experiment_gives_a_number_for_each_training(taken):
    more = {"null": True, "taken": taken} if taken else {}
    budgets = [32] if taken == "verifier" else []
    found = searches.train({**TINY, **more, "budgets": budgets}, HERE).outcomes
    assert np.shape(found["covered"]) == np.shape(found["voted"]) == (2, len(COUNTS))
    assert np.shape(found["law_error"]) == (2, len(FORECAST))
    assert np.shape(found["loss"]) == np.shape(found["greedy"]) == (2,)
    assert ("tree" in found) == ("likeliest" in found) == ("blind" in found) == bool(budgets)
    if budgets:
        assert np.shape(found["tree"]) == (2, 1) and max(found["passes"]) <= 1


def test_problems_that_are_alike_are_one_of_those_asked(network):
    prompts = asked(4)
    same = np.asarray(searches.alike(TASK, network, jnp.asarray(prompts), jax.random.key(0)))
    assert (same == same[0]).all() and (same[0] == prompts).all(1).any()
