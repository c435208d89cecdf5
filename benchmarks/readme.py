"""Writes what was measured into the pages that show it: `make readme RUN=out ZOO=zoo`.

Blocks stand between comments, `<!-- table:start -->` and `<!-- table:end -->`. The whole table and
its figures (docs/claims/index.md, every row in docs/claims/rows.md, docs/*.svg) come from a run's
records; the strength and the speed of search (docs/benchmarks) from what
`benchmarks/connect_four_strength.py` and `benchmarks/search.py` wrote last; the zoo from the
records of a `deliberate zoo`. The README's table is the whole one with a number a side. Blocks
whose run is not given stay as they are.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deliberation import report
from deliberation.claims import ASPECTS
from deliberation.report.figures import standalone_svg
from deliberation.report.pages.stories import told
from deliberation.report.zoo import HEADS, placed, texts
from deliberation.report.zoo import figure as zoo_figure

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README, TABLE = ROOT / "README.md", DOCS / "claims" / "index.md"
STRENGTH = ROOT / "benchmarks" / "results" / "connect_four_strength.json"
SEARCH = ROOT / "benchmarks" / "results" / "search.md"
SHOWN = ("budget_slope", "exchange_rate")
"""Claims whose figures stand beneath the table; the others are on their own pages."""
MARKS = re.compile(r"(?: [✓~✕](?:[ \u00a0]\d+)?)+$")
"""How often each verdict was given, at the end of a line of a cell."""


def replace_block(text: str, name: str, content: str) -> str:
    """The text with the block of that name filled; raises ValueError if it has none."""
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(
            f"There is no block '<!-- {name}:start -->' ... '<!-- {name}:end -->' to write into."
        )
    return pattern.sub(lambda found: f"{found[1]}{content.strip()}\n{found[2]}", text)


def table_block(findings: Sequence[Any], provenance: Mapping[str, str]) -> str:
    """The sources' own table of eleven rows with what was measured, as Markdown."""
    source = "; ".join(f"{term.lower()}: {value}" for term, value in provenance.items())
    return f"{report.markdown(findings)}\n\n<sub>Measured on {source}.</sub>"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)]


def write_figures(findings: Sequence[Any], folder: Path) -> list[tuple[Path, str]]:
    """Every figure as docs/<claim>-<number>.svg; returns paths with their text alternatives."""
    folder.mkdir(exist_ok=True)
    written = []
    for finding in findings:
        for index, figure in enumerate(finding.figures):
            path = folder / f"{finding.claim}-{index}.svg"
            path.write_text(standalone_svg(figure, path.stem), encoding="utf-8")
            written.append((path, figure.alternative or figure.title))
    return written


def strength_block(measured: Mapping[str, Any]) -> str:
    """The strength table from the benchmark's JSON: {"caption", "columns", "rows"}."""
    return "\n".join([measured["caption"], "", *_markdown(measured["columns"], measured["rows"])])


def search_block(page: str) -> str:
    """The benchmark's page without its title, and its figure."""
    body = page.split("\n", 1)[1].strip()
    picture = f"../../{SEARCH.with_suffix('.svg').relative_to(ROOT)}"
    return f"{body}\n\n![Cost of a simulation by the size of the tree]({picture})"


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def write_block(page: Path, name: str, content: str) -> None:
    """Fill the block of that name on a page."""
    page.write_text(replace_block(page.read_text(encoding="utf-8"), name, content), "utf-8")


def compact(page: str) -> str:
    """The eleven rows of the whole table on a page, each side with its verdict and one number.

    A side that rests on instrument checks alone has no verdict: ◦ stands in its place.
    """
    block = page.partition("<!-- table:start -->")[2].partition("<!-- table:end -->")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:4] for line in block.splitlines() if line[:3] == "| *"]
    titles = [aspect.title for aspect in ASPECTS.values()]
    assert [row[0].strip(" *") for row in rows] == titles, "the whole table has other rows"
    count = next(line for line in block.splitlines() if re.match(r"\d+ of \d+ verdicts", line))
    lines = [
        "| | Direct: search when asked | Amortised: a learned function |", "|---|---|---|",
        *(f"| {' | '.join([row[0].strip(), *map(_brief, row[1:])])} |" for row in rows),
    ]  # fmt: skip
    return "\n".join([*lines, "", f"{count.partition(': ')[0]}."])


def _brief(cell: str) -> str:
    """The verdict, what is said, and beneath it, small, the first thing that was measured of those
    that the verdict rests on: where one claim is refuted, that one.
    """
    said, *parts = cell.strip().split("<br>")
    verdict = next((part[2] for part in parts if part.startswith("**")), "◦")
    shown = [p for p in parts if not p.startswith(("**", "Not ", "Instrument check holds"))]
    refuted = [p for p in shown if verdict == "✕" and "✕" in "".join(MARKS.findall(p))]
    first = (refuted or shown or ["not measured"])[0]
    if first.startswith("Instrument check"):
        first = first.partition(": ")[2].partition(",")[0]
    return f"{verdict} {said}<br><sub>{MARKS.sub('', first)}</sub>"


def from_run(run: Path) -> None:
    """The table, every row and the figures of a run, on their pages."""
    findings, source = report.findings(run), report.provenance(run)
    write_block(TABLE, "table", table_block(findings, source))
    written = write_figures(findings, DOCS)
    pictures = (
        f"![{words}](../{path.name})"
        for path, words in written
        if path.stem.rpartition("-")[0] in SHOWN
    )
    write_block(TABLE, "figures", "\n\n".join(pictures))
    (DOCS / "claims" / "rows.md").write_text(rows_page(findings, source), "utf-8")


def rows_page(findings: Sequence[Any], source: Mapping[str, str]) -> str:
    """Every row that was measured, claim by claim."""
    terms = "; ".join(f"{term.lower()}: {value}" for term, value in source.items())
    lines = ["# Every row measured", "", "The quantities behind [the table](index.md).", ""]
    for finding in findings:
        lines += told(finding, f"../{finding.claim}-0.svg")
    return "\n".join([*lines, f"<sub>Measured on {terms}.</sub>", ""])


def zoo_block(run: Path) -> str:
    """Every decider of a `deliberate zoo` and where it stands; the figure is written to docs."""
    found, shown = placed(run), report.provenance(run)
    rows = [[one.kind, *texts(one)] for one in found]
    source = "; ".join(f"{term.lower()}: {value}" for term, value in shown.items())
    drawn = zoo_figure(found)
    picture = DOCS / "zoo-0.svg"
    picture.write_text(standalone_svg(drawn, picture.stem), encoding="utf-8")
    words = f"![{drawn.alternative}](../{picture.name})"
    note = f"<sub>Measured on {source}.</sub>"
    table = _markdown(["Kind", *HEADS], rows)
    summary = f"<details markdown='1'><summary>The table: {len(rows)} rows</summary>"
    return "\n".join([words, "", summary, "", *table, "", "</details>", "", note])


def main() -> None:
    """Read the results, write the pages and the README."""
    parser = argparse.ArgumentParser(description="Write what was measured into README and docs.")
    parser.add_argument("run", type=Path, nargs="?", help="folder of a finished `deliberate table`")
    parser.add_argument("--zoo", type=Path, help="folder of a finished `deliberate zoo`")
    asked = parser.parse_args()
    if asked.run is not None:
        from_run(asked.run)
    if STRENGTH.exists():
        block = strength_block(json.loads(STRENGTH.read_text(encoding="utf-8")))
        write_block(DOCS / "benchmarks" / "strength.md", "strength", block)
    if SEARCH.exists():
        block = search_block(SEARCH.read_text(encoding="utf-8"))
        write_block(DOCS / "benchmarks" / "search.md", "search", block)
    if asked.zoo is not None:
        write_block(DOCS / "benchmarks" / "zoo.md", "zoo", zoo_block(asked.zoo))
    write_block(README, "table", compact(TABLE.read_text(encoding="utf-8")))
    print(f"Wrote {README.name}, and {len(list(DOCS.glob('*.svg')))} figures stand in docs")


if __name__ == "__main__":
    main()
