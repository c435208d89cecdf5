"""Networks that answer in one forward pass: a policy over actions and a value.

Both are built for small boards on a CPU: no batch statistics, weights stored as (in, out) so that
a layer on a batch is one matrix product or one convolution. A network knows the config it
was built from, so that a file needs only that and its arrays.
"""

import abc
import importlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, overload

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.errors import UnknownNameError, UnsuitableTaskError
from .convolution import convolve
from .weights import normal

Range = tuple[float, float] | None
Of = TypeVar("Of", bound="Buildable")


class Dense(eqx.Module):
    """x @ w + b, with He-normal weights times `scale` (He et al. 2015)."""

    w: Float[Array, "inputs outputs"]
    b: Float[Array, " outputs"]

    def __init__(self, inputs: int, outputs: int, *, key: Key[Array, ""], scale: float = 1.0):
        self.w = scale * math.sqrt(2 / inputs) * normal(key, (inputs, outputs))
        self.b = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "*cells inputs"]) -> Float[Array, "*cells outputs"]:
        """Along the last axis; on a board this is a 1x1 convolution."""
        return x @ self.w + self.b


class Convolution(eqx.Module):
    """A 3x3 convolution that keeps the size of the board, its border padded with zeros."""

    w: Float[Array, "3 3 inputs outputs"]
    b: Float[Array, " outputs"]

    def __init__(self, inputs: int, outputs: int, *, key: Key[Array, ""], scale: float = 1.0):
        spread = scale * math.sqrt(2 / (9 * inputs))
        self.w = spread * normal(key, (3, 3, inputs, outputs))
        self.b = jnp.zeros(outputs)

    def __call__(
        self, x: Float[Array, "batch height width inputs"]
    ) -> Float[Array, "batch height width outputs"]:
        """A batch of boards."""
        return convolve(x, self.w) + self.b


class Buildable(eqx.Module):
    """A learned function that knows the config it was built from, and so can be kept in a file."""

    kind: ClassVar[str]

    @property
    @abc.abstractmethod
    def config(self) -> dict[str, Any]:
        """What `network_from_config` needs to build the same shape anew; plain JSON."""


class Network(Buildable):
    """One observation in; logits over all actions and a value for the player to move out.

    Unbatched. `batched` is the same for a batch, and the faster way where `jax.vmap` would slow the
    gradient of a convolution. `value_range` bounds the value by a tanh, (-1, 1) as fits zero-sum
    games; None leaves it unbounded.
    """

    observation_shape: eqx.AbstractVar[tuple[int, ...]]
    actions: eqx.AbstractVar[int]
    value_range: eqx.AbstractVar[Range]

    @abc.abstractmethod
    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " actions"], Float[Array, ""]]:
        """Logits, unnormalised and not masked, and the value."""

    def batched(
        self, observations: Float[Array, "batch ..."]
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        """Logits and values of a batch, row by row those of the call."""
        return jax.vmap(self)(observations)

    @property
    @abc.abstractmethod
    def multiply_adds(self) -> int:
        """Multiply-adds of all matrix products and convolutions in one forward pass."""


class MLP(Network):
    """`depth` hidden layers of `width` rectified units, then a policy and a value head."""

    kind: ClassVar[str] = "mlp"
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    value_range: Range = eqx.field(static=True)
    hidden: tuple[Dense, ...]
    policy: Dense
    value: Dense

    def __init__(
        self,
        observation_shape: Sequence[int],
        actions: int,
        width: int = 128,
        depth: int = 2,
        *,
        value_range: Sequence[float] | None = (-1.0, 1.0),
        key: Key[Array, ""],
    ):
        _check_sizes(actions=actions, width=width, depth=depth)
        self.observation_shape, self.actions = tuple(observation_shape), actions
        self.value_range = _read_range(value_range)
        keys = jax.random.split(key, depth + 2)
        sizes = [math.prod(observation_shape)] + [width] * depth
        self.hidden = tuple(
            Dense(i, o, key=k) for i, o, k in zip(sizes[:-1], sizes[1:], keys[2:], strict=True)
        )
        self.policy = Dense(width, actions, key=keys[0], scale=0.1)
        self.value = Dense(width, 1, key=keys[1], scale=0.1)

    def __call__(
        self, observation: Float[Array, "..."]
    ) -> tuple[Float[Array, " actions"], Float[Array, ""]]:
        """Logits and value of one observation."""
        x = observation.reshape(-1)
        for layer in self.hidden:
            x = jax.nn.relu(layer(x))
        return self.policy(x), _squash(self.value(x)[0], self.value_range)

    @property
    def config(self) -> dict[str, Any]:
        """Kind, shapes, width and depth."""
        size = {"width": self.hidden[0].w.shape[1], "depth": len(self.hidden)}
        return {**_common_config(self), **size}

    @property
    def multiply_adds(self) -> int:
        """The number of weights: each is used once."""
        return sum(layer.w.size for layer in (*self.hidden, self.policy, self.value))


class ResidualConvolution(Network):
    """A stem, `blocks` residual blocks of two 3x3 convolutions, then a policy and a value head.

    The last convolution of each block starts at zero, so that a deep net starts as a shallow one
    and trains without normalisation (Zhang et al. 2019, "Fixup"). Both heads shrink the channels
    to a few planes by a 1x1 convolution before they look at the whole board (Silver et al. 2017),
    which serves actions that are cells and actions that are columns alike.
    """

    kind: ClassVar[str] = "residual_convolution"
    observation_shape: tuple[int, ...] = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    value_range: Range = eqx.field(static=True)
    stem: Convolution
    blocks: tuple[tuple[Convolution, Convolution], ...]
    policy: tuple[Dense, Dense]
    value: tuple[Dense, Dense, Dense]

    def __init__(
        self,
        observation_shape: Sequence[int],
        actions: int,
        channels: int = 32,
        blocks: int = 3,
        *,
        value_range: Sequence[float] | None = (-1.0, 1.0),
        key: Key[Array, ""],
    ):
        _check_sizes(actions=actions, channels=channels, blocks=blocks)
        if len(observation_shape) != 3:
            raise UnsuitableTaskError(
                "A convolution needs observations of height x width x planes; got the shape "
                f"{tuple(observation_shape)}. Use an MLP."
            )
        self.observation_shape, self.actions = tuple(observation_shape), actions
        self.value_range = _read_range(value_range)
        height, width, planes = observation_shape
        keys = iter(jax.random.split(key, 2 * blocks + 6))
        self.stem = Convolution(planes, channels, key=next(keys))
        self.blocks = tuple(
            (
                Convolution(channels, channels, key=next(keys)),
                Convolution(channels, channels, key=next(keys), scale=0.0),
            )
            for _ in range(blocks)
        )
        squeezed = HEAD_PLANES * height * width
        self.policy = (
            Dense(channels, HEAD_PLANES, key=next(keys)),
            Dense(squeezed, actions, key=next(keys), scale=0.1),
        )
        self.value = (
            Dense(channels, HEAD_PLANES, key=next(keys)),
            Dense(squeezed, HEAD_UNITS, key=next(keys)),
            Dense(HEAD_UNITS, 1, key=next(keys), scale=0.1),
        )

    def __call__(
        self, observation: Float[Array, "height width planes"]
    ) -> tuple[Float[Array, " actions"], Float[Array, ""]]:
        """Logits and value of one observation."""
        logits, value = self.batched(observation[None])
        return logits[0], value[0]

    def batched(
        self, observations: Float[Array, "batch height width planes"]
    ) -> tuple[Float[Array, "batch actions"], Float[Array, " batch"]]:
        """Logits and values of a batch of observations."""
        relu, batch = jax.nn.relu, observations.shape[0]
        x = relu(self.stem(observations))
        for first, second in self.blocks:
            x = relu(x + second(relu(first(x))))
        squeeze, choose = self.policy
        logits = choose(relu(squeeze(x)).reshape(batch, -1))
        squeeze, hidden, judge = self.value
        worth = judge(relu(hidden(relu(squeeze(x)).reshape(batch, -1))))[:, 0]
        return logits, _squash(worth, self.value_range)

    @property
    def config(self) -> dict[str, Any]:
        """Kind, shapes, channels and blocks."""
        size = {"channels": self.stem.w.shape[-1], "blocks": len(self.blocks)}
        return {**_common_config(self), **size}

    @property
    def multiply_adds(self) -> int:
        """A convolution uses each weight once a cell, the padded border included."""
        height, width, _ = self.observation_shape
        pairs = [layer for pair in self.blocks for layer in pair]
        everywhere = [self.stem, *pairs, self.policy[0], self.value[0]]
        once = [self.policy[1], *self.value[1:]]
        cells = sum(layer.w.size for layer in everywhere) * height * width
        return cells + sum(layer.w.size for layer in once)


HEAD_PLANES = 4
HEAD_UNITS = 64
NETWORKS: dict[str, Callable[..., Buildable]] = {
    net.kind: net for net in (MLP, ResidualConvolution)
}
ELSEWHERE = {
    "actor_critic": (".actor_critic", "ActorCritic"),
    "gaussian_mlp": (".gaussian", "GaussianMLP"),
    "normalised": (".normalised", "Normalised"),
    "normalised_gaussian": (".normalised", "NormalisedGaussian"),
    "recurrent_mlp": (".recurrent", "RecurrentMLP"),
    "thinking": ("..sequence.thinking", "ThinkingNetwork"),
    "transformer": ("..sequence.transformer", "Transformer"),
}
"""Kinds in files of their own, which need this one: the module and the class."""


def flops(network: Network) -> float:
    """Floating-point operations of one forward pass of one observation.

    Two for each multiply-add of the matrix products and convolutions, counted from the shapes;
    biases, rectifiers and the tanh, under 2 % of the whole, are left out.
    """
    return 2.0 * network.multiply_adds


@overload
def network_from_config(config: Mapping[str, Any], key: Key[Array, ""]) -> Network: ...
@overload
def network_from_config(config: Mapping[str, Any], key: Key[Array, ""], of: type[Of]) -> Of: ...
def network_from_config(
    config: Mapping[str, Any], key: Key[Array, ""], of: type[Buildable] = Network
) -> Buildable:
    """Build the network that a `config` describes, with fresh weights.

    Raises `UnknownNameError` for an unknown kind, and `ValueError` for settings it does not take or
    a kind that is not `of` the class wanted.
    """
    settings = dict(config)
    kind = str(settings.pop("kind", ""))
    if kind in ELSEWHERE and kind not in NETWORKS:
        module, name = ELSEWHERE[kind]
        NETWORKS[kind] = getattr(importlib.import_module(module, __package__), name)
    if kind not in NETWORKS:
        raise UnknownNameError("network", kind, [*NETWORKS, *ELSEWHERE])
    takes = set(inspect.signature(NETWORKS[kind]).parameters) - {"key"}
    if unknown := set(settings) - takes:
        raise ValueError(
            f"A network of kind {kind!r} has no setting {sorted(unknown)[0]!r}; it takes "
            f"{', '.join(sorted(takes))}."
        )
    network = NETWORKS[kind](**settings, key=key)
    if not isinstance(network, of):
        raise ValueError(
            f"This is a {type(network).__name__}, not a {of.__name__}: ask for a "
            f"{type(network).__name__} by name."
        )
    return network


def _common_config(network: Network) -> dict[str, Any]:
    span = network.value_range
    return {
        "kind": network.kind,
        "observation_shape": list(network.observation_shape),
        "actions": network.actions,
        "value_range": None if span is None else list(span),
    }


def _read_range(span: Sequence[float] | None) -> Range:
    if span is None:
        return None
    low, high = (float(x) for x in span)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"value_range needs two finite numbers, low < high; got ({low}, {high}).")
    return low, high


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"A network needs {name} of at least 1; got {size}.")


def _squash(x: Float[Array, "*batch"], span: Range) -> Float[Array, "*batch"]:
    if span is None:
        return x
    low, high = span
    return (high + low) / 2 + (high - low) / 2 * jnp.tanh(x)
