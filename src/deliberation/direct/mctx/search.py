"""The search behind `direct.mctx`: a stranger's functions, walked by the engine's two back ends.

Simulations are numbered from 0 and the node that simulation i makes has index i + 1, whatever else
happened before: so trees can be compared with mctx's field by field.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.errors import BudgetError, ContractError, TooLargeError
from ...core.task import is_concrete
from ..tree_search.backends import portable
from ..tree_search.backends.choice import BackendName, backend_for
from ..tree_search.models.base import Step
from ..tree_search.round import FREE, TALLY_SLOTS, Ask, Terms
from ..tree_search.tree import COUNT, LARGEST, LOGIT, TOTAL, VALUE, Tree, empty, size_in_bytes
from .rules import GumbelMuZero, MuZero, considered_visits
from .types import RecurrentFnOutput, StochasticRecurrentState

Picks = MuZero | GumbelMuZero
Recurrent = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
_FRY = "threefry2x32"


class Budget(eqx.Module):
    """How many simulations each row takes, and how many there is room for."""

    rows: Int[Array, " batch"]
    capacity: int = eqx.field(static=True)

    @staticmethod
    def of(simulations: Any, capacity: int | None, batch: int) -> "Budget":
        """What is known is its own capacity; what is only known later needs one given."""
        known = is_concrete(simulations)
        least, most = (int(f(simulations)) for f in (np.min, np.max)) if known else (0, 0)
        if capacity is None:
            if not known:
                raise BudgetError(
                    "num_simulations is traced: say how many simulations there must be room for at "
                    "most, by capacity=, or make the argument static."
                )
            capacity = max(0, most)
        if least < 0 or most > capacity:
            raise BudgetError(
                f"num_simulations must lie between 0 and the capacity of {capacity}; got "
                f"{least if least < 0 else most}."
            )
        if capacity > LARGEST:
            raise TooLargeError(
                f"A tree of {capacity:,} nodes is over the {LARGEST:,} that can be numbered "
                "exactly. Use fewer simulations or a smaller capacity."
            )
        rows = jnp.broadcast_to(jnp.asarray(simulations, jnp.int32), (batch,))
        return Budget(jnp.clip(rows, 0, capacity), capacity)


class Keys(eqx.Module):
    """The keys of every simulation: to simulate with, and to give to the model."""

    simulate: Any
    expand: Any
    fry: bool = eqx.field(static=True)

    @staticmethod
    def of(key: Any, count: int, walk: ModuleType) -> "Keys":
        """Split from the search's key one after another, as mctx does."""
        count = max(1, count)
        if walk is not portable:
            made = walk.keys(_data(key), count)
            like = (
                (lambda x: jax.random.wrap_key_data(x, impl=_FRY)) if _typed(key) else jnp.asarray
            )
            return Keys(made[:, 0], like(made[:, 1]), True)

        def split(key: Any, _: None) -> tuple[Any, tuple[Any, Any]]:
            first, simulate, expand = jax.random.split(key, 3)
            return first, (simulate, expand)

        _, (simulate, expand) = jax.lax.scan(split, key, length=count)
        return Keys(simulate, expand, _is_fry(key))

    def noise(self, i: Array, batch: int, walk: ModuleType) -> UInt32[Array, "batch 1 2"]:
        """What a simulation draws its noise from: its own words, or a key for each row."""
        key = jax.tree.map(lambda x: x[i], self.simulate)
        if walk is not portable:
            return jnp.broadcast_to(key, (batch, 1, 2))
        keys = jax.random.split(key, batch)
        # Generators that are not Threefry seed one for each row.
        rows = _data(keys) if self.fry else jax.vmap(lambda k: jax.random.bits(k, (2,)))(keys)
        return rows[:, None].astype(jnp.uint32)


def _typed(key: Any) -> bool:
    return jnp.issubdtype(key.dtype, jax.dtypes.prng_key)


def _data(key: Any) -> Array:
    return jax.random.key_data(key) if _typed(key) else key


def _is_fry(key: Any) -> bool:
    return str(jax.random.key_impl(key)) == _FRY


class Reach(NamedTuple):
    """How long, how deep, by which loop and where to search: arguments of every policy."""

    num_simulations: Any
    capacity: int | None
    max_depth: int | None
    loop_fn: Callable[..., Any]
    backend: BackendName
    max_bytes: int


def search(
    params: Any,
    key: Any,
    recurrent_fn: Recurrent,
    rule: Picks,
    logits: Float[Array, "batch width"],
    root: Any,
    reach: Reach,
    *,
    considered: tuple[Int[Array, " batch"], int] | None = None,
    chances: bool = False,
) -> Tree:
    """Search from the roots; see `Search` for what the arguments mean.

    No gradients go through it: what they would meet is a loop of comparisons.
    """
    params, rule, logits, root = _constant((params, rule, logits, root))
    budget = Budget.of(reach.num_simulations, reach.capacity, logits.shape[0])
    tree = plant(rule, logits, root.value, root.embedding, budget, reach.max_bytes)
    walk = portable
    # The kernels split Threefry's keys, in the way that has been JAX's default since 0.5.
    if _is_fry(key) and getattr(jax.config, "jax_threefry_partitionable", True):
        walk = backend_for(rule, tree, reach.backend)
    depth = budget.capacity if reach.max_depth is None else reach.max_depth
    turns = None
    if considered is not None:
        simulations = jnp.arange(budget.capacity + 1)[:, None]
        turns = considered_visits(simulations, budget.rows, *considered)
    run = Search(
        params, recurrent_fn, rule, budget, Keys.of(key, budget.capacity, walk), walk,
        max(1, min(depth, budget.capacity + 1)), chances, turns, Blank.of(budget.rows),
    )  # fmt: skip
    loop_fn = None if reach.loop_fn in (None, jax.lax.fori_loop) else reach.loop_fn
    return run.run(tree, loop_fn)


def _constant(tree: Any) -> Any:
    """The same without gradients; leaves that are not arrays are left alone."""
    return jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, tree)


def plant(
    rule: Picks,
    logits: Float[Array, "batch width"],
    value: Array,
    embedding: Any,
    budget: Budget,
    max_bytes: int,
) -> Tree:
    """Trees of the roots alone."""
    state = (embedding, logits)
    size = size_in_bytes(state, logits.shape[1], budget.capacity)
    if size > max_bytes:
        raise TooLargeError(
            f"Trees of {budget.capacity} nodes for {logits.shape[0]} rows would take {size:,} "
            f"bytes, more than max_bytes={max_bytes:,}. Use smaller batches or fewer simulations, "
            "or raise max_bytes."
        )
    tree = empty(state, logits.shape[1], budget.capacity, prove=False, running=True)
    kept = rule.kept(logits, jnp.zeros(logits.shape[0], bool))
    if isinstance(rule, MuZero):
        masked = jnp.pad(rule.invalid != 0, ((0, 0), (0, kept.shape[1] - rule.actions)))
        kept = jnp.where(masked, -1.0, kept)
    nodes = tree.nodes.at[:, 0, COUNT].set(1.0)
    nodes = nodes.at[:, 0, TOTAL].set(value).at[:, 0, VALUE].set(value)
    edges = tree.edges.at[:, 0, LOGIT].set(kept)
    return eqx.tree_at(lambda t: (t.edges, t.nodes), tree, (edges, nodes))


class Blank(eqx.Module):
    """What every round needs and none changes: worked out once, not in every round of the loop."""

    limits: Int[Array, "batch 2"]
    seed: UInt32[Array, " batch"]
    ceilings: Float[Array, "2"]
    free: Int[Array, "batch 1"]
    none: Int[Array, " batch"]
    no: Bool[Array, " batch"]
    sign: Float[Array, " batch"]

    @staticmethod
    def of(rows: Int[Array, " batch"]) -> "Blank":
        """For so many simulations in each row."""
        batch = rows.shape[0]
        none = jnp.zeros(batch, jnp.int32)
        made = (
            jnp.stack([rows, rows], axis=-1), none.astype(jnp.uint32), jnp.zeros(2),
            jnp.full((batch, 1), FREE, jnp.int32), none, jnp.zeros(batch, bool), jnp.ones(batch),
        )  # fmt: skip
        return Blank(*jax.lax.optimization_barrier(made))


@dataclass(frozen=True, eq=False)
class Search:
    """One search: a stranger's function, a rule, and how long and how deep to go."""

    params: Any
    recurrent_fn: Recurrent
    rule: Picks
    budget: Budget
    keys: Keys
    walk: ModuleType
    depth: int
    chances: bool
    """Whether decisions and chance take turns; the embedding then says whose turn it is."""
    turns: Int[Array, "simulations batch"] | None
    """How often an action must have been visited for its turn; None without halving."""
    blank: Blank

    def run(self, tree: Tree, loop_fn: Callable | None) -> Tree:
        """All simulations; with `loop_fn` as many rounds as there is room for."""
        batch = tree.size.shape[0]
        tally = jnp.zeros((batch, TALLY_SLOTS), jnp.int32)
        start = self._turn(tree, tally, None, jnp.int32(0))
        if loop_fn is not None:
            if self.budget.capacity == 0:
                return tree
            _, tree, _, _ = loop_fn(
                0, self.budget.capacity, lambda _, carry: self._round(carry), start
            )
            return tree
        return jax.lax.while_loop(lambda carry: carry[3].going > 0, self._round, start)[1]

    def _round(self, carry: tuple) -> tuple:
        i, tree, tally, ask = carry
        step = self._step(i, ask)
        return self._turn(tree, tally, (ask, step), i + 1)

    def _turn(
        self, tree: Tree, tally: Array, asked: tuple[Ask, Step] | None, i: Int[Array, ""]
    ) -> tuple:
        """Insert what simulation i - 1 found and find where simulation i leads."""
        blank, rule, noise = self.blank, self.rule, None
        terms = Terms(blank.limits, blank.seed, blank.ceilings, None, self.depth)
        if self.turns is None:
            last = jnp.maximum(0, jnp.minimum(i, self.budget.capacity - 1))
            noise = self.keys.noise(last, tree.size.shape[0], self.walk)
        else:
            rule = eqx.tree_at(lambda r: r.considered, rule, self.turns[i])
        tree = eqx.tree_at(lambda t: t.size, tree, jnp.full_like(tree.size, jnp.maximum(i, 1)))
        done = self.walk.turn(rule, terms, tree, tally, asked, blank.free, noise)
        return i, done.tree, done.tally, done.ask

    def _step(self, i: Int[Array, ""], ask: Ask) -> Step:
        """Ask the stranger, and hold the answer to its shapes."""
        (embedding, logits), action = ask.before, ask.leaf.action[:, 0]
        key = jax.tree.map(lambda x: x[i], self.keys.expand)
        answer, after = self.recurrent_fn(self.params, key, action, embedding)
        batch, blank = action.shape[0], self.blank
        after = _like(after, embedding)
        told = [
            _number(getattr(answer, name), name, shape)
            for name, shape in (
                ("reward", (batch,)), ("discount", (batch,)), ("value", (batch,)),
                ("prior_logits", logits.shape),
            )
        ]  # fmt: skip
        reward, discount, value, given = told
        chance = ~after.is_decision_node if self.chances else blank.no
        return Step(
            (after, given), reward, discount, value, self.rule.kept(given, chance), blank.sign,
            blank.no, chance, blank.none, blank.none, faults=blank.none, stuck=blank.no,
        )  # fmt: skip


def _number(x: Any, name: str, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """One of the model's answers in single precision, if it has the right shape."""
    found = jnp.shape(x)
    if found != shape:
        raise ContractError(
            f"The model's {name} must have shape {list(shape)}, one row for each of the batch; got "
            f"{list(found)}."
        )
    return jnp.asarray(x).astype(jnp.float32)


def _like(new: Any, old: Any) -> Any:
    """The new embedding, if it is of the same kind as the one it follows."""
    if jax.tree.structure(new) != jax.tree.structure(old):
        raise ContractError(
            f"The model's new embedding must have the structure of the old one, "
            f"{jax.tree.structure(old)}; got {jax.tree.structure(new)}."
        )

    def check(path: Any, a: Any, b: Any) -> Array:
        a = jnp.asarray(a)
        if a.shape != b.shape or not jnp.can_cast(a.dtype, b.dtype, "same_kind"):
            raise ContractError(
                f"The model's new embedding{jax.tree_util.keystr(path)} must be {b.dtype}"
                f"{list(b.shape)} as the old one; got {a.dtype}{list(a.shape)}."
            )
        return a.astype(b.dtype)

    return jax.tree_util.tree_map_with_path(check, new, old)


def in_turn(decision_fn: Recurrent, chance_fn: Recurrent, actions: int) -> Recurrent:
    """One function of the two: both are asked, and a node's turn decides who is heard."""

    def recurrent_fn(params: Any, key: Any, action: Any, state: Any) -> tuple[Any, Any]:
        turn = state.is_decision_node
        acted, after = decision_fn(params, key, action, state.state_embedding)
        lucky, next_state = chance_fn(params, key, action - actions, state.afterstate_embedding)
        batch, outcomes = jnp.shape(acted.chance_logits)
        told = {
            "reward": (jnp.zeros(batch), lucky.reward),
            "discount": (jnp.ones(batch), lucky.discount),
            "value": (acted.afterstate_value, lucky.value),
            "prior_logits": (
                jnp.pad(acted.chance_logits, ((0, 0), (actions, 0)), constant_values=-jnp.inf),
                jnp.pad(lucky.action_logits, ((0, 0), (0, outcomes)), constant_values=-jnp.inf),
            ),
        }
        heard = {
            name: jnp.where(turn.reshape(-1, *[1] * (jnp.ndim(a) - 1)), a, b)
            for name, (a, b) in told.items()
        }
        new = StochasticRecurrentState(
            state_embedding=next_state, afterstate_embedding=after, is_decision_node=~turn
        )
        return RecurrentFnOutput(**heard), new

    return recurrent_fn
