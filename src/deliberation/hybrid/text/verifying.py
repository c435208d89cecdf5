"""Graders of finished texts, held to what a search relies on: numbers, in time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ...core.errors import VerifierError

Texts = Int[np.ndarray, "_ _"]
"""Texts side by side, padded with -1 at their ends."""
Logits = Float[np.ndarray, "_ vocabulary"]
Grades = Float[np.ndarray, " texts"]


@dataclass(frozen=True, eq=False)
class Verifier:
    """Grades finished texts: `grade` takes [n, places], padded with -1, and gives n real numbers.

    `greatest` is the best grade there can be: a text that reaches it ends its prompt's search.
    `least` is what an unfinished text counts as. `seconds` is how long one call may take; a call
    that takes longer is given up (its thread ends with the process), None waits for ever.
    """

    grade: Callable[[Texts], Any]
    greatest: float = 1.0
    least: float = 0.0
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not self.least < self.greatest:
            raise ValueError(
                f"The least grade is below the greatest; got {self.least}, {self.greatest}."
            )
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise ValueError(f"A limit of time is a positive number; got {self.seconds}.")

    def __call__(self, texts: Texts) -> Grades:
        """The grade of each text. Raises `VerifierError`."""
        given = self._in_time(texts)
        try:
            found = np.asarray(given, float)
        except (TypeError, ValueError) as error:
            raise VerifierError(
                f"{self._name} gave {given!r}, which is no number a text."
            ) from error
        if found.shape != (len(texts),):
            raise VerifierError(
                f"{self._name} gave grades of shape {found.shape} for {len(texts)} texts: it takes "
                "texts [n, places] and gives n numbers."
            )
        bad = ~np.isfinite(found) | (found > self.greatest) | (found < self.least)
        if bad.any():
            raise VerifierError(
                f"{self._name} gave {found[bad][0]} for text {int(np.argmax(bad))}: grades are "
                f"from {self.least} to {self.greatest} (`Verifier(least=, greatest=)`)."
            )
        return found

    def each(self, texts: Texts) -> tuple[Grades, list[str]]:
        """Grades, and why there is none ("" where there is one).

        Where a batch is not graded its texts are tried one by one, so that a text which the grader
        fails on costs no other its grade; what has none counts as the least.
        """
        if not len(texts):
            return np.zeros(0), []
        try:
            return self(texts), [""] * len(texts)
        except VerifierError as error:
            if len(texts) == 1:
                return np.full(1, self.least), [str(error)]
        alone = [self.each(texts[i : i + 1]) for i in range(len(texts))]
        return np.concatenate([x for x, _ in alone]), [y for _, (y,) in alone]

    @property
    def _name(self) -> str:
        return f"The grader {getattr(self.grade, '__qualname__', repr(self.grade))}"

    def _in_time(self, texts: Texts) -> Any:
        found: list[Any] = []
        failed: list[Exception] = []

        def call() -> None:
            try:
                found.append(self.grade(texts))
            except Exception as error:  # a stranger's code may raise anything
                failed.append(error)

        if self.seconds is None:
            call()
        else:
            thread = threading.Thread(target=call, daemon=True)
            thread.start()
            thread.join(self.seconds)
        if failed:
            what = f"{type(failed[0]).__name__}: {failed[0]}"
            raise VerifierError(f"{self._name} raised {what}") from failed[0]
        if not found:
            raise VerifierError(
                f"{self._name} took longer than {self.seconds} s for {len(texts)} texts."
            )
        return found[0]
