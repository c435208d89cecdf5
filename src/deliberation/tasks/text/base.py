"""Texts as tasks: after a prompt tokens are written one by one, and the finished text is graded.

Whatever decides on any other task decides on these, and language models are trained on their
examples: one token is one action, and one symbol of the text.
"""

import abc
import difflib
import functools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.display.html import Column, fragment, left_out, table
from ...core.errors import TaskOptionError, TokenizerError, UnknownNameError
from ...core.objective import Objective
from ...core.task import Traits
from ..bases import SoloObjective, SoloTask, check_sizes

SHOWN = 24
"""So many symbols are told in a notebook."""
LONGEST = 100_000
"""No text is longer, prompt included."""


class TextState(eqx.Module):
    """The text so far, -1 where nothing is written yet, and how many tokens were added."""

    tokens: Int[Array, " places"]
    time: Int[Array, ""]


class Graded(SoloObjective):
    """The grade of the text, from 0 to 1, as it is finished; nothing before."""

    text: "TextTask"

    def reward(
        self, state: TextState, action: Int[Array, ""], after: TextState
    ) -> Float[Array, ""]:
        """What the finished text is worth."""
        return jnp.where(self.text.terminated(after), self.text.grade(after.tokens), 0.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """A text is graded once."""
        return (0.0, 1.0)


class TextTask(SoloTask):
    """Action a writes token a after a prompt; it is over at the token `end`, or when full.

    A text is a row of tokens: the prompt, what is written, -1 where nothing is. An observation is
    this row. With `grammar` only tokens are legal that can be continued to a well-formed answer,
    which may be a wrong one; without it any token may be written.
    """

    kinds: eqx.AbstractClassVar[tuple[str, ...]]
    """The kinds of `examples` there are; those of the first are answers that the grammar allows."""

    grammar: bool = eqx.field(static=True, default=False, kw_only=True)

    @property
    @abc.abstractmethod
    def symbols(self) -> tuple[str, ...]:
        """The word of each token; the last one ends a text."""

    @property
    @abc.abstractmethod
    def prompt_places(self) -> int:
        """How many tokens a prompt has."""

    @property
    @abc.abstractmethod
    def answer_places(self) -> int:
        """How many tokens can be written after it, the one that ends the text included."""

    @abc.abstractmethod
    def prompt(self, key: Key[Array, ""]) -> Int[Array, " prompt_places"]:
        """A prompt, drawn from all that are asked."""

    @abc.abstractmethod
    def grade(self, tokens: Int[Array, " places"]) -> Float[Array, ""]:
        """What a text is worth. Pure, so `jax.vmap` grades a batch; after `end` nothing counts."""

    @abc.abstractmethod
    def well_formed(self, state: TextState) -> Bool[Array, " symbols"]:
        """Which tokens the grammar allows next."""

    @abc.abstractmethod
    def examples(self, key: Key[Array, ""], kind: str) -> Int[Array, " places"]:
        """A text to learn from, prompt and answer, -1 after its end. Pure.

        Raises `UnknownNameError` for a kind that is none of `kinds`.
        """

    @property
    def places(self) -> int:
        """How many tokens a full text has."""
        return self.prompt_places + self.answer_places

    @property
    def end(self) -> int:
        """The token that ends a text."""
        return len(self.symbols) - 1

    @property
    def traits(self) -> Traits:
        """One player, an action for each symbol; no chance but in the prompt."""
        return Traits(players=1, actions=len(self.symbols), horizon=self.answer_places)

    @property
    def objective(self) -> Objective:
        """A good grade."""
        return Graded(self)

    @property
    def action_names(self) -> tuple[str, ...]:
        """The symbols."""
        return self.symbols

    def _repr_html_(self) -> str:
        """For a notebook: the symbols, and how long its texts are."""
        known = self.symbols[: self.end]
        more = left_out(len(known) - SHOWN, "symbol")
        told = [
            ("symbols", f"{' '.join(known[:SHOWN])} {more}".strip()),
            ("the end", self.symbols[self.end]),
            ("places of a prompt", str(self.prompt_places)),
            ("places of an answer", str(self.answer_places)),
            ("kinds of examples", ", ".join(self.kinds)),
            ("grammar", "only well-formed answers" if self.grammar else "any token"),
        ]
        return fragment(table(repr(self), [Column("text"), Column("what it is of")], told))

    def encode(self, text: str) -> Int[np.ndarray, " tokens"]:
        """The tokens of words with spaces between them. Raises `TokenizerError` for others."""
        if not isinstance(text, str):
            raise TokenizerError(f"{self!r} encodes text; got {text!r}, which is none.")
        known = _numbers(self.symbols)
        words = text.split()
        for place, word in enumerate(words):
            if word not in known:
                near = difflib.get_close_matches(word, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise TokenizerError(
                    f"Word {place + 1} of the text is {word!r}, which {self!r} has no token for."
                    f"{hint} Write its `symbols`, with spaces between them."
                )
        return np.array([known[word] for word in words], np.int32)

    def decode(self, tokens: Int[Array, " some"] | Int[np.ndarray, " some"] | Sequence[int]) -> str:
        """The words of tokens, without the places where nothing is written.

        Raises `TokenizerError` for tokens that there are not.
        """
        return " ".join(self.symbols[token] for token in self._known(tokens).ravel() if token >= 0)

    def begun(self, tokens: Int[Array, " some"] | Int[np.ndarray, " some"]) -> TextState:
        """The state of a text: a prompt, and whatever is already written, -1 at its end.

        Raises `TokenizerError` for one shorter than a prompt or longer than `places`; and, where
        tokens can be looked at (outside of `jit`), for those that there are not and for gaps.
        """
        given = tokens if isinstance(tokens, Tracer) else self._known(tokens)
        if given.ndim != 1 or not self.prompt_places <= len(given) <= self.places:
            raise TokenizerError(
                f"A text of {self!r} has {self.prompt_places} tokens of prompt and at most "
                f"{self.places} in all; got {given.shape[-1] if given.ndim == 1 else given.shape}."
            )
        if isinstance(given, np.ndarray):
            self._check_whole(given)
        row = jnp.asarray(given, jnp.int32)
        row = jnp.concatenate([row, jnp.full(self.places - len(given), -1, jnp.int32)])
        return TextState(row, (row >= 0).sum().astype(jnp.int32) - self.prompt_places)

    def _known(self, tokens: Any) -> Int[np.ndarray, "..."]:
        """Tokens on the host. Raises `TokenizerError` for what are none of this task's."""
        try:
            row = np.asarray(tokens)
        except ValueError as error:  # rows of several lengths
            raise TokenizerError(f"Tokens are whole numbers in a row; got {tokens!r}.") from error
        kept = row.astype(int) if row.dtype.kind in "iu" or not row.size else None
        if row.dtype.kind == "f" and (np.isfinite(row) & (row == np.floor(row))).all():
            kept = np.clip(row, -2, len(self.symbols)).astype(int)
        if kept is None:
            raise TokenizerError(f"Tokens are whole numbers; got {tokens!r}.")
        wrong = (row >= len(self.symbols)) | (row < -1)
        if wrong.any():
            raise TokenizerError(
                f"{self!r} has the tokens 0 to {len(self.symbols) - 1}, and -1 for nothing; got "
                f"{row[wrong][:4].tolist()}."
            )
        return kept

    def _check_whole(self, row: Int[np.ndarray, " some"]) -> None:
        """Raises `TokenizerError` for a prompt that is not whole, and for gaps behind it."""
        size = int((row >= 0).sum())
        if size < self.prompt_places or (row[:size] < 0).any():
            raise TokenizerError(
                f"A text of {self!r} has {self.prompt_places} tokens of prompt and no gap before "
                f"its end; place {int(np.argmax(row < 0))} of {row.tolist()} is empty."
            )

    def init(self, key: Key[Array, ""]) -> TextState:
        """A prompt, and nothing written."""
        return self.begun(self.prompt(key))

    def advance(self, state: TextState, action: Int[Array, ""], key: Key[Array, ""]) -> TextState:
        """The token is written."""
        del key
        place = self.prompt_places + state.time
        return TextState(state.tokens.at[place].set(action.astype(jnp.int32)), state.time + 1)

    def observe(self, state: TextState) -> Float[Array, " places"]:
        """The tokens as numbers, -1 where nothing is written."""
        return state.tokens.astype(jnp.float32)

    def legal(self, state: TextState) -> Bool[Array, " symbols"]:
        """Any token, or with `grammar` what it allows, until the end."""
        live = ~self.terminated(state)
        if self.grammar:
            return live & self.well_formed(state)
        return jnp.broadcast_to(live, (len(self.symbols),))

    def terminated(self, state: TextState) -> Bool[Array, ""]:
        """After the token that ends a text, or when no more can be written."""
        full = state.time >= self.answer_places
        return full | (state.tokens[self.prompt_places :] == self.end).any()

    def table_seen(self, state: TextState) -> tuple[tuple[str, str], ...]:
        """The prompt, and what is written so far."""
        tokens = np.asarray(state.tokens)
        prompt, written = tokens[: self.prompt_places], tokens[self.prompt_places :]
        return (
            ("prompt", self.decode(prompt)),
            ("written so far", self.decode(written) or "nothing yet"),
        )

    def render(self, state: TextState) -> str:
        """The text."""
        return self.decode(np.asarray(state.tokens))

    def answer(self, tokens: Int[Array, " places"]) -> Int[Array, " answer_places"]:
        """What is written after the prompt, -1 from behind its end on."""
        return until(self.end, tokens[self.prompt_places :])

    def with_answer(
        self, prompt: Int[Array, " prompt_places"], answer: Int[Array, " some"]
    ) -> Int[Array, " places"]:
        """A text of both, cut or padded with -1 to `places`."""
        row = jnp.concatenate([prompt, answer, jnp.full(self.answer_places, -1)])
        return row[: self.places].astype(jnp.int32)

    def check_kind(self, kind: str) -> None:
        """Raises `UnknownNameError` for a kind of examples that there is not."""
        if kind not in self.kinds:
            raise UnknownNameError("kind of examples", kind, self.kinds)


class QuestionTask(TextTask):
    """A question; a `length` beyond the `usual_places` of an answer leaves room to think aloud."""

    length: int | None = eqx.field(static=True, default=None, kw_only=True)

    @property
    @abc.abstractmethod
    def usual_places(self) -> int:
        """How many tokens are written unless a `length` is given."""

    @property
    def answer_places(self) -> int:
        """`length`, or what is usual."""
        return self.usual_places if self.length is None else self.length

    def check_length(self, least: int) -> None:
        """Refuse a length that holds no answer, or with which a text is too long to be computed."""
        if self.length is not None and self.length < least:
            raise TaskOptionError(
                f"{type(self).__name__} takes a length of at least {least} tokens, which an answer "
                f"has; got {self.length}."
            )
        check_sizes(type(self).__name__, LONGEST, length=self.length)


def until(end: int, tokens: Int[Array, " some"]) -> Int[Array, " some"]:
    """The tokens to the first `end`, that included; -1 behind it."""
    after = jnp.cumsum(tokens == end) - (tokens == end)
    return jnp.where(after > 0, -1, tokens)


@functools.cache
def _numbers(symbols: tuple[str, ...]) -> dict[str, int]:
    return {word: token for token, word in enumerate(symbols)}
