"""Paths on a star: two arms leave a node, and a goal at the end of one of them is told.

A network that looks at the edges by attention is told the start and the goal, and writes the path,
trained as language models are: each node given the right one before it. Forward, only the first
node takes a search, for every other one follows from the node before; backward, from the goal, each
node does (Bachmann and Nagarajan 2024, "The pitfalls of next-token prediction"). It looks
as often as it takes steps from the goal back to the first node.

Arms: "forward"; "backward"; "shown" (forward, and each look is told the node that it should find
on the way back, which shows that the network can hold the search); "ahead" (backward, and the first
node of the arm is told in place of the last, so that the last, which is written first, lies as many
steps ahead as the first does otherwise). The null: the first node of the arm is told in place of
the last, and what was hard becomes easy.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

ARMS, LONG, NAMES = 2, 3, 7
"""Arms, edges of each, and names of nodes, which are dealt anew in every star."""
WIDTH, HOPS = 32, LONG - 1
RATE, BATCH, DRAWN = 1e-2, 64, 2048


class Stars(NamedTuple):
    """Stars with the path that is asked for."""

    edges: Int[Array, "n edges two"]
    told: Int[Array, "n two"]
    """The start, and the goal (in the null the first node of its arm)."""
    path: Int[Array, "n long"]
    """From the first node after the start to the goal."""


class Hop(eqx.Module):
    """One head of attention over the edges: what is found there is added to what came in."""

    query: Float[Array, "width width"]
    key: Float[Array, "two names width"]
    value: Float[Array, "two names width"]

    def __init__(self, key: Key[Array, ""]):
        one, two, three = jax.random.split(key, 3)
        self.query = jax.random.normal(one, (WIDTH, WIDTH)) * WIDTH**-0.5
        self.key = jax.random.normal(two, (2, NAMES, WIDTH)) * 0.7
        self.value = jax.random.normal(three, (2, NAMES, WIDTH)) * 0.7

    def __call__(
        self, x: Float[Array, "long width"], edges: Int[Array, "edges two"]
    ) -> Float[Array, "long width"]:
        """An edge is known by the names at its beginning and its end."""
        inner = x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + 1e-6)
        key, value = (t[0][edges[:, 0]] + t[1][edges[:, 1]] for t in (self.key, self.value))
        return x + jax.nn.softmax((inner @ self.query) @ key.T * WIDTH**-0.5, -1) @ value


class Writer(eqx.Module):
    """Edges, what is told, and the last node written; logits of the next node."""

    names: Float[Array, "roles names width"]
    """As start, as goal, and as written."""
    places: Float[Array, "long width"]
    hops: tuple[Hop, ...]
    out: Float[Array, "width names"]

    def __init__(self, key: Key[Array, ""]):
        first, second, third, *rest = jax.random.split(key, 3 + HOPS)
        self.names = jax.random.normal(first, (3, NAMES, WIDTH)) * 0.7
        self.places = jax.random.normal(second, (LONG, WIDTH)) * 0.3
        self.out = jax.random.normal(third, (WIDTH, NAMES)) * WIDTH**-0.5
        self.hops = tuple(Hop(k) for k in rest)

    def __call__(
        self, edges: Int[Array, "edges two"], told: Int[Array, " two"], written: Int[Array, " some"]
    ) -> Float[Array, "hops long names"]:
        """What every hop says of the node at each place, given those `written` before it."""
        start, goal = self.names[0][told[0]], self.names[1][told[1]]
        x = jnp.concatenate([start[None], self.names[2][written]]) + goal + self.places
        said = []
        for hop in self.hops:
            x = hop(x, edges)
            said.append(x @ self.out)
        return jnp.stack(said)


def draw(key: Key[Array, ""], n: int, *, near: bool = False) -> Stars:
    """Stars whose nodes have names by chance, edges in any order; with `near` the first is told."""

    def one(key: Key[Array, ""]) -> Stars:
        deal, mix, choose = jax.random.split(key, 3)
        names = jax.random.permutation(deal, NAMES)
        nodes = names[1 : ARMS * LONG + 1].reshape(ARMS, LONG)
        before = jnp.concatenate([jnp.full((ARMS, 1), names[0]), nodes[:, :-1]], 1)
        edges = jnp.stack([before, nodes], -1).reshape(-1, 2)
        path = nodes[jax.random.randint(choose, (), 0, ARMS)]
        told = jnp.stack([names[0], path[0 if near else -1]])
        return Stars(jax.random.permutation(mix, edges), told, path)

    return jax.vmap(one)(jax.random.split(key, n))


def walked_back(stars: Stars) -> Int[Array, " n"]:
    """The first node after the start by search: from the goal along edges against their sense."""

    def one(edges: Int[Array, "edges two"], node: Int[Array, ""]) -> Int[Array, ""]:
        for _ in range(LONG - 1):
            node = edges[jnp.argmax(edges[:, 1] == node), 0]
        return node

    return jax.vmap(one)(stars.edges, stars.told[:, 1])


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, for each training a number a node of the path, in the order of the way from the
    start: `right` (the node given the right ones written before it) and `loss` (nats). `searched`:
    the first node found by walking back.
    """
    del context
    steps, name = settings["steps"], settings["arm"]
    near = bool(settings.get("null")) or name == "ahead"
    back, shown = name in ("backward", "ahead"), name == "shown"

    def said(writer: Writer, some: Stars) -> tuple[Array, Array]:
        target = some.path[:, ::-1] if back else some.path
        return jax.vmap(writer)(some.edges, some.told, target[:, :-1]), target

    def loss(writer: Writer, key: Key[Array, ""]) -> Float[Array, ""]:
        some = draw(key, BATCH, near=near)
        logits, target = said(writer, some)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits[:, -1], target).mean()
        if shown:  # hop k is told the k-th node on the way back
            way = some.path[:, -2::-1]
            nats += optax.softmax_cross_entropy_with_integer_labels(logits[:, :, 0], way).mean()
        return nats

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, "..."]]:
        make, learn, judge = jax.random.split(key, 3)
        writer, _ = descended(loss, Writer(make), learn, steps=steps, learning_rate=RATE)
        some = draw(judge, DRAWN, near=near)
        logits, target = said(writer, some)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits[:, -1], target).mean(0)
        right = (logits[:, -1].argmax(-1) == target).mean(0)
        away = slice(None, None, -1 if back else 1)
        found = walked_back(draw(judge, DRAWN)) == draw(judge, DRAWN).path[:, 0]
        return {"right": right[away], "loss": nats[away], "searched": found.mean()}

    found = side_by_side(one, keys_of(settings))
    trained = settings["trainings"]
    return outcome(found, fits=steps * trained, data=float(np.float64(steps) * BATCH * trained))
