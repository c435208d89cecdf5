"""How texts are continued: what may come next, and what is drawn, row by row."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt32

from ...core.contract.text_model import Memory, Sampling, TextModel, check_logits, check_texts
from ...core.errors import AllowanceError
from ...core.failures import PASSING, in_words
from ...core.noise import mix
from .verifying import Logits, Texts

Allow = Callable[[Texts], Bool[np.ndarray, "n vocabulary"]]
"""Which tokens may follow each text [n, places], such as those of a grammar, as yes or no for every
token; a text without any is given up."""
LIKELIEST = Sampling(temperature=0)
PLAIN = Sampling()


@functools.partial(jax.jit, static_argnums=1)
def _narrowed(logits: jax.Array, how: Sampling) -> jax.Array:
    found = how.narrowed(logits)
    # Rows in which nothing may be written stay so.
    return jnp.where(jnp.isfinite(logits).any(-1, keepdims=True), found, -jnp.inf)


def next_logprobs(
    model: TextModel, logits: Logits, texts: Texts, how: Sampling, allow: Allow | None
) -> Float[np.ndarray, "n vocabulary"]:
    """Logarithms of what the next token of each text is drawn from; all -inf where none may be.

    Probabilities are those among the allowed tokens. Raises `NonFiniteError`, `AllowanceError`.
    """
    if not len(texts):
        return np.zeros((0, model.vocabulary))
    check_logits(model, logits)
    logits = np.asarray(logits, np.float32)
    if allow is not None:
        logits = np.where(_allowed(allow, texts, model.vocabulary), logits, -np.inf)
    room = 1 << (len(texts) - 1).bit_length()
    wide = np.concatenate([logits, np.zeros((room - len(logits), logits.shape[1]), np.float32)])
    return np.asarray(_narrowed(wide, how), float)[: len(texts)]


def _allowed(allow: Allow, texts: Texts, vocabulary: int) -> Bool[np.ndarray, "n vocabulary"]:
    """What `allow` says. Raises `AllowanceError`."""
    name = f"What is allowed, {getattr(allow, '__qualname__', repr(allow))},"
    try:
        # A copy, as for graders: whatever a stranger's function does to it, the texts stay.
        found = np.asarray(allow(texts.copy()))
    except PASSING:
        raise
    except BaseException as error:  # a stranger's code may raise anything
        raise AllowanceError(
            f"{name} raised {in_words(error)}, asked about {len(texts)} texts of "
            f"{texts.shape[1]} places."
        ) from error
    shape = len(texts), vocabulary
    if found.shape != shape or found.dtype != bool:
        raise AllowanceError(
            f"{name} gave {found.dtype} of shape {found.shape} for {len(texts)} texts: it takes "
            f"texts [n, places] and gives booleans [n, vocabulary], here {list(shape)}, true where "
            "a token may follow (one mask for all texts: `np.tile(mask, (len(texts), 1))`)."
        )
    return found


def mixed(seed: Any, *numbers: Any) -> UInt32[np.ndarray, "..."]:
    """New seeds from seeds and numbers, on the host; see `core.noise.mix`."""
    given = (jax.device_put(np.asarray(x, np.int32)) for x in numbers)
    return np.asarray(mix(jax.device_put(seed), *given))


def drawn(
    logprobs: Float[np.ndarray, "n vocabulary"], seed: UInt32[np.ndarray, " n"],
    place: Int[np.ndarray, " n"],
) -> Int[np.ndarray, " n"]:  # fmt: skip
    """A token from each row by its own seed at its place (the Gumbel maximum); -1 where none is."""
    if not len(logprobs):
        return np.zeros(0, np.int64)
    bits = mixed(mixed(seed, place)[:, None], np.arange(logprobs.shape[1]))
    u = ((bits >> 9).astype(float) + 0.5) * 2.0**-23
    noisy = logprobs - np.log(-np.log(u))
    return np.where(np.isfinite(logprobs).any(1), noisy.argmax(1), -1)


def lengths(texts: Texts) -> Int[np.ndarray, " n"]:
    """How many tokens each has."""
    return (texts >= 0).sum(1)


def packed(prompts: Any, tokens: int) -> Texts:
    """Prompts with room for so many tokens after each. Raises `TokenizerError` for no prompts."""
    check_texts(prompts)
    prompts = np.maximum(np.asarray(prompts, np.int64), -1)
    longest = int(lengths(prompts).max(initial=0))
    room = np.full((len(prompts), longest + tokens), -1, np.int64)
    room[:, :longest] = prompts[:, :longest]
    return room


class Row:
    """Texts being written side by side: tokens, logits of the next one, and the model's memory.

    `ends` is where each must stop. A row is `live` until its stop token, that which ends a `line`
    where there is one, its end, or a place where nothing is allowed (`dead`).
    """

    def __init__(
        self, model: TextModel, texts: Texts, ends: Int[np.ndarray, " n"], logits: Logits,
        memory: Memory, *, sampling: Sampling, stop: int | None, allow: Allow | None,
        line: int | None = None,
    ):  # fmt: skip
        self.model, self.texts, self.ends = model, texts.copy(), ends
        self.logits, self.memory = np.asarray(logits), memory
        self.sampling, self.stop, self.allow = sampling, stop, allow
        self.stops = [x for x in (stop, line) if x is not None]
        self.length = lengths(texts)
        self.begun = self.length.copy()
        self.live = self.length < ends
        self.dead = np.zeros(len(texts), bool)
        self.logprob = np.zeros(len(texts))
        self.passes = np.zeros(len(texts), np.int64)

    def run(self, seed: UInt32[np.ndarray, " n"]) -> "Row":
        """Write every row to its end; the last token of a row is not read."""
        while self.live.any():
            at = np.flatnonzero(self.live)
            logprobs = next_logprobs(
                self.model, self.logits[at], self.texts[at], self.sampling, self.allow
            )
            token = np.full(len(self.texts), -1, np.int64)
            token[at] = drawn(logprobs, seed[at], self.length[at] - self.begun[at])
            nats = np.zeros(len(self.texts))
            nats[at] = logprobs[np.arange(len(at)), np.maximum(token[at], 0)]
            self.add(token, nats)
        return self

    def add(self, token: Int[np.ndarray, " n"], nats: Float[np.ndarray, " n"]) -> None:
        """Write a token to each live row; -1 gives it up."""
        lost = self.live & (token < 0)
        self.dead |= lost
        self.live &= ~lost
        at = np.flatnonzero(self.live)
        self.texts[at, self.length[at]] = token[at]
        self.length[at] += 1
        self.logprob[at] += nats[at]
        self.live &= ~np.isin(token, self.stops) & (self.length < self.ends)
        if self.live.any():
            self.read(np.where(self.live, token, -1))

    def read(self, token: Int[np.ndarray, " n"]) -> None:
        """One forward pass for each row whose token is not -1."""
        self.passes[token >= 0] += 1
        logits, self.memory = self.model.extend(self.memory, token)
        self.logits = np.asarray(logits)

    def ended(self, most: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Rows that are finished: by the stop token, or with as many tokens as anybody may have.

        A row that the budget alone cut short is not.
        """
        last = self.texts[np.arange(len(self.texts)), np.maximum(self.length - 1, 0)]
        stopped = (last == self.stop) & (self.length > self.begun) & (self.stop is not None)
        return ~self.dead & (stopped | (self.length >= most))
