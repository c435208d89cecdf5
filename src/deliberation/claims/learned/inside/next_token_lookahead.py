"""Told every next node, a network misses the one that no look-up gives: paths on a star."""

from ....runs import Panel, Reference
from ....stats import rate
from ...experiments.arms import all_arms, found, lines, share
from ...experiments.inside.path_star import ARMS, LONG
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 1000, "quick": 1500, "full": 3000}
CHANCE = 1 / ARMS
RIGHT, MOST = 0.9, 0.5
CLAIM = {
    "name": "next_token_lookahead",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "The one step that takes a search",
    "statement": "Trained to write the path node after node, each given the right ones before it, "
    "most networks do not come to get the first node right in 0.9 of the stars, which takes a "
    "search from the goal, and do get the others, which look-ups give; the same network that "
    "writes the path backward, where every node is a look-up, mostly gets that node right too.",
    "estimand": "Share of trainings in which the first node after the start is right in 0.9 of "
    "fresh stars, given whatever is written before it; in which every other node of the path is; "
    "in which the first is if written backward and not forward.",
    "unit": "trainings",
    "smallest": "half of all trainings; right in 0.9 of the stars (an arm drawn by chance: 0.5)",
    "refuted_if": "Forward the first node is right in 0.9 of the stars in more than half of the "
    "trainings, or the others are not, or backward and not forward the first is in fewer: as "
    "where the first node of the arm is told in place of the last.",
}
WORLDS = ("stars of 2 arms of 3",)
cells = all_arms("inside.path_star", 60.0, ("forward", "backward", "shown", "ahead"), steps=STEPS)
"""Forward, backward, forward with the search shown, and backward where it has to look ahead."""
NULL = {
    "what": "the first node of the arm is told in place of the last: nothing is to be searched for",
    "rows": (
        "first node right in 0.9 of the stars, forward",
        "first node right in 0.9 of the stars, backward and not forward",
    ),
    "stands": {
        "other nodes right in 0.9 of the stars, forward": "they are look-ups whatever is told",
    },
}
"""The rows that must not be supported where this is taken out."""
TRUE = {
    "forward/right": ([0.505] + [1.0] * (LONG - 1), 0.01, 0.0, 1.0),
    "backward/right": ([1.0] * LONG, 0.01, 0.0, 1.0),
    "ahead/right": ([1.0] * (LONG - 1) + [0.9], 0.03, 0.0, 1.0),
    "shown/right": ([0.95] + [1.0] * (LONG - 1), 0.03, 0.0, 1.0),
    "searched": (1.0, 0.0),
}
PLANTED = {
    "null": {
        "the search is learned": planted(
            TRUE, **{"forward/right": ([0.95] + [1.0] * (LONG - 1), 0.03, 0.0, 1.0)}
        ),
        "nothing is learned": planted(
            TRUE,
            **{
                "forward/right": ([0.4] + [0.4] * (LONG - 1), 0.03, 0.0, 1.0),
                "backward/right": ([0.4] * LONG, 0.03, 0.0, 1.0),
            },
        ),
    },
    "effect": {"an arm by chance and look-ups": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is right at each place of the path, by the order in which it is written."""
    planned = cells(world, e, null=null)
    forward, backward, shown, ahead = (found(results, cell, "right") for cell in planned)
    searched = found(results, planned[0], "searched")
    well = {
        "forward": forward[:, 0] >= RIGHT, "others": forward[:, 1:].min(1) >= RIGHT,
        "backward": backward[:, 0] >= RIGHT, "looks told": shown[:, 0] >= RIGHT,
        "ahead": ahead[:, -1] >= RIGHT,
    }  # fmt: skip
    apart, of, looks = well["backward"] & ~well["forward"], "of trainings", "forward, looks told"
    (first, both), (others,) = NULL["rows"], NULL["stands"]
    rows = [
        claimed(CLAIM, world, "forward", first, rate(well["forward"]), below=MOST, unit=of),
        claimed(CLAIM, world, "forward", others, rate(well["others"]), above=MOST, unit=of),
        claimed(CLAIM, world, "backward", both, rate(apart), above=MOST, unit=of),
        told(CLAIM, world, "backward", "first node right in 0.9 of the stars",
             rate(well["backward"]), unit=of),
        told(CLAIM, world, looks, "first node right in 0.9 of the stars",
             rate(well["looks told"]), unit=of),
        told(CLAIM, world, "forward", "first node right", share(forward[:, 0])),
        told(CLAIM, world, "forward", "other nodes right, least of them",
             share(forward[:, 1:].min(1))),
        told(CLAIM, world, "backward", "first node right", share(backward[:, 0])),
        told(CLAIM, world, looks, "first node right", share(shown[:, 0])),
        told(CLAIM, world, "backward, told the first node in place of the last",
             f"last node right in 0.9 of the stars, {LONG - 1} steps ahead and written first",
             rate(well["ahead"]), unit=of),
        told(CLAIM, world, "backward, told the first node in place of the last", "last node right, "
             f"{LONG - 1} steps ahead and written first", share(ahead[:, -1])),
        check(CLAIM, world, "a search back from the goal", "first node right",
              share(searched), above=0.5),
    ]  # fmt: skip
    written = {
        "written forward": forward,
        "written backward": backward,
        "forward, looks told": shown,
        "backward, told the first in place of the last": ahead,
    }
    panel = Panel(
        title="what is right along the path",
        x_label="place on the way from the start to the goal",
        y_label="share of stars",
        series=lines(range(1, LONG + 1), written),
        references=[Reference(label="an arm drawn by chance", y=CHANCE)],
    )
    sentence = (
        f"Written forward, the first node is right in 0.9 of the stars in {well['forward'].sum()} "
        f"of {len(forward)} trainings (on average in {forward[:, 0].mean():.2f} of the stars, at "
        f"best {forward[:, 0].max():.2f}; an arm drawn by chance {CHANCE:.2f}), every other node "
        f"in {well['others'].sum()}; written backward, the first in {well['backward'].sum()}. "
        f"Forward with each look told what to find it is in {well['looks told'].sum()}. Told the "
        f"first node in place of the last and writing backward, where the last is as many steps "
        f"ahead and no look-up either, the last is right so often in {well['ahead'].sum()}."
    )
    return Shown(rows, [panel], sentence)
