"""Conversations that a model leads: the partner's law, credit, swapped partners, and who leads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import Transformer
from deliberation.claims.experiments.language import conversation as talks
from deliberation.runs import Context

KEY = jax.random.key(0)
HERE = Context.__new__(Context)
"""The experiment uses nothing of it."""
EASY = jnp.int32(2)


def always(topic):
    """A speaker who names one topic."""
    return lambda told, turn: jnp.tile(jax.nn.one_hot(topic, talks.TOPICS), (len(told.tokens), 1))


def network(width=8):
    return Transformer(
        (talks.TURNS * talks.SPAN,), talks.TOPICS + talks.WORDS, width, 1, 2, key=KEY
    )


def test_the_partners_law_listens_stays_or_takes_any():
    law = talks.next_topic(jnp.array([1, 1]), jnp.array([3, 1]), 0.6)
    np.testing.assert_allclose(law, [[0.05, 0.25, 0.05, 0.65], [0.05, 0.85, 0.05, 0.05]], atol=1e-6)
    deaf = talks.next_topic(jnp.array([1]), jnp.array([3]), 0.0)
    np.testing.assert_allclose(deaf, [[0.2, 0.4, 0.2, 0.2]], atol=1e-6)
    spoken = talks.words(jnp.array([2, 0]), EASY)
    np.testing.assert_allclose(spoken, [[0.97, 0.01, 0.01, 0.01], [0.25] * 4], atol=1e-6)
    easy, hard = talks.entropies()
    own = np.array([0.97, 0.01, 0.01, 0.01])
    assert easy == pytest.approx(-2 * (own * np.log(own)).sum(), abs=1e-5)
    assert hard == pytest.approx(2 * np.log(4))


def test_conversations_are_of_tokens_that_agree_with_their_topics():
    told, chances = talks.talk(talks.log_speaker, KEY, 4000, EASY)
    turns = np.asarray(jnp.pad(told.tokens, ((0, 0), (0, 1)))).reshape(-1, talks.TURNS, talks.SPAN)
    np.testing.assert_array_equal(turns[..., 0], told.topics)
    assert turns[..., 1:3].min() == talks.TOPICS and turns[..., 1:3].max() == 7
    assert turns[:, :-1, 3].max() == talks.TOPICS - 1
    follows = (turns[:, :-1, 3] == turns[:, :-1, 0]).mean()
    assert follows == pytest.approx(0.4 + 0.6 / 4, abs=0.02)
    assert chances.shape == (4000, talks.TURNS - 1, talks.TOPICS)
    heard = (turns[:, 1:, 0] == turns[:, :-1, 3]).mean()
    assert heard == pytest.approx(0.6 + 0.2 * follows + 0.05, abs=0.02)
    plain = turns[..., 1:3][np.asarray(told.topics) == 2] == talks.TOPICS
    assert plain.mean() == pytest.approx(0.97, abs=0.01)


def test_in_the_logs_each_topic_has_its_quarter_and_asking_brings_the_closed_form():
    logged, _ = talks.talk(talks.log_speaker, KEY, 8000, EASY)
    np.testing.assert_allclose((logged.topics == 2).mean(0), talks.DATA, atol=0.02)
    led, _ = talks.talk(always(2), KEY, 8000, EASY)
    want = [talks.best_share(turn) for turn in range(talks.TURNS)]
    np.testing.assert_allclose((led.topics == 2).mean(0), want, atol=0.02)
    assert want[1] == pytest.approx(0.7)


def test_with_partners_swapped_or_deaf_nobody_is_told_what_he_asked_for():
    n = 4000

    def first_asks(told, turn):
        """The first half asks for the easy topic, the others for another."""
        ask = jnp.where(jnp.arange(n) % 2 == 0, 2, 1)
        return jax.nn.one_hot(ask, talks.TOPICS)

    own, _ = talks.talk(first_asks, KEY, n, EASY)
    swapped, _ = talks.talk(first_asks, KEY, n, EASY, swapped=True)
    deaf, _ = talks.talk(first_asks, KEY, n, EASY, listens=0.0)
    share = [np.asarray(x.topics[:, 1] == 2).reshape(-1, 2).mean(0) for x in (own, swapped, deaf)]
    np.testing.assert_allclose(share, [[0.7, 0.1], [0.1, 0.7], [0.25, 0.25]], atol=0.03)


def test_scores_are_the_models_log_probabilities_and_credit_is_of_later_turns():
    some, model = talks.talk(talks.log_speaker, KEY, 3, EASY)[0], network()
    score, answers = talks.scored(model, some)
    for row in range(3):
        text = some.tokens[row]
        known = np.asarray(jax.nn.log_softmax(model.predict(text[:-1])))[np.arange(19), text]
        parts = np.append(known, 0.0).reshape(talks.TURNS, talks.SPAN)
        np.testing.assert_allclose(score[row], parts[:, :3].sum(1), rtol=1e-4)
        for turn in range(talks.TURNS - 1):
            place = turn * talks.SPAN + 3
            of_topics = jax.nn.log_softmax(model.predict(text[:place])[-1, :4])
            assert float(answers[row, turn]) == pytest.approx(
                float(of_topics[text[place]]), abs=1e-4
            )
    plain = jnp.array([[1.0, 2.0, 4.0, 8.0, 16.0]])
    assert talks.credited(plain, False).tolist() == [[30.0, 28.0, 24.0, 16.0]]
    assert talks.credited(plain, True).tolist() == [[1.0, 2.0, 4.0, 8.0]]


def test_what_is_judged_is_the_law_over_what_a_model_says():
    model = network()
    found = talks.judged(model, KEY, EASY)
    own, _ = jax.random.split(KEY)
    told, chances = talks.talk(talks.spoken(model), own, talks.JUDGED, EASY)
    want = 0.6 * chances[..., 2] + 0.2 * (told.topics[:, :-1] == 2) + 0.05
    np.testing.assert_allclose(found["told"], want.mean(0), atol=1e-5)
    assert float(found["said"]) == pytest.approx(float(chances[..., 2].mean()))


def test_reinforced_by_later_turns_a_model_leads_and_trained_otherwise_it_does_not():
    told = {"trainings": 2, "arm": "", "key": 1, "steps": 80, "further": 80}
    found = {k: np.asarray(v) for k, v in talks.train(told, HERE).outcomes.items()}
    assert (found["turns_told"].mean(1) > talks.DATA + 0.2).all()
    for way in ("begin", "predict", "within", "swapped"):
        assert found[f"{way}_told"].mean() == pytest.approx(talks.DATA, abs=0.1), way
    assert (found["turns_nats"] < found["predict_nats"] - 0.3).all()
