"""The weights of GPT-2 and Llama as arrays of JAX, in one form that a compiled program reads.

Whatever scales the input of a matrix product (the weights of a normalisation before it, the scale
of attention) is multiplied into the matrix once, here, so that no pass has to do it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

ACTIVATIONS = {
    "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu", "relu": "relu",
    "silu": "silu", "swish": "silu",
}  # fmt: skip
"""Of transformers' names, those that a compiled program knows, and its own names for them."""


class Product(NamedTuple):
    """A matrix to multiply by from the right, and what is added."""

    matrix: Float[Array, "into out"]
    bias: Float[Array, " out"]


class Block(NamedTuple):
    """Queries, keys and values in one; the output of attention; the layer's two or three others.

    With a gate, `wide` makes the gate and what it lets through side by side.
    """

    into: Product
    out: Product
    wide: Product
    narrow: Product


class Weights(NamedTuple):
    """All of a network: places are added (GPT-2) or turn queries and keys (Llama)."""

    words: Float[Array, "vocabulary width"]
    places: Float[Array, "longest width"] | None
    turns: Float[Array, " half"] | None
    blocks: tuple[Block, ...]
    head: Product


class Form(NamedTuple):
    """What a program is compiled for: `shared` sets of keys and values serve all heads."""

    heads: int
    shared: int
    width: int
    centred: bool
    epsilon: float
    gated: bool
    activation: str
    stretch: float


def weights_of(module: Any) -> tuple[Weights, Form] | None:
    """The arrays of a module of transformers, on the CPU; None where there is no form for it."""
    make = {"GPT2LMHeadModel": _gpt2, "LlamaForCausalLM": _llama}.get(type(module).__name__)
    found = None if make is None else make(module)
    if found is None:
        return None
    return jax.device_put(found[0], jax.devices("cpu")[0]), found[1]


def versions(module: Any) -> tuple[tuple[int, int], ...]:
    """What changes when a weight is replaced or written into (but for `.data`, which hides it)."""
    return tuple((x.data_ptr(), x._version) for x in module.parameters())


def _gpt2(module: Any) -> tuple[Weights, Form] | None:
    body, config = module.transformer, module.config
    if config.activation_function not in ACTIVATIONS:
        return None
    blocks = tuple(
        Block(
            _scaled(_after(block.ln_1, [_conv(block.attn.c_attn)]), block.attn.scaling),
            _product(*_conv(block.attn.c_proj)),
            _after(block.ln_2, [_conv(block.mlp.c_fc)]),
            _product(*_conv(block.mlp.c_proj)),
        )
        for block in body.h
    )
    form = Form(
        config.n_head, config.n_head, config.n_embd // config.n_head, True, body.ln_f.eps, False,
        ACTIVATIONS[config.activation_function], 0.0,
    )  # fmt: skip
    head = _after(body.ln_f, [_linear(module.lm_head)])
    return Weights(_array(body.wte.weight), _array(body.wpe.weight), None, blocks, head), form


def _llama(module: Any) -> tuple[Weights, Form] | None:
    body, config = module.model, module.config
    turning = body.rotary_emb
    if config.hidden_act not in ACTIVATIONS or not hasattr(turning, "inv_freq"):
        return None
    width, heads = body.layers[0].self_attn.head_dim, config.num_attention_heads
    blocks = []
    for block in body.layers:
        part, mlp = block.self_attn, block.mlp
        queries = [_linear(x) for x in (part.q_proj, part.k_proj, part.v_proj)]
        gates = [_linear(x) for x in (mlp.gate_proj, mlp.up_proj)]
        into = _after(block.input_layernorm, queries)
        blocks.append(Block(
            _scaled(into, part.scaling, heads * width),
            _product(*_linear(part.o_proj)),
            _after(block.post_attention_layernorm, gates),
            _product(*_linear(mlp.down_proj)),
        ))  # fmt: skip
    form = Form(
        heads, config.num_key_value_heads, width, False, body.norm.variance_epsilon, True,
        ACTIVATIONS[config.hidden_act], float(getattr(turning, "attention_scaling", 1.0)),
    )  # fmt: skip
    words, turns = _array(body.embed_tokens.weight), _array(turning.inv_freq)
    head = _after(body.norm, [_linear(module.lm_head)])
    return Weights(words, None, turns, tuple(blocks), head), form


Pair = tuple[np.ndarray, np.ndarray | None]


def _numbers(tensor: Any) -> np.ndarray:
    return tensor.detach().numpy()


def _array(tensor: Any) -> Any:
    # A copy: a change of the module's weights in place is noticed, and must not be half of one.
    return np.array(_numbers(tensor), np.float32)


def _conv(part: Any) -> Pair:
    """GPT-2 keeps its matrices the other way round."""
    return _numbers(part.weight), _numbers(part.bias)


def _linear(part: Any) -> Pair:
    return _numbers(part.weight).T, None if part.bias is None else _numbers(part.bias)


def _product(matrix: np.ndarray, bias: np.ndarray | None) -> Any:
    size = matrix.shape[1]
    kept = np.zeros(size, np.float32) if bias is None else np.array(bias, np.float32)
    return Product(np.array(matrix, np.float32), kept)  # type: ignore[arg-type]


def _after(norm: Any, parts: Sequence[Pair]) -> Any:
    """Products of what a normalisation gives, side by side, with its own weights multiplied in."""
    scale = _numbers(norm.weight)[:, None].astype(np.float64)
    shift = getattr(norm, "bias", None)
    biases = [np.zeros(m.shape[1]) if b is None else b.astype(np.float64) for m, b in parts]
    if shift is not None:
        moved = _numbers(shift).astype(np.float64)
        biases = [b + moved @ m for b, (m, _) in zip(biases, parts, strict=True)]
    return _product(
        np.concatenate([(scale * m).astype(np.float32) for m, _ in parts], 1),
        np.concatenate(biases),
    )


def _scaled(into: Any, scale: float, queries: int | None = None) -> Any:
    """With the scale of attention multiplied into what makes the queries (a third, if not told)."""
    matrix, bias = into
    count = len(bias) // 3 if queries is None else queries
    factor = np.where(np.arange(len(bias)) < count, scale, 1.0).astype(np.float32)
    return Product(matrix * factor, bias * factor)
