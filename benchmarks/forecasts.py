"""Forecasts of what audited subjects do under changes, and what of them the profile brings.

    python benchmarks/forecasts.py [--worlds 2] [--jobs 2] [--out benchmarks/results]
    python benchmarks/forecasts.py --page [--out benchmarks/results]

Subjects are specimens in random worlds. Each is audited; then it is put under four changes: places
that cost are announced, a fifth of the states have their moves changed about (untold), play starts
where it never did, and three observations of ten are another state's. (Of the second the forecast's
probe plays another case: other moves, other places.) A forecast mixes three accounts by weights
fitted on the subjects of all other families (no world of the same specimen, nor of one that answers
alike); it is compared, in nats a decision, with a clone of the subject's own ordinary answers, with
the best constant, and with the same accounts mixed without a profile, by weights that were fitted
on the same families and are equal for every subject. Writes forecasts.json and .md; with `--page`
it measures nothing and writes the page of the forecasts.json that is there.
"""

import argparse
import json
import multiprocessing
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from _forecasts_page import page

from deliberation.audit.announcing import bonus
from deliberation.audit.asking import ask
from deliberation.audit.auditing import EFFORTS, audit
from deliberation.audit.contest import Agent, Device, aims, count, loss
from deliberation.audit.exam import Exam
from deliberation.audit.forecasting import (
    READ,
    Accounts,
    Astray,
    Case,
    Forecaster,
    calibration,
    fit_forecaster,
    flat,
    without_profile,
)
from deliberation.audit.probes.forecast import swap
from deliberation.core.objective import Objective
from deliberation.runs.plain import plain
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write
from deliberation.specimens import make, random_world
from deliberation.stats.intervals import t_quantile

OUT = Path(__file__).resolve().parent / "results"
SPECIMENS = (
    "look_up_table", "softmax_policy", "q_learner", "random_function", "replay", "placebo",
    "distilled_planner", "echo", "depth_planner", "noisy_planner", "wrong_model", "sweep_planner",
    "caching_planner", "other_goal", "plan_until_habit", "uct",
)  # fmt: skip
TWINS = (
    ("look_up_table", "placebo", "distilled_planner"),  # the exact table, or nearly
    ("sweep_planner", "caching_planner"),  # exact by what is told
)
"""Specimens that answer alike: one family."""
CHANGES = ("announced cost", "rerouted", "new start", "corrupted observation")
MET = ("rerouted", "corrupted observation")
"""Changes under which it is asked mostly in states in which it was asked before."""
CORRUPTED, ANNOUNCED, EACH, PLAYED, STEPS = 0.3, 24, 4, 24, 5
_FIRST_WORLD = 100
"""The worlds are others than those by which probes are validated."""


class Subject(NamedTuple):
    """One specimen in one world: a case for each change, and the clone's base rates."""

    name: str
    cases: dict[str, Case]
    constant: np.ndarray


class _Asked(NamedTuple):
    """Whom the changes ask, and the accounts of it."""

    decider: Any
    exam: Exam
    device: Device
    agent: Agent
    key: Any

    def __call__(self, rows: np.ndarray, draw: int, told: Objective | None = None) -> np.ndarray:
        key = jax.random.fold_in(self.key, draw)
        budget = EFFORTS["smoke"].budgets[-1]
        return ask(self.decider, self.exam, rows, key, objective=told, budget=budget).action

    def silent(self, rows: np.ndarray) -> Accounts:
        """Where nothing is announced, the two agents are one."""
        said = self.agent.says(rows)
        met = np.isin(rows, self.device.rows)
        return Accounts(self.device.says(rows), said, said, announced=False, met=met)


def measured(name: str, world: int) -> Subject:
    """Audit a specimen, then put it under every change."""
    exam = Exam.of(random_world(_FIRST_WORLD + world), count=EFFORTS["smoke"].states)
    key = jax.random.fold_in(jax.random.key(world), hash_of(name))
    decider = make(name, exam, jax.random.fold_in(key, 0))
    profile = audit(decider, exam.task, probes=READ, effort="smoke", key=key)
    rng = np.random.default_rng([world, hash_of(name)])
    mixed = rng.permutation(exam.rows)
    met, new = np.sort(mixed[len(mixed) // 4 :]), np.sort(mixed[: len(mixed) // 4])

    def plainly(rows: np.ndarray, draw: int) -> np.ndarray:
        drawn = jax.random.fold_in(key, 10 + draw)
        return ask(decider, exam, rows, drawn, budget=EFFORTS["smoke"].budgets[-1]).action

    counts = count(plainly, met, exam.values.shape[1])
    device = Device(exam, met, counts)
    asked = _Asked(decider, exam, device, Agent(exam, met, counts, aims(exam, rng)), key)
    changes = (announced_cost, rerouted, new_start, corrupted)
    cases = {
        change: Case(profile, *found(asked, met, new, rng))
        for change, found in zip(CHANGES, changes, strict=True)
    }
    return Subject(f"{name}, world {world}", cases, device.base)


def _measured(work: tuple[str, int]) -> Subject:
    return measured(*work)


def hash_of(name: str) -> int:
    """A number of a name, the same in every process."""
    return SPECIMENS.index(name)


Found = tuple[Accounts, np.ndarray] | tuple[Accounts, np.ndarray, Astray]


def announced_cost(asked: _Asked, met: np.ndarray, new: np.ndarray, rng: Any) -> Found:
    """Two places that the best moves lead to cost from now on."""
    del new
    exam, parts, chosen = asked.exam, [], []
    for number in range(ANNOUNCED):
        rows = rng.choice(met, EACH, replace=False)
        to = exam.reached.to[rows[:2], np.nanargmax(exam.values[rows[:2]], 1), 0]
        told = bonus(exam, exam.place[to], -4.0 * exam.span)
        chosen.append(asked(rows, 100 + number, told))
        said = asked.agent.says(rows, lambda aim, told=told: on_top_of(told, aim))
        parts.append((asked.device.says(rows), said, asked.agent.says(rows)))
    accounts = Accounts(*(np.concatenate(x) for x in zip(*parts, strict=True)), announced=True)
    return accounts, np.concatenate(chosen)


def on_top_of(told: Any, aim: Objective) -> Objective:
    """The same announcement on top of another aim."""
    return type(told)(aim, told.face, told.places, told.amount)


def rerouted(asked: _Asked, met: np.ndarray, new: np.ndarray, rng: Any) -> Found:
    """Where play comes to in worlds whose moves have changed, and the subject is not told."""
    del new
    at, moved = rng.choice(met, PLAYED), [swap(asked.exam, rng) for _ in range(PLAYED)]
    rows, chosen = [], []
    for step in range(STEPS):
        action = asked(at, 200 + step)
        rows.append(at)
        chosen.append(action)
        taken = [moved[i][at[i], action[i]] for i in range(PLAYED)]
        at = asked.exam.reached.to[at, taken, 0]
    return asked.silent(np.concatenate(rows)), np.concatenate(chosen)


def new_start(asked: _Asked, met: np.ndarray, new: np.ndarray, rng: Any) -> Found:
    """States in which the clone and the agents were not fitted."""
    del met, rng
    return asked.silent(new), asked(new, 300)


def corrupted(asked: _Asked, met: np.ndarray, new: np.ndarray, rng: Any) -> Found:
    """What is seen is another state's at times: of which the forecast knows only how often."""
    del new
    rows = rng.permutation(met)[:64]
    shown = np.where(rng.random(len(rows)) < CORRUPTED, rng.choice(met, len(rows)), rows)
    return asked.silent(rows), asked(shown, 400), Astray(CORRUPTED, asked.silent(met))


def compared(subjects: list[Subject]) -> dict[str, Any]:
    """Nats a decision of the forecast and of what it is compared with, by subject and change; and
    calibration.
    """
    rows, saids, chosens, kinds = [], [], [], []
    fitted = {family: fits(subjects, family) for family in {kind(s.name) for s in subjects}}
    for left in subjects:
        family = kind(left.name)
        for change, case in left.cases.items():
            row, said = by_all(case, left.constant, fitted[family], change in MET)
            rows.append({"subject": left.name, "family": family, "change": change, **row})
            saids.append(said)
            chosens.append(case.chosen)
            kinds += [family] * len(said)
    said, chosen = np.concatenate(saids), np.concatenate(chosens)
    return {"rows": rows, "calibration": calibrated(said, chosen, np.array(kinds))}


class Fits(NamedTuple):
    """Two forecasters fitted on the same subjects: one reads profiles, the other none."""

    reading: Forecaster
    blind: Forecaster


def fits(subjects: list[Subject], left_out: str) -> Fits:
    """On all families but one: the same specimen in another world, or a twin, would tell of it what
    no stranger's kin tells.
    """
    others = [
        (kind(s.name), case)
        for s in subjects if kind(s.name) != left_out for case in s.cases.values()
    ]  # fmt: skip
    families, cases = [family for family, _ in others], [case for _, case in others]
    return Fits(
        fit_forecaster(cases, families),
        fit_forecaster([without_profile(case) for case in cases], families),
    )


def by_all(
    case: Case, base: np.ndarray, fitted: Fits, met: bool
) -> tuple[dict[str, Any], np.ndarray]:
    """Nats a decision by each way to foretell it, the accounts' weights, and what is forecast."""
    silent = without_profile(case)
    said = fitted.reading.says(case.profile, case.accounts, case.astray)
    blind = fitted.blind.says(silent.profile, case.accounts, case.astray)
    constants = np.broadcast_to(base, said.shape), np.full_like(said, 1 / said.shape[1])
    announced = case.accounts.announced
    trust, flat_trust = (
        forecaster.trust(profile, announced=announced, met=met).round(3).tolist()
        for forecaster, profile in zip(fitted, (case.profile, silent.profile), strict=True)
    )

    def nats(said: np.ndarray) -> float:
        return float(loss(said, case.chosen).mean())

    return {
        "forecast": nats(said), "without_profile": nats(blind), "clone": nats(flat(case).device),
        "constant": min(nats(x) for x in constants),
        "trust": trust, "trust_without_profile": flat_trust,
    }, said  # fmt: skip


def calibrated(said: np.ndarray, chosen: np.ndarray, kinds: np.ndarray) -> list[dict[str, Any]]:
    """Of each fifth of what can be said: what was said on average, what was taken, and their
    difference with an interval over kinds (linearised, Student's t).
    """  # fmt: skip
    table, bins = [], 5
    bin_of = np.minimum((said * bins).astype(int), bins - 1)
    means = calibration(said, chosen, bins)
    for (mean, taken, actions), place in zip(means, np.unique(bin_of), strict=True):
        here = bin_of == place
        off = np.where(here, np.eye(said.shape[1])[chosen] - said, 0.0).sum(1)
        by = np.array([off[kinds == k].sum() for k in np.unique(kinds)])
        n = np.array([here[kinds == k].sum() for k in np.unique(kinds)])
        apart, freedom = by.sum() / n.sum(), max((n > 0).sum() - 1, 1)
        error = np.sqrt(((by - apart * n) ** 2).sum() * (freedom + 1) / freedom) / n.sum()
        wide = t_quantile(0.95, freedom) * error
        table.append({"said": mean, "taken": taken, "actions": actions, "apart": apart,
                      "low": apart - wide, "high": apart + wide})  # fmt: skip
    return table


def kind(subject: str) -> str:
    """Which family of specimens it is of, in whatever world."""
    name = subject.split(",", maxsplit=1)[0]
    return next((twins[0] for twins in TWINS if name in twins), name)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", action="store_true", help="from what was measured before")
    asked = parser.parse_args()
    if asked.page:
        text = page(json.loads((asked.out / "forecasts.json").read_bytes()))
        atomic_write(asked.out / "forecasts.md", text.encode())
        print(text)
        return
    began, subjects = time.perf_counter(), []
    work = [(name, world) for world in range(asked.worlds) for name in SPECIMENS]
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for subject in pool.imap(_measured, work):
            subjects.append(subject)
            print(f"{time.perf_counter() - began:.0f} s: {subject.name}", flush=True)
    print(written(compared(subjects), asked.out))


def written(found: dict[str, Any], out: Path) -> str:
    """Both files; returns the page."""
    text = page(found)
    content = {**found, "commit": source(), "machine": machine(), "versions": versions()}
    out.mkdir(parents=True, exist_ok=True)
    kept = json.dumps(plain(content, "forecasts.json"), indent=1).encode() + b"\n"
    atomic_write(out / "forecasts.json", kept)
    atomic_write(out / "forecasts.md", text.encode())
    return text


if __name__ == "__main__":
    main()
