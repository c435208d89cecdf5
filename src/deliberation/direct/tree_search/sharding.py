"""The rows of a batch spread over several devices, the decider as it is on each of them."""

from typing import Any

import equinox as eqx
from jax.sharding import AxisType, Mesh
from jaxtyping import Array, Key

from ...core import clock
from ...core.answering import checked_keys, timed
from ...core.budget import Budget
from ...core.decider import Decider, Decision, Memory, check_finite
from ...core.errors import BatchMismatchError
from ...core.objective import Objective
from ...core.task import State, Task, batch_size, check_actions, is_outside
from .calling import spread
from .decider import TreeSearch, at_once


class ShardedRows(Decider):
    """A decider whose batches are spread over the devices of a mesh; see `shard_rows`."""

    of: Decider
    mesh: Mesh = eqx.field(static=True)

    def __init__(self, of: Decider, mesh: Mesh):
        self.of, self.mesh = of, mesh

    @property
    def task(self) -> Task:
        """That of the decider."""
        return self.of.task

    def begin(self, batch: int) -> Memory:
        """As the decider begins; its memory is spread as the states are."""
        return self.of.begin(batch)

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """The decider's own answers; see `Decider.decide`. Raises `BatchMismatchError`, too."""
        started, batch = clock.now(), batch_size(state)
        if batch == 0 or batch % self.mesh.size:
            raise BatchMismatchError(
                f"{batch} rows cannot be spread evenly over {self.mesh.size} devices: give a "
                "multiple, filled up with terminal states if need be."
            )
        asked = getattr(self.of, "budget", None) if budget is None else Budget.of(budget)
        concrete = is_outside((self.of, state, memory, objective, asked, key))
        timeless = asked is None or asked.seconds is None
        if isinstance(self.of, TreeSearch) and asked is not None and concrete and timeless:
            return at_once(self.of, state, memory, objective, asked, key, self.mesh)
        keys = checked_keys(self.task, state, asked, key)
        limits = None if asked is None else asked.rows(batch)
        given = (self.of, objective)
        decision, memory = _spread_out(self.mesh, given, (state, memory, limits, keys))
        if not concrete:
            return decision, memory
        check_finite(repr(self.of), weights=decision.weights, value=decision.value)
        check_actions(self.task, state, decision.action)
        return timed(decision, started), memory


def shard_rows(decider: Decider, mesh: Mesh) -> ShardedRows:
    """The same decider with the rows of its batches spread over the devices of a mesh.

    Each device takes as many rows, in order, over all axes of the mesh, and everything else is on
    each of them. Answers do not change (a row's depends on no other row), but for what a network
    rounds otherwise in a smaller batch: on CPUs nothing from some eight rows a device on. Any
    decider serves that can be part of a compiled program; a `TreeSearch` refuses whatever it
    refuses by itself. Batches must be multiples of the devices, and no limit of seconds is kept.

        mesh = jax.make_mesh((jax.device_count(),), ("rows",))
        decision, _ = shard_rows(search, mesh).decide(states, key=key)
    """
    # Arrays come from anywhere and are laid out as needed, whatever types the mesh's axes have.
    auto = (AxisType.Auto,) * len(mesh.axis_names)
    return ShardedRows(decider, Mesh(mesh.devices, mesh.axis_names, axis_types=auto))


@eqx.filter_jit
def _spread_out(mesh: Mesh, given: tuple[Decider, Objective | None], rows: Any) -> Any:
    arrays, rest = eqx.partition(given, eqx.is_array)

    def part(arrays: Any, rows: Any) -> Any:
        decider, objective = eqx.combine(arrays, rest)
        state, memory, limits, keys = rows
        budget = None if limits is None else Budget(*limits)
        return decider.decide(state, memory, objective=objective, budget=budget, key=keys)

    return spread(mesh, part)(arrays, rows)
