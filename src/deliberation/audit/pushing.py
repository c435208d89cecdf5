"""Whether a direction in a layer moves what is done: activations are pushed along it, and along
others that are as long.

A label that can be read off a layer need not be used: such a direction is inert.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from ..core.insides import Insides, Units
from ..stats import Estimate, bootstrap
from .decoding import Labels, directions, spreads
from .walking import Walk, ahead

ANYWHERE = 5
"""Directions at random for each that is read off."""


def pushed(
    walk: Walk,
    insides: Insides,
    rows: Int[np.ndarray, " n"],
    layer: str,
    units: Units,
    untrained: Sequence[Units],
    rng: np.random.Generator,
) -> Estimate:
    """How much more often the action some steps ahead becomes the one pushed towards.

    In each state one action is drawn that would not be done then, and the layer's activations are
    pushed towards it while the present action is chosen: each unit in proportion to its weight and
    its spread, all together by as much as units spread. What is done afterwards is the subject's
    own. Less the same by directions at random, or by those that read the same off networks at
    random weights, whichever moves more.
    """
    own = ahead(walk, rows, walk.action(rows))
    actions = walk.exam.reached.legal.shape[1]
    other = rng.integers(0, actions - (own.action < actions))
    towards = other + (other >= own.action)
    labels, now = Labels.of(own.action[:, None]), np.eye(own.now.max() + 1)[own.now]
    spread = spreads(units)

    def moved(ways: Float[np.ndarray, "n units"]) -> Float[np.ndarray, " n"]:
        ways = ways * (spread > 0)
        length = np.linalg.norm(ways, axis=1, keepdims=True)
        size = (spread > 0).sum() ** 0.5 * spread
        put = units + size * ways / np.where(length > 0, length, 1.0)
        scores = insides.resume(walk.exam.states(rows), layer, put)
        now = np.where(walk.exam.reached.legal[rows], scores, -np.inf).argmax(1)
        return (ahead(walk, rows, now).action == towards).astype(float)

    def read(of: Units) -> Float[np.ndarray, "n units"]:
        ways = directions(of, now, labels)[:, 0]
        missing = np.zeros((len(ways), max(actions - ways.shape[1], 0)))
        return np.concatenate([ways, missing], 1)[:, towards].T

    along = moved(read(units))
    anyhow = [moved(rng.normal(size=units.shape)) for _ in range(ANYWHERE)]
    controls = [np.mean(anyhow, 0), np.mean([moved(read(x)) for x in untrained], 0)]
    return bootstrap(along - max(controls, key=np.mean), bounds=(-1.0, 1.0))
