"""Published numbers, reproduced: each beside what is measured here, with its tolerance.

    python benchmarks/reproductions.py [--only NAMES] [--effort quick] [--out benchmarks/results]

Writes reproductions.json and reproductions.md; with `--only` those of others are kept. A number out
of its tolerance is shown as such; one
whose program fails says why, and the others go on.
"""

import argparse
import importlib
import time
from pathlib import Path
from typing import Any

import jax
import msgspec

from deliberation.core.catalogue import catalogue
from deliberation.runs.plain import plain, restore
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write

HERE = Path(__file__).resolve().parent
OUT = HERE / "results"


def list_reproductions() -> dict[str, dict[str, Any]]:
    """Every reproduction by name with what it declares, and the module that measures it."""
    found = catalogue(HERE / "reproduced", "REPRODUCTION")
    return {told["name"]: {**told, "module": f"reproduced.{file}"} for file, told in found.items()}


def measured(told: dict[str, Any], effort: str) -> dict[str, Any]:
    """The rows of one reproduction, or why there are none."""
    began = time.perf_counter()
    try:
        rows = importlib.import_module(told["module"]).reproduce(effort, jax.random.key(0))
        content = [{**msgspec.to_builtins(row), "holds": row.holds} for row in rows]
        failed = ""
    except Exception as error:  # one that fails does not take the others down
        content, failed = [], f"{type(error).__name__}: {error}"
    spent = time.perf_counter() - began
    return {**told, "rows": content, "failed": failed, "seconds": spent, "effort": effort}


def kept_of(path: Path) -> dict[str, dict[str, Any]]:
    """What was measured before, by name; nothing where nothing was."""
    if not path.exists():
        return {}
    old = restore(msgspec.json.decode(path.read_bytes()))
    return {one["name"]: {"effort": old.get("effort", ""), **one} for one in old["reproductions"]}


def page(found: list[dict[str, Any]]) -> str:
    """As Markdown: a section each."""
    rows = [row for one in found for row in one["rows"]]
    told = ["# Published numbers, reproduced", "", f"{sum(row['holds'] for row in rows)} of "
            f"{len(rows)} numbers hold: what was measured lies in the range that was set "
            "beforehand.", ""]  # fmt: skip
    for one in found:
        told += [f"## {one['title']}", "", f"{one['source']}. {one['published']} Tolerated: "
                 f"{one['tolerance']} ({one['effort']}, {one['seconds']:.0f} s)", ""]  # fmt: skip
        if one["failed"]:
            told += [f"**Failed**: {one['failed']}", ""]
            continue
        told += ["| | published | measured | tolerated | |", "|---|---|---|---|---|"]
        for row in one["rows"]:
            m = row["measured"]
            published = "" if row["published"] is None else f"{row['published']:.4g}"
            told.append(
                f"| {row['what']} | {published} | {m['estimate']:.4g} [{m['low']:.4g}, "
                f"{m['high']:.4g}] | {row['low']:.4g} to {row['high']:.4g} | "
                f"{'✓' if row['holds'] else '✕'} |"
            )
        told.append("")
    return "\n".join(told)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--effort", choices=("smoke", "quick", "full"), default="quick")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    known = list_reproductions()
    names = list(known) if asked.only is None else asked.only.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    by_name = {} if asked.only is None else kept_of(asked.out / "reproductions.json")
    for name in names:
        print(f"{name} …", flush=True)
        by_name[name] = measured(known[name], asked.effort)
    found = [by_name[name] for name in known if name in by_name]
    text = page(found)
    content = {
        "reproductions": found, "commit": source(), "machine": machine(),
        "versions": versions(),
    }  # fmt: skip
    asked.out.mkdir(parents=True, exist_ok=True)
    kept = msgspec.json.format(msgspec.json.encode(plain(content, "reproductions.json")), indent=1)
    atomic_write(asked.out / "reproductions.json", kept + b"\n")
    atomic_write(asked.out / "reproductions.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
