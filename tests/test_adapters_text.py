"""Language models of transformers, held against their owners' own logits and `generate`."""

import inspect
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

from deliberation import check_decider, make_task, rollout  # noqa: E402
from deliberation.adapters import from_transformers, insides, text_policy  # noqa: E402
from deliberation.adapters.text.decoding import DirectReader  # noqa: E402
from deliberation.adapters.text.policy import symbol_logprobs  # noqa: E402
from deliberation.adapters.text.reading import ForwardReader  # noqa: E402
from deliberation.adapters.text.stranger import TransformersModel  # noqa: E402
from deliberation.core.contract import Sampling  # noqa: E402
from deliberation.core.errors import (  # noqa: E402
    BatchMismatchError,
    ContextOverflowError,
    NonFiniteError,
    PolicyFileError,
    TokenizerError,
    UnknownNameError,
    UnsuitableTaskError,
    UntrustedFileError,
    WrongKindError,
)

torch.set_num_threads(1)
KEY = jax.random.key(0)
GREEDY = Sampling(0.0)
ENDLESS = {"bos_token_id": None, "eos_token_id": None}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, **ENDLESS}
TEXTS = np.array([[3, 1, 4, 1, 5], [9, 2, -1, -1, -1], [6, 5, 3, -1, -1]])


def gpt2(vocabulary, **more):
    options = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 48, **more}
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=vocabulary, initializer_range=0.2, attn_pdrop=0.0, embd_pdrop=0.0,
        resid_pdrop=0.0, **ENDLESS, **options,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def llama(**more):
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=16, intermediate_size=48, num_key_value_heads=2, max_position_embeddings=48,
        initializer_range=0.2, **SMALL, **more,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def mistral():
    """Attention that reaches back 4 tokens alone."""
    torch.manual_seed(2)
    config = transformers.MistralConfig(
        vocab_size=16, intermediate_size=48, num_key_value_heads=2, max_position_embeddings=48,
        initializer_range=0.2, sliding_window=4, **SMALL,
    )  # fmt: skip
    return transformers.MistralForCausalLM(config)


def neox():
    torch.manual_seed(3)
    config = transformers.GPTNeoXConfig(
        vocab_size=16, intermediate_size=48, max_position_embeddings=48, initializer_range=0.2,
        **SMALL,
    )  # fmt: skip
    return transformers.GPTNeoXForCausalLM(config)


MODELS = {"gpt2": lambda: gpt2(16), "llama": llama, "mistral": mistral, "neox": neox}


def forward(module, text):
    """The model's own logits after one text, without a cache."""
    with torch.no_grad():
        ids = torch.tensor([[token for token in text if token >= 0]])
        return module.eval()(input_ids=ids).logits[0, -1].numpy()


def tokenizer_of(words, **special):
    """One token a word."""
    known = {word: token for token, word in enumerate([*words, "[UNK]"])}
    plain = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="[UNK]", **special
    )


@pytest.fixture(scope="module")
def countdown():
    return make_task("countdown", numbers=2, grammar=True)


@pytest.fixture(scope="module")
def trained(countdown, tmp_path_factory):
    """The folder of a GPT-2 that has learned how lines of Countdown are written."""
    folder, words = tmp_path_factory.mktemp("gpt2"), countdown.symbols
    module = gpt2(len(words) + 1)
    keys = jax.random.split(KEY, 512)
    texts = torch.tensor(np.array(jax.vmap(lambda k: countdown.examples(k, "optimal"))(keys)))
    texts = texts.long()
    steps = torch.optim.AdamW(module.parameters(), 3e-3)
    for step in range(60):
        some = texts[(64 * step) % 512 :][:64]
        module(input_ids=some.clamp(min=0), labels=some.masked_fill(some < 0, -100)).loss.backward()
        steps.step()
        steps.zero_grad()
    module.save_pretrained(folder)
    tokenizer_of(words, eos_token="end").save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", MODELS)
def test_logits_are_the_models_own_with_and_without_what_was_read(kind):
    module = MODELS[kind]()
    model = from_transformers(module)
    assert isinstance(model.reader, DirectReader) == (kind in ("gpt2", "llama"))
    texts = [list(row[row >= 0]) for row in TEXTS]
    logits, memory = model.start(TEXTS)
    np.testing.assert_allclose(logits, [forward(module, x) for x in texts], atol=2e-4)
    for tokens in ([1, 2, 3], [7, -1, 8], [-1, -1, 9], [4, 5, 6], [4, 5, 6]):
        logits, memory = model.extend(memory, np.array(tokens))
        for text, token, told in zip(texts, tokens, logits, strict=True):
            if token >= 0:
                text.append(token)
                np.testing.assert_allclose(told, forward(module, text), atol=2e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_a_memory_goes_on_in_several_ways(kind):
    module = MODELS[kind]()
    model = from_transformers(module)
    _, first = model.start(TEXTS)
    once, second = model.extend(first, np.array([1, 1, 1]))
    other, _ = model.extend(first, np.array([2, 2, 2]))
    again, _ = model.extend(second, np.array([3, 3, 3]))
    picked, _ = model.extend(model.pick(first, np.array([2, 0, 2, 1])), np.array([1, 2, 3, 4]))
    texts = [list(row[row >= 0]) for row in TEXTS]
    for told, tail in ((once, [1]), (other, [2]), (again, [1, 3])):
        np.testing.assert_allclose(told, [forward(module, [*x, *tail]) for x in texts], atol=2e-4)
    rows = [(2, 1), (0, 2), (2, 3), (1, 4)]
    expected = [forward(module, [*texts[row], token]) for row, token in rows]
    np.testing.assert_allclose(picked, expected, atol=2e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_the_likeliest_tokens_are_those_of_generate(kind):
    module = MODELS[kind]().eval()
    texts = np.arange(1, 37).reshape(6, 6) % 16
    ids = torch.tensor(texts)
    with torch.no_grad():
        told = module.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False,
            pad_token_id=0,
        )  # fmt: skip
    written = from_transformers(module).write(texts, key=KEY, tokens=20, sampling=GREEDY)
    assert (written.tokens == told[:, 6:].numpy()).all()
    assert (written.logprob == 0).all()


def test_draws_are_as_frequent_as_they_are_probable():
    module = gpt2(16)
    model = from_transformers(module)
    text = np.array([[3, 1, 4]])
    for how in (Sampling(), Sampling(0.5), Sampling(top_k=3), Sampling(2.0, top_p=0.8)):
        written = model.write(text, key=KEY, tokens=1, sampling=how, samples=20_000)
        expected = np.asarray(how.narrowed(jnp.asarray(forward(module, text[0]))))
        counts = np.bincount(written.tokens[:, 0], minlength=16) / 20_000
        share = np.exp(expected)
        assert (counts[share == 0] == 0).all()
        assert (np.abs(counts - share) < 5 * np.sqrt(share / 20_000) + 1e-9).all()
        np.testing.assert_allclose(written.logprob, expected[written.tokens[:, 0]], atol=1e-4)


def test_a_row_depends_on_no_neighbour_and_no_global_seed():
    model = from_transformers(gpt2(16))
    state = torch.get_rng_state()
    many = model.write(TEXTS, key=KEY, tokens=12, stop=0)
    assert (torch.get_rng_state() == state).all()
    torch.manual_seed(5)
    one = model.write(TEXTS[:1], key=KEY, tokens=12, stop=0)
    assert (one.tokens == many.tokens[:1]).all()
    np.testing.assert_allclose(one.logprob, many.logprob[:1], atol=1e-4)
    other = model.write(TEXTS, key=jax.random.key(1), tokens=12, stop=0)
    assert (other.tokens != many.tokens).any()


def test_what_is_written_ends_at_stop_and_its_probability_is_that_of_all_of_it():
    module = gpt2(16)
    model = from_transformers(module)
    written = model.write(TEXTS, key=KEY, tokens=30, stop=0, samples=8)
    ended = (written.tokens == 0).any(1)
    assert ended.any() and len(written.tokens) == 24
    for tokens in written.tokens:
        kept = tokens[tokens >= 0]
        assert (kept[:-1] != 0).all() and (tokens[len(kept) :] == -1).all()
        assert kept[-1] == 0 or len(kept) == 30
    row = int(np.argmax(ended))
    text, nats = list(TEXTS[row // 8][TEXTS[row // 8] >= 0]), 0.0
    for token in written.tokens[row][written.tokens[row] >= 0]:
        nats += float(np.asarray(jax.nn.log_softmax(forward(module, text)))[token])
        text.append(int(token))
    assert written.logprob[row] == pytest.approx(nats, abs=1e-3)
    spent = np.asarray(written.spent.network_evaluations)
    assert spent[0] == 5 + (written.tokens[0] >= 0).sum() - 1
    assert spent[1] == (written.tokens[1] >= 0).sum() - 1


def test_both_ways_of_reading_write_the_same():
    model = from_transformers(gpt2(16))
    quick = model.write(TEXTS, key=KEY, tokens=25, stop=0, samples=4)
    model.reader = ForwardReader(model.module)
    slow = model.write(TEXTS, key=KEY, tokens=25, stop=0, samples=4)
    assert (quick.tokens == slow.tokens).all()
    np.testing.assert_allclose(quick.logprob, slow.logprob, atol=1e-3)


COMPILED = {
    **{kind: MODELS[kind] for kind in ("gpt2", "llama")},
    "llama with llama3's rotations": lambda: llama(
        rope_parameters={
            "rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
        }
    ),
    "gpt2 of other sums": lambda: gpt2(
        16, activation_function="relu", scale_attn_by_inverse_layer_idx=True
    ),
}  # fmt: skip


def by_programs(module):
    """The same model twice: in PyTorch, and by compiled programs."""
    return (from_transformers(module, compiled=which) for which in (False, True))


def unsettled(module):
    """With normalisations and biases that are not those of the beginning."""
    torch.manual_seed(4)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.randn_like(weight))
    return module


@pytest.mark.parametrize("kind", COMPILED)
def test_compiled_programs_write_what_pytorch_writes(kind):
    plain, quick = by_programs(unsettled(COMPILED[kind]()))
    ways = (
        {"sampling": GREEDY},
        {"sampling": Sampling(0.7, top_k=5), "stop": 0, "samples": 3},
        {"sampling": Sampling(1.5, top_p=0.7)},
    )
    for way in ways if kind in MODELS else ways[:1]:
        tokens = 42 if way["sampling"] == GREEDY else 25
        slow, fast = (m.write(TEXTS, key=KEY, tokens=tokens, **way) for m in (plain, quick))
        assert quick.writes_compiled and not plain.writes_compiled
        assert (slow.tokens == fast.tokens).all()
        np.testing.assert_allclose(fast.logprob, slow.logprob, atol=1e-3)
        np.testing.assert_array_equal(
            fast.spent.network_evaluations, slow.spent.network_evaluations
        )


def test_compiled_programs_draw_as_often_as_is_probable():
    module = gpt2(16)
    _, model = by_programs(module)
    text, how = np.array([[3, 1, 4]]), Sampling(0.8, top_p=0.9)
    written = model.write(text, key=KEY, tokens=2, sampling=how, samples=20_000)
    assert model.writes_compiled
    first = np.exp(how.narrowed(jnp.asarray(forward(module, text[0]))))
    expected = sum(
        first[token] * np.exp(how.narrowed(jnp.asarray(forward(module, [3, 1, 4, token]))))
        for token in range(16)
    )
    counts = np.bincount(written.tokens[:, 1], minlength=16) / 20_000
    assert (counts[expected == 0] == 0).all()
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected / 20_000) + 1e-9).all()


def test_programs_are_compiled_once_they_pay(monkeypatch):
    from deliberation.adapters.text import stranger

    monkeypatch.setattr(stranger, "_WORTH", 0.01)
    model = from_transformers(gpt2(16))
    used = []
    for _ in range(4):
        model.write(TEXTS, key=KEY, tokens=20, sampling=GREEDY)
        used.append(model.writes_compiled)
    assert used == [False, False, True, True]


def test_weights_that_are_written_into_later_are_noticed():
    _, model = by_programs(gpt2(16))
    before = model.write(TEXTS, key=KEY, tokens=20, sampling=GREEDY)
    with torch.no_grad():
        model.module.transformer.h[1].mlp.c_fc.weight.mul_(-3.0)
    after = model.write(TEXTS, key=KEY, tokens=20, sampling=GREEDY)
    expected = from_transformers(model.module, compiled=False)
    assert (before.tokens != after.tokens).any()
    told = expected.write(TEXTS, key=KEY, tokens=20, sampling=GREEDY)
    assert (after.tokens == told.tokens).all() and model.writes_compiled


def test_programs_whose_logits_are_others_are_given_up(monkeypatch):
    from deliberation.adapters.text import weights

    plain, quick = by_programs(gpt2(16))
    monkeypatch.setitem(weights.ACTIVATIONS, "gelu_new", "relu")
    slow, fast = (m.write(TEXTS, key=KEY, tokens=20, sampling=GREEDY) for m in (plain, quick))
    assert (slow.tokens == fast.tokens).all()
    assert not quick.writes_compiled


def test_broken_weights_and_full_models_are_said_by_compiled_programs_too():
    module = gpt2(16, n_positions=40)
    _, model = by_programs(module)
    written = model.write(np.ones((2, 5), int), key=KEY, tokens=36, sampling=GREEDY)
    assert model.writes_compiled and (written.tokens >= 0).all()
    with pytest.raises(ContextOverflowError):
        model.write(np.ones((2, 5), int), key=KEY, tokens=37)
    with torch.no_grad():  # the third token that is written cannot be read
        model.module.transformer.wpe.weight[7] = float("nan")
    for how in (GREEDY, Sampling()):
        with pytest.raises(NonFiniteError):
            model.write(np.ones((2, 5), int), key=KEY, tokens=36, sampling=how)


def test_a_networks_weights_that_are_looked_up_cost_nothing():
    model = from_transformers(gpt2(16, n_embd=8, n_layer=1, n_head=2))
    layer = 8 * 24 + 24 + 8 * 8 + 8 + 8 * 32 + 32 + 32 * 8 + 8 + 4 * 8
    assert model.flops_per_token == 2 * (layer + 2 * 8 + 8 * 16)


def test_a_folder_is_the_model_that_was_saved(trained, countdown):
    model = from_transformers(trained)
    owner = transformers.GPT2LMHeadModel.from_pretrained(trained)
    text = "3 5 -> 15 :"
    tokens = np.array([model.encode(text)])
    np.testing.assert_allclose(model.start(tokens)[0][0], forward(owner, tokens[0]), atol=2e-4)
    assert model.decode(tokens[0]) == text
    assert model.end == countdown.end
    assert model.longest == 48


def test_a_language_model_is_a_policy_on_a_task_of_text(trained, countdown):
    model = from_transformers(trained)
    policy = text_policy(model, countdown)
    check_decider(policy)
    games = rollout(countdown, policy, key=KEY, batch=64)
    drawn = rollout(
        countdown, text_policy(model, countdown, deterministic=False), key=KEY, batch=64
    )
    assert games.returns.mean() > 0.4  # random play along the grammar: 0.15
    assert not np.array_equal(games.returns, drawn.returns)


def test_weights_are_the_models_shares_of_what_is_legal(trained, countdown):
    model = from_transformers(trained)
    states = jax.vmap(countdown.init)(jax.random.split(KEY, 5))
    decision, _ = text_policy(model, countdown).decide(states, key=KEY)
    logits = model.start(np.asarray(states.tokens))[0][:, : len(countdown.symbols)]
    legal = np.asarray(jax.vmap(countdown.legal)(states))
    expected = jax.nn.softmax(np.where(legal, logits, -np.inf))
    np.testing.assert_allclose(decision.weights, expected, atol=1e-5)


def test_symbols_of_several_tokens_have_the_probability_of_all_of_them():
    model = from_transformers(gpt2(16))
    symbols = [(3,), (5, 6), (5, 7, 1), (5,)]
    told = symbol_logprobs(model, TEXTS, symbols)
    for row, text in enumerate(TEXTS):
        for which, symbol in enumerate(symbols):
            read, nats = list(text[text >= 0]), 0.0
            for token in symbol:
                nats += float(jax.nn.log_softmax(forward(model.module, read))[token])
                read.append(token)
            assert told[row, which] == pytest.approx(nats, abs=1e-3)


def test_a_policy_whose_symbols_are_several_tokens():
    task = make_task("markov_text", vocabulary=3, length=6)
    tokenizer = tokenizer_of(["ka", "to", "mi"])
    model = from_transformers(gpt2(4), tokenizer)
    policy = text_policy(model, task, symbols=["ka to", "ka mi", "mi"])
    check_decider(policy)
    decision, _ = policy.decide(jax.vmap(task.init)(jax.random.split(KEY, 3)), key=KEY)
    # "ka" is read once for both symbols that it begins.
    assert (np.asarray(decision.spent.network_evaluations) == 2).all()
    states = jax.vmap(task.init)(jax.random.split(KEY, 3))
    texts = np.asarray(states.tokens)
    read = 1 + np.where(texts >= 0, np.array([2, 2, 1])[texts], 0).sum(1)
    np.testing.assert_allclose(decision.spent.flops, model.flops_per_token * read)
    with pytest.raises(TokenizerError, match="'ka' alike"):
        text_policy(model, task, symbols=["ka", "ka", "mi"])


def test_symbols_that_the_tokenizer_lacks_are_named(trained):
    task = make_task("markov_text", vocabulary=3, length=6)
    model = from_transformers(trained)
    with pytest.raises(TokenizerError, match="'alpha', 'beta'"):
        text_policy(model, task, symbols=["1", "alpha", "beta"])
    with pytest.raises(UnsuitableTaskError, match="2 symbols"):
        text_policy(model, task, symbols=["1", "2"])
    with pytest.raises(UnsuitableTaskError, match="words"):
        text_policy(model, make_task("gridworld"))
    with pytest.raises(WrongKindError):
        text_policy(model.module, task)


def test_a_tokenizer_of_more_tokens_than_the_model_is_refused():
    with pytest.raises(TokenizerError, match=r"'\[UNK\]'"):
        from_transformers(gpt2(3), tokenizer_of(["a", "b", "c"]))
    with pytest.raises(TokenizerError, match="without a tokenizer"):
        from_transformers(gpt2(3)).encode("a")


def test_texts_that_cannot_be_read_are_refused():
    model = from_transformers(gpt2(16, n_positions=8))
    for texts in (np.full((2, 3), -1), np.array([[1, 2], [-1, -1]]), np.zeros((0, 3), int)):
        with pytest.raises(TokenizerError, match="empty"):
            model.start(texts)
    with pytest.raises(TokenizerError, match="16"):
        model.start(np.array([[1, 16]]))
    with pytest.raises(TokenizerError, match="-1 before its last token"):
        model.start(np.array([[1, -1, 2]]))
    with pytest.raises(ContextOverflowError):
        model.start(np.ones((1, 9), int))
    with pytest.raises(ContextOverflowError):
        model.write(np.ones((1, 5), int), key=KEY, tokens=5)
    assert (model.write(np.ones((1, 5), int), key=KEY, tokens=4).tokens >= 0).all()
    _, memory = model.start(np.array([[1] * 8, [1] * 7 + [-1]]))
    logits, memory = model.extend(memory, np.array([-1, 2]))
    np.testing.assert_allclose(logits[1], forward(model.module, [1] * 7 + [2]), atol=2e-4)
    with pytest.raises(ContextOverflowError):
        model.extend(memory, np.array([1, -1]))
    with pytest.raises(ContextOverflowError, match="shorter"):
        text_policy(
            from_transformers(gpt2(4, n_positions=8), tokenizer_of("abc")),
            make_task("markov_text", vocabulary=3, length=30), symbols="abc",
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["gpt2", "neox"])
def test_broken_weights_are_said(kind):
    module = MODELS[kind]()
    with torch.no_grad():
        module.get_output_embeddings().weight[2, 0] = float("nan")
    model = from_transformers(module)
    with pytest.raises(NonFiniteError):
        model.start(TEXTS)
    for how in (GREEDY, Sampling()):
        with pytest.raises(NonFiniteError):
            model.write(TEXTS, key=KEY, tokens=3, sampling=how)


def test_folders_that_hold_no_model(tmp_path, trained):
    with pytest.raises(PolicyFileError, match="no folder"):
        from_transformers(tmp_path / "nowhere")
    with pytest.raises(PolicyFileError, match=r"config\.json"):
        from_transformers(tmp_path)
    (tmp_path / "config.json").write_text("{half")
    with pytest.raises(PolicyFileError, match="damaged"):
        from_transformers(tmp_path)
    (tmp_path / "config.json").write_text((trained / "config.json").read_text())
    with pytest.raises(PolicyFileError):
        from_transformers(tmp_path)
    with pytest.raises(WrongKindError):
        from_transformers(torch.nn.Linear(2, 2))


def test_half_a_file_of_weights_is_refused(tmp_path, trained):
    whole = (trained / "model.safetensors").read_bytes()
    (tmp_path / "config.json").write_text((trained / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PolicyFileError):
        from_transformers(tmp_path)


def test_weights_that_are_missing_are_not_drawn_at_random(tmp_path, trained):
    safe = pytest.importorskip("safetensors.torch")
    weights = safe.load_file(trained / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    safe.save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text((trained / "config.json").read_text())
    with pytest.raises(PolicyFileError, match="missing"):
        from_transformers(tmp_path)


def test_layers_that_the_settings_lack_are_not_left_out(tmp_path, trained):
    folder = shutil.copytree(trained, tmp_path / "fewer")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_layer": 1}))
    with pytest.raises(PolicyFileError, match="layers that its settings do not have"):
        from_transformers(folder)


def test_a_tokenizer_that_is_none_is_refused(tmp_path, trained):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PolicyFileError, match=r"holds no tokenizer|not a folder|no folder"):
        from_transformers(trained, tokenizer=empty)
    with pytest.raises(WrongKindError, match="no tokenizer"):
        from_transformers(trained, 5)
    with pytest.raises(ValueError, match="threads"):
        from_transformers(trained, threads=0)


def test_numbers_that_are_no_tokens_are_refused_and_rows_are_numpys():
    model = from_transformers(gpt2(16))
    _, memory = model.start(TEXTS)
    with pytest.raises(TokenizerError, match="whole numbers"):
        inspect.unwrap(TransformersModel.extend)(model, memory, np.array([1.9, 2.0, 3.0]))
    with pytest.raises(TokenizerError, match="whole numbers"):
        inspect.unwrap(TransformersModel.checked)(model, TEXTS + 0.5)
    with pytest.raises(BatchMismatchError, match="2 tokens for 3 texts"):
        model.extend(memory, np.array([1, 2]))
    with pytest.raises(ValueError, match="sample"):
        model.write(TEXTS, key=KEY, tokens=2, samples=0)
    one = model.pick(memory, np.flatnonzero([False, True, False]))
    last = model.pick(memory, np.array([-1]))
    assert one.lengths.tolist() == [2] and last.lengths.tolist() == [3]
    logits, _ = model.extend(model.pick(memory, np.array([], np.int64)), np.zeros(0, np.int64))
    assert logits.shape == (0, 16)


def test_temperatures_near_nothing_draw_the_likeliest():
    model = from_transformers(gpt2(16), compiled=False)
    likeliest = model.write(TEXTS, key=KEY, tokens=4, sampling=Sampling(0.0)).tokens
    cold = model.write(TEXTS, key=KEY, tokens=4, sampling=Sampling(1e-310))
    np.testing.assert_array_equal(cold.tokens, likeliest)
    np.testing.assert_allclose(cold.logprob, 0.0)


def test_pickled_weights_need_trust(tmp_path):
    module = gpt2(16)
    module.config.save_pretrained(tmp_path)
    torch.save(module.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UntrustedFileError, match=r"pytorch_model\.bin"):
        from_transformers(tmp_path)
    model = from_transformers(tmp_path, trust=True)
    np.testing.assert_allclose(model.start(TEXTS)[0][0], forward(module, TEXTS[0]), atol=2e-4)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_in_a_folder_is_not_run(tmp_path, trained, name):
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()\nfrom transformers import GPT2LMHeadModel as Own\n"
    (tmp_path / "own.py").write_text(code)
    settings = json.loads((tmp_path / name).read_text())
    settings["auto_map"] = {"AutoModelForCausalLM": "own.Own", "AutoTokenizer": ["own.Own", None]}
    (tmp_path / name).write_text(json.dumps(settings))
    with pytest.raises(UntrustedFileError, match="code of its own"):
        from_transformers(tmp_path)
    assert not ran.exists()


def test_layers_are_read_and_set_at_the_last_token(trained, countdown):
    policy = text_policy(from_transformers(trained), countdown)
    states = jax.vmap(countdown.init)(jax.random.split(KEY, 6))
    found = insides(policy)
    read = found.read(states)
    assert read["transformer.ln_f"].shape == (6, 32)
    weights = np.asarray(policy.decide(states, key=KEY)[0].weights)
    legal = np.asarray(jax.vmap(countdown.legal)(states))
    told = found.resume(states, "transformer.ln_f", read["transformer.ln_f"])
    np.testing.assert_allclose(jax.nn.softmax(np.where(legal, told, -np.inf)), weights, atol=1e-5)
    other = found.resume(states, "transformer.ln_f", read["transformer.ln_f"][::-1])
    np.testing.assert_allclose(other, told[::-1], atol=1e-4)


def test_a_folder_is_named_on_the_command_line(trained, countdown):
    from deliberation.zoo.naming import check_decider_name, named_decider

    named = named_decider(countdown, f"hf:{trained}", KEY)
    policy = text_policy(from_transformers(trained), countdown)
    states = jax.vmap(countdown.init)(jax.random.split(KEY, 3))
    told, expected = (p.decide(states, key=KEY)[0] for p in (named.decider, policy))
    np.testing.assert_array_equal(told.weights, expected.weights)
    with pytest.raises(UnknownNameError):
        check_decider_name("hf:")


def test_words_that_a_tokenizer_lacks_are_named_with_what_to_do(countdown, trained):
    model = from_transformers(trained, tokenizer_of(countdown.symbols[3:-1]))
    lacking = r"no tokens for 4 of the \d+ words .*'0', '1', '2', 'end'\. .*tokenizer\.add_tokens"
    with pytest.raises(TokenizerError, match=lacking):
        text_policy(model, countdown)
    model = from_transformers(trained, tokenizer_of(["nothing"]))
    with pytest.raises(TokenizerError, match=r"'\d+' and \d+ more\. Give a model"):
        text_policy(model, countdown)


def test_it_writes_to_its_own_end_unless_told_otherwise(trained):
    model = from_transformers(trained)
    model.end = 5
    how = {"key": KEY, "tokens": 12}
    own, told = model.write(TEXTS, **how).tokens, model.write(TEXTS, stop=5, **how).tokens
    np.testing.assert_array_equal(own, told)
    assert (model.write(TEXTS, stop=None, **how).tokens >= 0).all()
    with pytest.raises(TokenizerError, match="stop is a token from 0 to"):
        model.write(TEXTS, stop=10**6, **how)
