"""What `forecasts.py` shows: gains over each way to foretell, and what of them profiles bring."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deliberation.audit.probes.forecast import SMALLEST
from deliberation.stats import Estimate, bootstrap
from deliberation.stats.intervals import exact_proportion

PLAYED = {
    "announced cost": "yes: `objective`, `revaluation` and `forecast` announce places that pay",
    "rerouted": "yes: `forecast` plays on in such worlds, but its statistic is not of them",
    "new start": "yes: `forecast` keeps states back, but its statistic is not of them",
    "corrupted observation": "no",
}
"""Of each change, whether the probes whose statistics are read use one of its kind."""
OVER = ("clone", "constant", "without_profile")
TOLD = (
    "Each forecast mixes three accounts of the subject, all fitted on its ordinary answers: a "
    "clone (a device that goes on as before), a planner for what it is told, and a planner for its "
    "own aim alone. The profile enters in one place, the weights of this mixture: they follow from "
    "the statistics of the probes `objective`, `revaluation`, `effort` and `forecast`, which are "
    "of announcements and of effort. *Over the same without a profile* is what the forecast gains "
    "over the same accounts, mixed by weights fitted on the same other families but equal for "
    "every subject: what planners' accounts bring by being there is in both, and what is left is "
    "what profiles bring.",
    "None of the cases was seen by the audit, but not every change is of a new kind: the table "
    "says which resemble what the profile's own probes do (at other places, with other moves and "
    "in other states). The constant is the better of base rates and even odds, chosen afterwards. "
    "At a new start a clone knows nothing of the states, and comes to even odds: what is gained "
    "there is gained over those.",
)


def gains(rows: list[dict[str, Any]], over: str, changes: Sequence[str]) -> Estimate:
    """Nats gained by the forecast; families are resampled, each with all its worlds and changes."""
    return bootstrap(np.array(list(by_family(rows, over, changes).values())), bounds=(-5.0, 5.0))


def by_family(rows: list[dict[str, Any]], over: str, changes: Sequence[str]) -> dict[str, float]:
    """Nats gained by the forecast in each family, the mean of its worlds and changes."""
    by: dict[str, list[float]] = {}
    for row in rows:
        if row["change"] in changes:
            by.setdefault(row["family"], []).append(row[over] - row["forecast"])
    return {family: float(np.mean(x)) for family, x in by.items()}


def spread(rows: list[dict[str, Any]], changes: Sequence[str]) -> str:
    """In how many families the profile helps, and where it does most harm; "" where it does not
    matter in any.
    """
    by = by_family(rows, "without_profile", changes)
    if max(map(abs, by.values())) < SMALLEST:
        return ""
    least = min(by, key=lambda family: by[family])
    gained = sum(x > 0 for x in by.values())
    told = f"; {gained} of {len(by)} families are forecast better with it"
    share = exact_proportion(gained, len(by))
    told += f" (a share of {share.estimate:.2f} [{share.low:.2f}, {share.high:.2f}])"
    return told + (f", worse than all others {least} ({by[least]:+.2f})" if by[least] < 0 else "")


def in_short(rows: list[dict[str, Any]]) -> str:
    """Under which changes the profile itself is shown to add anything."""
    changes = list(dict.fromkeys(row["change"] for row in rows))
    helped = [c for c in changes if gains(rows, "without_profile", [c]).low > 0]
    if helped:
        return f"The profile itself is shown to add something under: {', '.join(helped)}."
    return (
        "**Under none of the changes is the profile itself shown to add anything.** What is gained "
        "over the clone may all be gained by having planners' accounts beside it, mixed alike for "
        "everybody."
    )


def brought(gain: Estimate) -> str:
    """What profiles are shown to bring where this is gained over the same without them."""
    at = shown(gain)
    if gain.low > SMALLEST:
        return f"it adds more than {SMALLEST:g} nats ({at})"
    if gain.low > 0:
        most = f"less than {SMALLEST:g} nats" if gain.high < SMALLEST else "something"
        return f"it adds {most} ({at})"
    if gain.high < 0:
        return f"the forecast is worse for it ({at})"
    if max(-gain.low, gain.high) < SMALLEST:
        return f"it adds nothing that matters: less than {SMALLEST:g} nats either way ({at})"
    return f"that it adds anything is not shown ({at})"


def weight(rows: list[dict[str, Any]], of: str, change: str) -> str:
    """The least and the most weight that the device has among all subjects under a change."""
    found = [row[of][0] for row in rows if row["change"] == change]
    return f"{min(found):.2f} to {max(found):.2f}"


def page(found: dict[str, Any]) -> str:
    """As Markdown."""
    rows = found["rows"]
    subjects = dict.fromkeys(row["subject"] for row in rows)
    families = {row["family"] for row in rows}
    return "\n".join([
        "# Forecasts of audited subjects under changes, and what profiles bring to them", "",
        f"{len(subjects)} subjects (specimens in random worlds) of {len(families)} families; "
        "weights fitted on all other families. Nats a decision, with intervals over families.",
        "", in_short(rows), "", *(line for told in TOLD for line in (told, "")),
        *_by_change(rows), *_by_subject(rows, list(subjects)), *_calibration(found["calibration"]),
    ]) + "\n"  # fmt: skip


def _by_change(rows: list[dict[str, Any]]) -> list[str]:
    changes = list(dict.fromkeys(row["change"] for row in rows))
    lines = [
        "| change | over the clone | over the constant | over the same without a profile |",
        "|---|---|---|---|",
    ]
    known = [c for c in changes if c != "new start"]
    titled = [("all", changes), ("all but new start", known), *((c, [c]) for c in changes)]
    for title, some in titled:
        cells = [shown(gains(rows, over, some)) for over in OVER]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += ["", "## What the profile brings", ""]
    for title, some in titled:
        gain = brought(gains(rows, "without_profile", some))
        lines.append(f"- {title}: {gain}{spread(rows, some)}.")
    lines += [
        "", "The weight of the device, from the subject that has the least to the one that has the "
        "most; without a profile, it differs by the family left out of the fit only. Where both "
        "ranges are as narrow, what is gained over the clone is the planners' accounts' and not "
        "the profile's.", "",
        "| change | of a kind that the profile's probes play | weight by the profile | without |",
        "|---|---|---|---|",
    ]  # fmt: skip
    for change in changes:
        read, unread = (weight(rows, x, change) for x in ("trust", "trust_without_profile"))
        lines.append(f"| {change} | {PLAYED.get(change, '')} | {read} | {unread} |")
    return lines


def _by_subject(rows: list[dict[str, Any]], subjects: list[str]) -> list[str]:
    changes = list(dict.fromkeys(row["change"] for row in rows))
    lines = [
        "", "## By subject", "",
        "Nats a decision: forecast / the same without a profile / clone / constant.", "",
        f"| subject | {' | '.join(changes)} |", "|---|" + "---|" * len(changes),
    ]  # fmt: skip
    for name in subjects:
        cells = [
            " / ".join(f"{r[x]:.2f}" for x in ("forecast", "without_profile", "clone", "constant"))
            for r in rows if r["subject"] == name
        ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _calibration(table: list[dict[str, Any]]) -> list[str]:
    lines = ["", "## Calibration", "",
             "Intervals over families; of five such bins one may lie apart by chance in "
             "one page of four.", "",
             "| said (mean) | taken | apart | of actions |", "|---|---|---|---|"]  # fmt: skip
    return lines + [
        f"| {b['said']:.3f} | {b['taken']:.3f} | {b['apart']:+.3f} [{b['low']:+.3f}, "
        f"{b['high']:+.3f}] | {b['actions']} |"
        for b in table
    ]


def shown(estimate: Estimate) -> str:
    """An estimate with its interval."""
    return f"{estimate.estimate:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"
