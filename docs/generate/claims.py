"""A page for each claim, made from the registry, with what the published runs found of it.

What a claim declares is read from its file, so that a new file has its page. What was measured
stands in pages that are written from runs: `docs/learned.md` and `docs/language.md`
(`benchmarks/stories.py`), `docs/claims/index.md` and `docs/claims/rows.md` (`make readme`).
"""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mkdocs_gen_files

from deliberation.claims import ASPECTS, CHAPTERS, COMMENTARY, STORIES, list_claims, sources_of

DOCS = Path(__file__).resolve().parents[1]
SOURCE = DOCS.parent / "src" / "deliberation"
SIDES = {
    "direct": "direct optimisation",
    "amortised": "amortised optimisation",
    "both": "both sides",
}
CELLS = {"direct": (1,), "amortised": (2,), "both": (1, 2)}
"""The columns of the table that speak of a side."""
BENEATH = "Beneath the table"
MARKS = {"supported": "✓", "refuted": "✕", "inconclusive": "~", "holds": "◦", "fails": "✕"}


class Measured(NamedTuple):
    """What the published runs found of a claim: a verdict, and lines of Markdown."""

    verdict: str
    lines: list[str]


def sections(page: Path) -> dict[str, str]:
    """The claims of a page written from a run, by title: from "### title · verdict" on."""
    if not page.exists():
        return {}
    parts = re.split(r"^### ", page.read_text("utf-8"), flags=re.M)[1:]
    return {part.partition("\n")[0].partition(" · ")[0].strip(): part for part in parts}


def from_section(section: str, folder: str) -> Measured:
    """A section without what the claim itself says; figures are found from `folder`."""
    head, _, rest = section.partition("\n")
    body = re.split(r"^(?:## |Refuted if:)", rest, maxsplit=1, flags=re.M)[0].strip()
    body = re.sub(r"^\*.*?\*\n", "", body, count=1, flags=re.S)
    body = re.sub(r"\]\((?!http)([^)]+\.svg)\)", rf"]({folder}\1)", body)
    for word, mark in MARKS.items():
        body = body.replace(f"| {word} |", f"| {mark} {word} |")
    table = re.search(r"^\| measured .*?(?=\n\n|\Z)", body, flags=re.M | re.S)
    if table:
        rows = table[0].splitlines()
        claimed = [row for row in rows[2:] if "| nothing |" not in row]
        rest_rows = [row for row in rows[2:] if "| nothing |" in row]
        kept = "\n".join([*rows[:2], *claimed])
        more = "\n".join(f"    {row}" for row in [*rows[:2], *rest_rows])
        opened = f'\n\n??? note "Also measured; nothing is claimed of it"\n\n{more}\n'
        body = body.replace(table[0], kept + (opened if rest_rows else ""))
    return Measured(head.partition(" · ")[2].strip(), [body, ""])


def table_rows() -> dict[str, list[str]]:
    """The published table: for each title the cells of its line."""
    text = (DOCS / "claims" / "index.md").read_text("utf-8")
    block = text.partition("<!-- table:start -->")[2].partition("<!-- table:end -->")[0]
    lines = [line for line in block.splitlines() if line.startswith("| ")]
    cells = (re.split(r"(?<!\\)\|", line)[1:4] for line in lines)
    return {row[0].strip(" *"): [cell.strip() for cell in row] for row in cells}


def from_table(claim: Mapping[str, Any], rows: Mapping[str, list[str]]) -> Measured:
    """A claim's line of the published table (its row's, for a claim of a row), and its figure."""
    own = claim["aspect"] == COMMENTARY
    title = claim["title"] if own else ASPECTS[claim["aspect"]].title
    cells = rows.get(title)
    if cells is None:
        return Measured("", ["The published run did not measure it.", ""])
    code = source(claim).read_text("utf-8")
    lines: list[str] = []
    for column in (1,) if own else CELLS[claim["side"]]:
        parts = [part for part in cells[column].split("<br>") if part and part[0] != "*"]
        mine = [part for part in parts if own or label(part) in code]
        told = [f"- {part}" for part in mine or parts]
        head = "" if own else f"{('', 'Of direct', 'Of amortised')[column]} optimisation:"
        if told and told != lines[2:-1]:
            lines += [head, "", *told, ""]
    judged = [part for part in cells[1].split("<br>") if part.startswith("**")]
    if own:
        return Measured(judged[0].split("**")[1], [*lines, *judged, "", *figures(claim["name"])])
    lines += [f"The row *{title}* is judged as a whole: [the table](index.md).", ""]
    return Measured("", [*lines, *figures(claim["name"])])


def label(part: str) -> str:
    """The quantity that a line of a cell tells: "imitator: way lost: 1.54" tells "way lost"."""
    return part.rpartition(": ")[0].rpartition(": ")[2] or part


def source(claim: Mapping[str, Any]) -> Path:
    """A claim's file."""
    return SOURCE.joinpath(*claim["module"].split(".")[1:]).with_suffix(".py")


def figures(name: str) -> list[str]:
    """The claim's pictures, with what they show as their text alternative and beneath them."""
    lines: list[str] = []
    for path in sorted(DOCS.glob(f"{name}-*.svg")):
        told = re.search(r"<desc [^>]*>(.*?)</desc>", path.read_text("utf-8"), re.S)
        words = re.sub(r"\s+", " ", told[1]).strip() if told else ""
        lines += [f"![{words}](../{path.name})", "", words, ""]
    return lines


def measured(claim: Mapping[str, Any], told: Mapping[str, Any]) -> Measured:
    """What was found, from the most detailed page that has it."""
    aspect = claim["aspect"]
    pages = (aspect,) if aspect in STORIES else ("rows",)
    for page in pages:
        section = told[page].get(claim["title"])
        if section:
            return from_section(section, "" if page == "rows" else "../")
    if aspect in STORIES:
        return Measured("", ["The published run did not measure it.", ""])
    return from_table(claim, told["table"])


def where(claim: Mapping[str, Any]) -> str:
    """The row or chapter in which a claim stands."""
    aspect = claim["aspect"]
    if aspect in STORIES:
        chapter = CHAPTERS.get(claim.get("chapter", ""))
        return f"{STORIES[aspect].title}: {chapter.title}" if chapter else STORIES[aspect].title
    return BENEATH if aspect == COMMENTARY else f"The table: {ASPECTS[aspect].title}"


def page(claim: Mapping[str, Any], found: Measured) -> str:
    """A claim's page."""
    cited = "; ".join(
        f"{one.by}, [{one.title}]({one.link})" if one.link else f"{one.by}: {one.title}"
        for one in sources_of(claim)
    )
    name, aspect = claim["name"], claim["aspect"]
    verdict = f" · **{found.verdict}**" if found.verdict else ""
    ask = f"deliberate table --claim {name} --out {name}"
    if aspect not in STORIES:
        ask = f"deliberate table tic_tac_toe --claim {name} --effort smoke --out {name}"
    return "\n".join([
        f"# {claim['title']}", "", f"{where(claim)} · about {SIDES[claim['side']]}{verdict}", "",
        f"> {claim['statement']}", "",
        "## Declared", "",
        "| | |", "|---|---|",
        *(f"| **{label}** | {claim[field].replace('|', chr(92) + '|')} |" for label, field in (
            ("Estimand", "estimand"), ("Generalises over", "unit"),
            ("Smallest effect that matters", "smallest"), ("Refuted if", "refuted_if"),
        )),
        f"| **Null** | {null(claim)} |",
        f"| **Source** | {cited} |", "",
        "Before a table is measured; what was changed after a first one is in the",
        "[changelog](../changelog.md).", "",
        "## Measured", "", *found.lines,
        "## Measure it again", "", "```sh", ask, f"deliberate claims {name} --validate", "```", "",
        "The second line puts the claim to worlds in which the truth is planted: its null must not",
        "be supported, and an effect of twice the smallest must be. What a verdict is, and the one",
        "error rate of all: [what a verdict says](../explanations/verdict.md).", "",
    ])  # fmt: skip


def null(claim: Mapping[str, Any]) -> str:
    """What is planted, or taken out, where the claim must not be supported; read, not imported."""
    found = {
        node.targets[0].id: node.value
        for node in ast.parse(source(claim).read_text("utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    planted = entry(found.get("PLANTED"), "null")
    what = entry(found.get("NULL"), "what")
    keys = planted.keys if isinstance(planted, ast.Dict) else ()
    worlds = [str(key.value) for key in keys if isinstance(key, ast.Constant)]
    words = [f"planted: {'; '.join(worlds)}"] if worlds else []
    words += [f"in real trainings: {what.value}"] if isinstance(what, ast.Constant) else []
    return "; ".join(words) or "true by construction: checked, and never counted"


def entry(literal: ast.expr | None, key: str) -> ast.expr | None:
    """The value of a key of a dictionary that is written out."""
    if not isinstance(literal, ast.Dict):
        return None
    pairs = zip(literal.keys, literal.values, strict=True)
    return next((v for k, v in pairs if isinstance(k, ast.Constant) and k.value == key), None)


def main() -> None:
    """All pages, the list of them, and their order."""
    told: dict[str, Any] = {story: sections(DOCS / f"{story}.md") for story in STORIES}
    told |= {"rows": sections(DOCS / "claims" / "rows.md"), "table": table_rows()}
    lines = ["# All claims", "", _LEAD, ""]
    nav = ["* [The table](index.md)", "* [All claims](all.md)"]
    if (DOCS / "claims" / "rows.md").exists():
        nav.append("* [Every row measured](rows.md)")
    shown = ""
    for claim in list_claims().values():
        aspect = claim["aspect"]
        group = (
            STORIES[aspect].title
            if aspect in STORIES
            else (BENEATH if aspect == COMMENTARY else "Rows of the table")
        )
        if group != shown:
            lines += ["", f"## {group}", "", "| Claim | Where | Verdict |", "|---|---|---|"]
            nav.append(f"* {group}")
            nav += [f"    * [The story](../{aspect}.md)"] if aspect in STORIES else []
            shown = group
        found = measured(claim, told)
        name = claim["name"]
        lines.append(f"| [{claim['title']}]({name}.md) | {where(claim)} | {found.verdict or '–'} |")
        nav.append(f"    * [{claim['title']}]({name}.md)")
        with mkdocs_gen_files.open(f"claims/{name}.md", "w") as file:
            file.write(page(claim, found))
        mkdocs_gen_files.set_edit_path(f"claims/{name}.md", f"../{claim['module']}")
    for name, text in (("all", lines), ("SUMMARY", nav)):
        with mkdocs_gen_files.open(f"claims/{name}.md", "w") as file:
            file.write("\n".join([*text, ""]))


_LEAD = """Every claim has one file in the library, which declares what is said, how it is measured
and what would refute it. Its page here is made from that file. A verdict is that of the published
runs; a row of the table is judged as a whole ([the table](index.md))."""

main()
