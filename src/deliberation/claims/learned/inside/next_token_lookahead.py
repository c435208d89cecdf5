"""Told every next node, a network misses the one that no look-up gives: paths on a star."""

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import all_arms, found, lines, share
from ...experiments.inside.path_star import ARMS, LONG
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 1000, "quick": 1500, "full": 3000}
CHANCE = 1 / ARMS
NEAR, GAP = 0.65, 0.25
CLAIM = {
    "name": "next_token_lookahead",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "The one step that takes a search",
    "statement": "Trained to write the path node after node, each given the right ones before it, "
    "a network guesses the first node, which takes a search from the goal, and gets all others "
    "right, which look-ups give; the same network that writes the path backward, where every node "
    "is a look-up, gets that node right too.",
    "estimand": "Share of fresh stars in which the first node after the start is right, given "
    "whatever is written before it; the least such share of the other nodes of the path.",
    "unit": "trainings",
    "smallest": "0.65 forward, where guessing one of two arms gives 0.5, and of the other nodes; a "
    "quarter more backward than forward",
    "refuted_if": "Forward the first node is right in more than 0.65 of the stars, or backward not "
    "in a quarter more: as where the first node of the arm is told in place of the last.",
}
WORLDS = ("stars of 2 arms of 3",)
cells = all_arms("inside.path_star", 60.0, ("forward", "backward", "shown", "ahead"), steps=STEPS)
"""Forward, backward, forward with the search shown, and backward where it has to look ahead."""
NULL = {
    "what": "the first node of the arm is told in place of the last: nothing is to be searched for",
    "rows": ("first node right, forward", "first node right, backward less forward"),
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
    "effect": {"a guess and look-ups": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is right at each place of the path, by the order in which it is written."""
    planned = cells(world, e, null=null)
    forward, backward, shown, ahead = (found(results, cell, "right") for cell in planned)
    searched = found(results, planned[0], "searched")
    rows = [
        claimed(CLAIM, world, "forward", "first node right, forward",
                share(forward[:, 0]), below=NEAR),
        claimed(CLAIM, world, "forward", "other nodes right, least of them, forward",
                share(forward[:, 1:].min(1)), above=NEAR),
        claimed(CLAIM, world, "backward", "first node right, backward less forward",
                bootstrap(backward[:, 0] - forward[:, 0], bounds=(-1.0, 1.0)), above=GAP),
        told(CLAIM, world, "backward", "first node right, backward", share(backward[:, 0])),
        told(CLAIM, world, "forward, each look told what to find", "first node right",
             share(shown[:, 0])),
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
        references=[Reference(label="guessing an arm", y=CHANCE)],
    )
    sentence = (
        f"Written forward, the first node is right in {forward[:, 0].mean():.2f} of the stars "
        f"(guessing an arm gives {CHANCE:.2f}) and the others in "
        f"{forward[:, 1:].min(1).mean():.2f}; written backward it is right in "
        f"{backward[:, 0].mean():.2f}. Forward, with each look told what to find, it is right in "
        f"{shown[:, 0].mean():.2f} ({shown[:, 0].max():.2f} in the best training). So it is this "
        f"training that fails here, where the other nodes can be had without the search, and not "
        f"all looking ahead: told the first node in place of the last and writing backward, it "
        f"has to look as many steps ahead for the last, and gets it right in "
        f"{ahead[:, -1].mean():.2f}."
    )
    return Shown(rows, [panel], sentence)
