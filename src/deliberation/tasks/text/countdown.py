"""Countdown: numbers are combined into a target by sums, differences, products and quotients.

After Gandhi et al. 2024 ("Stream of Search"): all numbers are used, every result is a whole number
of at least 0, and models learn from paths to the target or from searches for one. "3 5 2 -> 16 :"
is answered by "3 + 5 = 8 ; 8 * 2 = 16 ; end".
"""

import functools
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import TaskOptionError
from ..bases import check_seed
from ..chance import draw_uniform
from .base import QuestionTask, TextState
from .countdown_traces import GRANDEST, Left, Line, Path, lines_to, trace

TASKS = {
    "countdown": {
        "summary": "Combine numbers into a target, as text; options numbers, largest, least, most, "
        "length, grammar",
        "factory": "Countdown",
        "options": {
            "numbers": 4,
            "largest": 12,
            "least": 10,
            "most": 99,
            "length": None,
            "grammar": False,
        },
    },
}

_SIGNS = ("+", "-", "*", "/")
_PLUS, _MINUS, _TIMES, _OVER, _EQUALS, _LINE, _TO, _ASKS, _AT, _SO, _END = range(11)
_LINE_PLACES = 6
_FEWEST, _MOST_NUMBERS, _MOST_TRIES = 2, 6, 4096


class Countdown(QuestionTask):
    """`numbers` of 1 to `largest`, a target of `least` to `most`, and no number beyond `most`.

    An answer is a line for each two numbers that are put together, in any order, until one is left,
    which must be the target. A search may be written before it: what counts is the answer after the
    last "so", if there is one. In a search "at 3 8 :" says which numbers are left at the place from
    which the next lines are tried ("dfs": one line, and on from there; "bfs": all lines at once of
    the places kept, at most `BEAM` of each depth).

    Problems are drawn by putting numbers together at random, so all can be solved. With `grammar`
    lines are true and of numbers that are there; it allows no search. Raises `TaskOptionError`.
    """

    numbers: int = eqx.field(static=True, default=4)
    largest: int = eqx.field(static=True, default=12)
    """Of the numbers that are given; targets and results go up to `most`."""

    least: int = eqx.field(static=True, default=10)
    most: int = eqx.field(static=True, default=99)

    kinds: ClassVar[tuple[str, ...]] = ("optimal", "dfs", "bfs")
    """A path alone, and searches in depth and in breadth that end in one."""

    def __repr__(self) -> str:
        return (
            f"Countdown({self.numbers} numbers up to {self.largest}, targets from {self.least} to "
            f"{self.most}, {self.answer_places} tokens)"
        )

    def __check_init__(self) -> None:
        if not _FEWEST <= self.numbers <= _MOST_NUMBERS:
            raise TaskOptionError(
                f"Countdown takes numbers={_FEWEST} to {_MOST_NUMBERS} of them; got {self.numbers}."
            )
        if not 1 <= self.most <= GRANDEST:
            raise TaskOptionError(f"Countdown takes most=1 to {GRANDEST}; got {self.most}.")
        if not 1 <= self.largest <= self.most or not 0 <= self.least <= self.most:
            raise TaskOptionError(
                "Countdown takes a largest number from 1 to most, and a least target from 0 to "
                f"most; got largest={self.largest}, least={self.least}, most={self.most}."
            )
        self.check_length(self.usual_places)
        if not _some_target(self.numbers, self.largest, self.least, self.most):
            raise TaskOptionError(
                f"Hardly ever do {self.numbers} numbers up to largest={self.largest} make one of "
                f"least={self.least} to most={self.most}. Let least be less, or largest more."
            )

    @property
    def symbols(self) -> tuple[str, ...]:
        """The numbers from 0 to `most`, each its own token; then the signs and words."""
        return _symbols(self.most)

    @property
    def prompt_places(self) -> int:
        """The numbers, an arrow, the target and a colon."""
        return self.numbers + 3

    @property
    def usual_places(self) -> int:
        """A path without a search."""
        return _LINE_PLACES * (self.numbers - 1) + 1

    def prompt(self, key: Key[Array, ""]) -> Int[Array, " prompt_places"]:
        """Numbers and a target that they can make."""
        return self._problem(key)[0]

    def examples(self, key: Key[Array, ""], kind: str) -> Int[Array, " places"]:
        """A path drawn with its problem ("optimal"), or one of 4,096 searches ("dfs", "bfs").

        More searches come from `pool`. Raises `UnknownNameError` for a kind that there is not.
        """
        self.check_kind(kind)
        if kind == "optimal":
            return self.with_answer(*self._problem(key))
        drawn = jnp.asarray(self.pool(kind, 4096, seed=0))
        return drawn[jax.random.randint(key, (), 0, len(drawn))]

    def pool(self, kind: str, n: int, seed: int = 0) -> Int[np.ndarray, "n places"]:
        """So many examples of a kind, computed once on the host; to be read only.

        A search that finds nothing ends without an answer, and one that is longer than `length` is
        cut there: `grade` gives the share that are solved. Raises `UnknownNameError`.
        """
        self.check_kind(kind)
        check_seed("Countdown", seed)
        return _pool(self, kind, n, seed)

    def grade(self, tokens: Int[Array, " places"]) -> Float[Array, ""]:
        """1 for an answer whose lines are all true, use what is there, and end in the target."""
        answer = self.answer(tokens)
        starts = jnp.where(answer == self._token(_SO), jnp.arange(len(answer)) + 1, 0)
        room = jnp.concatenate([answer, jnp.full(self.usual_places, -1)])
        answer = jax.lax.dynamic_slice(room, (starts.max(),), (self.usual_places,))
        left, right = tokens[: self.numbers], answer[-1] == self.end
        for line in range(self.numbers - 1):
            words = answer[_LINE_PLACES * line :][:_LINE_PLACES]
            left, true = self._after(left, words)
            right &= true
        return (right & (left.max() == tokens[self.numbers + 1])).astype(jnp.float32)

    def well_formed(self, state: TextState) -> Bool[Array, " symbols"]:
        """Numbers that are there, signs and second numbers with a whole result, and that result."""
        answer, left = state.tokens[self.prompt_places :], state.tokens[: self.numbers]
        line, place = state.time // _LINE_PLACES, state.time % _LINE_PLACES
        for k in range(self.numbers - 1):
            after, _ = self._after(left, answer[_LINE_PLACES * k :][:_LINE_PLACES])
            left = jnp.where(k < line, after, left)
        words = jax.lax.dynamic_slice(
            jnp.concatenate([answer, jnp.full(_LINE_PLACES, -1)]),
            (_LINE_PLACES * line,),
            (_LINE_PLACES,),
        )
        results = self._results(left)
        first = results >= 0
        second = first & (left == words[0])[:, None, None]
        third = second & (jnp.arange(4) == words[1] - self._token(_PLUS))
        fourth = third & (left == words[2])[:, None]
        none = jnp.zeros(len(self.symbols), bool)
        allowed = jnp.stack(
            [
                none.at[left].max(first.any((1, 2))),
                none.at[self._token(_PLUS) + jnp.arange(4)].max(second.any((0, 1))),
                none.at[left].max(third.any((0, 2))),
                none.at[self._token(_EQUALS)].set(True),
                none.at[jnp.where(fourth, results, 0).max()].set(True),
                none.at[self._token(_LINE)].set(True),
            ]
        )[place]
        return jnp.where(line == self.numbers - 1, none.at[self.end].set(True), allowed)

    def solutions(self, prompt: Int[np.ndarray, " prompt_places"]) -> Int[np.ndarray, "n answer"]:
        """All right answers to a prompt, found by trying everything; both orders of a sum."""
        row = np.asarray(prompt)
        found = lines_to(tuple(row[: self.numbers].tolist()), int(row[self.numbers + 1]), self.most)
        return np.array([_written(path, self.most) for path in found], np.int32).reshape(
            len(found), self.usual_places
        )

    def _token(self, sign: int) -> int:
        return self.most + 1 + sign

    def _results(self, left: Int[Array, " numbers"]) -> Int[Array, "numbers numbers 4"]:
        """What two of the numbers that are left give by each sign; -1 where it is no result."""
        there = (left >= 0)[:, None] & (left >= 0) & ~jnp.eye(self.numbers, dtype=bool)
        c = _result(left[:, None, None], jnp.arange(4), left[None, :, None], self.most)
        return jnp.where(there[:, :, None], c, -1)

    def _after(
        self, left: Int[Array, " numbers"], words: Int[Array, " 6"]
    ) -> tuple[Int[Array, " numbers"], Bool[Array, ""]]:
        """The numbers left after a line, -1 in the place of one used up, and whether it is true."""
        a, sign, b, equals, c, line = words
        one = jnp.argmax(left == a)
        rest = left.at[one].set(-1)
        two = jnp.argmax(rest == b)
        there = (a >= 0) & (b >= 0) & (left[one] == a) & (rest[two] == b)
        sign = sign - self._token(_PLUS)
        true = (sign >= 0) & (sign < 4) & (c >= 0) & (c == _result(a, sign, b, self.most))
        spelt = (equals == self._token(_EQUALS)) & (line == self._token(_LINE))
        return rest.at[two].set(c), there & true & spelt

    def _problem(
        self, key: Key[Array, ""]
    ) -> tuple[Int[Array, " prompt_places"], Int[Array, " answer"]]:
        """A prompt and a path that solves it: drawn anew until the target is one that is asked."""

        def asked(drawn: tuple[Array, Array, Array]) -> Bool[Array, ""]:
            target = drawn[1][-3]
            return (target < self.least) | (target > self.most)

        def again(drawn: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            _, _, key = drawn
            now, then = jax.random.split(key)
            return *self._drawn(now), then

        nothing = jnp.full(self.numbers, -1), jnp.full(self.usual_places, -1), key
        start, path, _ = jax.lax.while_loop(asked, again, nothing)
        target = jnp.stack([self._token(_TO), path[-3], self._token(_ASKS)])
        return jnp.concatenate([start, target]).astype(jnp.int32), path

    def _drawn(self, key: Key[Array, ""]) -> tuple[Int[Array, " numbers"], Int[Array, " answer"]]:
        """Numbers, and lines drawn evenly from all true ones."""
        size = 4 * self.numbers**2
        first, second = jax.random.split(key)
        start = 1 + (draw_uniform(first, self.numbers) * self.largest).astype(jnp.int32)
        left, path = start, []
        for u in draw_uniform(second, self.numbers - 1):
            results = self._results(left).ravel()
            can = jnp.cumsum(results >= 0)
            which = jnp.minimum((can <= jnp.floor(u * can[-1])).sum(), size - 1)
            one, two, sign = jnp.unravel_index(which, (self.numbers, self.numbers, 4))
            line = jnp.stack(
                [
                    left[one],
                    self._token(_PLUS) + sign,
                    left[two],
                    jnp.int32(self._token(_EQUALS)),
                    results[which],
                    jnp.int32(self._token(_LINE)),
                ]
            )
            left = left.at[one].set(-1).at[two].set(results[which])
            path.append(line)
        return start, jnp.concatenate([*path, jnp.array([self.end])])


def _result(a: Any, sign: Any, b: Any, most: int, xp: Any = jnp) -> Any:
    """a sign b where it is a whole number from 0 to `most`, else -1."""
    below = xp.maximum(b, 1)
    quotient = xp.where((b > 0) & (a % below == 0), a // below, -1)
    c = xp.select([sign == _PLUS, sign == _MINUS, sign == _TIMES], [a + b, a - b, a * b], quotient)
    return xp.where((c >= 0) & (c <= most), c, -1)


def _written(path: Path, most: int) -> list[int]:
    """Lines as tokens, with the end."""
    return [token for line in path for token in _told(line, most)] + [most + 1 + _END]


def _told(step: Line | Left, most: int) -> list[int]:
    """A line, or the numbers left where a search goes on, as tokens."""
    first = most + 1
    if isinstance(step, Line):
        a, sign, b, c = step
        return [a, first + sign, b, first + _EQUALS, c, first + _LINE]
    return [first + _AT, *step, first + _ASKS]


@functools.cache
def _symbols(most: int) -> tuple[str, ...]:
    return (*map(str, range(most + 1)), *_SIGNS, "=", ";", "->", ":", "at", "so", "end")


@functools.cache
def _some_target(numbers: int, largest: int, least: int, most: int) -> bool:
    """Whether random lines make a target that is asked for, in some of many tries."""
    rng = np.random.default_rng(0)
    left = rng.integers(1, largest + 1, (_MOST_TRIES, numbers))
    for now in range(numbers, 1, -1):
        left = rng.permuted(left, axis=1)
        a, b, sign = left[:, 0], left[:, 1], rng.integers(0, 4, _MOST_TRIES)
        c = _result(a, sign, b, most, np)
        left = np.column_stack([np.where(c < 0, np.abs(a - b), c), left[:, 2:now]])
    return bool(((left[:, 0] >= least) & (left[:, 0] <= most)).mean() > 1e-3)


@functools.cache
def _pool(task: Countdown, kind: str, n: int, seed: int) -> Int[np.ndarray, "n places"]:
    # Also where a program that draws from it is being compiled.
    with jax.ensure_compile_time_eval():
        keys = jax.random.split(jax.random.key(seed), n)
        if kind == "optimal":
            return np.asarray(jax.jit(jax.vmap(lambda k: task.examples(k, kind)))(keys))
        prompts = np.asarray(jax.jit(jax.vmap(task.prompt))(keys))
    out = np.full((n, task.places), -1, np.int32)
    out[:, : task.prompt_places] = prompts
    size, room, most = task.numbers, task.answer_places, task.most
    for row, prompt in zip(out, prompts.tolist(), strict=True):
        steps, path = trace(kind, tuple(prompt[:size]), prompt[size + 1], most, room)
        words = [token for step in steps for token in _told(step, most)]
        words += [most + 1 + _END] if path is None else [most + 1 + _SO, *_written(path, most)]
        row[task.prompt_places :][: len(words)] = words[:room]
    out.flags.writeable = False  # the same array for everybody who asks
    return out
