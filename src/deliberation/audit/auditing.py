"""`audit`: every probe put to a subject in turn; what is answered is kept, what fails is said."""

import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np
from jaxtyping import Array, Key

from ..core.catalogue import catalogue, module_of
from ..core.contract import check_task
from ..core.decider import Decider
from ..core.errors import (
    BudgetError,
    MissingChannelError,
    NotListedError,
    UnknownNameError,
    WrongKindError,
)
from ..core.keys import KeyLike, named_key, one_key
from ..core.learner import Learner
from ..core.objective import Objective
from ..core.task import Task, check_is_task
from ..runs.plain import plain, restore
from ..runs.provenance import code, content
from ..runs.storage import atomic_write, made_folder
from .asking import BATCHES, ask, at_most
from .channels import Channels
from .consistency import oddities
from .exam import Exam
from .judging import failed, not_applicable
from .profile import Answer, Profile
from .rates import rates
from .sampling import Judge

ORDER = (
    "effort", "match", "objective", "revaluation", "experience", "depth", "shifts", "goals",
    "forecast", "extraction", "size", "proxy", "two_step", "incentives", "worth", "map",
    "compute", "activations",
)  # fmt: skip
"""The order in which probes are put and shown; others come after these."""
_MOST_OFFERED = 2**31 - 1
COUNTED_ON = {
    "listed": "small random worlds with the smoke effort",
    "judged": "small random worlds that a search judges, with the smoke effort",
    "game": "three small games with the smoke effort",
}
"""What the error rates of each kind of world were counted on."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is asked: contested states, announcements, and the budgets that are offered.

    Announcements (and openings of games) are the units of what is said of them: of fewer than 73
    that show nothing it does not follow that there is less than the smallest response.
    """

    name: str
    states: int
    announcements: int
    budgets: tuple[int, ...]
    depth: int
    repeats: int
    judging: int
    """Simulations of the search whose word is taken where exact values cannot be had."""


EFFORTS = {
    e.name: e
    for e in (
        Effort("smoke", 128, 80, (1, 8, 64), 4, 5, 128),
        Effort("quick", 192, 120, (1, 4, 16, 64, 256), 6, 15, 512),
        Effort("full", 512, 320, (1, 4, 16, 64, 256, 1024), 8, 40, 2048),
    )
}


@dataclasses.dataclass(frozen=True)
class Subject:
    """Whom a probe asks, in which exam, with how much effort, the key of all chance, and what else
    of it can be reached.
    """

    decider: Decider
    exam: Exam
    effort: Effort
    key: Key[Array, ""]
    channels: Channels = dataclasses.field(default_factory=Channels)

    @property
    def learner(self) -> Learner:
        """What goes on learning. Raises `MissingChannelError` where nothing was handed over."""
        if self.channels.learner is None:
            raise MissingChannelError("No learner was handed over: Channels(learner=...).")
        return self.channels.learner


def list_probes() -> dict[str, dict[str, Any]]:
    """Every probe by name with what it declares, without importing any."""
    found = catalogue(Path(__file__).parent / "probes", "PROBE")
    place = {name: i for i, name in enumerate(ORDER)}
    order = sorted(found.items(), key=lambda x: (place.get(x[1]["name"], len(place)), x[1]["name"]))
    return {p["name"]: {**p, "module": f"{__package__}.probes.{file}"} for file, p in order}


def audit(
    policy: Decider,
    task: Task,
    *,
    objective: Objective | None = None,
    probes: Sequence[str] | None = None,
    effort: str = "quick",
    out: Path | str | None = None,
    key: KeyLike | None = None,
    channels: Channels | None = None,
    reference: Decider | Judge | None = None,
    budgets: Sequence[int] | None = None,
    seconds: float | None = None,
    watch: Callable[[Answer], None] | None = None,
) -> Profile:
    """Put a policy through the probes (all of them, or those named) in a task of one player, or of
    two with opposite aims, in full view.

    What it chooses is held against exact values where all states can be listed; elsewhere, and
    where one is given, against the word of a `reference`: a planner whose `value` of what follows
    an action is taken for its worth (that of UCT where none is given). `budgets` are offered in
    place of the effort's own: an engine's nodes are more than a planner's simulations.

    Nothing about the policy is assumed: that it ignores a budget or an announcement is a finding. A
    probe that fails twice, or takes longer than the `seconds` allowed, says why, and the others go
    on; `watch` is shown each answer at once. With a folder `out` each answer is kept as soon
    as it is there, and the same call goes on where it was; answers of another policy, task or
    version of this library are asked anew (a policy is known by its `repr` and by some answers).
    What can be reached of the policy beside its answers is handed over as `channels`.

    Raises `UnknownNameError`, `WrongKindError`, `BudgetError`, and what `Exam.of` raises.
    """
    names = chosen_probes(probes)
    sitting = sit(
        policy, task, objective=objective, effort=effort, out=out, key=key, channels=channels,
        reference=reference, budgets=budgets, seconds=seconds,
    )  # fmt: skip
    answers = []
    for name in names:
        answers.append(sitting.answer(name))
        if watch is not None:
            watch(answers[-1])
    return sitting.profile(answers)


def chosen_probes(names: Sequence[str] | None) -> list[str]:
    """All of them, or those named, each once. Raises `UnknownNameError` and `WrongKindError`."""
    known = list_probes()
    if names is None:
        return list(known)
    if isinstance(names, str) or not names:
        raise WrongKindError(f"Name probes in a list, as in ['effort', 'depth']; got {names!r}.")
    for name in names:
        module_of("probe", name, known)
    return list(dict.fromkeys(names))


@dataclasses.dataclass(frozen=True)
class Sitting:
    """A subject in an exam, ready to be put to any probe; `notes` are what a reader has to know."""

    subject: Subject
    notes: list[str]
    shown: bytes
    out: Path | None
    seconds: float | None

    def answer(self, probe: str) -> Answer:
        """A probe's answer: one that is kept, or a new one."""
        key = named_key(self.subject.key, probe)
        asked = dataclasses.replace(self.subject, key=key)
        return _kept(asked, probe, self.shown, self.out, self.seconds)

    def profile(self, answers: list[Answer]) -> Profile:
        """All that was answered."""
        exam = self.subject.exam
        return Profile(
            subject=_name(self.subject.decider), task=repr(exam.task), answers=answers,
            effort=self.subject.effort.name, states=len(exam.values), asked=len(exam.rows),
            notes=self.notes,
        )  # fmt: skip


def sit(
    policy: Decider,
    task: Task,
    *,
    objective: Objective | None = None,
    effort: str = "quick",
    out: Path | str | None = None,
    key: KeyLike | None = None,
    channels: Channels | None = None,
    reference: Decider | Judge | None = None,
    budgets: Sequence[int] | None = None,
    seconds: float | None = None,
) -> Sitting:
    """What all probes share, made once; arguments and errors are those of `audit`."""
    level = _level(effort)
    if out is not None:
        made_folder(Path(out))
    if budgets is not None:
        level = dataclasses.replace(level, budgets=checked_budgets(budgets))
    check_is_task(task)
    if not isinstance(policy, Decider):
        raise WrongKindError(
            f"An audit is of a Decider, not of {policy!r}: bring a policy in with "
            "adapters.from_callable, from_sb3 or from_torch. What goes on learning is handed over "
            "as Channels(learner=...)."
        )
    check_task(task)
    judge = reference if isinstance(reference, Judge) else Judge(reference)
    if judge.decider is None:
        judge = dataclasses.replace(judge, budget=judge.budget or level.judging)
    if out is not None:
        judge = dataclasses.replace(judge, kept=Path(out) / "truth.json")
    exam = Exam.of(task, objective, count=level.states, reference=judge, player=policy)
    one = jax.random.key(0) if key is None else one_key(key)
    subject = Subject(policy, exam, level, one, channels or Channels())
    notes = [*([exam.note] if exam.note else []), *_odd(policy, exam, one)]
    shown = b"" if out is None else _behaviour(subject)
    return Sitting(subject, notes, shown, None if out is None else Path(out), seconds)


def checked_budgets(asked: Sequence[int]) -> tuple[int, ...]:
    """Budgets that can be offered. Raises `BudgetError` unless two or more whole numbers rise."""
    whole = [int(b) for b in asked if isinstance(b, int | np.integer) and not isinstance(b, bool)]
    rising = whole == sorted(set(whole)) and len(whole) == len(asked) >= 2
    if not rising or whole[0] < 1 or whole[-1] > _MOST_OFFERED:
        raise BudgetError(
            "Budgets are two or more whole numbers from 1 to 2^31 - 1 that rise, as in 1, 16, 256; "
            f"got {list(asked)}."
        )
    return tuple(whole)


def _level(effort: str) -> Effort:
    if effort not in EFFORTS:
        raise UnknownNameError("effort", effort, EFFORTS)
    return EFFORTS[effort]


def _odd(policy: Decider, exam: Exam, key: Key[Array, ""]) -> list[str]:
    """What is odd about its answers; where it gives none, twice, that this was not to be found."""
    why = ""
    for _ in range(2):
        try:
            return oddities(policy, exam, named_key(key, "oddities"))
        except Exception as error:  # a stranger's policy may raise anything; probes say so, too
            why = _words(error)
    return [f"Whether it answers the same question the same way could not be asked: {why}."]


def _kept(
    subject: Subject, name: str, shown: bytes, out: Path | None, seconds: float | None
) -> Answer:
    """The answer that a folder holds, or a new one, which it then holds."""
    if out is None:
        return _answer(subject, name, seconds)
    path = out / f"{name}.json"
    stamp = _stamp(subject, name, shown)
    if path.exists():
        try:
            kept = msgspec.convert(restore(msgspec.json.decode(path.read_bytes())), _Record)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            kept = None  # cut off, or another version's
        if kept is not None and kept.stamp == stamp:
            return kept.answer
    answer = _answer(subject, name, seconds)
    if answer.found != "failed":
        record = plain(msgspec.to_builtins(_Record(stamp, answer)), name)
        atomic_write(path, msgspec.json.encode(record))
    return answer


class _Record(msgspec.Struct, frozen=True):
    stamp: str
    answer: Answer


def _behaviour(subject: Subject) -> bytes:
    """Some answers, by several budgets: they tell a policy from another with the same `repr`."""
    shown, exam, budgets = b"", subject.exam, subject.effort.budgets
    rows = exam.rows[: BATCHES[-1]]
    for budget in (None, budgets[0], budgets[-1]):
        with contextlib.suppress(Exception):  # whatever a stranger's policy raises; probes say so
            shown += ask(subject.decider, exam, rows, subject.key, budget=budget).action.tobytes()
    if subject.channels.insides is not None:
        with contextlib.suppress(Exception):
            layers = subject.channels.insides.read(exam.states(rows[:8]))
            shown += b"".join(np.asarray(x).round(4).tobytes() for x in layers.values())
    return shown


def _stamp(subject: Subject, name: str, shown: bytes) -> str:
    """What an answer depends on: the policy and how it answers, the exam and its truth, the effort,
    what else can be reached, the key, the code.
    """
    exam, reached = subject.exam, subject.channels
    parts = [
        content(subject.decider, exam.task, exam.objective, reached.goals, reached.proxy),
        content(reached.learner, list(reached.larger), exam.values, exam.rows),
        repr(exam), exam.note, repr(subject.effort), repr(reached),
        str(jax.random.key_data(subject.key).tolist()), name, code(),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode() + shown).hexdigest()[:16]


def _answer(subject: Subject, name: str, seconds: float | None) -> Answer:
    """A probe's answer; where it fails twice, why."""
    probe, began = module_of("probe", name, list_probes()), time.perf_counter()
    with at_most(seconds):
        found = _measured(subject, probe)
        if found.found == "failed" and "TooSlowError" not in found.said:
            again = _measured(subject, probe)
            if again.found != "failed":
                note = f"The first attempt failed ({found.said}); this is the second."
                again = msgspec.structs.replace(again, note=note)
            found = again
    if found.found == "responds" and not rates(name, _kind(subject.exam)).trusted:
        said = "This probe is wrong too often to be believed when it says that one responds."
        found = msgspec.structs.replace(
            found, found="inconclusive", said=said, rules_out="", word=""
        )
    return msgspec.structs.replace(
        found, seconds=time.perf_counter() - began, errors=_errors(subject.exam, found)
    )


def _kind(exam: Exam) -> str:
    """The kind of world that error rates are counted by."""
    if exam.task.traits.players == 2:
        return "game" if exam.listed is not None else "judged game"
    return "judged" if exam.listed is None else "listed"


def _errors(exam: Exam, answer: Answer) -> str:
    """How often such a verdict is wrong in such worlds, where that was counted."""
    if not answer.decided:
        return ""
    told = rates(answer.probe, kind := _kind(exam)).of(answer.found)
    return f"{told} in such worlds" if told == "not counted" else f"{told}, on {COUNTED_ON[kind]}"


def _measured(subject: Subject, probe: Any) -> Answer:
    about = probe.PROBE
    try:
        return probe.measure(subject)
    except (NotListedError, MissingChannelError) as error:
        return not_applicable(about, str(error))
    except Exception as error:  # a stranger's policy may raise anything
        return failed(about, _words(error))


def _words(error: Exception) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _name(policy: Decider) -> str:
    told = " ".join(repr(policy).split())
    return told if len(told) <= 60 else f"{type(policy).__name__}"
