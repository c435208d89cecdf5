"""Whether the audit's verdicts can be trusted: its probes by specimens whose answers are known.

    python benchmarks/audit_validity.py [--repeats 60] [--out benchmarks/results]

Each repeat is a random world of 150 states, all specimens in it, and the smoke effort. Writes
audit_validity.json and audit_validity.md: for each probe and specimen how often it was said to
respond, with an exact interval, beside what is right; and the cover of the intervals of a mean, on
a stand-in whose truth is known.
"""

import argparse
import json
import time
from pathlib import Path

import msgspec
import numpy as np

from deliberation.audit.judging import over_groups
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write
from deliberation.specimens import Validated, list_specimens, validate
from deliberation.stats import bootstrap
from deliberation.stats.intervals import exact_proportion

OUT = Path(__file__).resolve().parent / "results"
DRAWS = 1000


def cover() -> dict[str, list[float]]:
    """How often intervals hold the truth where it is known: of states alone, and of groups."""
    rng = np.random.default_rng(0)
    held = {"128 states, ways from -1 to 1": 0, "24 announcements of 8 states": 0}
    for _ in range(DRAWS):
        ways = np.where(rng.random(128) < 0.6, 1.0, -1.0 + rng.random(128))
        found = bootstrap(ways, bounds=(-2.0, 2.0))
        held["128 states, ways from -1 to 1"] += found.low <= 0.6 - 0.5 * 0.4 <= found.high
        effects = rng.normal(0.4, 0.3, 24)
        groups = [effects[i] + rng.normal(0, 0.5, 8) for i in range(24)]
        found = over_groups(groups, 2.0)
        held["24 announcements of 8 states"] += found.low <= 0.4 <= found.high
    return {
        name: [n / DRAWS, *((e := exact_proportion(n, DRAWS)).low, e.high)]
        for name, n in held.items()
    }


def by_probe(found: list[Validated]) -> list[tuple[str, str, str]]:
    """Over all specimens: how often a probe errs, and how often it finds what there is."""
    lines = []
    for probe in dict.fromkeys(line.probe for line in found):
        rates = []
        for responds in (False, True):
            some = [x for x in found if x.probe == probe and (x.truth == "responds") == responds]
            count, n = sum(x.found.get("responds", 0) for x in some), sum(x.repeats for x in some)
            rate = exact_proportion(count, n)
            rates.append(f"{count} of {n} [{rate.low:.3f}, {rate.high:.3f}]" if n else "none asked")
        lines.append((probe, rates[0], rates[1]))
    return lines


def page(found: list[Validated], covers: dict[str, list[float]], repeats: int) -> str:
    """As Markdown."""
    titles = {name: told["title"] for name, told in list_specimens().items()}
    told = [
        "# The audit's probes by specimens", "",
        f"{repeats} random worlds each. *Should*: what the specimen's making says beforehand; "
        "*responds*: the share of worlds in which the probe said so, with an exact 95 % interval. "
        "A probe errs where it says so of one that should not (at most 5 %), and misses where it "
        "does not of one that should (found in at least 80 %).", "",
        "| probe | specimen | should | responds | verdicts | |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for line in found:
        rate, counts = line.responded, ", ".join(f"{k} {n}" for k, n in sorted(line.found.items()))
        told.append(
            f"| {line.probe} | {titles[line.specimen]} | {line.truth} | {rate.estimate:.2f} "
            f"[{rate.low:.2f}, {rate.high:.2f}] | {counts} | {'✓' if line.trusted else '✕'} |"
        )
    told += ["", "## By probe", "", "| probe | false positives | power |", "|---|---|---|"]
    told += [f"| {probe} | {wrong} | {right} |" for probe, wrong, right in by_probe(found)]
    told += ["", "## Cover of the intervals", "", "| of a mean of | covered |", "|---|---|"]
    told += [f"| {name} | {x:.3f} [{a:.3f}, {b:.3f}] |" for name, (x, a, b) in covers.items()]
    return "\n".join(told) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    began = time.perf_counter()

    def watch(line: Validated) -> None:
        print(f"{time.perf_counter() - began:.0f} s: {line}", flush=True)

    found, covers = validate(repeats=asked.repeats, watch=watch), cover()
    text = page(found, covers, asked.repeats)
    content = {
        "repeats": asked.repeats, "lines": msgspec.to_builtins(found), "cover": covers,
        "commit": source(), "machine": machine(), "versions": versions(),
    }  # fmt: skip
    asked.out.mkdir(parents=True, exist_ok=True)
    atomic_write(asked.out / "audit_validity.json", json.dumps(content, indent=1).encode() + b"\n")
    atomic_write(asked.out / "audit_validity.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
