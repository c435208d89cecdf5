"""Gates: from the answer so far, what would more planning be expected to gain?

The value of computation is the expected improvement of the decision it may change (Russell and
Wefald 1991; for search in steps Hay, Russell, Tolpin and Shimony 2012). There are two witnesses: by
how much the answer prefers its first action to its second, and whether search has already overruled
the habit. A gate turns them into units of return, by numbers learned from decisions that were
planned.
"""

import abc
import itertools
import time
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from ...amortised.networks.feed_forward import Network, flops
from ...amortised.policies.network import evaluate
from ...core.budget import Budget
from ...core.decider import Decider, check_finite, row_keys
from ...core.ledger import Ledger
from ...core.masks import FORBIDDEN
from ...core.task import State, Task, batch_size
from ...direct.tree_search.stopping import expected_excess

_LEAST, _LEAST_WEIGHT = 8, 1e-6


class Gate(eqx.Module):
    """The expected gain of the next stage of planning a row, in units of return."""

    @abc.abstractmethod
    def __call__(
        self,
        logits: Float[Array, "batch actions"],
        legal: Bool[Array, "batch actions"],
        revised: Bool[Array, " batch"] | None = None,
    ) -> Float[Array, " batch"]:
        """From the logits of the answer so far, `FORBIDDEN` where illegal, and whether its action
        is another than the network's (None: nowhere); 0 where nothing is to choose."""


class GaussianGate(Gate):
    """gain = scale s f(-m / s), f(z) = z Phi(z) + phi(z).

    m, the margin, is how many nats the first action of the answer has on the second; s (`spread`,
    in nats) how uncertain such margins are, and `scale` what a nat is worth in return: the Gaussian
    value of perfect information about which of the two is better (see
    `direct.ValueOfComputation`). Both are one number, or two: for answers that agree with the
    network's, and for those that search has revised. They are data; `fit_gates` learns them.
    """

    scale: Float[Array, "*kinds"]
    spread: Float[Array, "*kinds"]

    def __init__(
        self,
        scale: float | Sequence[float] | np.ndarray | Array = 1.0,
        spread: float | Sequence[float] | np.ndarray | Array = 1.0,
    ):
        self.scale = jnp.asarray(scale, jnp.float32)
        self.spread = jnp.asarray(spread, jnp.float32)
        sound = (self.scale >= 0) & (self.spread > 0) & jnp.isfinite(self.scale + self.spread)
        if not bool(sound.all()) or sound.shape not in ((), (2,)):
            raise ValueError(
                "A gate needs scale >= 0 and spread > 0, each one number or two; got "
                f"{scale}, {spread}."
            )

    def __call__(
        self,
        logits: Float[Array, "batch actions"],
        legal: Bool[Array, "batch actions"],
        revised: Bool[Array, " batch"] | None = None,
    ) -> Float[Array, " batch"]:
        """Largest where the answer is undecided between its first two actions."""
        kind = jnp.zeros(legal.shape[0], jnp.int32) if revised is None else revised.astype(int)
        scale, spread = (jnp.broadcast_to(x, (2,))[kind] for x in (self.scale, self.spread))
        return scale * _excess(margins(logits, legal), spread)


def margins(
    logits: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
) -> Float[Array, " batch"]:
    """Log-probability of the first action over that of the second; infinite without a second."""
    two = jax.lax.top_k(jnp.where(legal, logits, FORBIDDEN), min(2, legal.shape[1]))[0]
    return jnp.where(legal.sum(-1) > 1, two[:, 0] - two[:, -1], jnp.inf)


def as_logits(
    weights: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
) -> Float[Array, "batch actions"]:
    """What a gate reads of a planner's answer; weights of nothing count as very little."""
    return jnp.where(legal, jnp.log(jnp.maximum(weights, _LEAST_WEIGHT)), FORBIDDEN)


def _excess(margin: Float[Array, "*rows"], spread: Float[Array, "..."]) -> Float[Array, "*rows"]:
    z = jnp.where(jnp.isfinite(margin), -margin / spread, -1e3)
    return spread * expected_excess(z)


def fit_gates(
    task: Task,
    network: Network,
    planner: Decider,
    state: State,
    *,
    budget: int,
    looks: Sequence[int] = (),
    key: Key[Array, ""],
) -> tuple[tuple[GaussianGate, ...], Ledger]:
    """One gate before each stage, learned from what that stage gained in a batch of states.

    A stage ends after each number of simulations in `looks`, the last after `budget`, and is played
    as `Gated` will play it: going on with what the planner remembers of the stage before, or anew
    with the stage's own simulations alone where it remembers nothing. Wherever an answer is not
    that of the stage before, both actions are taken and the planner is asked for the value of where
    they lead: the difference is what the stage gained. Scale and spread are those of least squares,
    apart for answers that agree with the network's and for those that do not.

    Returns the gates and what it took to learn them (unknown where the planner's costs are).
    Raises `NonFiniteError` where a value is not finite.
    """
    started = time.perf_counter()
    batch = batch_size(state)
    chosen, margin, spent = _answers(task, network, planner, state, (*looks, budget), key)
    worth, judging = _worth(task, planner, state, chosen, budget, jax.random.fold_in(key, 1))
    live = chosen[0] >= 0
    gates = []
    for i in range(len(looks) + 1):
        gain, revised = worth[i + 1] - worth[i], chosen[i] != chosen[0]
        kinds = [rows if rows.any() else live for rows in (live & ~revised, live & revised)]
        # Before any search nothing is revised.
        fits = [_least_squares(margin[i][rows], gain[rows]) for rows in kinds[: 1 + (i > 0)]]
        gates.append(GaussianGate(*(np.array(fits).T if i else fits[0])))
    looked = Ledger(
        network_evaluations=batch, fits=len(gates), data=batch, flops=batch * flops(network)
    )
    cost = spent + judging + looked
    seconds = time.perf_counter() - started
    return tuple(gates), eqx.tree_at(
        lambda c: c.seconds, cost, seconds, is_leaf=lambda x: x is None
    )


def _answers(
    task: Task,
    network: Network,
    planner: Decider,
    state: State,
    ends: Sequence[int],
    key: Key[Array, ""],
) -> tuple[list[np.ndarray], list[np.ndarray], Ledger]:
    """Actions and margins of the network and of every stage (-1 where there is nothing to do)."""
    batch, spent = batch_size(state), Ledger()
    logits, legal = _looked(task, network, state)
    live = np.asarray(legal.any(-1))
    chosen = [np.where(live, np.asarray(jnp.argmax(logits, axis=-1)), -1)]
    margin = [np.asarray(margins(logits, legal))]
    memory = planner.begin(batch)
    for begin, end in itertools.pairwise((0, *ends)):
        # The memory and the key are handed on just as in Gated.
        planned, memory = planner.decide(state, memory, budget=end - begin, key=key)
        check_finite(type(planner).__name__, weights=planned.weights, value=planned.value)
        chosen.append(np.asarray(planned.action))
        margin.append(np.asarray(margins(as_logits(planned.weights, legal), legal)))
        spent = spent + planned.spent.total()
    return chosen, margin, spent


def _worth(
    task: Task,
    planner: Decider,
    state: State,
    chosen: list[np.ndarray],
    budget: int,
    key: Key[Array, ""],
) -> tuple[Float[np.ndarray, "answers batch"], Ledger]:
    """What the planner takes each answer to be worth; 0 in rows whose answers all agree."""
    answers = np.stack(chosen)
    differ = (answers != answers[0]).any(0) & (answers >= 0).all(0)
    pairs = sorted({(row, a) for row in np.flatnonzero(differ) for a in answers[:, row]})
    worth = np.zeros(answers.shape)
    if not pairs:
        return worth, Ledger()
    count, many = len(pairs), room(len(pairs))
    rows, action = (jnp.asarray(np.resize(x, many), jnp.int32) for x in zip(*pairs, strict=True))
    chance, then = jax.random.split(key)
    some = jax.tree.map(lambda x: x[rows], state)
    after, reward, sign, other = _taken(task, some, action, row_keys(chance, many))
    # What fills up takes one simulation and counts for nothing.
    least = Budget(jnp.where(jnp.arange(many) < count, budget, 1))
    looked, _ = planner.decide(after, planner.begin(many), budget=least, key=then)
    value = (sign * reward + task.objective.discount * sign * other * looked.value)[:count]
    check_finite(type(planner).__name__, value=value)
    of = dict(zip(pairs, np.asarray(value, float), strict=True))
    for row in np.flatnonzero(differ):
        worth[:, row] = [of[row, a] for a in answers[:, row]]
    spent = jax.tree.map(lambda x: x[:count] if jnp.ndim(x) else x, looked.spent)
    return worth, spent.total() + Ledger(model_steps=count)


def room(rows: int) -> int:
    """How many rows a batch of so many is filled up to, so that few programs are compiled.

    A power of two, or once and a half that.
    """
    found = _LEAST
    while found < rows:
        found *= 2
    return found * 3 // 4 if rows <= found * 3 // 4 and found > _LEAST else found


def _least_squares(
    margin: Float[np.ndarray, " batch"], gain: Float[np.ndarray, " batch"]
) -> tuple[float, float]:
    """(scale, spread): the best scale for each spread of a fine grid, and the best of those."""
    spreads = np.geomspace(0.05, 20.0, 61)
    shapes = np.stack([np.asarray(_excess(jnp.asarray(margin), jnp.float32(s))) for s in spreads])
    scales = np.maximum(shapes @ gain / np.maximum((shapes**2).sum(1), 1e-12), 0.0)
    errors = ((scales[:, None] * shapes - gain) ** 2).sum(1)
    best = int(np.argmin(errors))
    return float(scales[best]), float(spreads[best])


@eqx.filter_jit
def _looked(
    task: Task, network: Network, state: State
) -> tuple[Float[Array, "batch actions"], Bool[Array, "batch actions"]]:
    legal = jax.vmap(task.legal)(state)
    return evaluate(network, jax.vmap(task.observe)(state), legal)[0], legal


@eqx.filter_jit
def _taken(
    task: Task, state: State, action: Array, keys: Key[Array, " rows"]
) -> tuple[State, Array, Array, Array]:
    """After an action: the state, player 0's reward, and the signs of who moved and who moves."""
    after = jax.vmap(task.advance)(state, action, keys)
    reward = jax.vmap(task.objective)(state, action, after)[:, 0]
    before, then = (jnp.where(jax.vmap(task.player)(s) == 0, 1.0, -1.0) for s in (state, after))
    return after, reward, before, then
