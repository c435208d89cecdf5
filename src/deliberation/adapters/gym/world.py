"""A foreign environment on the host: how its states are kept, who steps them, and their form."""

from typing import Any

import msgspec
import numpy as np

from ...core.errors import WrongKindError
from .attributes import Rewind, Survey
from .chance import Chance
from .form import Entry, Form, action_form, entries_of, kind_of, leaves_of
from .making import (
    Source,
    make_env,
    only_here,
    resets_itself,
    source_of,
    time_limit,
)
from .proof import Hooks, prove
from .stepper import HANDLE, Batch, Stepper, begin
from .trial import Trial, explore, leaks
from .ways import ORDER, ByAttributes, Way
from .worker import Order
from .workers import Workers

MEGABYTE = 1 << 20


class Settings(msgspec.Struct, frozen=True):
    """What a user may say of how an environment is adapted; see `from_gymnasium`."""

    clone: str = "best"
    workers: int = 0
    cache_megabytes: float = 256.0
    horizon: int | None = None
    info: tuple[str, ...] | None = None


class World:
    """Steps batches of states of one environment. Equal only to itself, so that `jit` knows it."""

    def __init__(
        self, made_by: Any, options: dict[str, Any], settings: Settings, hooks: Hooks | None = None
    ):
        _check(settings)
        self.env = make_env(made_by, options)
        self.name = made_by if isinstance(made_by, str) else _told(self.env)
        self.limit = time_limit(self.env)
        spaces = self.env.observation_space, self.env.action_space
        leaves, action = leaves_of(spaces[0], self.name), action_form(spaces[1], self.name)
        wrapped = kind_of(spaces[0]) in ("Dict", "Tuple")
        form = Form(leaves, action, wrapped=wrapped, end_at_cut=resets_itself(self.env))
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
        entries = entries_of(trial.infos, settings.info)
        self.form = _completed(form, self.way, entries, self.limit, settings)
        most = int(settings.cache_megabytes * MEGABYTE)
        self.here = Stepper(self.env, self.name, self.form, self.way, trial.chance, most)
        self.workers: Workers | None = None
        if settings.workers:
            source = source_of(made_by, options)
            if source is None or hooks is not None:
                raise only_here(self.name)
            self.workers = Workers(settings.workers, self._order(source, most, settings.workers))

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
        return (self.workers or self.here).reset(origins)

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

    def close(self) -> None:
        """End the worker processes."""
        if self.workers is not None:
            self.workers.close()


def _check(settings: Settings) -> None:
    if settings.clone not in ("best", *ORDER):
        raise WrongKindError(
            f"clone={settings.clone!r} is no way of copying: choose 'best' or one of {ORDER}."
        )
    if settings.workers < 0 or settings.cache_megabytes <= 0:
        raise WrongKindError(
            "workers is how many processes there are (0: none) and cache_megabytes more than 0; "
            f"got workers={settings.workers}, cache_megabytes={settings.cache_megabytes}."
        )
    if settings.horizon is not None and settings.horizon < 1:
        raise WrongKindError(f"An episode has a horizon of at least 1; got {settings.horizon}.")


def _told(env: Any) -> str:
    spec = getattr(env, "spec", None)
    return spec.id if spec is not None else type(env.unwrapped).__name__


def _completed(
    form: Form, way: Way, info: tuple[Entry, ...], limit: int | None, settings: Settings
) -> Form:
    """The form with the room that states take under a way of keeping them.

    A search looks past a cut, by as many actions as an episode has: histories are twice as long.
    """
    memory, history = way.layout.size if isinstance(way, ByAttributes) else HANDLE, 0
    if not way.inline:
        history = 2 * horizon_of(limit, settings)
    return msgspec.structs.replace(form, info=info, memory=memory, history=history)


def horizon_of(limit: int | None, settings: Settings) -> int:
    """The most actions of an episode: the user's word, the time limit's, or 1000."""
    return settings.horizon or limit or 1000
