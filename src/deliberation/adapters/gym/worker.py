"""A worker process: one environment, stepped as its parent asks over its own input and output.

Runs as `python -m deliberation.adapters.gym.worker`. Arrays go back and forth as their bytes. It
ends when its input does, so that none outlives its parent.
"""

import contextlib
import os
import struct
import sys
from typing import Any, BinaryIO

import msgspec
import numpy as np

from .attributes import Layout, Rewind
from .chance import Chance
from .form import Form
from .making import Source, make_again
from .stepper import Batch, Stepper
from .ways import ByAttributes, Way

_HEAD = struct.Struct("<cI")


class Order(msgspec.Struct):
    """All that a worker needs to make the same stepper as its parent's."""

    source: Source
    name: str
    form: Form
    way: str
    layout: Layout | None
    paths: tuple[tuple[str, ...], ...]
    leaked: tuple[str, ...]
    cache: int
    rewound: tuple[tuple[tuple[str, ...], str], ...] = ()


def send(pipe: BinaryIO, tag: bytes, parts: list[np.ndarray] | bytes) -> None:
    """One message: arrays with their types and shapes, or plain bytes."""
    if isinstance(parts, bytes):
        pipe.write(_HEAD.pack(tag, len(parts)) + parts)
    else:
        head = msgspec.json.encode([(x.dtype.str, x.shape) for x in parts])
        pipe.write(_HEAD.pack(tag, len(head)) + head)
        for part in parts:
            pipe.write(np.ascontiguousarray(part).tobytes())
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[bytes, Any]:
    """The next message. Raises `EOFError` where there will be none."""
    tag, size = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    head = _exactly(pipe, size)
    if tag in (b"!", b"*", b"k"):
        return tag, head
    parts = []
    for dtype, shape in msgspec.json.decode(head):
        count = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
        parts.append(np.frombuffer(_exactly(pipe, count), dtype).reshape(shape))
    return tag, parts


def _exactly(pipe: BinaryIO, count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError("the pipe was closed")
    return data


def built(order: Order) -> Stepper:
    """The stepper that an order asks for."""
    env, chance = make_again(order.source), Chance(order.paths, order.leaked)
    if order.rewound:
        chance.before_reset = Rewind(env, order.rewound)
    env.reset(seed=0)
    way = _way(order, env, chance)
    return Stepper(env, order.name, order.form, way, chance, order.cache)


def _way(order: Order, env: Any, chance: Chance) -> Way:
    if order.layout is not None:
        return ByAttributes(env, order.layout)
    # The others are found as they were in the parent, where they proved exact.
    from .proof import _made
    from .trial import Trial

    return _made(order.way, Trial(env, order.name, order.form, chance), None)


def main() -> None:
    """Serve until the input ends."""
    inward, outward = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an environment prints must not end up between the bytes
    stepper: Stepper | None = None
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            tag, parts = receive(inward)
            try:
                if tag == b"*":
                    stepper = built(msgspec.json.decode(parts, type=Order))
                    send(outward, b"k", b"")
                    continue
                assert stepper is not None
                rows = (
                    stepper.reset(parts[0])
                    if tag == b"r"
                    else stepper.step(Batch(*parts[:5]), parts[5], parts[6])
                )
                send(outward, b"=", rows)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                send(outward, b"!", msgspec.json.encode([type(error).__name__, str(error)]))


if __name__ == "__main__":
    main()
