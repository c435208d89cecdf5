"""An engine as a child process: lines in, lines out, and no wait without an end.

The child leads a process group of its own, so that whatever it starts ends with it and Ctrl-C in
the terminal is not also typed to it. On Linux it is killed when its parent dies, however that dies.
"""

import contextlib
import functools
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ...core.errors import BackendError, EngineError

_GRACE = 1.0
"""Seconds that an engine has to end once it is told to; after that it is killed."""
_ELSEWHERE = "/usr/games"
"""Where Debian puts engines, though it is not on everybody's PATH."""
_LONGEST = 1 << 20
"""Characters of one line; who says more is not understood anyway."""


class Died(Exception):
    """The child closed its output: it has ended, or is about to."""


def found(command: str | os.PathLike[str] | Sequence[str]) -> tuple[str, ...]:
    """A command in parts, the first of them the path of a program that can be run.

    A string is split as a shell would. Raises `BackendError` where there is no such program.
    """
    if os.name != "posix":
        raise BackendError("Engines over pipes need a system with POSIX processes, such as Linux.")
    parts = shlex.split(command) if isinstance(command, str) else command
    parts = [os.fspath(parts)] if isinstance(parts, os.PathLike) else [str(x) for x in parts]
    if not parts:
        raise BackendError("The command of an engine is empty: give a program, as in 'stockfish'.")
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), _ELSEWHERE])
    program = shutil.which(os.path.expanduser(parts[0]), path=places)
    if program is None:
        name = os.path.basename(parts[0])
        raise BackendError(
            f"There is no program {parts[0]!r} on PATH or in {_ELSEWHERE}. Install it (on Debian "
            f"and Ubuntu stockfish, gnugo and gnubg: `apt install {name}`), or give its path."
        )
    return (program, *parts[1:])


class Child:
    """One running engine. `say` and `hear` whole lines; `end` it in any case.

    What it writes to its error output is read along and never fills a pipe; the last lines of both
    outputs are kept for error messages.
    """

    def __init__(self, command: tuple[str, ...]):
        self.command, self.owner = command, os.getpid()
        self._process = _spawned(command)
        self._waiting, self._lines = b"", deque[str]()
        self._partial: dict[str, bytes] = {"out": b"", "err": b""}
        self._tail = deque[str](maxlen=8)
        self._pipes = selectors.DefaultSelector()
        for name, pipe in (("out", self._process.stdout), ("err", self._process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._pipes.register(pipe, selectors.EVENT_READ, name)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self._open = True

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def say(self, lines: Iterable[str]) -> None:
        """Put lines on their way; they are written as `hear` waits, as the engine takes them."""
        self._waiting += "".join(f"{line}\n" for line in lines).encode()
        self._write()

    def hear(self, deadline: float) -> str:
        """The next line of its output, by a time of `time.monotonic`.

        Raises `TimeoutError`, and `Died` where there will be no more lines.
        """
        while (left := deadline - time.monotonic()) > 0:
            if self._lines:
                return self._lines.popleft()
            if not self._open:
                raise Died
            if self._waiting:
                self._write()
            # What could not be written is tried again soon: the engine may be reading slowly.
            for key, _ in self._pipes.select(min(left, 0.01) if self._waiting else left):
                self._read(key)
        raise TimeoutError

    def tail(self) -> str:
        """The exit code, if it has ended, and the last lines that it wrote, for an error."""
        self._drain()
        ended = self._ended(time.monotonic() + (0.0 if self._open else 0.2))
        partial = [x.decode(errors="replace") for x in self._partial.values() if x]
        lines = [line[:200] for line in (*self._tail, *partial)]
        if not lines:
            return f"{ended}It wrote nothing."
        return f"{ended}The last lines that it wrote:\n" + "\n".join(f"  {x}" for x in lines)

    def end(self, farewell: str = "", grace: float = _GRACE) -> None:
        """Tell it to end, kill its whole group if it has not within the grace, and reap it."""
        if self.owner != os.getpid() or self._process.returncode is not None:
            return  # a fork of the owner has no say in it
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            if farewell:
                os.write(self._process.stdin.fileno(), f"{farewell}\n".encode())
            self._process.stdin.close()
        self._ended(time.monotonic() + grace)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._pipes.close()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _ended(self, deadline: float) -> str:
        """How the process ended, if it does so by then; it is not reaped.

        So the number of its group stays taken until the whole group is killed.
        """
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with contextlib.suppress(ChildProcessError):
            while (result := os.waitid(os.P_PID, self.pid, look)) is None:
                if time.monotonic() >= deadline:
                    return ""
                self._drain()
                time.sleep(0.002)
            how = "exit code" if result.si_code == os.CLD_EXITED else "signal"
            return f"It ended with {how} {result.si_status}. "
        return ""

    def _write(self) -> None:
        assert self._process.stdin is not None
        try:
            # An engine that has ended is noticed where its output does.
            written = os.write(self._process.stdin.fileno(), self._waiting)
            self._waiting = self._waiting[written:]
        except BlockingIOError:
            return
        except OSError:
            self._waiting = b""

    def _drain(self) -> None:
        """Read what there is, without waiting."""
        with contextlib.suppress(ValueError, OSError):
            for key, _ in self._pipes.select(0):
                self._read(key)

    def _read(self, key: selectors.SelectorKey) -> None:
        try:
            data = os.read(key.fd, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._pipes.unregister(key.fileobj)
            self._open = self._open and key.data != "out"
        *lines, rest = (self._partial[key.data] + data).split(b"\n")
        self._partial[key.data] = rest[-_LONGEST:]
        told = [line.decode(errors="replace").rstrip("\r") for line in lines]
        self._tail.extend(line for line in told if line.strip())
        if key.data == "out":
            self._lines.extend(told)


def _spawned(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """The process, from a thread that lasts.

    Linux takes the thread which started a child for its parent, and would kill an engine that was
    started from a passing thread (of XLA's, where a decision is compiled) when that thread ends.
    """
    if sys.platform == "linux" and (wrapper := shutil.which("setpriv")):
        # A parent that dies before this is in force is not heard of: then its child is another's.
        orphaned = ("sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid()))
        command = (wrapper, "--pdeathsig", "KILL", "--", *orphaned, *command)
    start = functools.partial(
        subprocess.Popen,
        command, bufsize=0, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        return _spawner(os.getpid()).submit(start).result()
    except OSError as error:
        raise EngineError(f"{shlex.join(command)} could not be started: {error}.") from None


@functools.cache
def _spawner(process: int) -> ThreadPoolExecutor:
    """The lasting thread of a process (threads do not survive a fork)."""
    return ThreadPoolExecutor(1, thread_name_prefix=f"engines-{process}")
