"""Text with forks: whoever writes it chooses whether what follows can be predicted.

At each fork the source writes "calm" or "wild". After "calm" come the letters in order, over and
over; after "wild" letters drawn evenly. A model that has learned this source writes both as often
as the source does. Who writes for the least surprise takes every calm branch, however rare it is in
the source, if only what follows is long enough: calm^-1 < (1 - calm)^-1 letters^after.
"""

import functools
import string
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import TaskOptionError
from ...core.objective import Objective
from ..bases import SoloObjective, check_sizes
from .base import LONGEST, TextState, TextTask

TASKS = {
    "forks": {
        "summary": "Write text whose forks choose if it can be predicted; options letters, after, "
        "forks, calm, grammar",
        "factory": "Forks",
        "options": {"letters": 4, "after": 4, "forks": 3, "calm": 0.5, "grammar": False},
    },
}

NEVER = -20.0
"""What a token that the source never writes earns, in nats: its logarithm would be infinite."""


class LeastSurprise(SoloObjective):
    """The logarithm (nats) of the source's probability of every token written.

    A token that the source never writes counts as `NEVER`.
    """

    text: "Forks"

    def reward(
        self, state: TextState, action: Int[Array, ""], after: TextState
    ) -> Float[Array, ""]:
        """log p(token | the tokens before it)."""
        return self.text.nats(state)[action]

    @property
    def bounds(self) -> tuple[float, float]:
        """From never to no surprise, every time."""
        return (self.text.answer_places * min(NEVER, *self.text.branch_nats), 0.0)

    def heuristic(self, state: TextState) -> Float[Array, ""]:
        """The optimum itself."""
        return self.optimum(state)

    def optimum(self, state: TextState) -> Float[Array, ""]:
        """What is left of this branch, and the better branch at every fork to come."""
        text = self.text
        span, place = text.after + 2, state.time % (text.after + 2)
        to_come = text.forks - (state.time + span - 1) // span
        inside = (place > 0) & text.is_wild(state)
        letters = jnp.clip(text.after + 1 - place, 0, text.after)
        left = jnp.where(inside, -letters * np.log(text.letters), 0.0)
        left = left + to_come * max(text.branch_nats)
        return jnp.where(text.terminated(state), 0.0, left).astype(jnp.float32)


class Forks(TextTask):
    """So many `forks`, each with a branch of `after` tokens from an alphabet of `letters`.

    The source writes "calm" with probability `calm`, which is above 0 and below 1. A text begins at
    its first fork and ends behind its last branch. With `grammar` only what the source can write is
    legal. What is written at a fork and is neither counts as "wild". Raises `TaskOptionError`.
    """

    calm: float = eqx.field(static=True, default=0.5)
    """How often the source chooses the branch that can be predicted."""

    letters: int = eqx.field(static=True, default=4)
    after: int = eqx.field(static=True, default=4)
    forks: int = eqx.field(static=True, default=3)
    kinds: ClassVar[tuple[str, ...]] = ("source",)

    def __check_init__(self) -> None:
        if min(self.letters - 1, self.after, self.forks) < 1 or not 0 < self.calm < 1:
            raise TaskOptionError(
                "Forks take letters of at least 2, after and forks of at least 1, and calm above 0 "
                f"and below 1; got letters={self.letters}, after={self.after}, forks={self.forks}, "
                f"calm={self.calm}."
            )
        check_sizes("Forks", len(string.ascii_lowercase), letters=self.letters)
        check_sizes("Forks", LONGEST // 4, after=self.after, forks=self.forks)
        check_sizes("Forks", LONGEST, **{"forks * (after + 2)": self.answer_places})

    def __repr__(self) -> str:
        return (
            f"Forks({self.forks} forks, {self.after} tokens after each, {self.letters} letters, "
            f"calm={self.calm})"
        )

    @property
    def objective(self) -> Objective:
        """To write what is predictable."""
        return LeastSurprise(self)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The letters, the sign of a fork, its two branches, and the end."""
        return _symbols(self.letters)

    @property
    def prompt_places(self) -> int:
        """The first fork."""
        return 1

    @property
    def answer_places(self) -> int:
        """A branch, its tokens, and the next fork or the end, for each fork."""
        return self.forks * (self.after + 2)

    @property
    def branch_nats(self) -> tuple[float, float]:
        """Expected log-probability of a calm and of a wild branch, its choice included (nats)."""
        wild = float(np.log1p(-self.calm) - self.after * np.log(self.letters))
        return float(np.log(self.calm)), wild

    @property
    def entropy(self) -> float:
        """Nats of a text of the source after its prompt: the least expected loss of a predictor."""
        calm, wild = self.branch_nats
        return -self.forks * (self.calm * calm + (1 - self.calm) * wild)

    @property
    def entropy_rate(self) -> float:
        """Nats a token that is written."""
        return self.entropy / self.answer_places

    @property
    def branch_entropies(self) -> tuple[float, float]:
        """Nats of each letter of a calm and of a wild branch."""
        return 0.0, float(np.log(self.letters))

    def next_token(self, state: TextState) -> Float[Array, " symbols"]:
        """How probable each token is to come next, by the source."""
        fork, calm, wild = self.letters + jnp.arange(3)
        none = jnp.zeros(len(self.symbols))
        place = state.time % (self.after + 2)
        cycle = none.at[(place - 1) % self.letters].set(1.0)
        even = none.at[: self.letters].set(1 / self.letters)
        last = state.time == self.answer_places - 1
        closing = none.at[jnp.where(last, self.end, fork)].set(1.0)
        chosen = none.at[calm].set(self.calm).at[wild].set(1 - self.calm)
        inside = jnp.where(self.is_wild(state), even, cycle)
        return jnp.where(place == 0, chosen, jnp.where(place == self.after + 1, closing, inside))

    def nats(self, state: TextState) -> Float[Array, " symbols"]:
        """Logarithms of `next_token`; `NEVER` for what never comes."""
        chance = self.next_token(state)
        return jnp.where(chance > 0, jnp.log(jnp.maximum(chance, 1e-30)), NEVER)

    def is_wild(self, state: TextState) -> Bool[Array, ""]:
        """Whether the branch that is being written is not the calm one."""
        begun = self.prompt_places + state.time // (self.after + 2) * (self.after + 2)
        return state.tokens[jnp.minimum(begun, self.places - 1)] != self.letters + 1

    def chosen(self, tokens: Int[Array, " places"]) -> Int[Array, " forks"]:
        """What a text chose at each fork: 1 calm, 0 wild, -1 neither or not reached."""
        said = self.answer(tokens)[:: self.after + 2]
        return jnp.where(said == self.letters + 1, 1, jnp.where(said == self.letters + 2, 0, -1))

    def prompt(self, key: Key[Array, ""]) -> Int[Array, " prompt_places"]:
        """The sign of a fork."""
        del key
        return jnp.array([self.letters], jnp.int32)

    def grade(self, tokens: Int[Array, " places"]) -> Float[Array, ""]:
        """The logarithm (nats) of the source's probability of what is written after the prompt."""

        def read(state: TextState, token: Array) -> tuple[TextState, Array]:
            known = self.nats(state)[jnp.maximum(token, 0)]
            return TextState(state.tokens, state.time + 1), jnp.where(token < 0, 0.0, known)

        answer = self.answer(tokens)
        whole = jnp.concatenate([tokens[: self.prompt_places], answer])
        _, each = jax.lax.scan(read, TextState(whole, jnp.int32(0)), answer)
        return each.sum().astype(jnp.float32)

    def well_formed(self, state: TextState) -> Bool[Array, " symbols"]:
        """What the source can write."""
        return self.next_token(state) > 0

    def examples(self, key: Key[Array, ""], kind: str) -> Int[Array, " places"]:
        """A whole text from the source. Raises `UnknownNameError` for other kinds."""
        self.check_kind(kind)
        begin, write = jax.random.split(key)

        def add(state: TextState, now: Key[Array, ""]) -> tuple[TextState, None]:
            token = jax.random.categorical(now, jnp.log(self.next_token(state)))
            return self.advance(state, token, now), None

        keys = jax.random.split(write, self.answer_places)
        return jax.lax.scan(add, self.init(begin), keys)[0].tokens


@functools.cache
def _symbols(letters: int) -> tuple[str, ...]:
    return (*string.ascii_lowercase[:letters], "?", "calm", "wild", "end")
