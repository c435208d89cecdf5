"""A network with one hidden layer of squares that is shown some of all sums modulo a prime.

With the right weights it computes every sum by a rule: the square of cos(2 pi k a / p + f) +
cos(2 pi k b / p + g) holds cos(2 pi k (a + b) / p + f + g), off which the answer is read (Gromov
2023, "Grokking modular arithmetic"). Pairs can as well be learned by heart. Which of
the two training ends with is left to it: AdamW, every seen pair at each step.

The null: the answers are those of other pairs, drawn once, so that there is no rule to be found.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

PRIME, WIDTH = 23, 64
SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
"""Of all pairs, those seen in training."""
RATE, DECAY = 5e-3, 1.0
CLOSED_PRIME, CLOSED_WIDTHS = 97, (64, 128, 256)
"""Where the rule is set by hand: right on .957, .9996 and 1.0 of the pairs."""


class Squares(eqx.Module):
    """The logits of all pairs: ((u of one + v of the other) squared), read out."""

    u: Float[Array, "prime width"]
    v: Float[Array, "prime width"]
    out: Float[Array, "width prime"]

    def __call__(self) -> Float[Array, "prime prime prime"]:
        """[one number, the other, answer]."""
        return jnp.square(self.u[:, None] + self.v[None]) @ self.out


def fresh(key: Key[Array, ""], prime: int, width: int) -> Squares:
    """Normal weights, of the size that keeps sums at about 1."""
    one, other, last = jax.random.split(key, 3)
    return Squares(
        jax.random.normal(one, (prime, width)) / np.sqrt(2 * prime),
        jax.random.normal(other, (prime, width)) / np.sqrt(2 * prime),
        jax.random.normal(last, (width, prime)) / np.sqrt(width),
    )


def by_hand(key: Key[Array, ""], prime: int, width: int) -> Squares:
    """The rule in closed form, with a wave and two phases drawn for each neuron."""
    which, phase = jax.random.split(key)
    wave = jax.random.randint(which, (width,), 1, prime)
    f, g = jax.random.uniform(phase, (2, width), maxval=2 * np.pi)
    turn = 2 * np.pi * (jnp.arange(prime)[:, None] * wave % prime) / prime
    return Squares(jnp.cos(turn + f), jnp.cos(turn + g), jnp.cos(turn + f + g).T)


def sums(prime: int) -> Int[Array, "prime prime"]:
    """The right answers."""
    numbers = jnp.arange(prime)
    return (numbers[:, None] + numbers) % prime


def powers(table: Float[Array, "prime width"]) -> Float[Array, "waves width"]:
    """Of each neuron's weights the power at every frequency from 1, the mean left out."""
    return jnp.square(jnp.abs(jnp.fft.rfft(table, axis=0)))[1:]


def own_power(network: Squares) -> Float[Array, ""]:
    """Of all power of the input weights, what lies at each neuron's own strongest frequency."""
    each = jnp.stack([powers(network.u), powers(network.v)])
    return each.max(1).sum() / each.sum()


def split(network: Squares) -> tuple[Squares, Squares]:
    """The network with each neuron's strongest frequency alone, and with all but that."""
    parts = []
    for table in (network.u, network.v, network.out.T):
        spectrum = jnp.fft.rfft(table, axis=0)
        at = jnp.arange(len(spectrum))[:, None]
        kept = jnp.where(at == powers(network.u).argmax(0) + 1, spectrum, 0)
        wave = jnp.fft.irfft(kept, n=len(table), axis=0)
        parts.append((wave, table - wave))
    (u, u2), (v, v2), (out, out2) = parts
    return Squares(u, v, out.T), Squares(u2, v2, out2.T)


def accuracy(
    network: Squares, answers: Int[Array, "prime prime"], among: Bool[Array, "prime prime"]
) -> Float[Array, ""]:
    """The share of some pairs that are answered rightly."""
    right = network().argmax(-1) == answers
    return (right & among).sum() / among.sum()


def fitted(
    network: Squares, answers: Int[Array, "prime prime"], seen: Bool[Array, "prime prime"],
    key: Key[Array, ""], steps: int,
) -> Squares:  # fmt: skip
    """Trained on the pairs seen: the square of what is missing to 1 at the answer, 0 elsewhere."""
    target = jax.nn.one_hot(answers, len(answers))

    def loss(network: Squares, key: Key[Array, ""]) -> Float[Array, ""]:
        del key
        missed = jnp.square(network() - target).sum(-1)
        return jnp.where(seen, missed, 0.0).sum() / seen.sum()

    return descended(
        loss,
        network,
        key,
        steps=steps,
        learning_rate=lambda now: RATE + 0 * now,
        weight_decay=DECAY,
        clip=1e9,
    )[0]


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, for each training a number a share of `SHARES`: `seen` and `unseen` (accuracy),
    `power` (of `own_power`), `wave` and `rest` (accuracy on the pairs seen with each neuron's
    strongest frequency alone, and without it), `wave_unseen`; and a number a width: `closed`
    (accuracy of the rule set by hand).
    """  # fmt: skip
    del context
    null, steps = bool(settings.get("null")), settings["steps"]

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, " shares"]]:
        make, choose, learn, mix, hand = jax.random.split(key, 5)
        answers = sums(PRIME)
        if null:
            answers = jax.random.permutation(mix, answers.reshape(-1)).reshape(PRIME, PRIME)
        order = jax.random.permutation(choose, PRIME**2).reshape(PRIME, PRIME)

        def at(share: Float[Array, ""]) -> dict[str, Float[Array, ""]]:
            seen = order < jnp.round(share * PRIME**2)
            network = fitted(fresh(make, PRIME, WIDTH), answers, seen, learn, steps)
            wave, rest = split(network)
            return {
                "seen": accuracy(network, answers, seen),
                "unseen": accuracy(network, answers, ~seen),
                "power": own_power(network),
                "wave": accuracy(wave, answers, seen),
                "wave_unseen": accuracy(wave, answers, ~seen),
                "rest": accuracy(rest, answers, seen),
            }

        right, every = sums(CLOSED_PRIME), jnp.ones((CLOSED_PRIME,) * 2, bool)
        closed = [
            accuracy(by_hand(hand, CLOSED_PRIME, width), right, every) for width in CLOSED_WIDTHS
        ]
        return jax.vmap(at)(jnp.array(SHARES)) | {"closed": jnp.stack(closed)}

    found = side_by_side(one, keys_of(settings), most=8)
    trained = settings["trainings"] * len(SHARES)
    return outcome(found, fits=steps * trained, data=float(sum(SHARES)) * PRIME**2 * len(SHARES))
