"""A decision in one compiled program, and with one look at what came of it.

A search of a few simulations takes less time than Python takes to ask for it piece by piece. So
everything that can be known before is looked up by the form of the call (what its program would
depend on), and all that can only be known after it comes back as one flag.
"""

import functools
from collections.abc import Callable, Hashable
from types import ModuleType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Int, Key

from ...core import clock
from ...core.decider import Decision
from ...core.keys import as_typed_keys
from ...core.objective import Objective
from ...core.task import State, Task, check_batch
from ..checks import check_opposed, check_sound, check_stuck
from ..evaluators import Evaluator
from ..faults import IN_AIMS
from .limits import Limits
from .models.sampled import Sampling
from .reuse import Remembered
from .rules import Rule
from .running import Order, Setting, keep, whole
from .stopping import Stopping

Parts = tuple[Task, Objective, Rule, Evaluator, Stopping, Sampling | None]
"""What a setting is made of, its compiled form aside."""
_MOST_FORMS = 4096


class Call(NamedTuple):
    """What the program of a call depends on beside the shapes of its arrays; see `Setting`."""

    structure: Any
    constants: tuple[Any, ...]
    """The leaves of the parts, with None where there is an array."""
    prove: bool
    backend: ModuleType
    line: int
    capacity: int
    leave: bool
    mesh: Mesh | None
    """The devices over which the rows are spread; None: that on which they are."""

    def setting(self, arrays: list[Array]) -> Setting:
        """The parts together again."""
        given = iter(arrays)
        leaves = [next(given) if x is _ARRAY else x for x in self.constants]
        task, objective, rule, evaluator, stopping, sampling = jax.tree.unflatten(
            self.structure, leaves
        )
        return Setting(
            task, objective, rule, evaluator, stopping, self.prove, self.backend, self.line,
            sampling,
        )  # fmt: skip


class _Hole:
    """Where a call has an array: equal to itself alone."""


_ARRAY = _Hole()


def call_of(
    parts: Parts,
    prove: bool,
    backend: ModuleType,
    line: int,
    capacity: int,
    leave: bool,
    mesh: Mesh | None = None,
) -> tuple[Call, list[Any]]:
    """The call, and the arrays that it goes with."""
    leaves, structure = jax.tree.flatten(parts)
    arrays = [x for x in leaves if eqx.is_array(x)]
    constants = tuple(_ARRAY if eqx.is_array(x) else x for x in leaves)
    return Call(structure, constants, prove, backend, line, capacity, leave, mesh), arrays


def layout(state: State) -> Hashable:
    """How a batch of states is laid out."""
    leaves, structure = jax.tree.flatten(state)
    return structure, tuple((x.shape, x.dtype) for x in leaves)


class Forms:
    """What was found of calls, by their form: a form that was seen need not be checked again."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Any] = {}

    def keep(self, form: Hashable, found: Any) -> None:
        """Remember it."""
        if len(self.known) >= _MOST_FORMS:
            self.known.clear()
        self.known[form] = found


class Asked(NamedTuple):
    """The arrays of a call: `limits` are simulations and model steps, `noise` one key or many."""

    state: State
    limits: Int[np.ndarray, "batch 2"] | Int[Array, "batch 2"]
    noise: Key[Array, "*batch"]
    memory: Remembered | None


class _Found(NamedTuple):
    decision: Decision
    memory: Remembered | None
    faults: Int[Array, " batch"]
    stuck: Bool[Array, " batch"]
    wrong: Bool[Array, "*batch"]
    """Whether there is anything to refuse: in which rows, then in any."""


@functools.partial(jax.jit, static_argnums=0)
def searched(call: Call, arrays: list[Array], asked: Asked) -> _Found:
    """The whole search; what would have to be refused is looked for, and refused outside."""
    rows = asked._replace(noise=as_typed_keys(asked.noise, asked.limits.shape[0]))
    search = functools.partial(_search, call)
    found = (search if call.mesh is None else spread(call.mesh, search))(arrays, rows)
    return found._replace(wrong=found.wrong.any())


def _search(call: Call, arrays: list[Array], asked: Asked) -> _Found:
    """The search of some rows, by limits and keys of each."""
    setting = call.setting(arrays)
    limits, task = Limits(*asked.limits.T), setting.task
    order = Order(asked.state, limits, asked.noise, call.capacity, asked.memory, leave=call.leave)
    decision, outcome = whole(setting, order)
    memory = None if asked.memory is None else keep(setting, outcome, asked.memory)
    dead_end = jax.vmap(lambda s: ~task.terminated(s) & ~task.legal(s).any())(asked.state)
    wrong = dead_end | outcome.stuck | (outcome.faults != 0)
    return _Found(decision, memory, outcome.faults, outcome.stuck, wrong)


def spread(mesh: Mesh, part: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of what is common and of trees of rows, each device with a part of the rows."""
    rows = PartitionSpec(mesh.axis_names)
    return jax.shard_map(
        part, mesh=mesh, in_specs=(PartitionSpec(), rows), out_specs=rows, check_vma=False
    )


def answered_at_once(
    call: Call, arrays: list[Array], parts: Parts, asked: Asked, started: float
) -> tuple[Decision, Remembered | None]:
    """The decision and the memory; refused as `Running.answer` does where anything was wrong."""
    found = searched(call, arrays, asked)
    if bool(found.wrong):
        task, _, _, evaluator, *_ = parts
        check_batch(task, asked.state)
        check_stuck(task, found.stuck)
        check_opposed(task, (found.faults & IN_AIMS) == 0, "tree search")
        check_sound(evaluator, found.faults == 0, found.faults)
    rows = found.faults.shape[0]
    seconds = jnp.asarray(np.full(rows, (clock.now() - started) / rows, np.float32))
    leaves, structure = jax.tree.flatten(found.decision)
    leaves[_place_of_seconds(structure)] = seconds
    return jax.tree.unflatten(structure, leaves), found.memory


@functools.lru_cache(maxsize=64)
def _place_of_seconds(structure: Any) -> int:
    """Which leaf of a decision says how long it took; to build a module anew takes far longer."""
    numbered = jax.tree.unflatten(structure, range(structure.num_leaves))
    return numbered.spent.seconds
