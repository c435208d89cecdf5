"""An audit whose probes run in processes apart: what dies or hangs there takes one probe with it,
which is said, and the others go on.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import WorkerDiedError
from ..runs.worker import die_with
from ._playing import made_deciders
from ._refusals import INTERRUPTED

if TYPE_CHECKING:
    from ..audit import Answer, Judge, Profile
    from ..audit.consistency import Met
    from ..core.decider import Decider
    from ..core.insides import Insides
    from ..zoo.naming import Named

_STARTING = 600.0
"""Seconds in which a process has to make the subject (a learner of the zoo is trained there), and
again to list the states."""
_GRACE = 30.0
"""A probe stops by itself when its time is up; so much later its process is stopped."""
_MADE, _LISTED, _SAYS = "made", "listed", "says"
"""How far a process is: the subject is there, and the states, in which it is asked from then on;
and, before a line, that it is getting on.
"""


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
    trust: bool = False
    met: "Met | None" = None
    """What the subject was met with in another process."""


def audit_apart(
    asked: Asked,
    probes: list[str],
    jobs: int,
    watch: "Callable[[Answer], None]",
    made: Callable[[], None] = lambda: None,
    ready: Callable[[str], None] = lambda states: None,
) -> "Profile":
    """The probes put in processes apart, so many at a time; what takes time is put alone, last.
    `made` is called once the task and the subject are there, `ready` once the states are.

    Raises what making the subject raises, and `WorkerDiedError` where that ends its process or
    takes too long.
    """
    import msgspec

    from ..audit import Answer, Profile, list_probes

    found: dict[str, Answer] = {}
    alone = [name for name in probes if list_probes()[name].get("alone")]
    queue = [name for name in probes if name not in alone]
    errors: list[Exception] = []
    workers = [_Worker(asked) for _ in range(jobs)]

    def work(worker: _Worker, names: list[str]) -> None:
        """Until nothing is left; a list gives each name to one thread only."""
        try:
            while names and not errors and not worker.stopping:
                name = names.pop(0)
                found[name] = worker.put(name)
                if not worker.stopping:
                    watch(found[name])
        except Exception as error:
            errors.append(error)

    try:
        # The first makes what all of them need, and keeps it.
        workers[0].begin(made)
        ready("{asked} of {states} states".format_map(workers[0].head))
        for worker in workers[1:]:
            worker.asked = workers[0].asked
        for names, some in ((queue, workers[: len(queue)]), (alone, workers[:1])):
            threads = [
                threading.Thread(target=work, args=(worker, names), daemon=True) for worker in some
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        # Also where it is interrupted: then threads see it and start nothing more.
        for worker in workers:
            worker.stopping = True
        for worker in workers:
            worker.stop()
    if errors:
        raise errors[0]
    head = {**workers[0].head, "subject": asked.subject}
    return msgspec.convert(head, Profile).with_answers([found[name] for name in probes])


class _Worker:
    """A process that makes the subject once and then answers one probe after another; another one
    takes its place where it died or had to be stopped.
    """

    def __init__(self, asked: Asked):
        self.asked, self.stopping = asked, False
        self.head: dict[str, Any] = {}
        self.process: Any = None

    def begin(self, made: Callable[[], None] = lambda: None) -> None:
        """Start the process, if there is none, and wait until it is ready for a probe; `made` is
        called before it is asked.

        Where the subject hangs or dies when it is first asked, another process is started that does
        not ask: probes do, each within its time. Raises what making the subject raises, and
        `WorkerDiedError`.
        """
        if self.process is not None:
            return
        self._start()
        made()
        try:
            self._ready()
        except WorkerDiedError as error:
            if self.stopping or self.asked.met is not None:
                raise
            self._unmet(str(error))

    def _unmet(self, why: str) -> None:
        """Begin again without asking the subject, which did not come through that."""
        import click

        from ..audit.consistency import unmet

        self.stop()
        click.echo(f"Asked for the first time, the subject did not answer. {why}", err=True)
        self.asked = dataclasses.replace(self.asked, met=unmet(why.rstrip(".")))
        self._start()
        self._ready()

    def _start(self) -> None:
        """Start a process, and wait until it has made the subject."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(self.asked, theirs), daemon=True)
        self.process.start()
        theirs.close()
        try:
            self._told(_STARTING)  # that it is made
        except WorkerDiedError as error:
            raise WorkerDiedError(
                f"{self.asked.subject} could not be made in {self.asked.world}. {error}"
            ) from error

    def _ready(self) -> None:
        """Wait until the states are there, and what the subject is known by."""
        self._told(_STARTING)  # that they are listed
        self.head, met = self._told(self._allowed)
        self.asked = dataclasses.replace(self.asked, met=met)

    @property
    def _allowed(self) -> float | None:
        """Seconds after which a process that asks is stopped."""
        return None if self.asked.seconds is None else self.asked.seconds + _GRACE

    def put(self, probe: str) -> "Answer":
        """The answer of a probe; that it failed, where the process dies of it or it takes too
        long.
        """
        import msgspec

        from ..audit import Answer, list_probes
        from ..audit.judging import failed

        why = ""
        for _ in range(2):
            try:
                self.begin()
                self.pipe.send(probe)
            except (WorkerDiedError, OSError) as error:  # it ended before it was asked: once more
                self.stop()
                why = str(error)
                continue
            try:
                return msgspec.convert(self._told(self._allowed), Answer)
            except WorkerDiedError as error:
                self.stop()
                why = str(error)
                break
        return failed(list_probes()[probe], why)

    def _told(self, seconds: float | None) -> Any:
        """What the process says next; an error that it says is raised."""
        import click

        while isinstance(said := self._heard(seconds), tuple) and said[0] == _SAYS:
            if self.asked.met is None:  # other processes repeat what the first one does
                click.echo(said[1], err=True)
        if isinstance(said, Exception):
            raise said
        return said

    def _heard(self, seconds: float | None) -> Any:
        end = None if seconds is None else time.monotonic() + seconds
        try:
            while not self.pipe.poll(0.2):
                if self.stopping:
                    raise WorkerDiedError("It was interrupted.")
                if end is not None and time.monotonic() > end:
                    raise WorkerDiedError(f"It took longer than {seconds:.0f} s and was stopped.")
            return self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join(5)
            raise WorkerDiedError(
                f"Its process ended with code {self.process.exitcode}."
            ) from error

    def stop(self) -> None:
        """No process is left over."""
        if self.process is None:
            return
        self.pipe.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process = None


def _serve(asked: Asked, pipe: Connection) -> None:
    """In the other process: make the subject, then put the probes that are named."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever is interrupted stops this process
    threading.Thread(target=die_with, args=(os.getppid(),), daemon=True).start()
    os.dup2(2, 1)  # what a subject prints does not stand in the report
    import jax
    import msgspec

    from ..audit import Channels, sit
    from ..tasks import make_task

    try:
        task = make_task(asked.world)
        names = [asked.subject, *([asked.reference] if asked.reference else [])]
        made = made_deciders(task, names, asked.seed, "smoke", asked.trust)
        pipe.send(_MADE)
        sitting = sit(
            made[asked.subject].decider, task, effort=asked.effort, out=asked.out,
            key=jax.random.key(asked.seed), seconds=asked.seconds, budgets=asked.budgets,
            reference=_judge(made[asked.reference]) if asked.reference else None,
            channels=Channels(insides=_insides(made[asked.subject].decider)),
            met=asked.met, listed=lambda: pipe.send(_LISTED),
            say=lambda line: pipe.send((_SAYS, line)),
        )  # fmt: skip
        pipe.send((sitting.profile([]).as_dict(), sitting.met))
        while True:
            pipe.send(msgspec.to_builtins(sitting.answer(pipe.recv())))
    except EOFError:  # whoever asked is gone
        return
    except KeyboardInterrupt:  # the subject's own: interrupts from outside are ignored here
        raise SystemExit(INTERRUPTED) from None
    except BaseException as error:
        pipe.send(_sendable(error))


def _insides(policy: "Decider") -> "Insides | None":
    """The layers of its network, where it has one that can be read."""
    from .. import adapters, amortised

    for reads in (adapters.insides, amortised.insides):
        with contextlib.suppress(Exception):  # a stranger's network may do anything when followed
            return reads(policy)
    return None


def _judge(named: "Named") -> "Judge":
    from ..audit import Judge
    from ..core.budget import Budget

    budget = named.budget
    if isinstance(budget, Budget):
        budget = None  # a budget of other things than simulations is the decider's own
    return Judge(named.decider, budget)


def _sendable(error: BaseException) -> Exception:
    """The error itself where another process can read it, else its words."""
    from ..core.errors import DeliberationError
    from ..core.failures import in_words

    if isinstance(error, DeliberationError) and len(error.args) == 1:
        return error
    return RuntimeError(in_words(error))
