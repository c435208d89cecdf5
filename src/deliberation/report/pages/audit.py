"""A profile as a self-contained page, in the form of a doctor's letter: first what was found, in
three sentences with error rates; then each probe with its figure, controls and the states it rests
on; then what was not tested, and what could have fooled it.
"""

from html import escape
from pathlib import Path

import msgspec

from ...audit.profile import Answer, Cited, Profile, together
from ...audit.telling.figures import named
from ...runs.plain import plain
from ...runs.provenance import machine, source, versions
from ...runs.storage import atomic_write, made_folder
from ..boards import BOARD_STYLE, board_svg
from ..figures import panel_svg
from ..glossary import glossary
from ..html import document, facts

PAGE, JSON = "audit.html", "audit.json"
_COUNTED = (
    "{} verdicts were given, each by its own 95 % interval and none corrected for the others. "
    "Error rates were counted on specimens, deciders whose right answers are known."
)
FEW = 3
"""Fewer numbers in a row are listed one by one."""
_READING = (
    "Each number stands with its 95 % interval in brackets and with n, the units that the interval "
    "is over: places, announcements, openings or calls, as the probe says. The way of a choice is "
    "1 for a best action and 0 for a random one. Controls are quantities that would be nothing, or "
    "would hold, if the answer is what it seems; where one fails there is no verdict."
)
_TITLE = "What does this policy respond to?"


def build_audit(profile: Profile, folder: Path | str) -> Path:
    """Write audit.html and audit.json into a folder; returns the page's path."""
    folder = made_folder(Path(folder))
    content = plain(profile.as_dict(), JSON)
    atomic_write(folder / JSON, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    return save_audit(profile, folder / PAGE)


def save_audit(profile: Profile, path: Path | str) -> Path:
    """Write the page to a path; returns that. Raises `StorageError`."""
    path = Path(path)
    made_folder(path.parent)
    atomic_write(path, audit_page(profile).encode())
    return path


def audit_page(profile: Profile) -> str:
    """The page of one subject in one task."""
    commit, dirty = source()
    shown = {
        "Tasks": profile.task,
        "Effort": f"{profile.effort}, {profile.asked} of {profile.states} states asked",
        "Machine": str(machine()["processor"]),
        "Commit": f"{commit or 'unknown'}{' (changed)' if dirty else ''}",
        "Versions": ", ".join(f"{k} {v}" for k, v in versions().items()),
    }
    notes = "".join(f'<p class="notice">{escape(note)}</p>' for note in profile.notes)
    header = f"""<header>
<h1>{_TITLE}</h1>
<p class="lede">{escape(profile.subject)}</p>
{facts(shown)}
{notes}
</header>"""
    put = [a for a in profile.answers if a.found not in ("not applicable", "failed")]
    main = f"""<style>svg.board {{ --heat: var(--s1); --edge: var(--ink); {BOARD_STYLE} }}</style>
<section class="overview" id="overview" aria-label="What was found">
<h2>Found</h2>
{_found(profile)}
</section>
<section aria-label="Each probe">
<p class="note">{_READING}</p>
{"".join(_answer(i, a, profile.subject) for i, a in enumerate(put))}
</section>
<section aria-label="What was not tested">
<h2>Not tested, and what could have fooled it</h2>
{_left(profile)}
</section>"""
    main += glossary(main)
    return document(f"{profile.subject} in {profile.task}: audit", header, main, shown)


def _found(profile: Profile) -> str:
    """What to think of it; then all verdicts, responses first, each with a link to its section."""
    first, *rest = profile.conclusion
    sentences = f'<p class="answer">{escape(first)}</p>'
    sentences += "".join(f'<p class="summary">{escape(said)}</p>' for said in rest)
    verdicts = profile.verdicts
    shown = [*verdicts, *(a for a in profile.answers if a.found == "told")]
    lines = "".join(
        f'<li><a href="#{escape(a.probe)}">{escape(a.probe)}</a>: <b>{escape(a.named)}</b>. '
        f"{escape(a.said)}</li>"
        for a in shown
    )
    if not shown:
        return sentences
    counted = _COUNTED.format(len(verdicts)) if len(verdicts) > 1 else ""
    note = f'<p class="note">{escape(counted)}</p>' if counted else ""
    return f'{sentences}<ul class="reasons">{lines}</ul>{note}'


def _left(profile: Profile) -> str:
    """What was asked and is not decided, what could not be asked, and what verdicts may rest on."""
    undecided, unasked, fooled = [], [], []
    unput = [a for a in profile.answers if a.found in ("not applicable", "failed")]
    for said, some in together(unput).items():
        names = ", ".join(f"<b>{escape(a.probe)}</b>" for a in some)
        unasked.append(f"<li>{names} ({escape(some[0].named)}): {escape(said)}</li>")
    for a in profile.answers:
        line = f"<li><b>{escape(a.probe)}</b> ({escape(a.named)}): {escape(a.said)}</li>"
        if a.found == "inconclusive":
            undecided.append(line)
        elif a.decided and a.fooled_by:
            fooled.append(f"<li><b>{escape(a.probe)}</b>: {escape(a.fooled_by)}.</li>")
    parts = (
        ("Asked, and not decided:", undecided), ("Not asked:", unasked),
        ("What could look the same:", fooled),
    )  # fmt: skip
    return "".join(
        f'<p>{title}</p><ul class="reasons">{"".join(lines)}</ul>'
        for title, lines in parts
        if lines
    )


def _answer(number: int, answer: Answer, subject: str) -> str:
    picture, panel = "", None if answer.panel is None else named(answer.panel, subject)
    if panel is not None:
        drawn = panel_svg(panel, f"audit-{number}", answer.said)
        picture = f'<figure style="max-width:34rem"><div class="panels">{drawn}</div></figure>'
    controls = "".join(
        f"<li>control: {escape(c.name)} {escape(repr(c.estimate))}"
        f"{escape(f' ({c.remark})' if c.remark else '')}</li>"
        for c in answer.controls
    )
    rest = [
        ("What is measured", answer.statistic),
        ("Rules out", answer.rules_out),
        ("Error rates", answer.errors),
        ("Note", answer.note.rstrip(".")),
    ]
    lines = "".join(f"<li>{name}: {escape(text)}.</li>" for name, text in rest if text)
    known = answer.estimate.estimate == answer.estimate.estimate
    shown = f" {escape(answer.measure or repr(answer.estimate))}" if known else ""
    return f"""<h2 id="{escape(answer.probe)}">{escape(answer.question)} <small>{
        escape(answer.probe)
    }</small></h2>
<p><b>{escape(answer.named)}</b>{shown}. {escape(answer.said)}</p>
{picture}
<ul class="reasons">{controls}{lines}</ul>
{_cited(answer.cited)}"""


def _cited(cited: list[Cited]) -> str:
    """The states that an answer rests on, drawn beside one another."""
    if not cited:
        return ""
    cells = "".join(
        f"<figure class='cited'>{_drawn(one)}<figcaption>{escape(_worded(one))}</figcaption>"
        "</figure>"
        for one in cited
    )
    kind = "boards" if all(one.picture is not None for one in cited) else "boards seen"
    lost = any(one.lost > 1e-9 for one in cited)
    title = "Where most was lost:" if lost else "Nothing was lost anywhere; here, for one:"
    return f'<p>{title}</p><div class="{kind}">{cells}</div>'


def _worded(one: Cited) -> str:
    """What was chosen in a state, and what that lost."""
    said = f"{one.said}: " if one.said else ""
    if one.lost <= 1e-9:
        return f"{said}chose {one.named(one.chosen)}, which is best"
    return (
        f"{said}chose {one.named(one.chosen)}, best is {one.named(one.best)}: loses "
        f"{one.lost:.3g} {one.unit}"
    )


def _drawn(one: Cited) -> str:
    if one.picture is None and one.table:
        return _tabled(one.table)
    if one.picture is None:
        return f"<pre>{escape(one.drawn)}</pre>"
    board, width, height = board_svg(one.picture, {one.chosen: 1.0}, one.best, [])
    return (
        f'<svg class="board" viewBox="0 0 {width:g} {height:g}" width="{width / 3:g}" '
        f'height="{height / 3:g}" role="img" aria-label="{escape(one.drawn)}">{board}</svg>'
    )


def _tabled(rows: list[list[str]]) -> str:
    """Names and values of what is seen."""
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in gathered(rows)
    )
    return f"<table><tbody>{lines}</tbody></table>"


def gathered(rows: list[list[str]]) -> list[tuple[str, str]]:
    """Rows of names and values; numbers of one name that are only counted stand in one row."""
    runs: list[list[tuple[str, int, str]]] = []
    for name, value in rows:
        stem, _, last = name.rpartition(" ")
        place = int(last) if stem and last.isdecimal() else -1
        before = runs[-1][-1] if runs else None
        if place > 0 and before is not None and before[:2] == (stem, place - 1):
            runs[-1].append((stem, place, value))
        else:
            runs.append([(stem if place >= 0 else name, place, value)])
    return [line for run in runs for line in _in_one_row(run)]


def _in_one_row(run: list[tuple[str, int, str]]) -> list[tuple[str, str]]:
    (name, first, value), last = run[0], run[-1][1]
    if first < 0:
        return [(name, value)]
    if len(run) < FEW:
        return [(f"{stem} {place}", shown) for stem, place, shown in run]
    return [(f"{name} {first}\u2013{last}", " ".join(shown for _, _, shown in run))]
