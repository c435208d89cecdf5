"""`audit`: every probe put to a subject in turn; what is answered is kept, what fails is said."""

import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import msgspec
from jaxtyping import Array, Key

from ..core.catalogue import catalogue, module_of
from ..core.decider import Decider
from ..core.errors import NotListedError, UnknownNameError, WrongKindError
from ..core.keys import KeyLike, named_key, one_key
from ..core.objective import Objective
from ..core.task import Task, check_is_task
from ..runs.plain import plain, restore
from ..runs.provenance import code
from ..runs.storage import atomic_write
from ..stats.intervals import nothing
from .asking import BATCHES, ask
from .channels import Channels
from .exam import Exam
from .judging import not_applicable
from .profile import Answer, Profile

ORDER = (
    "effort", "objective", "revaluation", "experience", "depth", "shifts", "goals", "forecast",
    "extraction", "size", "proxy", "two_step", "incentives", "worth", "map", "compute",
    "activations",
)  # fmt: skip
"""The order in which probes are put and shown; others come after these."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is asked: contested states, announcements, and the budgets that are offered.

    Announcements are the units of what is said of them: of fewer than 73 that show nothing it does
    not follow that there is less than the smallest response.
    """

    name: str
    states: int
    announcements: int
    budgets: tuple[int, ...]
    depth: int
    repeats: int


EFFORTS = {
    e.name: e
    for e in (
        Effort("smoke", 128, 80, (1, 8, 64), 4, 5),
        Effort("quick", 192, 120, (1, 4, 16, 64, 256), 6, 15),
        Effort("full", 512, 320, (1, 4, 16, 64, 256, 1024), 8, 40),
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
    reference: Decider | None = None,
) -> Profile:
    """Put a policy through the probes (all of them, or those named) in a task of one player, or of
    two with opposite aims, in full view.

    What it chooses is held against exact values where all states can be listed; elsewhere, and
    where one is given, against the word of a `reference`: a planner whose `value` of what follows
    an action is taken for its worth (512 simulations of UCT where none is given).

    Nothing about the policy is assumed: that it ignores a budget or an announcement is a finding. A
    probe that fails says why, and the others go on. With a folder `out` each answer is kept as soon
    as it is there, and the same call goes on where it was; answers of another policy, task or
    version of this library are asked anew (a policy is known by its `repr` and by some answers).
    What can be reached of the policy beside its answers is handed over as `channels`.

    Raises `UnknownNameError`, `WrongKindError`, and what `Exam.of` raises.
    """
    known, level = list_probes(), _level(effort)
    names = list(known) if probes is None else list(probes)
    for name in names:
        module_of("probe", name, known)
    check_is_task(task)
    if not isinstance(policy, Decider):
        raise WrongKindError(
            f"An audit is of a Decider, not of {policy!r}: bring a policy in with "
            "adapters.from_callable, from_sb3 or from_torch."
        )
    exam = Exam.of(task, objective, count=level.states, reference=reference)
    one = jax.random.key(0) if key is None else one_key(key)
    answers = []
    shown = b"" if out is None else _behaviour(policy, exam, one)
    for name in names:
        subject = Subject(policy, exam, level, named_key(one, name), channels or Channels())
        answers.append(_kept(subject, name, shown, out))
    return Profile(
        subject=_name(policy), task=repr(task), effort=effort, states=len(exam.values),
        asked=len(exam.rows), answers=answers, note=exam.note,
    )  # fmt: skip


def _level(effort: str) -> Effort:
    if effort not in EFFORTS:
        raise UnknownNameError("effort", effort, EFFORTS)
    return EFFORTS[effort]


def _kept(subject: Subject, name: str, shown: bytes, out: Path | str | None) -> Answer:
    """The answer that a folder holds, or a new one, which it then holds."""
    if out is None:
        return _answer(subject, name)
    path = Path(out) / f"{name}.json"
    stamp = _stamp(subject, name, shown)
    if path.exists():
        try:
            kept = msgspec.convert(restore(msgspec.json.decode(path.read_bytes())), _Record)
        except (msgspec.DecodeError, msgspec.ValidationError):
            kept = None  # cut off, or another version's
        if kept is not None and kept.stamp == stamp:
            return kept.answer
    answer = _answer(subject, name)
    if answer.found != "failed":
        path.parent.mkdir(parents=True, exist_ok=True)
        record = plain(msgspec.to_builtins(_Record(stamp, answer)), name)
        atomic_write(path, msgspec.json.encode(record))
    return answer


class _Record(msgspec.Struct, frozen=True):
    stamp: str
    answer: Answer


def _behaviour(policy: Decider, exam: Exam, key: Key[Array, ""]) -> bytes:
    """Some answers, which tell a policy from another with the same `repr`."""
    with contextlib.suppress(Exception):  # whatever a stranger's policy raises; probes say so
        return ask(policy, exam, exam.rows[: BATCHES[-1]], key).action.tobytes()
    return b""


def _stamp(subject: Subject, name: str, shown: bytes) -> str:
    """What an answer depends on: the policy and how it answers, the task, the effort, the code."""
    parts = [
        repr(subject.decider), repr(subject.exam), repr(subject.exam.objective),
        repr(subject.effort), repr(subject.channels),
        str(jax.random.key_data(subject.key).tolist()), name, code(),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode() + shown).hexdigest()[:16]


def _answer(subject: Subject, name: str) -> Answer:
    """A probe's answer; where it fails, why."""
    probe, began = module_of("probe", name, list_probes()), time.perf_counter()
    try:
        found = probe.measure(subject)
    except NotListedError as error:
        found = not_applicable(probe.PROBE, str(error))
    except Exception as error:  # a stranger's policy may raise anything
        about = probe.PROBE
        found = Answer(
            probe=name, question=about["question"], statistic=about["statistic"], found="failed",
            said=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            estimate=nothing(),
        )  # fmt: skip
    return msgspec.structs.replace(found, seconds=time.perf_counter() - began)


def _name(policy: Decider) -> str:
    told = " ".join(repr(policy).split())
    return told if len(told) <= 60 else f"{type(policy).__name__}"
