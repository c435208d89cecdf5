"""Which files a decision passes through, from `TreeSearch.decide` to evaluator and back end.

For tests, and for scripts that draw the way (with this folder on `sys.path`).
"""

import dataclasses
import inspect
import itertools
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax

import deliberation.direct as wing
from deliberation.direct import Evaluator, TreeSearch
from deliberation.direct.tree_search.backends.choice import backend_for

HOME = Path(next(iter(wing.__path__))).resolve()


def walk_of(decider: TreeSearch, state: Any, key: Any) -> list[str]:
    """The modules of `direct` on the way, as "tree_search.engine", in order of first entry.

    The search is compiled anew, since only then is its way to be seen.
    """
    asked = stacks(decider, state, key)
    return list(dict.fromkeys(name for stack in asked for name in stack))


def stacks(decider: TreeSearch, state: Any, key: Any, *, traced: bool = False) -> list[list[str]]:
    """The Python stack whenever the evaluator or the back end was asked, `decide` first.

    `traced`: with `decide` inside of a compiled program.
    """
    seen: list[list[str]] = []
    backend = backend_for(decider.rule, decider.backend)
    real = backend.one_round
    judge = Spy(decider.evaluator, _Book(seen))
    spied = eqx.tree_at(lambda d: d.evaluator, decider, judge)

    def one_round(*given: Any) -> Any:
        seen.append(stack_here(backend.__file__))
        return real(*given)

    backend.one_round = one_round  # type: ignore[attr-defined]
    try:
        decide = eqx.filter_jit(spied.decide) if traced else spied.decide
        decide(state, key=key)
    finally:
        backend.one_round = real  # type: ignore[attr-defined]
    return seen


@dataclasses.dataclass(frozen=True, eq=False)
class _Book:
    """A list that is told apart by identity, so that no program compiled before is used again."""

    stacks: list[list[str]]


class Spy(Evaluator):
    """Another evaluator, which notes down from where it is asked."""

    of: Evaluator
    book: _Book = eqx.field(static=True)
    has_prior: bool = eqx.field(static=True)
    passes: int = eqx.field(static=True)
    flops: float = eqx.field(static=True)

    def __init__(self, of: Evaluator, book: _Book):
        self.of, self.book = of, book
        self.has_prior, self.passes, self.flops = of.has_prior, of.passes, of.flops

    def __call__(self, *given: Any) -> Any:
        self.book.stacks.append(stack_here(inspect.getfile(type(self.of))))
        return self.of(*given)


def stack_here(asked: str | None = None) -> list[str]:
    """The modules of the frames from the outermost on, and at last that of the file asked.

    One entry for each run of frames in the same file; files outside of `direct` are left out.
    """
    files, frame = [asked], sys._getframe(1)
    while frame is not None:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    names = [name for name in map(_module, reversed(files)) if name is not None]
    return [name for name, _ in itertools.groupby(names)]


def _module(file: str | None) -> str | None:
    """The module of a file within `direct`, or None."""
    path = Path(file or "").resolve()
    if not path.is_relative_to(HOME):
        return None
    return ".".join(path.relative_to(HOME).with_suffix("").parts)


def start(task: Any, batch: int, key: Any) -> Any:
    """States to search from."""
    return jax.vmap(task.init)(jax.random.split(key, batch))
