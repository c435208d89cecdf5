"""What a search over texts may spend, and what it gives back."""

import copy
import math
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from ...core.budget import Budget
from ...core.contract.text_model import Stop, TextModel, check_counts
from ...core.errors import BudgetError, VerifierError
from ...core.keys import is_key
from ...core.ledger import Ledger
from ...core.noise import seeds
from .drawing import packed
from .verifying import Texts, Verifier, check_verifier

UNLIMITED = 2**62
_ARRAYS = ("texts", "rank", "logprobs", "finished", "failed", "tried")
Whole = TypeVar("Whole", "Purse", "Best")


@dataclass(frozen=True)
class TextBudget:
    """What the search for one prompt may spend at most; None or infinity: no limit of that kind.

    tokens: how many are written, in texts kept and thrown away. passes: forward passes, one for
    each token that the model reads, the prompt's own among them; what is kept in its memory is
    not read again, and the last token of a text is not read. flops: floating-point operations.
    Raises `BudgetError` for what is negative or no number, and for parts of tokens and passes.
    """

    tokens: int | None = None
    passes: int | None = None
    flops: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            given = _limit(field.name, getattr(self, field.name), whole=field.name != "flops")
            object.__setattr__(self, field.name, given)

    @staticmethod
    def of(given: Any) -> "TextBudget":
        """A budget as it was handed over; None limits nothing. Raises `BudgetError` for others."""
        if isinstance(given, TextBudget):
            return given
        if given is None:
            return TextBudget()
        told = "counts simulations, steps and seconds" if isinstance(given, Budget) else (
            "does not say of what"
        )  # fmt: skip
        raise BudgetError(
            "A search over texts is limited in tokens, forward passes or FLOPs a prompt, and "
            f"budget={given!r} {told}: pass TextBudget(passes=64), or tokens= or flops=."
        )

    def limits(self, model: TextModel) -> tuple[int, int]:
        """(tokens, passes) of one prompt. Raises `BudgetError` where FLOPs cannot be counted."""
        passes = UNLIMITED if self.passes is None else min(self.passes, UNLIMITED)
        if self.flops is not None:
            if model.flops_per_token is None:
                raise BudgetError(
                    f"{model!r} does not say what a token costs in FLOPs: give passes instead."
                )
            passes = min(passes, int(self.flops // model.flops_per_token))
        return UNLIMITED if self.tokens is None else min(self.tokens, UNLIMITED), passes


def _limit(name: str, given: Any, *, whole: bool) -> Any:
    """A limit as it is kept; None where there is none."""
    given = given.item() if np.ndim(given) == 0 and hasattr(given, "item") else given
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if given is None or (number and given == math.inf):
        return None
    if not number or not given >= 0 or (whole and given != int(given)):
        kind = "a whole number" if whole else "a number"
        raise BudgetError(f"A budget of {name} is {kind} of at least 0, or None; got {given!r}.")
    return int(given) if whole else float(given)


@dataclass(frozen=True, eq=False)
class Searched:
    """The best text found for each prompt, a row each.

    `texts` are prompts and what was written, padded with -1. `grades` are the verifier's (the least
    where nothing was finished, NaN without a verifier), `logprobs` those of what was written, under
    the model at the sampling used (nats). `finished`: whether the text ended by itself or took all
    its tokens. `tried` counts the finished texts that were looked at. `failed`: the verifier failed
    on a text of this prompt, whose search ended there with what had been found; `why` says how.
    """

    texts: Int[np.ndarray, "prompts places"]
    grades: Float[np.ndarray, " prompts"]
    logprobs: Float[np.ndarray, " prompts"]
    spent: Ledger
    finished: Bool[np.ndarray, " prompts"]
    tried: Int[np.ndarray, " prompts"]
    failed: Bool[np.ndarray, " prompts"]
    why: tuple[str, ...]

    def __repr__(self) -> str:
        if not len(self.texts):
            return "Searched(0 prompts)"
        return (
            f"Searched({len(self.texts)} prompts, mean grade={self.grades.mean():.3f}, "
            f"finished={self.finished.mean():.3f}, failed={int(self.failed.sum())}, {self.spent!r})"
        )


class Purse:
    """What each prompt has spent, and may still spend; the one place where both are counted."""

    def __init__(self, model: TextModel, prompts: Texts, budget: Any):
        self.each = model.flops_per_token
        self.most = np.array(TextBudget.of(budget).limits(model))
        self.read = (prompts >= 0).sum(1).astype(np.int64)
        self.passes = self.read.copy()
        self.tokens = np.zeros(len(prompts), np.int64)
        if (self.read > self.most[1]).any():
            row = int(np.argmax(self.read > self.most[1]))
            raise BudgetError(
                f"To read prompt {row} takes {self.read[row]} forward passes, and the budget "
                f"allows {self.most[1]}: give more, or a shorter prompt."
            )

    @property
    def tokens_left(self) -> Int[np.ndarray, " prompts"]:
        """How many tokens each prompt may still have written."""
        return self.most[0] - self.tokens

    @property
    def passes_left(self) -> Int[np.ndarray, " prompts"]:
        """How many forward passes each prompt may still take."""
        return self.most[1] - self.passes

    @property
    def writable(self) -> Int[np.ndarray, " prompts"]:
        """How many tokens one more text could have: its last one is not read."""
        return np.minimum(self.tokens_left, self.passes_left + 1)

    def of(self, rows: Int[np.ndarray, " n"]) -> "Purse":
        """Those of some prompts; `put` puts them back."""
        return _part(self, rows, ("read", "passes", "tokens"))

    def put(self, rows: Int[np.ndarray, " n"], part: "Purse") -> None:
        """What some prompts have spent."""
        self.passes[rows], self.tokens[rows] = part.passes, part.tokens

    def ledger(self) -> Ledger:
        """All of it."""
        flops = None if self.each is None else self.passes * self.each
        return Ledger(network_evaluations=self.passes.copy(), flops=flops)


class Best:
    """The best finished text of each prompt: by its grade, then by its probability, then first."""

    def __init__(self, prompts: Texts, tokens: int, verifier: Verifier | None):
        self.verifier = verifier
        self.texts = np.full((len(prompts), prompts.shape[1] + tokens), -1, np.int64)
        self.texts[:, : prompts.shape[1]] = prompts
        self.rank = np.full(len(prompts), -np.inf)
        self.logprobs = np.zeros(len(prompts))
        self.finished, self.failed = np.zeros((2, len(prompts)), bool)
        self.tried = np.zeros(len(prompts), np.int64)
        self.why = [""] * len(prompts)

    @property
    def over(self) -> Bool[np.ndarray, " prompts"]:
        """Prompts with nothing left to look for: the best grade was met, or the verifier failed."""
        top = np.inf if self.verifier is None else self.verifier.greatest
        return self.failed | (self.rank >= top)

    def look(
        self, rows: Int[np.ndarray, " n"], texts: Texts, logprobs: Float[np.ndarray, " n"],
        rank: Float[np.ndarray, " n"] | None = None,
    ) -> Float[np.ndarray, " n"]:  # fmt: skip
        """Grade finished texts of these prompts and keep the best; gives the ranks.

        Without a verifier `rank` ranks them, the probability unless given. The verifier is asked
        no more for a prompt that it has failed on.
        """
        why = [self.why[row] for row in rows]
        if self.verifier is not None:
            asked = np.flatnonzero(~self.failed[rows])
            rank = np.full(len(rows), float(self.verifier.least))
            rank[asked], told = self.verifier.each(texts[asked], rows[asked])
            for i, reason in zip(asked, told, strict=True):
                why[i] = reason
        elif rank is None:
            rank = logprobs
        for i, row in enumerate(rows):
            if why[i]:
                self.failed[row], self.why[row] = True, self.why[row] or why[i]
                continue
            self.tried[row] += 1
            held = (self.rank[row], self.logprobs[row] if self.finished[row] else -np.inf)
            if (rank[i], logprobs[i]) > held:
                self.rank[row], self.logprobs[row] = rank[i], logprobs[i]
                self.texts[row], self.finished[row] = -1, True
                self.texts[row, : texts.shape[1]] = texts[i]
        return rank

    def of(self, rows: Int[np.ndarray, " n"]) -> "Best":
        """Those of some prompts; `put` puts them back."""
        part = _part(self, rows, _ARRAYS)
        part.why = [self.why[row] for row in rows]
        return part

    def put(self, rows: Int[np.ndarray, " n"], part: "Best") -> None:
        """What was found for some prompts."""
        for name in _ARRAYS:
            getattr(self, name)[rows] = getattr(part, name)
        for row, why in zip(rows, part.why, strict=True):
            self.why[row] = why

    def searched(self, purse: Purse) -> Searched:
        """What was found. Raises `VerifierError` where the verifier failed on every prompt."""
        if len(self.failed) and self.failed.all() and not self.finished.any():
            raise VerifierError(f"No prompt could be searched. {self.why[0]}")
        if self.verifier is None:
            grades = np.full(len(self.rank), np.nan)
        else:
            grades = np.where(self.finished, self.rank, self.verifier.least)
        return Searched(
            self.texts, grades, self.logprobs, purse.ledger(), self.finished, self.tried,
            self.failed, tuple(self.why),
        )  # fmt: skip


def begun(
    model: TextModel, prompts: Any, verifier: Any, tokens: int, budget: Any,
) -> tuple[Texts, Purse, Best]:  # fmt: skip
    """Prompts with room for so many tokens, what may be spent on each, and nothing found yet.

    Raises `ContextOverflowError` where the model does not read as much, `BudgetError` where a
    prompt alone costs more than it may, `TokenizerError` for what is no prompt, `ValueError` for
    no number of tokens, and `WrongKindError` for what is no verifier.
    """
    check_counts(tokens=tokens)
    if verifier is not None:
        check_verifier(verifier)
    alone = packed(prompts, 0)
    model.check_room(alone, tokens)
    texts = packed(alone, tokens)
    return texts, Purse(model, texts, budget), Best(alone, tokens, verifier)


def stop_of(model: TextModel, verifier: Verifier | None, stop: Stop) -> int | None:
    """The token that texts stop at: the model's own end, or else that of what is graded.

    Raises `TokenizerError` for a token that the model does not have.
    """
    if isinstance(stop, str) and stop == "end" and model.end is None and verifier is not None:
        return model.stop_token(verifier.end, "verifier.end")
    return model.stop_token(stop)


def row_seeds(key: Key[Array, "*prompts"], prompts: int) -> UInt32[np.ndarray, " prompts"]:
    """A seed for each prompt, from one key or from one a prompt.

    One key gives each prompt its own by its place: a prompt searched alone with that key of
    `jax.random.split` is searched as among others.
    """
    if not is_key(key):
        raise ValueError("A search over texts draws from a typed key: `jax.random.key(0)`.")
    keys = jax.random.split(key, prompts) if key.ndim == 0 else key
    if keys.shape != (prompts,):
        raise ValueError(f"Keys of shape {keys.shape} for {prompts} prompts: one, or one each.")
    return np.asarray(seeds(keys))


def _part(whole: Whole, rows: Int[np.ndarray, " n"], names: tuple[str, ...]) -> Whole:
    part = copy.copy(whole)
    for name in names:
        setattr(part, name, getattr(whole, name)[rows])
    return part
