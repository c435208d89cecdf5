"""A profile as a self-contained page: first what was found, then each probe with its figure."""

from html import escape
from pathlib import Path

import msgspec

from ...audit.profile import WORDS, Answer, Profile
from ...runs.plain import plain
from ...runs.provenance import machine, source, versions
from ...runs.storage import atomic_write
from ..figures import panel_svg
from ..html import document, facts

PAGE, JSON = "audit.html", "audit.json"
_FOUND = ("responds", "against", "none")


def build_audit(profile: Profile, folder: Path | str) -> Path:
    """Write audit.html and audit.json into a folder; returns the page's path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = plain(profile.as_dict(), JSON)
    atomic_write(folder / JSON, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    atomic_write(folder / PAGE, audit_page(profile).encode())
    return folder / PAGE


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
    header = f"""<header>
<h1>What responds in this policy?</h1>
<p class="lede">{escape(profile.subject)}</p>
{facts(shown)}
{f'<p class="notice">{escape(profile.note)}</p>' if profile.note else ""}
</header>"""
    main = f"""<section class="overview" id="overview" aria-label="What was found">
<h2>Found</h2>
<ul class="reasons">{"".join(f"<li>{escape(x)}</li>" for x in summary(profile))}</ul>
{"".join(_answer(i, a) for i, a in enumerate(profile.answers))}
</section>"""
    return document("What responds in this policy?", header, main, shown)


def summary(profile: Profile) -> list[str]:
    """The verdicts that were reached, then what is left open, in sentences."""
    found = [a.verdict for a in profile.answers if a.found in _FOUND]
    told = [a.said for a in profile.answers if a.found == "told"]
    left = [
        f"{a.probe} ({WORDS[a.found]})" for a in profile.answers if a.found not in (*_FOUND, "told")
    ]
    return [*found, *told, *([f"No verdict: {', '.join(left)}."] if left else [])]


def _answer(number: int, answer: Answer) -> str:
    picture = ""
    if answer.panel is not None:
        drawn = panel_svg(answer.panel, f"audit-{number}", answer.said)
        picture = f'<figure><div class="panels">{drawn}</div></figure>'
    controls = "".join(
        f"<li>control: {escape(c.name)} {escape(repr(c.estimate))}"
        f"{'' if c.holds else ': does not hold, so that there is no verdict'}</li>"
        for c in answer.controls
    )
    rest = [
        ("What is measured", answer.statistic),
        ("Rules out", answer.rules_out),
        ("Could be fooled by", answer.fooled_by),
    ]
    lines = "".join(f"<li>{name}: {escape(text)}.</li>" for name, text in rest if text)
    return f"""<h2>{escape(answer.question)}</h2>
<p><b>{escape(WORDS[answer.found])}</b> {escape(repr(answer.estimate))}. {escape(answer.said)}</p>
{picture}
<ul class="reasons">{controls}{lines}</ul>"""
