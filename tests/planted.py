"""A world whose truth is known: records as the claims' cells would leave them.

Every sample has its planted mean exactly (stratified draws), so that estimates can be compared
with the truth whatever the cells are called.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from deliberation.runs import Cell, Record

FORWARD = 1000.0
"""FLOPs of a forward pass."""


def rising(low: float, gain: float) -> Callable[[int], float]:
    """`low` at 1, and `gain` more for each doubling."""
    return lambda x: low + gain * float(np.log2(max(x, 1)))


SEARCH, ALWAYS, NETWORK = rising(0.3, 0.08), rising(0.995, 0.0), rising(0.1, 0.05)
BLIND, DIVERGENCE = rising(0.3, 0.02), rising(1.2, -0.1)


@dataclass(frozen=True)
class World:
    """Chances to keep the value, costs and divergences, by budget or by the size of the data."""

    n: int = 100
    chance: float = 0.25
    search: Callable[[int], float] = SEARCH
    everywhere: Callable[[int], float] = ALWAYS
    network: Callable[[int], float] = NETWORK
    drift: float = 0.0
    seed_effects: tuple[float, ...] = (0.0,)
    guided: Callable[[int, int], float] = lambda rung, b: 0.5 + 0.1 * rung + 0.02 * np.log2(1 + b)
    blind: Callable[[int], float] = BLIND
    student: Callable[[int], float] = lambda b: 0.7 if b else 0.6
    search_steps: float = 10.0
    search_fits: int = 0
    network_steps: float = 0.0
    network_passes: float = 1.0
    network_fits: int = 300
    search_ms: float = 0.5
    network_ms: float = 0.05
    lesson_steps: int = 9_000
    lesson_seconds: float = 3.0
    fit_seconds: float = 1.0
    train_flops: Callable[[int], float] = lambda rung: 1e9 * 10.0**rung
    divergence: Callable[[int], float] = DIVERGENCE
    teacher_regret: float = 0.5
    regret_gap: float = 0.0

    def records(self, cells: Iterable[Cell]) -> dict[str, Record]:
        """A record for each cell, by id."""
        known = {cell.id: cell for cell in cells}
        return {cell.id: self._record(cell, known) for cell in known.values()}

    def _record(self, cell: Cell, known: dict[str, Cell]) -> Record:
        make = getattr(self, "_" + cell.function.partition(":")[2])
        outcomes, spent = make(cell, known)
        ledger = dict.fromkeys(("model_steps", "network_evaluations", "fits", "data", "flops"), 0)
        ledger = {**ledger, "seconds": 0.0, **spent}
        settings, needs = cell.settings, cell.needs
        return Record(cell.id, cell.function, settings, needs, outcomes, ledger, 1.0, "2026-01-01")

    def _find_positions(self, cell: Cell, known: dict[str, Cell]) -> tuple[dict, dict]:
        return {"count": self.n, "actions": 9}, {}

    def _score(self, cell: Cell, known: dict[str, Cell]) -> tuple[dict, dict]:
        settings, rows = cell.settings, []
        for budget in settings["budgets"]:
            # A network that does not heed the budget answers the same at each.
            heeds = 0 if settings["decider"]["kind"] == "network" else budget
            rng = np.random.default_rng([zlib.crc32(cell.id.encode()), heeds])
            if settings["decider"]["kind"] == "random":
                keeps = np.full(self.n, self.chance)
            else:
                keeps = (strata(self.n, rng) < self._p(cell, known, budget)).astype(float)
            rows.append({"keeps": keeps, "regret": 1 - keeps, **self._costs(settings, budget, rng)})
        columns = {name: [row[name].tolist() for row in rows] for name in rows[0]}
        searches = settings["decider"]["kind"] == "uct"
        return columns, {"fits": self.search_fits if searches else 0}

    def _p(self, cell: Cell, known: dict[str, Cell], budget: int) -> float:
        settings = cell.settings
        kind, policy = settings["decider"]["kind"], known.get(settings["policy"] or "")
        if kind == "uct":
            contested = known[settings["positions"]].settings["contested"]
            return (self.search if contested else self.everywhere)(budget)
        if kind == "blind":
            return self.blind(budget)
        assert policy is not None
        effect = self.seed_effects[policy.settings["seed"] % len(self.seed_effects)]
        if kind == "guided":
            return self.guided(settings["rung"], budget) + effect
        if policy.function.endswith(":relearn"):
            return self.student(policy.settings["budget"]) + effect
        drift = self.drift * np.log2(max(budget, 1))
        return self.network(policy.settings["count"]) + effect + drift

    def _costs(self, settings: dict, budget: int, rng: np.random.Generator) -> dict[str, Any]:
        searches = settings["decider"]["kind"] in ("uct", "blind")
        varied = 0.8 + 0.4 * strata(self.n, rng)
        ones = np.ones(self.n)
        return {
            "model_steps": varied * self.search_steps * budget
            if searches
            else ones * self.network_steps,
            "evaluations": ones * (0 if searches else self.network_passes),
            "flops": ones * FORWARD * (1 + budget),
            "milliseconds": ones * (self.search_ms * budget if searches else self.network_ms),
        }

    def _teach(self, cell: Cell, known: dict[str, Cell]) -> tuple[dict, dict]:
        teacher, count = cell.settings["teacher"], cell.settings["count"]
        spent = {"model_steps": self.lesson_steps, "seconds": self.lesson_seconds}
        return {"count": count, "teacher": teacher}, spent

    def _fit(self, cell: Cell, known: dict[str, Cell]) -> tuple[dict, dict]:
        count = cell.settings["count"]
        spent = {"fits": self.network_fits, "network_evaluations": 1000, "data": count}
        return {"count": count}, {**spent, "seconds": self.fit_seconds}

    _relearn = _fit

    def _climb(self, cell: Cell, known: dict[str, Cell]) -> tuple[dict, dict]:
        rungs = range(cell.settings["rungs"])
        return {"ladder": [{"flops": self.train_flops(rung)} for rung in rungs]}, {}

    def _compare(self, cell: Cell, known: dict[str, Cell]) -> tuple[dict, dict]:
        rng = np.random.default_rng(zlib.crc32(cell.id.encode()))
        count = known[cell.settings["policy"]].settings["count"]
        # The same for every student: what the teacher does on a position is fixed.
        teacher = 2 * self.teacher_regret * strata(self.n, np.random.default_rng(1))
        noise = 0.1 * (strata(self.n, rng) - 0.5)
        kl = 2 * self.divergence(count) * strata(self.n, rng)
        return {
            "divergence": kl.tolist(),
            "student_regret": (teacher + noise + self.regret_gap).tolist(),
            "teacher_regret": teacher.tolist(),
        }, {}


def strata(n: int, rng: np.random.Generator) -> np.ndarray:
    """One number in each n-th of (0, 1), in random order."""
    return (rng.permutation(n) + 0.5) / n
