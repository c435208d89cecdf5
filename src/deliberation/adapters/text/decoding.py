"""GPT-2 and Llama read directly: the same weights and sums as their own forward passes, with a
cache that is allocated ahead and written into.

Most of the time that a small model takes on a CPU goes by between its sums: modules that call
modules, caches that are made anew for each token. What is computed here is held against the model's
own logits when it is loaded (`stranger`), and is used where they agree.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..policies.torch_modules import imported
from .reading import Reader

_AHEAD = 64
"""Places that are allocated beyond those that are filled."""


class Store:
    """Keys and values of all layers: tensors of `[rows, heads, places, width]`.

    `latest` numbers the last writing: who holds an earlier one goes on in a copy.
    """

    def __init__(self, keys: list[Any], values: list[Any]):
        self.keys, self.values, self.latest = keys, values, 0

    @property
    def places(self) -> int:
        """How many tokens there is room for."""
        return self.keys[0].shape[2]

    def mapped(self, change: Callable[[Any], Any]) -> "Store":
        """Another store, of changed tensors."""
        return Store([change(x) for x in self.keys], [change(x) for x in self.values])


class Held(NamedTuple):
    """What was read: where it is kept, up to which place each row is filled, and which writing."""

    store: Store
    lengths: np.ndarray
    writing: int


class Shape(NamedTuple):
    """The sizes of a network's attention."""

    layers: int
    heads: int
    width: int


class Places(NamedTuple):
    """Where the tokens of a pass stand, and what each of them attends to.

    `at` are their numbers, `write` the index they are kept under, `until` how many places any
    attends to, and `mask` which (None: all of them).
    """

    at: Any
    write: Any
    until: int
    mask: Any

    def kept(self, store: Store, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
        """Write the keys and values of a layer; all that is to be attended to."""
        store.keys[layer][self.write] = key.transpose(1, 2) if self.mask is not None else key
        store.values[layer][self.write] = value.transpose(1, 2) if self.mask is not None else value
        return store.keys[layer][:, :, : self.until], store.values[layer][:, :, : self.until]


Passing = Callable[[Any, Places, Store], Any]
"""Tokens `[rows, n]` and their places to the last layer's output `[rows, n, width]`."""


class DirectReader(Reader):
    """A network that is read by a function of its weights."""

    def __init__(self, passing: Passing, head: Any, shape: Shape, longest: int):
        self.passing, self.head, self.shape, self.longest = passing, head, shape, longest

    def read(self, texts: np.ndarray) -> tuple[Any, Held]:
        """The logits after each text, padded at the end with -1, and what was read."""
        torch = imported()
        lengths = (texts >= 0).sum(1)
        width = int(lengths.max())
        store = self._empty(len(texts), width)
        ids = torch.from_numpy(np.maximum(texts[:, :width], 0).astype(np.int64))
        at = torch.arange(width)
        mask = at[:, None] >= at[None]
        places = Places(at[None], (slice(None), slice(None), slice(0, width)), width, mask)
        hidden = self.passing(ids, _Causal(*places), store)
        last = hidden[torch.arange(len(texts)), torch.from_numpy(lengths - 1)]
        return self.head(last), Held(store, lengths, store.latest)

    def more(self, past: Held, tokens: np.ndarray, reach: int = 0) -> tuple[Any, Held]:
        """One more token for each row, none where it is -1.

        `reach` is how many places will be needed, where that is known.
        """
        torch = imported()
        store = self._writable(past, reach)
        lengths, live = past.lengths, tokens >= 0
        low, high = int(lengths.min()), int(lengths.max())
        ids = torch.from_numpy(np.where(live, tokens, 0)[:, None])
        # A row that is left out writes beyond its end, where it is written over; it may be full.
        at = torch.from_numpy(np.minimum(lengths, self.longest - 1)[:, None])
        if low == high:
            mask, write = None, (slice(None), slice(None), slice(low, low + 1))
        else:
            ends = torch.from_numpy(lengths[:, None])
            mask = (torch.arange(high + 1)[None] <= ends)[:, None, None]
            write = (torch.arange(len(tokens))[:, None], slice(None), ends)
        hidden = self.passing(ids, Places(at, write, high + 1, mask), store)
        store.latest += 1
        return self.head(hidden[:, 0]), Held(store, lengths + live, store.latest)

    def pick(self, past: Held, rows: np.ndarray) -> Held:
        """The rows of these numbers."""
        rows = np.asarray(rows, np.int64)
        if len(rows) == len(past.lengths) and (rows == np.arange(len(rows))).all():
            return past
        chosen = imported().from_numpy(rows)
        store = past.store.mapped(lambda x: x.index_select(0, chosen))
        return Held(store, past.lengths[rows], store.latest)

    def _empty(self, rows: int, width: int) -> Store:
        torch, (layers, heads, depth) = imported(), self.shape
        places = min(width + _AHEAD, self.longest + 1)
        make = lambda: torch.zeros(rows, heads, places, depth)  # noqa: E731
        return Store([make() for _ in range(layers)], [make() for _ in range(layers)])

    def _writable(self, held: Held, reach: int) -> Store:
        """A store that this holder may write one more token into."""
        torch, store = imported(), held.store
        needed = max(int(held.lengths.max()) + 1, reach)
        if needed > store.places:
            extra = min(needed + _AHEAD, self.longest + 1) - store.places
            return store.mapped(lambda x: torch.nn.functional.pad(x, (0, 0, 0, extra)))
        return store if held.writing == store.latest else store.mapped(lambda x: x.clone())


class _Causal(Places):
    """Of whole texts read at once: they are written as they stand."""

    def kept(self, store: Store, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
        """Write all, and attend to what is there."""
        store.keys[layer][self.write], store.values[layer][self.write] = key, value
        return key, value


def direct(module: Any, longest: int) -> DirectReader | None:
    """The reader of an architecture that there is one for, else None."""
    make = {"GPT2LMHeadModel": _gpt2, "LlamaForCausalLM": _llama}.get(type(module).__name__)
    return None if make is None else make(module, longest)


def _attended(query: Any, keys: Any, values: Any, mask: Any, scale: float) -> Any:
    """Weighted sums of values, `[rows, n, heads * width]`; heads may share keys and values."""
    torch = imported()
    rows, heads, count, width = query.shape
    if count > 1:
        attention = torch.nn.functional.scaled_dot_product_attention
        shared = heads != keys.shape[1]
        found = attention(query, keys, values, attn_mask=mask, scale=scale, enable_gqa=shared)
        return found.transpose(1, 2).flatten(2)
    # Heads that share keys stand side by side as if they were tokens: faster for one.
    query = query.reshape(rows * keys.shape[1], -1, width)
    keys, values = keys.flatten(0, 1), values.flatten(0, 1)
    scores = torch.baddbmm(query[:, :, :1], query, keys.mT, beta=0, alpha=scale)
    if mask is not None:
        wide = scores.view(rows, heads, -1)
        scores = wide.masked_fill(~mask[:, 0], -torch.inf).view(scores.shape)
    return torch.bmm(scores.softmax(-1), values).view(rows, 1, heads * width)


def _activation(found: Any, name: str) -> Callable[[Any], Any]:
    """The model's own, or the same formula in one call."""
    gelu = imported()._C._nn.gelu
    if name in ("gelu_new", "gelu_pytorch_tanh"):
        return lambda x: gelu(x, approximate="tanh")
    return found


def _gpt2(module: Any, longest: int) -> DirectReader:
    """GPT-2 (Radford et al. 2019)."""
    torch, body, config = imported(), module.transformer, module.config
    shape = Shape(config.n_layer, config.n_head, config.n_embd // config.n_head)
    norm, addmm = torch.layer_norm, torch.addmm
    act = _activation(body.h[0].mlp.act, config.activation_function)
    words, numbers, final = body.wte.weight, body.wpe.weight, _normal(body.ln_f)
    blocks = [
        (
            _normal(block.ln_1), _product(block.attn.c_attn), block.attn.scaling,
            _product(block.attn.c_proj), _normal(block.ln_2), _product(block.mlp.c_fc),
            _product(block.mlp.c_proj),
        )
        for block in body.h
    ]  # fmt: skip

    def passing(ids: Any, places: Places, store: Store) -> Any:
        rows, count = ids.shape
        x = (words[ids] + numbers[places.at]).flatten(0, 1)
        form = (rows, count, 3, shape.heads, shape.width)
        for layer, (before, into, scale, out, between, wide, narrow) in enumerate(blocks):
            found = addmm(into[1], norm(x, *before), into[0])
            query, key, value = found.view(form).permute(2, 0, 3, 1, 4).unbind(0)
            keys, values = places.kept(store, layer, key, value)
            mixed = _attended(query, keys, values, places.mask, scale).flatten(0, 1)
            x = x + addmm(out[1], mixed, out[0])
            inner = act(addmm(wide[1], norm(x, *between), wide[0]))
            x = x + addmm(narrow[1], inner, narrow[0])
        return norm(x, *final).view(rows, count, -1)

    return DirectReader(passing, module.lm_head, shape, longest)


def _normal(part: Any) -> tuple[Any, ...]:
    return part.normalized_shape, part.weight, part.bias, part.eps


def _product(part: Any) -> tuple[Any, Any]:
    return part.weight, part.bias


def _llama(module: Any, longest: int) -> DirectReader | None:
    """Llama (Touvron et al. 2023), where its rotations do not depend on the text's length."""
    torch, body, config = imported(), module.model, module.config
    if getattr(body.rotary_emb, "rope_type", "default") not in ("default", "linear", "llama3"):
        return None
    width = body.layers[0].self_attn.head_dim
    shape = Shape(config.num_hidden_layers, config.num_key_value_heads, width)
    norm = torch.nn.functional.rms_norm

    def normed(part: Any, x: Any) -> Any:
        return norm(x, part.weight.shape, part.weight, part.variance_epsilon)

    def turned(x: Any, cos: Any, sin: Any) -> Any:
        first, second = x.chunk(2, -1)
        return x * cos + torch.cat((-second, first), -1) * sin

    def passing(ids: Any, places: Places, store: Store) -> Any:
        rows, count = ids.shape
        x = body.embed_tokens.weight[ids]
        cos, sin = (y.unsqueeze(1) for y in body.rotary_emb(x, places.at))
        for layer, block in enumerate(body.layers):
            part, seen = block.self_attn, normed(block.input_layernorm, x)
            query, key, value = (
                f(seen).view(rows, count, -1, width).transpose(1, 2)
                for f in (part.q_proj, part.k_proj, part.v_proj)
            )
            keys, values = places.kept(store, layer, turned(key, cos, sin), value)
            mixed = _attended(turned(query, cos, sin), keys, values, places.mask, part.scaling)
            x = x + part.o_proj(mixed)
            x = x + block.mlp(normed(block.post_attention_layernorm, x))
        return normed(body.norm, x)

    return DirectReader(passing, module.lm_head, shape, longest)
