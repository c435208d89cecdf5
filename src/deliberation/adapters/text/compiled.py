"""Writing with GPT-2 and Llama by programs that JAX compiles: many tokens in one call.

A program is compiled for a number of rows and one of slots, both filled up to few sizes; the length
of the prompts, how many tokens are asked for, the stop token and the temperature are data. Where
the slots are full the next larger program goes on, so that attention passes over few empty ones.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.cache import keep_programs
from ...core.contract import Sampling
from ...core.rows import padded_size
from ..policies.torch_modules import imported
from .passes import Kept, append, read
from .reading import Reader, same_logits
from .weights import Form, Weights, versions, weights_of
from .writing import Drawn, drawn

LARGEST = 1 << 27
"""Weights beyond which a network is not copied."""
_SORTED = 1024
"""Tokens beyond which PyTorch is the faster to find the likeliest of them (`top_k`, `top_p`)."""
_LEAST_SLOTS = 32
_PROVED = 8
"""Rows whose last logits are held against PyTorch's when a program is used for the first time."""
_NEVER = -2
"""A stop token that is none."""


class Compiled:
    """The writing of one network: `proved` once its logits were those of PyTorch, `failed` once
    they were others.
    """

    def __init__(self, module: Any, reader: Reader):
        self.module, self.reader = module, reader
        self.failed = sum(x.numel() for x in module.parameters()) > LARGEST
        self._made: tuple[Weights, Form] | None = None
        self._versions: Any = None
        self.proved = False

    def write(
        self, texts: np.ndarray, uniform: np.ndarray, *, tokens: int, how: Sampling,
        stop: int | None, samples: int,
    ) -> tuple[np.ndarray, np.ndarray, bool] | None:  # fmt: skip
        """As `writing.write`; None where PyTorch has to do it.

        `uniform` are the numbers to draw with, a row each and a column for each token.
        """
        narrowed = how.temperature > 0 and (how.top_k is not None or (how.top_p or 1) < 1)
        made = self._network()
        if made is None or (narrowed and made[0].head.bias.shape[0] > _SORTED):
            return None
        work = _Work(*made, texts, uniform, how, _NEVER if stop is None else stop, samples)
        logits = work.run(tokens)
        if logits is None or not (self.proved or self._same(work, logits)):
            return None  # what is broken is for PyTorch to tell
        self.proved |= logits.count > 0
        return work.out, work.nats, False

    def _network(self) -> tuple[Weights, Form] | None:
        """The weights as they are now."""
        now = versions(self.module)
        if not self.failed and now != self._versions:
            keep_programs()
            try:
                self._made = weights_of(self.module)
            except (AttributeError, RuntimeError, TypeError, ValueError):
                self._made = None  # one of the name that is built otherwise; or JAX has no CPU
            self.failed = self._made is None
            self._versions, self.proved = now, False
        return None if self.failed else self._made

    def _same(self, work: "_Work", logits: "_Last") -> bool:
        """Whether PyTorch, reading all that was read, gives the same logits in the end."""
        rows = logits.rows[:_PROVED]
        texts = [
            np.concatenate([text[text >= 0], work.out[row, : logits.count]])
            for row, text in zip(rows, work.texts[rows // work.samples], strict=True)
        ]
        full = np.full((len(texts), max(map(len, texts))), -1, np.int64)
        for row, text in zip(full, texts, strict=True):
            row[: len(text)] = text
        told, _ = self.reader.read(full)
        found = imported().from_numpy(np.array(logits.logits[:_PROVED]))
        self.failed = not same_logits(found, told)
        return not self.failed


class _Last(NamedTuple):
    """The last logits of rows that were being written, each after so many tokens."""

    rows: np.ndarray
    count: int
    logits: np.ndarray


class _Work:
    """One call of `write`: the tokens so far, and which rows go on."""

    def __init__(
        self, weights: Weights, form: Form, texts: np.ndarray, uniform: np.ndarray,
        how: Sampling, stop: int, samples: int,
    ):  # fmt: skip
        self.weights, self.form, self.how, self.stop = weights, form, how, stop
        self.texts, self.uniform, self.samples = texts, uniform, samples
        self.lengths = np.repeat((texts >= 0).sum(1), samples)
        self.out = np.full(uniform.shape, -1, np.int64)
        self.nats = np.zeros(len(uniform))

    def run(self, tokens: int) -> _Last | None:
        """Write; None where logits were broken."""
        filled = _filled(self.texts)
        logits, kept = _read(self.weights, filled, form=self.form)
        live = np.arange(len(self.uniform))
        source = live // self.samples
        said = np.asarray(logits)[source]
        begun = drawn(imported().from_numpy(said), self.uniform[:, 0], self.how)
        going = self._take(begun)
        last = _Last(live, 0, said)
        first = slot = int(self.lengths.max())
        until = first + tokens - 1  # the token that is written last is not read
        if begun.bad.any():
            return None
        while slot < until and going.any():
            if 4 * going.sum() <= len(live):
                source, live, going = source[going], live[going], going[going]
            kept, found = self._go_on(kept, source, live, going, (first, slot, until))
            count, rows = int(found.slot) - slot, len(live)
            place = slot - first + 1
            self.out[live, place : place + count] = np.asarray(found.out)[:count, :rows].T
            self.nats[live] += np.asarray(found.nats)[:rows]
            if np.asarray(found.broken)[:rows].any():
                return None
            were = self.out[live, place + count - 1] >= 0
            last = _Last(live[were], place + count - 1, np.asarray(found.logits)[:rows][were])
            going, source, slot = np.asarray(found.going)[:rows], np.arange(rows), int(found.slot)
        return last

    def _take(self, begun: Drawn) -> np.ndarray:
        """Keep the first tokens; which rows go on after them."""
        self.out[:, 0] = begun.token
        if begun.nats is not None:
            self.nats += begun.nats
        return self.out[:, 0] != self.stop

    def _go_on(
        self, kept: Kept, source: np.ndarray, live: np.ndarray, going: np.ndarray,
        slots: tuple[int, int, int],
    ) -> tuple[Kept, "_Now"]:  # fmt: skip
        """Rows of what is kept, written on up to its next size."""
        first, slot, until = slots
        rows, size = padded_size(len(live)), _slots(min(until, 2 * slot))
        at = _padded(source, rows).astype(np.int32)
        same = rows == len(kept.keys[0]) and (source == np.arange(len(source))).all()
        kept = _moved(kept, None if same else at, slots=size)
        place, steps = slot - first, min(until, size) - slot
        uniform = np.zeros((size, rows), np.float32)
        uniform[:steps, : len(live)] = self.uniform[live, place + 1 : place + 1 + steps].T
        now = _Now(
            np.int32(slot), _padded(self.out[live, place], rows).astype(np.int32),
            _padded(going, rows),
            np.zeros(rows, np.float32), np.zeros(rows, bool),
            np.full((size, rows), -1, np.int32),
            np.zeros((rows, self.weights.words.shape[0]), np.float32),
        )  # fmt: skip
        limits = _Limits(
            np.int32(first), np.int32(slot), np.int32(slot + steps), np.int32(self.stop),
            np.float32(self.how.temperature or 1.0),
            _padded(self.lengths[live], rows).astype(np.int32),
        )  # fmt: skip
        how = self.how._replace(temperature=1.0) if self.how.temperature else Sampling(0.0)
        return _written(self.weights, kept, now, limits, uniform, form=self.form, how=how)


class _Limits(NamedTuple):
    """What a program is given as data: slots that rows begin at, this call begins and ends at."""

    first: Any
    begun: Any
    until: Any
    stop: Any
    temperature: Any
    lengths: Any


class _Now(NamedTuple):
    """What the loop carries: `token` is to be read at `slot`; `out` has a row for each slot from
    the first of this call, `logits` are the latest, and the others are a row's own.
    """

    slot: Any
    token: Any
    going: Any
    nats: Any
    broken: Any
    out: Any
    logits: Any


@functools.partial(jax.jit, static_argnames=("form", "how"), donate_argnames="kept")
def _written(
    weights: Weights, kept: Kept, now: _Now, limits: _Limits, uniform: Float[Array, "new rows"],
    *, form: Form, how: Sampling,
) -> tuple[Kept, _Now]:  # fmt: skip
    """Write until the slots are full, `limits.until` is reached, or every row has stopped."""
    slots = jnp.arange(len(now.out))
    before = slots < limits.lengths[:, None]

    def step(held: tuple[Kept, _Now]) -> tuple[Kept, _Now]:
        kept, now = held
        place = now.slot - limits.first
        seen = before | ((slots >= limits.first) & (slots <= now.slot))
        logits, kept = append(
            weights, form, kept, now.token, limits.lengths + place, now.slot, seen
        )
        at = now.slot - limits.begun
        token, nats, bad = _draw(logits / limits.temperature, uniform[at], how)
        token = jnp.where(now.going, token, -1)
        return kept, _Now(
            now.slot + 1, token,
            now.going & (token != limits.stop) & ~bad,
            now.nats + jnp.where(now.going, nats, 0.0),
            now.broken | (bad & now.going),
            jax.lax.dynamic_update_slice_in_dim(now.out, token[None], at, axis=0),
            logits,
        )  # fmt: skip

    def more(held: tuple[Kept, _Now]) -> Array:
        return held[1].going.any() & (held[1].slot < limits.until)

    return jax.lax.while_loop(more, step, (kept, now))


def _draw(
    logits: Float[Array, "rows vocabulary"], uniform: Float[Array, " rows"], how: Sampling
) -> tuple[Int[Array, " rows"], Float[Array, " rows"], Bool[Array, " rows"]]:
    """The token of each row where its probabilities, added up, pass its number."""
    numbers = jnp.arange(logits.shape[-1], dtype=jnp.int32)
    greatest = logits.max(-1, keepdims=True)
    bad = ~jnp.isfinite(greatest[:, 0])
    if how.temperature == 0:
        token = jnp.where(logits == greatest, numbers, len(numbers) - 1).min(-1)
        return token, jnp.zeros(len(token), jnp.float32), bad
    logprobs = how.narrowed(logits)
    sums = jnp.cumsum(jnp.exp(logprobs), -1)
    # Sums in another order need not rise: what cannot be drawn is left out by itself.
    possible = logprobs > -jnp.inf
    passed = possible & (sums > uniform[:, None] * sums[:, -1:])
    final = jnp.where(possible, numbers, 0).max(-1, keepdims=True)
    token = jnp.where(passed, numbers, final).min(-1)
    return token, jnp.take_along_axis(logprobs, token[:, None], -1)[:, 0], bad


@functools.partial(jax.jit, static_argnames="slots")
def _moved(kept: Kept, rows: Int[Array, " n"] | None, *, slots: int) -> Kept:
    """These rows (None: all as they are), with so many slots."""

    def one(x: Array, axis: int) -> Array:
        x = jax.lax.slice_in_dim(x, 0, min(slots, x.shape[axis]), axis=axis)
        x = x if rows is None else x[rows]
        return jnp.pad(x, [(0, (slots - x.shape[axis]) * (i == axis)) for i in range(4)])

    return Kept(tuple(one(x, 3) for x in kept.keys), tuple(one(x, 2) for x in kept.values))


@functools.partial(jax.jit, static_argnames="form")
def _read(weights: Weights, texts: Array, *, form: Form) -> tuple[Array, Kept]:
    return read(weights, form, texts)


def _slots(needed: int) -> int:
    """The next power of two, or three quarters of it, that is enough."""
    power = max(_LEAST_SLOTS, 1 << max(needed - 1, 0).bit_length())
    return power * 3 // 4 if power > _LEAST_SLOTS and needed <= power * 3 // 4 else power


def _filled(texts: np.ndarray) -> np.ndarray:
    """Texts of few shapes."""
    width = int((texts >= 0).sum(1).max())
    size = _slots(width) if width > _LEAST_SLOTS // 2 else max(8, 1 << (width - 1).bit_length())
    filled = np.full((padded_size(len(texts)), size), -1, np.int32)
    filled[:, 0] = 0
    filled[: len(texts), :width] = texts[:, :width]
    return filled


def _padded(x: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(x, (0, rows - len(x)))
