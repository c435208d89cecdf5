"""What a task of text is held to beyond any other: words, prompts, examples and grades that fit.

Whoever decides sees tokens; people, training and graders go by `symbols`, `examples` and `grade`.
Where these disagree nothing fails: a model learns one thing and is judged by another.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from ..errors import ContractError, UnknownNameError
from ..failures import in_words
from ..task import Task
from .trace import require

_PARTS = ("symbols", "prompt", "answer_places", "examples", "grade", "encode", "decode", "begun")
_TEXTS = 16
"""So many prompts, examples of each kind and texts by chance are looked at."""
_CLOSE = 1e-5

Texts = Int[np.ndarray, "_ _"]


def is_text(task: Task) -> bool:
    """Whether a task has what a task of text has (`tasks.text.TextTask`)."""
    return all(hasattr(type(task), part) for part in _PARTS)


def check_text_declared(task: Any) -> None:
    """Words, sizes and kinds are what they should be, and shapes and types are as they say."""
    _check_symbols(task)
    for name, least in (("prompt_places", 0), ("answer_places", 1)):
        size = getattr(task, name)
        whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
        said = f"`{name}` is {size!r}; it must be a whole number of at least {least}."
        require(whole and size >= least, task, said)
    kinds = task.kinds
    named = isinstance(kinds, tuple) and all(isinstance(kind, str) for kind in kinds)
    require(
        named and kinds and len(set(kinds)) == len(kinds),
        task,
        f"`kinds` is {kinds!r}; it must be a tuple of different names, at least one, as in "
        '("right",).',
    )
    _check_forms(task)


def check_texts(task: Any, key: Key[Array, ""]) -> None:
    """Prompts, examples, grades and words agree, on texts drawn with a key."""
    keys = jax.random.split(key, _TEXTS)
    prompts = _drawn(task, "prompt", task.prompt, keys)
    _check_tokens(task, "prompt", prompts, 0)
    _check_words(task, prompts)
    for kind in task.kinds:
        texts = _drawn(task, f"examples of kind {kind!r}", lambda k: task.examples(k, kind), keys)  # noqa: B023
        _check_examples(task, kind, texts)
        _check_words(task, texts)
        _check_grades(task, f"an example of kind {kind!r}", texts, key)
    _check_unknown_kind(task, keys[0])
    _check_grades(task, "a text by chance", _by_chance(task, prompts), key)


def _check_symbols(task: Any) -> None:
    symbols = task.symbols
    require(
        isinstance(symbols, tuple) and len(symbols) >= 2,
        task,
        f"`symbols` gives {symbols!r}; it must give a tuple of at least two words, one a token.",
    )
    for token, word in enumerate(symbols):
        require(
            isinstance(word, str) and word.split() == [word],
            task,
            f"symbol {token} is {word!r}; it must be a word without spaces, since `encode` parts "
            "texts at them.",
        )
    twice = sorted({word for word in symbols if symbols.count(word) > 1})
    require(
        not twice,
        task,
        f"`symbols` has {', '.join(map(repr, twice))} more than once, so that `encode` cannot tell "
        "the tokens apart. Give each a word of its own.",
    )
    whole = isinstance(task.end, int | np.integer) and 0 <= task.end < len(symbols)
    require(
        whole,
        task,
        f"`end` is {task.end!r}, and the symbols are tokens 0 to {len(symbols) - 1}, so that no "
        "text ends before it is full. Let `end` be the token of one of them.",
    )
    require(
        task.traits.actions == len(symbols),
        task,
        f"traits.actions is {task.traits.actions}, and there are {len(symbols)} symbols. Let each "
        "action write one of them.",
    )


def _check_forms(task: Any) -> None:
    """Shapes and types, without computing anything."""
    key, size = jax.random.key(0), task.prompt_places + task.answer_places
    row = jax.ShapeDtypeStruct((size,), jnp.int32)
    wanted: list[tuple[str, Callable[[], Any], tuple[int, ...], type]] = [
        (f"examples of kind {kind!r}",
         lambda kind=kind: _form(lambda k: task.examples(k, kind), key), (size,), np.integer)
        for kind in task.kinds
    ]  # fmt: skip
    wanted = [
        ("prompt", lambda: _form(task.prompt, key), (task.prompt_places,), np.integer),
        *wanted,
        ("grade", lambda: _form(task.grade, row), (), np.floating),
        ("well_formed", lambda: _form(lambda k: task.well_formed(task.init(k)), key),
         (len(task.symbols),), np.bool_),
    ]  # fmt: skip
    for name, asked, shape, kind in wanted:
        got = _asked(task, name, asked)
        fits = isinstance(got, jax.ShapeDtypeStruct) and got.shape == shape
        require(
            fits and np.issubdtype(got.dtype, kind),
            task,
            f"`{name}` gives {_told(got)}; it must give {kind.__name__}{list(shape)}"
            f"{' (prompt_places and answer_places say so)' if kind is np.integer else ''}.",
        )


def _form(function: Callable[[Any], Any], *given: Any) -> Any:
    return jax.eval_shape(function, *given)


def _told(got: Any) -> str:
    return f"{got.dtype}{list(got.shape)}" if isinstance(got, jax.ShapeDtypeStruct) else repr(got)


def _asked(task: Any, name: str, ask: Callable[[], Any]) -> Any:
    """What a part of the task answers; where it raises, that is told as its fault."""
    try:
        return ask()
    except Exception as error:  # the task is a stranger's
        raise ContractError(
            f"{task!r} breaks the contract of a task: `{name}` raised " + in_words(error)
        ) from error


def _drawn(task: Any, name: str, draw: Callable[[Any], Any], keys: Key[Array, " n"]) -> Texts:
    """A row for each key, determined by the key."""
    batch = jax.jit(jax.vmap(draw))
    rows = np.asarray(_asked(task, name, lambda: batch(keys)))
    alone = np.asarray(_asked(task, name, lambda: draw(keys[0])))
    require(
        np.array_equal(rows[0], alone),
        task,
        f"`{name}` gives {alone.tolist()} alone and {rows[0].tolist()} under `vmap` and `jit`, "
        "with the same key. Draw from the key alone.",
    )
    return rows


def _check_tokens(task: Any, name: str, rows: Texts, least: int) -> None:
    bad = (rows < least) | (rows >= len(task.symbols))
    if bad.any():
        row, place = np.argwhere(bad)[0]
        require(
            False,
            task,
            f"`{name}` has token {rows[row, place]} in place {place}; tokens are {least} to "
            f"{len(task.symbols) - 1}, as `symbols` numbers them.",
        )


def _check_examples(task: Any, kind: str, texts: Texts) -> None:
    """Whole prompts, answers without gaps to the end, and those of the first kind well formed."""
    name, asked = f"examples of kind {kind!r}", task.prompt_places
    _check_tokens(task, name, texts[:, :asked], 0)
    _check_tokens(task, name, texts, -1)
    for text in texts:
        answer = text[asked:]
        size = int((answer >= 0).sum())
        ends = np.flatnonzero(answer == task.end)
        whole = size == len(answer) or (size and answer[size - 1] == task.end)
        require(
            (answer[:size] >= 0).all() and whole and (not len(ends) or ends[0] == size - 1),
            task,
            f"`{name}` gives the answer {answer.tolist()}; it must go without gaps to the first "
            f"token `end` ({task.end}), or fill all places, with -1 behind that.",
        )
    if kind == task.kinds[0]:
        allowed = _played(task, texts)[1]
        bad = ~allowed & (texts[:, asked:] >= 0)
        if bad.any():
            row, place = np.argwhere(bad)[0]
            require(
                False,
                task,
                f"`well_formed` does not allow {task.symbols[texts[row, asked + place]]!r}, token "
                f"{place + 1} of the answer in {task.decode(texts[row])!r}, which is an example of "
                f"the first kind, {kind!r}. Those are answers that the grammar allows.",
            )


def _check_words(task: Any, rows: Texts) -> None:
    """`decode` and `encode` undo each other, for texts and for every word."""
    every = np.arange(len(task.symbols))
    for row in (every, *rows):
        kept = row[row >= 0]
        words = _asked(task, "decode", lambda kept=kept: task.decode(kept))
        again = _asked(task, "encode", lambda words=words: np.asarray(task.encode(words)))
        require(
            isinstance(words, str) and np.array_equal(again, kept),
            task,
            f"`decode` gives {words!r} for the tokens {kept.tolist()}, and `encode` of that is "
            f"{again.tolist()}. Let each undo the other.",
        )


def _check_grades(task: Any, what: str, texts: Texts, key: Key[Array, ""]) -> None:
    """The grade is what the objective gives on the way, and minds nothing behind the end."""
    grade = jax.jit(jax.vmap(task.grade))
    grades = np.asarray(_asked(task, "grade", lambda: grade(texts)), float)
    require(np.isfinite(grades).all(), task, f"`grade` gives NaN or infinity for {what}.")
    earned = _played(task, texts)[0]
    bad = np.abs(earned - grades) > _CLOSE * np.maximum(1, np.abs(grades))
    if bad.any():
        row = int(np.argmax(bad))
        require(
            False,
            task,
            f"`grade` gives {grades[row]:.6g} for {what}, {task.decode(texts[row])!r}, and the "
            f"rewards of `objective` on the way add up to {earned[row]:.6g}. Let them agree: "
            "models are graded by the one, and searches go by the other.",
        )
    asked = task.prompt_places
    ended = (texts[:, asked:] == task.end).any(1)
    draws = np.asarray(jax.random.randint(key, texts.shape, 0, len(task.symbols)))
    filled = np.where((texts < 0) & ended[:, None], draws, texts)
    after = np.asarray(grade(filled), float)
    bad = np.abs(after - grades) > _CLOSE * np.maximum(1, np.abs(grades))
    require(
        not bad.any(),
        task,
        f"`grade` gives {what} {grades[np.argmax(bad)]:.6g}, and {after[np.argmax(bad)]:.6g} once "
        "something stands behind its end. Grade what is up to `end`, as `task.answer` gives it.",
    )


def _played(task: Any, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """What the objective gives for writing each text, and which tokens the grammar allowed."""
    asked, objective = task.prompt_places, task.objective
    discounts = objective.discount ** jnp.arange(task.answer_places)

    def one(text: Array) -> tuple[Array, Array]:
        def write(state: Any, token: Array) -> tuple[Any, tuple[Array, Array]]:
            over = task.terminated(state) | (token < 0)
            token = jnp.maximum(token, 0)
            after = task.advance(state, token, jax.random.key(0))
            reward = jnp.where(over, 0.0, objective(state, token, after)[0])
            allowed = task.well_formed(state)[token]
            kept = jax.tree.map(lambda old, new: jnp.where(over, old, new), state, after)
            return kept, (reward, allowed)

        _, (rewards, allowed) = jax.lax.scan(write, task.begun(text[:asked]), text[asked:])
        return (discounts * rewards).sum(), allowed

    earned, allowed = jax.jit(jax.vmap(one))(jnp.asarray(texts))
    return np.asarray(earned, float), np.asarray(allowed)


def _by_chance(task: Any, prompts: Texts) -> Texts:
    """Each prompt with tokens drawn evenly behind it, up to the end."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(task.symbols), (len(prompts), task.answer_places))
    over = np.cumsum(drawn == task.end, 1) - (drawn == task.end) > 0
    answers = np.where(over, -1, drawn)
    return np.concatenate([prompts, answers], 1).astype(np.int32)


def _check_unknown_kind(task: Any, key: Key[Array, ""]) -> None:
    name = "no such kind"
    try:
        task.examples(key, name)
    except UnknownNameError:
        return
    except Exception as error:  # the task is a stranger's
        found = f"raised {in_words(error)}"
    else:
        found = "gave a text"
    require(
        False,
        task,
        f"`examples` {found} for the kind {name!r}, which is none of {task.kinds}; it must raise "
        "UnknownNameError. Begin it with `self.check_kind(kind)`.",
    )
