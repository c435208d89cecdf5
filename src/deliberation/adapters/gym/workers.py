"""Worker processes that step parts of a batch at once; none outlives the one who asked for them."""

import contextlib
import os
import subprocess
import sys
import threading
import weakref
from typing import Any

import msgspec
import numpy as np

from ...core import errors
from ...core.errors import DeliberationError, ForeignWorldError
from .stepper import Batch, chunks
from .worker import Order, receive, send

_PATIENCE = 5.0
"""Seconds that a worker has to end once it is told to."""


class Workers:
    """Some processes, each with its own environment; rows are dealt to them in blocks.

    They are started when first asked, and started anew after one has died.
    """

    def __init__(self, count: int, order: Order):
        self._count, self._order = count, order
        self._running: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        # Told to end when this object goes, and at the latest when the interpreter does.
        self._end = weakref.finalize(self, _ended, self._running)

    def reset(self, origins: np.ndarray) -> list[np.ndarray]:
        """As `Stepper.reset`."""
        with self._lock:
            return self._ask(b"r", [origins])

    def step(self, batch: Batch, actions: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """As `Stepper.step`."""
        with self._lock:
            return self._ask(b"s", [*batch, actions, keys])

    def close(self) -> None:
        """End all processes and wait for them; they start again where they are asked again."""
        _ended(self._running)

    def _ask(self, tag: bytes, parts: list[np.ndarray]) -> list[np.ndarray]:
        try:
            self._start()
            blocks = [b for b in chunks(len(parts[0]), self._count) if b.stop > b.start]
            asked = list(zip(self._running, blocks, strict=False))
            for process, block in asked:
                send(_pipe(process.stdin), tag, [x[block] for x in parts])
            told = [receive(_pipe(process.stdout)) for process, _ in asked]
        except (EOFError, OSError) as error:
            codes = [process.poll() for process in self._running]
            self.close()
            raise ForeignWorldError(
                f"A worker process of {self._order.name} died (exit codes {codes}; {error}). All "
                "were ended, and start again when they are asked again; what the environment "
                "printed stands above."
            ) from None
        except BaseException:  # an interrupt leaves answers in the pipes
            self.close()
            raise
        for kind, answer in told:
            if kind == b"!":
                raise _raised(answer)
        return [np.concatenate(rows) for rows in zip(*(rows for _, rows in told), strict=True)]

    def _start(self) -> None:
        if len(self._running) == self._count:
            return
        command = [sys.executable, "-m", "deliberation.adapters.gym.worker"]
        paths = [os.path.abspath(p) if p else os.getcwd() for p in sys.path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        for _ in range(self._count):
            self._running.append(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
                )
            )
        told = msgspec.json.encode(self._order)
        for process in self._running:
            send(_pipe(process.stdin), b"*", told)
        for process in self._running:
            kind, answer = receive(_pipe(process.stdout))
            if kind == b"!":
                self.close()
                raise _raised(answer)


def _pipe(pipe: Any) -> Any:
    assert pipe is not None
    return pipe


def _raised(answer: bytes) -> DeliberationError:
    """The error of a worker, as the kind that it was there."""
    name, text = msgspec.json.decode(answer)
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, DeliberationError):
        if kind is errors.UnknownNameError:
            text += (
                " A worker process knows only what importing a module registers: name the module "
                "too, 'module:id', hand over a factory that stands in a module, or ask for "
                "workers=0."
            )
        # Not by its own `__init__`, which may ask for more than the text.
        return kind.__new__(kind, text)
    return ForeignWorldError(f"A worker process raised {name}: {text}")


def _ended(running: list[subprocess.Popen[bytes]]) -> None:
    for process in running:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    for process in running:
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    running.clear()
