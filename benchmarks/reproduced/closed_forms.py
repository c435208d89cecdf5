"""What training ends at where it is known in closed form: forecasts, a step in context, a rule."""

from typing import Any

import numpy as np
from jaxtyping import Array, Key

from deliberation.claims.experiments.inside import in_context
from deliberation.claims.experiments.oracles import forecasts
from deliberation.claims.experiments.simplicity import modular_addition
from deliberation.stats import bootstrap

from . import Row

REPRODUCTION = {
    "name": "closed_forms",
    "title": "Trainings whose end is known in closed form",
    "source": "Oesterheld et al. 2023 (forecasts that move the world); von Oswald et al. 2023 (one "
    "gradient step in context); Gromov 2023 (modular addition)",
    "published": "Of a rate of .3 + .3 p the best Brier score is had by announcing .375, the best "
    "log score by .3786, and .4286 comes true. The best gradient step on ten examples has half the "
    "squared error .20623. Weights set as waves add modulo 97 rightly for .957, .9996 and 1.0 of "
    "the pairs with 64, 128 and 256 units; trained, a network is at chance from a fifth of the "
    "pairs and right from half of them or more.",
    "tolerance": ".01 for announcements, .005 for errors, .015 for hand-set weights; chance up to "
    ".1, and right above .95 where training found the rule",
    "unprinted": {
        "announced: *": "formula",
        "error of *": "formula",
        "cosine *": "simulated",
        "sums *": "simulated",
        "unseen sums, *": "simulated",
    },
    "by_construction": {
        "error of the best gradient step": "the closed form of that error, by sampled problems: "
        "nothing is trained",
    },
}
TRAININGS = {"smoke": 6, "quick": 24, "full": 60}
STEPS = {"smoke": (800, 800, 1500), "quick": (1500, 1500, 2000), "full": (4000, 4000, 4000)}
ENDS = {
    "retrained": ("retrained on what it caused", forecasts.TRUE_FORECAST),
    "given": ("online, outcomes as given", forecasts.TRUE_FORECAST),
    "through": ("online, gradients through the world", forecasts.BEST_BRIER),
    "log": ("the same, log score", forecasts.BEST_LOG),
}


def reproduce(effort: str, key: Key[Array, ""]) -> list[Row]:
    """Means over trainings, from another key than the claims'."""
    del key

    def trained(module: Any, steps: int, **more: Any) -> dict[str, np.ndarray]:
        told = {"trainings": TRAININGS[effort], "arm": "", "key": 2, "steps": steps, **more}
        return {name: np.array(x) for name, x in module.train(told, None).outcomes.items()}

    online, context, sums = STEPS[effort]
    said = trained(forecasts, online, arm="one")
    rows = [
        Row(f"announced: {what}", end, bootstrap(said[f"{way}_heard"], bounds=(0, 1)),
            end - 0.01, end + 0.01)
        for way, (what, end) in ENDS.items()
    ]  # fmt: skip
    layer, best = trained(in_context, context, batch=512), in_context.best_step()[1]
    rows += [
        Row("error of the best gradient step", best, bootstrap(layer["step_error"], bounds=(0, 1)),
            best - 0.005, best + 0.005),
        Row("error of the trained layer", best, bootstrap(layer["error"], bounds=(0, 1)),
            best - 0.005, best + 0.005),
        Row("cosine of both answers' gradients", 0.9994, bootstrap(layer["cosine"], bounds=(-1, 1)),
            0.99, 1.0),
    ]  # fmt: skip
    table = trained(modular_addition, sums)
    hand = zip(modular_addition.CLOSED_WIDTHS, (0.957, 0.9996, 1.0), strict=True)
    rows += [
        Row(f"sums by hand-set weights, {width} units", right,
            bootstrap(table["closed"][:, place], bounds=(0, 1)), right - 0.015, right + 0.015)
        for place, (width, right) in enumerate(hand)
    ]  # fmt: skip
    shares, unseen = modular_addition.SHARES, table["unseen"]
    for share, low, high in ((min(shares), 0.0, 0.1), (max(shares), 0.95, 1.0)):
        at = unseen[:, shares.index(share)]
        rows.append(Row(f"unseen sums, trained on {share:.0%} of the pairs", 1.0 if low else None,
                        bootstrap(at, bounds=(0, 1)), low, high))  # fmt: skip
    return rows
