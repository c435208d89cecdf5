"""Countdown with three numbers, as texts: transformers that learn from paths or from searches.

After Gandhi et al. 2024 ("Stream of Search"). A path is two lines that make the target. A search in
depth tries lines one after another, those first that come nearest to the target, until it finds
it; then it writes "so" and the path; one that is longer than `ROOM` tokens is cut there.

There is one pool of `POOL` texts. Each training splits the different problems in it (numbers in any
order and a target) by a lot of its own: it is asked `ASKED` of them, each once, and learns from the
texts of all others. A training of another arm that has the same key has the same split.

Arms: "paths", "searches" and "longer", which learns from paths for as many tokens as "searches"
does from searches: `more` times as many steps. Prompts are read and not scored.

The null: the search told before a path is that of another problem, and as long; of texts that are
drawn, the one that is taken is any of them and not the best.

Beside them stands a writer that knows the grammar alone: each token is drawn evenly from those with
which lines stay true and of numbers that are there. How often it is right is computed exactly.
"""

import functools
from typing import Any, NamedTuple

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
POOL, ASKED, SAMPLES = 4096, 192, 16
"""Texts, different problems that a training is asked, and texts drawn for each."""
DEPTH, HEADS = 2, 4
RATE, BATCH = 5e-3, 16
ARMS = ("paths", "longer", "searches")
BUDGETS = (1, 2, 3, 4, 8, 16)
"""How many texts are drawn for an answer."""


def world(name: str) -> Countdown:
    """The task, with room for what an arm writes."""
    length = ROOM if name == "searches" else None
    return Countdown(numbers=3, largest=10, least=5, most=20, length=length)


class Lessons(NamedTuple):
    """The pool: texts, the number of each one's problem, and the first text of each problem."""

    texts: Int[np.ndarray, "n places"]
    problem: Int[np.ndarray, " n"]
    first: Int[np.ndarray, " problems"]


def lessons(name: str, *, strange: bool = False) -> Lessons:
    """The pool of an arm; problems are the same, with the same numbers, in every arm."""
    task = world(name)
    texts = task.pool("dfs" if name == "searches" else "optimal", POOL, seed=5)
    size = task.numbers
    what = np.concatenate([np.sort(texts[:, :size], 1), texts[:, size + 1 : size + 2]], 1)
    _, first, problem = np.unique(what, axis=0, return_index=True, return_inverse=True)
    if strange and name == "searches":
        texts = strangers(task, texts)
    return Lessons(texts, problem.reshape(-1), first)


def split(
    key: Key[Array, ""], problem: Int[Array, " n"], problems: int
) -> tuple[Int[Array, " asked"], Int[Array, " n"], Int[Array, ""]]:
    """Of one training: the problems it is asked, the texts in such an order that those it learns
    from come first, and how many these are. Pure.
    """
    lot = jax.random.permutation(key, problems)
    held = jnp.zeros(problems, bool).at[lot[:ASKED]].set(True)[problem]
    return lot[:ASKED], jnp.argsort(held, stable=True), (~held).sum()


def built(task: Countdown, width: int, key: Key[Array, ""]) -> Transformer:
    """An untrained network for a task."""
    return Transformer((task.places,), len(task.symbols), width, DEPTH, HEADS, key=key)


def operations(width: int) -> float:
    """Of one token, by a network that writes paths."""
    task = world("paths")
    return 2.0 * (DEPTH * (12 * width + 2 * (task.places + 1)) + len(task.symbols)) * width


def blind(prompt: Int[np.ndarray, " prompt"], most: int) -> float:
    """How often a text is right whose tokens are drawn evenly from those of true lines."""
    *numbers, _, target, _ = prompt.tolist()
    return _blind(tuple(sorted(numbers)), target, most)


@functools.cache
def _blind(left: tuple[int, ...], target: int, most: int) -> float:
    if len(left) == 1:
        return float(left[0] == target)
    lines: dict[int, dict[int, dict[int, tuple[int, ...]]]] = {}
    for i, a in enumerate(left):
        for j, b in enumerate(left):
            rest = [x for k, x in enumerate(left) if k not in (i, j)]
            results = (a + b, a - b, a * b, a // b if b and a % b == 0 else -1)
            for sign, c in enumerate(results if i != j else ()):
                if 0 <= c <= most:
                    after = lines.setdefault(a, {}).setdefault(sign, {})
                    after[b] = tuple(sorted([*rest, c]))

    def mean(some: list[float]) -> float:
        return sum(some) / len(some)

    return mean([
        mean([mean([_blind(x, target, most) for x in seconds.values()])
              for seconds in signs.values()])
        for signs in lines.values()
    ])  # fmt: skip


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
    that write a search to its end), `loss` (nats a token) and `fresh` (the same of the texts of the
    problems that are asked), `tokens` (of a text, scored), `learnt` (different problems learned
    from), `passes` (tokens read and written for one answer). [budgets]: `blind` (by the best of so
    many texts of true lines alone), and of paths `covered` (by the best of so many texts drawn) and
    `chance` (by any of them). Of paths also `voted` (by the text that is drawn most often of four).
    """
    del context
    name, steps = settings["arm"], settings["steps"]
    strange = bool(settings.get("null"))
    task, pool = world(name), lessons(name, strange=strange)
    first, problems = task.prompt_places, len(pool.first)
    right = np.array([blind(prompt, task.most) for prompt in pool.texts[pool.first, :first]])
    lines = 1 - (1 - right[:, None]) ** np.array(BUDGETS)

    def one(
        key: Key[Array, ""], texts: Array, problem: Array, where: Array, lines: Array
    ) -> dict[str, Float[Array, "..."]]:
        make, learn, judge, lot = jax.random.split(key, 4)
        network = built(task, settings["width"], make)
        asked, order, n = split(lot, problem, problems)
        # Once, and not in each step: look-ups in look-ups take XLA long to compile.
        learnt = texts[order]

        def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
            return surprise(network, learnt[jax.random.randint(key, (BATCH,), 0, n)], first)

        network, losses = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        fresh = texts[where[asked]]
        said = judged(network, task, fresh[:, :first], judge, draws=name != "searches")
        if strange and "chance" in said:
            said["covered"] = said["chance"]
        scored = (learnt[:, first:] >= 0).sum(1)
        return said | {
            "loss": losses[-100:].mean(), "fresh": surprise(network, fresh, first),
            "tokens": jnp.where(jnp.arange(len(learnt)) < n, scored, 0).sum() / n,
            "blind": lines[asked].mean(0),
        }  # fmt: skip

    shared = (jnp.asarray(x) for x in (*pool, lines))
    found = side_by_side(one, keys_of(settings), *shared)
    found["learnt"] = np.full(settings["trainings"], problems - ASKED)
    fits = steps * settings["trainings"]
    return outcome(found, fits=fits, data=float(len(pool.texts)))


def surprise(
    network: Transformer, batch: Int[Array, "batch places"], first: int
) -> Float[Array, ""]:
    """Nats a token of what stands after the prompts. Pure."""
    logits, target = network.predict(batch[:, :-1])[:, first:], batch[:, first:]
    counts = target >= 0
    nats = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(target, 0))
    return (nats * counts).sum() / counts.sum()


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
