"""From little data training makes a table, from more of it the rule: modular addition."""

import numpy as np

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import all_found, lines, one_arm, share
from ...experiments.simplicity.modular_addition import CLOSED_WIDTHS, PRIME, SHARES
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 400, "quick": 500, "full": 1000}
LITTLE, MUCH = f"{SHARES[0]:.0%} of the pairs", f"{SHARES[-1]:.0%} of the pairs"
TABLE, RULE, WAVES, GAIN, RUINED = 0.2, 0.5, 0.7, 0.25, 0.25
CLOSED = (0.957, 0.9996, 1.0)
CLAIM = {
    "name": "rule_found",
    "aspect": "learned",
    "chapter": "simplicity",
    "side": "amortised",
    "title": "From a table to a rule",
    "statement": "Shown a fifth of all sums modulo a prime, a network learns them by heart and is "
    "right on none of the others; shown four fifths, the same network with the same training finds "
    "the rule: the others are right, its weights are waves, and without these hardly any is.",
    "estimand": "Accuracy on the pairs not seen; of the power of the input weights, the share at "
    "each neuron's own strongest frequency; accuracy on the pairs seen once that is taken out.",
    "unit": "trainings",
    "smallest": "half of the pairs not seen; 0.7 of the power, 0.25 more than from little data; "
    "less than a quarter of the pairs seen is left without it",
    "refuted_if": "With four fifths no more than half of the other pairs are right, or the power "
    "is spread as from little data, or the network does as well without its waves: as where the "
    "answers are shuffled.",
}
WORLDS = ("sums modulo 23",)
cells = one_arm("simplicity.modular_addition", 60.0, steps=STEPS)
"""One arm, which trains at every share of the pairs."""
NULL = {
    "what": "the answers are shuffled over the pairs: there is no rule",
    "rows": (
        f"right on pairs not seen, {MUCH}",
        f"power at a neuron's own frequency, {MUCH}",
        "more of the power there than from little data",
        f"right on pairs seen without these frequencies, {MUCH}",
    ),
    "stands": {
        f"right on pairs not seen, {LITTLE}": "of shuffled answers none can be known unseen",
        f"right on pairs seen without these frequencies, {LITTLE}": "what is learned by heart "
        "needs no waves",
    },
}
"""The rows that must not be supported where this is taken out."""
TRUE = {
    "seen": ([1.0] * 6, 0.0),
    "unseen": ([0.01, 0.03, 0.05, 0.8, 1.0, 1.0], 0.02, 0.0, 1.0),
    "power": ([0.3, 0.32, 0.37, 0.7, 0.92, 0.97], 0.02, 0.0, 1.0),
    "wave": ([0.9, 0.85, 0.9, 0.98, 0.96, 0.98], 0.03, 0.0, 1.0),
    "wave_unseen": ([0.2, 0.3, 0.5, 0.9, 0.98, 1.0], 0.03, 0.0, 1.0),
    "rest": ([0.96, 0.75, 0.5, 0.1, 0.04, 0.04], 0.03, 0.0, 1.0),
    "closed": (list(CLOSED), 0.004, 0.0, 1.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "the table to the end": planted(TRUE, unseen=([0.04] * 6, 0.01, 0.0, 1.0)),
        "the rule at once": planted(TRUE, unseen=([0.9] * 6, 0.02, 0.0, 1.0)),
        "right, and no waves": planted(TRUE, power=([0.3] * 6, 0.02, 0.0, 1.0)),
        "waves that nothing rests on": planted(TRUE, rest=([0.9] * 6, 0.03, 0.0, 1.0)),
    },
    "effect": {"from the table to the rule": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is right off the pairs seen, and what the weights are, against the share seen."""
    (cell,) = cells(world, e, null=null)
    seen, unseen, power, wave, wave_unseen, rest, closed = all_found(
        results, cell, "seen", "unseen", "power", "wave", "wave_unseen", "rest", "closed"
    )
    who, chance = "one layer of squares", 1 / PRIME

    rows = [
        claimed(CLAIM, world, who, f"right on pairs not seen, {LITTLE}", share(unseen[:, 0]),
                below=TABLE, note=f"chance {chance:.3f}"),
        claimed(CLAIM, world, who, f"right on pairs not seen, {MUCH}", share(unseen[:, -1]),
                above=RULE),
        claimed(CLAIM, world, who, f"power at a neuron's own frequency, {MUCH}",
                share(power[:, -1]), above=WAVES),
        claimed(CLAIM, world, who, "more of the power there than from little data",
                bootstrap(power[:, -1] - power[:, 0], bounds=(-1.0, 1.0)), above=GAIN),
        claimed(CLAIM, world, who, f"right on pairs seen without these frequencies, {MUCH}",
                share(rest[:, -1]), below=RUINED),
        claimed(CLAIM, world, who, f"right on pairs seen without these frequencies, {LITTLE}",
                share(rest[:, 0]), above=RULE),
        told(CLAIM, world, who, "right on pairs seen, least of all shares", share(seen.min(1))),
        told(CLAIM, world, who, f"right on pairs seen by these alone, {LITTLE}", share(wave[:, 0])),
        told(CLAIM, world, who, f"right on pairs not seen by these alone, {LITTLE}",
             share(wave_unseen[:, 0])),
        told(CLAIM, world, who, "share of the pairs at which half of the others are right",
             bootstrap(_crossing(unseen), bounds=(0.0, 1.0))),
        *_by_hand(world, closed),
    ]  # fmt: skip
    panel = Panel(
        title="what is right, and what the weights are",
        x_label="share of the pairs seen in training",
        y_label="share",
        series=lines(
            SHARES,
            {
                "right on pairs seen": seen,
                "right on the others": unseen,
                "power at own frequency": power,
                "right on pairs seen without it": rest,
            },
        ),
        references=[Reference(label="chance", y=chance)],
    )
    one, many = (
        f"{unseen[:, at].mean():.2f} of the others from {share}"
        for at, share in ((0, LITTLE), (-1, MUCH))
    )
    kept = [f"{power[:, at].mean():.2f} ({rest[:, at].mean():.2f} without it)" for at in (0, -1)]
    sentence = (
        f"Of the pairs seen at least {seen.min():.3f} are right, at any share and in any training; "
        f"{one} and {many}. The power at each neuron's own frequency, and what of the pairs seen "
        f"stays right without it, go from {kept[0]} to {kept[1]}. Alone, these frequencies are "
        f"right on {wave_unseen[:, 0].mean():.2f} of the others even from {LITTLE}."
    )
    return Shown(rows, [panel], sentence)


def _crossing(unseen: np.ndarray) -> np.ndarray:
    """Of each training the share where its line first passes one half; 1 where it never does."""
    found = []
    for line in unseen:
        above = np.flatnonzero(line > RULE)
        if not len(above):
            found.append(1.0)
            continue
        k = int(above[0])
        found.append(SHARES[0] if k == 0 else float(np.interp(RULE, line[k - 1 : k + 1],
                                                              SHARES[k - 1 : k + 1])))  # fmt: skip
    return np.array(found)


def _by_hand(world: str, closed: np.ndarray) -> list:
    far = np.abs(closed - np.array(CLOSED)).max(1)
    return [
        check(CLAIM, world, f"the rule set by hand, widths {CLOSED_WIDTHS}",
              "right on all pairs, farthest from its known value",
              bootstrap(far, bounds=(0.0, 1.0)), below=0.03, note="/".join(map(str, CLOSED)))
    ]  # fmt: skip
