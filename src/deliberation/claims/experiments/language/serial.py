"""A machine that is run step by step, as text: a state, some moves, and where they lead.

Each training has a machine of its own: `MOVES` permutations of `STATES` states, drawn by chance.
The prompt is a state, the moves in their order and a colon; the answer is the state after the last.
Moves do not commute, and so one has to follow another (composing permutations of five things takes
circuits whose depth grows with their number, Barrington 1989).

Arms: "chain" writes the state after every move, the last of which is the answer (Wei et al. 2022);
"filler" reads as many dots in place of these before it answers (Pfau et al. 2024); "unread" reads
dots too, and is told the states that belong in their places, so that it has the teaching of the
chain and its passes, but nothing that it wrote; "once" answers at once; "deep" does with twice the
layers, which takes more operations an answer than the chain does. All see as many prompts.

The null: the states told in place of a prompt's own are those of another prompt; the answer is its
own.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from ....amortised import Transformer, descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from .writing import written

STATES, MOVES, LONG = 5, 4, 3
"""Of a machine, and how many moves a prompt has: so few that answers at once leave chance."""
COLON, DOT = STATES + MOVES, STATES + MOVES + 1
SYMBOLS = DOT + 1
PROMPT = LONG + 2
DEPTH, HEADS = 2, 4
RATE, BATCH, ASKED = 1e-2, 16, 512
VOTES = 8
"""Answers drawn from one pass, of which the most frequent is told."""
CHANGED = LONG // 2 - 1
"""The thought that another one is put in place of, counted from 0."""
ARMS = ("chain", "filler", "unread", "once", "deep")


class Runs(NamedTuple):
    """Prompts, and the state after each move."""

    prompts: Int[Array, "n prompt"]
    states: Int[Array, "n long"]


def machine(key: Key[Array, ""]) -> Int[Array, "moves states"]:
    """Where each move leads from each state: permutations drawn by chance."""
    keys = jax.random.split(key, MOVES)
    return jax.vmap(lambda k: jax.random.permutation(k, STATES))(keys)


def run(
    moves: Int[Array, "moves states"], start: Int[Array, "..."], order: Int[Array, "... some"]
) -> Int[Array, "... some"]:
    """The state after each of the moves made in that order."""

    # A loop, which XLA does not fuse: look-ups in look-ups take it minutes to compile.
    def step(state: Array, move: Array) -> tuple[Array, Array]:
        after = moves[move, state]
        return after, after

    return jnp.moveaxis(jax.lax.scan(step, start, jnp.moveaxis(order, -1, 0))[1], 0, -1)


def draw(moves: Int[Array, "moves states"], key: Key[Array, ""], n: int) -> Runs:
    """Prompts with starts and moves by chance."""
    begin, choose = jax.random.split(key)
    start = jax.random.randint(begin, (n,), 0, STATES)
    order = jax.random.randint(choose, (n, LONG), 0, MOVES)
    colon = jnp.full((n, 1), COLON)
    prompts = jnp.concatenate([start[:, None], STATES + order, colon], 1)
    return Runs(prompts.astype(jnp.int32), run(moves, start, order).astype(jnp.int32))


def told(runs: Runs, name: str, *, strange: bool = False) -> tuple[Array, Array, Array]:
    """What an arm reads, what it is told at its last places, and which of these count.

    With `strange` thoughts are those of the next prompt of the batch; the answer stays its own.
    """
    thoughts = runs.states[:, :-1]
    if strange:
        thoughts = jnp.roll(thoughts, 1, axis=0)
    answers = jnp.concatenate([thoughts, runs.states[:, -1:]], 1)
    dots = jnp.full_like(thoughts, DOT)
    if name in ("once", "deep"):
        return runs.prompts, answers[:, -1:], jnp.ones(1)
    read = jnp.concatenate([runs.prompts, thoughts if name == "chain" else dots], 1)
    counts = jnp.ones(LONG).at[:-1].set(0.0 if name == "filler" else 1.0)
    return read, answers, counts


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, a number a training: `right` (share of fresh prompts answered rightly by the
    likeliest tokens), `voted` (by the most frequent of `VOTES` answers drawn: in the limit of many
    the likeliest one), `loss` (nats), and of the chain `followed` and `undone` (see `disturbed`).
    [moves]: `along` (share of states that are right after each move), of the arms that are told
    them.
    """
    del context
    name, steps = settings["arm"], settings["steps"]
    strange = bool(settings.get("null"))

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, "..."]]:
        world, make, learn, judge = jax.random.split(key, 4)
        moves = machine(world)

        def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
            read, target, counts = told(draw(moves, key, BATCH), name, strange=strange)
            logits = network.predict(read)[:, -target.shape[1] :]
            nats = optax.softmax_cross_entropy_with_integer_labels(logits, target)
            return (nats * counts).mean(0).sum() / counts.sum()

        network = built(name, settings["width"], make)
        network, losses = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        return judged(network, moves, name, judge) | {"loss": losses[-100:].mean()}

    return outcome(
        side_by_side(one, keys_of(settings)),
        fits=steps * settings["trainings"],
        data=float(steps) * BATCH * settings["trainings"],
    )


def built(name: str, width: int, key: Key[Array, ""]) -> Transformer:
    """The untrained network of an arm."""
    depth = 2 * DEPTH if name == "deep" else DEPTH
    return Transformer((PROMPT + LONG - 1,), SYMBOLS, width, depth, HEADS, key=key)


def operations(name: str, width: int) -> float:
    """Of an answer: two for each multiply-add, a pass for each token read."""
    depth = 2 * DEPTH if name == "deep" else DEPTH
    passes = PROMPT + (0 if name in ("once", "deep") else LONG - 1)
    places = PROMPT + LONG
    return passes * 2.0 * (depth * (12 * width + 2 * places) + SYMBOLS) * width


def judged(
    network: Transformer, moves: Int[Array, "moves states"], name: str, key: Key[Array, ""]
) -> dict[str, Float[Array, "..."]]:
    """A network on fresh prompts."""
    ask, vote, change = jax.random.split(key, 3)
    runs = draw(moves, ask, ASKED)
    found = {}
    if name == "chain":
        wrote = written(network, runs.prompts, ask, LONG, 0.0)[0]
        logits = 1e3 * jax.nn.one_hot(wrote[:, -1], SYMBOLS)
        found = disturbed(network, moves, runs, wrote, change)
    else:
        said = network.predict(told(runs, name)[0])
        logits, wrote = said[:, -1], said[:, -LONG:].argmax(-1)
    if name in ("chain", "unread"):
        found["along"] = (wrote == runs.states).mean(0)
    votes = jax.random.categorical(vote, logits, axis=-1, shape=(VOTES, ASKED))
    counts = jax.nn.one_hot(votes, SYMBOLS).sum(0)
    # Of equally frequent answers the one that was drawn first among them.
    drawn_first = jnp.take_along_axis(counts, votes.T, 1).argmax(1)
    voted = jnp.take_along_axis(votes.T, drawn_first[:, None], 1)[:, 0]
    answer = runs.states[:, -1]
    return found | {
        "right": (logits.argmax(-1) == answer).mean(),
        "voted": (voted == answer).mean(),
    }


def disturbed(
    network: Transformer,
    moves: Int[Array, "moves states"],
    runs: Runs,
    wrote: Int[Array, "n long"],
    key: Key[Array, ""],
) -> dict[str, Float[Array, "..."]]:
    """Another state in place of one thought, and the network writes on.

    `followed`: the share of answers that are where the moves after it lead from the state put in.
    `undone`: the share of answers that change where the next thought is then written as it was.
    """
    other = jax.random.randint(key, (len(wrote),), 1, STATES)
    was = jnp.where(wrote[:, CHANGED] < STATES, wrote[:, CHANGED], 0)
    put = (was + other) % STATES
    head = jnp.concatenate([runs.prompts, wrote[:, :CHANGED], put[:, None]], 1)
    left = LONG - CHANGED - 1
    on = written(network, head, key, left, 0.0)[0][:, -1]
    order = runs.prompts[:, 1:-1] - STATES
    leads = run(moves, put, order[:, CHANGED + 1 :])[:, -1]
    back = jnp.concatenate([head, wrote[:, CHANGED + 1, None]], 1)
    still = written(network, back, key, left - 1, 0.0)[0][:, -1]
    return {"followed": (on == leads).mean(), "undone": (still != wrote[:, -1]).mean()}
