"""Claims with worlds of their own, told as a story: chapters of claims with their figures."""

from collections.abc import Mapping, Sequence
from html import escape

from ... import claims
from ...claims import CHAPTERS, STORIES
from ...runs.findings import Finding, Row
from ..chips import chip, counts
from ..comparison import compare, family_sentence
from ..details import declared, figure_html, summarised, uncounted
from ..forest import forest
from ..glossary import explained, glossary
from ..html import document, facts
from ..verdicts import overall, tally


def stories_of(findings: Sequence[Finding]) -> list[str]:
    """The stories that some findings are of; none where one is of the comparison table itself."""
    found = {finding.aspect for finding in findings}
    return [name for name in STORIES if name in found] if found <= set(STORIES) else []


def titles(findings: Sequence[Finding]) -> tuple[str, str]:
    """The title and the lead of a page of these."""
    told = [STORIES[name] for name in stories_of(findings)]
    return " · ".join(story.title for story in told), " ".join(story.lead for story in told)


def by_chapter(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """The findings of each chapter, in the order of the story; chapters without any are left out.

    A claim that this version no longer knows stands in the last of its story.
    """
    known, found = claims.list_claims(), {name: [] for name in CHAPTERS}
    for finding in findings:
        own = STORIES[finding.aspect].chapters
        chapter = known.get(finding.claim, {}).get("chapter")
        found[chapter if chapter in own else list(own)[-1]].append(finding)
    return {name: some for name, some in found.items() if some}


def story_page(
    findings: Sequence[Finding], provenance: Mapping[str, str], notes: Sequence[str] = ()
) -> str:
    """The whole page; `provenance` stands at its foot, `notes` come first."""
    title, lead = titles(findings)
    shown = "".join(f'<p class="notice">{escape(note)}</p>' for note in notes)
    header = f"""<header>
<h1>{escape(title)}</h1>
<p class="lede">{escape(lead)}</p>
{facts(provenance)}
{shown}
</header>"""
    family = explained(escape(family_sentence(compare(findings).family)))
    main = f"""{_contents(findings)}
{story(findings)}
<p class="family">{family}</p>"""
    return document(title, header, f"{main}\n{glossary(header + main)}", provenance)


def _contents(findings: Sequence[Finding]) -> str:
    """Every claim with its verdict, by chapter: the page at a glance."""
    lines = "\n".join(
        f'<tbody><tr><th scope="rowgroup" colspan="2">{escape(CHAPTERS[name].title)}</th></tr>'
        + "".join(
            f'<tr><td><a href="#claim-{escape(f.claim)}">{escape(f.title)}</a></td>'
            f'<td data-label="Verdict">{chip(_verdict(f))}</td></tr>'
            for f in some
        )
        + "</tbody>"
        for name, some in by_chapter(findings).items()
    )
    return f"""<section class="overview" id="overview" aria-label="All claims">
<table class="sides story">
<caption>All claims, and what became of them</caption>
<thead><tr><th scope="col">Claim</th><th scope="col">Verdict</th></tr></thead>
{lines}
</table></section>"""


def _verdict(finding: Finding) -> str | None:
    return overall(row for row in finding.rows if row.kind == "claim")


def story(findings: Sequence[Finding]) -> str:
    """The chapters one after the other, each with its claims and their figures."""
    return "\n".join(
        f"""<section class="chapter" id="chapter-{name}">
<h2>{escape(CHAPTERS[name].title)}</h2>
<p class="lede">{escape(CHAPTERS[name].lead)}</p>
{"".join(_claim(finding) for finding in some)}
</section>"""
        for name, some in by_chapter(findings).items()
    )


def _claim(finding: Finding) -> str:
    given = tally(row for row in finding.rows if row.kind == "claim")
    figures = "\n".join(
        figure_html(figure, f"{finding.claim}-{index}", finding.title)
        for index, figure in enumerate(finding.figures)
    )
    return f"""<div class="claim" id="claim-{escape(finding.claim)}">
<h3>{escape(finding.title)} {counts(given) if given else ""}</h3>
<p class="statement">{escape(finding.statement)}</p>
{summarised(finding.summary)}
{figures}
{forest(finding.rows, f"{finding.title}: what is claimed")}
<details><summary>What was declared before, and what is not counted</summary>
{explained(declared(finding) + uncounted(finding))}</details>
</div>"""


def markdown(findings: Sequence[Finding], pictures: str) -> str:
    """The same as Markdown; `pictures` is the folder of <claim>.svg, as seen from the page."""
    title, lead = titles(findings)
    lines = [f"# {title}", "", lead, ""]
    for name, some in by_chapter(findings).items():
        lines += [f"## {CHAPTERS[name].title}", "", CHAPTERS[name].lead, ""]
        for finding in some:
            lines += told(finding, f"{pictures}/{finding.claim}.svg")
    return "\n".join([*lines, family_sentence(compare(findings).family), ""])


def told(finding: Finding, picture: str) -> list[str]:
    """The lines of one claim as Markdown: verdict, statement, figure (at `picture`), every row."""
    from ..numbers import of_row
    from ..verdicts import SYMBOLS

    verdict = _verdict(finding)
    word = f" · {SYMBOLS[verdict]} {verdict}" if verdict else ""
    lines = [f"### {finding.title}{word}", "", f"*{finding.statement}*", ""]
    lines += [finding.summary, ""] if finding.summary else []
    lines += [f"![{finding.title}]({picture})", ""] if finding.figures else []
    lines += ["| measured | of | estimate | claimed | verdict |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.quantity} | {row.decider}, {row.task} | {of_row(row)} {row.unit} "
        f"| {_claimed(row)} | {row.verdict or ''} |"
        for row in finding.rows
    ]
    return [*lines, "", f"Refuted if: {finding.refuted_if}", ""]


def _claimed(row: Row) -> str:
    if row.kind in ("told", "absent"):
        return row.reason or "nothing"
    bounds = ((row.above, "above"), (row.below, "below"))
    said = " and ".join(f"{word} {bound:g}" for bound, word in bounds if bound is not None)
    return f"check: {said}" if row.kind == "check" else said
