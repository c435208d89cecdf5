"""Worlds whose truth is planted: records as cells would leave them, with nothing run.

They validate the claims: where the truth is a null effect, a verdict must not support the claim,
and where it is an effect of twice the smallest that matters, it should.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...runs import Cell, Record
from ...tasks.names import split_name
from ...zoo.registry import list_zoo
from .effort import Effort

Known = Mapping[str, Cell]
Maker = Callable[["World", Cell, Known], tuple[dict[str, Any], dict[str, Any]]]
MAKERS: dict[str, Maker] = {}
"""What leaves the outcomes and the ledger of a cell, by the cell's function."""
FORWARD = 1000.0
"""Operations of a forward pass."""
STEP = 50.0
"""Operations of a step of the rules."""


TRAININGS = "deliberation.claims.experiments."
"""All experiments of many trainings are planted alike (`planted_trainings`)."""


def planted(truth: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """A planted world of trainings: of each outcome the mean and the standard deviation.

    See `planted_trainings`.
    """
    unknown = set(changed) - set(truth)
    assert not unknown, f"{sorted(unknown)} is none of the outcomes {sorted(truth)}"
    return {"more": {"found": {**truth, **changed}}}


def plants(function: str) -> Callable[[Maker], Maker]:
    """Register what leaves the outcomes of cells of a function ("package.module:function")."""

    def register(maker: Maker) -> Maker:
        MAKERS[function] = maker
        return maker

    return register


SPREAD, ALIKE = 0.04, 0.4
"""Standard deviation between trainings, in parts of the way, and correlation of their scores over
positions: medians over the tasks and sizes of data that the quick effort measures."""

KEYS_ALIKE = 0.15
"""Correlation over positions of a search's scores under two keys: the mean of UCT in rooms of 5, 7
and 9 at 16, 64 and 256 simulations, 0.02 to 0.26."""

Line = tuple[float | int, float | int]
"""A level at 1, and what each doubling adds."""


@dataclass(frozen=True)
class World:
    """Levels of score (share of the way to the optimum), costs and divergences, and the luck.

    Pairs are `(level at 1, gain a doubling)` in the budget or the size of the data. `n` items and
    as many seeds as the effort has. With `exact`, samples have their planted means exactly
    (stratified draws), so that estimates can be compared with the truth. `luck` numbers the draw.
    """

    n: int = 100
    luck: int = 0
    exact: bool = True
    search: Line = (0.3, 0.08)
    everywhere: Line = (0.995, 0.0)
    network: Line = (0.1, 0.05)
    drift: float | int = 0.0
    seed_effects: tuple[float, ...] = (0.0,)
    spread: float = 0.0
    """Standard deviation between trainings, drawn anew for each luck, on top of those effects."""
    alike: float = 0.0
    """In so many of the positions all trainings meet the same luck: some are hard for everybody."""
    guided: tuple[float, float, float] = (0.5, 0.1, 0.02)
    """Level, gain a rung, gain a doubling of 1 + budget."""
    blind: Line = (0.3, 0.02)
    student: tuple[float, float] = (0.6, 0.7)
    """Without search in the data, and with it."""
    search_steps: float = 10.0
    search_fits: int = 0
    search_data: int = 0
    network_steps: float = 0.0
    network_passes: float = 1.0
    network_fits: int = 300
    search_ms: float = 0.5
    network_ms: float = 0.05
    lesson_steps: int = 9_000
    lesson_seconds: float = 3.0
    fit_seconds: float = 1.0
    train_flops: float = 1e9
    """Operations of the first rung; each further one takes ten times as many."""
    divergence: Line = (1.2, -0.1)
    teacher_regret: float = 0.5
    regret_gap: float = 0.0
    more: Mapping[str, Any] | None = None
    """Whatever else the makers of other cells read."""

    def records(self, cells: Iterable[Cell]) -> dict[str, Record]:
        """A record for each cell, by id."""
        from . import planted_changes, planted_trainings  # register what leaves other cells

        del planted_changes, planted_trainings
        known = {cell.id: cell for cell in cells}
        return {cell.id: self._record(cell, known) for cell in known.values()}

    def _record(self, cell: Cell, known: Known) -> Record:
        make = MAKERS[TRAININGS if cell.function.startswith(TRAININGS) else cell.function]
        outcomes, spent = make(self, cell, known)
        ledger = dict.fromkeys(("model_steps", "network_evaluations", "fits", "data", "flops"), 0)
        ledger = {**ledger, "seconds": 0.0, **spent}
        settings, needs = cell.settings, cell.needs
        return Record(cell.id, cell.function, settings, needs, outcomes, ledger, 1.0, "2026-01-01")

    def draw(
        self, mean: float, name: str, n: int | None = None, *, trained: bool = False,
        where: str = "",
    ) -> np.ndarray:  # fmt: skip
        """`n` zeros and ones with this mean, in parts where it lies beyond 0 and 1.

        Positions are hard for all who are trained, and for a search under every key; `where` names
        what searches have in common.
        """
        uniform = self.uniform(name, n)
        if where and not self.exact:
            shared = self.uniform(f"{name} alike", n) < KEYS_ALIKE
            uniform = np.where(shared, self.uniform(where, n), uniform)
        if trained and self.alike:
            shared = self.uniform(f"{name} alike", n) < self.alike
            uniform = np.where(shared, self.uniform("hard for everybody", n), uniform)
        whole = np.floor(mean)
        return whole + (uniform < mean - whole)

    def uniform(self, name: str, n: int | None = None) -> np.ndarray:
        """`n` numbers from (0, 1); one in each n-th of it where the world is `exact`."""
        count = self.n if n is None else n
        rng = np.random.default_rng([zlib.crc32(name.encode()), self.luck])
        return (rng.permutation(count) + 0.5) / count if self.exact else rng.random(count)

    def effect(self, seed: int) -> float:
        """What a training seed adds."""
        drawn = np.random.default_rng([9, seed, self.luck]).normal(0.0, self.spread)
        return self.seed_effects[seed % len(self.seed_effects)] + float(drawn)


def on(line: Line, x: float | int) -> float:
    """A line in doublings, at x."""
    return line[0] + line[1] * float(np.log2(max(x, 1)))


_HERE = "deliberation.claims.measuring"
UNLEARNED = ("planner", "economical", "even", "zoo")
"""Searches from the rules alone, all of one level."""


def _contested(exam: Cell | None) -> bool:
    return exam is None or exam.settings.get("which", "contested") == "contested"


def _count(world: World, exam: Cell | None) -> int:
    """Of positions contested or not there are more."""
    if exam is None or _contested(exam):
        return world.n
    return min(exam.settings["count"], 4 * world.n)


@plants(f"{_HERE}.exams:find_positions")
def _positions(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    del known
    contested, count = _contested(cell), _count(world, cell)
    # Of any positions every other one is contested.
    stakes = [1.0 if contested or i % 2 else 0.0 for i in range(count)]
    found = {
        "count": count,
        "actions": 9,
        "stake": 1.0,
        "low": 0.0,
        "stakes": stakes,
        "choices": [2] * count,
    }
    return {**found, "different": _different(cell.settings["task"])}, {}


def _different(task: str) -> int:
    """Positions of a board that is 32 times as many where it is larger, or of a room."""
    if not task.startswith("gridworld"):
        return 20_000 if task.startswith("mnk(") else 625
    return int(split_name(task)[1].get("size", 5)) ** 2


@plants(f"{_HERE}.exams:find_scale")
def _scale(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    del world, cell, known
    return {"random": 0.0, "error": 0.0, "optimum": 1.0, "low": 0.0}, {}


@plants(f"{_HERE}.exams:find_price")
def _price(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    del world, cell, known
    return {"flops": STEP, "nanoseconds": STEP}, {}


@plants(f"{_HERE}.scoring:play")
@plants(f"{_HERE}.scoring:score")
def _score(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    settings, rows = cell.settings, []
    who = settings["subject"].rpartition(":")[2]
    exam = known.get(settings.get("positions", ""))
    many = _count(world, exam)
    for budget in settings["budgets"]:
        # A network that does not heed the budget answers the same at each.
        heeds = 0 if who == "network" and not world.drift else budget
        level = 0.0 if who == "random" else _level(world, who, cell, known, budget)
        way = (
            np.zeros(many)
            if who == "random"
            else world.draw(
                level,
                f"{cell.id} {heeds}",
                many,
                trained=settings["policy"] is not None,
                where=f"{settings.get('positions')} {who} {heeds}" if who in UNLEARNED else "",
            )
        )
        rows.append({"way": way, **_costs(world, who, budget, cell.id, many)})
    columns = {name: [row[name].tolist() for row in rows] for name in rows[0]}
    searches = who == "planner"
    spent = {"fits": world.search_fits, "data": world.search_data} if searches else {}
    return {**columns, "low": 0.0}, spent


def _level(world: World, who: str, cell: Cell, known: Known, budget: int) -> float:
    settings = cell.settings
    policy = known.get(settings["policy"] or "")
    if who in UNLEARNED:
        exam = known.get(settings.get("positions", ""))
        level = on(world.search if _contested(exam) else world.everywhere, budget)
        more, task = world.more or {}, settings["task"]
        grown = task.startswith("mnk(") or _steps(task) > 1
        level += more.get("larger", 0.0) * grown
        return level + more.get("richer", 0.0) * _steps(task)
    if who == "blind":
        return on(world.blind, budget)
    assert policy is not None
    effect = world.effect(policy.settings["seed"])
    if who in ("guided", "gated"):
        base, rung, gain = world.guided
        habit = base + rung * (settings["rung"] or 0) + effect
        opens = (world.more or {}).get("gate", 1.0) if who == "gated" else 1.0
        return habit + opens * gain * float(np.log2(1 + budget))
    if policy.function.endswith(":relearn"):
        return world.student[policy.settings["budget"] > 0] + effect
    drift = world.drift * np.log2(max(budget, 1))
    symmetric = (world.more or {}).get("symmetric", 0.0) * policy.settings.get("symmetric", True)
    return on(world.network, policy.settings["count"]) + effect + float(drift) + symmetric


def _steps(task: str) -> float:
    """How many steps of a knob away from the plain gridworld a task is."""
    name, options = split_name(task)
    if name == "gridworld_continuous":
        return 1.0
    if "view" in options:
        return 3.0 - options["view"]
    steps = {"size": lambda x: (x - 5) / 2, "slip": lambda x: x / 0.2, "actions": lambda x: x / 8}
    known = options.items() if name == "gridworld" else ()
    return float(sum(steps[k](v) for k, v in known if k in steps))


def _costs(world: World, who: str, budget: int, name: str, n: int) -> dict[str, np.ndarray]:
    searches = who in (*UNLEARNED, "blind")
    more, ones = world.more or {}, np.ones(n)
    varied = 0.8 + 0.4 * world.uniform(f"{name} {budget} cost", n)
    steps = varied * world.search_steps * budget if searches else ones * world.network_steps
    if who == "economical":  # it works less where nothing is at stake, in every other position
        steps = steps * np.where(np.arange(n) % 2, 1.0, 2.0 ** -more.get("stops", 0.0))
    passes = {"guided": 1 + budget, "gated": 1 + budget * more.get("share", 1.0)}
    milliseconds = world.search_ms * budget if searches else world.network_ms
    return {
        "model_steps": steps,
        "evaluations": ones * (0 if searches else passes.get(who, 1) * world.network_passes),
        "flops": ones * (0 if searches else FORWARD * (1 + budget)),
        "milliseconds": milliseconds * (0.95 + 0.1 * world.uniform(f"{name} {budget} ms", 8)),
    }


@plants(f"{_HERE}.playing:teach")
@plants(f"{_HERE}.teaching:teach")
def _teach(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    del known
    teacher, count = cell.settings["teacher"], cell.settings["count"]
    spent = {"model_steps": world.lesson_steps, "seconds": world.lesson_seconds}
    return {"count": count, "teacher": teacher}, spent


@plants(f"{_HERE}.teaching:relearn")
@plants(f"{_HERE}.teaching:fit")
@plants(f"{_HERE}.playing:fit")
def _fit(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    del known
    count = cell.settings["count"]
    spent = {"fits": world.network_fits, "network_evaluations": 1000, "data": count}
    return {"count": count}, {**spent, "flops": 1e6, "seconds": world.fit_seconds}


@plants(f"{_HERE}.teaching:climb")
def _climb(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    del known
    ladder = [
        {"flops": world.train_flops * 10.0**rung, "model_steps": 0.0}
        for rung in range(cell.settings["rungs"])
    ]
    return {"ladder": ladder}, {}


@plants(f"{_HERE}.teaching:compare")
def _compare(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    count = known[cell.settings["policy"]].settings["count"]
    # The same for every student: what the teacher does on a position is fixed.
    teacher = 2 * world.teacher_regret * world.uniform("teacher")
    noise = 0.1 * (world.uniform(f"{cell.id} noise") - 0.5)
    kl = 2 * on(world.divergence, count) * world.uniform(f"{cell.id} kl")
    return {
        "divergence": kl.tolist(),
        "student_regret": (teacher + noise + world.regret_gap).tolist(),
        "teacher_regret": teacher.tolist(),
    }, {}


@plants(f"{_HERE}.swaps:find_swapped")
def _swapped(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    del cell, known
    return {"count": world.n, "share": 1.0, "low": {"own": 0.0, "other": 0.0}}, {}


@plants(f"{_HERE}.placing:put_through")
def _put_through(world: World, cell: Cell, known: Known) -> tuple[dict, dict]:
    """Systems as they are listed, but for the switches that a world plants otherwise."""
    del known
    more, kind = world.more or {}, list_zoo()[cell.settings["entry"]]["kind"]
    own = more.get("own", 0.9)
    level = {
        "own": own,
        "thoughtless": own * {"direct": 0.0, "amortised": 1.0, "hybrid": 0.7}[kind],
        "told": more.get("told", own * {"direct": 1.0, "amortised": 0.0, "hybrid": 0.8}[kind]),
    }
    way = {name: world.draw(x, f"{cell.id} {name}").tolist() for name, x in level.items()}
    return {"way": way}, {}


def world_at(e: Effort, luck: int, **planted: Any) -> World:
    """A world drawn at random, with as many items as an effort asks for; trainings differ, too."""
    drawn = {"n": e.positions, "spread": SPREAD, "alike": ALIKE}
    return World(**{**drawn, **planted}, luck=luck, exact=False)
