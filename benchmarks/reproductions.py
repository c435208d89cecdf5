"""Published numbers, reproduced: each beside what is measured here, with its tolerance.

    python benchmarks/reproductions.py [--only NAMES] [--effort quick] [--out benchmarks/results]
    python benchmarks/reproductions.py --page [--out benchmarks/results]

Writes reproductions.json and reproductions.md; with `--only` those of others are kept, and with
`--page` all are: nothing is measured, and both files are made of earlier measurements and of what
sections declare now. A number holds where its whole interval lies in the tolerated range, and
misses where all of it lies outside; otherwise it is not decided, whatever its estimate is. One that
is true by construction is no reproduction and counted apart, and one whose program fails says why,
and the others go on.
"""

import argparse
import importlib
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jax
import msgspec
from reproduced import Row

from deliberation.core.catalogue import catalogue
from deliberation.runs.plain import plain, restore
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write
from deliberation.stats import Estimate

HERE = Path(__file__).resolve().parent
OUT = HERE / "results"
WHENCE = ("commit", "machine", "versions")
"""What each section says of its measurement, since others are kept when it is measured again."""
ROUNDED = 5e-4
"""Published numbers are given to three decimals, or four figures: what is nearer is the same."""
UNPRINTED = ("simulated", "formula")
"""Whence a number comes that no paper prints: another simulation, or a formula."""
_SIGNS = {"holds": "✓", "not decided": "? not decided", "misses": "✕"}


def list_reproductions() -> dict[str, dict[str, Any]]:
    """Every reproduction by name with what it declares, and the module that measures it."""
    found = catalogue(HERE / "reproduced", "REPRODUCTION")
    return {told["name"]: {**told, "module": f"reproduced.{file}"} for file, told in found.items()}


def measured(told: dict[str, Any], effort: str) -> dict[str, Any]:
    """The rows of one reproduction, or why there are none."""
    began = time.perf_counter()
    try:
        rows = importlib.import_module(told["module"]).reproduce(effort, jax.random.key(0))
        content = [msgspec.to_builtins(row) for row in rows]
        failed = ""
    except Exception as error:  # one that fails does not take the others down
        content, failed = [], f"{type(error).__name__}: {error}"
    spent = time.perf_counter() - began
    return {
        "rows": content, "failed": failed, "seconds": spent, "effort": effort,
        "commit": source(), "machine": machine(), "versions": versions(),
    }  # fmt: skip


def kept_of(path: Path) -> dict[str, dict[str, Any]]:
    """What was measured before, by name; nothing where nothing was."""
    if not path.exists():
        return {}
    old = restore(msgspec.json.decode(path.read_bytes()))
    shared = {key: old.get(key) for key in ("effort", *WHENCE)}
    return {one["name"]: {**shared, **one} for one in old["reproductions"]}


def declared(told: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    """Measurements under what their section declares now: its words, and for each row its verdict,
    why it is true by construction ("" where it is not), and whence the number beside it comes
    where no paper prints it ("" where one does).
    """  # fmt: skip
    rows = []
    for kept in one["rows"]:
        row = msgspec.convert(kept, Row)
        known, whence = (_of(told.get(x, {}), row.what) for x in ("by_construction", "unprinted"))
        whence *= row.published is not None
        rows += [
            {
                **msgspec.to_builtins(row),
                "verdict": row.verdict,
                "by_construction": known,
                "unprinted": whence,
            }
        ]
    held = {key: one[key] for key in ("failed", "seconds", "effort", *WHENCE)}
    return {**told, **held, "rows": rows}


def _of(declared: dict[str, str], what: str) -> str:
    """What is declared of a row, "*" standing for anything."""
    return next((declared[w] for w in declared if fnmatchcase(what, w)), "")


def apart(row: dict[str, Any]) -> bool:
    """Whether the interval leaves out the published number, by more than it may be rounded."""
    if row["published"] is None:
        return False
    m = msgspec.convert(row["measured"], Estimate).shown
    slack = ROUNDED * max(1.0, abs(row["published"]))
    return not m.low - slack <= row["published"] <= m.high + slack


def counted(found: list[dict[str, Any]]) -> str:
    """How many of all judged numbers hold, and what is not counted among them."""
    rows = [row for one in found for row in one["rows"] if row["verdict"] is not None]
    free = [row for row in rows if not row["by_construction"]]
    checks = [row["verdict"] for row in rows if row["by_construction"]]
    held = [row for row in free if row["verdict"] == "holds"]
    missed = sum(row["verdict"] == "misses" for row in free)
    beyond = sum(apart(row) for row in held)
    unpublished = sum(row["published"] is None for row in free)
    whence = [row.get("unprinted", "") for row in free]
    simulated, formula = (whence.count(word) for word in UNPRINTED)
    printed = len(free) - unpublished - simulated - formula
    marked = sum(one.get("after_miss", False) for one in found)
    return (
        f"{len(held)} hold, {len(free) - len(held) - missed} not decided, {missed} miss: "
        f"{len(free)} numbers, all that are judged and could have missed, "
        f"{unpublished} of which are directions or bounds of which no number was published. Of the "
        f"others {printed} stand beside a number of a paper (or a ratio of such), {formula} beside "
        f"what a formula gives (*formula*), and {simulated} beside another simulation of what a "
        "paper describes, made apart from this library (*simulated*): those are printed nowhere, "
        "and to agree with them says that two programs do. A "
        "number holds (✓) where its whole interval lies in the tolerated range, and misses (✕) "
        "where all of it lies outside; otherwise it is not decided (?), and more repeats would "
        f"tell. In {beyond} of those that hold the interval leaves out the published number all "
        "the same, which their rows say. "
        f"Counted apart, as checks of the code and no reproductions, are {len(checks)} that are "
        f"true by construction (◦; {checks.count('holds')} come out so), each with "
        f"the reason. In {marked} sections, marked, something was set after a first miss. Rows "
        "without a range are told beside and not judged."
    )


def page(found: list[dict[str, Any]], missing: Sequence[str] = ()) -> str:
    """As Markdown: a section each; `missing` are titles of what was not measured yet."""
    told = ["# Published numbers, reproduced", "", counted(found), ""]
    if missing:
        told += [f"Not measured yet: {'; '.join(missing)}.", ""]
    for one in found:
        mark = " (in part set after a first miss)" * one.get("after_miss", False)
        told += [f"## {one['title']}{mark}", "", f"{one['source']}. {one['published']} Tolerated: "
                 f"{one['tolerance']} ({one['effort']}, {one['seconds']:.0f} s)", ""]  # fmt: skip
        if one.get("tried"):
            told += [one["tried"], ""]
        if one["failed"]:
            told += [f"**Failed**: {one['failed']}", ""]
            continue
        told += ["| | beside | measured | tolerated | |", "|---|---|---|---|---|"]
        told += [*(_line(row) for row in one["rows"]), ""]
    return "\n".join(told)


def _line(row: dict[str, Any]) -> str:
    """A row of a section's table."""
    m = msgspec.convert(row["measured"], Estimate).shown
    published = "" if row["published"] is None else f"{row['published']:.4g}"
    if whence := row.get("unprinted", ""):
        published += f" ({whence})"
    return (
        f"| {row['what']} | {published} | {m.estimate:.4g} [{m.low:.4g}, {m.high:.4g}] | "
        f"{_range(row)} | {_mark(row)} |"
    )


def _range(row: dict[str, Any]) -> str:
    low, high = row["low"], row["high"]
    if low is None:
        return "" if high is None else f"{high:.4g} or less"
    return f"{low:.4g} or more" if high is None else f"{low:.4g} to {high:.4g}"


def _mark(row: dict[str, Any]) -> str:
    """What is decided, in a sign and in words where the sign does not say all."""
    verdict = row["verdict"]
    if verdict is None:
        return ""
    if why := row["by_construction"]:
        return f"◦ {why}" if verdict == "holds" else f"{_SIGNS[verdict]}, though it should: {why}"
    far = f" within the range, apart from the {row.get('unprinted') or 'published'}"
    return f"{_SIGNS[verdict]}{far * (verdict == 'holds' and apart(row))}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--page", action="store_true", help="from what was measured before")
    parser.add_argument("--effort", choices=("smoke", "quick", "full"), default="quick")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    known = list_reproductions()
    names = list(known) if asked.only is None else asked.only.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    by_name = kept_of(asked.out / "reproductions.json") if asked.only or asked.page else {}
    for name in () if asked.page else names:
        print(f"{name} …", flush=True)
        by_name[name] = measured(known[name], asked.effort)
    found = [declared(known[name], by_name[name]) for name in known if name in by_name]
    missing = [known[name]["title"] for name in known if name not in by_name]
    print(written(found, missing, asked.out))


def written(found: list[dict[str, Any]], missing: Sequence[str], out: Path) -> str:
    """Both files; returns the page."""
    text = page(found, missing)
    content = {"reproductions": found}
    out.mkdir(parents=True, exist_ok=True)
    kept = msgspec.json.format(msgspec.json.encode(plain(content, "reproductions.json")), indent=1)
    atomic_write(out / "reproductions.json", kept + b"\n")
    atomic_write(out / "reproductions.md", text.encode())
    return text


if __name__ == "__main__":
    main()
