"""A search that comes back to what it has read, and whole samples, at the same forward passes."""

from ....runs import Panel
from ....stats import bootstrap
from ...experiments.arms import all_found, lines, share
from ...experiments.language.countdown_searches import BUDGETS, planned
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

AT, GAIN = 256, 0.2
"""The budget named beforehand (trees did best there in pilots with other keys), and the gain."""
WIDE = (-1.0, 1.0)
"""What differences of shares are bounded by."""
CLAIM = {
    "name": "tree_over_tokens",
    "aspect": "language",
    "chapter": "searched",
    "side": "both",
    "title": "A tree and whole samples at equal forward passes",
    "statement": "Around a model of language, a tree search over tokens that is led by the "
    "model's probabilities alone solves 20 points more of the problems than best of n, both with "
    "256 forward passes a problem, the same grammar and the same exact verifier of finished "
    "answers.",
    "estimand": "Share of held-out problems (numbers and targets that no lesson has in any order) "
    "solved with 256 forward passes each, those of the prompt included: the tree search less best "
    "of n. The tree's rule and its value were chosen among 10 variants in pilots with other keys, "
    "which favours the tree: best of n had none.",
    "unit": "trainings",
    "smallest": "20 points",
    "refuted_if": "The tree solves less than 20 points more.",
}
WORLDS = ("Countdown with four numbers",)
ROW = f"solved with {AT} passes, minus best of n"
NULL = {
    "what": "the verifier of all of them accepts half of all texts by lot",
    "rows": (ROW,),
}
"""The rows that must not be supported where this is taken out."""
_SPREAD = (0.04, 0.0, 1.0)
TRUE = {
    "best": ([0.30, 0.45, 0.55], *_SPREAD),
    "beam": ([0.30, 0.45, 0.55], *_SPREAD), "lines": ([0.30, 0.45, 0.55], *_SPREAD),
    "tree": ([0.50, 0.80, 0.95], *_SPREAD), "likeliest": (0.28, *_SPREAD),
    "blind": ([0.05, 0.10, 0.18], *_SPREAD),
    "passes": (0.98, 0.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "a tree is as good as samples": planted(TRUE, tree=TRUE["best"]),
        "a tree solves 10 points more": planted(TRUE, tree=([0.4, 0.55, 0.65], *_SPREAD)),
    },
    "effect": {"twice as many points": planted(TRUE)},
}
NAMES = {
    "tree": "tree over tokens",
    "lines": "tree over lines",
    "beam": "beam",
    "best": "best of n",
}
cells = planned("verifier")


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Who solves how much with which budget."""
    (cell,) = cells(world, e, null=null)
    likeliest, passes, blind = all_found(results, cell, "likeliest", "passes", "blind")
    solved = dict(zip(NAMES, all_found(results, cell, *NAMES), strict=True))
    of, at = {"unit": "of problems"}, BUDGETS.index(AT)
    gain = {name: x - solved["best"] for name, x in solved.items() if name != "best"}
    rows = [
        claimed(CLAIM, world, NAMES["tree"], ROW, bootstrap(gain["tree"][:, at], bounds=WIDE),
                above=GAIN, **of),
        check(CLAIM, world, "beam and trees", "most passes taken, in parts of the budget",
              bootstrap(passes, bounds=(0.0, 2.0)), below=1.0 + 1e-9),
        told(CLAIM, world, "the likeliest tokens", "solved", share(likeliest), **of),
    ]  # fmt: skip
    rows += [
        told(CLAIM, world, "any true lines (blind), best of n", f"solved with {budget} passes",
             share(blind[:, i]), **of)
        for i, budget in enumerate(BUDGETS)
    ]  # fmt: skip
    rows += [
        told(CLAIM, world, title, f"solved with {budget} passes", share(solved[name][:, i]), **of)
        for i, budget in enumerate(BUDGETS)
        for name, title in NAMES.items()
    ]
    rows += [
        told(CLAIM, world, NAMES[name], f"solved with {budget} passes, minus best of n",
             bootstrap(x[:, i], bounds=WIDE), **of)
        for i, budget in enumerate(BUDGETS)
        for name, x in gain.items() if (name, budget) != ("tree", AT)
    ]  # fmt: skip
    panel = Panel(
        title="solved, by what goes on around the same network",
        x_label="forward passes a problem",
        y_label="share of problems",
        x_scale="log2",
        series=lines(
            BUDGETS, {**{NAMES[name]: x for name, x in solved.items()}, "any true lines": blind}
        ),
    )
    shares = ", ".join(f"{NAMES[name]} {x[:, at].mean():.2f}" for name, x in solved.items())
    sentence = (
        f"Solved with {AT} forward passes a problem: {shares} (the likeliest tokens alone "
        f"{likeliest.mean():.2f}, best of n of any true lines {blind[:, at].mean():.2f}). "
        f"The tree over tokens gains {100 * gain['tree'][:, at].mean():+.0f} points on best of n; "
        f"with {BUDGETS[0]} passes {100 * gain['tree'][:, 0].mean():+.0f}. What leads the tree was "
        "chosen among 10 variants in pilots, which favours it."
    )
    return Shown(rows, [panel], sentence)
