"""Monte Carlo tree search as a decider."""

import dataclasses
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Key

from ...core import clock
from ...core.answering import answer_filled
from ...core.budget import Budget
from ...core.decider import Decider, Decision, Memory, row_keys
from ...core.errors import (
    BatchMismatchError,
    BudgetError,
    ForeignMemoryError,
    UnknownNameError,
    UnsuitableTaskError,
)
from ...core.host import size_for
from ...core.keys import as_typed_keys
from ...core.noise import Seed
from ...core.objective import Objective, wanted
from ...core.task import (
    State,
    Task,
    batch_size,
    check_batch,
    check_is_task,
    is_concrete,
    is_outside,
)
from ..checks import check_memory
from ..evaluators import Evaluator, RandomRollouts
from . import reuse as memories
from .backends import portable
from .backends.choice import BackendName, backend_for
from .calling import Asked, Forms, answered_at_once, call_of, layout
from .engine import Outcome
from .limits import Limits, check_prior, far_apart, host_limits, needed, room_for
from .models.base import Model
from .models.sampled import Sampling, check_sampling
from .reuse import Remembered
from .rules import PUCT, UCT, Gumbel, Rule
from .running import Order, Running, Setting, keep, whole
from .stopping import Never, Stopping
from .tree import Form, size_in_bytes

RULES = {"uct": UCT, "puct": PUCT, "gumbel": Gumbel}
_NEVER = Never()
_CROWD = 16
"""Rows of a batch from which on it pays that those which have finished leave it."""
_NO_STATES = "A search needs at least one state; got an empty batch."
_FORMS = Forms()
"""Of calls outside of compiled functions: what is checked by their form alone was checked once."""


class TreeSearch(Decider):
    """Searches when asked: builds a tree from each state by simulation and answers from its root.

    `rule` is UCT, PUCT or Gumbel (an instance, or its name); `evaluator` judges leaves (random
    rollouts unless given). `budget` is what a decision may spend when the caller names none. With
    `prove` (the default) values that are certain are proved and a proved root ends its search
    early: of its equally good actions the one that holds out longest is taken, of wins the
    quickest; without it the search is the paper's own. `sampling` lets each node search over a few
    sampled actions, of many or of continuous ones (`Sampling`); then nothing is proved, since the
    best of some proves nothing of all. `stopping` may end a row's search before its
    budget (`tree_search.stopping`).

    Trees have room for `capacity` simulations; a larger budget doubles the room until it fits, at
    the price of compiling anew. Inside of a compiled function budgets are data that nobody can look
    at: there, and there alone, no row takes more than `capacity` simulations, whatever its budget
    (unless that is a plain number). `max_bytes` bounds the memory of one batch of trees.

    A cap on model steps is looked at between simulations, so the last one may pass it; it also caps
    the simulations. A limit of seconds (`Budget(seconds=...)`) is one for the whole batch and for
    use outside of compiled functions; without a number of simulations beside it, up to `capacity`
    are taken. It is kept to about a tenth or one round of simulations, and begins once everything
    is compiled.

    With `reuse` the trees are the decider's memory, and a search goes on with what an earlier one
    grew below the state that play has come to, exactly as if that had been grown now; the budget is
    for new simulations, and `spent` counts nothing else. A row starts afresh where its state is not
    in the remembered tree, the objective is another one, or the subtree leaves no room for the
    budget: several times the budget is a good `capacity`. The memory is as large as the trees of
    `capacity`; a tree that outgrew that is forgotten.

    The decision's `root` has visits and values of each action, and the first `line` actions of the
    principal variation.

    Chance is met at chance nodes, for tasks that list what it can do (`Task.outcomes`). Raises
    `UnsuitableTaskError` for hidden state, chance that is not listed, continuous actions or more
    than two players, and once a search has met rewards by which two players do not have opposite
    aims (see `HistorySearch`), `BudgetError` for budget 0 without a prior or seconds in
    a compiled function, `TooLargeError` before allocating more than `max_bytes`, `NonFiniteError`
    if the evaluator or the objective gives NaN or infinity, `NoLegalActionError` if a state in the
    tree is live and leaves nothing to do, and `ForeignMemoryError` for a memory not its own.
    """

    task: Task
    rule: Rule
    """How to choose, on the way down and at the root."""
    evaluator: Evaluator
    """What leaves are worth."""
    budget: Budget
    stopping: Stopping
    """When to end before the budget."""
    reuse: bool = eqx.field(static=True)
    prove: bool = eqx.field(static=True)
    backend: BackendName = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    max_bytes: int = eqx.field(static=True)
    line: int = eqx.field(static=True)
    sampling: Sampling | None

    def __init__(
        self,
        task: Task,
        rule: Rule | str = "uct",
        evaluator: Evaluator | None = None,
        *,
        budget: Budget | int = 128,
        sampling: Sampling | None = None,
        stopping: Stopping = _NEVER,
        reuse: bool = False,
        prove: bool = True,
        backend: BackendName = "auto",
        capacity: int = 1024,
        max_bytes: int = 4 * 2**30,
        line: int = 0,
    ):
        _check_suits(task, sampling)
        if isinstance(rule, str) and rule not in RULES:
            raise UnknownNameError("rule", rule, RULES)
        self.task = task
        self.rule = RULES[rule]() if isinstance(rule, str) else rule
        if stopping.by_visits and not self.rule.most_visited:
            raise ValueError(
                f"{type(stopping).__name__} is for rules that answer with the most visited action, "
                f"and {type(self.rule).__name__} does not: use UCT or PUCT, or Never()."
            )
        if stopping.needs_returns and self.rule.shares:
            raise ValueError(
                f"{type(stopping).__name__} looks at the return of each simulation, and "
                f"{type(self.rule).__name__} with lanes takes several at a time: use lanes=1."
            )
        self.evaluator = RandomRollouts() if evaluator is None else evaluator
        self.budget = Budget.of(budget)
        self.stopping, self.reuse = stopping, reuse
        self.sampling, self.prove, self.backend = sampling, prove and sampling is None, backend
        self.capacity, self.max_bytes, self.line = capacity, max_bytes, line

    def __repr__(self) -> str:
        rule, judge = type(self.rule).__name__, type(self.evaluator).__name__
        limits = {"budget": self.budget.simulations, "seconds": self.budget.seconds}
        spend = ", ".join(f"{k}={v}" for k, v in limits.items() if v is not None)
        return f"TreeSearch({self.task!r}, {rule}, {judge}, {spend})"

    def begin(self, batch: int) -> Memory:
        """Nothing remembered yet: room for a tree a row, or None without `reuse`."""
        if not self.reuse:
            return None
        blank, model = self._blank(batch), self._model
        self._check_size(blank, self.capacity)
        return memories.nothing(blank, model.actions, self.capacity, self.prove)

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """Search from every row; see `Decider.decide`."""
        asked = self.budget if budget is None else Budget.of(budget)
        rows = batch_size(state)
        # Trees that are remembered have a size, time is shared by all rows, and networks may round
        # otherwise among more rows.
        whole_numbers = not self.reuse and asked.seconds is None and not self.evaluator.passes
        size = size_for(rows, (self, state, objective, asked, key)) if whole_numbers else rows
        if size != rows:
            found = answer_filled(self.decide, self.task, state, objective, asked, key, size)
            if found is not None:
                return found, memory
        # In pure JAX one program would be fused, and so round, otherwise than its stages.
        at_a_time = asked.seconds is None and backend_for(self.rule, self.backend) is not portable
        if at_a_time and is_outside((self, state, memory, objective, asked, key)):
            return at_once(self, state, memory, objective, asked, key)
        setting = self._setting(objective)
        order = self._order(state, memory, asked, key)
        if not is_concrete((setting, order)):
            return self._traced(setting, order, asked, memory)
        running = Running(setting, order, asked.seconds)
        running.finish()
        decision = running.answer()
        return decision, running.memory() if self.reuse else memory

    def anytime(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> Iterator[Decision]:
        """Better and better answers to what `decide` is asked, after 1, 2, 4, 8... rounds.

        A round is a simulation of every row that has any left, or as many as the rule can take side
        by side. The caller may stop at any time. The last answer is that of `decide`, and `spent`
        counts from the start. Under a limit of seconds the clock runs on between answers. Raises
        what `decide` does, and `BudgetError` in a compiled function.
        """
        asked = self.budget if budget is None else Budget.of(budget)
        setting = self._setting(objective)
        order = self._order(state, memory, asked, key)
        if not is_concrete((setting, order)):
            raise BudgetError(
                "An anytime answer cannot be part of a compiled program: nobody could look at it. "
                "Call `anytime` outside of `jit`, or `decide` with a number of simulations."
            )
        running = Running(setting, order, asked.seconds)
        return (running.answer() for _ in running.pauses())

    @property
    def _model(self) -> Model:
        return self._setting(None).model

    def _blank(self, batch: int) -> State:
        """States of the form that nodes keep."""
        keys = jax.ShapeDtypeStruct((batch,), jax.random.key(0).dtype)
        form = jax.eval_shape(lambda k: self._model.enter(jax.vmap(self.task.init)(k)), keys)
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), form)

    def _check_size(self, entered: State, capacity: int) -> None:
        trees = 2 if self.reuse else 1
        size = trees * size_in_bytes(entered, self._model.actions, capacity)
        check_memory(size, self.max_bytes, capacity, batch_size(entered))

    def _setting(self, objective: Objective | None) -> Setting:
        return Setting(
            self.task, wanted(self.task, objective),
            self.rule, self.evaluator, self.stopping, self.prove,
            # Looked up at every call, so that a change of the environment is heard.
            backend_for(self.rule, self.backend), self.line, self.sampling,
        )  # fmt: skip

    def _order(
        self, state: State, memory: Memory, asked: Budget, key: Key[Array, "*batch"]
    ) -> Order:
        """What is asked for, checked as far as it can be looked at."""
        batch = batch_size(state)
        if batch == 0:
            raise BatchMismatchError(_NO_STATES)
        limits = Limits(*asked.untimed(self.capacity).rows(batch))
        check_batch(self.task, state)
        check_prior(repr(self), self.task, self.evaluator, state, limits)
        capacity = needed(limits, self.capacity, asked)
        entered = self._model.enter(state)
        self._check_size(entered, capacity)
        if not self.reuse:
            memory = None
        elif memory is None:
            memory = self.begin(batch)
        else:
            memory = self._own(memory, entered, batch)
        reserve = None
        if asked.seconds is not None and asked.simulations is None:
            # Nobody knows how many it will be: a tree that fills half of the room is gone on with.
            reserve = jnp.minimum(limits.model_steps, self.capacity // 2)
        return Order(state, limits, row_keys(key, batch), capacity, memory, reserve)

    def _own(self, memory: Memory, entered: State, batch: int) -> Remembered:
        """The memory, if it can be this decider's; it may have been copied, or saved."""
        if not isinstance(memory, Remembered):
            raise ForeignMemoryError(
                f"{self!r} with reuse remembers trees; got a memory of {type(memory).__name__}. "
                "Start with `begin(batch)` and hand on what `decide` returns."
            )
        rows, nodes, _, actions = memory.tree.edges.shape
        if rows != batch:
            raise BatchMismatchError(f"A memory of {rows} rows for a batch of {batch}.")
        form = Form.of(entered)
        found = (memory.tree.form, nodes, actions, memory.tree.prove)
        own = (form, self.capacity + 1, self._model.actions, self.prove)
        if found[1:] != own[1:] or not form.is_like(memory.tree.form):
            raise ForeignMemoryError(
                f"The memory is of other trees (states, nodes, actions, proofs): {found}, not "
                f"{own}. A memory belongs to the decider that gave it."
            )
        return dataclasses.replace(memory, tree=dataclasses.replace(memory.tree, form=form))

    def _traced(
        self, setting: Setting, order: Order, asked: Budget, memory: Memory
    ) -> tuple[Decision, Memory]:
        if asked.seconds is not None:
            raise BudgetError(
                "A limit of seconds cannot be kept inside of a compiled function, which has no "
                "clock: give simulations, or call `decide` outside of `jit`."
            )
        decision, outcome = whole(setting, order)
        if order.memory is not None:
            memory = keep(setting, outcome, order.memory)
        return decision, memory


def _check_suits(task: Task, sampling: Sampling | None) -> None:
    check_is_task(task)
    traits = task.traits
    check_sampling(task, sampling)
    if not traits.fully_observable or not (traits.deterministic or traits.outcomes):
        what = "chance that is not listed" if traits.fully_observable else "hidden state"
        raise UnsuitableTaskError(
            f"{task!r} has {what}: TreeSearch serves tasks in full view whose chance, if any, "
            "`Task.outcomes` lists, or it would plan on one sampled future. Use "
            "`HistorySearch(task, ...)`"
            + (
                ", or `TreeSearch(SampledChance(task, 16))` (deliberation.adapters)."
                if traits.fully_observable
                else "."
            )
        )
    if traits.players not in (1, 2):
        raise UnsuitableTaskError(
            f"{task!r} has {traits.players} players: TreeSearch serves tasks of one player, or of "
            "two with opposite aims."
        )


def at_once(
    search: TreeSearch, state: State, memory: Memory, objective: Objective | None, asked: Budget,
    key: Key[Array, "*batch"], mesh: Mesh | None = None,
) -> tuple[Decision, Memory]:  # fmt: skip
    """`decide` outside of compiled functions, without a limit of seconds, maybe on several devices.

    A function, as Equinox takes longer to bind a method than most of these lines take.
    """
    started, batch = clock.now(), batch_size(state)
    if batch == 0:
        raise BatchMismatchError(_NO_STATES)
    limits = host_limits(asked, batch)
    capacity = room_for(int(np.minimum(limits[0], limits[1]).max()), search.capacity)
    parts = (
        search.task, wanted(search.task, objective), search.rule, search.evaluator,
        search.stopping, search.sampling,
    )  # fmt: skip
    # The back end is looked up at every call, so that a change of the environment is heard.
    backend = backend_for(search.rule, search.backend)
    # On an accelerator a smaller batch takes hardly less time, and may round otherwise.
    leave = backend is not portable and batch >= _CROWD
    leave = leave and far_apart(limits, isinstance(search.stopping, Never))
    call, arrays = call_of(parts, search.prove, backend, search.line, capacity, leave, mesh)
    form = (call, layout(arrays), layout(state), search.max_bytes, search.reuse)
    kept = None
    if form not in _FORMS.known:
        kept = search._order(state, memory, asked, key).memory
        _FORMS.keep(form, jax.eval_shape(search._model.enter, state))
    elif search.reuse and memory is not None:
        kept = search._own(memory, _FORMS.known[form], batch)
    elif search.reuse:
        kept = search.begin(batch)
    if limits.min() == 0:
        rows = Limits(*jnp.asarray(limits))
        check_prior(repr(search), search.task, search.evaluator, state, rows)
    noise = as_typed_keys(key)
    # One key is split within the program.
    given = Asked(state, limits.T, row_keys(noise, batch) if noise.ndim else noise, kept)
    decision, kept = answered_at_once(call, arrays, parts, given, started)
    return decision, kept if search.reuse else memory


def plan(
    planner: TreeSearch,
    objective: Objective,
    state: State,
    limits: Limits,
    seed: Seed,
    capacity: int,
    backend: BackendName | None = None,
) -> tuple[Decision, Outcome]:
    """Search and read the answer; pure, for use inside of a larger compiled loop.

    Nothing is checked here: the caller looks at `outcome.sound`, and no row takes more than
    `capacity` simulations, whatever its limits. Nothing is remembered; seconds are left at zero.
    """
    setting = Setting(
        planner.task, objective, planner.rule, planner.evaluator, planner.stopping, planner.prove,
        backend_for(planner.rule, planner.backend if backend is None else backend),
        planner.line, planner.sampling,
    )  # fmt: skip
    return whole(setting, Order(state, limits, seed, capacity))
