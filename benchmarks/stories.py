"""Claims with worlds of their own: their story as a page, and the same with the point taken out.

    deliberate table --rows learned --out learned
    python benchmarks/stories.py story learned         # docs/learned.md and docs/learned/*.svg
    python benchmarks/stories.py nulls --out nulls     # benchmarks/results/learned_nulls.*
    python benchmarks/stories.py alone                 # a training alone, and beside others

`--rows language` asks the same of the claims about models of language.

Every claim says what its null takes out of the experiment (labels are shuffled, a channel is cut)
and which of its rows must then not be supported; of each other row it says why it may stand there.
The nulls are real trainings, as many as the claim's own; a run that is killed goes on at the first
missing cell.
"""

import argparse
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from deliberation import claims, report
from deliberation.claims.measuring.effort import effort_of
from deliberation.claims.measuring.results import Results
from deliberation.claims.measuring.rows import claimed_of, estimate_of
from deliberation.report.figures import standalone_svg
from deliberation.report.numbers import of_row
from deliberation.report.pages.stories import markdown, stories_of
from deliberation.runs import RichProgress, execute
from deliberation.runs.plain import plain
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCS = ROOT / "docs"


def tell_story(run: Path) -> None:
    """From a run's records to the page of each of its stories, with a figure a claim."""
    everything = report.findings(run, partial=True)
    terms = "; ".join(f"{k.lower()}: {v}" for k, v in report.provenance(run).items())
    for story in claims.STORIES:
        found = [finding for finding in everything if finding.aspect == story]
        if not stories_of(found):
            continue
        page, pictures = DOCS / f"{story}.md", DOCS / story
        pictures.mkdir(exist_ok=True)
        for finding in found:
            for figure in finding.figures:
                picture = standalone_svg(figure, finding.claim)
                atomic_write(pictures / f"{finding.claim}.svg", picture.encode())
        text = f"{markdown(found, pictures.name)}\n<sub>Measured on {terms}.</sub>\n"
        atomic_write(page, text.encode())
        print(f"{page}: {len(found)} claims")


def put_nulls(story: str, effort: str, out: Path, jobs: int, only: list[str]) -> None:
    """Run every claim's null, and keep how its rows come out."""
    names = only or claims.claims_of_rows([story])
    modules, e = [claims.claim(name) for name in names], effort_of(effort)
    cells = {
        cell.id: cell
        for module in modules
        for world in module.WORLDS
        for cell in module.cells(world, e, null=True)
    }
    manifest = {"nulls": sorted(names), "effort": effort}
    run = execute(list(cells.values()), out, manifest=manifest, jobs=jobs, keep_going=True,
                  progress=RichProgress())  # fmt: skip
    results = Results(run.records, out)
    rows = [row for module in modules for row in judged(module, e, results)]
    content = {"effort": effort, "rows": rows, "commit": source(), "machine": machine(),
               "versions": versions()}  # fmt: skip
    kept = json.dumps(plain(content, f"{story}_nulls.json"), indent=1).encode() + b"\n"
    atomic_write(RESULTS / f"{story}_nulls.json", kept)
    text = page(story, rows, effort)
    atomic_write(RESULTS / f"{story}_nulls.md", text.encode())
    print(text)
    wrong = [row for row in rows if row["verdict"] == "supported" and not row["stands"]]
    raise SystemExit(1 if wrong else 0)


def judged(module: ModuleType, e: Any, results: Results) -> list[dict[str, Any]]:
    """The rows of a claim in its null, each by its own interval; `stands` is why one may hold."""
    found, name = [], module.CLAIM["name"]
    stands: dict[str, str] = module.NULL.get("stands", {})
    for world in module.WORLDS:
        for row in module.analyse(world, e, results, null=True).rows:
            if row.kind != "claim":
                continue
            wrong = row.quantity not in {*module.NULL["rows"], *stands}
            assert not wrong, f"{name}: what becomes of '{row.quantity}' in the null is not said"
            found.append({
                "claim": name, "world": world, "who": row.decider, "quantity": row.quantity,
                "shown": f"{of_row(row)} {row.unit}".strip(),
                "verdict": claimed_of(row).judge(estimate_of(row)),
                "stands": "" if row.quantity in module.NULL["rows"] else stands[row.quantity],
                "out": module.NULL["what"],
            })  # fmt: skip
    missing = set(module.NULL["rows"]) - {row["quantity"] for row in found}
    assert not missing, f"{name} has no rows {sorted(missing)}"
    return found


def page(story: str, rows: list[dict[str, Any]], effort: str) -> str:
    """As Markdown."""
    asked = [row for row in rows if not row["stands"]]
    wrong = sum(row["verdict"] == "supported" for row in asked)
    lines = [
        f"# {claims.STORIES[story].title}: with what each claim is about taken out", "",
        f"Real trainings at the {effort} effort. Of {len(asked)} rows of which none may be "
        f"supported, {wrong} are. {len(rows) - len(asked)} others may stand, for the reason that "
        "is given.", "",
    ]  # fmt: skip
    for claim in dict.fromkeys(row["claim"] for row in rows):
        some = [row for row in rows if row["claim"] == claim]
        lines += [
            f"## {claim}", "", f"Taken out: {some[0]['out']}.", "",
            "| row | of | came out | verdict | may stand |", "|---|---|---|---|---|",
        ]  # fmt: skip
        lines += [
            f"| {r['quantity']} | {r['who']}, {r['world']} | {r['shown']} | {r['verdict']} "
            f"| {r['stands']} |"
            for r in some
        ]
        lines.append("")
    return "\n".join(lines)


def put_alone(story: str, effort: str, only: list[str]) -> None:
    """Each arm's first training by itself, and beside two others: the same, or what differs.

    Compilers have been seen to make another program of a gradient where more are trained at once.
    Trainings that turn on single draws may part by rounding alone; a mean that leaps is a fault.
    """
    names, e, told = only or claims.claims_of_rows([story]), effort_of(effort), []
    for cell in claims.plan([], e.name, only=names):
        module, _, function = cell.function.partition(":")
        if function != "train" or module.endswith("truth_table"):
            continue
        train, few = getattr(importlib.import_module(module), function), {}
        for count in (1, 3):
            few[count] = train({**cell.settings, "trainings": count}, Silent()).outcomes
        apart = {
            name: float(np.max(np.abs(np.array(few[1][name][0]) - np.array(few[3][name][0]))))
            for name in few[1]
        }
        worst = max(apart, key=apart.get)  # type: ignore[arg-type]
        told.append({"arm": cell.label, "outcome": worst, "apart": apart[worst],
                     "of": np.max(np.abs(np.array(few[1][worst][0]))).item()})  # fmt: skip
        print(told[-1], flush=True)
    lines = ["# A training alone, and beside two others", "",
             "By arm the outcome that differs most, by how much, and how large it is.", "",
             "| arm | outcome | apart | size |", "|---|---|---|---|"]  # fmt: skip
    lines += [f"| {r['arm']} | {r['outcome']} | {r['apart']:.2g} | {r['of']:.3g} |" for r in told]
    atomic_write(RESULTS / f"{story}_alone.md", ("\n".join(lines) + "\n").encode())


class Silent:
    """A cell's context that hears nothing."""

    def tell(self, share: float) -> None:
        """So much is done."""


def main() -> None:
    """Tell the story of a run, or put the nulls."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    story = what.add_parser("story", help="docs/<story>.md from a run")
    story.add_argument("run", type=Path)
    nulls = what.add_parser("nulls", help="every claim with its point taken out")
    nulls.add_argument("--rows", choices=tuple(claims.STORIES), default=claims.LEARNED)
    nulls.add_argument("--effort", default="quick")
    nulls.add_argument("--out", type=Path, default=Path("nulls"))
    nulls.add_argument("--jobs", type=int, default=2)
    nulls.add_argument("--only", action="append", default=[])
    alone = what.add_parser("alone", help="a training by itself, and beside others")
    alone.add_argument("--rows", choices=tuple(claims.STORIES), default=claims.LEARNED)
    alone.add_argument("--effort", default="smoke")
    alone.add_argument("--only", action="append", default=[])
    asked = parser.parse_args()
    if asked.what == "story":
        tell_story(asked.run)
    elif asked.what == "alone":
        put_alone(asked.rows, asked.effort, asked.only)
    else:
        put_nulls(asked.rows, asked.effort, asked.out, asked.jobs, asked.only)


if __name__ == "__main__":
    main()
