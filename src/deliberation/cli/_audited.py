"""An audit whose probes run in processes apart: what dies or hangs there takes one probe with it,
which is said, and the others go on.
"""

import contextlib
import dataclasses
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._caches import keep_compiled_programs
from ._playing import made_deciders

if TYPE_CHECKING:
    from ..audit import Answer, Judge, Profile
    from ..core.decider import Decider
    from ..core.insides import Insides
    from ..zoo.naming import Named

_STARTING = 600.0
"""Seconds in which a process has to be ready: a learner of the zoo is trained there."""
_GRACE = 30.0
"""A probe stops by itself when its time is up; so much later its process is stopped."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """An audit by names alone, as a new process can be told."""

    subject: str
    world: str
    effort: str
    seed: int
    out: Path
    reference: str | None = None
    seconds: float | None = None
    budgets: tuple[int, ...] | None = None


def audit_apart(
    asked: Asked, probes: list[str], jobs: int, watch: "Callable[[Answer], None]"
) -> "Profile":
    """The probes put in processes apart, so many at a time; what takes time is put alone, last.

    Raises what making the subject raises, and `WorkerDied` where that ends its process.
    """
    import msgspec

    from ..audit import Answer, Profile, list_probes

    found: dict[str, Answer] = {}
    head: dict[str, Any] = {}
    alone = [name for name in probes if list_probes()[name].get("alone")]
    queue = [name for name in probes if name not in alone]
    errors: list[Exception] = []
    spare: list[_Worker] = []

    def work(names: list[str]) -> None:
        """Until nothing is left; a list gives each name to one thread only."""
        worker = spare.pop() if spare else _Worker(asked)
        try:
            while names and not errors:
                name = names.pop(0)
                worker, found[name] = worker.put(name)
                head.update(worker.head)
                watch(found[name])
        except Exception as error:
            errors.append(error)
        spare.append(worker)

    try:
        # The first makes what all of them need, and keeps it.
        spare.append(_Worker(asked).begun())
        for names, count in ((queue, jobs), (alone, 1)):
            threads = [
                threading.Thread(target=work, args=(names,)) for _ in range(min(count, len(names)))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        for worker in spare:
            worker.stop()
    if errors:
        raise errors[0]
    answers = [found[name] for name in probes]
    about = {"task": asked.world, "states": 0, "asked": 0, "notes": []} | head
    return msgspec.convert(
        {**about, "subject": asked.subject, "effort": asked.effort, "answers": []}, Profile
    ).with_answers(answers)


class _Worker:
    """A process that makes the subject once and then answers one probe after another."""

    def __init__(self, asked: Asked):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(asked, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.asked, self.ready = asked, False
        self.head: dict[str, Any] = {}

    def begun(self) -> "_Worker":
        """Itself, once it is ready for the first probe."""
        if not self.ready:
            try:
                self.head = self._told(_STARTING)
            except Exception:
                self.stop()
                raise
            self.ready = True
        return self

    def put(self, probe: str) -> "tuple[_Worker, Answer]":
        """The answer of a probe, and who puts the next one: another process where this one died or
        had to be stopped.
        """
        import msgspec

        from ..audit import Answer, list_probes
        from ..audit.judging import failed

        self.begun().pipe.send(probe)
        allowed = None if self.asked.seconds is None else self.asked.seconds + _GRACE
        try:
            return self, msgspec.convert(self._told(allowed), Answer)
        except (WorkerDied, TimeoutError) as error:
            self.stop()
            again = _Worker(self.asked)
            again.head = self.head
            return again, failed(list_probes()[probe], f"{type(error).__name__}: {error}.")

    def _told(self, seconds: float | None) -> Any:
        said = self._heard(seconds)
        if isinstance(said, Exception):
            raise said
        return said

    def _heard(self, seconds: float | None) -> Any:
        """What the process says next. Raises `WorkerDied` and `TimeoutError`."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self.pipe.poll(0.2):
            if not self.process.is_alive() and not self.pipe.poll(0):
                raise WorkerDied(f"its process ended with code {self.process.exitcode}")
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"it took longer than {seconds:.0f} s and was stopped")
        try:
            return self.pipe.recv()
        except EOFError as error:
            self.process.join(5)
            code = self.process.exitcode
            raise WorkerDied(f"its process ended with code {code}") from error

    def stop(self) -> None:
        """No process is left over."""
        self.pipe.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


class WorkerDied(RuntimeError):
    """The process that asked a subject ended before it answered."""


def _serve(asked: Asked, pipe: Connection) -> None:
    """In the other process: make the subject, then put the probes that are named."""
    import jax
    import msgspec

    from ..audit import Channels, sit
    from ..tasks import make_task

    keep_compiled_programs()
    try:
        task = make_task(asked.world)
        names = [asked.subject, *([asked.reference] if asked.reference else [])]
        made = made_deciders(task, names, asked.seed, "smoke")
        sitting = sit(
            made[asked.subject].decider, task, effort=asked.effort, out=asked.out,
            key=jax.random.key(asked.seed), seconds=asked.seconds, budgets=asked.budgets,
            reference=_judge(made[asked.reference]) if asked.reference else None,
            channels=Channels(insides=_insides(made[asked.subject].decider)),
        )  # fmt: skip
        pipe.send(sitting.profile([]).as_dict())
        while True:
            pipe.send(msgspec.to_builtins(sitting.answer(pipe.recv())))
    except EOFError:  # whoever asked is gone
        return
    except Exception as error:
        pipe.send(_sendable(error))


def _insides(policy: "Decider") -> "Insides | None":
    """The layers of its network, where it has one that can be read."""
    from .. import adapters, amortised
    from ..core.errors import DeliberationError

    for reads in (adapters.insides, amortised.insides):
        with contextlib.suppress(DeliberationError):
            return reads(policy)
    return None


def _judge(named: "Named") -> "Judge":
    from ..audit import Judge
    from ..core.budget import Budget

    budget = named.budget
    if isinstance(budget, Budget):
        budget = None  # a budget of other things than simulations is the decider's own
    return Judge(named.decider, budget)


def _sendable(error: Exception) -> Exception:
    """The error itself where another process can read it, else its words."""
    from ..core.errors import DeliberationError

    known = isinstance(error, DeliberationError) and len(error.args) == 1
    return error if known else RuntimeError(f"{type(error).__name__}: {error}")
