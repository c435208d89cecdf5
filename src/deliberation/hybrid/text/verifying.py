"""Graders of finished texts, held to what a search relies on: numbers, in time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ...core.errors import TooSlowError, UnsuitableTaskError, VerifierError, WrongKindError
from ...core.failures import PASSING, in_words
from ...tasks.text.base import TextTask

Texts = Int[np.ndarray, "_ _"]
"""Texts side by side, padded with -1 at their ends."""
Logits = Float[np.ndarray, "_ vocabulary"]
Grades = Float[np.ndarray, " texts"]


@dataclass(frozen=True, eq=False)
class Verifier:
    """Grades finished texts: `grade` takes [n, places], padded with -1, and gives n real numbers.

    `greatest` is the best grade there can be: a text that reaches it ends its prompt's search. It
    is infinite where no grade is known to be the best; a tree search then explores as if grades
    spanned 1. `least`, which is finite, is what an unfinished text counts as. `seconds` is how long
    one call may take; a call that takes longer is given up (its thread ends with the process), None
    waits for ever. `end` is the token that ends what it grades, where there is one: searches stop
    there if the model has no end of its own.
    """

    grade: Callable[[Texts], Any]
    greatest: float = 1.0
    least: float = 0.0
    seconds: float | None = None
    end: int | None = None
    role: ClassVar[str] = "The grader"
    said: ClassVar[str] = "grades"

    def __post_init__(self) -> None:
        if not -np.inf < self.least < self.greatest:
            raise ValueError(
                "The least grade is finite and below the greatest; got "
                f"{self.least}, {self.greatest}."
            )
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise ValueError(f"A limit of time is a positive number; got {self.seconds}.")

    @classmethod
    def of(cls, task: TextTask, *, seconds: float | None = None) -> "Verifier":
        """What grades texts of a task exactly, as its `grade` does, up to the task's own end.

        Raises `UnsuitableTaskError` for a task that is not of text, or whose objective does not say
        what the greatest grade is.
        """
        if not isinstance(task, TextTask):
            raise UnsuitableTaskError(
                f"{task!r} grades no texts: give a task of text, or `Verifier(f)` with a function "
                "that takes texts [n, places] and gives n numbers."
            )
        least, greatest = task.objective.bounds
        each = jax.jit(jax.vmap(task.grade))

        def grade(texts: Texts) -> Any:
            if (texts[:, task.places :] >= 0).any():
                raise ValueError(f"a text is longer than the {task.places} tokens of {task!r}")
            # Up to a power of two, so that few programs are compiled.
            rows = np.full((1 << max(len(texts) - 1, 0).bit_length(), task.places), -1, np.int32)
            rows[: len(texts), : texts.shape[1]] = texts[:, : task.places]
            return each(jnp.asarray(rows))[: len(texts)]

        return cls(grade, greatest, least, seconds, task.end)

    def __call__(self, texts: Texts) -> Grades:
        """The grade of each text. Raises `VerifierError`."""
        given = self._in_time(texts)
        try:
            found = np.asarray(given)
            if found.dtype.kind in "cSUMm":
                raise TypeError(f"{found.dtype} is no kind of real number")
            found = found.astype(float)
        except (TypeError, ValueError) as error:
            raise VerifierError(
                f"{self._name} gave {given!r}, which is no number a text."
            ) from error
        if found.shape != (len(texts),):
            raise VerifierError(
                f"{self._name} gave {self.said} of shape {found.shape} for {len(texts)} texts: it "
                "takes texts [n, places] and gives n numbers."
            )
        bad = ~np.isfinite(found) | (found > self.greatest) | (found < self.least)
        if bad.any():
            raise VerifierError(
                f"{self._name} gave {found[bad][0]} for text {int(np.argmax(bad))}: {self.said} "
                f"are from {self.least} to {self.greatest} (`Verifier(least=, greatest=)`)."
            )
        return found

    def each(
        self, texts: Texts, prompts: Int[np.ndarray, " texts"]
    ) -> tuple[Grades, list[str]]:  # fmt: skip
        """Grades, and why there is none ("" where there is one); `prompts` numbers their prompts.

        Where a batch is not graded its texts are tried one by one, so that a text which the grader
        fails on costs no other its grade; what has none counts as the least. After one that took
        too long no more texts of its prompt are tried: who hangs costs a limit a prompt.
        """
        grades, why = np.full(len(texts), float(self.least)), [""] * len(texts)
        if not len(texts):
            return grades, why
        try:
            return self(texts), why
        except VerifierError as error:
            if len(texts) == 1:
                return grades, [str(error)]
        late: dict[int, str] = {}
        for i, prompt in enumerate(prompts.tolist()):
            try:
                if prompt not in late:
                    grades[i] = self(texts[i : i + 1])[0]
            except VerifierError as error:
                why[i] = str(error)
                if isinstance(error.__cause__, TooSlowError):
                    late[prompt] = why[i]
            why[i] = late.get(prompt, why[i])
        return grades, why

    @property
    def _name(self) -> str:
        return f"{self.role} {getattr(self.grade, '__qualname__', repr(self.grade))}"

    def _in_time(self, texts: Texts) -> Any:
        found: list[Any] = []
        failed: list[BaseException] = []
        # Its own, as it may change them in place, and late.
        own = np.array(texts)

        def call(passing: tuple[type[BaseException], ...]) -> None:
            try:
                found.append(self.grade(own))
            except passing:
                raise
            except BaseException as error:  # a stranger's code may raise anything
                failed.append(error)

        if self.seconds is None:
            call(PASSING)
        else:
            thread = threading.Thread(target=call, args=((),), daemon=True)
            thread.start()
            thread.join(self.seconds)
        if failed:
            raise VerifierError(f"{self._name} raised {in_words(failed[0])}") from failed[0]
        if not found:
            raise VerifierError(
                f"{self._name} took longer than {self.seconds} s for {len(texts)} texts."
            ) from TooSlowError(f"No answer within {self.seconds} s.")
        return found[0]


class Valuer(Verifier):
    """What says of unfinished texts what they are worth, held to the same as a grader."""

    role: ClassVar[str] = "The value function"
    said: ClassVar[str] = "values"


def check_verifier(verifier: Any) -> None:
    """Raises `WrongKindError` for what is no `Verifier`, such as a plain function."""
    if not isinstance(verifier, Verifier):
        told = getattr(verifier, "__qualname__", repr(verifier))
        raise WrongKindError(
            f"Texts are graded by a `Verifier`; got {told}. Wrap a function that takes texts "
            "[n, places] and gives n numbers: `Verifier(f)`."
        )
