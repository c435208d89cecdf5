"""Steps batches of states of one environment: put each state back, set its chance, step, keep it.

A state is a row of bytes. Either these are its attributes, and the row is all that there is; or
they are a handle, the hash of the history that led to it, under which a cache may hold a snapshot.
Where it does not, the history is played again from the nearest state that is there.
"""

import contextlib
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import ForeignWorldError
from .asking import begin, move
from .cache import Cache
from .chance import Chance, mixed
from .filling import write_info, write_observation
from .form import Form
from .shared import Watch, seat_of
from .ways import Way

HANDLE = 16
"""Bytes of a handle."""
_WATCHED = 64
"""Steps from one that is watched (`Watch`) to the next."""


class Batch(NamedTuple):
    """States to step from, one a row: `histories` hold a record of an action and its key each.

    `times` are how many actions were taken, `over` which are ended or cut. `histories` have no room
    where rows say all.
    """

    memory: np.ndarray
    origins: np.ndarray
    histories: np.ndarray
    times: np.ndarray
    over: np.ndarray

    @classmethod
    def at(cls, rows: list[np.ndarray], origins: Any, histories: Any, times: Any) -> "Batch":
        """The states that a step or a reset gave as `rows`."""
        return cls(rows[0], origins, histories, times, rows[-2] | rows[-1])

    def part(self, rows: slice | np.ndarray) -> "Batch":
        """Some of the rows."""
        return Batch(*(x[rows] for x in self))


class Stepper:
    """One environment and the way in which its states are kept. One thread at a time uses it.

    The environment may be another task's as well, which leaves it in any state that it likes.
    """

    def __init__(self, env: Any, name: str, form: Form, way: Way, chance: Chance, cache: int):
        self.env, self.name, self.form, self.way, self.chance = env, name, form, way, chance
        self.cache = Cache(way, cache)
        self._seat, self._watch = seat_of(env), Watch(env, name, chance)
        self._leaves = len(form.leaves)
        self._live = b""
        """The handle of the state that the environment is in, where it is replayed."""
        self._steps = 0

    def reset(self, origins: np.ndarray) -> list[np.ndarray]:
        """First states from keys, [rows, 2]; what comes are the rows of `Form.rows`."""
        out = self.form.rows(len(origins))
        with self._held():
            for row, word in enumerate(mixed(origins)):
                self._reset_row(out, row, word, origins[row])
        return out

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """The environment for oneself; what it rests on, and global chance, are left as found."""
        with self._seat.lock:
            if self._seat.taken(self):
                self._live = b""
                self.way.regain()
            kept = self.chance.kept()
            try:
                yield
            except BaseException:
                # A step that failed half-way may have moved what was to rest.
                self._live = b""
                self.way.regain()
                raise
            finally:
                self.chance.put_back(kept)

    def _reset_row(self, out: list[np.ndarray], row: int, word: int, origin: np.ndarray) -> None:
        self._live = b""
        seen, info = begin(self.env, self.chance, word, self.name)
        write_observation(self.form.leaves, out[1 : 1 + self._leaves], row, seen, self.name)
        write_info(self.form.info, out[2 + self._leaves : -2], row, info, self.name)
        snapshot, size = self.way.take(self.env)
        if not self.way.inline:
            handle = _hashed(b"", origin)
            self.cache.put(handle, snapshot, size)
            self._live = snapshot = handle
        out[0][row] = np.frombuffer(snapshot, np.uint8)

    def step(self, batch: Batch, actions: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """One action in each row that is not over, or cut; of others the memory stays as it is."""
        count, width = batch.memory.shape
        out, words, over = self.form.rows(count), mixed(keys), batch.over.tolist()
        taken, data = self.form.action.to_env(actions), batch.memory.tobytes()
        records = None if self.way.inline else records_of(actions, keys)
        memories = [data[i * width : (i + 1) * width] for i in range(count)]
        out[-2][...] = batch.over
        with self._held():
            for row in range(count):
                if over[row]:
                    continue
                if records is None:
                    env = self.way.put(self.env, memories[row])
                else:
                    env = self._found(memories[row], batch, row)
                came = self._moved(env, words[row], taken[row])
                kept, size = self.way.keep(env)
                if records is None:
                    memories[row] = kept
                else:
                    memories[row] = _hashed(memories[row], records[row])
                    self.cache.put(memories[row], kept, size)
                    self._live = memories[row]
                self._write(out, row, came)
        out[0] = np.frombuffer(b"".join(memories), np.uint8).reshape(count, width)
        return out

    def _moved(self, env: Any, word: int, action: Any) -> tuple:
        """One step; now and then one that is watched."""
        self._steps += 1
        if self._steps % _WATCHED == 1:
            return self._watch.move(env, word, action)
        return move(env, self.chance, word, action, self.name)

    def _write(self, out: list[np.ndarray], row: int, came: tuple) -> None:
        seen, reward, over, cut, info = came
        leaves = self._leaves
        write_observation(self.form.leaves, out[1 : 1 + leaves], row, seen, self.name)
        out[1 + leaves][row] = reward
        if self.form.info:
            write_info(self.form.info, out[2 + leaves : -2], row, info, self.name)
        out[-2][row] = over
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


def _hashed(before: bytes, record: np.ndarray) -> bytes:
    return hashlib.blake2b(before + record.tobytes(), digest_size=HANDLE).digest()


def records_of(actions: np.ndarray, keys: np.ndarray) -> np.ndarray:
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
