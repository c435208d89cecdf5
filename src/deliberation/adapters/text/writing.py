"""Writing with a model of transformers: every step in PyTorch, draws from numbers made ahead."""

from typing import Any

import numpy as np

from ...core.contract import Sampling
from ..policies.torch_modules import imported
from .reading import Reader


def write(
    reader: Reader,
    texts: np.ndarray,
    seed: np.ndarray,
    *,
    tokens: int,
    how: Sampling,
    stop: int | None,
    samples: int,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """The tokens after each text (-1 after the end), their log-probabilities, and whether any
    logits that they were drawn from were broken.

    Rows that have ended are carried along and count for nothing: all then stand at one place,
    which is faster than to mask. Where most have ended, the others go on without them.
    """
    torch = imported()
    rows = len(texts) * samples
    out = np.full((rows, tokens), -1, np.int64)
    total, broken = np.zeros(rows), False
    if not tokens or not rows:
        return out, total, broken
    draws = np.random.Generator(np.random.Philox(seed=None, key=_word(seed)))
    uniform = torch.from_numpy(draws.random((rows, tokens)))
    reach = int((texts >= 0).sum(1).max()) + tokens
    logits, memory = reader.read(texts)
    live = np.arange(rows)
    if samples > 1:
        source = live // samples
        logits, memory = logits[torch.from_numpy(source)], reader.pick(memory, source)
    going = np.ones(rows, bool)
    for place in range(tokens):
        drawn, nats, bad = _drawn(logits, uniform[live, place], how)
        new = drawn.numpy()
        out[live[going], place] = new[going]
        if nats is not None:
            total[live[going]] += nats.numpy()[going]
        broken |= bool((bad.numpy() & going).any())
        if stop is not None:
            going = going & (new != stop)
        if place == tokens - 1 or broken or not going.any():
            break
        if 2 * going.sum() < len(going):
            kept = np.flatnonzero(going)
            memory, new, live = reader.pick(memory, kept), new[kept], live[kept]
            going = going[kept]
        logits, memory = reader.more(memory, new, reach)
    return out, total, broken


def _word(seed: np.ndarray) -> int:
    """The words of a random key as one number."""
    return sum(int(word) << (32 * place) for place, word in enumerate(seed.ravel()[:4]))


def _drawn(logits: Any, uniform: Any, how: Sampling) -> tuple[Any, Any, Any]:
    """A token for each row, the logarithm of its probability (None where it is certain), and
    which rows have no distribution.
    """
    torch = imported()
    greatest, first = logits.max(-1)
    bad = ~torch.isfinite(greatest)
    if how.temperature == 0:
        return first, None, bad
    logprobs = _narrowed(logits.double(), how)
    sums = logprobs.exp().cumsum(-1)
    at = torch.searchsorted(sums, uniform[:, None] * sums[:, -1:], right=True)
    at = at.clamp(max=logits.shape[1] - 1)
    return at[:, 0], logprobs.gather(-1, at)[:, 0], bad


def _narrowed(logits: Any, how: Sampling) -> Any:
    """`Sampling.narrowed`, of tensors."""
    torch = imported()
    scaled = logits / how.temperature
    if how.top_k is not None and how.top_k < scaled.shape[-1]:
        least = scaled.topk(how.top_k, -1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < least, -torch.inf)
    if how.top_p is not None and how.top_p < 1:
        shares = scaled.softmax(-1)
        falling = shares.sort(-1, descending=True).values
        before = falling.cumsum(-1) - falling
        least = falling.masked_fill(before >= how.top_p, torch.inf).amin(-1, keepdim=True)
        scaled = scaled.masked_fill(shares < least, -torch.inf)
    return scaled.log_softmax(-1)
