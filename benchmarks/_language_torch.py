"""The same transformer in plain PyTorch, for language_models.py: trained and written with a cache.

What a careful user of PyTorch would write by hand (fused queries, keys and values,
`scaled_dot_product_attention`, AdamW, `inference_mode`, a cache of fixed size): the architecture,
sizes and batches of ours.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as fun
from torch import nn

Cache = list[tuple[torch.Tensor, torch.Tensor]]
EPS = 1e-6


class Block(nn.Module):
    """Causal self-attention and two layers of GELU units, each added to what came in."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.look, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.first, self.second = nn.RMSNorm(width, EPS), nn.RMSNorm(width, EPS)

    def forward(self, x: torch.Tensor, kept: Any = None, at: int = 0) -> torch.Tensor:
        """All places at once, or places from `at` on that look at what is `kept` as well."""
        batch, places, width = x.shape
        split = self.look(self.first(x)).view(batch, places, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        if kept is not None:
            for old, new in zip(kept, (key, value), strict=True):
                old[:, :, at : at + places] = new
            key, value = (old[:, :, : at + places] for old in kept)
        causal = places > 1
        mixed = fun.scaled_dot_product_attention(query, key, value, is_causal=causal)
        x = x + self.merge(mixed.transpose(1, 2).reshape(batch, places, width))
        return x + self.narrow(fun.gelu(self.widen(self.second(x)), approximate="tanh"))


class Plain(nn.Module):
    """Tokens in, the beginning first; logits of the next one at every place out."""

    def __init__(self, length: int, vocabulary: int, width: int, depth: int, heads: int):
        super().__init__()
        self.begin, self.heads = vocabulary, heads
        self.tokens = nn.Embedding(vocabulary + 1, width)
        self.places = nn.Parameter(0.5 * torch.randn(length + 1, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.policy = nn.RMSNorm(width, EPS), nn.Linear(width, vocabulary)

    def forward(self, tokens: torch.Tensor, kept: Cache | None = None, at: int = 0) -> torch.Tensor:
        """Logits after each of these tokens, the first of which stands at place `at`."""
        x = self.tokens(tokens) + self.places[at : at + tokens.shape[1]]
        for i, block in enumerate(self.blocks):
            x = block(x, None if kept is None else kept[i], at)
        return self.policy(self.norm(x))

    def begun(self, texts: torch.Tensor) -> torch.Tensor:
        """The same texts behind the symbol that stands for the beginning."""
        return torch.cat([torch.full((len(texts), 1), self.begin), texts], 1)


def put(into: torch.Tensor, array: Any) -> None:
    """Copy numbers."""
    into.copy_(torch.as_tensor(np.array(array)))


class Contestant:
    """What the benchmark asks of every implementation: some steps of training, some writing."""

    def __init__(self, sizes: dict[str, int], threads: int):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.model = Plain(**sizes)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), 1e-3, weight_decay=0.01)

    @torch.no_grad()
    def load(self, network: Any) -> None:
        """The weights of our network."""
        model = self.model

        def dense(into: nn.Linear, layer: Any) -> None:
            put(into.weight, np.asarray(layer.w).T)
            put(into.bias, layer.b)

        into: Any
        for into, block in zip(model.blocks, network.blocks, strict=True):
            for name in ("look", "merge", "widen", "narrow"):
                dense(getattr(into, name), getattr(block, name))
            put(into.first.weight, block.scales[0])
            put(into.second.weight, block.scales[1])
        dense(model.policy, network.policy)
        put(model.tokens.weight, network.tokens)
        put(model.places, network.places)
        put(model.norm.weight, network.scale)

    def train(self, texts: Any, steps: int) -> float:
        """The loss of the last of so many steps on these texts."""
        texts = torch.as_tensor(texts).long()
        inputs = self.model.begun(texts)[:, :-1]
        for _ in range(steps):
            loss = fun.cross_entropy(self.model(inputs).flatten(0, 1), texts.flatten())
            self.optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
        return loss.item()

    @torch.inference_mode()
    def write(self, texts: Any, tokens: int) -> Any:
        """So many likeliest tokens after each text, all of one length."""
        model, texts = self.model, torch.as_tensor(texts).long()
        rows, had = texts.shape
        width = model.places.shape[1]
        shape = (rows, model.heads, had + tokens + 1, width // model.heads)
        kept = [(torch.empty(shape), torch.empty(shape)) for _ in model.blocks]
        logits, out = model(model.begun(texts), kept)[:, -1], []
        for at in range(had + 1, had + 1 + tokens):
            out.append(logits.argmax(-1))
            if len(out) < tokens:
                logits = model(out[-1][:, None], kept, at)[:, -1]
        return torch.stack(out, 1).numpy()
