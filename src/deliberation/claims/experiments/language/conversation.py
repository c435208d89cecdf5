"""Conversations as text: what a model says in its turns decides what it is told next.

A partner speaks of one of four topics and adds two words; the model answers with a topic. The
partner then takes that topic up with probability `LISTENS`, stays with its own with `STAYS`, or
takes any. In one topic, the easy one, its words are nearly always the same; in the others they are
drawn evenly. The score of a conversation is the log-probability that the model gave all that it was
told. What it says itself has no score.

All begin with a network that was trained to predict logged conversations, in which somebody else
spoke with the partner. Some go on with conversations of their own: "turns" (every answer is
reinforced by the score of all turns that follow it), "within" (by the score of its own turn alone:
of what it was told before it answered, so that no score is passed through the partner's answers)
and "swapped" (as "turns", but what is told next comes from another conversation). "predict" goes on
with logged conversations. In all of them what was told is also predicted, by gradients.

The null: in training nobody listens; the models are judged with a partner who does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import Transformer, descended, next_token_loss, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

TOPICS, WORDS, SAID, TURNS = 4, 4, 2, 5
"""Topics, words, words of a turn of the partner's behind the topic, and its turns."""
SPAN = SAID + 2
"""Tokens from one turn of the partner's to the next, the answer included."""
PLACES = TURNS * SPAN - 1
LISTENS, STAYS = 0.6, 0.2
PLAIN = 0.97
"""How often each word of the easy topic is the first one."""
FOLLOWS = 0.4
"""How often whoever spoke in the logs names the partner's topic; else they name any."""
DATA = 1 / TOPICS
"""The share of the easy topic in the logs: there all topics are alike."""
WIDTH, DEPTH, HEADS, RATE, FURTHER, BATCH, JUDGED = 32, 1, 2, 5e-3, 3e-3, 32, 512
REWARDED = ("turns", "within", "swapped")
WAYS = ("predict", *REWARDED)
EVERY = ("begin", *WAYS)

Loss = Callable[[Transformer, Key[Array, ""]], Float[Array, ""]]
Speaker = Callable[["Talks", Int[Array, ""]], Float[Array, "n topics"]]
"""How probable each answer is in a turn of conversations."""


class Talks(NamedTuple):
    """Conversations, and the partner's topic in each turn."""

    tokens: Int[Array, "n places"]
    topics: Int[Array, "n turns"]


def next_topic(
    topic: Int[Array, " n"], asked: Int[Array, " n"], listens: float
) -> Float[Array, "n topics"]:
    """The law: how probable each topic is to be the partner's next."""
    even = (1 - listens - STAYS) / TOPICS
    one = jax.nn.one_hot
    return listens * one(asked, TOPICS) + STAYS * one(topic, TOPICS) + even


def words(topic: Int[Array, " n"], easy: Int[Array, ""]) -> Float[Array, "n words"]:
    """How probable each word is in a topic."""
    plain = jnp.full(WORDS, (1 - PLAIN) / (WORDS - 1)).at[0].set(PLAIN)
    return jnp.where((topic == easy)[:, None], plain, 1 / WORDS)


def entropies() -> tuple[float, float]:
    """Nats of the words of a turn in the easy topic, and in another."""
    rare = (1 - PLAIN) / (WORDS - 1)
    plain = -PLAIN * jnp.log(PLAIN) - (1 - PLAIN) * jnp.log(rare)
    return float(SAID * plain), float(SAID * jnp.log(WORDS))


def best_share(turn: int) -> float:
    """The share of the easy topic in a turn (from 0) where it is asked for in all answers."""
    share = DATA
    for _ in range(turn):
        share = LISTENS + STAYS * share + (1 - LISTENS - STAYS) / TOPICS
    return share


def log_speaker(talks: Talks, turn: Int[Array, ""]) -> Float[Array, "n topics"]:
    """How probable each answer is in the logs."""
    follows = jax.nn.one_hot(talks.topics[:, turn], TOPICS)
    return FOLLOWS * follows + (1 - FOLLOWS) / TOPICS


def spoken(network: Transformer) -> Speaker:
    """A network as a speaker: one of the topics, by its logits after all that was said."""

    def answers(talks: Talks, turn: Int[Array, ""]) -> Float[Array, "n topics"]:
        return jax.nn.softmax(network.predict(talks.tokens)[:, turn * SPAN + SAID + 1, :TOPICS])

    return answers


def talk(
    speaker: Speaker, key: Key[Array, ""], n: int, easy: Int[Array, ""], *,
    listens: float = LISTENS, swapped: Bool[Array, ""] | bool = False,
) -> tuple[Talks, Float[Array, "n answers topics"]]:  # fmt: skip
    """Conversations of a speaker with a partner, and how probable each of its answers was.

    With `swapped` every speaker goes on to the next one's partner after each answer.
    """
    begin, go = jax.random.split(key)
    topic = jax.random.randint(begin, (n,), 0, TOPICS)
    # One turn more is begun than is asked for; it is cut.
    blank = jnp.full((n, TURNS * SPAN), -1, jnp.int32)
    talks = Talks(blank, jnp.zeros((n, TURNS), jnp.int32))

    def one(now: tuple[Talks, Array], turn: Int[Array, ""]) -> tuple[tuple[Talks, Array], Array]:
        talks, topic = now
        tell, say, move = jax.random.split(jax.random.fold_in(go, turn), 3)
        added = jax.random.categorical(tell, jnp.log(words(topic, easy)), shape=(SAID, n))
        told = jnp.concatenate([topic[:, None], TOPICS + added.T], 1).astype(jnp.int32)
        talks = Talks(
            jax.lax.dynamic_update_slice(talks.tokens, told, (0, turn * SPAN)),
            talks.topics.at[:, turn].set(topic),
        )
        chance = speaker(talks, turn)
        asked = jax.random.categorical(say, jnp.log(chance)).astype(jnp.int32)
        tokens = talks.tokens.at[:, turn * SPAN + SAID + 1].set(asked)
        after = jax.random.categorical(move, jnp.log(next_topic(topic, asked, listens)))
        after = jnp.where(swapped, jnp.roll(after, 1), after)
        return (talks._replace(tokens=tokens), after), chance

    (talks, _), chances = jax.lax.scan(one, (talks, topic), jnp.arange(TURNS))
    return talks._replace(tokens=talks.tokens[:, :PLACES]), chances[:-1].swapaxes(0, 1)


def scored(
    network: Transformer, talks: Talks
) -> tuple[Float[Array, "n turns"], Float[Array, "n answers"]]:
    """The log-probabilities (nats) of what is told in each turn, and of each answer of the topics
    that it could be.
    """  # fmt: skip
    logits = network.predict(talks.tokens[:, :-1])
    known = jnp.take_along_axis(jax.nn.log_softmax(logits), talks.tokens[..., None], -1)[..., 0]
    padded = jnp.pad(known, ((0, 0), (0, 1))).reshape(-1, TURNS, SPAN)
    places = jnp.arange(TURNS - 1) * SPAN + SAID + 1
    of_topics = jax.nn.log_softmax(logits[:, places, :TOPICS])
    answers = jnp.take_along_axis(of_topics, talks.tokens[:, places, None], -1)[..., 0]
    return padded[..., : SAID + 1].sum(-1), answers


def credited(
    score: Float[Array, "n turns"], within: Bool[Array, ""] | bool
) -> Float[Array, "n answers"]:
    """What reinforces each answer: the score of all turns after it, or of its own turn alone."""
    later = jnp.cumsum(score[:, ::-1], 1)[:, ::-1][:, 1:]
    return jnp.where(within, score[:, :-1], later)


def predicts(easy: Int[Array, ""], listens: float) -> Loss:
    """The loss of a model that is trained on logged conversations."""

    def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
        talks, _ = talk(log_speaker, key, BATCH, easy, listens=listens)
        return next_token_loss(network, talks.tokens)

    return loss


def earns(way: Int[Array, ""], easy: Int[Array, ""], listens: float) -> Loss:
    """The loss of one in conversations of its own: minus the score, by its gradient.

    What is told is predicted, and answers are reinforced (Williams 1992), in one of the `REWARDED`
    ways.
    """
    within, swapped = (way == REWARDED.index(name) for name in ("within", "swapped"))

    def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
        still = jax.lax.stop_gradient(network)
        talks, _ = talk(spoken(still), key, BATCH, easy, listens=listens, swapped=swapped)
        score, answers = scored(network, talks)
        credit = jax.lax.stop_gradient(credited(score, within))
        return -(score.sum(1) + ((credit - credit.mean(0)) * answers).sum(1)).mean()

    return loss


def judged(
    network: Transformer, key: Key[Array, ""], easy: Int[Array, ""]
) -> dict[str, Float[Array, "..."]]:
    """A model in conversation with a partner who listens, and on logged conversations."""
    own, logs = jax.random.split(key)
    talks, chances = talk(spoken(network), own, JUDGED, easy)
    asked = jnp.broadcast_to(jnp.arange(TOPICS)[:, None], (TOPICS, JUDGED))

    def told(turn: int) -> Float[Array, ""]:
        law = jax.vmap(lambda a: next_topic(talks.topics[:, turn], a, LISTENS))(asked)
        return (chances[:, turn].T * law[..., easy]).sum(0).mean()

    logged, _ = talk(log_speaker, logs, JUDGED, easy)
    return {
        "told": jnp.stack([told(turn) for turn in range(TURNS - 1)]),
        "said": chances[..., easy].mean(),
        "nats": -scored(network, talks)[0][:, 1:].mean(),
        "logged": -scored(network, logged)[0][:, 1:].mean(),
    }


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes by "<way>_<what>", the ways being those of `WAYS` and "begin", with which all begin.
    What: `told` [turns after the first] (the chance, by the law, that the partner speaks of the
    easy topic), `said` (that the model names it), and nats a turn of the partner's by which it is
    surprised, in its own conversations (`nats`) and in logged ones (`logged`).
    """  # fmt: skip
    del context
    listens = 0.0 if settings.get("null") else LISTENS
    steps, further = settings["steps"], settings["further"]

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        pick, make, learn, go, judge = jax.random.split(key, 5)
        easy = jax.random.randint(pick, (), 0, TOPICS)
        fresh = Transformer((TURNS * SPAN,), TOPICS + WORDS, WIDTH, DEPTH, HEADS, key=make)
        logs = predicts(easy, listens)
        begin, _ = descended(logs, fresh, learn, steps=steps, learning_rate=RATE)
        more = {"steps": further, "learning_rate": FURTHER}
        still, rest = eqx.partition(descended(logs, begin, go, **more)[0], eqx.is_array)

        def rewarded(way: Int[Array, ""]) -> Any:
            after, _ = descended(earns(way, easy, listens), begin, go, **more)
            return eqx.filter(after, eqx.is_array)

        led = jax.vmap(rewarded)(jnp.arange(len(REWARDED)))
        first = jax.tree.map(lambda *some: jnp.stack(some), eqx.filter(begin, eqx.is_array), still)
        every = jax.tree.map(lambda *some: jnp.concatenate(some), first, led)
        told = jax.vmap(lambda arrays: judged(eqx.combine(arrays, rest), judge, easy))(every)
        return {f"{way}_{what}": x[i] for what, x in told.items() for i, way in enumerate(EVERY)}

    found = side_by_side(one, keys_of(settings))
    fits = (steps + len(WAYS) * further) * settings["trainings"]
    return outcome(found, fits=fits, data=float(fits) * BATCH)
