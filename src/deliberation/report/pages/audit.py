"""A profile as a self-contained page, in the form of a doctor's letter: first what was found, with
error rates; then each probe with its figure, controls and the states it rests on; then what was not
tested, and what could have fooled it.
"""

from html import escape
from pathlib import Path

import msgspec

from ...audit.profile import Answer, Cited, Profile, together
from ...runs.plain import plain
from ...runs.provenance import machine, source, versions
from ...runs.storage import atomic_write, made_folder
from ..boards import BOARD_STYLE, board_svg
from ..figures import panel_svg
from ..glossary import glossary
from ..html import document, facts

PAGE, JSON = "audit.html", "audit.json"
FIRST = 3
"""So many sentences of what was found carry their error rates; the others have them below."""
_READING = (
    "Each number stands with its 95 % interval in brackets and with n, the units that the interval "
    "is over: places, announcements, openings or calls, as the probe says. The way of a choice is "
    "1 for a best action and 0 for a random one. Controls are quantities that would be nothing, or "
    "would hold, if the answer is what it seems; where one fails there is no verdict."
)
_TITLE = "What responds in this policy?"


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
<p class="note">{_READING}</p>
</header>"""
    put = [a for a in profile.answers if a.found not in ("not applicable", "failed")]
    main = f"""<style>svg.board {{ --heat: var(--s1); --edge: var(--ink); {BOARD_STYLE} }}</style>
<section class="overview" id="overview" aria-label="What was found">
<h2>Found</h2>
<ul class="reasons">{"".join(f"<li>{escape(x)}</li>" for x in summary(profile))}</ul>
</section>
<section aria-label="Each probe">
{"".join(_answer(i, a) for i, a in enumerate(put))}
</section>
<section aria-label="What was not tested">
<h2>Not tested, and what could have fooled it</h2>
{_left(profile)}
</section>"""
    main += glossary(main)
    return document(f"{profile.subject} in {profile.task}: audit", header, main, shown)


def summary(profile: Profile) -> list[str]:
    """What was found: all verdicts, responses first, the first three with their error rates."""
    order = {"against": 0, "responds": 1, "none": 2}
    decided = sorted((a for a in profile.answers if a.decided), key=lambda a: order[a.found])
    found = [
        f"{a.said} (Such a verdict is {a.errors}.)" if i < FIRST else a.said
        for i, a in enumerate(decided)
    ]
    found += [a.said for a in profile.answers if a.found == "told"]
    if len(decided) > 1:
        found.append(
            f"{len(decided)} verdicts were given, each by its own 95 % interval and none corrected "
            "for the others. Error rates were counted on specimens, deciders whose right answers "
            "are known."
        )
    found = found or ["Nothing was found either way: no probe came to a verdict."]
    open_ = [a.probe for a in profile.answers if a.found == "inconclusive"]
    return [*found, f"Asked, and not decided: {', '.join(open_)}."] if open_ else found


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


def _answer(number: int, answer: Answer) -> str:
    picture = ""
    if answer.panel is not None:
        drawn = panel_svg(answer.panel, f"audit-{number}", answer.said)
        picture = f'<figure style="max-width:34rem"><div class="panels">{drawn}</div></figure>'
    controls = "".join(
        f"<li>control: {escape(c.name)} {escape(repr(c.estimate))}"
        f"{'' if c.holds else ': does not hold, so that there is no verdict'}</li>"
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
        f"<figure class='cited'>{_drawn(one)}<figcaption>chose {escape(one.named(one.chosen))}, "
        f"best is {escape(one.named(one.best))}: {one.lost:.3g} of return lost</figcaption>"
        "</figure>"
        for one in cited
    )
    return f'<p>Where most was lost:</p><div class="boards">{cells}</div>'


def _drawn(one: Cited) -> str:
    if one.picture is None:
        return f"<pre>{escape(one.drawn)}</pre>"
    board, width, height = board_svg(one.picture, {one.chosen: 1.0}, one.best, [])
    return (
        f'<svg class="board" viewBox="0 0 {width:g} {height:g}" width="{width / 3:g}" '
        f'height="{height / 3:g}" role="img" aria-label="{escape(one.drawn)}">{board}</svg>'
    )
