"""Writes the README's measured blocks and docs/*.svg from runs: `make readme RUN=out ZOO=zoo`.

Blocks stand between comments, `<!-- table:start -->` and `<!-- table:end -->`: the table and the
figures come from the run's records, the strength and the speed of search from what
`benchmarks/connect_four_strength.py` and `benchmarks/search.py` wrote last; the zoo from the
records of a `deliberate zoo`. Blocks whose run is not given stay as they are.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deliberation import report
from deliberation.report.figures import standalone_svg
from deliberation.report.zoo import HEADS, placed, texts
from deliberation.report.zoo import figure as zoo_figure

ROOT = Path(__file__).resolve().parent.parent
STRENGTH = ROOT / "benchmarks" / "results" / "connect_four_strength.json"
SEARCH = ROOT / "benchmarks" / "results" / "search.md"
SHOWN = ("budget_slope", "exchange_rate")
"""Claims whose figures stand in the README itself; the others are in docs."""


def replace_block(text: str, name: str, content: str) -> str:
    """The text with the block of that name filled; raises ValueError if it has none."""
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(
            f"No block '<!-- {name}:start -->' ... '<!-- {name}:end -->' in the README"
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
    picture = SEARCH.with_suffix(".svg").relative_to(ROOT)
    return f"{body}\n\n![Cost of a simulation by the size of the tree]({picture})"


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def from_run(text: str, run: Path) -> str:
    """The README with the table and figures of a run; the figures are written to docs."""
    findings = report.findings(run)
    text = replace_block(text, "table", table_block(findings, report.provenance(run)))
    pictures = "\n\n".join(
        f"![{words}]({path.relative_to(ROOT)})"
        for path, words in write_figures(findings, ROOT / "docs")
        if path.stem.rpartition("-")[0] in SHOWN
    )
    return replace_block(text, "figures", pictures)


def zoo_block(run: Path) -> str:
    """Every decider of a `deliberate zoo` and where it stands; the figure is written to docs."""
    found, shown = placed(run), report.provenance(run)
    rows = [[one.kind, *texts(one)] for one in found]
    source = "; ".join(f"{term.lower()}: {value}" for term, value in shown.items())
    drawn = zoo_figure(found)
    picture = ROOT / "docs" / "zoo-0.svg"
    picture.write_text(standalone_svg(drawn, picture.stem), encoding="utf-8")
    words = f"![{drawn.alternative}]({picture.relative_to(ROOT)})"
    note = f"<sub>Measured on {source}.</sub>"
    table = _markdown(["Kind", *HEADS], rows)
    summary = f"<details><summary>The table: {len(rows)} rows</summary>"
    return "\n".join([words, "", summary, "", *table, "", "</details>", "", note])


def main() -> None:
    """Read the results, write the README and docs."""
    parser = argparse.ArgumentParser(description="Write the README from a run.")
    parser.add_argument("run", type=Path, nargs="?", help="folder of a finished `deliberate table`")
    parser.add_argument("--zoo", type=Path, help="folder of a finished `deliberate zoo`")
    arguments = parser.parse_args()
    run = arguments.run
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    if run is not None:
        text = from_run(text, run)
    if STRENGTH.exists():
        block = strength_block(json.loads(STRENGTH.read_text(encoding="utf-8")))
        text = replace_block(text, "strength", block)
    if SEARCH.exists():
        text = replace_block(text, "search", search_block(SEARCH.read_text(encoding="utf-8")))
    if arguments.zoo is not None:
        text = replace_block(text, "zoo", zoo_block(arguments.zoo))
    readme.write_text(text, encoding="utf-8")
    print(f"Wrote {readme.name} and {len(list((ROOT / 'docs').glob('*.svg')))} figures in docs")


if __name__ == "__main__":
    main()
