"""Every decider in thousands of small random worlds, against brute force.

    python benchmarks/fuzz.py --tasks 2000 --out benchmarks/results

Worlds of one to three players, alternating or not, with opposite aims or not, with chance, hidden
parts, dead ends, ties, a single action, rewards from 1e-6 to 1e9, an objective handed over, states
of 64 bits or with random keys inside (tests/fuzzed.py). An answer is right, well-formed where there
is no one right answer ("sane"), a typed refusal, missed (by a decider that draws and is right with
more simulations), wrong (also: refused where it should serve, or answered where it should refuse),
a raw crash, or a hang. Deciders that draw are held to how often they miss, and all to what they
lose on average; what exceeds its limit stands at the top. Writes fuzz.json and fuzz.md. A run that
was ended goes on where it was: what is done stands in `--log`.
"""

import argparse
import collections
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
LIMIT = 900.0
"""Seconds after which a decision counts as a hang; the first one of a kind compiles."""
FAILED = ("wrong", "crash", "hang")
MOST_MISSED = 0.05
"""In so many of the worlds where it is judged may a decider that draws miss."""
MOST_LOST = 0.05
FEW = 10
"""So much may a decider lose on average, in parts of what separates the best action from the worst.
"""
FLAGS = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
"""Most of the time goes to compiling small programs."""


def main() -> None:
    """Fuzz what is left to fuzz, and write; or one kind of world, when called by itself."""
    parser = argparse.ArgumentParser(description="Fuzz every decider against brute force.")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--log", type=Path, default=Path("out/fuzz.jsonl"), help="what is done")
    parser.add_argument("--jobs", type=int, default=1, help="kinds of worlds side by side")
    parser.add_argument("--report", action="store_true", help="of what is done, and no more")
    parser.add_argument("--again", action="store_true", help="ask anew where it failed")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds that are a hang")
    parser.add_argument("--task", type=int, help="this one alone, in this process")
    parser.add_argument("--kind", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--own", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    if asked.task is not None:
        jax.config.update("jax_enable_x64", is_wide(asked.task))
        for line in fuzz_one(asked.task, set()):
            print(json.dumps(line))
    elif asked.kind is not None:
        work(asked.kind, asked.tasks, asked.log, asked.own)
    else:
        asked.log.parent.mkdir(parents=True, exist_ok=True)
        if asked.again:
            forget(asked.log)
        if not asked.report:
            watch(asked.tasks, asked.log, asked.jobs, asked.limit)
        write(asked.out, read_all(asked.log), asked.tasks)


# One kind of worlds, in a process of its own


def kinds() -> list[Any]:
    """All kinds of worlds; task i is of kind i modulo their number."""
    from fuzzed_deciders import MADE, MADE_WIDE

    return [*MADE, *MADE_WIDE]


def is_wide(task: int) -> bool:
    """Whether its states have 64 bits, which JAX has to be told."""
    every = kinds()
    return bool(every[task % len(every)].form == "wide")


def entrants(task: int) -> list[Any]:
    """Who is asked in a world; those that take long only in some, of the kinds with plain states.

    What is learned from trial and error compiles for every world: it is asked in three of each such
    kind.
    """
    import fuzzed_deciders as deciders

    number, kind = divmod(task, len(kinds()))
    some = kinds()[kind].form == "plain"
    found = [
        entrant
        for entrant in (*deciders.CONTESTANTS, *deciders.VALUES)
        if entrant.every == 1 or (some and number % entrant.every == 0)
    ]
    return found + [*deciders.CONTESTANTS_THAT_LEARN] * (some and number < 3)


def fuzz_one(task: int, done: set[tuple[int, str]]) -> Any:
    """A line before and a line after each decider that was not asked yet."""
    import fuzzed_judge
    from fuzzed import random_options, random_world

    every = kinds()
    kind = every[task % len(every)]
    options = random_options(task)
    world = random_world(task, kind, **options)
    # In every third world the task's own rewards are others, and the objective is handed over.
    usual = {**options, "opposed": True}
    own = random_world(task, kind, rewards=task + 1, **usual) if task % 3 == 2 else None
    case = fuzzed_judge.Case.of(world, task, own)
    for entrant in entrants(task):
        if (task, entrant.name) in done:
            continue
        yield {"task": task, "decider": entrant.name, "kind": str(kind)}
        verdict = fuzzed_judge.judge(entrant, case, task)
        told = {"scale": world.scale, **dataclasses.asdict(verdict)}
        yield {"task": task, "decider": entrant.name, "kind": str(kind), **told}


def work(kind: int, tasks: int, log: Path, own: Path) -> None:
    """All tasks of one kind that stand in no log yet, into a log of one's own."""
    done = {(line["task"], line["decider"]) for line in (*read(log), *read(own))}
    count = len(kinds())
    write_lines(own, read(own))  # no half line for the next one to be joined to
    with own.open("a", encoding="utf-8") as out:
        for task in range(kind, tasks, count):
            for line in fuzz_one(task, done):
                out.write(json.dumps(line) + "\n")
                out.flush()


def read(log: Path) -> list[dict[str, Any]]:
    """The outcomes so far; whole lines only, the last of each decision."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # cut off when the run was ended
            continue
        if isinstance(entry, dict) and {"task", "decider", "outcome"} <= entry.keys():
            found[entry["task"], entry["decider"]] = entry
    return list(found.values())


# The parent


@dataclasses.dataclass
class Worker:
    """A process that fuzzes one kind of worlds, into a log of its own."""

    kind: int
    log: Path
    process: subprocess.Popen[bytes]

    @staticmethod
    def start(kind: int, tasks: int, log: Path) -> "Worker":
        """Begin, or go on."""
        own = log.with_name(f"{log.stem}.{kind}.jsonl")
        own.touch()
        flags = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}".strip()
        wide = "1" if is_wide(kind) else "0"
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        settings = {
            "JAX_COMPILATION_CACHE_DIR": str(cache / "deliberation" / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            **os.environ, "XLA_FLAGS": flags, "JAX_ENABLE_X64": wide,
        }  # fmt: skip
        command = [sys.executable, __file__, "--kind", str(kind), "--tasks", str(tasks)]
        command += ["--log", str(log), "--own", str(own)]
        return Worker(kind, own, subprocess.Popen(command, env=settings))

    def hangs(self, limit: float) -> bool:
        """Whether nothing was heard for so many seconds; then it is ended and that is noted."""
        if time.time() - self.log.stat().st_mtime < limit:
            return False
        self.process.kill()
        self.process.wait()
        return self.note("hang", f"no answer within {limit:.0f} s")

    def note(self, outcome: str, why: str) -> bool:
        """Write down how the decision under way ended; False if there was none."""
        last = [line for line in self.log.read_text(encoding="utf-8").splitlines() if line][-1:]
        begun = json.loads(last[0]) if last else {"outcome": ""}
        if "outcome" in begun:
            return False
        with self.log.open("a", encoding="utf-8") as out:
            out.write(json.dumps({**begun, "outcome": outcome, "why": why, "loss": []}) + "\n")
        return True


def watch(tasks: int, log: Path, jobs: int, limit: float = LIMIT) -> None:
    """Run every kind; what hangs or ends its process is noted, and the rest goes on."""
    waiting, busy = list(range(min(len(kinds()), tasks))), []
    began, told = time.time(), 0.0
    first = len(read_all(log))
    while waiting or busy:
        while waiting and len(busy) < jobs:
            busy.append(Worker.start(waiting.pop(0), tasks, log))
        time.sleep(1)
        for worker in list(busy):
            code = worker.process.poll()
            hung = code is None and worker.hangs(limit)
            if code is None and not hung:
                continue
            busy.remove(worker)
            crashed = code not in (None, 0) and worker.note("crash", f"the process ended: {code}")
            if hung or crashed:
                waiting.insert(0, worker.kind)
        if time.time() - told > 20:
            told = time.time()
            progress(len(read_all(log)), first, tasks, told - began)
    merge(log)


def progress(done: int, first: int, tasks: int, seconds: float) -> None:
    """One line: how much is done, and how long the rest will take at this pace."""
    total = sum(len(entrants(task)) for task in range(tasks))
    pace = (done - first) / max(seconds, 1e-9)
    left = f"{(total - done) / pace / 60:.0f} min left" if pace > 0 else "starting"
    print(f"{done:,} of {total:,} decisions, {left}", flush=True)


def logs(log: Path) -> list[Path]:
    """The one of earlier runs, and those of all workers."""
    return [log, *sorted(log.parent.glob(f"{log.stem}.*.jsonl"))]


def read_all(log: Path) -> list[dict[str, Any]]:
    """The outcomes of all workers and earlier runs: each decision once, the latest."""
    found = {(x["task"], x["decider"]): x for one in logs(log) for x in read(one)}
    return list(found.values())


def merge(log: Path) -> None:
    """All outcomes in one log."""
    write_lines(log, read_all(log))


def forget(log: Path) -> None:
    """Drop what failed, so that it is asked anew."""
    for one in logs(log):
        write_lines(one, [x for x in read(one) if x["outcome"] not in FAILED])


def write_lines(log: Path, lines: list[dict[str, Any]]) -> None:
    """Replace a log, at once."""
    partial = log.with_suffix(".partial")
    partial.write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
    partial.replace(log)


# The report


def write(folder: Path, lines: list[dict[str, Any]], tasks: int) -> None:
    """fuzz.json and fuzz.md: counts by decider, by kind of world and by scale; all that failed."""
    from fuzzed_judge import MORE

    from deliberation.runs.provenance import machine, versions

    failed = [x for x in lines if x["outcome"] in FAILED]
    missing = [x for x in lines if x["outcome"] == "missed"]
    slow = [x for x in missing if f"with {MORE[0]} " not in x["why"]]
    missed, lost = misses(lines), losses(lines)
    content = {
        "tasks": len({x["task"] for x in lines}),
        "asked": tasks,
        "decisions": len(lines),
        "deciders": counts(lines, "decider"),
        "kinds": counts(lines, "kind"),
        "scales": counts(lines, "scale"),
        "loss": lost,
        "missed": missed,
        "exceeded": exceeded(missed, lost),
        "failed": [{k: v for k, v in x.items() if k != "loss"} for x in failed],
        "missing": [{k: v for k, v in x.items() if k != "loss"} for x in missing],
        "slow": [{k: v for k, v in x.items() if k != "loss"} for x in slow],
        "machine": machine(),
        "versions": versions(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fuzz.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "fuzz.md").write_text(page(content), encoding="utf-8")
    print(page(content))


def counts(lines: list[dict[str, Any]], by: str) -> dict[str, dict[str, int]]:
    """How often each outcome came, by something."""
    found: dict[str, collections.Counter[str]] = {}
    for line in lines:
        name = line.get(by)
        name = f"{name:g}" if isinstance(name, float) else str(name)
        found.setdefault(name, collections.Counter())[line["outcome"]] += 1
    return {name: dict(count) for name, count in found.items()}


def losses(lines: list[dict[str, Any]]) -> dict[str, float]:
    """What deciders lose on average, in parts of what separates the best action from the worst."""
    found: dict[str, list[float]] = {}
    for line in lines:
        found.setdefault(line["decider"], []).extend(line["loss"])
    return {name: sum(all_) / len(all_) for name, all_ in found.items() if all_}


def misses(lines: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of deciders that draw: in what part of the worlds where they are judged they miss."""
    from fuzzed_deciders import CONTESTANTS

    from deliberation.stats import proportion

    found = {}
    for name in (x.name for x in CONTESTANTS if x.draws):
        outcomes = [x["outcome"] for x in lines if x["decider"] == name]
        count = sum(outcomes.count(x) for x in ("right", "missed", "wrong"))
        if count:
            rate = proportion(outcomes.count("missed"), count)
            found[name] = {k: getattr(rate, k) for k in ("estimate", "low", "high", "n")}
    return found


def exceeded(missed: dict[str, dict[str, float]], lost: dict[str, float]) -> list[str]:
    """Who surely misses more often, or loses more on average, than it may."""
    found = [
        f"{name} misses in {rate['estimate']:.1%} of {rate['n']} worlds (95% interval from "
        f"{rate['low']:.1%} to {rate['high']:.1%}), more than {MOST_MISSED:.0%}."
        for name, rate in missed.items()
        if rate["low"] > MOST_MISSED
    ]
    return found + [
        f"{name} loses {loss:.4f} on average, more than {MOST_LOST:g}."
        for name, loss in lost.items()
        if loss > MOST_LOST
    ]


def undecided(missed: dict[str, dict[str, float]]) -> list[str]:
    """Who was judged in too few worlds to tell whether it misses more often than it may."""
    return [
        f"{name}: {rate['estimate']:.1%} of {rate['n']} worlds, {rate['high']:.1%} at most."
        for name, rate in missed.items()
        if rate["low"] <= MOST_MISSED < rate["high"]
    ]


def unjudged(deciders: dict[str, dict[str, int]]) -> list[str]:
    """Who had fewer than ten worlds in which there was a right answer to give, or an answer."""
    return [
        name for name, count in deciders.items()
        if sum(count.get(x, 0) for x in ("right", "sane", "missed", "wrong")) < FEW
    ]  # fmt: skip


def page(content: dict[str, Any]) -> str:
    """As Markdown."""
    from fuzzed_judge import CLOSE_CALL, MORE, OUTCOMES

    told = [
        "# Every decider against brute force", "",
        f"{content['tasks']:,} small random worlds, {content['decisions']:,} decisions of batches "
        f"of four states, on {content['machine']['cores']} cores.", "",
        "*right*: by brute force; *sane*: well-formed, where there is no one right answer; "
        "*refused*: by a typed error, where it cannot serve; *missed*: by a decider that draws, "
        f"and is right with {MORE[0]} times the simulations, or with {MORE[1]}, or whose answer "
        f"turns on what another player prefers by less than {CLOSE_CALL:.0%} of the greatest "
        "return; the last two are listed below; *wrong*: another answer, or a refusal where "
        "it should serve; *crash*: any other error; *miss rate*: of the worlds where it is judged, "
        f"with a 95% interval, at most {MOST_MISSED:.0%}; *loss*: the mean of what judged answers "
        "fall short of the best, in parts of what separates the best action from the worst, at "
        f"most {MOST_LOST:g}.", "",
        "## Shown to be beyond its limit", "",
        *(f"- {x}" for x in content["exceeded"] or ["Nobody."]), "",
        "## Judged in too few worlds to tell", "",
        *(f"- {x}" for x in undecided(content["missed"]) or ["Nobody."]),
        f"- Answered in fewer than {FEW} worlds: "
        f"{', '.join(unjudged(content['deciders'])) or 'nobody'}.",
        "", "## Wrong answers", "",
        f"{sum(count.get('wrong', 0) for count in content['deciders'].values())}, each listed "
        "under *What failed*.", "",
        "## Outcomes",
    ]  # fmt: skip
    for title, key in (("decider", "deciders"), ("kind of world", "kinds"), ("rewards", "scales")):
        heads = [title, *OUTCOMES, *(["loss", "miss rate"] if key == "deciders" else [])]
        told += ["", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        for name, count in content[key].items():
            cells = [name, *(str(count.get(outcome, 0)) for outcome in OUTCOMES)]
            if key == "deciders":
                loss = content["loss"].get(name)
                cells.append("" if loss is None else f"{loss:.4f}")
                rate = content["missed"].get(name)
                cells.append(
                    "{estimate:.3f} [{low:.3f}, {high:.3f}]".format(**rate) if rate else ""
                )
            told.append(f"| {' | '.join(cells)} |")
    told += ["", "## What failed", ""]
    shown = content["failed"][:60]
    told += [f"- {told_of(x)}" for x in shown]
    more = len(content["failed"]) - len(shown)
    told += [f"- and {more} more" if more else "" if shown else "Nothing."]
    told += [
        "",
        f"## Right with {MORE[1]} times the simulations only, or but for another's close call",
        "",
    ]
    told += [f"- {told_of(x)}" for x in content["slow"]] or ["Nothing."]
    told += ["", "`python benchmarks/fuzz.py --task N` asks all deciders in one world again."]
    return "\n".join(told) + "\n"


def told_of(line: dict[str, Any]) -> str:
    """One decision in a line."""
    world = f"{line['kind']}, rewards of {line.get('scale', 0):g}"
    why = " ".join(line["why"].split())[:160]
    return f"task {line['task']} ({world}), {line['decider']}: {line['outcome']}: {why}"


if __name__ == "__main__":
    main()
