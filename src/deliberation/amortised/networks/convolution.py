"""A convolution whose gradient is fast inside of compiled loops.

XLA on the CPU has a fast path only for convolutions laid out as NHWC x HWIO -> NHWC. It rewrites
others to that layout at the top of a program but not inside of `fori_loop` and `scan`, where the
gradient of a plain convolution ran 30 times slower. So the gradient is written out here in that
layout. Hand it whole batches: under `vmap` the kernel's gradient is taken board by board.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Boards = Float[Array, "batch height width inputs"]
CHUNK = 64
"""Boards whose part in the kernel's gradient is taken at once; more ran up to 3 times slower."""

Kernel = Float[Array, "size size inputs outputs"]


@jax.custom_vjp
def convolve(x: Boards, w: Kernel) -> Float[Array, "batch height width outputs"]:
    """A batch of boards, convolved by an odd kernel and padded with zeros to keep their size."""
    return _nhwc(x, w)


def _forward(x: Boards, w: Kernel) -> tuple[Array, tuple[Array, Array]]:
    return _nhwc(x, w), (x, w)


def _backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, w = saved
    dx = _nhwc(dy, jnp.flip(w, (0, 1)).swapaxes(2, 3))
    whole = x.shape[0] // CHUNK * CHUNK
    rest = _kernel_gradient(w.shape[0], x[whole:], dy[whole:])

    def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
        return total + _kernel_gradient(w.shape[0], *part), None

    dw, _ = jax.lax.scan(add, rest, (_chunks(x[:whole]), _chunks(dy[:whole])))
    return dx, dw


def _chunks(v: Array) -> Array:
    return v.reshape(-1, CHUNK, *v.shape[1:])


def _kernel_gradient(size: int, x: Array, dy: Array) -> Array:
    """The correlation of x with dy: channels act as the batch, and the batch as channels."""
    if x.shape[0] == 0:
        return jnp.zeros((size, size, x.shape[3], dy.shape[3]))
    dw = _nhwc(x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3), pad=size // 2)
    return dw.transpose(1, 2, 0, 3)


convolve.defvjp(_forward, _backward)


def _nhwc(x: Array, w: Array, pad: int | None = None) -> Array:
    side = w.shape[0] // 2 if pad is None else pad
    return jax.lax.conv_general_dilated(
        x, w, (1, 1), [(side, side)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
