"""Kill an audit of a policy of stable-baselines3 everywhere, and compare it with one left alone.

    python benchmarks/resume_audit.py [--kills 12] [--seed 0] [--out benchmarks/results]

A PPO trained here for a little is audited by the command, in FrozenLake. SIGKILL strikes right
after each answer is written, and at random instants all along the run (`instants`), in turn
the command alone and all of its processes at once; each time the same command goes on. After each
kill no process may be left within ten seconds, and every file of an answer must be whole; at the
end nothing half-written may lie in the folder, and every number but seconds must be that of the
audit that was left alone. Writes resume_audit.json, and exits with 1 where anything differs.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resume import TICK, write

OUT = Path(__file__).resolve().parent / "results"
PROBES = ("effort", "depth", "shifts", "worth", "map")
WORLD = "gym:FrozenLake-v1?is_slippery=false&max_episode_steps=8"
PATIENCE = 10.0
"""Seconds in which all processes of a killed audit must be gone."""
CLOCK = "seconds"
"""The field of an answer that no two runs share."""


def command(policy: Path, folder: Path) -> list[str]:
    """The same at every call."""
    return [
        sys.executable, "-m", "deliberation.cli", "audit", f"sb3:{policy}", "--trust",
        "--world", WORLD, "--effort", "smoke", "--probes", ",".join(PROBES), "--jobs", "1",
        "--out", str(folder),
    ]  # fmt: skip


def trained(path: Path) -> None:
    """A policy that need not be good."""
    import gymnasium
    from stable_baselines3 import PPO

    lake = gymnasium.make("FrozenLake-v1", is_slippery=False)
    PPO("MlpPolicy", lake, n_steps=256, seed=0, device="cpu").learn(2_000).save(path)


def answered(folder: Path) -> dict[str, Any]:
    """What each file holds, but for seconds. Raises where one is not whole."""
    return {path.name: timeless(json.loads(path.read_bytes())) for path in folder.glob("*.json")}


def timeless(held: Any) -> Any:
    """The same without any seconds."""
    if isinstance(held, dict):
        return {name: timeless(value) for name, value in held.items() if name != CLOCK}
    return [timeless(value) for value in held] if isinstance(held, list) else held


def written(folder: Path) -> int:
    """How many answers are there."""
    return sum((folder / f"{probe}.json").exists() for probe in PROBES)


def begun(call: list[str]) -> "subprocess.Popen[bytes]":
    """The audit, or what is left of it, in a session of its own."""
    return subprocess.Popen(
        call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def left_over(session: int) -> list[str]:
    """The processes of a session that are no zombies."""
    told = subprocess.run(["ps", "-eo", "sid,stat,pid"], capture_output=True, text=True).stdout
    rows = [line.split() for line in told.splitlines()[1:]]
    return [pid for sid, stat, pid in rows if sid == str(session) and not stat.startswith("Z")]


def ended(session: int) -> float | None:
    """Seconds until no process of a session was left; None where some are after all patience."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        if not left_over(session):
            return round(time.monotonic() - began, 2)
        time.sleep(0.1)
    return None


def alone(call: list[str], folder: Path) -> tuple[list[float], float]:
    """The seconds after which each answer came, and those of it all."""
    started, times, run = time.monotonic(), list[float](), begun(call)
    while run.poll() is None:
        times += [time.monotonic() - started] * (written(folder) - len(times))
        time.sleep(TICK)
    if run.returncode:
        raise RuntimeError(f"The audit that was left alone ended with {run.returncode}.")
    return times, time.monotonic() - started


def struck(
    call: list[str], folder: Path, when: list[tuple[int, float]], tell: Callable[[Any], None]
) -> list[dict[str, Any]]:
    """Run and kill at each of these moments in turn, then let it end: each kill that struck a run
    still going, with how it was found afterwards.
    """
    kills: list[dict[str, Any]] = []
    for number, (count, more) in enumerate(when):
        started, run = time.monotonic(), begun(call)
        while run.poll() is None and written(folder) < count:
            time.sleep(TICK / 4)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(timeout=more)
        if run.poll() is not None:
            continue
        everybody = number % 2 == 1
        (os.killpg if everybody else os.kill)(run.pid, signal.SIGKILL)
        run.wait()
        passed = round(time.monotonic() - started, 2)
        gone, files = ended(run.pid), answered(folder)
        kills.append({
            "answers": written(folder), "seconds": passed, "everybody": everybody,
            "gone_after": gone, "files": len(files),
            "half_written": len(list(folder.glob(".*.part"))),
        })  # fmt: skip
        tell(kills[-1])
    subprocess.run(call, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return kills


def instants(times: list[float], kills: int, seed: int) -> list[tuple[int, float]]:
    """When to kill at random: once there are so many answers (drawn evenly), within the seconds
    that a call takes to its first one. Much of that goes by before the first probe: imports, the
    environment, the states and their truth.
    """
    rng, counts = random.Random(seed), range(len(times))
    drawn = [*counts] * (kills // len(times)) + rng.sample(counts, kills % len(times))
    return sorted((count, rng.uniform(0.0, times[0])) for count in drawn)


def compared(
    expected: dict[str, Any], found: dict[str, Any], folder: Path, kills: list[dict[str, Any]]
) -> dict[str, Any]:
    """Files that differ from those of the audit left alone, kills that left a process, and what
    lies half-written at the end.
    """
    return {
        "differ": [n for n in sorted(expected | found) if expected.get(n) != found.get(n)],
        "orphans": sum(kill["gone_after"] is None for kill in kills),
        "rest": [path.name for path in folder.glob(".*.part")],
        "kills": kills,
    }  # fmt: skip


def main() -> None:
    """Compare and say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12, help="at random instants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of resume_audit.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        policy, whole = Path(room, "ppo.zip"), Path(room, "whole")
        trained(policy)
        times, seconds = alone(command(policy, whole), whole)
        print(f"left alone: {seconds:.0f} s, {len(times)} answers", flush=True)
        expected, series = answered(whole), dict[str, Any]()
        for name, when in (
            ("after each answer", [(count, 0.0) for count in range(1, len(times))]),
            ("at random", instants(times, given.kills, given.seed)),
        ):
            print(name, flush=True)
            folder = Path(room, name.replace(" ", "_"))
            kills = struck(command(policy, folder), folder, when, lambda x: print(x, flush=True))
            series[name] = compared(expected, answered(folder), folder, kills)
            told = {k: v for k, v in series[name].items() if k != "kills"}
            print(f"{len(kills)} kills, {len(expected)} files: {told}", flush=True)
    write(
        given.out / "resume_audit.json",
        {"series": series, "files": sorted(expected), "seed": given.seed,
         "seconds_left_alone": round(seconds, 1)},
    )  # fmt: skip
    fine = not any(one["differ"] or one["orphans"] or one["rest"] for one in series.values())
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
