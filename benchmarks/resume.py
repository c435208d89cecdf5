"""Kill a smoke run at random moments until it is done, and compare it with one left alone.

    python benchmarks/resume.py --kills 20

Both must end with the same table.json, wall-clock rows and provenance aside. Prints what was
compared and exits with 1 where they differ.
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
from pathlib import Path

COMMAND = [sys.executable, "-m", "deliberation.cli", "table", "--effort", "smoke", "--out"]


def measured(folder: Path) -> list[dict]:
    """The rows that two runs must share."""
    rows = json.loads((folder / "table.json").read_text())["rows"]
    return [row for row in rows if not row["timing"]]


def left_alone(folder: Path) -> float:
    """Run without interruption; seconds it took."""
    started = time.monotonic()
    subprocess.run([*COMMAND, str(folder)], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def killed(folder: Path, kills: int, seconds: float, rng: random.Random) -> int:
    """Run, kill after a random time, and again; then let it end. Returns the kills that struck."""
    struck = 0
    for _ in range(kills):
        run = subprocess.Popen(
            [*COMMAND, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            run.wait(timeout=rng.uniform(0.5, 2 + seconds / 4))
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            struck += 1
        done = folder / "records.jsonl"
        cells = done.read_bytes().count(b"\n") if done.exists() else 0
        print(f"  {struck} kills, {cells} cells recorded", flush=True)
    subprocess.run([*COMMAND, str(folder)], check=True, stdout=subprocess.DEVNULL)
    return struck


def main() -> None:
    """Compare and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        whole, broken = Path(room, "whole"), Path(room, "broken")
        seconds = left_alone(whole)
        print(f"left alone: {seconds:.0f} s", flush=True)
        struck = killed(broken, given.kills, seconds, random.Random(given.seed))
        expected, found = measured(whole), measured(broken)
    same = expected == found
    print(f"{struck} kills struck; {len(expected)} rows {'are equal' if same else 'DIFFER'}.")
    for a, b in zip(expected, found, strict=False):
        if a != b:
            print(" ", a, "\n ", b)
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
