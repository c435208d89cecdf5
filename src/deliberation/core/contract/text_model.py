"""A causal model of text: the tokens so far in, logits of the next one out.

Sampling, beams and searches over text ask this of any model, one that was trained here or a
stranger's behind an adapter. Tokens are numbers from 0; a batch of texts is padded at the end with
-1, as observations of tasks of text are.
"""

import abc
import operator
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ..display.html import ROWS, Column, fragment, left_out, paragraph, table
from ..display.ledgers import spent_words
from ..display.numbers import number
from ..errors import ContextOverflowError, NonFiniteError, TokenizerError
from ..ledger import Ledger

Texts = Int[np.ndarray, "batch places"]
Logits = Float[np.ndarray, "batch vocabulary"]
Memory = Any
"""What a model keeps of the texts that it has read (its cache of keys and values)."""
Stop = int | Literal["end"] | None
"""The token behind which nothing is written: "end" is the model's own (`TextModel.end`), where it
has one; None is none, and a text goes on until it has all its tokens."""
COLDEST = float(np.finfo(np.float32).tiny)
"""Lower temperatures count as this one: a smaller number is 0 where subnormals are flushed."""


class Written(NamedTuple):
    """What a model wrote after each text: row i * samples + j is the j-th sample after text i.

    - `tokens` [rows, new]: what was written, without the text before it; -1 after the end, which
      is the stop token (kept) or the last place.
    - `logprob` [rows]: of all tokens written, under the distribution that they were drawn from
      (nats); 0 where the likeliest was taken.
    - `spent`: a `Ledger` of a row each. `network_evaluations` counts a pass for each token that is
      read: those of the text, for its first sample, and those written but the last. `flops` are
      None where the model does not say what a token costs.
    """

    tokens: Int[np.ndarray, "rows new"]
    logprob: Float[np.ndarray, " rows"]
    spent: Ledger

    def _repr_html_(self) -> str:
        """For a notebook: what was written after each text, as numbers of tokens."""
        lines = [[int(token) for token in row if token >= 0] for row in self.tokens[:ROWS]]
        columns = [Column("row", numbers=True), Column("tokens", numbers=True),
                   Column("log-probability (nats)", numbers=True), Column("written")]  # fmt: skip
        rows = [
            (str(i), str(len(line)), number(float(self.logprob[i])), " ".join(map(str, line)))
            for i, line in enumerate(lines)
        ]
        return fragment(
            table(f"Written after {len(self.tokens)} texts", columns, rows),
            paragraph(left_out(len(self.tokens) - ROWS, "row"), quiet=True),
            paragraph(spent_words(self.spent.as_dict(), len(self.tokens)), quiet=True),
        )


class Sampling(NamedTuple):
    """How the next token is drawn from logits.

    At `temperature` 0 the likeliest is taken (the first of several). `top_k` keeps so many of the
    likeliest, `top_p` the fewest that hold at least this much of the probability at that
    temperature (Holtzman et al. 2020).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def check(self) -> None:
        """Raises `ValueError` for what is no way of drawing."""
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"The temperature is finite and at least 0; got {self.temperature}.")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k keeps at least 1 token; got {self.top_k}.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is above 0 and at most 1; got {self.top_p}.")

    def narrowed(
        self, logits: Float[Array, "*batch vocabulary"], temperature: Any = None
    ) -> Float[Array, "*batch vocabulary"]:
        """Logarithms of the probabilities that a token is drawn from. Pure.

        A `temperature` above 0 that is given here, as data, counts in place of the own one.
        """
        if temperature is None and self.temperature == 0:
            best = jax.nn.one_hot(jnp.argmax(logits, -1), logits.shape[-1], dtype=bool)
            return jnp.where(best, 0.0, -jnp.inf)
        warmth = max(self.temperature, COLDEST) if temperature is None else temperature
        # Less the greatest, so that none overflows however cold it is.
        scaled = (logits - logits.max(-1, keepdims=True)) / warmth
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = jax.lax.top_k(scaled, self.top_k)[0][..., -1:]
            scaled = jnp.where(scaled >= least, scaled, -jnp.inf)
        if self.top_p is not None and self.top_p < 1:
            falling = -jnp.sort(-jax.nn.softmax(scaled, -1), axis=-1)
            before = jnp.cumsum(falling, -1) - falling
            least = jnp.where(before < self.top_p, falling, jnp.inf).min(-1, keepdims=True)
            scaled = jnp.where(jax.nn.softmax(scaled, -1) >= least, scaled, -jnp.inf)
        return jax.nn.log_softmax(scaled, -1)


class TextModel(abc.ABC):
    """Whatever tells the next token of a text.

    `vocabulary`: how many tokens there are. `longest`: how many it can read at once, all those
    that are written included. `flops_per_token`: floating-point operations for one more token, or
    None where that is unknown. `end`: the token that ends its texts, None where there is none.
    """

    vocabulary: int
    longest: int
    flops_per_token: float | None
    end: int | None = None

    @abc.abstractmethod
    def start(self, texts: Texts) -> tuple[Logits, Memory]:
        """Read texts anew: raw logits of the next token of each, and the memory of it.

        Raises `ContextOverflowError`, `NonFiniteError`.
        """

    @abc.abstractmethod
    def extend(self, memory: Memory, tokens: Int[np.ndarray, " batch"]) -> tuple[Logits, Memory]:
        """One more token for each text; a row whose token is -1 is left as it is, and its logits
        mean nothing.
        """

    @abc.abstractmethod
    def pick(self, memory: Memory, rows: Int[np.ndarray, " n"]) -> Memory:
        """The memory of these rows, repeated where they are named more than once."""

    def gather(self, rows: Sequence[tuple[Memory, int]]) -> Memory | None:
        """The memory of rows of several memories, so that they are read on together.

        None where they cannot be put side by side, as here: each is then read on by itself.
        """
        del rows
        return None

    def values(self, memory: Memory) -> Float[np.ndarray, " batch"] | None:
        """What each text that was read is worth, where the model has learned that; else None."""
        del memory
        return None

    def write(
        self,
        texts: Texts,
        *,
        key: Key[Array, ""],
        tokens: int,
        sampling: Sampling = Sampling(),  # noqa: B008 - immutable
        stop: Stop = "end",
        samples: int = 1,
    ) -> Written:
        """At most so many `tokens` after each text, up to `stop` where that is written.

        Row i * samples + j is the j-th sample after text i: the text is read once for all of them.
        Raises `ContextOverflowError`, `NonFiniteError`, `TokenizerError`, `ValueError`.
        """
        check_texts(texts)
        stop = self.stop_token(stop)
        sampling.check()
        check_counts(tokens=tokens, samples=samples)
        self.check_room(texts, tokens)
        rows = np.repeat(np.arange(len(texts)), samples)
        logits, memory = self.start(texts)
        logits, memory = logits[rows], self.pick(memory, rows)
        out = np.full((len(rows), tokens), -1, np.int64)
        total, going = np.zeros(len(rows)), np.ones(len(rows), bool)
        for place in range(tokens):
            check_logits(self, logits[going])
            drawn, nats = _drawn(logits, jax.random.fold_in(key, place), sampling)
            out[going, place] = drawn[going]
            total += np.where(going, nats, 0.0)
            going &= drawn != (-2 if stop is None else stop)
            if place == tokens - 1 or not going.any():
                break
            logits, memory = self.extend(memory, np.where(going, drawn, -1))
        return Written(out, total, self.cost(texts, out, samples))

    def stop_token(self, stop: Any, name: str = "stop") -> int | None:
        """The token that `stop` means, None for none. Raises `TokenizerError` for what is none."""
        if stop is None:
            return None
        given: Any = self.end if isinstance(stop, str) and stop == "end" else stop
        if given is None:
            return None
        try:
            token = -1 if isinstance(given, bool) else operator.index(given)
        except TypeError:
            token = -1
        if not 0 <= token < self.vocabulary:
            raise TokenizerError(
                f"{name} is a token from 0 to {self.vocabulary - 1} of {self!r}, 'end' for its own "
                f"(here {self.end}), or None; got {stop!r}. The token of a word is what the task "
                "or the tokenizer encodes it as."
            )
        return token

    def check_room(self, texts: Texts, tokens: int) -> None:
        """Raises `ContextOverflowError` where a text and what follows it is longer than `longest`.

        The token that is written last is not read.
        """
        had = int((np.asarray(texts) >= 0).sum(1).max(initial=0))
        if had + tokens - 1 > self.longest:
            raise ContextOverflowError(
                f"{self!r} reads {self.longest} tokens, but a text of {had} with {tokens} written "
                f"after it takes {had + tokens - 1}. Write fewer, or shorten the text."
            )

    def cost(self, texts: Texts, written: Int[np.ndarray, "rows new"], samples: int = 1) -> Ledger:
        """What writing took: a text is read once for its samples, whose first row is charged."""
        read = np.zeros(len(written), np.int64)
        read[::samples] = (np.asarray(texts) >= 0).sum(1)
        passes = read + np.maximum((written >= 0).sum(1) - 1, 0)
        each = self.flops_per_token
        return Ledger(network_evaluations=passes, flops=None if each is None else passes * each)


def check_logits(model: TextModel, logits: Logits) -> None:
    """Raises `NonFiniteError` for NaN or +infinity, and where nothing at all can be written."""
    bad = np.isnan(logits) | (logits == np.inf)
    bad |= (logits == -np.inf).all(axis=-1, keepdims=True)
    if bad.any():
        row, token = np.argwhere(bad)[0]
        raise NonFiniteError(
            f"{model!r} gave {logits[row, token]} as the logit of token {token}: its weights or "
            "its input are broken, and nothing is drawn from it."
        )


def check_texts(texts: Any) -> None:
    """Raises `TokenizerError` for what are no rows of whole numbers, padded with -1 at the end."""
    given = np.asarray(texts)
    if given.dtype.kind in "US":
        raise TokenizerError(
            f"Texts are rows of tokens, and {texts!r} is words: encode it first, by the task or "
            "the tokenizer that the model was trained with, as in "
            "`model.write(np.array([task.encode(words)]), ...)`; `task.decode` reads tokens."
        )
    if given.ndim != 2:
        raise TokenizerError(f"Texts are [batch, places]; these have shape {given.shape}.")
    if not np.issubdtype(given.dtype, np.integer):
        raise TokenizerError(f"Tokens are whole numbers; these are {given.dtype}.")
    there = given >= 0
    if (there[:, 1:] & ~there[:, :-1]).any():
        raise TokenizerError("A text has -1 before its last token: they are padded at the end.")


def check_counts(least: int = 1, **counts: Any) -> None:
    """Raises `ValueError` for what is no whole number of at least `least`."""
    for name, count in counts.items():
        try:
            number = -1 if isinstance(count, bool) else operator.index(count)
        except TypeError:
            number = -1
        if number < least:
            raise ValueError(f"{name} is a whole number of at least {least}; got {count!r}.")


def picked_rows(n: int, rows: Any) -> Int[np.ndarray, " m"]:
    """The rows that `rows` names among n: numbers, counted from the end where negative, or a mask.

    Raises `IndexError` for those that there are not.
    """
    given = np.asarray(rows)
    try:
        if given.ndim != 1:
            raise IndexError(f"they have shape {given.shape}")
        return np.arange(n)[given if given.size else given.astype(np.int64)]
    except IndexError as error:
        raise IndexError(
            f"Rows of a memory of {n} texts are their numbers, or a mask of {n}: {error}."
        ) from error


@jax.jit
def _chosen(logprobs: Array, key: Array) -> tuple[Array, Array]:
    drawn = jax.random.categorical(key, logprobs, axis=-1)
    return drawn, jnp.take_along_axis(logprobs, drawn[:, None], -1)[:, 0]


def _drawn(logits: Logits, key: Key[Array, ""], how: Sampling) -> tuple[np.ndarray, np.ndarray]:
    drawn, nats = _chosen(how.narrowed(jnp.asarray(logits)), key)
    return np.asarray(drawn, np.int64), np.asarray(nats, float)
