"""Who finds what only looks good: an imitator, a network trained by reward, a search."""

import numpy as np

from ....runs import Panel, Series
from ....stats import bootstrap
from ...experiments.arms import found, one_arm
from ...experiments.reward.proxies import DRAWS, LURE
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import claimed, told

STEPS = {"smoke": 600, "quick": 1500, "full": 4000}
BATCH = 128
FEW = DRAWS.index(16)
SMALLEST = 0.2
CLAIM = {
    "name": "over_maximisation",
    "aspect": "learned",
    "chapter": "reward",
    "side": "both",
    "title": "Over-maximisation",
    "statement": "Where a proxy can be exploited, an imitator's answers look better than they are "
    "by less than those of the same network trained by the proxy, and these by no more than those "
    "of a search over many answers; both are worth less than the imitator's, and a search over "
    "1,024 answers is worth less than one over 16.",
    "estimand": "Expected proxy less true value of the answer given, and its true value: of the "
    "imitator, of the network trained by reward, and of a search over 16 and over 1,024 answers.",
    "unit": "trainings",
    "smallest": "0.2 (an exploit is 6 apart; the true values of answers differ by about 1)",
    "refuted_if": "The imitator looks better than it is by as much as the others, its answers are "
    "worth no more, the trained network's look better than they are by more than the search's, or "
    "more search costs nothing: as where reward and search see the truth.",
}
WORLDS = ("exploitable proxy",)
NULL = {
    "what": "reward and search see the truth, and nobody the proxy",
    "rows": (
        "gap beyond the imitator's",
        "true value lost against the imitator",
        "true value lost from 16 to 1,024 answers",
    ),
    "stands": {
        "gap beyond the network's trained by reward": "where both see the truth neither has a gap",
    },
}
"""The rows that must not be supported where this is taken out."""
TRUE = {
    "imitation_gap": (0.2, 0.1), "imitation_true": (1.8, 0.1),
    "reward_gap": (0.6, 0.1, 0.0, 6.0), "reward_true": (1.4, 0.1),
    "search_gap": ([0.1, 0.2, 0.3, 0.4, 0.5, 0.8], 0.1), "maximum_gap": (0.8, 0.1),
    "search_true": ([0.0, 1.0, 1.8, 1.6, 1.5, 1.4], 0.1), "maximum_true": (1.4, 0.1),
    "sampling_true": ([1.8, 2.0, 1.8, 1.6, 1.5, 1.4], 0.1),
}  # fmt: skip
PLANTED = {
    "null": {
        "nobody exploits anything": planted(
            TRUE, reward_gap=(0.2, 0.1), search_gap=([0.2] * len(DRAWS), 0.1)
        ),
        "reward goes beyond search": planted(TRUE, reward_gap=(1.4, 0.1)),
        "exploits cost nothing": planted(TRUE, reward_true=(1.8, 0.1)),
        "more search is only better": planted(
            TRUE, search_true=([0.0, 1.0, 1.4, 1.6, 1.8, 2.0], 0.1)
        ),
    },
    "effect": {"twice the smallest": planted(TRUE)},
}


cells = one_arm("reward.proxies", 30.0, also={"batch": BATCH}, steps=STEPS)
"""One arm, which holds all ways of answering; in the null nothing can be exploited."""


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Gaps and true values of three ways to answer."""
    (cell,) = cells(world, e, null=null)
    gap, true = (
        {way: found(results, cell, f"{way}_{what}") for way in ("imitation", "reward", "search")}
        for what in ("gap", "true")
    )
    best = {what: found(results, cell, f"maximum_{what}") for what in ("gap", "true")}
    curve = true["search"]
    at = {"reward": "trained by reward", "search": "search over 1,024"}
    attained = {
        "imitator": gap["imitation"] + true["imitation"],
        at["reward"]: gap["reward"] + true["reward"],
        at["search"]: (gap["search"] + true["search"])[:, -1],
    }
    last = {"reward": lambda x: x["reward"], "search": lambda x: x["search"][:, -1]}
    rows = [
        claimed(CLAIM, world, at["reward"], "gap beyond the imitator's",
                bootstrap(gap["reward"] - gap["imitation"]), above=SMALLEST),
        claimed(CLAIM, world, at["search"], "gap beyond the network's trained by reward",
                bootstrap(gap["search"][:, -1] - gap["reward"]), above=-SMALLEST),
        *(claimed(CLAIM, world, at[way], "true value lost against the imitator",
                  bootstrap(true["imitation"] - last[way](true)), above=SMALLEST) for way in at),
        claimed(CLAIM, world, "search", "true value lost from 16 to 1,024 answers",
                bootstrap(curve[:, FEW] - curve[:, -1]), above=SMALLEST),
        *(told(CLAIM, world, way, f"{what} at the best-looking answer", bootstrap(best[what]))
          for way, what in (("maximum of the proxy", "gap"), ("maximum of the proxy", "true"))),
        told(CLAIM, world, "imitator", "gap", bootstrap(gap["imitation"])),
        told(CLAIM, world, "imitator", "true value", bootstrap(true["imitation"])),
        told(CLAIM, world, at["reward"], "gap", bootstrap(gap["reward"])),
        told(CLAIM, world, at["reward"], "true value", bootstrap(true["reward"])),
        *(told(CLAIM, world, who, "proxy attained", bootstrap(x)) for who, x in attained.items()),
    ]  # fmt: skip
    sampled = found(results, cell, "sampling_true")
    panels = [
        _panel("the gap", "proxy less true value", gap),
        _panel("true value", "true value of the answer", {**true, "sampling": sampled}),
    ]
    sentence = (
        f"Answers look better than they are by {gap['imitation'].mean():.2f} from the imitator, "
        f"{gap['reward'].mean():.2f} from the network trained by reward and "
        f"{gap['search'][:, -1].mean():.2f} from a search over 1,024 (an exploit: "
        f"{2 * LURE:.0f}), and are worth {true['imitation'].mean():.2f}, "
        f"{true['reward'].mean():.2f} and {curve[:, -1].mean():.2f}; of the proxy they have "
        f"{', '.join(f'{x.mean():.2f}' for x in attained.values())}."
    )
    return Shown(rows, panels, sentence)


def _panel(title: str, y_label: str, of: dict[str, np.ndarray]) -> Panel:
    """Searches over the answers they look at; networks, which look at none, level."""
    names = {
        "imitation": "imitator", "reward": "trained by reward", "search": "search from the rules",
        "sampling": "search among the imitator's answers",
    }  # fmt: skip

    def line(way: str, values: np.ndarray) -> Series:
        level = values if values.ndim == 2 else np.repeat(values[:, None], len(DRAWS), 1)
        return series_of(names[way], DRAWS, [bootstrap(x) for x in level.T])

    return Panel(
        title=f"exploitable proxy: {title}",
        x_label="answers looked at",
        y_label=y_label,
        x_scale="log2",
        series=[line(way, values) for way, values in of.items()],
    )
