"""Chance that an environment lists itself, as those of toy text do, held against what it plays.

`env.unwrapped.P[s][a]` is a list of (probability, state, reward, terminated), and `s` the state. To
list what an action leads to, the environment is stepped once for each entry, by chance that draws
this one: wrappers, limits and `info` are then what they are in play, and at every use it is seen
to that the step came to the entry's state. That each comes as often as the table says is tested on
some lists, by 200 draws each, which find differences of some .15.
"""

from typing import Any

import numpy as np
from scipy.stats import chisquare

from ...core.errors import DeliberationError, ForeignWorldError
from .chance import mixed, set_source
from .stepper import Batch, Stepper

_POOL = 4096
"""Keys whose first number, uniform between 0 and 1, is known: entries are picked by these."""
_MOST = 64
"""Entries of a list, at most: each is stepped whenever an action is looked at."""
_EPISODES, _STEPS = 6, 12
_LISTS, _DRAWS, _CHANCE = 4, 200, 1e-6
"""Lists whose frequencies are tested, draws of each, and how improbable a failure is by chance."""


class Listing:
    """What chance makes of an action, from the environment's own table; `most` entries at most."""

    def __init__(self, stepper: Stepper, most: int):
        self.stepper, self.most = stepper, most
        keys = np.random.default_rng(0).integers(0, 1 << 32, (_POOL, 2), dtype=np.uint64)
        drawn, source = [], np.random.Generator(np.random.PCG64(0))
        for word in mixed(keys):
            set_source(source, word)
            drawn.append(source.random())
        order = np.argsort(drawn)
        self._drawn, self._keys = np.array(drawn)[order], keys[order].astype(np.uint32)

    def outcomes(self, batch: Batch, actions: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Rows as of `Stepper.step`, `most` for each row of the batch, and how probable each is.

        Entries beyond those that there are have probability 0; of rows that are over there is the
        row itself.
        """
        # Chunks of a solver are filled up with copies, and each is a call of the environment.
        kinds = np.column_stack([batch.memory, batch.over, actions.view(np.uint8).reshape(-1, 4)])
        _, first, which = np.unique(kinds, axis=0, return_index=True, return_inverse=True)
        rows, chances = self._of(batch.part(first), actions[first])
        where = (which.reshape(-1, 1) * self.most + np.arange(self.most)).ravel()
        return [x[where] for x in rows], chances[which.ravel()]

    def _of(self, batch: Batch, actions: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """The same of rows that all differ. Raises `ForeignWorldError` where one is not met."""
        n = len(batch.memory)
        chances = np.zeros((n, self.most), np.float32)
        keys = np.repeat(self._keys[:1], n * self.most, axis=0).reshape(n, self.most, 2)
        led: dict[int, int] = {}
        for row in range(n):
            if batch.over[row]:
                chances[row, 0] = 1.0
                continue
            entries = self._entries(batch.memory[row], actions[row : row + 1])
            listed = [float(entry[0]) for entry in entries]
            middle = np.cumsum(listed) - np.divide(listed, 2)
            place = np.searchsorted(self._drawn, middle).clip(0, _POOL - 1)
            chances[row, : len(listed)] = listed
            keys[row, : len(listed)] = self._keys[place]
            led |= {row * self.most + at: int(entry[1]) for at, entry in enumerate(entries)}
        many = Batch(*(np.repeat(x, self.most, axis=0) for x in batch))
        rows = self.stepper.step(many, np.repeat(actions, self.most, axis=0), keys.reshape(-1, 2))
        self._check(rows[0], led)
        return rows, chances

    def _check(self, memory: np.ndarray, led: dict[int, int]) -> None:
        """Whether every step came to the state of its entry."""
        stepper = self.stepper
        with stepper._held():
            for row, wanted in led.items():
                came = int(stepper.way.put(stepper.env, memory[row].tobytes()).unwrapped.s)
                if came != wanted:
                    raise ForeignWorldError(
                        f"The table P of {stepper.name} lists state {wanted} where a step came to "
                        f"{came}: it does not play by its table, so that its chance cannot be "
                        "listed. Wrap it in a class without P, and plan by `SampledChance`."
                    )

    def _entries(self, memory: np.ndarray, action: np.ndarray) -> list[tuple]:
        """What the table has for an action in a state, but for what is impossible."""
        stepper = self.stepper
        with stepper._held():
            bare = stepper.way.put(stepper.env, memory.tobytes()).unwrapped
            taken = stepper.form.action.to_env(action)[0]
            try:
                return [entry for entry in bare.P[int(bare.s)][taken] if entry[0] > 0]
            except (KeyError, IndexError, TypeError) as error:
                raise ForeignWorldError(
                    f"The table P of {stepper.name} has nothing for action {taken} in state "
                    f"{bare.s}, which play comes to. Complete it, or wrap it in a class without P."
                ) from error


def listing_of(stepper: Stepper) -> Listing | None:
    """The listing of an environment; None where it has none, or one that is not how it plays."""
    most = _longest(stepper.env.unwrapped)
    if not most or not stepper.way.inline or not stepper.form.action.count:
        return None
    listing = Listing(stepper, most)
    try:
        return listing if _proved(listing) else None
    except (DeliberationError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None  # a table that cannot be looked up, or steps that fail by it


def _longest(bare: Any) -> int:
    """The most entries of a list; 0 where there is no such table, or one of odd entries."""
    try:
        table, there = getattr(bare, "P", None), hasattr(bare, "s")
        if not isinstance(table, dict) or not there:
            return 0
        lists = [
            [entry for entry in entries if entry[0] > 0]
            for by_action in table.values()
            for entries in by_action.values()
        ]
        whole = all(
            abs(sum(entry[0] for entry in entries) - 1) < 1e-6
            and all(len(e) == 4 and e[0] > 4 / _POOL and e[1] in table for e in entries)
            for entries in lists
        )
    except Exception:  # whatever a stranger's attributes raise when they are looked at
        return 0
    longest = max(map(len, lists), default=0)
    return longest if whole and 1 < longest <= _MOST else 0


def _proved(listing: Listing) -> bool:
    """Whether steps lead to what is listed, and as often."""
    rng, tested, stepper = np.random.default_rng(0), 0, listing.stepper
    for _ in range(_EPISODES):
        origin = rng.integers(0, 1 << 32, (1, 2), dtype=np.uint64).astype(np.uint32)
        rows = stepper.reset(origin)
        for ply in range(_STEPS):
            times, history = np.full(1, ply, np.int32), np.zeros((1, 0, 3), np.uint32)
            one = Batch.at(rows, origin, history, times)
            action = np.array([rng.integers(stepper.form.action.count)], np.int32)
            many = tested < _LISTS and (rng.random() < 0.3 or ply == 0)
            found = _counted(listing, one, action, _DRAWS if many else 1, rng)
            if found is None:
                return False
            counts, chances = found
            if many and len(chances) > 1:
                tested += 1
                if chisquare(counts, counts.sum() * chances).pvalue < _CHANCE:
                    return False
            key = rng.integers(0, 1 << 32, (1, 2), dtype=np.uint64).astype(np.uint32)
            rows = stepper.step(one, action, key)
            if rows[-2][0] or rows[-1][0]:
                break
    return True


def _counted(
    listing: Listing, one: Batch, action: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """How often each different outcome came in so many steps, and how probable it is said to be.

    None where something came that is not listed.
    """
    rows, chances = listing.outcomes(one, action)
    said: dict[bytes, float] = {}
    for place in range(listing.most):
        told = b"".join(np.ascontiguousarray(x[place]).tobytes() for x in rows)
        if chances[0, place] > 0:
            said[told] = said.get(told, 0.0) + float(chances[0, place])
    keys = rng.integers(0, 1 << 32, (draws, 2), dtype=np.uint64).astype(np.uint32)
    many = Batch(*(np.repeat(x, draws, axis=0) for x in one))
    came = listing.stepper.step(many, np.repeat(action, draws), keys)
    counts = dict.fromkeys(said, 0)
    for row in range(draws):
        told = b"".join(np.ascontiguousarray(x[row]).tobytes() for x in came)
        if told not in counts:
            return None
        counts[told] += 1
    told = np.array(list(said.values()))
    return np.array(list(counts.values())), told / told.sum()
