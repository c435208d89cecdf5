"""Whether the audit's verdicts can be trusted: its probes by specimens whose answers are known.

    python benchmarks/audit_validity.py [--repeats 20] [--only PROBES] [--specimens NAMES]
                                        [--jobs 2] [--out benchmarks/results]

Each repeat is a random world of 150 states (none on which a probe's settings were chosen), a
specimen in it, and the smoke effort. Writes
audit_validity.json and audit_validity.md: for each probe and specimen how often it was said to
respond, with an exact interval, beside what is right; and the cover of the intervals of a mean, on
a stand-in whose truth is known. Lines that are there of the same code and of no fewer repeats are
kept, so that it goes on where it was killed; with --keep those of earlier code as well (each line
knows its version) for probes that have not changed. The error rates that an audit quotes are
written beside the probes (src/deliberation/audit/error_rates.json).
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np

from deliberation.audit import list_probes
from deliberation.audit.exam import Exam
from deliberation.audit.judging import over_calls, over_groups
from deliberation.audit.rates import FILE
from deliberation.runs.provenance import code, machine, source, versions
from deliberation.runs.storage import atomic_write
from deliberation.specimens import Validated, by_probe, list_specimens, validate
from deliberation.specimens.validation import asked_of
from deliberation.stats import Estimate, bootstrap, weighted_sum
from deliberation.stats.intervals import exact_proportion

OUT = Path(__file__).resolve().parent / "results"
DRAWS = 1000
FIRST_WORLD = 1000
"""Probes' settings were chosen on worlds below; these are others."""


WHERE = {"listed": "", "game": ", in three small games", "judged": ", judged by a search"}


def cover() -> dict[str, list[float]]:
    """How often intervals hold the truth where it is known, for each way in which probes make one:
    of states alone, of groups, of two halves, of states that are asked in calls, of nats, scores,
    indices, times and bets.
    """
    rng = np.random.default_rng(0)
    apart = cast(Exam, SimpleNamespace(listed=None))  # every state is a place of its own

    def states() -> tuple[Estimate, float]:
        ways = np.where(rng.random(128) < 0.6, 1.0, -1.0 + rng.random(128))
        return bootstrap(ways, bounds=(-2.0, 2.0)), 0.6 - 0.5 * 0.4

    def groups() -> tuple[Estimate, float]:
        effects = rng.normal(0.4, 0.3, 24)
        return over_groups([x + rng.normal(0, 0.5, 8) for x in effects], 2.0), 0.4

    def halves() -> tuple[Estimate, float]:
        right = [(rng.random(64) < p).astype(float) for p in (0.9, 0.6)]
        return weighted_sum([bootstrap(x, bounds=(0, 1)) for x in right], [1.0, -1.0]), 0.3

    def calls() -> tuple[Estimate, float]:
        moods = np.repeat(rng.normal(0.2, 0.4, 16), 8)
        return over_calls(apart, np.arange(128), moods + rng.normal(0, 0.5, 128), (-4.0, 4.0)), 0.2

    def nats() -> tuple[Estimate, float]:  # a planner's or a goal's account: seldom far off
        off = rng.random((80, 4)) < 0.1
        gained = np.where(off, -4.0, rng.normal(0.5, 0.6, (80, 4)))
        return over_groups(list(gained), 5.7), 0.9 * 0.5 - 0.1 * 4.0

    def openings() -> tuple[Estimate, float]:
        score = rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], 80, p=[0.05, 0.1, 0.25, 0.3, 0.3])
        return bootstrap(score, bounds=(-1.0, 1.0)), 0.35

    def indices() -> tuple[Estimate, float]:  # of a learner's stays: four shares of some trials
        stay = rng.binomial(40, [0.8, 0.65, 0.6, 0.7], (240, 4)) / 40
        index = (stay[:, 0] - stay[:, 1] - stay[:, 2] + stay[:, 3]) / 2
        return bootstrap(index, bounds=(-1.0, 1.0)), 0.125

    def times() -> tuple[Estimate, float]:
        return bootstrap(np.median(rng.normal(0.2, 0.5, (5, 24)), 0)), 0.2

    def prices() -> tuple[Estimate, float]:  # how many more of three prices of a bet are taken
        more = (rng.random((3, 96)) < 0.8).mean(0) - (rng.random((3, 96)) < 0.3).mean(0)
        return bootstrap(more, bounds=(-1.0, 1.0)), 0.5

    ways: dict[str, Callable[[], tuple[Estimate, float]]] = {
        "128 states, ways from -1 to 1": states,
        "24 announcements of 8 states": groups,
        "64 states less 64 others": halves,
        "16 calls of 8 states, chance drawn once a call": calls,
        "80 announcements of 4 states, nats with a few great losses": nats,
        "80 openings, scores from -1 to 1": openings,
        "240 learners, an index of how often each stays": indices,
        "24 pairs of batches, medians of 5 logarithms of times": times,
        "96 places, prices of bets that are taken": prices,
    }
    found = {}
    for name, draw in ways.items():
        held = sum(e.low <= truth <= e.high for e, truth in (draw() for _ in range(DRAWS)))
        e = exact_proportion(held, DRAWS)
        found[name] = [e.estimate, e.low, e.high]
    return found


def pooled(found: list[Validated]) -> list[str]:
    """By probe, as rows of a table; a probe that errs or misses too often is marked."""
    return [
        f"| {x.probe}{WHERE[x.kind]} | {x.told(right=False)} | {x.told(right=True)} | "
        f"{'✓' if x.trusted and x.bounded else '✕' if not x.trusted else 'too few'} |"
        for x in by_probe(found)
    ]


def page(found: list[Validated], covers: dict[str, list[float]], repeats: int) -> str:
    """As Markdown."""
    titles = {name: told["title"] for name, told in list_specimens().items()}
    told = [
        "# The audit's probes by specimens", "",
        f"{repeats} random worlds each or more. *Should*: what the specimen's making says "
        "beforehand; *responds*: the share of worlds in which the probe said so, with an exact "
        "95 % interval. "
        "A probe errs where it says so of one that should not (at most 5 %), and misses where it "
        "does not of one that should (found in at least 80 %). Specimens share their worlds, and "
        "many of those that do not respond cannot move by their making, so that the intervals over "
        "audits below are those of such worlds and specimens, and not of any others.", "",
        "| probe | specimen | should | responds | verdicts | of | |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for line in found:
        rate, counts = line.responded, ", ".join(f"{k} {n}" for k, n in sorted(line.found.items()))
        mark = "✓" if line.trusted else "✕"
        told.append(
            f"| {line.probe}{WHERE[line.kind]} | {titles[line.specimen]} | {line.truth} | "
            f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}] | {counts} | {line.repeats} | "
            f"{mark} |"
        )
    head = ["| probe | false positives | power | |", "|---|---|---|---|"]
    told += ["", "## By probe", "",
             "False positives at most 5 % with an upper limit of 8 % or less, power at least 80 %.",
             "", *head, *pooled(found)]  # fmt: skip
    new = [line for line in found if list_specimens()[line.specimen].get("held_out", False)]
    told += [
        "", "## By probe, ways of making specimens that no setting was chosen on", "",
        *head, *pooled(new),
    ]  # fmt: skip
    told += ["", "## Cover of the intervals", "", "| of a mean of | covered |", "|---|---|"]
    told += [f"| {name} | {x:.3f} [{a:.3f}, {b:.3f}] |" for name, (x, a, b) in covers.items()]
    return "\n".join(told) + "\n"


def rates_of(found: list[Validated]) -> dict[str, dict[str, dict[str, int]]]:
    """Per kind of world and probe: of how many it was wrongly said to respond, and rightly."""
    rates: dict[str, dict[str, dict[str, int]]] = {}
    for line in found:
        one = rates.setdefault(line.kind, {}).setdefault(
            line.probe,
            {"wrong": 0, "nulls": 0, "found": 0, "effects": 0, "missed": 0, "specimens": 0},
        )
        if line.truth not in ("responds", "none", "against"):
            continue  # nothing could have been said of it
        responded = line.found.get("responds", 0)
        hit, of = ("found", "effects") if line.truth == "responds" else ("wrong", "nulls")
        one[hit] += responded
        one[of] += line.repeats
        one["specimens"] += line.truth != "responds"
        if line.truth == "responds":
            one["missed"] += line.found.get("none", 0)
    return rates


class Line(msgspec.Struct, frozen=True):
    """A line, and the version of the code that it is of."""

    code: str
    line: Validated


def _place(one: Line) -> tuple[str, str, str]:
    return one.line.probe, one.line.specimen, one.line.kind


def kept_lines(path: Path, keep: bool, again: list[str], anew: Sequence[str] = ()) -> list[Line]:
    """Lines whose probes and specimens still are and should answer so: of this code, or with `keep`
    of earlier code, too, but for the probes to be put again and the specimens to be asked `anew`.
    """
    if not path.exists():
        return []
    lines = msgspec.convert(json.loads(path.read_text()).get("lines", []), list[Line])
    known = list_specimens()
    return [
        one for one in lines
        if known.get(one.line.specimen, {"answers": {}})["answers"].get(one.line.probe)
        == one.line.truth
        and (one.code == code() or (
            keep and one.line.probe not in again and one.line.specimen not in anew
        ))
    ]  # fmt: skip


def counted(work: tuple[str, str, list[str], int]) -> tuple[str, list[Validated], str]:
    """The lines of one specimen in one kind of world, in a process apart; and what went wrong."""
    specimen, kind, probes, repeats = work
    try:
        found = validate(probes, [specimen], repeats=repeats, first=FIRST_WORLD, kinds=[kind])
        return f"{specimen}{WHERE[kind]}", found, ""
    except Exception as error:
        return f"{specimen}{WHERE[kind]}", [], f"{type(error).__name__}: {error}"


def write(
    lines: list[Line], covers: dict[str, list[float]], repeats: int, out: Path, rates: Path
) -> str:
    """All files; returns the page."""
    places = list(list_probes())
    lines = sorted(lines, key=lambda x: (x.line.specimen, places.index(x.line.probe)))
    found = [one.line for one in lines]
    content = {
        "repeats": repeats, "lines": msgspec.to_builtins(lines), "cover": covers, "code": code(),
        "commit": source(), "machine": machine(), "versions": versions(),
    }  # fmt: skip
    text = page(found, covers, repeats)
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(out / "audit_validity.json", json.dumps(content, indent=1).encode() + b"\n")
    atomic_write(out / "audit_validity.md", text.encode())
    atomic_write(rates, json.dumps(rates_of(found), indent=1).encode() + b"\n")
    return text


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", help="probes, separated by commas")
    parser.add_argument("--specimens", help="names, separated by commas")
    parser.add_argument("--keep", action="store_true", help="keep lines of earlier code")
    parser.add_argument("--again", default="", help="probes that --keep does not keep")
    parser.add_argument("--anew", default="", help="specimens that --keep does not keep")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    rates = FILE if asked.out == OUT else asked.out / FILE.name
    probes = list(list_probes()) if asked.only is None else asked.only.split(",")
    names = list(list_specimens()) if asked.specimens is None else asked.specimens.split(",")
    path = asked.out / "audit_validity.json"
    lines = kept_lines(path, asked.keep, asked.again.split(","), asked.anew.split(","))
    known = {_place(one) for one in lines if one.line.repeats >= asked.repeats}
    covers, began, text = cover(), time.perf_counter(), ""
    work = [
        (name, kind, open_, asked.repeats)
        for name in names
        for kind, some in asked_of(name, probes).items()
        if (open_ := [p for p in some if (p, name, kind) not in known])
    ]
    with multiprocessing.get_context("spawn").Pool(asked.jobs, maxtasksperchild=4) as pool:
        for done, (name, found, wrong) in enumerate(pool.imap_unordered(counted, work), 1):
            if wrong:  # one specimen that fails does not take the others down
                print(f"{name} FAILED: {wrong}", flush=True)
            new = [Line(code(), line) for line in found]
            lines = [x for x in lines if _place(x) not in {_place(one) for one in new}] + new
            text = write(lines, covers, asked.repeats, asked.out, rates)
            passed = time.perf_counter() - began
            left = passed / done * (len(work) - done)
            print(f"[{done}/{len(work)}] {name}: {passed:.0f} s, {left:.0f} s left", flush=True)
    print(text or page([one.line for one in lines], covers, asked.repeats))


if __name__ == "__main__":
    main()
