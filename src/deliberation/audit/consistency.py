"""Whether a subject answers the same question the same way: all comparisons rest on that."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int, Key

from ..core.decider import Decider
from ..core.errors import TooSlowError
from ..core.failures import PASSING, text_of
from ..core.insides import Insides
from ..core.keys import named_key
from ..core.objective import Objective
from ..core.play import random_positions
from ..core.task import State, Task
from ..runs.announced import Known, alike
from ..runs.provenance import content
from .asking import BATCHES, ask, formed
from .exam import Exam
from .telling.waiting import at_most, check_time
from .telling.words import in_a_line


class Met(NamedTuple):
    """What a subject is known by before any probe: notes on how it answers, for readers, and some
    of its answers, which tell it from another one with the same `repr`. One that could not be
    `asked` is not asked for positions either.
    """

    notes: list[str]
    shown: bytes
    asked: bool = True


def meet(
    decider: Decider,
    exam: Exam,
    key: Key[Array, ""],
    *,
    budgets: Sequence[int] = (),
    insides: Insides | None = None,
    seconds: float | None = None,
) -> Met:
    """Ask a subject for the first time, within the seconds allowed: whether it answers the same
    question the same way, and, where `budgets` are given, what it answers by some of them.

    Raises nothing of the subject's own: probes meet it again, and say what it does.
    """
    with at_most(seconds):
        notes = _odd(decider, exam, key)
        return Met(notes, _behaviour(decider, exam, key, budgets, insides) if budgets else b"")


def known_by(decider: Decider, task: Task, *, seconds: float | None = None) -> Known:
    """What a subject is known by in every process, whatever is asked of it, and with which effort:
    by its `repr` without addresses in memory, the arrays that it holds, and what it answers in
    some positions of random play, within the seconds allowed. Raises nothing of the subject's own.
    """
    leaves = jax.tree.leaves(decider)
    arrays = [leaf for leaf in leaves if isinstance(leaf, jax.Array | np.ndarray)]
    holds = content(alike(text_of(decider)), *arrays)

    def answers() -> bytes:
        keys = jax.random.split(jax.random.key(0), BATCHES[-1])
        states = random_positions(task, len(keys), keys[0])
        first, again = (_chosen(decider, states, keys, None).tobytes() for _ in range(2))
        return first if first == again else b""

    with at_most(seconds):
        shown = b"" if _by_the_clock(decider) else _or_nothing(answers)
    return Known(holds[:16], hashlib.sha256(shown).hexdigest()[:16] if shown else "")


def _by_the_clock(decider: Decider) -> bool:
    """Whether what it answers depends on how fast this machine is."""
    return getattr(getattr(decider, "budget", None), "seconds", None) is not None


def unmet(why: str) -> Met:
    """What is known of a subject that could not be asked, and why not."""
    told = f"Whether it answers the same question the same way could not be asked: {why}."
    return Met([told], b"", asked=False)


def _odd(policy: Decider, exam: Exam, key: Key[Array, ""]) -> list[str]:
    """What is odd about its answers; where it gives none, twice, that this was not to be found."""
    why = ""
    for _ in range(2):
        try:
            return oddities(policy, exam, named_key(key, "oddities"))
        except TooSlowError:
            return unmet("it is slower than the time allowed").notes
        except PASSING:
            raise
        except BaseException as error:  # a stranger's: probes say so, too
            why = in_a_line(error)
    return unmet(why).notes


def _behaviour(
    decider: Decider, exam: Exam, key: Key[Array, ""], budgets: Sequence[int],
    insides: Insides | None,
) -> bytes:  # fmt: skip
    """Some answers, by several budgets: they tell a policy from another with the same `repr`."""
    rows = exam.rows[: BATCHES[-1]]

    def answers(budget: int | None) -> bytes:
        return ask(decider, exam, rows, key, budget=budget).action.tobytes()

    def layers() -> bytes:
        read = {} if insides is None else insides.read(exam.states(rows[:8]))
        return b"".join(np.asarray(x).round(4).tobytes() for x in read.values())

    asked = [functools.partial(answers, b) for b in (None, budgets[0], budgets[-1])]
    return b"".join(_or_nothing(look) for look in (*asked, layers))


def _or_nothing(look: Callable[[], bytes]) -> bytes:
    """What a look at a stranger's gives; nothing where it fails: probes say so."""
    try:
        return look()
    except PASSING:
        raise
    except BaseException:
        return b""


def _chosen(
    decider: Decider, states: State, keys: Key[Array, " n"], objective: Objective | None
) -> Int[np.ndarray, " n"]:
    check_time(decider)
    decision, _ = decider.decide(states, decider.begin(len(keys)), objective=objective, key=keys)
    return formed(decider, decision, len(keys)).astype(int)


def oddities(decider: Decider, exam: Exam, key: Key[Array, ""]) -> list[str]:
    """What a reader has to know: answers that change though nothing that was asked did.

    The same states are asked twice with the same keys, then in another order. Raises whatever the
    decider raises.
    """
    rows = np.resize(exam.rows, BATCHES[-1])
    keys = jax.random.split(key, len(rows))
    order = np.random.default_rng(0).permutation(len(rows))

    def asked(order: np.ndarray) -> np.ndarray:
        found = np.empty(len(rows), int)
        found[order] = _chosen(decider, exam.states(rows[order]), keys[order], exam.told)
        return found

    first, again, shuffled = (asked(x) for x in (np.arange(len(rows)), np.arange(len(rows)), order))
    if (changed := int((first != again).sum())) > 0:
        return [
            f"Answers are not reproducible: {changed} of {len(rows)} changed when the same states "
            "were asked again with the same random keys. It remembers, or draws chance of its own; "
            "what is said below holds on average only. Where it draws by Python's, NumPy's or "
            "PyTorch's own generators, bring it in with deterministic=False: then the keys decide."
        ]
    if (changed := int((first != shuffled).sum())) > 0:
        return [
            f"Answers depend on what is asked beside them: {changed} of {len(rows)} changed when "
            "the same states were asked in another order."
        ]
    return []
