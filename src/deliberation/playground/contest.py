"""Games of two systems on one task: each move's cost, each pair's scores, and what they come to.

A pair is what is resampled. Of two players it is two games from the same opening and with the same
chance, with seats swapped; of one player it is the same episode, played by either system.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from ..core import clock
from ..core.decider import Decision
from ..core.keys import named_key
from ..core.task import Task
from ..stats import Estimate, anytime_mean, bootstrap, nothing
from ..tasks.moves import Game
from ..zoo.naming import Named

SIDES = ("a", "b")
UNITS = ("seconds", "simulations", "model_steps", "network_evaluations", "flops")


@dataclass
class Spent:
    """What one side's decisions cost: wall seconds by our clock, the rest by its own word.

    Unknown amounts are None. `simulations` are those that its root counted; a decider that takes no
    step of a model makes none.
    """

    decisions: int = 0
    amounts: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(UNITS, 0.0))

    def add(self, decision: Decision, seconds: float, reused: bool) -> None:
        """One more decision; a tree that is `reused` counts visits of earlier searches, too."""
        self.decisions += 1
        told = decision.spent.total()
        found = {
            "seconds": seconds,
            "simulations": _simulations(decision, reused),
            "model_steps": told.model_steps,
            "network_evaluations": told.network_evaluations,
            "flops": told.flops,
        }
        amounts = {unit: None if x is None else float(x) for unit, x in found.items()}
        self.amounts = (self + Spent(0, amounts)).amounts

    def __add__(self, other: "Spent") -> "Spent":
        """Both together; unknown and anything is unknown."""
        pairs = ((unit, self.amounts[unit], other.amounts[unit]) for unit in UNITS)
        amounts = {u: None if x is None or y is None else x + y for u, x, y in pairs}
        return Spent(self.decisions + other.decisions, amounts)

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return {"decisions": self.decisions, **self.amounts}


def _simulations(decision: Decision, reused: bool) -> float | None:
    if decision.root is not None and not reused:
        return float(np.asarray(decision.root.visits).sum())
    steps = decision.spent.total().model_steps
    return 0.0 if steps == 0 else None


class Bout:
    """One game, move by move. `seats` says which side plays each player.

    The chance of the game is drawn from `seed`, each side's own from that and its name, so that a
    game can be played again. The first `opening` moves are drawn evenly, the same for either
    seating.
    """

    def __init__(
        self, task: Task, sides: dict[str, Named], seats: Sequence[str], seed: int, opening: int = 0
    ):
        self.task, self.sides, self.seats = task, sides, tuple(seats)
        self.game = opened(task, seed, opening)
        self.spent = {side: Spent() for side in self.seats}
        self._memories: dict[int, Any] = {}

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.game.over

    @property
    def mover(self) -> str:
        """The side whose move it is."""
        return self.seats[self.game.mover]

    def step(self) -> int:
        """Let the side to move decide, and make its move; returns the action."""
        game, player, side = self.game, self.game.mover, self.mover
        named, ply = self.sides[side], len(self.game.actions)
        key = jax.random.fold_in(named_key(game.key, f"side {side} {player}"), ply)
        memory = self._memories.get(player)
        batch = jax.tree.map(lambda x: x[None], game.state)
        memory = named.decider.begin(1) if memory is None else memory
        began = clock.now()
        decision, after = named.decider.decide(batch, memory, budget=named.budget, key=key)
        jax.block_until_ready(decision)
        self.spent[side].add(decision, clock.now() - began, bool(jax.tree.leaves(memory)))
        self._memories[player] = after
        action = int(np.asarray(decision.action)[0])
        game.play(action)
        return action

    def score(self, side: str) -> float:
        """The return of a side."""
        return float(self.game.returns[self.seats.index(side)])


def pair_seed(seed: int, pair: int) -> int:
    """The seed of one pair: matches of neighbouring seeds have no pair in common."""
    key = jax.random.fold_in(named_key(jax.random.key(seed), "pairs"), pair)
    return int(jax.random.bits(key))


def opened(task: Task, seed: int, opening: int) -> Game:
    """A game after its first moves, drawn evenly; fewer where it would be over by then."""
    game, rng = Game(task, seed=seed), np.random.default_rng(seed)
    for _ in range(opening):
        if game.over:
            break
        game.play(int(rng.choice(np.flatnonzero(game.legal))))
    while game.over and game.actions:
        game.undo()
    return game


def seatings(task: Task) -> tuple[tuple[str, ...], ...]:
    """Who sits where in the games of a pair."""
    return (("a",), ("b",)) if task.traits.players == 1 else (SIDES, SIDES[::-1])


def warm_up(task: Task, named: Named) -> None:
    """One decision for nothing, so that what has to be compiled is by the time that one counts."""
    bout = Bout(task, {"a": named, "b": named}, ("a",) * task.traits.players, 0)
    bout.step()


@dataclass
class Tally:
    """The scores of the pairs so far: `scores` has for each pair the means of a and of b.

    `alike` marks the games of a pair while all pairs were one and the same, as of two systems that
    draw nothing; None once they differed, or where the task itself draws.
    """

    bounds: tuple[float, float] | None
    scores: list[tuple[float, float]] = field(default_factory=list)
    alike: str | None = None

    @staticmethod
    def of(task: Task, past: Sequence[tuple[float, float]] = (), alike: str = "") -> "Tally":
        """With the pairs that were played before, and their mark where they were alike."""
        low, high = task.objective.bounds
        bounds = (float(low), float(high)) if np.isfinite([low, high]).all() else None
        known = task.traits.deterministic and (bool(alike) or not past)
        return Tally(bounds, list(past), alike if known else None)

    def add(self, bouts: Sequence[Bout]) -> tuple[float, float]:
        """The games of a pair; returns each side's mean return in them."""
        found = {
            side: float(np.mean([bout.score(side) for bout in bouts if side in bout.seats]))
            for side in SIDES
        }
        self.scores.append((found["a"], found["b"]))
        if self.alike is not None:
            mark = _mark(bouts)
            self.alike = mark if self.alike in ("", mark) else None
        return self.scores[-1]

    @property
    def repeated(self) -> bool:
        """Whether several pairs were played and all went the same way: one observation."""
        return bool(self.alike) and len(self.scores) > 1

    def difference(self) -> Estimate:
        """The mean of a's score less b's over pairs, with its 95 % confidence sequence."""
        return self._anytime(*self._differences())

    def mean(self, side: str) -> Estimate:
        """The mean score of a side over pairs, with its 95 % confidence sequence."""
        place = SIDES.index(side)
        return self._anytime(np.array([pair[place] for pair in self.scores]), self.bounds)

    def planned(self) -> Estimate:
        """The difference once as many pairs are played as were planned: the interval for that."""
        each, bounds = self._differences()
        return Estimate(float(each[0]), *_UNKNOWN, 1) if self.repeated else _mean(each, bounds)

    def said(self) -> str:
        """Who is ahead, in a sentence that stays true however often one looks."""
        count, found = len(self.scores), self.difference()
        if count < 2:
            return "One pair says nothing of the difference yet."
        if self.repeated:
            return (
                f"One game, repeated: all {count} pairs went the same way, so they count as one "
                "and there is no interval."
            )
        if self.bounds is None:
            return "Scores have no known bounds here: the planned end alone has an interval."
        if found.low <= 0 <= found.high:
            return "Neither is ahead beyond chance yet."
        ahead = "A" if found.low > 0 else "B"
        return f"{ahead} is ahead: zero lies outside an interval that holds whenever one looks."

    def _differences(self) -> tuple[np.ndarray, tuple[float, float] | None]:
        each = np.array([a - b for a, b in self.scores])
        wide = None if self.bounds is None else self.bounds[1] - self.bounds[0]
        return each, None if wide is None else (-wide, wide)

    def _anytime(self, values: np.ndarray, bounds: tuple[float, float] | None) -> Estimate:
        if not len(values):
            return nothing()
        if len(values) == 1 or self.repeated or bounds is None:
            count = 1 if self.repeated else len(values)
            return Estimate(float(values.mean()), *_UNKNOWN, count)
        return anytime_mean(np.clip(values, *bounds), bounds)


_UNKNOWN = (float("nan"), float("nan"))


def _mark(bouts: Sequence[Bout]) -> str:
    """Equal for the same games: their moves, and the states that they begin and end in."""
    digest = hashlib.sha256()
    for bout in bouts:
        states = (bout.game.states[0], bout.game.state)
        words = [np.asarray(bout.task.fingerprint(state)).tolist() for state in states]
        digest.update(repr((bout.seats, bout.game.actions, words)).encode())
    return digest.hexdigest()[:16]


def _mean(values: np.ndarray, bounds: tuple[float, float] | None) -> Estimate:
    """A mean with its interval, within what a mean can be. Of one value there is no interval."""
    if not len(values):
        return nothing()
    if len(values) == 1:
        return Estimate(float(values[0]), float("nan"), float("nan"), 1)
    found = bootstrap(values, bounds=bounds)
    if bounds is None:
        return found
    low, high = (float(np.clip(end, *bounds)) for end in (found.low, found.high))
    return Estimate(found.estimate, low, high, found.n, found.freedom)
