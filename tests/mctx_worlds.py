"""Models for searches in mctx's manner, each given as (parameters, roots, recurrent function).

The functions take the library whose records they make: mctx, or what stands in for it.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from deliberation.core.rows import where_rows
from deliberation.tasks import make_task

BATCH, ACTIONS, OUTCOMES, WIDTH, NODES = 24, 5, 3, 12, 40


def floats(x):
    return jnp.asarray(np.asarray(x, np.float32))


def weights(seed, **shapes):
    rng = np.random.default_rng(seed)
    return {k: floats(rng.normal(size=s) / np.sqrt(s[-1])) for k, s in shapes.items()}


def network(seed, noise=0.0):
    """A random network, whose rewards and values are disturbed by the key if there is `noise`."""
    params = weights(
        seed, step=(ACTIONS, WIDTH, WIDTH), prior=(ACTIONS, WIDTH), value=(WIDTH,),
        reward=(ACTIONS, WIDTH),
    )  # fmt: skip
    params["noise"] = floats(noise)
    rng = np.random.default_rng(seed + 100)
    x = floats(rng.normal(size=(BATCH, WIDTH)))
    # Several types at once: what a node keeps goes through bytes.
    embedding = {"x": x, "age": jnp.zeros(BATCH, jnp.int32), "even": jnp.ones(BATCH, bool)}
    root = {"prior_logits": 3 * x @ params["prior"].T, "value": x @ params["value"]}
    return params, {**root, "embedding": embedding}


def follow_network(lib, params, key, action, embedding):
    x = jnp.tanh(3 * jnp.einsum("bi,bij->bj", embedding["x"], params["step"][action]))
    luck = params["noise"] * jax.random.normal(key, (2, *action.shape))
    age = embedding["age"] + 1
    new = {"x": x, "age": age, "even": ~embedding["even"]}
    made = lib.RecurrentFnOutput(
        reward=(embedding["x"] * params["reward"][action]).sum(-1) + luck[0],
        discount=jnp.where(age % 3 == 0, 0.9, -1.0),
        prior_logits=3 * x @ params["prior"].T,
        value=x @ params["value"] + luck[1],
    )
    return made, new


def tables(seed, kind):
    """A random graph: real numbers, or quarters and a flat prior, where ties are everywhere."""
    rng = np.random.default_rng(seed)
    shape = (NODES, ACTIONS)
    child = np.minimum(np.arange(NODES)[:, None] + rng.integers(1, 9, shape), NODES - 1)
    ties = kind == "ties"
    reward = rng.integers(-1, 2, shape) * (rng.random(shape) < 0.2)
    params = {
        "child": jnp.asarray(child, jnp.int32),
        "reward": floats(reward if ties else rng.normal(size=shape)),
        "discount": floats(np.where(rng.random(shape) < 0.2, 0.0, -1.0 if ties else 0.9)),
        "logits": floats(np.zeros(shape) if ties else rng.normal(size=shape)),
        "value": floats(rng.integers(-2, 3, NODES) / 4 if ties else rng.normal(size=NODES)),
    }
    at = jnp.asarray(rng.integers(0, NODES // 2, BATCH), jnp.int32)
    root = {"prior_logits": params["logits"][at], "value": params["value"][at]}
    return params, {**root, "embedding": at}


def follow_tables(lib, params, key, action, at):
    to = params["child"][at, action]
    made = lib.RecurrentFnOutput(
        reward=params["reward"][at, action],
        discount=params["discount"][at, action],
        prior_logits=params["logits"][to],
        value=params["value"][to],
    )
    return made, to


@functools.cache
def rules_of_connect_four():
    """Compiled: legal moves, and the state after a move in the rows that go on."""
    task = make_task("connect_four")

    @jax.jit
    def move(state, action, goes):
        keys = jax.random.split(jax.random.key(0), BATCH)
        moved = jax.vmap(task.advance)(state, action, keys)
        return where_rows(goes & ~jax.vmap(task.terminated)(moved), moved, state)

    return jax.jit(jax.vmap(task.legal)), move


def connect_four(seed):
    """Positions some random moves into the game, judged by a random network."""
    task = make_task("connect_four")
    legal, move = rules_of_connect_four()
    rng = np.random.default_rng(seed)
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), BATCH))
    for ply in range(12):
        action = np.array([rng.choice(np.flatnonzero(m)) for m in np.asarray(legal(state))])
        goes = rng.integers(0, 12, BATCH) >= ply
        state = move(state, jnp.asarray(action), jnp.asarray(goes))
    seen = int(np.prod(jax.eval_shape(jax.vmap(task.observe), state).shape[1:]))
    params = weights(seed, hidden=(seen, 32), out=(32, task.traits.actions + 1))
    logits, value = jax.jit(judge)(params, state)
    return params, {"prior_logits": logits, "value": value, "embedding": state}


def judge(params, state):
    task = make_task("connect_four")
    seen = jax.vmap(task.observe)(state).reshape(BATCH, -1)
    out = jnp.tanh(seen @ params["hidden"]) @ params["out"]
    legal = jax.vmap(task.legal)(state)
    lowest = jnp.finfo(jnp.float32).min
    return jnp.where(legal, 3 * out[:, :-1], lowest), jnp.tanh(out[:, -1])


def follow_connect_four(lib, params, key, action, state):
    task = make_task("connect_four")
    after = jax.vmap(task.advance)(state, action, jax.random.split(key, BATCH))
    gains = jax.vmap(task.objective)(state, action, after)
    mover = jax.vmap(task.player)(state)
    over = jax.vmap(task.terminated)(after)
    ended = jax.vmap(task.terminated)(state)
    # mctx goes on beyond the end: there the game stays as it is.
    after = where_rows(ended, state, after)
    logits, value = judge(params, after)
    made = lib.RecurrentFnOutput(
        reward=jnp.where(ended, 0.0, jnp.take_along_axis(gains, mover[:, None], 1)[:, 0]),
        discount=jnp.where(over | ended, 0.0, -1.0),
        prior_logits=logits,
        value=jnp.where(over, 0.0, value),
    )
    return made, after


def decide(lib, params, key, action, embedding):
    """An action on its way to chance: `network`'s weights, with some for outcomes."""
    x = jnp.tanh(3 * jnp.einsum("bi,bij->bj", embedding["x"], params["step"][action]))
    logits = 2 * x @ params["prior"][:OUTCOMES].T
    made = lib.DecisionRecurrentFnOutput(chance_logits=logits, afterstate_value=x.sum(-1) / 9)
    return made, {"after": x, "age": embedding["age"]}


def happen(lib, params, key, outcome, after):
    """An outcome of chance."""
    x = jnp.tanh(2 * after["after"] @ params["step"][0] + params["reward"][outcome])
    luck = params["noise"] * jax.random.normal(key, outcome.shape)
    made = lib.ChanceRecurrentFnOutput(
        action_logits=3 * x @ params["prior"].T,
        value=x @ params["value"],
        reward=x[:, 0] + luck,
        discount=jnp.full(outcome.shape, 0.9),
    )
    return made, {"x": x, "age": after["age"] + 1, "even": after["age"] % 2 == 0}


def bound(lib, follow):
    return functools.partial(follow, lib)
