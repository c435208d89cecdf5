"""Resident memory within an audit of a policy of stable-baselines3, over a million steps.

    python benchmarks/audit_memory.py [--only frozen_lake,cartpole] [--ways let_go,kept]
                                      [--steps 1000000] [--out benchmarks/results]

A PPO trained here for a little is audited with the smoke effort in Gymnasium's FrozenLake and
CartPole, in a process apart, again with another key until its environments were stepped so often:
counted are calls of `step`. Every 50,000 of them it is written down what the process holds: all of
it, what malloc has handed out and what it keeps free, memory mappings, and Python's objects. *kept*
leaves every compiled program where JAX keeps it, as if the audit let none go. Flat: after 100,000
steps, no sample is higher than the one there by more than 5 % or 20 MB. Writes audit_memory.json
and audit_memory.md; exits with 1 where *let_go* is not flat.
"""

import argparse
import ctypes
import gc
import itertools
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import jax

from deliberation import adapters
from deliberation.audit import Answer, Channels, audit, auditing
from deliberation.runs import memory
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write

OUT = Path(__file__).resolve().parent / "results"
EVERY, WARM = 50_000, 100_000
SHARE, LEAST = 0.05, 20.0
"""Growth that is still flat: so much of what was held, or so many MB."""
TRAINED = 6_000
WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    "frozen_lake": ("FrozenLake-v1", {"is_slippery": False}),
    "cartpole": ("CartPole-v1", {}),
}
WAYS = ("let_go", "kept")


class Mallinfo(ctypes.Structure):
    """What glibc tells of its heap, in bytes (mallinfo2(3))."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                     "uordblks", "fordblks", "keepcost")
    ]  # fmt: skip


def heap() -> tuple[float, float]:
    """MB that malloc has handed out, and that it holds free; 0 and 0 where it is not glibc's."""
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if tell is None:
        return 0.0, 0.0
    tell.restype = Mallinfo
    told = tell()
    return (told.uordblks + told.hblkhd) / memory.MEGABYTE, told.fordblks / memory.MEGABYTE


class Samples:
    """Counts the steps of all environments of this process, and looks now and then."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]):
        self.steps, self.probe, self.tell = 0, "exam", tell
        self.began = time.monotonic()

    def step(self) -> None:
        """One more."""
        self.steps += 1
        if self.steps % EVERY == 0:
            self.look()

    def look(self) -> None:
        """Write down what the process holds."""
        used, free = heap()
        maps = Path("/proc/self/maps").read_bytes().count(b"\n")
        self.tell({
            "steps": self.steps, "during": self.probe,
            "megabytes": round((memory.resident() or 0) / memory.MEGABYTE, 1),
            "handed_out": round(used, 1), "free": round(free, 1), "mappings": maps,
            "objects": len(gc.get_objects()), "arrays": len(jax.live_arrays()),
            "seconds": round(time.monotonic() - self.began, 1),
        })  # fmt: skip


def sampled(name: str, way: str, pipe: Connection) -> None:
    """Audit one subject again and again in this process, and tell each sample."""
    import gymnasium
    from stable_baselines3 import PPO

    samples, (world_name, options) = Samples(pipe.send), WORLDS[name]

    class Counting(gymnasium.Wrapper):
        """Tells of each step."""

        def step(self, action: Any) -> Any:
            """One more."""
            samples.step()
            return self.env.step(action)

    world = adapters.from_gymnasium(lambda: Counting(gymnasium.make(world_name, **options)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ppo.zip"
        model = PPO("MlpPolicy", gymnasium.make(world_name, **options), n_steps=256, seed=0,
                    device="cpu")  # fmt: skip
        model.learn(TRAINED).save(path)
        policy = adapters.from_sb3(path, world, trust=True)
    if way == "kept":
        auditing.forget_programs = memory.forget_programs = memory.give_back = lambda: None

    def watch(answer: Answer) -> None:
        samples.probe = f"after {answer.probe}"
        samples.look()

    channels = Channels(insides=adapters.insides(policy))
    for key in itertools.count():
        samples.probe = "exam"
        audit(policy, world, effort="smoke", key=jax.random.key(key), channels=channels,
              watch=watch)  # fmt: skip


def listened(name: str, way: str, steps: int) -> list[dict[str, Any]]:
    """The samples of a process apart, which is ended once it has stepped often enough."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=sampled, args=(name, way, theirs), daemon=True)
    process.start()
    theirs.close()
    taken: list[dict[str, Any]] = []
    try:
        while not taken or taken[-1]["steps"] < steps:
            taken.append(ours.recv())
            print(taken[-1], flush=True)
    finally:
        process.kill()
        process.join()
    return taken


def judged(taken: list[dict[str, Any]]) -> dict[str, Any]:
    """By how much what it holds goes beyond what it held when it was warm."""
    warm = next(s for s in taken if s["steps"] >= WARM)["megabytes"]
    later = [s["megabytes"] for s in taken if s["steps"] >= WARM]
    growth = max(later) - warm
    return {
        "warm": warm, "most": max(later), "last": later[-1], "growth": round(growth, 1),
        "flat": growth <= max(LEAST, SHARE * warm), "steps": taken[-1]["steps"],
        "seconds": taken[-1]["seconds"],
    }  # fmt: skip


def page(found: dict[str, Any]) -> str:
    """As Markdown."""
    lines = [
        "# Memory of an audit over its environment's steps", "",
        "Resident MB of a process that audits a PPO of stable-baselines3 (smoke effort), at "
        "100,000 steps and the most that it held later; *kept* leaves all compiled programs where "
        "JAX keeps them. Made by `benchmarks/audit_memory.py`.", "",
        "| world | programs | steps | at 100,000 | most later | at the end | mappings at the end | "
        "flat |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for told in found["runs"]:
        j, last = told["judged"], told["samples"][-1]
        lines.append(
            f"| {told['world']} | {told['way']} | {j['steps']:,} | {j['warm']:.0f} | "
            f"{j['most']:.0f} | {j['last']:.0f} | {last['mappings']:,} | "
            f"{'✓' if j['flat'] else '✕'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="worlds, separated by commas")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    path = asked.out / "audit_memory.json"
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    for name in list(WORLDS) if asked.only is None else asked.only.split(","):
        for way in asked.ways.split(","):
            taken = listened(name, way, asked.steps)
            runs = [r for r in runs if (r["world"], r["way"]) != (name, way)]
            runs.append({"world": name, "way": way, "judged": judged(taken), "samples": taken})
            found = {"runs": runs, "commit": source(), "machine": machine(),
                     "versions": versions()}  # fmt: skip
            asked.out.mkdir(parents=True, exist_ok=True)
            atomic_write(path, json.dumps(found, indent=1).encode() + b"\n")
            atomic_write(asked.out / "audit_memory.md", page(found).encode())
    print(page({"runs": runs}))
    raise SystemExit(any(r["way"] == "let_go" and not r["judged"]["flat"] for r in runs))


if __name__ == "__main__":
    main()
