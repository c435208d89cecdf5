"""What all deciders share: checking the arguments of `decide`, and building the `Decision`."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, Num, Shaped

from . import clock
from .budget import UNLIMITED, Budget
from .decider import Decider, Decision, Memory, row_keys
from .errors import ForeignStateError, TooLargeError, WrongKindError
from .failures import as_raised
from .host import cut, filled, has_rows, size_for
from .keys import KeyLike
from .ledger import Ledger
from .objective import Objective, wanted
from .root import RootStatistics
from .rows import beside, in_32_bits, saturated
from .task import State, Task, batch_size, check_batch, is_concrete

Counts = Num[Array, " batch"] | Num[np.ndarray, " batch"] | int | float


class Question(eqx.Module):
    """A checked call of `decide`, with its defaults filled in.

    `objective` is the one to be followed: the caller's, else the task's. `budget` is the caller's,
    else the decider's own, else None. `keys` has one key for each row. `given` is the caller's
    objective, None where it named none: for deciders with a default of their own.
    """

    state: State
    memory: Memory
    objective: Objective
    budget: Budget | None
    keys: Key[Array, " batch"]
    given: Objective | None = None

    def is_other(self, task: Task) -> bool:
        """Whether the caller named an objective that is not the task's own."""
        if self.given is None:
            return False
        known = is_concrete((self.given, task))
        return not (known and bool(eqx.tree_equal(self.given, task.objective)))

    @property
    def limits(self) -> tuple[Int[Array, " batch"], Int[Array, " batch"]]:
        """The simulations and the model steps that each row may take."""
        assert self.budget is not None, "only deciders with a budget of their own ask"
        return self.budget.rows(self.keys.shape[0])


class CheckedDecider(Decider):
    """A decider whose `decide` checks its arguments; subclasses implement `choose`.

    `decide` is the same for all of them: it reads the call, refuses what makes no sense, and adds
    the wall time, that of compiling left out. One with a field `budget` falls back on that where
    the caller gives none.

    One that `pads` is asked about batches of few sizes only: others are filled up, so that they
    need no program of their own (`host.filled`). No bit of its answer to a row may depend on how
    many others there are. Where a network is asked that is not so, since its sums are taken in
    another order among more rows: a decider with a part whose `passes` are not 0 is asked as is.
    """

    pads: ClassVar[bool] = False

    @abc.abstractmethod
    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """The decisions for a batch, and the memory that the next call is given."""

    @property
    def keeps_time(self) -> bool:
        """Whether it can keep a budget's limit of seconds; others refuse one, as here."""
        return False

    @as_raised
    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: KeyLike,
    ) -> tuple[Decision, Memory]:
        """Choose for every row of a batch of states; see `Decider.decide`."""
        started = clock.now()
        given = None if budget is None else Budget.of(budget)
        counted = given.untimed(UNLIMITED) if given is not None and self.keeps_time else given
        rows, keys = rows_and_keys(state, counted, key)
        own = getattr(self, "budget", None) if given is None else given
        own = None if own is None else Budget.of(own)
        size = rows
        timed_by_rows = own is not None and own.seconds is not None
        if self.pads and not timed_by_rows and not _asks_network(self) and has_rows(memory, rows):
            size = size_for(rows, (self, state, memory, objective, own, keys))

        def chosen(size: int) -> tuple[Decision, Memory]:
            full = filled((state, memory, own, keys), rows, size)
            check_filled(self.task, state, full[0])
            aim = wanted(self.task, objective)
            question = Question(full[0], full[1], aim, full[2], full[3], objective)
            return cut(self.choose(question), rows, size)

        try:
            decision, memory = chosen(size)
        except TooLargeError:
            if size == rows:
                raise
            decision, memory = chosen(rows)  # as many as were given may fit
        return timed(decision, started), memory


def _asks_network(decider: Decider) -> bool:
    return any(getattr(part, "passes", 0) for part in vars(decider).values())


def asked(
    task: Task, state: State, budget: Budget | int, key: KeyLike
) -> tuple[tuple[Int[Array, " batch"], Int[Array, " batch"]], Key[Array, " batch"]]:
    """((simulations, model steps), keys), each with one entry a row, once the call is checked."""
    keys = checked_keys(task, state, None, key)
    return Budget.of(budget).rows(keys.shape[0]), keys


def checked_keys(
    task: Task, state: State, budget: Budget | int | None, key: KeyLike
) -> Key[Array, " batch"]:
    """A key for each row, once the call is checked; for deciders that take no budget.

    Raises `BudgetError`, `BatchMismatchError`, `WrongKindError`, `ForeignStateError` and
    `NoLegalActionError`.
    """
    _, keys = rows_and_keys(state, budget, key)
    check_batch(task, state)
    return keys


def rows_and_keys(
    state: State, budget: Budget | int | None, key: KeyLike
) -> tuple[int, Key[Array, " batch"]]:
    """How many states there are and a key for each, once they and the budget fit together."""
    batch = batch_size(state)
    if budget is not None:
        Budget.of(budget).host_rows(batch)
    return batch, row_keys(key, batch)


def check_filled(task: Task, state: State, filled_up: State) -> None:
    """What `check_batch` refuses, found out about the states as they were filled up."""
    try:
        check_batch(task, filled_up)
    except ForeignStateError:
        check_batch(task, state)  # which says what was given
        raise


def answer_filled(
    decide: Callable[..., tuple[Decision, Memory]],
    task: Task,
    state: State,
    objective: Objective | None,
    budget: Budget,
    key: KeyLike,
    size: int,
) -> Decision | None:
    """What `decide` answers to rows filled up to so many, cut off again; the call is checked first.

    None where so many do not fit: as many as were given may.
    """
    rows, keys = rows_and_keys(state, budget, key)
    full, limit, keys = filled((state, budget, keys), rows, size)
    check_filled(task, state, full)
    try:
        decision, _ = decide(full, objective=objective, budget=limit, key=keys)
    except TooLargeError:
        return None
    decision = cut(decision, rows, size)
    # The time was shared by rows of which these are some.
    seconds = np.asarray(decision.spent.seconds) * np.float32(size / rows)
    return eqx.tree_at(lambda d: d.spent.seconds, decision, jax.device_put(seconds))


def answer(
    live: Bool[Array, " batch"] | Bool[np.ndarray, " batch"],
    action: Shaped[Array, "batch ..."] | Shaped[np.ndarray, "batch ..."],
    weights: Float[Array, "batch actions"] | Float[np.ndarray, "batch actions"] | None,
    value: Float[Array, " batch"] | Float[np.ndarray, " batch"],
    *,
    model_steps: Counts = 0,
    network_evaluations: Counts = 0,
    flops: Counts = 0.0,
    root: RootStatistics | None = None,
) -> Decision:
    """Build a `Decision`; rows that are not live get a blank answer and cost nothing.

    Actions are numbers (booleans are 0 and 1), and -1 where blank, or continuous and 0; of others,
    as of complex ones, `WrongKindError` is raised. `weights` are all on the one action given where
    they are None. Counts beyond 32 bits stay at the end. Seconds are left at zero: see `timed`.
    """
    parts = (live, action, weights, value, model_steps, network_evaluations, flops)
    # What came from the host is put to the device together: row by row took longer than a policy.
    on_host = not any(isinstance(x, Array) for x in parts)
    xp: Any = np if on_host else jnp
    asked, action = xp.asarray(live), xp.asarray(in_32_bits(action))
    numbered = not jnp.issubdtype(action.dtype, jnp.floating)
    if numbered and not jnp.issubdtype(action.dtype, jnp.integer) and action.dtype != bool:
        raise WrongKindError(
            f"Actions are numbers of what is chosen, or continuous ones; got {action.dtype} of "
            f"shape {list(action.shape)}: answer with whole numbers, or with real ones."
        )

    def row(x: ArrayLike, dtype: type, blank: int = 0) -> Any:
        given = xp.asarray(x).astype(dtype)
        return xp.where(beside(asked, given), given, xp.asarray(blank, dtype))

    rows: dict[str, Any] = {
        "action": row(action, jnp.int32, -1) if numbered else row(action, jnp.float32),
        "weights": row(xp.ones((len(asked), 1)) if weights is None else weights, jnp.float32),
        "value": row(value, jnp.float32),
        "model_steps": row(saturated(model_steps, jnp.int32), jnp.int32),
        "network_evaluations": row(saturated(network_evaluations, jnp.int32), jnp.int32),
        "fits": row(0, jnp.int32),
        "data": row(0, jnp.int32),
        "flops": row(saturated(flops, jnp.float32), jnp.float32),
        "seconds": row(0, jnp.float32),
    }
    rows = jax.device_put(rows) if on_host else rows
    chosen = [rows.pop(name) for name in ("action", "weights", "value")]
    return Decision(*chosen, spent=Ledger(**rows), root=root)


def timed(decision: Decision, started: float) -> Decision:
    """Add the wall time since `started`, shared evenly by live rows; unchanged inside of `jit`.

    `started` is what `clock.now` said: the time in which JAX compiled is left out. Finished rows
    asked for nothing and pay nothing.
    """
    if not is_concrete(decision):
        return decision
    jax.block_until_ready(decision)
    elapsed = clock.now() - started
    live = np.asarray(decision.weights).any(-1)
    seconds = (live * (elapsed / max(int(live.sum()), 1))).astype(np.float32)
    seconds = jax.device_put(seconds)  # which compiles nothing
    return eqx.tree_at(lambda d: d.spent.seconds, decision, seconds)


def uniform_weights(legal: Bool[Array, "batch actions"]) -> Float[Array, "batch actions"]:
    """Evenly over legal actions; zero everywhere if nothing is legal."""
    return legal / jnp.maximum(legal.sum(-1, keepdims=True), 1)
