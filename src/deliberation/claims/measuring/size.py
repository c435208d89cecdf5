"""Whether a task is too large to be solved, told by random play before any of it is solved."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from ...core.task import State, Task

STARTS = 64
"""First states that `direct.solve` starts from where none are given."""
EPISODES = 16384
MOST = 3_000_000
"""Where `least_states` finds as many, the solver's five million are sure to be passed: random play
is far from meeting all states equally often."""


def least_states(task: Task, most: int = MOST) -> float:
    """A number of states, counted once a ply, that there are at least; infinite beyond `most`.

    Two random episodes are in the same state after as many actions the more rarely, the more states
    there are: with n episodes and c such pairs there are at least n (n - 1) / 2 / c states in that
    ply, whatever their chances (the collision bound). Here c is taken at the upper end of what
    chance allows, so that the number errs on the small side.
    """
    total, pairs = 0.0, EPISODES * (EPISODES - 1) / 2
    keys = jax.random.split(jax.random.key(0), STARTS)
    state = jax.tree.map(
        lambda x: jnp.resize(x, (EPISODES, *x.shape[1:])), jax.vmap(task.init)(keys)
    )
    width = jax.eval_shape(jax.vmap(task.fingerprint), state).size // EPISODES
    words = np.random.default_rng(0).integers(2**63, size=width, dtype=np.uint64) * 2 + 1
    for ply in range(task.traits.horizon):
        prints, live, state = _ply(task, state, jax.random.key(ply + 1))
        seen = (np.asarray(prints).reshape(EPISODES, -1).astype(np.uint64) @ words)[live]
        if len(seen) < 64:
            break
        _, times = np.unique(seen, return_counts=True)
        met = float((times * (times - 1.0)).sum() / 2)
        total += pairs * (len(seen) / EPISODES) ** 2 / (met + 4 * met**0.5 + 8)
        if total > most:
            return float("inf")
    return total


@eqx.filter_jit
def _ply(
    task: Task, state: State, key: Key[Array, ""]
) -> tuple[Int[Array, "episodes ..."], Bool[Array, " episodes"], State]:
    """Fingerprints, which episodes are live, and their states after one random action."""

    def one(state, key):
        choose, chance = jax.random.split(key)
        logits = jnp.where(task.legal(state), 0.0, -jnp.inf)
        after = task.advance(state, jax.random.categorical(choose, logits), chance)
        live = ~task.terminated(state)
        going = jax.tree.map(lambda a, b: jnp.where(live, a, b), after, state)
        return task.fingerprint(state), live, going

    return jax.vmap(one)(state, jax.random.split(key, EPISODES))
