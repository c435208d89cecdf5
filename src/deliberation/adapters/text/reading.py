"""A model of transformers read through its own forward pass, with its own cache.

Texts of different lengths stand right-aligned behind padding that is masked, so that one pass reads
all of them. What was read is never changed: a pass goes on with a copy of the cache, whose tensors
are shared until they grow.
"""

import abc
import copy
import inspect
from typing import Any, NamedTuple

import numpy as np

from ..policies.torch_modules import imported

_SLACK = 1e-3
"""Logits read in two ways differ at most by this share of the greatest; it is 1e-6 in float32."""


def same_logits(a: Any, b: Any) -> bool:
    """Whether two tensors of logits are the same but for rounding."""
    size = float(b.nan_to_num(0, 0, 0).abs().max()) or 1.0
    return bool(imported().allclose(a, b, rtol=0, atol=_SLACK * size, equal_nan=True))


class Reader(abc.ABC):
    """What reads texts; what was read has `lengths`, and stays as it is when a text goes on."""

    @abc.abstractmethod
    def read(self, texts: np.ndarray) -> tuple[Any, Any]:
        """The logits after each text, padded at the end with -1, and what was read."""

    @abc.abstractmethod
    def more(self, past: Any, tokens: np.ndarray, reach: int = 0) -> tuple[Any, Any]:
        """One more token for each row, none where it is -1; `reach` places are needed in all."""

    @abc.abstractmethod
    def pick(self, past: Any, rows: np.ndarray) -> Any:
        """The rows of these numbers."""


class Past(NamedTuple):
    """What was read: the model's own cache, which of its places count, and the texts themselves.

    `left_out` are rows that were passed over: in their middle stands padding.
    """

    cache: Any
    mask: Any
    texts: np.ndarray
    left_out: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens read, a row each."""
        return (self.texts >= 0).sum(1)


class ForwardReader(Reader):
    """Any causal language model of transformers."""

    def __init__(self, module: Any):
        self.module = module
        takes = inspect.signature(module.forward).parameters
        self.word = "cache" if "cache" in takes else "past_key_values"
        self.placed = "position_ids" in takes
        self.last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        config = module.config
        windowed = getattr(config, "sliding_window", None) or getattr(config, "layer_types", None)
        # With padding in its middle a text is read right only where places are told, and where
        # attention reaches back to all of it.
        self.gaps = self.placed and not windowed

    def read(self, texts: np.ndarray) -> tuple[Any, Past]:
        """The logits after each text, padded at the end with -1, and what was read."""
        torch = imported()
        lengths = (texts >= 0).sum(1)
        width = int(lengths.max())
        ids = np.zeros((len(texts), width), np.int64)
        for row, length in enumerate(lengths):
            ids[row, width - length :] = texts[row, :length]
        mask = torch.from_numpy((np.arange(width) >= width - lengths[:, None]).astype(np.int64))
        logits, cache = self._passed(torch.from_numpy(ids), mask, None)
        return logits, Past(cache, mask, texts[:, :width], np.zeros(len(texts), bool))

    def more(self, past: Past, tokens: np.ndarray, reach: int = 0) -> tuple[Any, Past]:
        """One more token for each row, none where it is -1."""
        torch = imported()
        live = tokens >= 0
        texts = np.pad(past.texts, ((0, 0), (0, 1)), constant_values=-1)
        texts[np.arange(len(texts)), past.lengths] = np.where(live, tokens, -1)
        texts = texts[:, : (texts >= 0).sum(1).max()]
        if past.cache is None or ((live & past.left_out).any() and not self.gaps):
            return self.read(texts)
        ids = torch.from_numpy(np.where(live, tokens, 0)[:, None])
        mask = torch.cat([past.mask, torch.from_numpy(live.astype(np.int64)[:, None])], 1)
        logits, cache = self._passed(ids, mask, _shared(past.cache))
        return logits, Past(cache, mask, texts, past.left_out | ~live)

    def pick(self, past: Past, rows: np.ndarray) -> Past:
        """The rows of these numbers."""
        chosen, cache = imported().from_numpy(np.asarray(rows, np.int64)), None
        if past.cache is not None:
            cache = _shared(past.cache)
            cache.batch_select_indices(chosen)
        return Past(cache, past.mask[chosen], past.texts[rows], past.left_out[rows])

    def _passed(self, ids: Any, mask: Any, cache: Any) -> tuple[Any, Any]:
        options: dict[str, Any] = {self.word: cache, **self.last_only}
        if self.placed:
            places = (mask.cumsum(-1) - 1).clamp(min=0)
            options["position_ids"] = places[:, -ids.shape[1] :]
        found = self.module(input_ids=ids, attention_mask=mask, use_cache=True, **options)
        kept = getattr(found, self.word, None)
        usable = kept if hasattr(kept, "batch_select_indices") else None
        return found.logits[:, -1].float(), usable


def _shared(cache: Any) -> Any:
    """A cache that goes on by itself; layers that only ever make new tensors share the old ones."""
    layers = getattr(cache, "layers", ())
    if not layers or any(type(layer).__name__ != "DynamicLayer" for layer in layers):
        return copy.deepcopy(cache)
    again = copy.copy(cache)
    again.layers = [copy.copy(layer) for layer in layers]
    return again
