"""With more text, and from much of it larger, a model comes nearer to its source."""

import numpy as np

from ....runs import Panel
from ....stats import bootstrap
from ...experiments.arms import all_arms, found, lines
from ...experiments.language.scaling import ARMS, TEXTS, WIDTHS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import claimed, told

STEPS = {"smoke": 400, "quick": 600, "full": 1500}
TUNINGS = {"smoke": 150, "quick": 200, "full": 400}
EVEN = (0.0, 1.4)
"""Of the entropy of one of four tokens."""
HALVINGS, LEFT, CLOSE, BELOW = 1.0, 0.1, 0.05, 0.1
CLAIM = {
    "name": "source_not_minimiser",
    "aspect": "language",
    "chapter": "evaluated",
    "side": "amortised",
    "title": "Towards the source, not below it",
    "statement": "With more text, and where there is much of it (not little) with size, a network "
    "trained to tell the next token comes nearer to the source, nearly all the way; the entropy of "
    "what it writes is then the source's. The same network taught by reward that its texts should "
    "surprise it little writes with less.",
    "estimand": "Divergence of the source from the model, exactly, at each token of new texts, in "
    "nats: of the widest over the narrowest from most texts, and of most texts over fewest for the "
    "widest, in halvings; as a share of what the tokens before tell of the next one. Entropy of "
    "the next token where the widest from most texts writes, less the source's entropy rate; the "
    "same once it is taught by reward. Every training has a source of its own.",
    "unit": "trainings",
    "smallest": "one halving; a tenth of what there is to be told; 0.05 nats a token for what is "
    "alike, 0.1 for what is less",
    "refuted_if": "Size or text less than halve the divergence, or more than a tenth of what there "
    "is to be told is left; or what the network writes is 0.05 nats or more off the source's "
    "entropy rate; or taught by reward it is less than 0.1 below: as where the texts are shuffled.",
}
WORLDS = ("texts of Markov chains",)
cells = all_arms("language.scaling", 30.0, ARMS, steps=STEPS, tunings=TUNINGS)
"""An arm a size, each from few texts and from many."""
WIDE, MOST = f"width {WIDTHS[-1]}", f"from {TEXTS[-1]} texts"
SIZE, TEXT, REST, OWN, TAUGHT = (
    f"halvings of the divergence from width {WIDTHS[0]} to {WIDTHS[-1]}, {MOST}",
    f"halvings of the divergence from {TEXTS[0]} to {TEXTS[-1]} texts, {WIDE}",
    f"divergence left, of what there is to be told, {WIDE}, {MOST}",
    "entropy where it writes minus the source's rate",
    "source's entropy rate minus that where it writes, taught by reward",
)
NULL = {
    "what": "the tokens of each text to learn from are shuffled",
    "rows": (SIZE, REST, OWN),
    "stands": {
        TEXT: "few texts are learned by heart by the widest network in whatever order their tokens "
        "are, and the more there are the less",
        TAUGHT: "the reward for texts that surprise little is the same whatever was learned",
    },
}
"""The rows that must not be supported where this is taken out."""
TRUE = {
    "divergence": ([1.0, 0.45, 0.4], 0.03, 0.01, 9.0),
    "4/divergence": ([1.4, 0.4, 0.25], 0.03, 0.01, 9.0),
    "8/divergence": ([2.0, 0.4, 0.1], 0.01, 0.01, 9.0),
    "16/divergence": ([2.8, 0.35, 0.02], 0.003, 0.005, 9.0),
    "rate": (0.8, 0.08), "alone": (1.3, 0.0), "16/rate": (0.8, 0.0),
    "own": (0.8, 0.01), "own_tuned": (0.6, 0.05, 0.0, 9.0),
    "surprise": (0.82, 0.01), "surprise_tuned": (0.6, 0.05), "likeliest": (0.36, 0.02),
}  # fmt: skip
STUCK = ([2.8, 0.42, 0.4], 0.02, 0.01, 9.0)
PLANTED = {
    "null": {
        "size buys nothing": planted(TRUE, **{"16/divergence": STUCK}),
        "text buys nothing": planted(TRUE, **{"16/divergence": ([0.4] * 3, 0.02, 0.01, 9.0)}),
        "it writes with less": planted(TRUE, own=(0.65, 0.03)),
        "reward lowers nothing": planted(TRUE, own_tuned=(0.8, 0.03)),
    },
    "effect": {"towards the source": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """The divergence by size and text, and the entropy of what is written."""
    plan = dict(zip(WIDTHS, cells(world, e, null=null), strict=True))
    apart = np.stack([found(results, cell, "divergence") for cell in plan.values()], 1)
    wide = plan[WIDTHS[-1]]
    of = {
        name: found(results, wide, name)
        for name in ("rate", "alone", "own", "own_tuned", "surprise", "surprise_tuned", "likeliest")
    }
    logs, rate = np.log2(apart), of["rate"]
    who, taught, nats = f"{WIDE}, {MOST}", "taught by reward", {"unit": "nats a token"}
    left = apart[:, -1, -1] / (of["alone"] - rate)
    rows = [
        claimed(CLAIM, world, "networks", SIZE, bootstrap(logs[:, 0, -1] - logs[:, -1, -1]),
                above=HALVINGS, unit="halvings"),
        claimed(CLAIM, world, "networks", TEXT, bootstrap(logs[:, -1, 0] - logs[:, -1, -1]),
                above=HALVINGS, unit="halvings"),
        claimed(CLAIM, world, who, REST, bootstrap(left), below=LEFT),
        claimed(CLAIM, world, who, OWN, bootstrap(of["own"] - rate), within=(-CLOSE, CLOSE),
                **nats),
        claimed(CLAIM, world, taught, TAUGHT, bootstrap(rate - of["own_tuned"]), above=BELOW,
                **nats),
        told(CLAIM, world, "networks",
             f"doublings of the divergence from width {WIDTHS[0]} to {WIDTHS[-1]}, from {TEXTS[0]} "
             "texts", bootstrap(logs[:, -1, 0] - logs[:, 0, 0]), unit="doublings"),
        told(CLAIM, world, "sources", "entropy rate", bootstrap(rate, bounds=EVEN), **nats),
        told(CLAIM, world, "sources", "entropy of a token by itself",
             bootstrap(of["alone"], bounds=EVEN), **nats),
        told(CLAIM, world, "likeliest texts, told the source", "surprise of the source minus its "
             "entropy rate", bootstrap(of["likeliest"] - rate), **nats),
        told(CLAIM, world, who, "surprise of the source at what it writes minus its entropy rate",
             bootstrap(of["surprise"] - rate), **nats),
        told(CLAIM, world, taught, "surprise of the source at what it writes minus its entropy "
             "rate", bootstrap(of["surprise_tuned"] - rate), **nats),
    ]  # fmt: skip
    rows += [
        told(CLAIM, world, f"width {width}", f"divergence from {texts} texts",
             bootstrap(apart[:, i, j]), **nats)
        for i, width in enumerate(WIDTHS) for j, texts in enumerate(TEXTS)
    ]  # fmt: skip
    panel = Panel(
        title="how far from the source",
        x_label="width of the network",
        y_label="divergence (nats a token)",
        x_scale="log2",
        y_scale="log10",
        series=lines(
            WIDTHS, {f"from {n} texts": apart[:, :, j] for j, n in enumerate(TEXTS)}, None
        ),
    )
    middle = apart.mean(0)
    few = "larger is farther" if middle[-1, 0] > middle[0, 0] else "it goes"
    sentence = (
        f"From {TEXTS[-1]} texts the divergence goes from {middle[0, -1]:.2f} to "
        f"{middle[-1, -1]:.3f} nats a token as the width goes from {WIDTHS[0]} to {WIDTHS[-1]} "
        f"({left.mean():.1%} of what tokens before tell is left); from {TEXTS[0]} texts {few}, "
        f"from {middle[0, 0]:.2f} to {middle[-1, 0]:.2f}. Where the widest writes, the entropy is "
        f"{of['own'].mean():.2f} nats a token, where the source does {rate.mean():.2f}; taught by "
        f"reward for texts that surprise it little, {of['own_tuned'].mean():.2f}."
    )
    return Shown(rows, [panel], sentence)
