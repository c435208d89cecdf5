"""Text from a known source, and a transformer that learns to predict it: how well is exact."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import (
    NetworkPolicy,
    Transformer,
    descended,
    fit_next_token,
    fit_texts,
    load_network,
    network_from_config,
    next_token_loss,
    save_network,
    side_by_side,
    token_losses,
)
from deliberation.core import check_decider, check_task, rollout
from deliberation.core.errors import (
    BatchMismatchError,
    OutputFolderError,
    TokenizerError,
    UnknownNameError,
)
from deliberation.direct import NoEvaluation, TreeSearch
from deliberation.tasks import make_task

KEY = jax.random.key(0)
TEXT = make_task("markov_text", vocabulary=3, length=6)


def network(task=TEXT, width=16, depth=1, heads=2):
    shape = (task.order + task.length,)
    return Transformer(shape, task.vocabulary, width, depth, heads, key=KEY)


@pytest.fixture(scope="module")
def trained():
    return fit_next_token(
        TEXT.text, network(), steps=320, key=KEY, batch_size=64, learning_rate=1e-2
    )


@pytest.fixture(scope="module")
def texts():
    return jax.jit(jax.vmap(TEXT.text))(jax.random.split(jax.random.key(1), 4096))


@pytest.mark.parametrize("writes", [False, True])
def test_text_keeps_the_contract(writes):
    check_task(make_task("markov_text", vocabulary=3, length=4, writes=writes), episodes=8)


def table(task):
    """The conditional probabilities, asked of the task context by context."""
    found = {}
    for context in itertools.product(range(task.vocabulary), repeat=task.order):
        state = task.init(KEY)
        state = type(state)(state.tokens.at[: task.order].set(jnp.array(context)), state.time)
        found[context] = np.asarray(task.next_token(state), np.float64)
    return found


def test_text_is_from_the_table_and_stationary(texts):
    rows, seen = table(TEXT), np.asarray(texts)
    assert seen.shape == (4096, 8) and seen.min() == 0 and seen.max() == 2
    counts = np.zeros((3, 3, 3))
    for place in range(2, 8):
        np.add.at(counts, (seen[:, place - 2], seen[:, place - 1], seen[:, place]), 1)
    for context, row in rows.items():
        share = counts[context] / counts[context].sum()
        np.testing.assert_allclose(share, row, atol=6 / np.sqrt(counts[context].sum()) / 2)
    first, last = (np.bincount(seen[:, i : i + 2] @ [3, 1], minlength=9) / 4096 for i in (0, 6))
    np.testing.assert_allclose(first, last, atol=0.035)
    rate = sum(
        counts[c].sum() / counts.sum() * -(row * np.log(row)).sum() for c, row in rows.items()
    )
    assert TEXT.entropy_rate == pytest.approx(rate, abs=0.01)


def test_the_optimum_is_that_of_brute_force():
    guesses = make_task("markov_text", vocabulary=2, order=1, length=4)
    writes = make_task("markov_text", vocabulary=2, order=1, length=4, writes=True)
    rows = table(guesses)
    assert rows.keys() == table(writes).keys()
    for first in (0, 1):
        right, best = 0.0, -np.inf
        for text in itertools.product((0, 1), repeat=4):
            steps = list(zip((first, *text[:-1]), text, strict=True))
            chance = np.prod([rows[(a,)][b] for a, b in steps])
            right += chance * sum(rows[(a,)].argmax() == b for a, b in steps)
            best = max(best, np.log(chance))
        for task, value in ((guesses, right), (writes, best)):
            state = task.init(KEY)
            state = type(state)(state.tokens.at[0].set(first), state.time)
            assert float(task.objective.optimum(state)) == pytest.approx(value, rel=1e-5)
            assert float(task.objective.heuristic(state)) == pytest.approx(value, rel=1e-5)


def test_a_planner_writes_what_is_predictable_and_the_source_does_not():
    task = make_task("markov_text", vocabulary=3, order=1, length=4, writes=True)
    planner = TreeSearch(task, "puct", NoEvaluation(), budget=200)
    played = rollout(task, planner, key=KEY, batch=8)
    best = jax.vmap(task.objective.optimum)(
        jax.vmap(task.init)(jax.random.split(jax.random.split(KEY)[1], 8))
    )
    assert played.returns.mean() > float(best.mean()) - 0.2
    assert -task.entropy_rate * 4 < float(best.mean()) - 0.5


def test_the_future_is_not_seen_and_one_answer_is_that_of_the_whole_text():
    net, tokens = network(), jnp.array([0, 2, 1, 1, 0, 2, 2, 0])
    whole, changed = eqx.filter_jit(jax.vmap(net.predict))(jnp.stack([tokens, tokens.at[5].set(0)]))
    assert whole.shape == (9, 3)
    np.testing.assert_allclose(whole[:6], changed[:6], atol=1e-6)
    assert (np.abs(whole[6:] - changed[6:]).max(1) > 1e-4).all()
    lengths = jnp.array([0, 1, 5, 8])
    seen = jnp.where(jnp.arange(8) < lengths[:, None], tokens, -1).astype(jnp.float32)
    logits, value = eqx.filter_jit(net.batched)(seen)
    np.testing.assert_allclose(logits, whole[lengths], atol=1e-5)
    assert (value == 0).all()


def test_the_loss_is_the_surprise_at_each_token():
    net, tokens = network(), jnp.array([[0, 2, 1, 1, 0, 2, 2, 0]])
    logits = np.asarray(eqx.filter_jit(net.predict)(tokens[0]), np.float64)[:-1]
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wanted = -np.log(chances[np.arange(8), np.asarray(tokens[0])])
    np.testing.assert_allclose(token_losses(net, tokens)[0], wanted, rtol=1e-5)


def test_it_becomes_the_source_and_no_better(trained, texts):
    """The excess over the source's own surprise is a divergence: positive, and soon small."""
    after = TEXT.order
    losses = np.asarray(token_losses(trained.network, texts))[:, after:]
    rows = table(TEXT)
    seen = np.asarray(texts)
    own = np.array([
        [-np.log(rows[tuple(t[i - after : i])][t[i]]) for i in range(after, len(t))] for t in seen
    ])  # fmt: skip
    assert own.mean() == pytest.approx(TEXT.entropy_rate, abs=0.02)
    excess = (losses - own).mean()
    assert -0.002 < excess < 0.03
    untrained = np.asarray(token_losses(network(), texts))[:, after:].mean()
    assert untrained - own.mean() > 0.15
    ledger = trained.ledger
    assert (ledger.fits, ledger.data, ledger.network_evaluations) == (320, 320 * 64, 320 * 64)


def test_its_guesses_are_the_likeliest_tokens(trained):
    policy = NetworkPolicy(TEXT, trained.network)
    check_decider(policy)
    rows = table(TEXT)
    contexts = list(rows)[:8]
    states = jax.vmap(TEXT.init)(jax.random.split(KEY, 8))
    tokens = states.tokens.at[:, :2].set(jnp.array(contexts))
    decision, _ = policy.decide(eqx.tree_at(lambda s: s.tokens, states, tokens), key=KEY)
    wanted = np.stack([rows[c] for c in contexts])
    assert np.abs(np.asarray(decision.weights) - wanted).mean() < 0.04
    clear = np.sort(wanted, 1)[:, -1] - np.sort(wanted, 1)[:, -2] > 0.2
    np.testing.assert_array_equal(np.asarray(decision.action)[clear], wanted.argmax(1)[clear])


def test_it_is_saved_and_built_by_name(tmp_path, trained):
    again = network_from_config(trained.network.config, KEY)
    assert jax.tree.structure(again) == jax.tree.structure(trained.network)
    save_network(
        tmp_path / "policy", trained.network, "markov_text", {"vocabulary": 3, "length": 6}
    )
    _, loaded, _ = load_network(tmp_path / "policy")
    for a, b in zip(*map(jax.tree.leaves, (loaded, trained.network)), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UnknownNameError, match="transformer"):
        network_from_config({"kind": "transformr"}, KEY)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="multiple of its heads"):
        network(width=15)
    with pytest.raises(BatchMismatchError, match="Texts have shape"):
        fit_next_token(make_task("markov_text").text, network(), steps=1, key=KEY)
    for wrong in ({"vocabulary": 1}, {"length": 0}, {"vocabulary": 20, "order": 4}):
        with pytest.raises(ValueError, match=r"got|contexts"):
            make_task("markov_text", **wrong)


def test_multiply_adds_are_those_of_the_products():
    net = eqx.filter_eval_shape(network, width=8, depth=2, heads=2)
    places, width = 9, 8
    products = places * 12 * width**2 + 2 * places**2 * width
    assert net.multiply_adds == 2 * products + width * 3 + width


def sums(count, key):
    """Three tokens a, b and a + b modulo 4, then none: the last is certain, given the others."""
    pairs = jax.random.randint(key, (count, 2), 0, 4)
    texts = jnp.concatenate([pairs, pairs.sum(1, keepdims=True) % 4], 1)
    return np.asarray(jnp.pad(texts, ((0, 0), (0, 1)), constant_values=-1))


def answers_only(texts):
    return (np.arange(4) == 2) * np.ones(texts.shape)


@pytest.fixture(scope="module")
def added():
    """Trained on the answers alone."""
    net = Transformer((4,), 4, 32, 1, 2, key=KEY)
    texts, others = sums(300, KEY), sums(64, jax.random.key(5))
    options = {"weights": answers_only(texts), "held_out": (others, answers_only(others))}
    return fit_texts(texts, net, epochs=64, key=KEY, warmup=20, learning_rate=1e-2, **options)


def test_a_set_of_texts_is_learned_where_it_counts(added):
    others = sums(64, jax.random.key(5))
    untrained = Transformer((4,), 4, 32, 1, 2, key=KEY)
    before = float(
        next_token_loss(untrained, jnp.asarray(others), jnp.asarray(answers_only(others)))
    )
    assert added.metrics["held_out"][-1] < 0.1 < 1.0 < before
    each = np.asarray(token_losses(added.network, jnp.asarray(others)))
    assert each[:, 2].mean() == pytest.approx(added.metrics["held_out"][-1], rel=1e-4)
    assert each[:, 1].mean() > np.log(4) - 0.05, "prompts were not to be learned"
    assert (each[:, 3] == 0).all()
    assert (added.ledger.data, added.ledger.fits) == (300, 300)


def test_the_loss_is_a_mean_over_what_counts():
    net = Transformer((4,), 4, 16, 1, 2, key=KEY)
    texts = jnp.array([[0, 1, 2, 3], [3, 2, -1, -1]])
    each = np.asarray(token_losses(net, texts))
    there = np.asarray(texts >= 0)
    assert next_token_loss(net, texts) == pytest.approx(each[there].mean(), rel=1e-5)
    weights = jnp.array([[0.0, 2.0, 0.0, 1.0], [0.0, 1.0, 5.0, 5.0]])
    wanted = (2 * each[0, 1] + each[0, 3] + each[1, 1]) / 4
    assert next_token_loss(net, texts, weights) == pytest.approx(wanted, rel=1e-5)
    assert next_token_loss(net, texts, jnp.zeros((2, 4))) == 0.0


def test_every_text_is_seen_once_an_epoch():
    from deliberation.amortised.sequence.next_token import _drawn, _orders

    order = _orders(10, 25, KEY)
    texts = jnp.arange(10)[:, None]
    drawn = [_drawn(texts, texts, order, 5, jnp.int32(step), KEY)[0] for step in range(5)]
    rows = np.concatenate(drawn)[:, 0]
    for epoch in (rows[:10], rows[10:20]):
        assert sorted(epoch) == list(range(10))
    assert (rows[:10] != rows[10:20]).any() and len(set(rows[20:])) == 5


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    net, texts = Transformer((4,), 4, 16, 1, 2, key=KEY), sums(50, KEY)
    options = {"epochs": 130, "key": KEY, "batch_size": 25, "held_out": texts[:9]}
    whole = fit_texts(texts, net, **options)
    fit_texts(texts, net, folder=tmp_path, watch=lambda step, _: step == 2, **options)
    resumed = fit_texts(texts, net, folder=tmp_path, **options)
    for a, b in zip(*map(jax.tree.leaves, (whole.network, resumed.network)), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(whole.metrics["held_out"], resumed.metrics["held_out"])
    others = texts[9:18]
    for wrong in (
        {"held_out": others}, {"held_out": None}, {"held_out": (texts[:9], np.full((9, 4), 2.0))},
    ):  # fmt: skip
        with pytest.raises(OutputFolderError):
            fit_texts(texts, net, folder=tmp_path, **{**options, **wrong})
    with pytest.raises(OutputFolderError):
        fit_texts(texts[::-1], net, folder=tmp_path, **options)
    with pytest.raises(OutputFolderError, match="begins"):  # trained on, it is another training
        fit_texts(texts, whole.network, folder=tmp_path, **options)


def test_texts_that_do_not_fit_are_refused():
    net, texts = Transformer((4,), 4, 16, 1, 2, key=KEY), sums(8, KEY)
    for error, wrong, more in (
        (BatchMismatchError, texts[:, :3], {}),
        (BatchMismatchError, texts, {"weights": np.ones((8, 3))}),
        (TokenizerError, texts + 1, {}),
        (ValueError, texts[:0], {}),
        (ValueError, texts, {"weights": np.zeros((8, 4))}),
        (ValueError, texts, {"weights": np.full((8, 4), np.nan)}),
    ):
        with pytest.raises(error):
            fit_texts(wrong, net, epochs=1, key=KEY, **more)
    padded = texts[:, ::-1]
    assert (padded[:, 0] < 0).all()
    for wrong in (padded, np.where(np.arange(4) == 1, -1, texts)):
        with pytest.raises(TokenizerError, match="padded at the end"):
            fit_texts(wrong, net, epochs=1, key=KEY)
        with pytest.raises(TokenizerError, match="padded at the end"):
            fit_texts(texts, net, epochs=1, key=KEY, held_out=wrong)
    for told, more in (
        ("batch_size is", {"batch_size": 0}),
        ("epochs=0", {"epochs": 0}),
        ("epochs=nan", {"epochs": np.nan}),
        ("epochs=inf", {"epochs": np.inf}),
        ("a tuple of 1", {"held_out": (texts,)}),
        ("warmup is", {"warmup": -5}),
        ("weight_decay=-1", {"weight_decay": -1.0}),
    ):
        with pytest.raises(ValueError, match=told):
            fit_texts(texts, net, **{"epochs": 1, "key": KEY, **more})


def test_trainings_side_by_side_learn_the_same_texts():
    texts = jnp.asarray(sums(256, KEY))
    weights = jnp.asarray(answers_only(texts))

    def train(key, texts, weights):
        net = Transformer((4,), 4, 16, 1, 2, key=key)

        def loss(network, key):
            rows = jax.random.randint(key, (32,), 0, 256)
            return next_token_loss(network, texts[rows], weights[rows])

        return descended(loss, net, key, steps=150, learning_rate=1e-2)[1]

    losses = side_by_side(train, jax.random.split(KEY, 3), texts, weights)
    assert losses.shape == (3, 150) and (losses[:, :5].mean(1) > 1.0).all()
    assert (losses[:, -10:].mean(1) < 0.3).all() and np.ptp(losses[:, 0]) > 0
