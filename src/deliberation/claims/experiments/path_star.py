"""Paths on a star: two arms leave a node, and a goal at the end of one of them is told.

A small attention network sees the edges in any order, the start and the goal, and writes the path,
trained as language models are: each node given the right ones before it. Forward, only the first
node takes a search, for every other one follows from the node before; backward, from the goal, each
node does (Bachmann and Nagarajan 2024, "The pitfalls of next-token prediction"). It has as many
layers as it takes steps from the goal back to the first node, one step a layer.

Arms: "forward"; "backward"; "shown" (forward, and each layer is told the node that its step leads
to, which shows that the network can hold the search). The null: it is told the first node of the
arm in place of the last, and what was hard becomes easy.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ...amortised import descended, side_by_side
from ...runs import Context, Outcome
from .arms import keys_of, outcome

ARMS, LONG, NAMES = 2, 3, 7
"""Arms, edges of each, and names of nodes, which are dealt anew in every star."""
WIDTH, LAYERS = 32, LONG - 1
RATE, BATCH, DRAWN = 5e-3, 64, 2048


class Stars(NamedTuple):
    """Stars with the path that is asked for."""

    edges: Int[Array, "n edges two"]
    told: Int[Array, "n two"]
    """The start, and the goal (in the null the first node of its arm)."""
    path: Int[Array, "n long"]
    """From the first node after the start to the goal."""


class Attention(eqx.Module):
    """One head of causal attention, added to what came in."""

    query: Float[Array, "width width"]
    key: Float[Array, "width width"]
    value: Float[Array, "width width"]

    def __call__(self, x: Float[Array, "places width"]) -> Float[Array, "places width"]:
        """Every place looks at itself and those before it."""
        inner = x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + 1e-6)
        scores = (inner @ self.query) @ (inner @ self.key).T
        seen = jnp.tril(jnp.ones_like(scores, bool))
        weights = jax.nn.softmax(jnp.where(seen, scores, -1e9), -1)
        return x + weights @ (inner @ self.value)


class Writer(eqx.Module):
    """Edges, what is told, and the nodes written so far; logits of the next node."""

    names: Float[Array, "roles names width"]
    """As the beginning and the end of an edge, as start, as goal, and as written."""
    places: Float[Array, "long width"]
    layers: tuple[Attention, ...]
    out: Float[Array, "width names"]

    def __init__(self, key: Key[Array, ""]):
        keys = jax.random.split(key, 3 + 3 * LAYERS)
        self.names = jax.random.normal(keys[0], (5, NAMES, WIDTH)) * 0.7
        self.places = jax.random.normal(keys[1], (LONG, WIDTH)) * 0.3
        self.out = jax.random.normal(keys[2], (WIDTH, NAMES)) * WIDTH**-0.5
        square = [jax.random.normal(k, (WIDTH, WIDTH)) * 0.7 * WIDTH**-0.5 for k in keys[3:]]
        self.layers = tuple(Attention(*square[i : i + 3]) for i in range(0, len(square), 3))

    def __call__(
        self, edges: Int[Array, "edges two"], told: Int[Array, " two"], written: Int[Array, " some"]
    ) -> Float[Array, "layers long names"]:
        """What every layer says of the node at each place, given those `written` before it."""
        start, goal, role = self.names[2][told[0]], self.names[3][told[1]], self.names[4]
        first = self.names[0][edges[:, 0]] + self.names[1][edges[:, 1]]
        last = jnp.concatenate([(start + goal)[None], role[written] + goal]) + self.places
        x, said = jnp.concatenate([first, last]), []
        for layer in self.layers:
            x = layer(x)
            said.append(x[len(first) :] @ self.out)
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
    near, steps, name = bool(settings.get("null")), settings["steps"], settings["arm"]
    back, shown = name == "backward", name == "shown"

    def said(writer: Writer, some: Stars) -> tuple[Array, Array]:
        target = some.path[:, ::-1] if back else some.path
        return jax.vmap(writer)(some.edges, some.told, target[:, :-1]), target

    def loss(writer: Writer, key: Key[Array, ""]) -> Float[Array, ""]:
        some = draw(key, BATCH, near=near)
        logits, target = said(writer, some)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits[:, -1], target).mean()
        if shown:  # layer k is told the k-th node on the way back
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
