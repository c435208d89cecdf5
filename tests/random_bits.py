"""JAX's random bits by a small kernel, so that programs that draw compile several times faster.

On CPUs JAX writes the threefry hash out in each program, at each place and for each shape that
draws: a third of what XLA compiled in a run of these tests. The kernel gives the same bits
(`tests/test_random_bits.py`); without a C++ compiler, or with a JAX whose insides have moved,
nothing changes but the time.
"""

from pathlib import Path

from deliberation.direct.kernels import build

NAME = "tests_threefry"


def compile_faster() -> str:
    """Lower threefry to the kernel from here on, in this process; returns "" or why not."""
    missing = build.load(Path(__file__).with_name("threefry.cpp"), (NAME,))
    if missing:
        return missing
    try:
        from jax._src.interpreters import mlir
        from jax._src.random.threefry2x32 import threefry2x32_p
    except ImportError as error:
        return str(error)
    mlir.register_lowering(threefry2x32_p, _lowered, platform="cpu")
    return ""


def _lowered(context, *operands):
    import jax
    from jax._src.interpreters import mlir

    (shaped, _) = context.avals_out
    if 0 in shaped.shape:
        return [mlir.full_like_aval(context, 0, shaped)] * 2
    rank = len(shaped.shape)
    operands, kinds = list(operands), list(context.avals_in)
    for at, had in enumerate(kinds):
        if had.shape != shaped.shape and had.size != 1:
            places = range(rank - len(had.shape), rank)
            operands[at] = mlir.broadcast_in_dim(
                context, operands[at], shaped, broadcast_dimensions=places
            )
            kinds[at] = shaped
    inner = context.replace(avals_in=tuple(kinds))
    return jax.ffi.ffi_lowering(NAME)(inner, *operands)
