"""Kill a smoke run at random moments until it is done, and compare it with one left alone.

    python benchmarks/resume.py --kills 20

Both must end with the same table.json, wall-clock rows and provenance aside. Prints what was
compared, writes benchmarks/results/resume.json, and exits with 1 where they differ.
"""

import argparse
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
OUT = Path(__file__).resolve().parent / "results"


def measured(folder: Path) -> list[dict]:
    """The rows that two runs must share."""
    rows = json.loads((folder / "table.json").read_text())["rows"]
    return [row for row in rows if not row["timing"]]


def left_alone(folder: Path) -> float:
    """Run without interruption; seconds it took."""
    started = time.monotonic()
    subprocess.run([*COMMAND, str(folder)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def killed(folder: Path, kills: int, seconds: float, rng: random.Random) -> list[int]:
    """Run, kill after a random time, and again; then let it end.

    Returns the cells that were recorded at each kill that struck a run that was still going.
    """
    struck: list[int] = []
    for _ in range(kills):
        run = subprocess.Popen(
            [*COMMAND, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            run.wait(timeout=rng.uniform(0.5, 2 + seconds / 4))
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            done = folder / "records.jsonl"
            struck.append(done.read_bytes().count(b"\n") if done.exists() else 0)
        print(f"  {len(struck)} kills, cells recorded at each: {struck}", flush=True)
    subprocess.run([*COMMAND, str(folder)], check=True, stdout=subprocess.DEVNULL)
    return struck


def main() -> None:
    """Compare and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of resume.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        whole, broken = Path(room, "whole"), Path(room, "broken")
        seconds = left_alone(whole)
        print(f"left alone: {seconds:.0f} s", flush=True)
        struck = killed(broken, given.kills, seconds, random.Random(given.seed))
        expected, found = measured(whole), measured(broken)
        print(f"compared with their digests: {verify(broken)}", flush=True)
    same = expected == found
    differ = [[a, b] for a, b in zip_longest(expected, found) if a != b]
    print(f"{len(struck)} kills struck; {len(expected)} rows {'are equal' if same else 'DIFFER'}.")
    for a, b in differ:
        print(" ", a, "\n ", b)
    write(
        given.out / "resume.json",
        {"same": same, "rows": len(expected), "kills": struck, "seed": given.seed,
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
