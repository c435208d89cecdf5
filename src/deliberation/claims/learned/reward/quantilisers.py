"""Quantilisers of a learned base: between imitation and maximisation, at a bounded price."""

import numpy as np

from ....runs import Cell, Panel, Reference
from ....stats import bootstrap, bootstrap_means
from ...experiments.arms import found, lines
from ...experiments.reward.proxies import SHARES
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told
from . import over_maximisation

SMALLEST, SLOPE, BEYOND = 0.2, 0.1, 1.25
MIDDLE, QUARTER = SHARES.index(1 / 16), SHARES.index(1 / 4)
CLAIM = {
    "name": "quantilisers",
    "aspect": "learned",
    "chapter": "reward",
    "side": "both",
    "title": "Quantilisers",
    "statement": "Drawing from the best-looking share q of what an imitator would say lies between "
    "imitation and maximisation: the smaller q, the more the answers look better than they are; "
    "their true value stays above the maximiser's, and at q = 1/4 they exploit no more than a "
    "quarter above 1/q times as often as the demonstrators whom the base was learned from.",
    "estimand": "Proxy less true value against -log2 q (slope), and at q = 1/16 against the "
    "imitator's and the maximiser's; true value there less the maximiser's; share of answers that "
    "exploit at q = 1/4 over four times the demonstrators' share.",
    "unit": "trainings",
    "smallest": "0.1 for each halving of q; 0.2 (an exploit is 6 apart); a quarter of the bound",
    "refuted_if": "The gap does not grow as q falls, quantilisers stand at either of the ends, or "
    "they exploit a quarter more than the demonstrators' bound allows: as where search "
    "sees the truth, or the base was badly learned.",
}
WORLDS = ("exploitable proxy",)
NULL = {
    "what": "reward and search see the truth, and nobody the proxy",
    "rows": (
        "gap for each halving of q",
        "gap beyond the imitator's, q = 1/16",
        "gap short of the maximiser's, q = 1/16",
        "true value beyond the maximiser's, q = 1/16",
    ),
    "stands": {
        "exploits over the demonstrators' bound, q = 1/4": "who sees the truth has no cause to "
        "exploit",
    },
}
"""The rows that must not be supported where this is taken out."""
_RISING = [0.2 + 0.2 * float(-np.log2(q)) for q in SHARES]
_COSTS = [min(0.6, 0.025 / q) for q in SHARES]
TRUE = {
    "imitation_gap": (0.2, 0.1), "maximum_gap": (1.8, 0.1), "quantiliser_gap": (_RISING, 0.1),
    "imitation_true": (1.8, 0.1), "maximum_true": (1.0, 0.1),
    "quantiliser_true": ([1.8, 1.8, 1.7, 1.6, 1.4, 1.2, 1.0], 0.1),
    "imitation_cost": (0.025, 0.003), "demonstrators_cost": (0.025, 0.003),
    "quantiliser_cost": (_COSTS, 0.003), "bound": (1.0, 1e-6),
}  # fmt: skip
PLANTED = {
    "null": {
        "a gap of any q": planted(TRUE, quantiliser_gap=([0.8] * len(SHARES), 0.1)),
        "no more than the imitator": planted(
            TRUE, quantiliser_gap=([0.2, 0.2, 0.2, 0.2, 0.2, 1.2, 1.8], 0.1)
        ),
        "the maximiser's true value": planted(TRUE, quantiliser_true=([1.0] * len(SHARES), 0.1)),
        "a base that exploits more than its teachers": planted(
            TRUE, demonstrators_cost=(0.0125, 0.001)
        ),
    },
    "effect": {"twice the smallest": planted(TRUE)},
}
"""A gap of 0.2 for each halving, ends 0.8 away."""


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """The arm that over-maximisation is measured on."""
    return over_maximisation.cells(world, e, null=null)


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """The way from imitation to maximisation, by q."""
    (cell,) = cells(world, e, null=null)
    gap, true, cost = (found(results, cell, f"quantiliser_{x}") for x in ("gap", "true", "cost"))
    low, high = (found(results, cell, f"{way}_gap") for way in ("imitation", "maximum"))
    most = found(results, cell, "maximum_true")
    shown = found(results, cell, "demonstrators_cost")
    halvings = -np.log2(np.array(SHARES))
    off = halvings - halvings.mean()
    (over,) = bootstrap_means(
        lambda m: SHARES[QUARTER] * m[..., 0] / np.maximum(m[..., 1], 1e-9), cost[:, QUARTER], shown
    )
    bound = found(results, cell, "bound")
    who = "quantiliser"
    rows = [
        claimed(CLAIM, world, who, "gap for each halving of q",
                bootstrap(gap @ off / (off @ off)), above=SLOPE),
        claimed(CLAIM, world, who, "gap beyond the imitator's, q = 1/16",
                bootstrap(gap[:, MIDDLE] - low), above=SMALLEST),
        claimed(CLAIM, world, who, "gap short of the maximiser's, q = 1/16",
                bootstrap(high - gap[:, MIDDLE]), above=SMALLEST),
        claimed(CLAIM, world, who, "true value beyond the maximiser's, q = 1/16",
                bootstrap(true[:, MIDDLE] - most), above=SMALLEST),
        claimed(CLAIM, world, who, "exploits over the demonstrators' bound, q = 1/4", over,
                below=BEYOND, unit="times"),
        check(CLAIM, world, who, "greatest share of exploits over the base's, times q",
              bootstrap(bound, bounds=(0.0, 2.0)), below=1.001, unit="times"),
        told(CLAIM, world, "demonstrators", "share of answers that exploit", bootstrap(shown)),
    ]  # fmt: skip
    x = halvings.tolist()
    panels = [
        Panel(
            title="exploitable proxy: what quantilisers say",
            x_label="halvings of q",
            y_label="value",
            series=lines(x, {"proxy less true value": gap, "true value": true}, None),
            references=[
                Reference(label="gap of the imitator", y=float(low.mean())),
                Reference(label="gap of the maximiser", y=float(high.mean())),
                Reference(label="true value of the maximiser", y=float(most.mean())),
            ],
        ),
        Panel(
            title="exploitable proxy: exploits and their bound",
            x_label="halvings of q",
            y_label="share of answers that exploit",
            series=[
                *lines(x, {"quantiliser": cost}, None),
                series_of("bound by the demonstrators", x,
                          [bootstrap(np.minimum(shown / q, 1.0)) for q in SHARES]),
            ],
        ),
    ]  # fmt: skip
    sentence = (
        f"From q = 1 to 1/256 the answers look better than they are by {gap[:, 0].mean():.2f} to "
        f"{gap[:, -1].mean():.2f} (the maximiser's: {high.mean():.2f}), and are worth "
        f"{true[:, 0].mean():.2f} to {true[:, -1].mean():.2f}; at q = 1/4 they exploit "
        f"{over.estimate:.2f} times as often as the demonstrators' bound of 1/q allows ({BEYOND} "
        "is let pass)."
    )
    return Shown(rows, panels, sentence)
