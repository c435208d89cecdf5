"""At a fork a model of text goes on as its data do, whatever that costs it in predictability."""

import numpy as np

from ....runs import Panel, Reference, Row, Series
from ....stats import bootstrap
from ...experiments.arms import found, one_arm, share
from ...experiments.language.forks import AFTER, APART, CALM, LETTERS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 400, "quick": 600, "full": 1200}
TUNINGS = {"smoke": 150, "quick": 200, "full": 400}
CLOSE, MORE = 0.05, 0.2
DIFFER = (-1.0, 1.0)
CLAIM = {
    "name": "forks_as_data",
    "aspect": "language",
    "chapter": "evaluated",
    "side": "both",
    "title": "What is written at forks",
    "statement": "Where a text can go on predictably or not, a network trained to tell the next "
    "token writes each branch as often as its data, as often as where nothing is gained by either. "
    "Taught by reward that its texts should surprise it little, the same network writes the "
    "predictable one more often.",
    "estimand": "Share of forks at which the predictable branch is written: the network's, its "
    "distance from the data's; less the same where branches are alike; that of the network taught "
    "by reward, less the network's own. Where the data take it in 0.5 and in 0.2.",
    "unit": "trainings",
    "smallest": "0.05 of the forks for what is alike, 0.2 for what is more",
    "refuted_if": "The network's share is 0.05 or more off that of its data or of branches "
    "that are alike; or reward for predictable text adds less than 0.2: as where the network "
    "itself is taught by that reward before it is asked.",
}
WORLDS = ("texts with forks",)
cells = one_arm("language.forks", 100.0, steps=STEPS, tunings=TUNINGS)
"""One arm, which trains in every condition."""
PLACES = [(i, f"the data take it in {calm:g}") for i, calm in enumerate(CALM[:APART])]
OFF, LESS, REWARD = (
    "distance of the network's share from the data's",
    "network's share minus that where branches are alike",
    "share of the network taught by reward minus the network's",
)
NULL = {
    "what": "the network itself is taught by reward that its texts should surprise it little, "
    "before it is asked and the others are made of it",
    "rows": tuple(f"{what}, {where}" for what in (OFF, LESS, REWARD) for _, where in PLACES),
}
"""The rows that must not be supported where this is taken out."""
AS_DATA = list(CALM)
TRUE = {
    "share": (AS_DATA, 0.015, 0.0, 1.0), "likeliest": ([0.5, 0.0, 0.5, 0.0], 0.0),
    "looked": ([0.92, 0.62, 0.5, 0.0], 0.02, 0.0, 1.0),
    "tuned": ([0.92, 0.62, 0.5, 0.0], 0.05, 0.0, 1.0),
    "neither": ([0.001] * 4, 0.0005, 0.0, 1.0), "loss": ([0.02] * 4, 0.01),
    "own": ([7.0, 10.0, 12.5, 12.1], 0.1), "own_tuned": ([1.5, 3.4, 12.4, 11.5], 0.1),
    "planned": ([1.0, 1.0], 0.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "the network takes what can be predicted": planted(
            TRUE, share=([0.9, 0.6, 0.5, 0.2], 0.03, 0.0, 1.0)
        ),
        "reward adds nothing": planted(TRUE, tuned=(AS_DATA, 0.05, 0.0, 1.0)),
    },
    "effect": {"the data's share, and more by reward": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who writes the predictable branch how often."""
    (cell,) = cells(world, e, null=null)
    names = ("share", "likeliest", "looked", "tuned", "neither", "loss", "own", "own_tuned")
    of = {name: found(results, cell, name) for name in names}
    planned, which = found(results, cell, "planned"), "network"
    rows: list[Row] = []
    for i, where in PLACES:
        own, alike, calm = of["share"][:, i], of["share"][:, APART + i], CALM[i]
        rows += [
            claimed(CLAIM, world, which, f"{OFF}, {where}", share(abs(own - calm)), below=CLOSE),
            claimed(CLAIM, world, which, f"{LESS}, {where}", bootstrap(own - alike, bounds=DIFFER),
                    within=(-CLOSE, CLOSE)),
            claimed(CLAIM, world, "taught by reward", f"{REWARD}, {where}",
                    bootstrap(of["tuned"][:, i] - own, bounds=DIFFER), above=MORE),
            check(CLAIM, world, "search of both branches",
                  f"share of the predictable branch, {where}", share(of["looked"][:, i]),
                  above=0.5, note="it compares two sums, of which that of the predictable branch "
                  "is larger by what its letters are easier to tell"),
            check(CLAIM, world, "a search that is told the source",
                  f"share of the predictable branch, {where}", share(planned[:, i]), above=0.5),
            told(CLAIM, world, which, f"nats a text lost to the source, {where}",
                 bootstrap(of["loss"][:, i]), unit="nats"),
            told(CLAIM, world, which, f"share of texts' forks with neither branch, {where}",
                 share(of["neither"][:, i])),
            told(CLAIM, world, "its likeliest tokens", f"share of the predictable branch, {where}",
                 share(of["likeliest"][:, i])),
            told(CLAIM, world, "taught by reward",
                 f"by how much less a text surprises the network, {where}",
                 bootstrap(of["own"][:, i] - of["own_tuned"][:, i]), unit="nats"),
            told(CLAIM, world, "taught by reward, branches alike",
                 f"{REWARD}, {where}, branches alike",
                 bootstrap(of["tuned"][:, APART + i] - alike, bounds=DIFFER)),
        ]  # fmt: skip
    return Shown(rows, [_panel(of)], _sentence(of))


def _panel(of: dict[str, np.ndarray]) -> Panel:
    who = {
        "network": of["share"][:, :APART],
        "network, branches alike": of["share"][:, APART:],
        "search of both branches": of["looked"][:, :APART],
        "taught by reward": of["tuned"][:, :APART],
        "taught by reward, branches alike": of["tuned"][:, APART:],
    }
    series: list[Series] = [
        series_of(label, [calm + 0.012 * (k - 2) for calm in CALM[:APART]],
                  [share(x) for x in shares.T], kind="points")
        for k, (label, shares) in enumerate(who.items())
    ]  # fmt: skip
    return Panel(
        title="the predictable branch",
        x_label="share of forks at which the data take it",
        y_label="share of forks at which it is written",
        series=series,
        references=[Reference(label=f"data: {calm:g}", y=calm) for calm in CALM[:APART]],
    )


def _sentence(of: dict[str, np.ndarray]) -> str:
    at = {name: x.mean(0) for name, x in of.items()}
    parts = "; ".join(
        f"where the data take it in {calm:g}, the network does in {at['share'][i]:.3f} (in "
        f"{at['share'][APART + i]:.3f} where branches are alike), and taught by reward in "
        f"{at['tuned'][i]:.2f}"
        for i, calm in enumerate(CALM[:APART])
    )
    cost, pole = at["own"] - at["own_tuned"], at["looked"][:APART].min()
    return (
        f"Of the branch whose {AFTER} letters (of {LETTERS}) can be told: {parts}. What it writes "
        f"then surprises the network as it came less, by {cost[0]:.1f} and {cost[1]:.1f} nats a "
        f"text. A search for what surprises it least takes that branch in {pole:.2f} or more, as "
        "its sums have it."
    )
