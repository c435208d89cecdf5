"""A transformer that was trained here as a model of text: it reads, writes and is searched with.

Keys and values of what was read are kept, so that one more token costs one token (Pope et al. 2022,
"Efficiently scaling transformer inference"). Writing is one compiled program: the text is read once
for all its samples, and the loop ends when every row has stopped.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.contract.text_model import (
    COLDEST,
    Logits,
    Sampling,
    Stop,
    TextModel,
    Texts,
    Written,
    check_counts,
    check_logits,
    check_texts,
    picked_rows,
)
from ...core.errors import BatchMismatchError, ContextOverflowError, NonFiniteError, TokenizerError
from ...core.rows import padded_size
from .cache import Cache, append, pick, read
from .transformer import Transformer

NEVER = -2
"""A stop token that is none."""


class Read(NamedTuple):
    """The memory of a batch of texts: a cache, whose first `rows` rows are theirs."""

    cache: Cache
    rows: int


class LanguageModel(TextModel):
    """A `Transformer` as a `TextModel`.

    `flops_per_token` counts two for each multiply-add of one token where keys and values are kept
    and all places are looked at: an upper bound, as `flops` counts them (matrix products alone).
    Numbers of rows, places and tokens are filled up to few sizes, so that few programs are
    compiled. The ledger counts what each row asked for, not what it was filled up to.

    `end` is the token behind which it stops unless told otherwise, such as `task.end` of a task of
    text; None goes on until all tokens are written. All that is learned is the network, so that is
    what is kept and trained further: `save_network(folder, model.network, task)` writes it, and
    `fit_texts` shows how it is read again, trained on, and written with.
    """

    def __init__(
        self, network: Transformer, *, end: int | None = None, name: str = "transformer"
    ):  # fmt: skip
        self.network, self.name = network, name
        self.vocabulary = network.actions
        self.longest = network.observation_shape[0]
        self.flops_per_token = 2.0 * network.multiply_adds_a_token
        self.end = self.stop_token(end, "end")

    def __repr__(self) -> str:
        return f"LanguageModel({self.name}, {self.vocabulary} tokens, reads {self.longest})"

    def start(self, texts: Texts) -> tuple[Logits, Read]:
        """One pass over all texts; see `TextModel.start`. Raises `TokenizerError`, too."""
        rows, slots = len(texts), self.longest + 2
        logits, cache = _start(self.network, jnp.asarray(self._filled(texts)), slots)
        return self._sound(logits, np.arange(rows)), Read(cache, rows)

    def extend(self, memory: Read, tokens: Int[np.ndarray, " batch"]) -> tuple[Logits, Read]:
        """See `TextModel.extend`; the memory that was handed over stays usable."""
        tokens = np.asarray(tokens)
        if tokens.shape != (memory.rows,):
            raise BatchMismatchError(
                f"{memory.rows} texts were read, but tokens of shape {tokens.shape} are to follow: "
                "one for each text."
            )
        self._check_tokens(tokens)
        had = np.asarray(memory.cache.length)[: memory.rows]
        live = np.flatnonzero(tokens >= 0)
        if had[live].max(initial=0) >= self.longest:
            raise ContextOverflowError(
                f"{self!r} reads {self.longest} tokens, and a text has as many already: write "
                "fewer, or shorten the text."
            )
        row = np.full(len(memory.cache.length), -1, np.int32)
        row[: memory.rows] = tokens
        logits, cache = _extend(self.network, memory.cache, jnp.asarray(row))
        return self._sound(logits, np.arange(memory.rows), live), Read(cache, memory.rows)

    def pick(self, memory: Read, rows: Int[np.ndarray, " n"]) -> Read:
        """See `TextModel.pick`. A mask will do, too. Raises `IndexError`."""
        rows = picked_rows(memory.rows, rows)
        filled = np.zeros(padded_size(len(rows)), np.int32)
        filled[: len(rows)] = rows
        return Read(_pick(memory.cache, filled), len(rows))

    def gather(self, rows: Sequence[tuple[Read, int]]) -> Read | None:
        """See `TextModel.gather`: on the host, as the rows may come from as many caches."""
        caches = [jax.tree.leaves(memory.cache) for memory, _ in rows]
        if len({tuple(x.shape[1:] for x in leaves) for leaves in caches}) != 1:
            return None
        filled = padded_size(len(rows)) - len(rows)
        places = [row for _, row in rows] + [rows[0][1]] * filled
        caches += caches[:1] * filled
        leaves = [
            np.stack([np.asarray(x)[row] for x, row in zip(column, places, strict=True)])
            for column in zip(*caches, strict=True)
        ]
        return Read(jax.tree.unflatten(jax.tree.structure(rows[0][0].cache), leaves), len(rows))

    def write(
        self,
        texts: Texts,
        *,
        tokens: int,
        key: Key[Array, ""],
        samples: int = 1,
        stop: Stop = "end",
        sampling: Sampling = Sampling(),  # noqa: B008 - immutable
    ) -> Written:
        """See `TextModel.write`. How many `tokens` are written at most is data up to a power of
        two, and so are `stop` and the temperature above 0: a sweep of them compiles nothing anew.
        """
        check_texts(texts)
        stop = self.stop_token(stop)
        sampling.check()
        check_counts(tokens=tokens, samples=samples)
        texts = np.asarray(texts)
        if not len(texts):
            raise ValueError("Writing takes at least 1 text to write after; got none.")
        self.check_room(texts, tokens)
        rows = len(texts) * samples
        owners = np.zeros(padded_size(rows), np.int32)
        owners[:rows] = np.repeat(np.arange(len(texts)), samples)
        plan = Plan(_power(tokens), sampling.temperature == 0, sampling.top_k, sampling.top_p)
        limits = Limits(
            np.int32(tokens), np.int32(NEVER if stop is None else stop),
            np.float32(max(sampling.temperature, COLDEST)), np.int32(rows),
        )  # fmt: skip
        given = jnp.asarray(self._filled(texts)), jnp.asarray(owners)
        found = _write(self.network, *given, key, limits, plan)
        out, nats, broken = (np.asarray(x)[..., :rows] for x in found)
        if broken.any():
            raise NonFiniteError(
                f"{self!r} gave NaN or infinity as a logit in row {np.flatnonzero(broken)[0]}: its "
                "weights are broken, and nothing is drawn from it."
            )
        out = out[:tokens].T.astype(np.int64)
        return Written(out, nats.astype(float), self.cost(texts, out, samples))

    def _filled(self, texts: Texts) -> Int[np.ndarray, "filled width"]:
        """Texts of few shapes: further rows are empty, further places -1."""
        texts = np.asarray(texts)
        check_texts(texts)
        self._check_tokens(texts)
        most = int((texts >= 0).sum(1).max(initial=0))
        if most > self.longest:
            raise ContextOverflowError(
                f"{self!r} reads {self.longest} tokens, but a text has {most}: shorten it."
            )
        filled = np.full((padded_size(len(texts)), min(_power(most), self.longest)), -1, np.int32)
        filled[: len(texts), :most] = texts[:, :most]
        return filled

    def _check_tokens(self, tokens: Int[np.ndarray, "..."]) -> None:
        if not np.issubdtype(tokens.dtype, np.integer):
            raise TokenizerError(f"Tokens are whole numbers; these are {tokens.dtype}.")
        if tokens.size and tokens.max() >= self.vocabulary:
            raise TokenizerError(
                f"{self!r} has tokens 0 to {self.vocabulary - 1}, but a text has {tokens.max()}: "
                "the model was built for another vocabulary."
            )

    def _sound(
        self, logits: Array, rows: Int[np.ndarray, " n"], live: Int[np.ndarray, " m"] | None = None
    ) -> Logits:
        found = np.asarray(logits)[rows]
        check_logits(self, found if live is None else found[live])
        return found


class Plan(NamedTuple):
    """What a program that writes is compiled for."""

    room: int
    greedy: bool
    top_k: int | None
    top_p: float | None


class Limits(NamedTuple):
    """What it is given as data: tokens at most, the stop token, the temperature, rows in use."""

    tokens: Any
    stop: Any
    temperature: Any
    rows: Any


class _Writing(NamedTuple):
    """What the loop carries: at `place` stands the last token drawn, if the row was `going`."""

    place: Int[Array, ""]
    cache: Cache
    out: Int[Array, "new rows"]
    nats: Float[Array, " rows"]
    going: Bool[Array, " rows"]
    broken: Bool[Array, " rows"]


@eqx.filter_jit
def _write(
    network: Transformer, texts: Int[Array, "texts places"], owners: Int[Array, " rows"],
    key: Key[Array, ""], limits: Limits, plan: Plan,
) -> tuple[Int[Array, "new rows"], Float[Array, " rows"], Bool[Array, " rows"]]:  # fmt: skip
    """Tokens, the logarithms of their probabilities, and the rows that met a broken logit.

    Row i writes on after text `owners[i]`.
    """
    first, count = texts.shape[1] + 1, len(owners)
    # The token that is written last is not read.
    logits, cache = read(network, texts, first + plan.room - 1)

    def drawn(now: _Writing, logits: Float[Array, "rows vocabulary"]) -> _Writing:
        bad = _broken(logits) & now.going
        token, nats = _draw(logits, jax.random.fold_in(key, now.place), limits, plan)
        token = jnp.where(now.going, token, -1)
        return now._replace(
            out=jax.lax.dynamic_update_slice_in_dim(now.out, token[None], now.place, axis=0),
            nats=now.nats + jnp.where(now.going, nats, 0.0),
            going=now.going & (token != limits.stop) & ~bad,
            broken=now.broken | bad,
        )

    def step(now: _Writing) -> _Writing:
        tokens = jnp.where(now.going, now.out[now.place], -1)
        logits, cache = append(network, now.cache, tokens, first + now.place)
        return drawn(now._replace(place=now.place + 1, cache=cache), logits)

    start = _Writing(
        jnp.int32(0), pick(cache, owners), jnp.full((plan.room, count), -1, jnp.int32),
        jnp.zeros(count, jnp.float32), jnp.arange(count) < limits.rows, jnp.zeros(count, bool),
    )  # fmt: skip
    ended = jax.lax.while_loop(
        lambda now: now.going.any() & (now.place + 1 < limits.tokens),
        step,
        drawn(start, logits[owners]),
    )
    return ended.out, ended.nats, ended.broken


def _draw(
    logits: Float[Array, "rows vocabulary"], key: Key[Array, ""], limits: Limits, plan: Plan
) -> tuple[Int[Array, " rows"], Float[Array, " rows"]]:
    if plan.greedy:
        token = jnp.argmax(logits, -1).astype(jnp.int32)
        return token, jnp.zeros(len(token), jnp.float32)
    how = Sampling(1.0, plan.top_k, plan.top_p)
    logprobs = how.narrowed(logits, limits.temperature)
    token = jax.random.categorical(key, logprobs, axis=-1).astype(jnp.int32)
    return token, jnp.take_along_axis(logprobs, token[:, None], -1)[:, 0]


def _broken(logits: Float[Array, "rows vocabulary"]) -> Bool[Array, " rows"]:
    return jnp.any(jnp.isnan(logits) | (logits == jnp.inf), -1) | jnp.all(logits == -jnp.inf, -1)


def _power(n: int) -> int:
    """The next power of two, at least 8."""
    return max(8, 1 << max(n - 1, 0).bit_length())


_start = eqx.filter_jit(read)
_extend = eqx.filter_jit(append)
_pick = jax.jit(pick)
