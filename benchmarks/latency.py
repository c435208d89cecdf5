"""How long one decision takes: `decide` from Python, inside of compiled functions, and for others.

Contestants of a row are called in turn in one process, and compared by the medians of the ratios
within rounds (see `search.py`, whose limit and settings these are). Writes
benchmarks/results/latency.json and latency.md; rows that were measured before are kept.

    python benchmarks/latency.py
    python benchmarks/latency.py --rows decide,uneven --rounds 5
"""

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "latency.json"
ROUNDS = 11
STRENGTH, PAIRS = "strength", 100
"""The match of simulations side by side against those one after the other, and its openings."""
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def measured(name: str, rounds: int) -> dict[str, Any]:
    """One row, in this process."""
    from _latency_rows import ROWS
    from _search_timing import interleave, load, ratios, spread

    row = ROWS[name]
    contestants, before = row.make(), load()
    seconds = interleave(contestants, rounds, lambda text: None)
    pairs = [(a, b) for a, b, _ in row.wanted if b is not None]
    return {
        "seconds": {name: spread(found) for name, found in seconds.items()},
        "ratios": ratios(seconds, pairs),
        "python_calls": {name: calls(one) for name, one in contestants.items()},
        "load": [before, load()],
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def calls(contestant: Any) -> int:
    """How many calls Python makes for one answer."""
    import jax

    key = jax.random.key(0)
    watch = cProfile.Profile()
    watch.enable()
    jax.block_until_ready(contestant(key))
    watch.disable()
    return pstats.Stats(watch).total_calls  # type: ignore[attr-defined]


def ask(name: str, rounds: int, one_core: bool) -> dict[str, Any]:
    """One row, in a process of its own: none inherits another's programs, memory or settings."""
    setting = dict(os.environ)
    command = [sys.executable, __file__, "--measure", name, "--rounds", str(rounds)]
    if one_core:
        command.append("--one-core")
        setting["XLA_FLAGS"] = f"{setting.get('XLA_FLAGS', '')} {ONE_THREAD}".strip()
        setting["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as room:
        answer = Path(room, "answer.json")
        subprocess.run([*command, "--answer", str(answer)], env=setting, check=True)
        return json.loads(answer.read_text(encoding="utf-8"))


def markdown(content: Mapping[str, Any]) -> str:
    """The table of everything that was measured."""
    from _latency_rows import ROWS

    on, known = content["machine"], content["versions"]
    about = ", ".join(f"{k} {v}" for k, v in {**on, "cores": content["cores"]}.items())
    about += "; " + ", ".join(f"{k} {v}" for k, v in known.items() if v)
    lines = [
        "# The latency of a decision, side by side", "", f"Measured on {about}.", "",
        "| Setting | Milliseconds a call | Ratio | Wanted | Python calls |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in ROWS.items():
        if name not in content["rows"]:
            continue
        found = content["rows"][name]
        taken = {who: 1e3 * x["median"] for who, x in found["seconds"].items()}
        told = ", ".join(f"{who} {ms:.2f}" for who, ms in taken.items())
        counted = ", ".join(f"{who} {n:,}" for who, n in found["python_calls"].items())
        for number, (a, b, target) in enumerate(row.wanted):
            if b is not None and f"{a} / {b}" not in found["ratios"]:
                continue
            ratio = {"median": taken[a]} if b is None else found["ratios"][f"{a} / {b}"]
            text = f"{a} / {b}: {ratio['median']:.2f}" if b else f"{a}: {ratio['median']:.2f} ms"
            if ratio.get("low") is not None:
                text += f" [{ratio['low']:.2f}, {ratio['high']:.2f}]"
            far = ratio["median"] - target.bound
            met = far >= 0 if target.least else far <= 0
            wanted = f"{target} {'✓' if met else '✗'}" if target.bound else ""
            first = ("", "", "") if number else (row.title, told, counted)
            lines.append(f"| {first[0]} | {first[1]} | {text} | {wanted} | {first[2]} |")
    if STRENGTH in content["rows"]:
        lines += ["", told_of_strength(content["rows"][STRENGTH])]
    lines += ["", "[95 % intervals of the medians over rounds] ✓ met, ✗ not met."]
    return "\n".join(lines) + "\n"


def told_of_strength(found: Mapping[str, Any]) -> str:
    """The scores of the match in a sentence."""
    scores = {name: found[name] for name in ("equal simulations", "equal time")}
    told = [
        f"at {name} ({count:,} to {found['simulations'][1]:,}) "
        f"{x['score']:.2f} [{x['low']:.2f}, {x['high']:.2f}]"
        for (name, x), count in zip(scores.items(), found["simulations"][::2], strict=True)
    ]
    return (
        f"UCT in {found['lanes']} lanes against UCT one simulation after the other, Connect Four, "
        f"{scores['equal time']['games']} games each: score {' and '.join(told)}."
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="all", help="names, with commas between")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="openings of the match")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--one-core", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one_core and hasattr(os, "sched_setaffinity"):
        # Before JAX counts the cores.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if given.measure == STRENGTH:
        from _latency_strength import strengths

        given.answer.write_text(json.dumps(strengths(given.pairs)), encoding="utf-8")
        return
    if given.measure:
        found = measured(given.measure, given.rounds)
        given.answer.write_text(json.dumps(found), encoding="utf-8")
        return
    from _latency_rows import ROWS

    from deliberation.runs.provenance import cores, machine, source, versions
    from deliberation.runs.storage import atomic_write

    content = {"machine": machine(), "cores": cores(), "versions": versions(), "rows": {}}
    if given.out.exists():
        content["rows"] = json.loads(given.out.read_text(encoding="utf-8"))["rows"]
    names = [*ROWS, STRENGTH] if given.rows == "all" else given.rows.split(",")
    for name in names:
        found = ask(name, given.rounds, name == STRENGTH or ROWS[name].one_core)
        content["rows"][name] = {**found, "commit": source()[0]}
        atomic_write(given.out, (json.dumps(content, indent=1) + "\n").encode())
        atomic_write(given.out.with_suffix(".md"), markdown(content).encode())
    print(markdown(content))


if __name__ == "__main__":
    main()
