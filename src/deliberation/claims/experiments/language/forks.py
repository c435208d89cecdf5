"""Text with forks: what a model of it writes there, and what those do who are after its least loss.

At a fork the source writes "calm" or "wild"; letters in order follow the one, any letters the
other (`tasks.text.Forks`). A transformer learns to tell the next token of such texts. Beside what
it then writes: a search that goes to the end of both branches with the same network and takes the
one that surprises the network less in all ("looked"), and the same network taught by reward that
its texts should surprise the network as it was little ("tuned").

All of this where calm branches are so many of the data, and where branches are alike: any letters
follow both, so that nothing is gained by either. The null: the network itself is taught by that
reward before it is asked.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import Transformer, descended, next_token_loss, side_by_side, token_losses
from ....core import rollout
from ....direct import BeamSearch
from ....runs import Context, Outcome
from ....tasks.text import Forks
from ..arms import keys_of, outcome
from .writing import stacked, tuned, written

LETTERS, AFTER, FORKS = 4, 4, 2
WIDTH, DEPTH, HEADS = 16, 1, 2
BATCH, RATE, TUNED, TUNING = 32, 1e-2, 64, 3e-3
ASKED, LOOKED = 1024, 256
"""Texts that are written to count branches, and those in which both branches are looked at."""


CALM, ALIKE = (0.5, 0.2, 0.5, 0.2), (False, False, True, True)
APART = 2
"""Of each condition: how often the data are calm, and whether both branches are alike. First
come those, so many, in which they are not."""


def source(calm: float = 0.5) -> Forks:
    """The task; with its grammar, for planners."""
    return Forks(letters=LETTERS, after=AFTER, forks=FORKS, calm=calm, grammar=True)


TASK = source()
PLACES = TASK.answer_places


class Condition(NamedTuple):
    """What the data are."""

    calm: Float[Array, "..."]
    alike: Bool[Array, "..."]


def asked(n: int) -> Int[Array, "n 1"]:
    """So many prompts: the first fork."""
    return jnp.full((n, 1), LETTERS, jnp.int32)


def drawn(it: Condition, key: Key[Array, ""], n: int) -> Int[Array, "n places"]:
    """Texts, all at once; where branches are not alike they are those of `Forks`."""
    choose, write = jax.random.split(key)
    calm = jax.random.bernoulli(choose, it.calm, (n, FORKS, 1))
    anything = jax.random.randint(write, (n, FORKS, AFTER), 0, LETTERS)
    letters = jnp.where(calm & ~it.alike, jnp.arange(AFTER) % LETTERS, anything)
    closing = jnp.where(jnp.arange(FORKS) < FORKS - 1, LETTERS, TASK.end)
    closing = jnp.broadcast_to(closing[:, None], (n, FORKS, 1))
    branches = jnp.concatenate([LETTERS + 2 - calm, letters, closing], -1)
    return jnp.concatenate([asked(n), branches.reshape(n, -1)], 1).astype(jnp.int32)


def least(it: Condition) -> Float[Array, ""]:
    """The least expected loss of a text (nats)."""
    choice = -it.calm * jnp.log(it.calm) - (1 - it.calm) * jnp.log1p(-it.calm)
    uneven = jnp.where(it.alike, 1.0, 1 - it.calm)
    return FORKS * (choice + uneven * AFTER * np.log(LETTERS))


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, [trainings, conditions]: the shares of forks at which the calm branch is written by
    the model (`share`), by its likeliest tokens (`likeliest`), by who looks at both branches by the
    model (`looked`) and by the network taught by reward (`tuned`); `neither`, of the model; `loss`
    on new texts less the least there can be; by the frozen model the loss of its own texts (`own`)
    and of the taught one's (`own_tuned`); all in nats a text. `planned`: a beam search that is told
    the source, where branches are not alike.
    """
    del context
    steps, tunings, null = settings["steps"], settings["tunings"], bool(settings.get("null"))

    def taught(network: Transformer, key: Key[Array, ""]) -> Transformer:
        return tuned(network, lambda _: asked(TUNED), PLACES, key, steps=tunings, rate=TUNING)

    def one(key: Key[Array, ""], conditions: Condition) -> dict[str, Float[Array, " conditions"]]:
        make, learn, reward, again, judge = jax.random.split(key, 5)

        def trained(it: Condition) -> dict[str, Float[Array, ""]]:
            network = Transformer((TASK.places,), len(TASK.symbols), WIDTH, DEPTH, HEADS, key=make)
            network, _ = descended(
                lambda network, key: next_token_loss(network, drawn(it, key, BATCH)),
                network, learn, steps=steps, learning_rate=RATE,
            )  # fmt: skip
            if null:
                network = taught(network, again)
            return judged(network, taught(network, reward), it, judge)

        return jax.lax.map(trained, conditions)

    found = side_by_side(one, keys_of(settings), Condition(jnp.array(CALM), jnp.array(ALIKE)))
    found["planned"] = np.broadcast_to(planned(), (settings["trainings"], APART))
    trainings = settings["trainings"] * len(CALM)
    fits = trainings * (steps + tunings * (1 + null))
    return outcome(found, fits=fits, data=float(trainings * steps * BATCH))


def planned() -> list[float]:
    """The share of calm branches in the text of a search that is told the source."""
    shares = []
    for calm in CALM[:APART]:
        task = source(calm)
        text = rollout(task, BeamSearch(task, width=8), key=jax.random.key(0)).final.tokens[0]
        shares.append(float((task.chosen(text) == 1).mean()))
    return shares


def judged(
    network: Transformer, taught: Transformer, it: Condition, key: Key[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """What is written at forks, and how it surprises the network."""
    write, fresh = jax.random.split(key)
    told = (stacked(network, taught, network), jnp.array([1.0, 1.0, 0.0]),
            jax.random.split(write, 3))  # fmt: skip
    new, _ = jax.lax.map(lambda by: written(by[0], asked(ASKED), by[2], PLACES, by[1]), told)
    texts = jnp.concatenate([jnp.broadcast_to(asked(ASKED), (3, ASKED, 1)), new], 2)
    others = drawn(it, fresh, ASKED)
    chose = jax.vmap(jax.vmap(TASK.chosen))(texts)
    calm = (chose == 1).mean((1, 2))
    nats = jax.lax.map(
        lambda some: token_losses(network, some)[:, 1:].sum(1).mean(),
        jnp.stack([others, *texts[:2]]),
    )
    return {
        "share": calm[0], "tuned": calm[1], "likeliest": calm[2],
        "neither": (chose[0] == -1).mean(),
        "looked": looked(network, texts[0, :LOOKED]).mean(),
        "loss": nats[0] - least(it), "own": nats[1], "own_tuned": nats[2],
    }  # fmt: skip


def looked(network: Transformer, texts: Int[Array, "n places"]) -> Float[Array, "n forks"]:
    """Where the calm branch, written on to the next fork with the likeliest tokens, surprises the
    network less than the wild one, its choice included: 1, else 0, at each fork of these texts."""
    n, span, calm = len(texts), AFTER + 2, LETTERS + 1
    logs = jax.nn.log_softmax(network.predict(texts[:, :-1]))
    begun, choice = [], []
    for fork in range(FORKS):
        for branch in (calm, calm + 1):
            at = fork * span + 1
            text = texts.at[:, at].set(branch)
            begun.append(jnp.where(jnp.arange(TASK.places) <= at, text, -1)[:, : PLACES - AFTER])
            choice.append(logs[:, at, branch])
    _, nats = written(network, jnp.concatenate(begun), jax.random.key(0), AFTER + 1, 0.0)
    total = (jnp.concatenate(choice) + nats.sum(1)).reshape(FORKS, 2, n)
    return (total[:, 0] > total[:, 1]).T.astype(jnp.float32)
