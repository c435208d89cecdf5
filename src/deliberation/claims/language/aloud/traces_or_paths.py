"""Countdown learned from searches and from paths alone: which answers more fresh problems."""

from typing import Any

import numpy as np

from ....runs import Cell, Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import arm, found, share, shares_apart
from ...experiments.language.countdown_texts import ARMS, ASKED, BATCH, BUDGETS, ROOM
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 600, "quick": 1500, "full": 10000}
TRAININGS = {"smoke": 6, "quick": 8, "full": 24}
"""Few, as texts of searches are long."""
TOKENS_MORE = 4.4
"""Tokens of a search's text over those of a path's: "longer" trains so many times as long."""
WIDTH = 32
SECONDS = {"paths": 35.0, "longer": 90.0, "searches": 110.0}
LEAD = 0.05
DRAWN = 4
"""Texts of paths: 72 passes, which is no fewer than one of a search takes on average."""
PUBLISHED = {"searches": 0.5127, "paths": 0.2573}
"""Gandhi et al. 2024: four numbers, 250 million weights, 500,000 texts."""
TITLES = {
    "paths": "paths, as many steps",
    "longer": "paths, as many tokens",
    "searches": "searches in depth",
}
LINES = "any true lines, drawn"
"""A writer that keeps to the grammar and learned nothing."""
CLAIM = {
    "name": "traces_or_paths",
    "aspect": "language",
    "chapter": "aloud",
    "side": "both",
    "title": "Texts of searches or of paths",
    "statement": "Of a small transformer's answers to Countdown problems of three numbers that it "
    "did not learn from more are right if it learned from texts of searches in depth than if it "
    "learned from paths to the target alone: after as many steps, after as many tokens, and where "
    "paths are drawn for as many passes as a search takes and the best is taken. All from some "
    "700 different problems, after 1,500 steps of 16 texts (at quick effort).",
    "estimand": "Share of problems solved that no training text has: from searches less from "
    "paths, by the likeliest tokens after as many steps and after as many tokens to learn from; "
    "and less the best, by the rules, of 4 paths drawn. Every training splits one pool of "
    "problems by a lot of its own, and all three ways split it alike.",
    "unit": "trainings",
    "smallest": "0.05 of the problems",
    "refuted_if": "The lead of searches lies below 0.05: there is none, or paths lead; as where "
    "the search told before a path is that of another problem.",
}
WORLDS = ("Countdown with 3 numbers",)
STEPWISE, TOKENWISE, PASSWISE = (
    "solved, searches minus paths after as many steps",
    "solved, searches minus paths after as many tokens",
    "solved, searches minus the best of paths at as many passes",
)
NULL = {
    "what": "the search told before a path is that of another problem, as long",
    "rows": (STEPWISE, TOKENWISE, PASSWISE),
}
"""The rows that must not be supported where this is taken out."""
TRUE: dict[str, Any] = {
    "searches/solved": (0.5, 0.03, 0.0, 1.0), "paths/solved": (0.25, 0.03, 0.0, 1.0),
    "longer/solved": (0.25, 0.03, 0.0, 1.0), "voted": (0.27, 0.03, 0.0, 1.0),
    "blind": ([0.25, 0.4, 0.5, 0.6, 0.8, 0.9], 0.02, 0.0, 1.0), "fresh": (1.5, 0.05),
    "learnt": (700.0, 0.0),
    "covered": ([0.2, 0.25, 0.3, 0.35, 0.45, 0.5], 0.02, 0.0, 1.0),
    "searched": (0.9, 0.02, 0.0, 1.0), "loss": (0.5, 0.01), "passes": (18.0, 0.0),
    "searches/passes": (45.0, 1.0), "tokens": (13.0, 0.0), "searches/tokens": (57.2, 0.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "paths do as well": planted(TRUE, **{"searches/solved": (0.25, 0.03, 0.0, 1.0)}),
        "paths lead": planted(TRUE, **{"searches/solved": (0.15, 0.03, 0.0, 1.0)}),
        "drawing does as well": planted(
            TRUE, covered=([0.2, 0.35, 0.45, 0.5, 0.6, 0.7], 0.02, 0.0, 1.0)
        ),
    },
    "effect": {"searches lead by more than twice the smallest": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """Three trainings of one network on the same problems."""
    del world
    return [countdown(name, WIDTH, e, null=null and name == "searches") for name in ARMS]


def countdown(name: str, width: int, e: Effort, *, null: bool = False) -> Cell:
    """One of them, at one width."""
    steps = STEPS[e.name] * (TOKENS_MORE if name == "longer" else 1)
    return arm(
        "language.countdown_texts", e, SECONDS[name] * max(0.4, (width / WIDTH) ** 1.5), name,
        null=null, trainings=TRAININGS[e.name], steps=round(steps), width=width,
    )  # fmt: skip


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What each is right about, and the lead of searches."""
    planned = cells(world, e, null=null)
    plan = dict(zip(ARMS, planned, strict=True))
    solved, passes, tokens = (
        {name: found(results, cell, what) for name, cell in plan.items()}
        for what in ("solved", "passes", "tokens")
    )
    covered = found(results, plan["longer"], "covered")
    drawn = covered[:, BUDGETS.index(DRAWN)]
    blind = found(results, plan["paths"], "blind")
    of, searches = {"unit": "of the problems"}, solved["searches"]
    against = {STEPWISE: solved["paths"], TOKENWISE: solved["longer"], PASSWISE: drawn}
    rows = [
        claimed(CLAIM, world, TITLES["searches"], what, shares_apart(searches, other, ASKED),
                above=LEAD, **of)
        for what, other in against.items()
    ]  # fmt: skip
    rows += [
        told(CLAIM, world, TITLES[name], "solved", share(x, ASKED), **of)
        for name, x in solved.items()
    ]
    rows += [
        told(CLAIM, world, TITLES["longer"], f"solved by the best of {DRAWN} drawn",
             share(drawn, ASKED), **of),
        told(CLAIM, world, TITLES["longer"], f"solved by the most frequent of {DRAWN} drawn",
             share(found(results, plan["longer"], "voted"), ASKED), **of),
        told(CLAIM, world, TITLES["searches"], 'texts that reach "so"',
             share(found(results, plan["searches"], "searched"), ASKED), unit="of the texts"),
        told(CLAIM, world, LINES, "solved", share(blind[:, 0], ASKED), **of),
        told(CLAIM, world, LINES, f"solved by the best of {DRAWN} drawn",
             share(blind[:, BUDGETS.index(DRAWN)], ASKED), **of),
        check(CLAIM, world, TITLES["searches"], f"passes an answer, of those of {DRAWN} paths",
              bootstrap(passes["searches"] / (DRAWN * passes["longer"])), below=1.0),
        check(CLAIM, world, TITLES["longer"], "tokens learned from, of those of searches",
              bootstrap(TOKENS_MORE * tokens["longer"] / tokens["searches"]), within=(0.9, 1.1)),
    ]  # fmt: skip
    rows += [
        told(CLAIM, world, TITLES[name], f"loss, {which}", bootstrap(found(results, cell, what)),
             unit="nats a token")
        for name, cell in plan.items()
        for what, which in (("loss", "texts learned from"), ("fresh", "texts of fresh problems"))
    ]  # fmt: skip
    learnt = f"{found(results, plan['paths'], 'learnt').mean():.0f} problems"
    sentence = _sentence(solved, {"drawn": drawn, "blind": blind[:, 0]}, passes)
    sentence = f"Learned from {learnt} in {STEPS[e.name]} steps of {BATCH} texts. {sentence}"
    return Shown(rows, [_panel(solved, covered, blind, passes)], sentence)


def _panel(
    solved: dict[str, np.ndarray], covered: np.ndarray, blind: np.ndarray,
    passes: dict[str, np.ndarray],
) -> Panel:  # fmt: skip
    each = float(passes["longer"].mean())
    best = series_of(
        "paths, as many tokens: the best of some drawn",
        [each * n for n in BUDGETS], [share(x, ASKED) for x in covered.T],
    )  # fmt: skip
    one = [
        series_of(TITLES[name], [float(passes[name].mean())], [share(x, ASKED)], kind="points")
        for name, x in solved.items()
    ]
    published = [
        Reference(label=f"published, {name} (4 numbers)", y=y) for name, y in PUBLISHED.items()
    ]
    published.append(Reference(label=LINES, y=float(blind[:, 0].mean())))
    return Panel(
        title=f"fresh problems, up to {ROOM} tokens written",
        x_label="passes of the network an answer",
        y_label="share of problems solved",
        x_scale="log2",
        series=[*one, best],
        references=published,
    )


def _sentence(
    solved: dict[str, np.ndarray], texts: dict[str, np.ndarray], passes: dict[str, np.ndarray]
) -> str:
    drawn, blind = texts["drawn"].mean(), texts["blind"].mean()
    at = {name: x.mean() for name, x in solved.items()}
    times = passes["searches"].mean() / passes["longer"].mean()
    return (
        f"Of {ASKED} others {at['searches']:.2f} are solved from searches, {at['paths']:.2f} from "
        f"paths in as many steps, {at['longer']:.2f} from as many tokens of paths, {drawn:.2f} by "
        f"the best of {DRAWN} paths drawn (a search takes {times:.1f} times the passes of one), "
        f"{blind:.2f} by any true lines. Published, of larger models and four numbers: "
        f"{PUBLISHED['searches']:.2f} from searches and {PUBLISHED['paths']:.2f} from paths."
    )
