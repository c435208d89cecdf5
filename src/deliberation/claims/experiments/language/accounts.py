"""Two accounts of who writes a text: a clone of what was written, and a planner with fitted aims.

A source writes each token by the two before it, differently in every training. Two subjects write
texts of `LONG` tokens: a transformer that was trained on the source's texts, and a planner that
takes the token with which what is left of the text can be most worth: the log-probability of every
token by the source, and a taste of its own for each token; now and then it writes any.

The first `SEEN` tokens of some texts are seen, and fitted by likelihood. A clone is a small network
of the last tokens, the source's probabilities of the next one and how many tokens are left. A
planner's account chooses by the exact worth of what can be written until the end, with a weight for
the log-probability, one for each token, and a tremble; the weights' size is how sharply it chooses.
A second account also counts as worth that much can be written ("soft", entropy-regularised; Ziebart
2010), for which the source itself is such a planner. Accounts are scored by what they lose (nats a
token, exactly over the subject's own probabilities) in further texts ("ordinary") and where the
text is to end after `SHORT` tokens, of which no end was seen ("ending"). All accounts are given the
source's exact probabilities; how many tokens are left is, where texts end, a number that the clone
was never fitted at, so that its forecasts of a planner there are no rival's.

The null: both subjects write any token.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import Transformer, descended, next_token_loss, side_by_side
from ....core.rows import greatest
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

TOKENS, LONG, SEEN, SHORT = 4, 12, 8, 3
"""Tokens; tokens of a text behind its first two, how many are seen of it, and in a short one."""
PAIRS = TOKENS**2
CONCENTRATION, FLOOR = 0.3, 0.05
"""Of the source: rows are drawn from a Dirichlet distribution, and so much of each is even."""
TASTE, TREMBLE = 0.5, 0.05
"""Of the planner: the deviation of its tastes (nats), and how often it writes any token."""
TEXTS, ASKED, BATCH = 256, 512, 32
WIDTH, DEPTH, HEADS, RATE = 32, 1, 2, 5e-3
CLONE, CLONE_RATE, DECAY, AGENT_RATE = 16, 1e-2, 0.3, 0.1
STARTS = (0.3, 1.0, 3.0)
"""Weights of the log-probability from which the account is fitted; the likeliest fit is kept."""
SUBJECTS, PLACES, ACCOUNTS = (
    ("model", "planner"),
    ("ordinary", "ending"),
    ("clone", "agent", "soft"),
)

Source = Float[Array, "pairs tokens"]
Chances = Callable[[Array, Array, Array, Array], Float[Array, "n tokens"]]
"""How probable each next token is: of texts, at a place (from 0, behind the first two tokens), by
the last two tokens and by how many are left."""


class Seen(NamedTuple):
    """Contexts, and how probable each token was there by who wrote them."""

    pair: Int[Array, " n"]
    """The last two tokens as one number, the latest in the last place."""
    left: Int[Array, " n"]
    """Tokens that are left, the next one included."""
    chance: Float[Array, "n tokens"]


Table = Float[Array, "left pairs tokens"]
"""By how many tokens are left (from 1), the last two and the next one: what that is worth, its
(log-)probability, or how often it was written."""


def drawn_source(key: Key[Array, ""]) -> Source:
    """How probable each token is after every two."""
    rows = jax.random.dirichlet(key, jnp.full(TOKENS, CONCENTRATION), (PAIRS,))
    return (1 - FLOOR) * rows + FLOOR / TOKENS


def after(pair: Int[Array, "..."], token: Int[Array, "..."]) -> Int[Array, "..."]:
    """The last two tokens once one more is written."""
    return pair % TOKENS * TOKENS + token


def worths(earned: Float[Array, "pairs tokens"], soft: Bool[Array, ""] | bool = False) -> Table:
    """What each token is worth with 1 to `LONG` tokens left, by what every token earns: exactly.

    What follows is worth the best of it, or if `soft` the logarithm of the sum of exponentials.
    """
    onward = after(jnp.arange(PAIRS)[:, None], jnp.arange(TOKENS))
    found = [earned]
    for _ in range(LONG - 1):
        last = found[-1]
        best = jnp.where(soft, jax.nn.logsumexp(last, -1), greatest(last))
        found.append(earned + best[onward])
    return jnp.stack(found)


def planner(source: Source, taste: Float[Array, " tokens"]) -> Table:
    """How probable each token is by a planner that takes the best, and trembles."""
    best = worths(jnp.log(source) + taste).argmax(-1)
    return (1 - TREMBLE) * jax.nn.one_hot(best, TOKENS) + TREMBLE / TOKENS


def write(
    chances: Chances, key: Key[Array, ""], n: int, long: int, places: int | None = None
) -> tuple[Int[Array, "n some"], Seen]:
    """Texts that begin with any two tokens and are to end after `long` more, and their contexts,
    those of one place after the other.

    Only so many `places` behind the first two are written.
    """
    begin, draw = jax.random.split(key)
    count = long if places is None else places
    first = jax.random.randint(begin, (n, 2), 0, TOKENS)
    blank = jnp.concatenate([first, jnp.full((n, count), -1, first.dtype)], 1)

    def one(text: Int[Array, "n some"], place: Int[Array, ""]) -> tuple[Array, Seen]:
        pair = text[:, place] * TOKENS + text[:, place + 1]
        left = jnp.full(n, long - place)
        chance = chances(text, place, pair, left)
        token = jax.random.categorical(jax.random.fold_in(draw, place), jnp.log(chance))
        return text.at[:, place + 2].set(token.astype(text.dtype)), Seen(pair, left, chance)

    text, seen = jax.lax.scan(one, blank, jnp.arange(count))
    return text, jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen)


def of_table(table: Table) -> Chances:
    """A writer by the last two tokens and how many are left."""
    return lambda text, place, pair, left: table[left - 1, pair]


def of_network(network: Transformer) -> Chances:
    """A language model as a writer, by the text alone; it is not told how many are left."""
    return lambda text, place, pair, left: jax.nn.softmax(network.predict(text)[:, place + 2])


def counted(seen: Seen, chance: Float[Array, "n tokens"]) -> Table:
    """How often contexts with each token occur; shares of all that was seen."""
    count = jnp.zeros((LONG, PAIRS, TOKENS)).at[seen.left - 1, seen.pair].add(chance)
    return count / len(seen.pair)


class Clone(eqx.Module):
    """Behaviour by a small network."""

    layers: eqx.nn.MLP

    def __init__(self, key: Key[Array, ""]):
        self.layers = eqx.nn.MLP(3 * TOKENS + 1, TOKENS, CLONE, 1, jnp.tanh, key=key)

    def __call__(self, source: Source) -> Table:
        """Log-probabilities."""
        one, two = (jax.nn.one_hot(x, TOKENS) for x in divmod(jnp.arange(PAIRS), TOKENS))
        last = jnp.concatenate([one, two, jnp.log(source) / 2], 1)
        left = jnp.arange(1, LONG + 1) / LONG
        known = jnp.concatenate(
            [
                jnp.broadcast_to(last, (LONG, *last.shape)),
                jnp.broadcast_to(left[:, None, None], (LONG, PAIRS, 1)),
            ],
            -1,
        )
        return jax.nn.log_softmax(jax.vmap(jax.vmap(self.layers))(known))


class Agent(eqx.Module):
    """Behaviour by what is worth most, by a fitted objective."""

    predictable: Float[Array, ""]
    tokens: Float[Array, " tokens"]
    tremble: Float[Array, ""]
    soft: Bool[Array, ""]

    def __call__(self, source: Source) -> Table:
        """Log-probabilities."""
        worth = worths(self.predictable * jnp.log(source) + self.tokens, self.soft)
        chosen, off = jax.nn.softmax(worth), jax.nn.sigmoid(self.tremble)
        return jnp.log((1 - off) * chosen + off / TOKENS)


def lost(account: Any, source: Source, count: Table) -> Float[Array, ""]:
    """Nats a token by which an account is surprised, on average."""
    return -(count * account(source)).sum()


def fitted(source: Source, count: Table, key: Key[Array, ""], steps: int) -> dict[str, Any]:
    """The accounts, by likelihood."""

    def loss(account: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        del key
        return lost(account, source, count)

    told = {"steps": steps, "learning_rate": CLONE_RATE, "weight_decay": DECAY}
    clone, _ = descended(loss, Clone(key), key, **told)

    def fit(start: Float[Array, ""], soft: Bool[Array, ""]) -> tuple[Agent, Float[Array, ""]]:
        fresh = Agent(start, jnp.zeros(TOKENS), jnp.float32(-3.0), soft)
        account, _ = descended(loss, fresh, key, steps=steps, learning_rate=AGENT_RATE)
        return account, loss(account, key)

    starts, kinds = jnp.tile(jnp.array(STARTS), 2), jnp.arange(2 * len(STARTS)) >= len(STARTS)
    every, losses = jax.vmap(fit)(starts, kinds)
    likeliest = losses.reshape(2, -1).argmin(1) + jnp.array([0, len(STARTS)])
    agent, soft = (jax.tree.map(lambda x, i=i: x[i], every) for i in likeliest)
    return {"clone": clone, "agent": agent, "soft": soft}


class Told(NamedTuple):
    """Of a subject: what it wrote, what it would write where it is asked, and the entropy there."""

    written: Table
    asked: Float[Array, "places left pairs tokens"]
    own: Float[Array, " places"]


def _told(writer: Chances, show: Key[Array, ""], ask: Key[Array, ""]) -> Told:
    some, seen = write(writer, show, TEXTS, LONG, SEEN)
    written = counted(seen, jax.nn.one_hot(some[:, 2:].T.reshape(-1), TOKENS))
    asked = [write(writer, ask, ASKED, LONG, SEEN)[1], write(writer, ask, ASKED, SHORT)[1]]
    own = [jax.scipy.special.entr(x.chance).sum(1).mean() for x in asked]
    return Told(written, jnp.stack([counted(x, x.chance) for x in asked]), jnp.stack(own))


def of_source(source: Source) -> Chances:
    """The source as a writer."""
    return lambda text, place, pair, left: source[pair]


def _taught(source: Source, key: Key[Array, ""], steps: int) -> Transformer:
    """A language model of the source."""
    make, learn = jax.random.split(key)
    behind = jnp.broadcast_to(jnp.arange(LONG + 2) >= 2, (BATCH, LONG + 2)).astype(jnp.float32)

    def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
        return next_token_loss(network, write(of_source(source), key, BATCH, LONG)[0], behind)

    fresh = Transformer((LONG + 2,), TOKENS, WIDTH, DEPTH, HEADS, key=make)
    return descended(loss, fresh, learn, steps=steps, learning_rate=RATE)[0]


def _excess(network: Transformer, source: Source, key: Key[Array, ""]) -> Float[Array, ""]:
    """Nats a token that a model loses beyond the source in texts of the source."""
    texts, contexts = write(of_source(source), key, ASKED, LONG)
    given = contexts.chance.reshape(LONG, ASKED, TOKENS).swapaxes(0, 1)
    logits = jax.nn.log_softmax(network.predict(texts[:, :-1])[:, 2:])
    return (given * (jnp.log(given) - logits)).sum(-1).mean()


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes by "<subject>_<account>_<place>" (see `SUBJECTS`, `ACCOUNTS`, `PLACES`): nats a
    token that the account loses beyond what the subject itself would. `model_excess`: what the
    model loses in texts of the source beyond the source itself (nats a token); `changes`: the share
    of the contexts in short texts in which the planner's best token is another than with `LONG`
    left.
    """  # fmt: skip
    del context
    null, steps, fits = bool(settings.get("null")), settings["steps"], settings["fits"]

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        place, like, learn, show, fit, ask = jax.random.split(key, 6)
        source = drawn_source(place)
        network = _taught(source, learn, steps)
        table = planner(source, TASTE * jax.random.normal(like, (TOKENS,)))
        even = of_table(jnp.full_like(table, 1 / TOKENS))
        writers = [even, even] if null else [of_network(network), of_table(table)]
        told = [_told(writer, show, ask) for writer in writers]
        both = jax.tree.map(lambda *some: jnp.stack(some), *told)

        def judged(told: Told) -> dict[str, Float[Array, " places"]]:
            accounts = fitted(source, told.written, fit, fits).items()
            asked = jax.vmap(lost, (None, None, 0))
            return {name: asked(one, source, told.asked) - told.own for name, one in accounts}

        nats = jax.vmap(judged)(both)
        found = {
            f"{who}_{name}_{where}": x[i, j]
            for name, x in nats.items()
            for i, who in enumerate(SUBJECTS)
            for j, where in enumerate(PLACES)
        }
        ends = told[1].asked[1].sum(-1)[:SHORT]
        moved = table[:SHORT].argmax(-1) != table[-1].argmax(-1)
        return found | {
            "model_excess": _excess(network, source, ask), "changes": (ends * moved).sum(),
        }  # fmt: skip

    found = side_by_side(one, keys_of(settings))
    trained = settings["trainings"]
    taken = (steps + len(SUBJECTS) * (1 + 2 * len(STARTS)) * fits) * trained
    return outcome(found, fits=taken, data=float(steps) * BATCH * trained)
