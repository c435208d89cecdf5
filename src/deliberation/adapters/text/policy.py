"""A language model as a policy on a task of text: `text_policy`."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ...core.contract import TextModel
from ...core.contract.text_model import Texts
from ...core.errors import (
    ContextOverflowError,
    TokenizerError,
    UnsuitableTaskError,
    WrongKindError,
)
from ...core.task import Task, check_is_task
from ..policies.expected import Score, reproduced
from ..policies.host import Asked, HostPolicy, Layered, Model, Said, adapted
from ..policies.shown import probe_shapes
from ..policies.weighing import best, drawn, softmax
from .reading import ForwardReader
from .stranger import TransformersModel

_TOGETHER = 256
"""Texts that are read at once."""

Writing = Callable[[str], str]


def text_policy(
    model: Any,
    task: Task,
    *,
    symbols: Sequence[str] | None = None,
    writing: Writing | None = None,
    prefix: str = "",
    deterministic: bool = True,
    expect: Score | float | int | None = None,
) -> HostPolicy:
    """A decider from a language model: what it would write next, among the actions of a task.

    The actions are symbols, and a text so far is the symbols one after another. Each symbol is a
    token of the model, or several in a row, whose log-probabilities are added; the weights are the
    softmax of these over the symbols that are legal, so what the model would rather write is left
    out. Where one symbol's tokens begin another's, the shorter one gets the share of both.

    - `symbols` are words, one an action; by default the task's own (`task.symbols`). The one that
      ends a text (`task.end`) is the model's own end token where the tokenizer has no such word.
    - `writing` tells how a symbol stands in a text, such as `lambda symbol: " " + symbol`.
    - `prefix` is a text that the model reads first: instructions, or examples.
    - `deterministic` takes the likeliest symbol; otherwise it is drawn by the weights from the key.
    - `expect` is as in `from_callable`.

    Objective and budget do not reach it, and its value is 0, since it tells none. A decision counts
    one evaluation, and one more for each beginning of a symbol of several tokens; its operations
    are those of reading these and the whole text, since nothing is kept between decisions.

    Raises `WrongKindError`, `UnsuitableTaskError` for a task that is not of text, `TokenizerError`
    which names the symbols that the tokenizer lacks or cannot tell apart, `ContextOverflowError`
    where the longest text of the task is longer than the model reads, `NonFiniteError` and
    `UnreproducedScoreError`.
    """
    check_is_task(task)
    if not isinstance(model, TransformersModel):
        raise WrongKindError(
            f"{model!r} is no TransformersModel: load one by from_transformers. A Transformer of "
            "this library decides by amortised.NetworkPolicy(task, network)."
        )
    words = _words(task, symbols)
    tokens = _tokens(model, words, getattr(task, "end", None), writing or str)
    policy = TextPolicy(model, tokens, _first(model, prefix), deterministic)
    policy.check_room(task)
    return reproduced(adapted(task, policy, None, None), expect)


class TextPolicy(Model):
    """A language model on the host that is asked for the next symbol of texts of symbols.

    `tokens` are those of each symbol, `first` those that stand before every text.
    """

    model_steps = 0

    def __init__(
        self,
        model: TransformersModel,
        tokens: Sequence[tuple[int, ...]],
        first: Sequence[int],
        deterministic: bool,
    ):
        self.text_model, self.tokens, self.first = model, tuple(tokens), tuple(first)
        self.deterministic = deterministic
        self.name = f"{model.name} (next symbol)"
        self._begun = {one[:size] for one in self.tokens for size in range(1, len(one))}
        self.evaluations = 1 + len(self._begun)
        self._sizes = np.array([len(one) for one in self.tokens])

    def check_room(self, task: Task) -> None:
        """Refuse a task whose texts this model cannot read to their end."""
        shape = probe_shapes(task).shape
        if len(shape) != 1:
            raise UnsuitableTaskError(
                f"{task!r} shows an array of shape {list(shape)}, where a row of symbols is needed."
            )
        # The symbol that fills a text is written and not read.
        needed = len(self.first) + (shape[0] - 1) * min(map(len, self.tokens))
        if needed > self.text_model.longest:
            raise ContextOverflowError(
                f"{self.text_model!r} reads {self.text_model.longest} tokens, and texts of "
                f"{task!r} take {needed} at least. Ask for shorter texts, or give a model that "
                "reads more."
            )

    def operations(self, observation: Any) -> Any:
        """`flops_per_token` for each token of the text, and for each beginning of a symbol."""
        each = self.text_model.flops_per_token
        if each is None:
            return None
        seen = jnp.round(observation).astype(jnp.int32)
        seen = seen.reshape(seen.shape[0], -1)
        sizes = jnp.where(seen >= 0, jnp.asarray(self._sizes)[jnp.maximum(seen, 0)], 0)
        ahead = len(self.first) + len(self._begun)
        return each * (ahead + sizes.sum(1)).astype(jnp.float32)

    def answer(self, asked: Asked) -> Said:
        """Each different text is read once."""
        different, which = np.unique(_symbols(asked), axis=0, return_inverse=True)
        parts = [
            symbol_logprobs(self.text_model, self.written(some), self.tokens)
            for some in np.array_split(different, -(-len(different) // _TOGETHER))
        ]
        scores = np.concatenate(parts)[which.reshape(-1)]
        weights = softmax(scores, asked.legal).astype(np.float32)
        if self.deterministic:
            return Said(best(scores, asked.legal), weights)
        return Said(drawn(weights, asked.uniform), weights)

    def layered(self) -> Layered | None:
        """The network, read at the last token; none where a symbol is several tokens."""
        if any(len(one) > 1 for one in self.tokens):
            return None
        return Layered(self.text_model.module, self.scores, last=True)

    def scores(self, module: Any, asked: Asked) -> Any:
        """The logits that this network, or one of the same form, gives the symbols, as a tensor."""
        logits, _ = ForwardReader(module).read(self.written(_symbols(asked)))
        return logits[:, [one[0] for one in self.tokens]]

    def written(self, seen: Int[np.ndarray, "batch symbols"]) -> Texts:
        """Texts of symbols, padded with -1, as texts of the model's tokens."""
        texts = [[*self.first, *(t for s in row if s >= 0 for t in self.tokens[s])] for row in seen]
        out = np.full((len(texts), max(map(len, texts), default=0)), -1, np.int64)
        for row, text in zip(out, texts, strict=True):
            row[: len(text)] = text
        return out


def _symbols(asked: Asked) -> Int[np.ndarray, "batch symbols"]:
    """What is shown of texts, as numbers of symbols."""
    return np.rint(np.asarray(asked.observation)).astype(np.int64).reshape(asked.count, -1)


def symbol_logprobs(
    model: TextModel, texts: Texts, symbols: Sequence[tuple[int, ...]]
) -> Float[np.ndarray, "batch symbols"]:
    """The log-probability (nats) that a text goes on with each of these sequences of tokens.

    A beginning that several of them share is read once. Raises what `model.start` and
    `model.extend` raise.
    """
    logits, memory = model.start(texts)
    found = np.full((len(texts), len(symbols)), -np.inf)
    _descend(model, logits, memory, list(enumerate(symbols)), np.zeros(len(texts)), found)
    return found


def _descend(
    model: TextModel,
    logits: Any,
    memory: Any,
    rests: list[tuple[int, tuple[int, ...]]],
    before: np.ndarray,
    found: np.ndarray,
) -> None:
    """Add up along the tree of what is left of each symbol."""
    logits = np.asarray(logits, np.float64)
    top = logits.max(axis=1, keepdims=True)
    nats = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    for token in dict.fromkeys(rest[0] for _, rest in rests):
        here = [(which, rest[1:]) for which, rest in rests if rest[0] == token]
        sums = before + nats[:, token]
        for which, rest in here:
            if not rest:
                found[:, which] = sums
        further = [(which, rest) for which, rest in here if rest]
        if further:
            after, kept = model.extend(memory, np.full(len(before), token, np.int64))
            _descend(model, after, kept, further, sums, found)


def _words(task: Task, symbols: Sequence[str] | None) -> list[str]:
    words = getattr(task, "symbols", None) if symbols is None else symbols
    traits = task.traits
    if words is None or not traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} does not say which words its actions stand for: give a task of text, or "
            "symbols=, one word an action."
        )
    if len(words) != traits.actions:
        raise UnsuitableTaskError(
            f"{len(words)} symbols are given, and {task!r} has {traits.actions} actions: one each."
        )
    return [str(word) for word in words]


def _tokens(
    model: TransformersModel, words: Sequence[str], end: Any, writing: Writing
) -> list[tuple[int, ...]]:
    """The tokens of each symbol. Raises `TokenizerError` with those that cannot be written."""
    tokenizer = model.known_tokenizer()
    vocabulary = tokenizer.get_vocab()
    found, missing = [], []
    for number, word in enumerate(words):
        if number == end and word not in vocabulary and model.end is not None:
            found.append((int(model.end),))
            continue
        text = writing(word)
        tokens = tuple(int(t) for t in tokenizer.encode(text, add_special_tokens=False))
        unknown = tokenizer.unk_token_id is not None and tokenizer.unk_token_id in tokens
        if not tokens or (unknown and word != tokenizer.unk_token):
            missing.append(word)
        found.append(tokens)
    if missing:
        raise TokenizerError(
            f"The tokenizer of {model!r} has no tokens for {len(missing)} of the {len(words)} "
            f"words that this task is written in: {_listed(missing)}. Give a model trained on "
            "texts of the task, or teach this one the words: tokenizer.add_tokens([...]), "
            "model.resize_token_embeddings(len(tokenizer)), train on the task's examples, and save "
            "both. Where it only writes them otherwise, say how in Python: "
            "text_policy(model, task, writing=...), or symbols=."
        )
    if len(set(found)) < len(found):
        same = sorted({words[i] for i, x in enumerate(found) if found.count(x) > 1})
        raise TokenizerError(
            f"The tokenizer of {model!r} writes {_listed(same)} alike, so that they cannot be told "
            "apart. Say in Python how each is written: text_policy(model, task, writing=...), or "
            "symbols=."
        )
    return found


def _listed(words: Sequence[str], most: int = 20) -> str:
    """Words in quotes, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(map(repr, words[:most])) + more


def _first(model: TransformersModel, prefix: str) -> list[int]:
    """What stands before every text: the token that texts begin with, if any, and the prefix."""
    tokenizer = model.known_tokenizer()
    plain = [int(token) for token in tokenizer.encode(prefix, add_special_tokens=False)]
    begins = model.encode("")[:1]
    return [*(token for token in begins if token == tokenizer.bos_token_id), *plain]
