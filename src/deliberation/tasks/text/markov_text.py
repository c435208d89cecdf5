"""Text from a source that is known exactly: what a model of it can know at best is a formula.

A Markov chain over a few tokens (Shannon 1948, sections 2 to 7). Its entropy rate is the least
cross-entropy that any predictor can reach, so what a learned one loses is exact. The text is either
guessed or written: then the reward is what a perfect predictor would not be surprised by, and who
plans for that writes predictable text, which the source itself does not.
"""

import functools
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.picture import letters
from ...core.task import Traits
from ..bases import SoloObjective, SoloTask, check_seed, check_sizes
from ..chance import draw
from .base import TextState

TASKS = {
    "markov_text": {
        "summary": "Guess or write the next token; options vocabulary, order, length, writes, seed",
        "factory": "MarkovText",
        "options": {"vocabulary": 6, "order": 2, "length": 16, "writes": False, "seed": 0},
    },
    "two_state_text": {
        "summary": "Guess or write the next of two tokens of a known chain; options table, length, "
        "writes",
        "factory": "MarkovText",
        "options": {
            "vocabulary": 2,
            "order": 1,
            "length": 16,
            "writes": False,
            "table": ((0.5, 0.5), (0.8, 0.2)),
        },
    },
}

_LONGEST, _HIGHEST = 100_000, 12
_CONCENTRATION = 0.3
_FLOOR = 0.05
"""This share of every row is uniform, so that no token is impossible."""


class _Known(SoloObjective):
    """An objective whose optimum is known in every state, as the best of a kind of use of text."""

    text: "MarkovText"
    use: eqx.AbstractClassVar[str]

    def heuristic(self, state: TextState) -> Float[Array, ""]:
        """The optimum itself."""
        return self.optimum(state)

    def optimum(self, state: TextState) -> Float[Array, ""]:
        """By backward induction from the end (for the likeliest text that of Viterbi 1967)."""
        return self.text.worth(self.use, state)


class RightGuesses(_Known):
    """One for every token that is guessed; at best the likeliest is said every time."""

    use: ClassVar[str] = "guess"

    def reward(
        self, state: TextState, action: Int[Array, ""], after: TextState
    ) -> Float[Array, ""]:
        """Whether the token that came is the one that was said."""
        came = after.tokens[self.text.order + state.time]
        return (came == action).astype(jnp.float32)

    @property
    def bounds(self) -> tuple[float, float]:
        """None to all."""
        return (0.0, float(self.text.length))


class Predictable(_Known):
    """The logarithm (nats) of the source's probability of every token written.

    Minus the loss, on the text one writes, of a predictor that knows the source; at best the
    likeliest continuation is written.
    """

    use: ClassVar[str] = "write"

    def reward(
        self, state: TextState, action: Int[Array, ""], after: TextState
    ) -> Float[Array, ""]:
        """log p(token | the tokens before it)."""
        came = after.tokens[self.text.order + state.time]
        return jnp.log(self.text.next_token(state))[came]

    @property
    def bounds(self) -> tuple[float, float]:
        """From the least likely token every time to no surprise."""
        least = np.log(_source(*self.text.source)[0].min())
        return (float(self.text.length * least) - 1e-3, 0.0)


class MarkovText(SoloTask):
    """Action a says that token a comes next; with `writes` it makes it so.

    Tokens are drawn given the `order` before them, from `table` (a row of probabilities above 0 for
    each context, the latest token in its last place), or one drawn once from `seed`; the first
    `order` are drawn from the stationary distribution, so text is as if from the middle. `length`
    tokens follow. An observation is the tokens as numbers, -1 where nothing is written yet.
    """

    vocabulary: int = eqx.field(static=True, default=6)
    order: int = eqx.field(static=True, default=2)
    length: int = eqx.field(static=True, default=16)
    writes: bool = eqx.field(static=True, default=False)
    seed: int = eqx.field(static=True, default=0)
    table: Any = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        if min(self.vocabulary - 1, self.order, self.length) < 1:
            raise ValueError(
                "Text needs at least 2 tokens, an order and a length of at least 1; got "
                f"vocabulary={self.vocabulary}, order={self.order}, length={self.length}."
            )
        check_seed("Text", self.seed)
        check_sizes("Text", _LONGEST, length=self.length)
        check_sizes("Text", _HIGHEST, order=self.order)
        if self.vocabulary**self.order > 4096:
            raise ValueError(
                f"The source would have {self.vocabulary}^{self.order} contexts; keep to 4096."
            )
        if self.table is not None:
            _check_table(self.table, self.vocabulary**self.order, self.vocabulary)

    @property
    def traits(self) -> Traits:
        """One player; the next token is chance, unless one writes it."""
        return Traits(
            players=1,
            actions=self.vocabulary,
            horizon=self.length,
            deterministic=self.writes,
            outcomes=0 if self.writes else self.vocabulary,
        )

    @property
    def objective(self) -> Objective:
        """Guess right; or write what is predictable."""
        return Predictable(self) if self.writes else RightGuesses(self)

    @property
    def source(self) -> tuple[int, int, int, tuple[tuple[float, ...], ...] | None]:
        """What the source is made from: tokens, order, seed and table."""
        return self.vocabulary, self.order, self.seed, self.table

    @property
    def unigram_entropy(self) -> float:
        """Nats of a token by itself: the least loss of a predictor that looks at none before."""
        table, stationary = _source(*self.source)
        alone = stationary @ table
        return float(-(alone * np.log(alone)).sum())

    @property
    def entropy_rate(self) -> float:
        """Nats a token: the least mean cross-entropy that a predictor can have."""
        table, stationary = _source(*self.source)
        return float(-(stationary[:, None] * table * np.log(table)).sum())

    def next_token(self, state: TextState) -> Float[Array, " vocabulary"]:
        """How probable each token is to come next, by the source."""
        return jnp.asarray(_source(*self.source)[0], jnp.float32)[self._context(state)]

    def worth(self, kind: str, state: TextState) -> Float[Array, ""]:
        """The best expected return from a state on, of guessing ("guess") or writing ("write")."""
        table = jnp.asarray(_optima(self.source, self.length, kind))
        return table[state.time, self._context(state)]

    def text(self, key: Key[Array, ""]) -> Int[Array, " places"]:
        """A whole text from the source: `order` + `length` tokens."""
        first, rest = jax.random.split(key)

        def add(state: TextState, now: Key[Array, ""]) -> tuple[TextState, None]:
            return self._added(state, draw(now, self.next_token(state))), None

        return jax.lax.scan(add, self.init(first), jax.random.split(rest, self.length))[0].tokens

    def _context(self, state: TextState) -> Int[Array, ""]:
        """The last `order` tokens as one number, the latest in the last place."""
        last = jax.lax.dynamic_slice(state.tokens, (state.time,), (self.order,))
        return last @ (self.vocabulary ** jnp.arange(self.order - 1, -1, -1))

    def _added(self, state: TextState, token: Int[Array, ""]) -> TextState:
        place = self.order + state.time
        return TextState(state.tokens.at[place].set(token.astype(jnp.int32)), state.time + 1)

    def init(self, key: Key[Array, ""]) -> TextState:
        """The first tokens, from the stationary distribution."""
        context = draw(key, jnp.asarray(_source(*self.source)[1], jnp.float32))
        places = self.vocabulary ** jnp.arange(self.order - 1, -1, -1)
        first = (context // places % self.vocabulary).astype(jnp.int32)
        rest = jnp.full(self.length, -1, jnp.int32)
        return TextState(jnp.concatenate([first, rest]), jnp.int32(0))

    def advance(self, state: TextState, action: Int[Array, ""], key: Key[Array, ""]) -> TextState:
        """The next token comes from the source, whatever was guessed; or is written."""
        return self._added(state, action if self.writes else draw(key, self.next_token(state)))

    def outcomes(
        self, state: TextState, action: Int[Array, ""]
    ) -> tuple[TextState, Float[Array, " outcomes"]]:
        """Every token may come."""
        if self.writes:
            return super().outcomes(state, action)
        tokens = jnp.arange(self.vocabulary)
        return jax.vmap(self._added, (None, 0))(state, tokens), self.next_token(state)

    def observe(self, state: TextState) -> Float[Array, " places"]:
        """The tokens."""
        return state.tokens.astype(jnp.float32)

    def terminated(self, state: TextState) -> Bool[Array, ""]:
        """Once the text is long enough."""
        return state.time >= self.length

    def __repr__(self) -> str:
        how = "writes" if self.writes else "guesses"
        source = f"seed={self.seed}" if self.table is None else f"table={self.table}"
        size = f"vocabulary={self.vocabulary}, order={self.order}, length={self.length}"
        return f"MarkovText({how}, {size}, {source})"

    @property
    def action_names(self) -> tuple[str, ...]:
        """Tokens as letters; as numbers where there are too many for one or two letters each."""
        many = self.vocabulary > len(letters(self.vocabulary))
        tokens = tuple(f"token-{t}" for t in range(self.vocabulary))
        return tokens if many else letters(self.vocabulary)

    def table_seen(self, state: TextState) -> tuple[tuple[str, str], ...]:
        """The tokens so far, and how many are to come."""
        tokens = [t for t in np.asarray(state.tokens).tolist() if t >= 0]
        left = f"{self.length - int(state.time)} of {self.length} tokens"
        return (("text so far", " ".join(self.action_names[t] for t in tokens)), ("to come", left))

    def render(self, state: TextState) -> str:
        """Tokens as letters, dots where nothing is written."""
        return "".join(chr(97 + t) if t >= 0 else "." for t in np.asarray(state.tokens).tolist())


def _check_table(table: Any, contexts: int, vocabulary: int) -> None:
    """Refuse what is no table of conditional probabilities, all above 0, one row a context."""
    shape = (contexts, vocabulary)
    try:
        rows = np.array(table, float)
        fits = rows.shape == shape and bool((rows > 0).all() and np.allclose(rows.sum(1), 1))
        hash(table)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            f"The table of a source is a tuple of {contexts} tuples of {vocabulary} probabilities "
            f"above 0 that sum to 1 (vocabulary={vocabulary}, contexts by order); got "
            f"table={str(table)[:60]}."
        )


@functools.cache
def _source(
    vocabulary: int, order: int, seed: int, given: tuple[tuple[float, ...], ...] | None
) -> tuple[Float[np.ndarray, "contexts vocabulary"], Float[np.ndarray, " contexts"]]:
    """The table of conditional probabilities, and how often each context occurs."""
    contexts = vocabulary**order
    rows = np.random.default_rng(seed).dirichlet([_CONCENTRATION] * vocabulary, contexts)
    table = (1 - _FLOOR) * rows + _FLOOR / vocabulary if given is None else np.array(given, float)
    after = _after(vocabulary, order)
    moves = np.zeros((contexts, contexts))
    np.add.at(moves, (np.arange(contexts)[:, None], after), table)
    system = np.vstack([moves.T - np.eye(contexts), np.ones(contexts)])
    stationary = np.linalg.lstsq(system, np.append(np.zeros(contexts), 1.0), rcond=None)[0]
    return table, np.clip(stationary, 0.0, None)


def _after(vocabulary: int, order: int) -> Int[np.ndarray, "contexts vocabulary"]:
    """The context after each token."""
    contexts = vocabulary**order
    return np.arange(contexts)[:, None] % (contexts // vocabulary) * vocabulary + np.arange(
        vocabulary
    )


@functools.cache
def _optima(
    source: tuple[int, int, int, tuple[tuple[float, ...], ...] | None], length: int, kind: str
) -> Float[np.ndarray, "times contexts"]:
    """The best expected return by time and context, backwards from the end."""
    table, after = _source(*source)[0], _after(*source[:2])
    best = np.zeros((length + 1, len(table)))
    for time in reversed(range(length)):
        then = best[time + 1][after]
        if kind == "guess":
            best[time] = table.max(1) + (table * then).sum(1)
        else:
            best[time] = (np.log(table) + then).max(1)
    return best.astype(np.float32)
