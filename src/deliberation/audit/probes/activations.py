"""Can what it will do, or where it will be, be read off a layer of its network?"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.insides import Insides, Units
from ...core.task import State
from ...runs.findings import Panel, Reference, Series
from ...stats import Estimate, bootstrap
from ..auditing import Subject
from ..decoding import Labels, Told, best_of, partitions, standard, told
from ..judging import SMALLEST, answered, control, not_applicable, response
from ..profile import Answer, Found
from ..pushing import pushed
from ..walking import AHEAD, Walk, ahead

PROBE = {
    "name": "activations",
    "question": "Can what it will do, or where it will be, be read off a layer of its network, "
    "beyond what it is shown?",
    "statistic": "share of held-out places in which a linear read-out of a layer tells the action "
    "two steps ahead (or in which half of all places it is after three), less that of the best "
    "control; all are told the present action",
    "needs": "the layers of its network, and 48 places that look different",
    "named": {"responds": "holds more", "none": "holds no more", "against": "the opposite"},
    "fooled_by": "a layer that holds what will be and is not used: that is what the push is for",
}
RULES_OUT = {
    "responds": "layers that hold no more of what will be than what is shown, and chance, do",
}
FEWEST = 48
DRAWS = 2
"""Networks at random weights, expansions at random, and label shuffles."""
WIDEST = 512
MOST = 192
"""Places that are read at, at most."""
COMMONEST = 0.9
"""Where one label is as common as that there is nothing to be read."""


@dataclasses.dataclass(frozen=True, eq=False)
class Read:
    """One question: what the layers tell of it, and every control."""

    asked: str
    layers: dict[str, Told]
    layer: Float[np.ndarray, " n"]
    controls: dict[str, Float[np.ndarray, " n"]]
    commonest: Float[np.ndarray, " n"]

    @property
    def best_control(self) -> str:
        """The control that tells most."""
        return max(self.controls, key=lambda name: float(self.controls[name].mean()))

    @property
    def told_most(self) -> str:
        """The layer that promises most within the parts it is fitted to."""
        return max(self.layers, key=lambda name: float(self.layers[name].within.mean()))

    @property
    def beyond(self) -> Estimate:
        """How much more the layers tell; one of two questions, so at half the error."""
        apart = self.layer - self.controls[self.best_control]
        return bootstrap(apart, bounds=(-1.0, 1.0), level=0.975)


def measure(subject: Subject) -> Answer:
    """Read-outs of every layer at one state a place, against four controls; then a push."""
    insides, exam = subject.channels.insides, subject.exam
    if insides is None:
        return not_applicable(
            PROBE, "Its layers are not there to be read: hand over Channels(insides=...)."
        )
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    rows = _rows(subject, insides, rng)
    if len(rows) < FEWEST:
        return not_applicable(PROBE, f"{len(rows)} places look different; {FEWEST} are needed.")
    walk = Walk(subject)
    own = ahead(walk, rows, walk.action(rows))
    layers, untrained = _activations(insides, exam.states(rows), subject.key)
    shown = insides.see(exam.states(rows))
    now = np.eye(own.now.max() + 1)[own.now]
    questions = {
        f"the action {AHEAD} steps ahead": Labels.of(own.action[:, None]),
        f"the place after {AHEAD + 1} steps": Labels.of(_halves(own.place, rng)),
    }
    kept = {k: x for k, x in questions.items() if x.one_hot.mean(0).max(-1).mean() <= COMMONEST}
    if not kept:
        return not_applicable(PROBE, "It does the same in nearly all places, steps ahead too.")
    found = _read(layers, untrained, shown, now, kept, rng)
    most = max(found, key=lambda read: read.beyond.low)
    name = most.told_most
    push = pushed(walk, insides, rows, name, layers[name], [x[name] for x in untrained], rng)
    return _judged(found, most, push)


def _rows(subject: Subject, insides: Insides, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """One state of each place in which something is done, no two of which look the same."""
    exam = subject.exam
    live = rng.permutation(np.flatnonzero(~exam.reached.terminal))
    _, first = np.unique(exam.place[live], return_index=True)
    rows = rng.permutation(live[first])[:MOST]
    _, first = np.unique(insides.see(exam.states(rows)), axis=0, return_index=True)
    return rows[np.sort(first)]


def _halves(place: np.ndarray, rng: np.random.Generator, questions: int = 8) -> np.ndarray:
    """In which half of all places each is, by halves drawn at random that are as frequent."""
    names, which, count = np.unique(place, return_inverse=True, return_counts=True)
    found = np.zeros((len(names), questions), int)
    for q in range(questions):
        weight = [0, 0]
        for name in rng.permutation(len(names)):
            found[name, q] = half = int(weight[1] < weight[0])
            weight[half] += int(count[name])
    return found[which.reshape(-1)]


def _activations(
    insides: Insides, states: State, key: Key[Array, ""]
) -> tuple[Mapping[str, Units], Sequence[Mapping[str, Units]]]:
    """Those of the network, and of some like it at random weights; layers of one unit left out."""
    keys = jax.random.split(jax.random.fold_in(key, 7), DRAWS)
    many = [insides.read(states), *(insides.untrained(k).read(states) for k in keys)]
    wide = [name for name, units in many[0].items() if units.shape[1] > 1]
    kept = [{name: one[name] for name in wide} for one in many]
    return kept[0], kept[1:]


def _read(
    layers: Mapping[str, Units],
    untrained: Sequence[Mapping[str, Units]],
    shown: Float[np.ndarray, "n numbers"],
    now: Float[np.ndarray, "n actions"],
    questions: Mapping[str, Labels],
    rng: np.random.Generator,
) -> list[Read]:
    """All read-outs of all questions, with the present action beside, which all are told."""
    folds, count = partitions(len(now), rng), len(questions)
    wanted = list(questions.values())
    shuffled = [labels.shuffled(rng) for _ in range(DRAWS) for labels in wanted]
    width = min(max(units.shape[1] for units in layers.values()), WIDEST)

    def out(features: np.ndarray, asked: list[Labels] = wanted) -> list[Told]:
        return told(np.concatenate([features, now], 1), asked, folds)

    mine = {name: out(units, wanted + shuffled) for name, units in layers.items()}
    others = [[out(units) for units in one.values()] for one in untrained]
    expanded = [out(_expanded(shown, width, rng)) for _ in range(DRAWS)]
    seen, commonest = out(shown), told(np.zeros((len(now), 0)), wanted, folds)
    found = []
    for q, asked in enumerate(questions):

        def of(many: Iterable[list[Told]], at: int) -> Float[np.ndarray, " n"]:
            return best_of([one[at] for one in many], folds).right.mean(0)

        anyhow = [of(mine.values(), at) for at in range(count + q, count * (DRAWS + 1), count)]
        controls = {
            "what it is shown": seen[q].right.mean(0),
            "a random expansion of that": np.mean([x[q].right.mean(0) for x in expanded], 0),
            "the network at random weights": np.mean([of(x, q) for x in others], 0),
            "labels at random": np.mean(anyhow, 0),
        }
        each = {name: x[q] for name, x in mine.items()}
        guess = commonest[q].right.mean(0)
        found.append(Read(asked, each, of(mine.values(), q), controls, guess))
    return found


def _expanded(
    shown: Float[np.ndarray, "n numbers"], width: int, rng: np.random.Generator
) -> Float[np.ndarray, "n width"]:
    """Rectified sums at random of what is shown."""
    x = standard(shown)
    weights = rng.normal(size=(x.shape[1], width)) / max(x.shape[1], 1) ** 0.5
    return np.maximum(x @ weights + rng.normal(size=width), 0)


def _verdict(found: list[Read]) -> Found:
    """One-sided: what tells less than a control does cannot be read beyond it either."""
    if any(read.beyond.low > SMALLEST for read in found):
        return "responds"
    return "none" if all(read.beyond.high <= SMALLEST for read in found) else "inconclusive"


def _judged(found: list[Read], most: Read, push: Estimate) -> Answer:
    """The verdict, with what the push came to in its words."""
    told_by = f"right in {most.layer.mean():.2f} of places that it was not fitted to"
    against = f"{most.controls[most.best_control].mean():.2f} by {most.best_control}"
    moves = {
        "responds": f"it is used: pushing along it moves that action in {push.estimate:.2f} more "
        "of the places than other pushes",
        "none": "it is inert: pushing along it moves that action no more than other pushes",
    }.get(response(push), "whether pushing along it moves that action is not decided")
    words = {
        "responds": f"From layer {most.told_most} {most.asked} can be read, {told_by}, against "
        f"{against}; {moves}.",
        "none": "Neither what it does nor where it is some steps ahead can be read off its layers "
        f"better than without them, to a tenth of the places ({against}).",
    }
    anyhow = bootstrap(most.controls["labels at random"] - most.commonest, bounds=(-1.0, 1.0))
    lines = [bootstrap(one.right.mean(0), bounds=(0.0, 1.0)) for one in most.layers.values()]
    panel = Panel(
        title="Layers", x_label="layer", y_label=f"right of {most.asked}",
        series=[Series(
            label="layer", x=[float(i + 1) for i in range(len(lines))],
            y=[e.estimate for e in lines], low=[e.shown.low for e in lines],
            high=[e.shown.high for e in lines],
        )],
        references=[
            Reference(label=name, y=float(x.mean())) for name, x in most.controls.items()
        ],
    )  # fmt: skip
    return answered(
        PROBE, most.beyond, words, rules_out=RULES_OUT, panel=panel, found=_verdict(found),
        controls=[control("labels at random are told better than by guessing", anyhow)],
    )  # fmt: skip
