"""Steps batches of states of one environment: put each state back, set its chance, step, keep it.

A state is a row of bytes. Either these are its attributes, and the row is all that there is; or
they are a handle, the hash of the history that led to it, under which a cache may hold a snapshot.
Where it does not, the history is played again from the nearest state that is there.
"""

import hashlib
import itertools
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import ForeignWorldError
from .cache import Cache
from .chance import Chance, mixed
from .form import Form, write_info, write_observation
from .ways import Way

HANDLE = 16
"""Bytes of a handle."""


class Batch(NamedTuple):
    """States to step from, one a row: `histories` hold a record of an action and its key each.

    `times` are how many actions were taken. `histories` have no room where rows say all.
    """

    memory: np.ndarray
    origins: np.ndarray
    histories: np.ndarray
    times: np.ndarray
    over: np.ndarray

    def part(self, rows: slice) -> "Batch":
        """Some of the rows."""
        return Batch(*(x[rows] for x in self))


class Stepper:
    """One environment and the way in which its states are kept. One thread at a time uses it."""

    def __init__(self, env: Any, name: str, form: Form, way: Way, chance: Chance, cache: int):
        self.env, self.name, self.form, self.way, self.chance = env, name, form, way, chance
        self.cache = Cache(way, cache)
        self._lock = threading.Lock()
        self._leaves = len(form.leaves)
        self._live = b""
        """The handle of the state that the environment is in, where it is replayed."""

    def reset(self, origins: np.ndarray) -> list[np.ndarray]:
        """First states from keys, [rows, 2]; what comes are the rows of `Form.rows`."""
        with self._lock:
            kept, out = self.chance.kept(), self.form.rows(len(origins))
            try:
                words = mixed(origins)
                for row, word in enumerate(words):
                    self._reset_row(out, row, word, origins[row])
            finally:
                self.chance.put_back(kept)
            return out

    def _reset_row(self, out: list[np.ndarray], row: int, word: int, origin: np.ndarray) -> None:
        self._live = b""
        seen, info = begin(self.env, self.chance, word, self.name)
        write_observation(self.form.leaves, out[1 : 1 + self._leaves], row, seen, self.name)
        write_info(self.form.info, out[2 + self._leaves : -2], row, info)
        snapshot, size = self.way.take(self.env)
        if not self.way.inline:
            handle = _hashed(b"", origin)
            self.cache.put(handle, snapshot, size)
            self._live = snapshot = handle
        out[0][row] = np.frombuffer(snapshot, np.uint8)

    def step(self, batch: Batch, actions: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """One action in each row that is not over; rows that are over stay as they are."""
        with self._lock:
            kept, count = self.chance.kept(), len(actions)
            out, words = self.form.rows(count), mixed(keys)
            taken, data = self.form.action.to_env(actions), batch.memory.tobytes()
            over, width = batch.over.tolist(), batch.memory.shape[1]
            records = _records(actions, keys) if not self.way.inline else None
            memories: list[bytes] = [data[i * width : (i + 1) * width] for i in range(count)]
            out[-2][...] = batch.over
            try:
                for row in range(count):
                    if over[row]:
                        continue
                    memory = memories[row]
                    if records is None:
                        env = self.way.put(self.env, memory)  # type: ignore[arg-type]
                    else:
                        env = self._found(memory, batch, row)
                    result = move(env, self.chance, words[row], taken[row], self.name)
                    self._write(out, row, result)
                    snapshot, size = self.way.keep(env)
                    if records is not None:
                        handle = _hashed(memory, records[row])
                        self.cache.put(handle, snapshot, size)
                        self._live = snapshot = handle
                    memories[row] = snapshot
            finally:
                self.chance.put_back(kept)
            out[0] = np.frombuffer(b"".join(memories), np.uint8).reshape(count, width)
            return out

    def _write(self, out: list[np.ndarray], row: int, result: tuple) -> None:
        seen, reward, over, cut, info = result
        leaves = self._leaves
        write_observation(self.form.leaves, out[1 : 1 + leaves], row, seen, self.name)
        try:
            out[1 + leaves][row] = reward
        except (TypeError, ValueError):
            raise ForeignWorldError(
                f"{self.name} gave the reward {reward!r}, which is no number."
            ) from None
        if self.form.info:
            write_info(self.form.info, out[2 + leaves : -2], row, info)
        out[-2][row] = over or (cut and self.form.end_at_cut)
        out[-1][row] = cut

    def _found(self, handle: bytes, batch: Batch, row: int) -> Any:
        """The environment in a state, from its snapshot or by replay."""
        # The step to come may fail half-way: the environment is in no known state until it is done.
        live, self._live = self._live, b""
        if self.way.name == "replay" and handle == live:
            return self.env
        snapshot = self.cache.get(handle)
        if snapshot is not None:
            return self.way.put(self.env, snapshot)
        if batch.times[row] > batch.histories.shape[1]:
            raise ForeignWorldError(
                f"A state of {self.name} after {batch.times[row]} actions was to be played again, "
                f"and only {batch.histories.shape[1]} are kept, twice the horizon. Give a longer "
                "one, horizon=..., or more room for snapshots, cache_megabytes=..."
            )
        history = batch.histories[row, : batch.times[row]]
        handles = [_hashed(b"", batch.origins[row])]
        for record in history:
            handles.append(_hashed(handles[-1], record))
        at = next((i for i in range(len(handles))[::-1] if self.cache.get(handles[i])), None)
        if at is None:
            at, env = 0, self.env
            begin(env, self.chance, mixed(batch.origins[row][None])[0], self.name)
        else:
            env = self.way.put(self.env, self.cache.get(handles[at]))
        if at < len(history):
            actions, keys = _unrecorded(history[at:], self.form)
            words = mixed(keys)
            for word, action in zip(words, self.form.action.to_env(actions), strict=True):
                move(env, self.chance, word, action, self.name)
        return env


def begin(env: Any, chance: Chance, word: int, name: str) -> tuple[Any, dict[str, Any]]:
    """Reset an environment from a number of 128 bits: what is seen, and `info`."""
    if chance.before_reset is not None:
        chance.before_reset(env)
    chance.seed(env, word)
    try:
        seen, info = env.reset(seed=word & 0x7FFFFFFF)
    except Exception as error:
        raise failed(name, f"reset(seed={word & 0x7FFFFFFF})", error) from error
    chance.look_again()
    return seen, info


def move(env: Any, chance: Chance, word: int, action: Any, name: str) -> tuple:
    """Set the chance of an environment from a number of 128 bits, and step it."""
    chance.seed(env, word)
    try:
        seen, reward, over, cut, info = env.step(action)
    except Exception as error:
        raise failed(name, f"step({action!r})", error) from error
    return seen, reward, over, cut, info


def failed(name: str, call: str, error: Exception) -> ForeignWorldError:
    """What is said of an environment that raised an error: in which call, and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace else ""
    return ForeignWorldError(
        f"{name} raised {type(error).__name__} in {call}{place}: {error}. The environment is at "
        "fault, or its wrappers; nothing was recorded of this step."
    )


def _hashed(before: bytes, record: np.ndarray) -> bytes:
    return hashlib.blake2b(before + record.tobytes(), digest_size=HANDLE).digest()


def _records(actions: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """An action and its key as words, one row each."""
    words = np.ascontiguousarray(actions).reshape(len(actions), -1).view(np.uint32)
    return np.concatenate([words, keys.astype(np.uint32)], axis=1)


def _unrecorded(history: np.ndarray, form: Form) -> tuple[np.ndarray, np.ndarray]:
    words = np.ascontiguousarray(history[:, :-2])
    if form.action.count:
        return words.view(np.int32)[:, 0], history[:, -2:]
    return words.view(np.float32).reshape(-1, *form.action.shape), history[:, -2:]


def chunks(count: int, parts: int) -> Sequence[slice]:
    """So many rows in about equal parts, in order."""
    edges = np.linspace(0, count, parts + 1).astype(int).tolist()
    return [slice(a, b) for a, b in itertools.pairwise(edges)]
