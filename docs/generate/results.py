"""A page for each benchmark: what it measures, in its script's words, and what it measured last.

The scripts leave tables, figures and JSON in `benchmarks/results`; these become pages as they are.
"""

import ast
import re
from pathlib import Path

import mkdocs_gen_files

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "benchmarks"
RESULTS = SCRIPTS / "results"
OF = {"learned_nulls": "stories", "language_nulls": "stories"}
"""Results that bear another name than their script."""
FIRST = (("Benchmarks", "index"), ("Speed of search", "search"), ("Strength", "strength"),
         ("The zoo", "zoo"))  # fmt: skip
STRANGERS = ROOT / "docs" / "strangers"


def title_of(text: str) -> str:
    """The first heading of a page."""
    found = re.search(r"^# (.*)$", text, re.M)
    return found[1] if found else ""


def page(name: str) -> str:
    """The text of a benchmark's page."""
    script = SCRIPTS / f"{OF.get(name, name)}.py"
    said = ast.get_docstring(ast.parse(script.read_text("utf-8"))) if script.exists() else ""
    first, _, rest = (said or name).partition("\n")
    kept = RESULTS / f"{name}.md"
    table = kept.read_text("utf-8") if kept.exists() else ""
    title = title_of(table) or first.rstrip(".")
    body = table.partition("\n")[2] if table.startswith("# ") else table
    figure = f"![{title}]({name}.svg)\n" if (RESULTS / f"{name}.svg").exists() else ""
    if f"{name}.svg" in body:
        figure = ""
    data = (
        f"\n[The numbers]({name}.json), as JSON.\n" if (RESULTS / f"{name}.json").exists() else ""
    )
    lines = [f"# {title}", "", *_said(rest), body, figure, data]
    if script.exists():
        lines.append(f"Made by `benchmarks/{script.name}`.\n")
    return "\n".join(lines)


def _said(text: str) -> list[str]:
    """A docstring's paragraphs; its indented lines are commands."""
    shown: list[str] = []
    for part in text.strip("\n").split("\n\n"):
        commands = part.startswith("    ")
        shown += (
            ["```sh", *(line.strip() for line in part.splitlines()), "```"]
            if commands
            else (part.splitlines())
        )
        shown.append("")
    return shown


def main() -> None:
    """All pages and their order."""
    names = sorted({path.stem for path in RESULTS.iterdir() if path.suffix in (".md", ".svg")})
    nav = [f"* [{title}]({file}.md)" for title, file in FIRST]
    nav.append("* What the scripts measured")
    for name in names:
        text = page(name)
        short = name.replace("_", " ").capitalize()
        nav.append(f"    * [{short}](results/{name}.md)")
        with mkdocs_gen_files.open(f"benchmarks/results/{name}.md", "w") as file:
            file.write(text)
    for path in RESULTS.iterdir():
        if path.suffix in (".svg", ".json"):
            with mkdocs_gen_files.open(f"benchmarks/results/{path.name}", "wb") as file:
                file.write(path.read_bytes())
    nav.append("* Policies of others, audited")
    for path in sorted(STRANGERS.glob("*.md")):
        nav.append(f"    * [{title_of(path.read_text('utf-8'))}](../strangers/{path.name})")
    with mkdocs_gen_files.open("benchmarks/SUMMARY.md", "w") as file:
        file.write("\n".join([*nav, ""]))


main()
