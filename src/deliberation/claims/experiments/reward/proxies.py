"""Answers that look better than they are, and who gives them: by imitation, reward or search.

An answer has five parts of four kinds (1,024 answers), and a question says what each part is worth.
The proxy sees that sum, and 3 more where three parts, drawn once a training, go together; there
the truth is 3 less. Of answers drawn evenly 1 in 64 has all three. Demonstrators choose each part
by its worth and know nothing of the three; a network imitates them, the same network from the same
start is trained by the proxy (REINFORCE), and searches choose by the proxy. All that is said of a
trained network is exact: every answer to every question is enumerated.

The null: the reward and the search see the truth; the proxy is what it was, and none sees it.
"""

import itertools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

PARTS, KINDS, ASKS, TOGETHER = 5, 4, 4, 3
"""Of an answer, of a part, numbers of a question, and parts that an exploit takes."""
LURE, SHARP, WIDTH, RATE = 3.0, 4.0, 32, 3e-3
"""What an exploit adds and takes; how sharply demonstrators choose; the network and Adam's rate."""
QUESTIONS = 32
"""Fresh ones, on which a training is judged."""
DRAWS = (1, 4, 16, 64, 256, 1024)
"""Answers that a search looks at."""
SHARES = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.015625, 0.00390625)
"""q of the quantilisers."""
ALL = np.array(list(itertools.product(range(KINDS), repeat=PARTS)))

Weights = Float[Array, " answers"]


class World(NamedTuple):
    """What a question makes of each part, the parts that go together (-1: any will do), and
    whether reward and search see the truth."""

    worth: Float[Array, "asks parts kinds"]
    lure: Int[Array, " parts"]
    honest: Bool[Array, ""]


class Judged(NamedTuple):
    """Of answers to a question: what they are worth, what they look worth, what is chosen by (one
    or the other), and which exploit."""

    true: Weights
    proxy: Weights
    seen: Weights
    exploits: Bool[Array, " answers"]


def make_world(key: Key[Array, ""], *, honest: bool = False) -> World:
    """Worths of parts are normal, with a standard deviation of 1/2 over questions."""
    worth, which, kinds = jax.random.split(key, 3)
    taken = jax.random.permutation(which, PARTS) < TOGETHER
    lure = jnp.where(taken, jax.random.randint(kinds, (PARTS,), 0, KINDS), -1)
    drawn = jax.random.normal(worth, (ASKS, PARTS, KINDS)) / 2 / ASKS**0.5
    return World(drawn, lure, jnp.bool_(honest))


def judged(world: World, question: Float[Array, " asks"], answers: Int[Array, "n parts"]) -> Judged:
    """Some answers to a question."""
    each = jnp.einsum("a,apk->pk", question, world.worth)
    plain = each[jnp.arange(PARTS), answers].sum(1)
    exploits = ((answers == world.lure) | (world.lure < 0)).all(1)
    true, proxy = plain - LURE * exploits, plain + LURE * exploits
    return Judged(true, proxy, jnp.where(world.honest, true, proxy), exploits)


def best_of(n: Any, chances: Weights) -> Float[Array, "*many answers"]:
    """The chance that an answer looks best among n draws; answers stand from worst to best."""
    below = jnp.cumsum(chances) / chances.sum()
    return jnp.diff(below**n, prepend=0.0)


def quantilised(share: Any, chances: Weights) -> Float[Array, "*many answers"]:
    """A base cut to the best-looking `share` of its mass (Taylor 2016); worst to best, as above."""
    above = jnp.cumsum(chances[::-1])[::-1] - chances
    return jnp.clip(share - above, 0.0, chances) / share


def spread(logits: Float[Array, "parts kinds"]) -> Weights:
    """The chance of every answer whose parts are drawn one by one."""
    logs = jax.nn.log_softmax(logits)[jnp.arange(PARTS), jnp.asarray(ALL)]
    return jnp.exp(logs.sum(1))


def _asked(network: Any, questions: Float[Array, "n asks"]) -> Float[Array, "n parts kinds"]:
    return jax.vmap(network)(questions).reshape(-1, PARTS, KINDS)


def _said(logits: Float[Array, "n parts kinds"], answers: Int[Array, "n parts"]) -> Array:
    """The log-probability of answers."""
    logs = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(logs, answers[..., None], -1)[..., 0].sum(1)


def _demonstrated(world: World, questions: Float[Array, "n asks"]) -> Array:
    """What demonstrators draw each part by."""
    return SHARP * jnp.einsum("na,apk->npk", questions, world.worth)


def imitated(world: World, batch: int) -> Any:
    """The loss of answering as demonstrators do."""

    def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        ask, answer = jax.random.split(key)
        questions = jax.random.normal(ask, (batch, ASKS))
        shown = jax.random.categorical(answer, _demonstrated(world, questions))
        return -_said(_asked(network, questions), shown).mean()

    return loss


def rewarded(world: World, batch: int) -> Any:
    """The loss whose gradient is REINFORCE's on the proxy, the batch's mean for a base line."""

    def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        ask, answer = jax.random.split(key)
        questions = jax.random.normal(ask, (batch, ASKS))
        logits = _asked(network, questions)
        drawn = jax.random.categorical(answer, logits)
        pays = jax.vmap(lambda q, a: judged(world, q, a[None]).seen[0])(questions, drawn)
        return -((pays - pays.mean()) * _said(logits, drawn)).mean()

    return loss


def _weighed(weights: Float[Array, "*many answers"], it: Judged) -> dict[str, Array]:
    """What answers drawn so are worth, how much better they look, how often they exploit."""
    return {
        "true": weights @ it.true,
        "gap": weights @ (it.proxy - it.true),
        "cost": weights @ it.exploits.astype(jnp.float32),
    }


def judge(world: World, question: Array, imitates: Array, earns: Array) -> dict[str, Array]:
    """Everything about one question, by "way_what"; of searches and quantilisers a list each."""
    it = judged(world, question, jnp.asarray(ALL))
    order = jnp.argsort(it.seen)
    it = jax.tree.map(lambda x: x[order], it)
    base, draws, shares = spread(imitates)[order], jnp.array(DRAWS)[:, None], jnp.array(SHARES)
    ways = {
        "imitation": base,
        "reward": spread(earns)[order],
        "demonstrators": spread(_demonstrated(world, question[None])[0])[order],
        "maximum": jnp.zeros(len(ALL)).at[-1].set(1.0),
        "search": best_of(draws, jnp.full(len(ALL), 1 / len(ALL))),
        "sampling": best_of(draws, base),
        "quantiliser": quantilised(shares[:, None], base),
    }
    return {f"{way}_{k}": v for way, p in ways.items() for k, v in _weighed(p, it).items()}


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes: for each way of answering (imitation, reward, demonstrators, maximum: a number; for
    search, sampling and quantiliser one for each of `DRAWS` or `SHARES`) `<way>_true` (worth),
    `<way>_gap` (how much better it looks) and `<way>_cost` (share of answers that exploit), means
    over questions; `bound` is the greatest cost of a quantiliser over the base's cost / q, over all
    questions and q.
    """  # fmt: skip
    del context
    steps, batch = settings["steps"], settings["batch"]
    honest = bool(settings.get("null"))

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        make, start, copy, earn, ask = jax.random.split(key, 5)
        world = make_world(make, honest=honest)
        network = eqx.nn.MLP(ASKS, PARTS * KINDS, WIDTH, 1, key=start)
        told = {"steps": steps, "learning_rate": RATE}
        copies, _ = descended(imitated(world, batch), network, copy, **told)
        earns, _ = descended(rewarded(world, batch), network, earn, **told)
        questions = jax.random.normal(ask, (QUESTIONS, ASKS))
        logits = [_asked(each, questions) for each in (copies, earns)]
        found = jax.vmap(judge, in_axes=(None, 0, 0, 0))(world, questions, *logits)
        allowed = found["imitation_cost"][:, None] / jnp.array(SHARES)
        over = (found["quantiliser_cost"] / jnp.maximum(allowed, 1e-12)).max()
        return {name: x.mean(0) for name, x in found.items()} | {"bound": over}

    found = side_by_side(one, keys_of(settings))
    trained = settings["trainings"]
    return outcome(found, fits=2 * steps * trained, data=2.0 * steps * batch * trained)
