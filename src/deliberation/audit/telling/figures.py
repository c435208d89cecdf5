"""The figure of an answer: with the smallest response that matters, and of whom it is by name."""

import msgspec

from ...core.display.panels import Band, Panel

SUBJECT = "subject"
"""What probes call whom they ask, whose name they do not know."""
CHANGES = ("objective", "match", "revaluation", "forecast")
"""Probes whose figure has the statistic itself upwards: zero is no response."""
GAINS = ("effort",)
"""Probes whose statistic is what is gained over the first point of their figure."""
LONGEST = 28
"""Characters of a name that fit beside a figure."""


def banded(probe: str, panel: Panel | None, smallest: float) -> Panel | None:
    """With a band in which a response would be too small to matter, where the figure shows what is
    judged and the probe has not drawn one itself.
    """
    if panel is None or panel.bands:
        return panel
    bands = []
    if probe in CHANGES:
        label = f"smallest response that matters: ±{smallest:g}"
        bands = [Band(label=label, low=-smallest, high=smallest)]
    elif probe in GAINS and panel.series and panel.series[0].y:
        first = panel.series[0].y[0]
        label = f"within {smallest:g} of the least effort"
        bands = [Band(label=label, low=first - smallest, high=min(1.0, first + smallest))]
    return msgspec.structs.replace(panel, bands=bands)


def named(panel: Panel, name: str) -> Panel:
    """Whom it is about by name, and no legend for one series alone."""
    name, put = name if len(name) <= LONGEST else "this policy", msgspec.structs.replace
    series = [put(one, label=_called(one.label, name)) for one in panel.series]
    if len(series) == 1 and not panel.references:
        series = [put(series[0], label="")]
    references = [put(one, label=_called(one.label, name)) for one in panel.references]
    return put(panel, series=series, references=references)


def _called(label: str, name: str) -> str:
    if label == SUBJECT or label.startswith(f"{SUBJECT} "):
        return name + label.removeprefix(SUBJECT)
    return label
