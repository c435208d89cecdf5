"""Writing with a model of transformers: every step in PyTorch, draws from numbers made ahead."""

from typing import Any, NamedTuple

import numpy as np

from ...core.contract import Sampling
from ..policies.torch_modules import imported
from .reading import Reader


class Drawn(NamedTuple):
    """A token for each row, the logarithm of its probability (None where it is certain), and which
    rows have no distribution.
    """

    token: np.ndarray
    nats: np.ndarray | None
    bad: np.ndarray


def uniforms(seed: np.ndarray, rows: int, tokens: int) -> np.ndarray:
    """The numbers that tokens are drawn with, from the words of a random key."""
    draws = np.random.Generator(np.random.Philox(seed=None, key=_word(seed)))
    return draws.random((rows, tokens))


def write(
    reader: Reader,
    texts: np.ndarray,
    uniform: np.ndarray,
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
    reach = int((texts >= 0).sum(1).max()) + tokens
    logits, memory = reader.read(texts)
    live = np.arange(rows)
    if samples > 1:
        source = live // samples
        logits, memory = logits[torch.from_numpy(source)], reader.pick(memory, source)
    going = np.ones(rows, bool)
    for place in range(tokens):
        new, nats, bad = drawn(logits, uniform[live, place], how)
        out[live[going], place] = new[going]
        if nats is not None:
            total[live[going]] += nats[going]
        broken |= bool((bad & going).any())
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


def drawn(logits: Any, uniform: np.ndarray, how: Sampling) -> Drawn:
    """Tokens by logits, a tensor, and a number from [0, 1) for each row."""
    torch = imported()
    greatest, first = logits.max(-1)
    bad = ~torch.isfinite(greatest)
    if how.temperature == 0:
        return Drawn(first.numpy(), None, bad.numpy())
    logprobs = _narrowed(logits.double(), how)
    sums = logprobs.exp().cumsum(-1)
    wanted = torch.from_numpy(uniform)[:, None] * sums[:, -1:]
    at = torch.searchsorted(sums, wanted, right=True).clamp(max=logits.shape[1] - 1)
    return Drawn(at[:, 0].numpy(), logprobs.gather(-1, at)[:, 0].numpy(), bad.numpy())


def _narrowed(logits: Any, how: Sampling) -> Any:
    """`Sampling.narrowed`, of tensors."""
    torch = imported()
    # From the likeliest on, so that no temperature however low leads beyond what numbers hold.
    scaled = (logits - logits.amax(-1, keepdim=True)) / how.temperature
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
