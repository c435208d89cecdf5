"""Samples of a model, of which a verifier or a vote takes one."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.contract.text_model import Memory, Sampling, Stop, TextModel, check_counts
from .drawing import PLAIN, Allow, Row, lengths, mixed
from .spending import Searched, TextBudget, begun, row_seeds, stop_of
from .verifying import Texts, Verifier, check_verifier

Answer = Callable[[Int[np.ndarray, " places"]], Hashable]
"""What a finished text answers; None where it answers nothing."""
ROWS = 1024
"""No more texts than this are written side by side."""


def best_of_n(
    model: TextModel, prompts: Texts, verifier: Verifier, *, n: int, tokens: int,
    key: Key[Array, "*prompts"], sampling: Sampling = PLAIN, stop: Stop = "end",
    budget: TextBudget | None = None, allow: Allow | None = None,
) -> Searched:  # fmt: skip
    """Draw n texts of at most so many `tokens` after each prompt, and take the best graded.

    Fewer are drawn where the `budget` of a prompt ends before, or a text reaches the greatest
    grade. What searches share is told in `hybrid.text`.

    Raises `AllowanceError`, `BudgetError`, `ContextOverflowError`, `NonFiniteError`,
    `TokenizerError`, `ValueError`, `WrongKindError`, and `VerifierError` where no prompt could be
    graded.
    """
    check_verifier(verifier)
    check_counts(n=n)
    drawing = _Drawing(model, prompts, tokens, budget, verifier, key, sampling, stop, allow)
    for rows, written, done in drawing.texts(n):
        drawing.best.look(rows[done], written.texts[done], written.logprob[done])
    return drawing.best.searched(drawing.purse)


def majority_vote(
    model: TextModel, prompts: Texts, answer: Answer, *, n: int, tokens: int,
    key: Key[Array, "*prompts"], verifier: Verifier | None = None, sampling: Sampling = PLAIN,
    stop: Stop = "end", budget: TextBudget | None = None, allow: Allow | None = None,
) -> Searched:  # fmt: skip
    """Draw n texts and take the likeliest of those with the commonest answer (Wang et al. 2022).

    Of answers as common, the one whose texts came first. The verifier grades what was chosen and
    has no say in it. Raises as `best_of_n` does.
    """
    check_counts(n=n)
    if verifier is not None:
        check_verifier(verifier)
    stop = stop_of(model, verifier, stop)
    drawing = _Drawing(model, prompts, tokens, budget, None, key, sampling, stop, allow)
    votes: list[dict[Hashable, list[tuple[float, Any]]]] = [{} for _ in prompts]
    for rows, written, done in drawing.texts(n):
        for i in np.flatnonzero(done):
            said = answer(written.texts[i].copy())
            if said is not None:
                voted = votes[rows[i]].setdefault(said, [])
                voted.append((float(written.logprob[i]), written.texts[i]))
    chosen = [max(kinds.values(), key=len, default=[]) for kinds in votes]
    best, rows = drawing.best, np.array([i for i, c in enumerate(chosen) if c], np.int64)
    best.verifier = verifier
    if len(rows):
        top = [max(chosen[i], key=lambda vote: vote[0]) for i in rows]
        best.look(rows, np.stack([x for _, x in top]), np.array([x for x, _ in top]))
    best.tried = np.array([sum(map(len, kinds.values())) for kinds in votes], np.int64)
    return best.searched(drawing.purse)


class _Drawing:
    """The samples after each prompt, drawn in rounds that keep to what each may still spend."""

    def __init__(
        self, model: TextModel, prompts: Any, tokens: int, budget: Any,
        verifier: Verifier | None, key: Key[Array, "*prompts"], sampling: Sampling,
        stop: Stop, allow: Allow | None,
    ):  # fmt: skip
        sampling.check()
        self.model, self.tokens = model, tokens
        self.prompts, self.purse, self.best = begun(model, prompts, verifier, tokens, budget)
        self.seed = row_seeds(key, len(self.prompts))
        self.how = {
            "sampling": sampling, "stop": stop_of(model, verifier, stop), "allow": allow,
        }  # fmt: skip

    def texts(self, n: int) -> Iterator[tuple[Int[np.ndarray, " rows"], Row, Any]]:
        """Rounds of samples: the prompt of each, the texts, and which of them are finished."""
        logits, memory = self.model.start(self.prompts[:, : lengths(self.prompts).max(initial=0)])
        logits = np.asarray(logits)
        taken = np.zeros(len(self.prompts), np.int64)
        while True:
            width = self._width(n - taken, taken > 0)
            if not width.any():
                return
            rows = np.repeat(np.arange(len(width)), width)
            number = np.concatenate(
                [np.arange(t, t + w) for t, w in zip(taken, width, strict=True)]
            )
            written = self._write(rows, number, logits, memory)
            np.add.at(self.purse.passes, rows, written.passes)
            np.add.at(self.purse.tokens, rows, written.length - written.begun)
            taken += width
            yield rows, written, written.ended(lengths(self.prompts)[rows] + self.tokens)

    def _width(
        self, wanted: Int[np.ndarray, " prompts"], begun: Bool[np.ndarray, " prompts"]
    ) -> Int[np.ndarray, " prompts"]:
        """How many samples of each prompt fit for certain; one that may be cut short at the end.

        Where no pass is left that is the last: a first token costs none, and any number would be
        begun.
        """
        sure = np.minimum(
            self.purse.tokens_left // self.tokens,
            self.purse.passes_left // max(1, self.tokens - 1),
        )
        paid = ~begun | (self.purse.passes_left > 0) | (self.tokens == 1)
        most = np.maximum(sure, (self.purse.writable > 0) & paid)
        width = np.where(self.best.over, 0, np.clip(np.minimum(most, wanted), 0, None))
        return np.minimum(width, max(1, ROWS // max(1, int((width > 0).sum()))))

    def _write(
        self, rows: Int[np.ndarray, " rows"], number: Int[np.ndarray, " rows"],
        logits: Float[np.ndarray, "prompts vocabulary"], memory: Memory,
    ) -> Row:  # fmt: skip
        texts = self.prompts[rows]
        ends = lengths(texts) + np.minimum(self.tokens, self.purse.writable[rows])
        memory = self.model.pick(memory, rows)
        row = Row(self.model, texts, ends, logits[rows], memory, **self.how)
        return row.run(mixed(self.seed[rows], number))
