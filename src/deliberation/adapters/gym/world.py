"""A foreign environment on the host: how its states are kept, who steps them, and their form."""

from typing import Any

import msgspec
import numpy as np

from ...core.errors import UnfaithfulCloneError
from ..words import check_names
from .asking import begin
from .attributes import Rewind, Survey
from .chance import Chance
from .form import Entry, Form, action_form, entries_of, kind_of, leaves_of
from .listing import listing_of
from .making import (
    Source,
    make_env,
    only_here,
    source_of,
    spaces_of,
    time_limit,
)
from .proof import prove
from .settings import Hooks, Settings, horizon_of
from .shared import leaks, seat_of
from .stepper import HANDLE, Batch, Stepper, records_of
from .trial import Trial, explore
from .ways import ByAttributes, Way
from .worker import Order
from .workers import Workers

MEGABYTE = 1 << 20
_COMPARED = 4
"""Steps over which a worker's environment is held against the one here."""


class World:
    """Steps batches of states of one environment. Equal only to itself, so that `jit` knows it."""

    def __init__(
        self,
        made_by: Any,
        options: dict[str, Any],
        settings: Settings,
        hooks: Hooks | None = None,
        wide: bool = False,
    ):
        self.env = make_env(made_by, options)
        self.name = made_by if isinstance(made_by, str) else _told(self.env)
        self.limit, self.wide = time_limit(self.env), wide
        with seat_of(self.env).lock:
            # Whoever used the environment before finds it moved.
            seat_of(self.env).taken(self)
            chance = self._tried(settings, hooks)
        most = int(settings.cache_megabytes * MEGABYTE)
        self.here = Stepper(self.env, self.name, self.form, self.way, chance, most)
        # What it shows is written down as a task's states are: refused here rather than in play.
        self.here.reset(np.zeros((1, 2), np.uint32))
        self.listing = listing_of(self.here) if self.fidelity.random else None
        self.workers: Workers | None = None
        self._compared = False
        numbers = sum(int(np.prod(leaf.shape, dtype=int)) for leaf in self.form.leaves)
        check_names(self.env, self.form.action.count, numbers)
        if settings.workers:
            source = source_of(made_by, options)
            if source is None or hooks is not None:
                raise only_here(self.name)
            self.workers = Workers(settings.workers, self._order(source, most, settings.workers))

    def _tried(self, settings: Settings, hooks: Hooks | None) -> Chance:
        """Find the form and the way of keeping states in random play."""
        seen, actions = spaces_of(self.env, self.name)
        leaves, action = leaves_of(seen, self.name, self.wide), action_form(actions, self.name)
        wrapped = kind_of(seen) in ("Dict", "Tuple")
        form = Form(leaves, action, wrapped=wrapped)
        rewind = Rewind(self.env)
        begin(self.env, Chance([]), 0, self.name)
        sources = Survey(self.env, deep=False).sources
        trial = Trial(self.env, self.name, form, Chance(sources))
        trial.chance = Chance(sources, leaks(trial))
        kept = trial.chance.kept()
        try:
            explore(trial, (), None)
            self.way, self.fidelity = prove(trial, settings.clone, hooks, rewind)
        finally:
            trial.chance.put_back(kept)
        entries = entries_of(trial.infos, settings.info, self.wide)
        self.form = _completed(form, self.way, entries, self.limit, settings)
        return trial.chance

    def _order(self, source: Source, most: int, workers: int) -> Order:
        layout = self.way.layout if isinstance(self.way, ByAttributes) else None
        chance = self.here.chance
        return Order(
            source, self.name, self.form, self.way.name, layout,
            tuple(chance.paths), chance.leaked, most // workers,
            chance.before_reset.places if isinstance(chance.before_reset, Rewind) else (),
        )  # fmt: skip

    def reset(self, origins: np.ndarray) -> list[np.ndarray]:
        """First states from keys of two words each."""
        if self.workers is None:
            return self.here.reset(origins)
        if not self._compared and len(origins):
            self._compare(origins[:1])
        return self.workers.reset(origins)

    def _compare(self, origin: np.ndarray) -> None:
        """Whether a worker's environment goes as the one here does, over some steps.

        Raises `UnfaithfulCloneError`: a constructor that counts its calls makes another one.
        """
        assert self.workers is not None
        histories = np.zeros((1, self.form.history, 2 + self.form.action.words), np.uint32)
        told = []
        for one in (self.here, self.workers):
            rows, histories = one.reset(origin), histories * 0
            told.append([rows[1:]])
            for ply in range(_COMPARED):
                times = np.full(1, ply, np.int32)
                batch = Batch.at(rows, origin, histories, times)
                action = self.form.action.first(1)
                keys = origin + np.uint32(ply)
                rows = one.step(batch, action, keys)
                told[-1].append(rows[1:])
                if self.form.history:
                    histories = histories.copy()
                    histories[:, ply] = records_of(action, keys)
        for ply, (here, there) in enumerate(zip(*told, strict=True)):
            if not all(
                np.array_equal(a, b, equal_nan=True) for a, b in zip(here, there, strict=True)
            ):
                self.close()
                raise UnfaithfulCloneError(
                    f"A worker process made another {self.name} than there is here: after {ply} "
                    "steps from the same seed by the same actions it told something else. Its "
                    "constructor must make the same environment in every process, however often "
                    "it was called (no counter, no global variable), and its id must stand for "
                    "the same there. Mend it, or ask for workers=0."
                )
        self._compared = True

    def step(
        self,
        memory: np.ndarray,
        origins: np.ndarray,
        histories: np.ndarray,
        times: np.ndarray,
        over: np.ndarray,
        actions: np.ndarray,
        keys: np.ndarray,
    ) -> list[np.ndarray]:
        """One action in each state."""
        batch = Batch(memory, origins, histories, times, over)
        return (self.workers or self.here).step(batch, actions, keys)

    def outcomes(
        self,
        memory: np.ndarray,
        origins: np.ndarray,
        histories: np.ndarray,
        times: np.ndarray,
        over: np.ndarray,
        actions: np.ndarray,
    ) -> list[np.ndarray]:
        """All that chance can make of one action in each state: [rows, outcomes, ...]; the last
        is how probable each is. Only where there is a `listing`.
        """
        assert self.listing is not None
        batch = Batch(memory, origins, histories, times, over)
        rows, chances = self.listing.outcomes(batch, actions)
        return [x.reshape(len(memory), -1, *x.shape[1:]) for x in rows] + [chances]

    def close(self) -> None:
        """End the worker processes."""
        if self.workers is not None:
            self.workers.close()


def _told(env: Any) -> str:
    spec = getattr(env, "spec", None)
    return spec.id if spec is not None else type(env.unwrapped).__name__


def _completed(
    form: Form, way: Way, info: tuple[Entry, ...], limit: int | None, settings: Settings
) -> Form:
    """The form with the room that states take under a way of keeping them.

    Where nothing but the horizon stops an episode a search looks past it, by as many actions as one
    has: histories are twice as long.
    """
    memory, history = way.layout.size if isinstance(way, ByAttributes) else HANDLE, 0
    if not way.inline:
        history = 2 * horizon_of(limit, settings)
    return msgspec.structs.replace(form, info=info, memory=memory, history=history)
