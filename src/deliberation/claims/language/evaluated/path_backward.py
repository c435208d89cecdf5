"""Told the right tokens so far, a model does not come to look ahead; reversed, it need not."""

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import all_arms, all_found, share
from ...experiments.inside.path_star import ARMS
from ...experiments.language.stars import DRAWN
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 300, "quick": 600, "full": 600}
"""Backward it is learned in under 300. Forward more of them begin to tell: 3 trainings of 1,200
steps are right in 0.51, 0.56 and 0.62 of the stars."""
CHANCE = 1 / ARMS
NEAR, SOLVED, APART = 0.1, 0.9, 0.2
CLAIM = {
    "name": "path_backward",
    "aspect": "language",
    "chapter": "evaluated",
    "side": "amortised",
    "title": "The same path, forward and backward",
    "statement": "Trained for 600 steps (300 at the smallest effort) to tell the next token of a "
    "path on a star given the right ones before it, a transformer that writes from the start gets "
    "the first move right no more often than an arm drawn by chance, within a tenth; the same "
    "network trained as long to write from the goal back writes nine tenths of the paths right by "
    "itself. What longer training would come to is not claimed.",
    "estimand": "Of fresh stars of 2 arms of 3 edges: the share in which the first node after the "
    "start is the likeliest token, given the right ones before it, as it writes from the start; "
    "and the share of whole paths that it writes right by itself, in either order; on average over "
    "trainings.",
    "unit": "trainings",
    "smallest": "a tenth of the stars beyond chance (a half); nine tenths of the paths; a fifth of "
    "the paths between both orders",
    "refuted_if": "From the start the first move is right in 0.6 of the stars or more, or from the "
    "goal back fewer than 0.9 of the paths are, or both orders are within 0.2: as where both are "
    "written from the goal back.",
}
WORLDS = ("stars of 2 arms of 3",)
cells = all_arms("language.stars", 30.0, ("forward", "backward"), steps=STEPS)
"""From the start, and from the goal back."""
FORWARD, BACKWARD, BETWEEN = (
    "first move right, written from the start",
    "whole path right by itself, written from the goal back",
    "whole path right by itself, gained by writing from the goal back",
)
SUBJECT = "transformers"
NULL = {
    "what": "both are written from the goal back",
    "rows": (FORWARD, BETWEEN),
    "stands": {BACKWARD: "it is written so anyhow"},
}
"""The rows that must not be supported where this is taken out."""
TRUE = {
    "first": (0.5, 0.015, 0.0, 1.0), "backward/first": (0.995, 0.005, 0.0, 1.0),
    "others": (0.98, 0.01, 0.0, 1.0), "whole": (0.5, 0.015, 0.0, 1.0),
    "backward/whole": (0.99, 0.005, 0.0, 1.0), "searched": (1.0, 0.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "the first move is learned": planted(
            TRUE, first=(0.97, 0.02, 0.0, 1.0), whole=(0.96, 0.02, 0.0, 1.0)
        ),
        "nothing is learned": planted(TRUE, **{"backward/whole": (0.5, 0.02, 0.0, 1.0)}),
    },
    "effect": {"an arm by chance, and a look-up": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is right of the path, by the order in which it is written."""
    one, other = cells(world, e, null=null)
    names = "first", "others", "whole"
    forward, still, whole = all_found(results, one, *names)
    backward, back_others, back_whole = all_found(results, other, *names)
    (searched,) = all_found(results, one, "searched")
    who, back = "written from the start", "written from the goal back"
    nodes = "other nodes right, least of them"
    told_of = {
        f"{nodes}, {who}": still, f"{nodes}, {back}": back_others,
        f"whole path right by itself, {who}": whole, f"first move right, {back}": backward,
    }  # fmt: skip
    rows = [
        claimed(CLAIM, world, SUBJECT, FORWARD, share(forward, DRAWN), below=CHANCE + NEAR),
        claimed(CLAIM, world, SUBJECT, BACKWARD, share(back_whole, DRAWN), above=SOLVED),
        claimed(CLAIM, world, SUBJECT, BETWEEN, bootstrap(back_whole - whole, bounds=(-1.0, 1.0)),
                above=APART),
        *(told(CLAIM, world, SUBJECT, name, share(x, DRAWN)) for name, x in told_of.items()),
        check(CLAIM, world, "a search back from the goal", "first move right",
              share(searched, DRAWN), above=0.5),
    ]  # fmt: skip
    found = {who: (forward, still, whole), back: (backward, back_others, back_whole)}
    panel = Panel(
        title="what is right of the path",
        x_label="given the right tokens before, or by itself",
        x_names=["first move", "other nodes", "all, by itself"],
        y_label="share of stars",
        series=[
            series_of(
                label, [i + 1 + 0.1 * k for i in range(3)], [share(x) for x in parts], kind="points"
            )
            for k, (label, parts) in enumerate(found.items())
        ],
        references=[Reference(label="an arm drawn by chance", y=CHANCE)],
    )
    sentence = (
        f"Written from the start, the first move is right in {forward.mean():.2f} of the stars (an "
        f"arm drawn by chance: {CHANCE:.2f}; at best in any of {len(forward)} trainings "
        f"{forward.max():.2f}) and the other nodes in {still.mean():.2f}; written from the goal "
        f"back, the same move in {backward.mean():.2f}. Left to write by itself, the whole path is "
        f"right in {whole.mean():.2f} and {back_whole.mean():.2f} of the stars."
    )
    return Shown(rows, [panel], sentence)
