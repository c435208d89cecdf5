"""Countdown with four numbers: small transformers, their samples, and searches around them.

Each training learns next tokens of paths to targets and is then asked problems that are held out:
numbers and targets that no lesson has in any order, no two alike, drawn for each training by its
key, as often as the task draws them. All that is written keeps to the grammar (lines are true and
of numbers that are there), whoever writes it, and an answer is right where its last number is the
target, which only the exact verifier looks at. Forward passes are counted as searches count them:
the prompt's tokens once, and each token that is written but for the last of a text.

Nulls (`taken`): "verifier" (searches are led, and answers chosen, by a verifier that accepts half
of all texts by a lot of their own), "prompts" (the path learned after a prompt is that of another
one, and verifiers that choose among samples go by such lots), "problems" (all problems of a
training are one and the same).
"""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import Transformer, descended, next_token_loss, side_by_side
from ....amortised.sequence.cache import append, read
from ....runs import Cell, Context, Outcome
from ....tasks.text import Countdown
from ....tasks.text.base import TextState
from ...measuring.effort import Effort
from ..arms import Plan, arm, keys_of, outcome
from .countdown_chosen import covered_and_forecast, same_answer, spread, who_chose
from .countdown_trees import by_lot, graded, searched

POOL, BATCH, RATE = 50_000, 32, 4e-3
HELD_OUT = 5
"""One in so many problems is kept for asking."""
WIDTH, DEPTH, HEADS = 48, 2, 4
FIT, REST, TOGETHER = 16, 128, 8
"""Samples of a problem from which a law is fitted, all others, and how many are drawn at once."""
DRAWN = FIT + REST
TRAININGS = {"smoke": 6, "quick": 8, "full": 24}
"""Few, as each is asked many problems many times, and searched with."""
STEPS = {"smoke": 400, "quick": 800, "full": 3000}
PROBLEMS = {"smoke": 64, "quick": 192, "full": 512}
SEARCHED = {"smoke": 24, "quick": 48, "full": 256}
"""Of these problems, with how many trees are searched."""
BUDGETS = (64, 128, 256)
"""Forward passes a problem."""


def planned(taken: str) -> Plan:
    """The one cell of all these claims; in the null that `taken` names, one of its own."""

    def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
        del world
        trees = not null or taken == "verifier"
        more = {"taken": taken} if null else {}
        return [
            arm(
                "language.countdown_searches", e, 300.0, null=null, trainings=TRAININGS[e.name],
                steps=STEPS[e.name], problems=PROBLEMS[e.name], searched=SEARCHED[e.name],
                budgets=list(BUDGETS) if trees else [], **more,
            )
        ]  # fmt: skip

    return cells


def world() -> Countdown:
    """Small numbers, so that small networks get to know how they add up."""
    return Countdown(numbers=4, largest=9, least=10, most=40)


def problems_of(task: Countdown, texts: Int[np.ndarray, "n places"]) -> Int[np.ndarray, " n"]:
    """A number for each text: the same for the same numbers, in any order, and target."""
    code = np.zeros(len(texts), np.int64)
    for column in (*np.sort(texts[:, : task.numbers], axis=1).T, texts[:, task.numbers + 1]):
        code = code * (task.most + 1) + column
    return code


def held_out(task: Countdown, texts: Int[np.ndarray, "n places"]) -> Bool[np.ndarray, " n"]:
    """Whether the problem of a text is for asking: a lot of its own."""
    return spread(problems_of(task, texts)) % np.uint64(HELD_OUT) == 0


def lessons(task: Countdown, *, strange: bool = False) -> Int[np.ndarray, "n places"]:
    """Texts to learn from; with `strange` each prompt is followed by the path of another one."""
    texts = task.pool("optimal", POOL, seed=3)
    texts = texts[~held_out(task, texts)]
    if strange:
        texts[:, task.prompt_places :] = np.roll(texts[:, task.prompt_places :], 1, axis=0)
    return texts


def kept_for_asking(
    task: Countdown,
) -> tuple[Int[np.ndarray, "kept told"], Float[np.ndarray, " kept"]]:
    """Prompts that are held out, one for each problem, and how often each came."""
    texts = task.pool("optimal", POOL, seed=3)
    texts = texts[held_out(task, texts)]
    _, first, count = np.unique(problems_of(task, texts), return_index=True, return_counts=True)
    return texts[first, : task.prompt_places], count / count.sum()


def taught(
    task: Countdown, texts: Int[Array, "n places"], key: Key[Array, ""], steps: int
) -> tuple[Transformer, Float[Array, ""]]:
    """A transformer that learned the paths (prompts are read, not scored), and its loss. Pure."""
    make, learn = jax.random.split(key)
    network = Transformer((task.places,), len(task.symbols), WIDTH, DEPTH, HEADS, key=make)
    counts = jnp.asarray(np.arange(task.places) >= task.prompt_places, jnp.float32)

    def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
        batch = texts[jax.random.randint(key, (BATCH,), 0, len(texts))]
        return next_token_loss(network, batch, jnp.broadcast_to(counts, batch.shape))

    network, losses = descended(loss, network, learn, steps=steps, learning_rate=RATE)
    return network, losses[-100:].mean()


def written(
    network: Transformer, task: Countdown, prompts: Int[Array, "rows told"], key: Key[Array, ""],
    *, greedy: bool = False,
) -> Int[Array, "rows answer"]:  # fmt: skip
    """An answer to each prompt within the grammar: drawn, or by the likeliest tokens. Pure."""
    rows, told = prompts.shape
    room = task.answer_places
    lots = jax.random.gumbel(key, (room, rows, network.actions)) * (0.0 if greedy else 1.0)
    logits, cache = read(network, prompts, told + room + 1)
    blank = jnp.concatenate([prompts, jnp.full((rows, room), -1, prompts.dtype)], 1)

    def add(carry: tuple, now: tuple[Array, Array]) -> tuple[tuple, Array]:
        (logits, cache, texts), (lot, place) = carry, now
        allowed = jax.vmap(lambda text: task.well_formed(TextState(text, place)))(texts)
        token = jnp.argmax(jnp.where(allowed, logits + lot, -jnp.inf), -1).astype(texts.dtype)
        texts = texts.at[:, told + place].set(token)
        return (*append(network, cache, token, told + 1 + place), texts), token

    _, out = jax.lax.scan(add, (logits, cache, blank), (lots, jnp.arange(room)))
    return out.T


class Answers(NamedTuple):
    """What a training wrote: the problems, `DRAWN` answers to each, and the likeliest tokens."""

    prompts: Int[Array, "problems told"]
    drawn: Int[Array, "problems samples answer"]
    greedy: Int[Array, "problems answer"]


def answered(
    network: Transformer, task: Countdown, prompts: Int[Array, "problems told"],
    key: Key[Array, ""],
) -> Answers:  # fmt: skip
    """Samples in parts, so that few rows are in memory at once. Pure."""
    n = len(prompts)
    many = jnp.repeat(prompts, TOGETHER, axis=0)

    def some(key: Key[Array, ""]) -> Int[Array, "problems together answer"]:
        return written(network, task, many, key).reshape(n, TOGETHER, -1)

    parts = jax.lax.map(some, jax.random.split(key, DRAWN // TOGETHER))
    drawn = parts.transpose(1, 0, 2, 3).reshape(n, DRAWN, -1)
    return Answers(prompts, drawn, written(network, task, prompts, key, greedy=True))


def alike(task: Countdown, network: Transformer, prompts: Array, key: Key[Array, ""]) -> Array:
    """All prompts replaced by the one whose share of right answers is nearest to the mean. Pure."""
    many = jnp.repeat(prompts, FIT, axis=0)
    texts = jnp.concatenate([many, written(network, task, many, key)], 1)
    share = jax.vmap(task.grade)(texts).reshape(len(prompts), FIT).mean(1)
    one = jnp.argmin(jnp.abs(share - share.mean()))
    return jnp.broadcast_to(prompts[one], prompts.shape)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes of `countdown_chosen` and `countdown_trees`, `loss` (nats a token) and the shares of
    problems solved by the likeliest tokens: `greedy` of all, `likeliest` of those searched.
    """
    del context
    task, taken = world(), settings.get("taken", "") if settings.get("null") else ""
    problems, steps = settings["problems"], settings["steps"]
    texts = jnp.asarray(lessons(task, strange=taken == "prompts"))
    kept, often = map(jnp.asarray, kept_for_asking(task))

    def one(key: Key[Array, ""], texts: Array) -> tuple:
        learn, ask, draw, again = jax.random.split(key, 4)
        network, loss = taught(task, texts, learn, steps)
        prompts = jax.random.choice(ask, kept, (problems,), replace=False, p=often)
        if taken == "problems":
            prompts = alike(task, network, prompts, again)
        return eqx.filter(network, eqx.is_array), answered(network, task, prompts, draw), loss

    networks, answers, loss = side_by_side(one, keys_of(settings), texts)
    found = [
        judged(task, jax.tree.map(lambda x, i=i: x[i], (networks, answers)), settings, taken, i)
        for i in range(settings["trainings"])
    ]
    whole = {name: np.stack([f[name] for f in found]) for name in found[0]} | {"loss": loss}
    fits = steps * settings["trainings"]
    return outcome(whole, fits=fits, data=float(fits) * BATCH)


def judged(
    task: Countdown, made: tuple[Transformer, Answers], settings: dict[str, Any], taken: str,
    number: int,
) -> dict[str, Any]:  # fmt: skip
    """What became of one training, on the host, with luck of its own."""
    luck = int(np.random.SeedSequence([settings["key"], number]).generate_state(1)[0])
    network, answers = made
    prompts, drawn = np.asarray(answers.prompts), np.asarray(answers.drawn)
    grade = partial(graded, task)
    greedy = grade(np.concatenate([prompts, answers.greedy], 1))
    many = np.repeat(prompts, DRAWN, axis=0)
    texts = np.concatenate([many, drawn.reshape(len(many), -1)], 1)
    right = grade(texts).reshape(-1, DRAWN)
    lots = by_lot(texts).reshape(-1, DRAWN)[:, FIT:] if taken == "prompts" else None
    found = {
        "greedy": greedy.mean(),
        **covered_and_forecast(right[:, :FIT], right[:, FIT:]),
        **who_chose(right[:, FIT:], same_answer(task, drawn[:, FIT:]), luck, lots),
    }
    if not settings["budgets"]:
        return found
    whole = Transformer(
        (task.places,), len(task.symbols), WIDTH, DEPTH, HEADS, key=jax.random.key(0)
    )
    network = eqx.combine(jax.tree.map(jnp.asarray, network), whole)
    asked = prompts[: settings["searched"]]
    found["likeliest"] = greedy[: len(asked)].mean()
    return found | searched(
        network, task, asked, right[: len(asked)], settings["budgets"], luck,
        lot=taken == "verifier",
    )  # fmt: skip
