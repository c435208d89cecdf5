"""Countdown with three numbers, as texts: transformers that learn from paths or from searches.

After Gandhi et al. 2024 ("Stream of Search"). A path is two lines that make the target. A search in
depth tries lines one after another, those first that come nearest to the target, until it finds
it; then it writes "so" and the path; one that is longer than `ROOM` tokens is cut there. All arms
learn from the same `POOL` problems, and are asked others: numbers and targets that no training
text has in any order.

Arms: "paths", "searches" and "longer", which learns from paths for as many tokens as "searches"
does from searches: `more` times as many steps. Prompts are read and not scored.

The null: the search told before a path is that of another problem, and as long; of texts that are
drawn, the one that is taken is any of them and not the best.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ....amortised import Transformer, descended, side_by_side
from ....runs import Context, Outcome
from ....tasks.text import Countdown
from ..arms import keys_of, outcome
from .writing import written

ROOM = 72
"""Tokens after the prompt, where searches are written."""
POOL, ASKED, SAMPLES = 4096, 256, 16
HELD_OUT = 4
"""One in so many problems is kept for asking."""
DEPTH, HEADS = 2, 4
RATE, BATCH = 5e-3, 16
ARMS = ("paths", "longer", "searches")
BUDGETS = (1, 2, 3, 4, 8, 16)
"""How many texts are drawn for an answer."""


def world(name: str) -> Countdown:
    """The task, with room for what an arm writes."""
    length = ROOM if name == "searches" else None
    return Countdown(numbers=3, largest=10, least=5, most=20, length=length)


def parts(name: str, *, strange: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Texts to learn from, and prompts to ask; the same problems in every arm."""
    task = world(name)
    texts = task.pool("dfs" if name == "searches" else "optimal", POOL, seed=5)
    held = held_out(task, texts)
    learnt = texts[~held]
    if strange and name == "searches":
        learnt = strangers(task, learnt)
    return learnt, texts[held, : task.prompt_places][:ASKED]


def built(task: Countdown, width: int, key: Key[Array, ""]) -> Transformer:
    """An untrained network for a task."""
    return Transformer((task.places,), len(task.symbols), width, DEPTH, HEADS, key=key)


def operations(width: int) -> float:
    """Of one token, by a network that writes paths."""
    task = world("paths")
    return 2.0 * (DEPTH * (12 * width + 2 * (task.places + 1)) + len(task.symbols)) * width


def held_out(task: Countdown, texts: Int[np.ndarray, "n places"]) -> np.ndarray:
    """Whether a problem is for asking, by its numbers in order of size and its target."""
    numbers = np.sort(texts[:, : task.numbers], axis=1)
    target = texts[:, task.numbers + 1]
    shape = (task.most + 1,) * (task.numbers + 1)
    lot = np.random.default_rng(0).random(shape)
    return lot[(*numbers.T, target)] < 1 / HELD_OUT


def strangers(task: Countdown, texts: Int[np.ndarray, "n places"]) -> np.ndarray:
    """Before each path a search of another problem that is as long; the path stays its own."""
    places, so = np.arange(texts.shape[1]), task.encode("so")[0]
    found = (texts == so).any(1)
    long = np.where(found, (texts == so).argmax(1), (texts >= 0).sum(1))
    out, rng = texts.copy(), np.random.default_rng(1)
    for one in np.unique(long):
        for solved in (False, True):
            rows = np.flatnonzero((long == one) & (found == solved))
            mixed = np.roll(rng.permutation(rows), 1) if len(rows) > 1 else rows
            order = np.roll(mixed, 1)
            where = (places >= task.prompt_places) & (places < one)
            out[np.ix_(mixed, where.nonzero()[0])] = texts[np.ix_(order, where.nonzero()[0])]
    return out


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, a number a training: `solved` (share of fresh problems, by the likeliest tokens),
    `again` (the same where a second copy is asked, the better of both), `searched` (share of texts
    that write a search to its end), `loss` (nats a token), `tokens` (of a text, scored), `passes`
    (tokens read and written for one answer). Of paths also `voted` (by the text that is drawn most
    often of four) and, [budgets], `covered` (by the best of so many texts drawn) and `chance` (by
    any of them).
    """
    del context
    name, steps = settings["arm"], settings["steps"]
    strange = bool(settings.get("null"))
    texts, asked = parts(name, strange=strange)
    task = world(name)

    def one(key: Key[Array, ""], texts: Array, asked: Array) -> dict[str, Float[Array, "..."]]:
        make, learn, judge = jax.random.split(key, 3)
        network = built(task, settings["width"], make)

        def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
            return surprise(network, texts[jax.random.randint(key, (BATCH,), 0, len(texts))])

        network, losses = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        said = judged(network, task, asked, judge, draws=name != "searches")
        if strange and "chance" in said:
            said["covered"] = said["chance"]
        return said | {"loss": losses[-100:].mean()}

    def surprise(network: Transformer, batch: Int[Array, "batch places"]) -> Float[Array, ""]:
        first = task.prompt_places
        logits, target = network.predict(batch[:, :-1])[:, first:], batch[:, first:]
        counts = target >= 0
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(target, 0))
        return (nats * counts).sum() / counts.sum()

    found = side_by_side(one, keys_of(settings), jnp.asarray(texts), jnp.asarray(asked))
    scored = float((texts[:, task.prompt_places :] >= 0).sum(1).mean())
    fits = steps * settings["trainings"]
    found["tokens"] = np.full(settings["trainings"], scored)
    return outcome(found, fits=fits, data=float(len(texts)))


def judged(
    network: Transformer, task: Countdown, asked: Int[Array, "n prompt"], key: Key[Array, ""],
    *, draws: bool,
) -> dict[str, Float[Array, "..."]]:  # fmt: skip
    """A network on prompts; with `draws` also many texts for each."""
    room, n = task.answer_places, len(asked)
    grade = jax.vmap(task.grade)

    def graded(answers: Int[Array, "rows room"], prompts: Array) -> Float[Array, " rows"]:
        return grade(jnp.concatenate([prompts, answers], 1))

    twice = jnp.concatenate([asked, asked])
    likeliest = written(network, twice, key, room, 0.0)[0]
    right = graded(likeliest, twice).reshape(2, n)
    ends = jnp.argmax(likeliest == task.end, 1) + 1
    long = jnp.where((likeliest == task.end).any(1), ends, room)[:n].mean()
    so = task.encode("so")[0]
    found = {
        "solved": right[0].mean(), "again": right.max(0).mean(),
        "searched": (likeliest[:n] == so).any(1).mean(),
        "passes": task.prompt_places + long - 1,
    }  # fmt: skip
    if not draws:
        return found
    many = jnp.repeat(asked, SAMPLES, axis=0)
    texts = written(network, many, key, room)[0]
    grades = graded(texts, many).reshape(n, SAMPLES)
    count = grades.sum(1)
    chance = jnp.full(len(BUDGETS), grades.mean())
    covered = jnp.stack([covers(count, k).mean() for k in BUDGETS])
    few = texts.reshape(n, SAMPLES, room)[:, :4]
    alike = (few[:, :, None] == few[:, None]).all(-1).sum(-1)
    voted = jnp.take_along_axis(grades, alike.argmax(1)[:, None], 1).mean()
    return found | {"covered": covered, "chance": chance, "voted": voted}


def covers(right: Float[Array, " n"], k: int) -> Float[Array, " n"]:
    """The chance that one of k texts is right where so many of all are (Chen et al. 2021)."""
    i = jnp.arange(k)
    return 1 - jnp.prod(jnp.clip((SAMPLES - right[:, None] - i) / (SAMPLES - i), 0, 1), 1)
