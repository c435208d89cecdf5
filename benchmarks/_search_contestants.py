"""Who competes in `search.py`: this library's search, mctx, and the limit that no search can pass.

All start from the same positions, ask the same task and the same network as often, and are given
the network's weights as an argument, so that none of them can fold them into its program.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _search_rows import MissingPeerError, Row
from _search_timing import Contestant
from jaxtyping import Array, Float, Int

from deliberation.amortised import MLP, Network, ResidualConvolution
from deliberation.core import Budget, Task
from deliberation.core.noise import Seed, as_key, mix, pick_uniform, seeds, uniform
from deliberation.core.task import State
from deliberation.direct import PUCT, Gumbel, TreeSearch
from deliberation.direct.tree_search.decider import plan
from deliberation.direct.tree_search.limits import Limits
from deliberation.hybrid import guided_search
from deliberation.tasks import make_task

PLIES = 12
"""Rows start after 0 to 12 random moves, so that their trees differ: row b after b % 13."""
FROM_ROOT = 8
"""How far the limit plays before it starts again at the root: about as deep as trees here are."""
FORBIDDEN = -1e9
LANES = (7, 3, 2)
"""Gumbel search is measured where latency counts: the actions of a phase side by side."""
DROP_IN = "deliberation.direct.mctx"
"""This library's search behind mctx's interface."""
NETWORKS: dict[str, Callable[..., Network]] = {
    "mlp": lambda shape, actions, key: MLP(shape, actions, width=128, depth=2, key=key),
    "residual": lambda shape, actions, key: ResidualConvolution(
        shape, actions, channels=64, blocks=6, key=key
    ),
}


@dataclass(frozen=True)
class Setting:
    """A row with its task, network and first positions at hand."""

    row: Row
    task: Task
    network: Network
    state: State
    moves: Int[np.ndarray, "plies batch"]

    @staticmethod
    def of(row: Row) -> "Setting":
        """The same setting for every contestant and every process: keys are fixed."""
        task = make_task(row.task)
        state, moves = openings(task, np.arange(row.batch) % (PLIES + 1))
        shape = jax.eval_shape(jax.vmap(task.observe), state).shape[1:]
        network = NETWORKS[row.network](shape, task.traits.actions, key=jax.random.key(1))
        return Setting(row, task, network, state, moves)


def openings(
    task: Task, lengths: Int[np.ndarray, " batch"], *, seed: int = 2
) -> tuple[State, Int[np.ndarray, "plies batch"]]:
    """Live positions after as many random moves as each row's length, and these moves.

    A move is -1 from where a row stands still: past its length, or where the next move would have
    ended the game.
    """
    most = jnp.asarray(lengths)
    first = seeds(jax.random.split(jax.random.key(seed), len(lengths)))

    def ply(carry: tuple, i: Array) -> tuple:
        state, going = carry
        action = pick_uniform(jax.vmap(task.legal)(state), uniform(mix(first, i)))
        after = jax.vmap(task.advance)(state, action, as_key(mix(first, i)))
        going = going & (i < most) & ~jax.vmap(task.terminated)(after)
        return (choose(going, after, state), going), jnp.where(going, action, -1)

    @jax.jit
    def play() -> tuple[State, Array]:
        state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), len(lengths)))
        start = state, jnp.ones(len(lengths), bool)
        (state, _), moves = jax.lax.scan(ply, start, jnp.arange(max(lengths)))
        return state, moves

    state, moves = play()
    return state, np.asarray(moves)


def choose(which: Array, yes: State, no: State) -> State:
    """Row by row, one batch of states or the other."""

    def pick(a: Array, b: Array) -> Array:
        return jnp.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, yes, no)


def planner(setting: Setting, *, prove: bool, capacity: int | None = None) -> TreeSearch:
    """This library's guided search as its users build it."""
    simulations = setting.row.simulations
    return guided_search(
        setting.task,
        setting.network,
        rule=PUCT() if setting.row.rule == "puct" else Gumbel(lanes=LANES),
        budget=simulations,
        prove=prove,
        capacity=capacity or simulations,
    )


def ours(setting: Setting, *, prove: bool = False) -> Contestant:
    """`decide` as users call it, with its checks on the way in and out.

    Without proofs unless asked: a proved root would end its row early, and the other contestants
    have no such way out.
    """
    decider = planner(setting, prove=prove)
    memory = decider.begin(setting.row.batch)
    return lambda key: decider.decide(setting.state, memory, key=key)[0]


def ours_portable(setting: Setting) -> Contestant:
    """`decide` by the back end in pure JAX, where another is in use."""
    usual = planner(setting, prove=False)
    decider = TreeSearch(
        usual.task, usual.rule, usual.evaluator,
        budget=usual.budget, prove=False, backend="jax", capacity=usual.capacity,
    )  # fmt: skip
    memory = decider.begin(setting.row.batch)
    return lambda key: decider.decide(setting.state, memory, key=key)[0]


def ours_inside(setting: Setting) -> Contestant:
    """`plan` inside of a compiled function of the caller's, as self-play does."""
    row, decider = setting.row, planner(setting, prove=False)

    @eqx.filter_jit
    def search(decider: TreeSearch, state: State, key: Array) -> Any:
        limits = Limits(*Budget(row.simulations).rows(row.batch))
        seed = seeds(jax.random.split(key, row.batch))
        objective = decider.task.objective
        return plan(decider, objective, state, limits, seed, row.simulations)[0]

    return lambda key: search(decider, setting.state, key)


def ours_as_mctx(setting: Setting) -> Contestant:
    """The same program as mctx's with one import changed: the same trees, node by node."""
    row = setting.row
    search = mctx_search(setting.task, row.rule, row.simulations, library=DROP_IN)
    return lambda key: search(setting.network, setting.state, key)[:2]


def theirs(setting: Setting) -> Contestant:
    """mctx as its documentation says: jitted, with the task's state as the embedding."""
    search = mctx_search(setting.task, setting.row.rule, setting.row.simulations)
    return lambda key: search(setting.network, setting.state, key)[:2]


def mctx_search(
    task: Task, rule: str, simulations: int, *, library: str = "mctx", **options: Any
) -> Callable[..., Any]:
    """A jitted (network, state, key) -> (action, action weights, search tree) by mctx.

    Logits of illegal actions are as low as can be, at the root by `invalid_actions`; the discount
    is -1 where the other player moves next and 0 at the end of the game.
    """
    try:
        mctx = importlib.import_module(library)
    except ImportError as error:
        raise MissingPeerError(library) from error
    objective, players = task.objective, jax.vmap(task.player)

    def judge(network: Network, state: State) -> tuple[Array, Array, Array]:
        legal = jax.vmap(task.legal)(state)
        logits, value = network.batched(jax.vmap(task.observe)(state))
        return jnp.where(legal, logits, jnp.finfo(logits.dtype).min), value, legal

    def step(network: Network, key: Array, action: Array, state: State) -> tuple[Any, State]:
        # Tasks in full view without chance do not look at the keys, so these cost nothing.
        keys = jax.random.split(key, action.shape[0])
        after = jax.vmap(task.advance)(state, action, keys)
        over = jax.vmap(task.terminated)(after)
        logits, value, _ = judge(network, after)
        reward = jax.vmap(objective)(state, action, after)[:, 0]
        mover, follower = players(state), players(after)
        discount = jnp.where(follower == mover, 1.0, -1.0) * objective.discount
        return mctx.RecurrentFnOutput(
            reward=jnp.where(mover == 0, reward, -reward),
            discount=jnp.where(over, 0.0, discount),
            prior_logits=logits,
            value=jnp.where(over, 0.0, value),
        ), after

    policy = mctx.gumbel_muzero_policy
    if rule != "gumbel":
        policy = mctx.muzero_policy
        options = {"dirichlet_fraction": 0.0, "temperature": 0.0, **options}

    @jax.jit
    def search(network: Network, state: State, key: Array) -> tuple[Array, Array, Any]:
        logits, value, legal = judge(network, state)
        root = mctx.RootFnOutput(prior_logits=logits, value=value, embedding=state)
        found = policy(
            network, key, root, step, num_simulations=simulations, invalid_actions=~legal, **options
        )
        return found.action, found.action_weights, found.search_tree

    return search


def limit(setting: Setting) -> Contestant:
    """As many calls of the same step and network as the search makes, and nothing else."""
    run = bare_loop(setting.task)
    count = jnp.int32(setting.row.simulations)
    return lambda key: run(setting.network, setting.state, key, count)


def bare_loop(task: Task) -> Callable[..., tuple[Float[Array, " batch"], State]]:
    """A jitted (network, state, key, count) -> (what was found, last state) without a tree.

    Not too cheap: each of the `count` passes steps every row by a legal action, scores the step,
    asks who moves, what is legal and whether it is over, observes and judges the new state, and
    the next pass's actions depend on all of that (the network's logits and value, the legal
    actions), so that no pass can be left out, moved out of the loop or overlapped with the next.
    The root is judged too, as every search does. Rows start from the root again after a terminal
    state (a search does not step from one) and after `FROM_ROOT` plies, so that the states are as
    near to the root as a tree's are.

    Not too dear: nothing is stored from one pass to the next but the state. The choice of actions
    takes 1 % of a pass in Connect Four and 3 % in Othello (`_draw`). Actions and new states are
    computed once: left to itself, XLA works them out again for each of their readers, which made a
    pass of Othello 8 % slower. The number of passes is data, as a budget is; fixing it in the
    program saved nothing.
    """
    objective = task.objective

    def look(network: Network, state: State) -> tuple[Array, Array]:
        legal = jax.vmap(task.legal)(state)
        logits, value = network.batched(jax.vmap(task.observe)(state))
        mine = jnp.where(jax.vmap(task.player)(state) == 0, value, -value)
        return jnp.where(legal, logits, FORBIDDEN), mine

    @jax.jit
    def run(network: Network, root: State, key: Array, count: Array) -> tuple[Array, State]:
        first = seeds(jax.random.split(key, jax.tree.leaves(root)[0].shape[0]))
        logits, value = look(network, root)

        def once(i: Array, carry: tuple) -> tuple:
            state, scores, total = carry
            # What was found so far stirs the noise, so the value too decides where to go next.
            now = mix(first ^ jax.lax.bitcast_convert_type(total, jnp.uint32), i)
            action = jax.lax.optimization_barrier(_draw(scores, now))
            after = jax.vmap(task.advance)(state, action, as_key(now))
            after = jax.lax.optimization_barrier(after)
            reward = jax.vmap(objective)(state, action, after)[:, 0]
            over = jax.vmap(task.terminated)(after)
            seen, worth = look(network, after)
            total = total + reward + jnp.where(over, 0.0, worth)
            again = over | (i % FROM_ROOT == FROM_ROOT - 1)
            scores = jnp.where(again[:, None], logits, seen)
            return choose(again, root, after), scores, total

        state, _, total = jax.lax.fori_loop(0, count, once, (root, logits, value))
        return total, state

    return run


def _draw(scores: Float[Array, "batch actions"], seed: Seed) -> Int[Array, " batch"]:
    """The action with the best score plus noise, by one maximum over integers.

    The bits of a float, turned into an integer of the same order, with the action's number in place
    of the last digits: four to ten times faster than `argmax` on a CPU.
    """
    actions = jnp.arange(scores.shape[1])[:, None]
    noise = uniform(seed * (2 * actions.astype(jnp.uint32) + 1))
    bits = jax.lax.bitcast_convert_type(scores.T + noise, jnp.int32)
    ordered = jnp.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    digits = (1 << (scores.shape[1] - 1).bit_length()) - 1
    return ((ordered & ~digits) | actions).max(0) & digits
