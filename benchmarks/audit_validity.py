"""Whether the audit's verdicts can be trusted: its probes by specimens whose answers are known.

    python benchmarks/audit_validity.py [--repeats 20] [--only PROBES] [--specimens NAMES]
                                        [--first 2000] [--keep] [--page] [--jobs 2] [--out FOLDER]

Each repeat is a random world of 150 states, of 18 or of 400 (or one of three small games, with
another key), a specimen in it, and the smoke effort. Worlds are those of the seeds from `--first`
on: no probe's settings were chosen on the usual ones. Writes audit_validity.json and
audit_validity.md: for each probe and specimen how often it was said to respond, with an exact
interval, beside what is right; and the cover of the intervals of a mean, on a stand-in whose truth
is known. Lines that are there of these worlds, of no fewer repeats, and of the present versions of
what can change them (`_audit_versions`) are kept, so that it goes on where it was killed; with
--keep all others stand, too, but for those of --again and --anew, which stand until they are
replaced. Such lines of earlier versions or worlds are marked. --page measures nothing, and writes
what is kept. The error rates that an audit quotes are written beside the probes
(src/deliberation/audit/error_rates.json).
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
from _audit_versions import changed, versions_of

from deliberation.audit import list_probes
from deliberation.audit.exam import Exam
from deliberation.audit.judging import over_calls, over_groups, over_world
from deliberation.audit.probes.depth import weighed
from deliberation.audit.rates import FILE, Count, Rates, counted
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write
from deliberation.specimens import Validated, by_probe, list_specimens, validate
from deliberation.specimens.validation import asked_of
from deliberation.stats import Estimate, bootstrap, weighted_sum
from deliberation.stats.intervals import exact_proportion

OUT = Path(__file__).resolve().parent / "results"
DRAWS = 1000
FIRST_WORLD = 2000
"""Probes' settings were chosen on worlds below, or changed after a look at them; these are
others."""
BEFORE = 1000
"""The first world of lines that do not say it. Settings were chosen on none from it on, but some
were changed after they had been looked at."""
LOOKED_AT = (
    "settings of compute, depth and match were changed after a look at results of such worlds"
)
WHERE = {
    "listed": "", "small": ", in worlds of 18 states", "large": ", in worlds of 400 states",
    "game": ", in three small games", "judged": ", judged by a search",
}  # fmt: skip


def cover() -> dict[str, list[float]]:
    """How often intervals hold the truth where it is known, for each way in which probes make one:
    of states alone, of groups, of two halves, of states that are asked in calls, of most of a
    world, of nats, scores, indices, times and bets.
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

    world = np.arange(150)
    whole = cast(Exam, SimpleNamespace(
        listed=world, place=world, share=lambda rows: len(rows) / len(world)
    ))  # fmt: skip

    def most_of_a_world() -> tuple[Estimate, float]:  # each place asked twice, chance by the call
        effects = rng.normal(0.3, 0.8, len(world))
        rows = np.sort(rng.choice(len(world), 128, replace=False))
        moods = np.repeat(rng.normal(0, 0.2, (2, 16)), 8, 1)
        answers = effects[rows] + moods + rng.normal(0, 0.3, (2, 128))
        return over_world(whole, rows, answers, (-4.0, 4.0)), float(effects.mean())

    def weighed_halves() -> tuple[Estimate, float]:  # choices, weighted so that they are as close
        halves, truths = [], []
        for right in (0.5, 0.7):
            weight = rng.random(60)
            shares = np.clip(right + 0.3 * (weight - 0.5), 0.0, 1.0)
            said = (rng.random(60) < shares).astype(float)
            halves.append(weighed(apart, np.arange(60), said, weight))
            truths.append(float((shares * weight).sum() / weight.sum()))
        return weighted_sum(halves, [1.0, -1.0]), truths[0] - truths[1]

    ways: dict[str, Callable[[], tuple[Estimate, float]]] = {
        "128 states, ways from -1 to 1": states,
        "24 announcements of 8 states": groups,
        "64 states less 64 others": halves,
        "16 calls of 8 states, chance drawn once a call": calls,
        "128 of a world's 150 states, asked twice in such calls": most_of_a_world,
        "80 announcements of 4 states, nats with a few great losses": nats,
        "80 openings, scores from -1 to 1": openings,
        "240 learners, an index of how often each stays": indices,
        "24 pairs of batches, medians of 5 logarithms of times": times,
        "96 places, prices of bets that are taken": prices,
        "60 states less 60 others, each with a weight": weighed_halves,
    }
    found = {}
    for name, draw in ways.items():
        held = sum(e.low <= truth <= e.high for e, truth in (draw() for _ in range(DRAWS)))
        e = exact_proportion(held, DRAWS)
        found[name] = [e.estimate, e.low, e.high]
    return found


class Line(msgspec.Struct, frozen=True):
    """A line, the first of its worlds, and the versions of what can change it."""

    line: Validated
    versions: dict[str, str] = {}
    first: int = BEFORE

    @property
    def changed(self) -> list[str]:
        """What has changed since."""
        return changed(self.line.probe, self.line.specimen, self.versions)


def pooled(lines: list[Line]) -> list[str]:
    """By probe, as rows of a table; a probe that errs or misses too often is marked."""
    rates = rates_of(lines)
    return [
        f"| {x.probe}{WHERE[x.kind]} | {' | '.join(x.told)} | "
        f"{_by_kinds(rates.get(x.kind, {}).get(x.probe, Rates()).responds)} | "
        f"{'✓' if x.trusted and x.bounded else '✕' if not x.trusted else 'too few'} |"
        for x in by_probe(one.line for one in lines)
    ]


def _by_kinds(count: Count) -> str:
    """How many kinds are misjudged, and the one that is most."""
    if not count.audits:
        return "none asked"
    told = f"{count.often} of {count.kinds}; over kinds at most {100 * count.limit:.1f} % of audits"
    worst = f"; most {count.worst}, {count.worst_wrong} of {count.worst_audits}"
    return told + worst * bool(count.wrong)


def head(lines: list[Line]) -> str:
    """What the lines are of, and what holds of how many."""
    sizes = [one.line.repeats for one in lines]
    earlier = sum(bool(one.changed) for one in lines)
    looked = sum(one.first < FIRST_WORLD for one in lines)
    games = sum(one.line.kind == "game" for one in lines)
    return (
        f"{len(lines)} lines of {min(sizes, default=0)} to {max(sizes, default=0)} repeats each "
        f"(column *of*). A repeat is a random world, but for lines in games ({games}): these are "
        "three games, taken in turn with other keys, and not so many worlds. "
        f"{earlier} lines are of an earlier version of their probe, of their specimen, or of what "
        "all share (*earlier*: which), and "
        f"{looked} of worlds before {FIRST_WORLD} (*from*): {LOOKED_AT}. "
        "*Should*: what the specimen's making says beforehand; *responds*: the share of repeats in "
        "which the probe said so, with an exact 95 % interval. "
        "A probe errs where it says so of one that should not (at most 5 %), and misses where it "
        "does not of one that should (found in at least 80 %). Specimens share their worlds, and "
        "many of those that do not respond cannot move by their making, so that the intervals over "
        "audits below are those of such worlds and specimens, and not of any others."
    )


def page(lines: list[Line], covers: dict[str, list[float]]) -> str:
    """As Markdown."""
    titles = {name: told["title"] for name, told in list_specimens().items()}
    told = [
        "# The audit's probes by specimens", "", head(lines), "",
        "| probe | specimen | should | responds | verdicts | of | from | earlier | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for one in lines:
        line = one.line
        rate, counts = line.responded, ", ".join(f"{k} {n}" for k, n in sorted(line.found.items()))
        told.append(
            f"| {line.probe}{WHERE[line.kind]} | {titles[line.specimen]} | {line.truth} | "
            f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}] | {counts} | {line.repeats} | "
            f"{one.first} | {_earlier(one)} | {'✓' if line.trusted else '✕'} |"
        )
    columns = [
        "| probe | false positives | power | the opposite found | no response found | kinds said "
        "wrongly to respond in more than 5 % of repeats | |",
        "|---|---|---|---|---|---|---|",
    ]
    told += ["", "## By probe", "",
             "False positives at most 5 % with an upper limit of 8 % or less; power, and the share "
             "of those found that turn the other way, at least 80 %. Audits of one kind of "
             "specimen go together: of kinds that were not tried, the limit over kinds speaks. Of "
             "specimens that do not respond some are left open (*no response found*: how many are "
             "not); that is no error, and nothing is asked of it.",
             "", *columns, *pooled(lines)]  # fmt: skip
    new = [x for x in lines if list_specimens()[x.line.specimen].get("held_out", False)]
    told += [
        "", "## By probe, ways of making specimens that were held out", "",
        "No probe's setting was chosen on these, but they were among the results after which those "
        "of compute, depth and match were changed.", "",
        *columns, *pooled(new),
    ]  # fmt: skip
    told += ["", "## Cover of the intervals", "", "| of a mean of | covered |", "|---|---|"]
    told += [f"| {name} | {x:.3f} [{a:.3f}, {b:.3f}] |" for name, (x, a, b) in covers.items()]
    return "\n".join(told) + "\n"


def _earlier(one: Line) -> str:
    """Which parts are of an earlier version, in a word each."""
    if not one.versions:
        return "all"
    return ", ".join(name.split(" ")[0].split("/")[-1].removesuffix(".py") for name in one.changed)


def rates_of(lines: list[Line]) -> dict[str, dict[str, Rates]]:
    """Per kind of world and probe: how often each verdict was wrong, by kinds of specimens."""
    rates: dict[str, dict[str, Rates]] = {}
    # Of what is open nothing could have been said wrongly.
    known = [x for x in lines if x.line.truth in ("responds", "none", "against")]
    for kind, probe in dict.fromkeys((x.line.kind, x.line.probe) for x in known):
        some = [x for x in known if (x.line.kind, x.line.probe) == (kind, probe)]
        effects = [x for x in some if x.line.truth == "responds"]
        rates.setdefault(kind, {})[probe] = Rates(
            responds=_wrong("responds", [x for x in some if x.line.truth != "responds"]),
            none=_wrong("none", [x for x in some if x.line.truth != "none"]),
            against=_wrong("against", [x for x in some if x.line.truth != "against"]),
            found=sum(x.line.found.get("responds", 0) for x in effects),
            effects=sum(_asked(x.line) for x in effects),
        )
    return rates


def _asked(line: Validated) -> int:
    return line.repeats - line.found.get("not applicable", 0)


def _wrong(verdict: str, some: list[Line]) -> Count:
    """How often a verdict was given of those of whom it is wrong; kinds by the heads of their
    titles."""
    titles = {name: told["title"].partition(":")[0] for name, told in list_specimens().items()}
    lines = [one.line for one in some]
    kinds = [(titles[x.specimen], x.found.get(verdict, 0), _asked(x)) for x in lines]
    return counted(kinds, sum(_asked(one.line) for one in some if one.changed))


def _place(one: Line) -> tuple[str, str, str]:
    return one.line.probe, one.line.specimen, one.line.kind


def read(path: Path) -> tuple[list[Line], dict[str, Any]]:
    """Lines whose probes and specimens still are and should answer so, and what stands beside."""
    if not path.exists():
        return [], {}
    content = json.loads(path.read_text())
    answers = {name: told["answers"] for name, told in list_specimens().items()}
    lines = msgspec.convert(content.pop("lines", []), list[Line])
    known = [x for x in lines if answers.get(x.line.specimen, {}).get(x.line.probe) == x.line.truth]
    return known, content


def is_new(one: Line, first: int) -> bool:
    """Whether a line is of these worlds and of the present versions."""
    return one.first == first and not one.changed


def measured(work: tuple[str, str, list[str], int, int]) -> tuple[str, list[Validated], str]:
    """The lines of one specimen in one kind of world, in a process apart; and what went wrong."""
    specimen, kind, probes, repeats, first = work
    try:
        found = validate(probes, [specimen], repeats=repeats, first=first, kinds=[kind])
        return f"{specimen}{WHERE[kind]}", found, ""
    except Exception as error:
        return f"{specimen}{WHERE[kind]}", [], f"{type(error).__name__}: {error}"


def ordered(lines: list[Line]) -> list[Line]:
    """By specimen, then by probe."""
    places = list(list_probes())
    return sorted(lines, key=lambda x: (x.line.specimen, places.index(x.line.probe)))


def write(lines: list[Line], beside: dict[str, Any], out: Path, rates: Path) -> str:
    """All files; returns the page."""
    lines = ordered(lines)
    content = {**beside, "lines": msgspec.to_builtins(lines)}
    told = msgspec.to_builtins(rates_of(lines))
    text = page(lines, beside["cover"])
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(out / "audit_validity.json", json.dumps(content, indent=1).encode() + b"\n")
    atomic_write(out / "audit_validity.md", text.encode())
    atomic_write(rates, json.dumps(told, indent=1).encode() + b"\n")
    return text


def here() -> dict[str, Any]:
    """What stands beside lines that are measured here and now."""
    told = {"commit": source(), "machine": machine(), "versions": versions()}
    return {**told, "cover": cover()}


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--first", type=int, default=FIRST_WORLD, help="seed of the first world")
    parser.add_argument("--only", help="probes, separated by commas")
    parser.add_argument("--specimens", help="names, separated by commas")
    parser.add_argument(
        "--keep", action="store_true", help="keep lines of earlier versions and of other worlds"
    )
    parser.add_argument("--again", default="", help="probes that are measured again with --keep")
    parser.add_argument("--anew", default="", help="specimens that are measured again with --keep")
    parser.add_argument("--page", action="store_true", help="measure nothing, write what is kept")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def stands(one: Line, asked: argparse.Namespace) -> bool:
    """Whether a line that is there need not be measured again."""
    again = one.line.probe in asked.again.split(",") or one.line.specimen in asked.anew.split(",")
    kept = asked.keep and not again
    return one.line.repeats >= asked.repeats and (kept or is_new(one, asked.first))


def main() -> None:
    """Measure, print and write."""
    asked = options()
    rates = FILE if asked.out == OUT else asked.out / FILE.name
    lines, before = read(asked.out / "audit_validity.json")
    if asked.page:
        print(write(lines, {"cover": {}, **before}, asked.out, rates))
        return
    probes = list(list_probes()) if asked.only is None else asked.only.split(",")
    names = list(list_specimens()) if asked.specimens is None else asked.specimens.split(",")
    lines = [one for one in lines if asked.keep or is_new(one, asked.first)]
    known = {_place(one) for one in lines if stands(one, asked)}
    beside, began, text = here(), time.perf_counter(), ""
    work = [
        (name, kind, open_, asked.repeats, asked.first)
        for name in names
        for kind, some in asked_of(name, probes).items()
        if (open_ := [p for p in some if (p, name, kind) not in known])
    ]
    now = {(p, name): versions_of(p, name) for name, _, some, *_ in work for p in some}
    with multiprocessing.get_context("spawn").Pool(asked.jobs, maxtasksperchild=4) as pool:
        for done, (name, found, wrong) in enumerate(pool.imap_unordered(measured, work), 1):
            if wrong:  # one specimen that fails does not take the others down
                print(f"{name} FAILED: {wrong}", flush=True)
            new = [Line(line, now[line.probe, line.specimen], asked.first) for line in found]
            lines = [x for x in lines if _place(x) not in {_place(one) for one in new}] + new
            text = write(lines, beside, asked.out, rates)
            passed = time.perf_counter() - began
            left = passed / done * (len(work) - done)
            print(f"[{done}/{len(work)}] {name}: {passed:.0f} s, {left:.0f} s left", flush=True)
    print(text or page(ordered(lines), beside["cover"]))


if __name__ == "__main__":
    main()
