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
from ..core.failures import PASSING, text_of
from ..core.keys import KeyLike, named_key, one_key
from ..core.learner import Learner
from ..core.objective import Objective
from ..core.task import Task, check_is_task
from ..runs.announced import announced
from ..runs.memory import Level, forget_programs, scratch_given_back
from ..runs.plain import plain, restore
from ..runs.provenance import code, content
from ..runs.storage import atomic_write, made_folder, sweep_parts
from .asking import hearing
from .channels import Channels, unheard
from .citing import cite_asked
from .consistency import Met, known_by, meet
from .exam import Exam
from .judging import SMALLEST, failed, not_applicable
from .profile import Answer, Profile, sound
from .rates import count_of, errors_of, list_rates
from .sampling import Judge
from .telling.doubting import doubted
from .telling.figures import banded
from .telling.progress import progress_of
from .telling.waiting import at_most, saying
from .telling.words import in_a_line, name_of, probes_in_words

ORDER = (
    "effort", "match", "objective", "revaluation", "experience", "depth", "shifts", "goals",
    "forecast", "extraction", "size", "proxy", "two_step", "incentives", "worth", "map",
    "compute", "activations",
)  # fmt: skip
"""The order in which probes are put and shown; others come after these."""
_MOST_OFFERED = 2**31 - 1
FEW_PLACES = 64
"""A world is small where what is done matters in fewer places: all are asked, and oftener."""
MANY_PLACES = 256
"""It is large where it matters in so many, for probes that ask in more of them than the others."""


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
    progress: bool | None = None,
) -> Profile:
    """Put a policy through the probes (all of them, or those named) in a task of one player, or of
    two with opposite aims, in full view.

    What it chooses is held against exact values where all states can be listed; elsewhere, and
    where one is given, against the word of a `reference`: a planner whose `value` of what follows
    an action is taken for its worth (that of UCT where none is given). `budgets` are offered in
    place of the effort's own: an engine's nodes are more than a planner's simulations.

    Nothing about the policy is assumed: that it ignores a budget or an announcement is a finding,
    unless neither can reach it (`Decider.hears`): then it is not asked. A probe that fails twice,
    or takes longer than the `seconds` allowed, says why, and the others go on. Time is looked at
    between calls: one that never returns can be ended only in a process of its own, as `deliberate
    audit` does for subjects that have a name; here it is said on standard error that it is still
    waited for. `watch` is shown each answer at once. Lines of `progress` go to standard error:
    unless told, where that is a terminal or a notebook. With a folder `out` each answer is kept as
    soon as it is there, and the same call goes on where it was; what was answered under another
    objective, effort or key, or by another version of this library, is asked anew. A folder is of
    one policy, known by its `repr`, the arrays that it holds and some answers.
    What can be reached of the policy beside its answers is handed over as `channels`.

    Raises `UnknownNameError`, `WrongKindError`, `BudgetError`, `FolderBusyError` where another
    audit goes on in the folder, `OutputFolderError` where it holds that of another subject or task,
    and what `Exam.of` raises.
    """
    names = chosen_probes(probes)
    check_is_task(task)
    _level(effort)
    told = {"task": text_of(task), "effort": effort, "probes": names}
    lines, going = progress_of(len(names), progress, out), contextlib.nullcontext()
    if out is not None and isinstance(policy, Decider):
        going = announced(out, subject=name_of(policy), **told)
    more = probes_in_words(len(names))
    lines.say(f"Listing and judging the states of {told['task']}, then {more}.")
    with going as begin:
        if begin is not None:
            begin(known_by(policy, task, seconds=seconds))
        sitting = sit(
            policy, task, objective=objective, effort=effort, out=out, key=key, channels=channels,
            reference=reference, budgets=budgets, seconds=seconds, say=lines.say,
        )  # fmt: skip
        rows, values = sitting.subject.exam.rows, sitting.subject.exam.values
        lines.begin(f"{len(rows)} of {len(values)} states")
        answers = []
        for name in names:
            answers.append(sitting.answer(name))
            lines.answered(answers[-1])
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
    met: Met
    out: Path | None
    seconds: float | None
    level: Level

    @scratch_given_back()
    def answer(self, probe: str) -> Answer:
        """A probe's answer: one that is kept, or a new one."""
        key = named_key(self.subject.key, probe)
        asked = dataclasses.replace(self.subject, key=key)
        answer = _kept(asked, probe, self.met.shown, self.out, self.seconds)
        self.level.hold()  # most programs of a probe are of no use to the next
        return answer

    def profile(self, answers: list[Answer]) -> Profile:
        """All that was answered."""
        exam = self.subject.exam
        return Profile(
            subject=name_of(self.subject.decider), task=text_of(exam.task), answers=answers,
            effort=self.subject.effort.name, states=len(exam.values), asked=len(exam.rows),
            notes=self.notes,
        )  # fmt: skip


@scratch_given_back()
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
    met: Met | None = None,
    listed: Callable[[], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Sitting:
    """What all probes share, made once; arguments and errors are those of `audit`.

    The subject is asked here for the first time, within the `seconds` of a probe; not so where what
    it was `met` with elsewhere is handed over. `listed` is called before, once states are there,
    and `say` until then, with lines on what goes on. A reference that judges states has as many
    seconds for all of them; what is judged by then is kept in the folder.
    """
    level = _level(effort)
    if out is not None:
        sweep_parts(made_folder(Path(out)))
    if budgets is not None:
        level = dataclasses.replace(level, budgets=checked_budgets(budgets))
    check_is_task(task)
    if not isinstance(policy, Decider):
        raise WrongKindError(
            f"An audit is of a Decider, not of {text_of(policy)}: bring a policy in with "
            "adapters.from_callable, from_sb3 or from_torch. What goes on learning is handed over "
            "as Channels(learner=...)."
        )
    check_task(task)
    judge = reference if isinstance(reference, Judge) else Judge(reference)
    if judge.decider is None:
        judge = dataclasses.replace(judge, budget=judge.budget or level.judging)
    if out is not None:
        judge = dataclasses.replace(judge, kept=Path(out) / "truth.json")
    player = policy if met is None or met.asked else None
    with at_most(seconds), saying(say):
        exam = Exam.of(task, objective, count=level.states, reference=judge, player=player)
    one = jax.random.key(0) if key is None else one_key(key)
    subject = Subject(policy, exam, level, one, channels or Channels())
    if listed is not None:
        listed()
    if met is None:
        known = () if out is None else level.budgets
        met = meet(
            policy, exam, one, budgets=known, insides=subject.channels.insides, seconds=seconds
        )
    notes = [*([exam.note] if exam.note else []), *met.notes]
    forget_programs()  # states are listed and judged: what did that is done with
    folder = None if out is None else Path(out)
    return Sitting(subject, notes, met, folder, seconds, Level())


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
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            kept = None  # cut off, damaged, or another version's
        if kept is not None and kept.stamp == stamp and sound(kept.answer, name):
            return kept.answer
    answer = _answer(subject, name, seconds)
    if answer.found != "failed":
        record = plain(msgspec.to_builtins(_Record(stamp, answer)), name)
        atomic_write(path, msgspec.json.encode(record))
    return answer


class _Record(msgspec.Struct, frozen=True):
    stamp: str
    answer: Answer


def _stamp(subject: Subject, name: str, shown: bytes) -> str:
    """What an answer depends on: the policy and how it answers, the exam and its truth, the effort,
    what else can be reached, the key, the code.
    """
    exam, reached = subject.exam, subject.channels
    parts = [
        content(subject.decider, exam.task, exam.objective, reached.goals, reached.proxy),
        content(reached.learner, list(reached.larger), exam.values, exam.rows),
        repr(exam), exam.note, repr(subject.effort), text_of(reached),
        str(jax.random.key_data(subject.key).tolist()), name, code(),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode() + shown).hexdigest()[:16]


def _answer(subject: Subject, name: str, seconds: float | None) -> Answer:
    """A probe's answer; where it fails twice, why."""
    probe, began = module_of("probe", name, list_probes()), time.perf_counter()
    if (deaf := unheard(subject.decider, probe.PROBE, subject.exam.task)) is not None:
        tells, why = deaf
        return msgspec.structs.replace(not_applicable(probe.PROBE, why), unheard=tells)
    with at_most(seconds):
        found = _measured(subject, probe)
        if found.found == "failed" and "TooSlowError" not in found.said:
            again = _measured(subject, probe)
            if again.found != "failed":
                note = f"The first attempt failed ({found.said}); this is the second."
                again = msgspec.structs.replace(again, note=note)
            found = again
    kind = _kind(subject.exam, name)
    found = doubted(found, kind)
    return msgspec.structs.replace(
        found, seconds=time.perf_counter() - began,
        errors=errors_of(name, kind, found.found) if found.decided else "",
        counted=count_of(name, kind, found.found), panel=banded(name, found.panel, SMALLEST),
    )  # fmt: skip


def _kind(exam: Exam, probe: str) -> str:
    """The kind of world that error rates of a probe are counted by."""
    if exam.task.traits.players == 2:
        return "game" if exam.listed is not None else "judged game"
    if exam.listed is None:
        return "judged"
    places = len(exam.contested_places)
    if places >= MANY_PLACES and probe in list_rates().get("large", {}):
        return "large"
    return "small" if places < FEW_PLACES else "listed"


def _measured(subject: Subject, probe: Any) -> Answer:
    about = probe.PROBE
    try:
        with hearing() as heard:
            answer = probe.measure(subject)
        if answer.cited or answer.found == "not applicable":
            return answer
        return msgspec.structs.replace(answer, cited=cite_asked(heard))
    except (NotListedError, MissingChannelError) as error:
        return not_applicable(about, str(error))
    except PASSING:
        raise
    except BaseException as error:  # a stranger's policy may raise anything
        return failed(about, in_a_line(error))
