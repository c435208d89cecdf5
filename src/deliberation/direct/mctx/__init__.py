"""mctx's searches on this library's engine: `import deliberation.direct.mctx as mctx`.

Every public name of mctx is here, takes mctx's arguments and gives its results (checked against
mctx 0.0.71): with the same keys the same visit counts, actions and, to rounding, weights and trees,
except where two scores differ by rounding alone. The policies, `search` with action selection
functions of one's own, and the three such functions of mctx work under `jax.jit` and `jax.vmap`.

What differs, and is worth knowing:

- `num_simulations` may be an array, one for all rows or one for each, if `capacity=` says how many
  there must be room for; a row that has finished stays as it is while others go on. One compiled
  program serves every budget, and every `max_depth`.
- On the CPU the native kernels grow the trees of the three policies, for the three transforms here
  (also in a `functools.partial`) and for Threefry keys; other transforms, other keys and `search`
  go by pure JAX, as GPUs do. `backend=` or `DELIBERATION_BACKEND` chooses. Keys of another kind
  give other noise than mctx's.
- A reward or value of -inf says that an action is as bad as can be: it is never preferred to a
  finite one. mctx's scores become NaN where it rescales values by their range; here the range is
  that of the finite ones. As in mctx, the mean return of a node with such an action is -inf too.
- NaN and +inf from a model are never preferred. Outside of `jax.jit` they raise `NonFiniteError`
  with the place that they came from; inside, the rows concerned get action -1 and weights NaN, and
  `check_finite` raises the same afterwards.
- The tree of a search is a `Tree` whose fields are worked out when they are read; for `jax.tree`
  its leaves are those of the engine. `tree.replace()` gives a `Tree` of plain arrays, leaf for leaf
  as mctx's.
- Where no valid action has a score, the first valid one is taken, not action 0.
- Numbers are kept in single precision; embeddings as they are, keys and complex numbers included.
- `loop_fn` is honoured (Haiku needs its own); with the default, the loop stops when all have
  finished.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
