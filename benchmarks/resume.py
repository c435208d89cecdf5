"""Kill a smoke run at random moments all along it, and compare it with one left alone.

    python benchmarks/resume.py --kills 20

The run that is left alone tells when each record comes. Kills fall after records drawn evenly from
all of them (each at most once while there are enough), and some random seconds later, drawn from
the time that the next record took to come: so no two strike the same state. Both runs must end
with the same table.json, wall-clock rows and provenance aside. Prints what was compared, writes
benchmarks/results/resume.json, and exits with 1 where they differ.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import zip_longest
from pathlib import Path

from deliberation.runs import verify
from deliberation.runs.provenance import machine, source, versions

COMMAND = [sys.executable, "-m", "deliberation.cli", "table", "--effort", "smoke", "--out"]
TICK = 0.02
"""Seconds between two looks at the records."""
OUT = Path(__file__).resolve().parent / "results"


def measured(folder: Path) -> list[dict]:
    """The rows that two runs must share."""
    rows = json.loads((folder / "table.json").read_text())["rows"]
    return [row for row in rows if not row["timing"]]


def left_alone(folder: Path) -> tuple[list[float], float]:
    """Run without interruption: the seconds after which each record came, and those of it all."""
    started, times = time.monotonic(), list[float]()
    run = begun(folder)
    while run.poll() is None:
        passed = time.monotonic() - started
        times += [passed] * (recorded(folder) - len(times))
        time.sleep(TICK)
    if run.returncode:
        raise RuntimeError(f"The run that was left alone ended with {run.returncode}.")
    seconds = time.monotonic() - started
    return times + [seconds] * (recorded(folder) - len(times)), seconds


def moments(times: list[float], kills: int, rng: random.Random) -> list[tuple[int, float]]:
    """When to kill: after so many records, and so many seconds more; earlier ones first.

    Numbers of records are drawn evenly from 0 to one less than all, none again before every other;
    seconds evenly from those until the next record came in the run that was left alone.
    """
    places = range(len(times))
    rounds, rest = divmod(kills, len(times))
    after = sorted([*places] * rounds + rng.sample(places, rest))
    gaps = [late - early for early, late in itertools.pairwise([0.0, *times])]
    return [(count, rng.uniform(0.0, gaps[count])) for count in after]


def killed(folder: Path, when: list[tuple[int, float]]) -> list[dict[str, float]]:
    """Run and kill at each of these moments in turn; then let it end.

    Returns of each kill that struck a run still going how many records there were, and how many
    seconds that call had run.
    """
    struck: list[dict[str, float]] = []
    for count, more in when:
        started, run = time.monotonic(), begun(folder)
        while run.poll() is None and recorded(folder) < count:
            time.sleep(TICK)
        try:
            run.wait(timeout=more)
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            passed = round(time.monotonic() - started, 2)
            struck.append({"records": recorded(folder), "seconds": passed})
        print(
            f"  {len(struck)} kills, records at each: {[s['records'] for s in struck]}", flush=True
        )
    subprocess.run([*COMMAND, str(folder)], check=True, stdout=subprocess.DEVNULL)
    return struck


def begun(folder: Path) -> "subprocess.Popen[bytes]":
    """The run, or what is left of it."""
    return subprocess.Popen(
        [*COMMAND, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def recorded(folder: Path) -> int:
    """How many cells have a record."""
    done = folder / "records.jsonl"
    return done.read_bytes().count(b"\n") if done.exists() else 0


def main() -> None:
    """Compare and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of resume.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        whole, broken = Path(room, "whole"), Path(room, "broken")
        times, seconds = left_alone(whole)
        print(f"left alone: {seconds:.0f} s, {len(times)} records", flush=True)
        struck = killed(broken, moments(times, given.kills, random.Random(given.seed)))
        expected, found = measured(whole), measured(broken)
        print(f"compared with their digests: {verify(broken)}", flush=True)
    same = expected == found
    differ = [[a, b] for a, b in zip_longest(expected, found) if a != b]
    states = len({kill["records"] for kill in struck})
    print(
        f"{len(struck)} kills struck {states} states of the records; "
        f"{len(expected)} rows {'are equal' if same else 'DIFFER'}."
    )
    for a, b in differ:
        print(" ", a, "\n ", b)
    write(
        given.out / "resume.json",
        {"same": same, "rows": len(expected), "records": len(times), "states": states,
         "kills": struck, "seed": given.seed,
         "seconds_left_alone": round(seconds, 1), "differ": differ},
    )  # fmt: skip
    raise SystemExit(0 if same else 1)


def write(path: Path, found: dict) -> None:
    """Keep what was found, and on what."""
    commit, dirty = source()
    told = {"machine": machine(), "versions": versions(), "commit": commit, "dirty": dirty}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**found, **told}, indent=1) + "\n", encoding="utf-8")
    print(f"Wrote {path}")


if __name__ == "__main__":
    main()
