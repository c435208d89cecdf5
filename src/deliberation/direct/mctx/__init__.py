"""mctx's searches on this library's engine: `import deliberation.direct.mctx as mctx`.

`muzero_policy`, `gumbel_muzero_policy` and `stochastic_muzero_policy` take mctx's arguments and
give its results (checked against mctx 0.0.71): with the same keys the same visit counts, actions
and, to rounding, weights and trees, except where two scores differ by rounding alone.

What differs, and is worth knowing:

- `num_simulations` may be an array, one for all rows or one for each, if `capacity=` says how many
  there must be room for; a row that has finished stays as it is while others go on. One compiled
  program serves every budget.
- On the CPU the native kernels grow the tree, for the three transforms here (also in a
  `functools.partial`) and for Threefry keys; other transforms and keys go by pure JAX, as GPUs do.
  `backend=` or `DELIBERATION_BACKEND` chooses. Keys of another kind give other noise than mctx's.
- NaN or infinity from a model is never preferred. Outside of `jax.jit` it raises `NonFiniteError`
  with the place it came from; inside, the rows concerned get action -1 and weights NaN, and
  `check_finite` raises the same afterwards.
- The tree is read by mctx's names, each worked out when it is read; it has no `replace`.
- Numbers are kept in single precision. There is no `mctx.search` for choices of one's own.
- `loop_fn` is honoured (Haiku needs its own); with the default, the loop stops when all have
  finished.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
