"""What deciders make of one state: each action's prior, visits and value, and the best line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ..core.decider import Decision
from ..core.errors import ContractError, TooLargeError, UnsuitableTaskError
from ..core.keys import named_key
from ..core.objective import Objective
from ..core.picture import Picture, Place
from ..core.root import with_line
from ..core.task import State, Task, stopped
from ..direct.exact import Solution, solve
from ..tasks.moves import Game, action_name
from .naming import Named

DEPTH = 8
"""So many actions of a line are shown."""
MOST_STATES = 50_000
"""A position that leads to more states than this is not solved on the spot."""
MOST_BYTES = 2**28
"""Nor one whose states take more room: those of chess hold all that was played."""


class Step(NamedTuple):
    """A move of a line: the action, its name, who makes it, and a cell (or None).

    The cell is where a stone is put, or where one comes to stand.
    """

    action: int
    name: str
    mover: int
    place: Place | None


@dataclass(frozen=True, eq=False)
class View:
    """What one decider makes of one state.

    Arrays have an entry for each action (of the decision's `candidates` where actions are
    continuous); those that the decider does not tell are None. `values` are NaN where unknown.
    Values are for the player to move.
    """

    name: str
    action: Any
    value: float
    weights: np.ndarray
    visits: np.ndarray | None = None
    values: np.ndarray | None = None
    prior: np.ndarray | None = None
    line: tuple[int, ...] = ()
    candidates: np.ndarray | None = None
    exact: bool = False


def view(
    named: Named, state: State, key: Key[Array, ""], objective: Objective | None = None,
    memory: Any = None, depth: int = DEPTH,
) -> tuple[View, Any]:  # fmt: skip
    """Ask a decider about one state: what it answers and why, and its memory afterwards."""
    decider = with_line(named.decider, depth)
    batch = jax.tree.map(lambda x: x[None], state)
    memory = decider.begin(1) if memory is None else memory
    decision, memory = decider.decide(
        batch, memory, objective=objective, budget=named.budget, key=key
    )
    return read_view(named.name, decision), memory


def read_view(name: str, decision: Decision) -> View:
    """The first row of a decision as a view."""
    root, first = decision.root, lambda x: np.asarray(x)[0]
    action = first(decision.action)
    seen: dict[str, Any] = {}
    if root is not None:
        visits = first(root.visits)
        seen = {
            "visits": visits,
            "values": np.where(visits > 0, first(root.values), np.nan),
            "prior": None if root.prior is None else first(root.prior),
            "line": tuple(int(a) for a in first(root.line) if a >= 0),
        }
    candidates = None if decision.candidates is None else first(decision.candidates)
    return View(
        name, int(action) if action.ndim == 0 and action.dtype.kind == "i" else action,
        float(first(decision.value)), first(decision.weights), candidates=candidates, **seen,
    )  # fmt: skip


def exact_view(
    task: Task, state: State, objective: Objective | None = None, *,
    max_states: int = MOST_STATES, depth: int = DEPTH,
) -> View | str:  # fmt: skip
    """The exact value of each action, by solving all that can follow; or why it is not known.

    Of two players each plays for its own best. The line is one of perfect play, up to chance.
    """
    if not task.traits.discrete:
        return "not solved: actions are continuous"
    if not task.traits.fully_observable:
        return "not solved: something is hidden"
    start = jax.tree.map(lambda x: jnp.asarray(x)[None], state)
    try:
        solution = solve(task, objective, start=start, max_states=max_states, max_bytes=MOST_BYTES)
    except TooLargeError:
        return (
            f"not solved: more than {max_states:,} states follow, or {MOST_BYTES >> 20} MiB of them"
        )
    except (UnsuitableTaskError, ContractError) as error:
        return f"not solved: {str(error).splitlines()[0]}"
    values = solution.action_values(start)[0]
    best = solution.preferred(start)[0]
    return View(
        "exact", int(np.argmax(best)), float(solution.values(start)[0]),
        best / max(best.sum(), 1), values=np.where(np.isfinite(values), values, np.nan),
        line=_perfect_line(task, solution, start, depth), exact=True,
    )  # fmt: skip


def _perfect_line(task: Task, solution: Solution, state: State, depth: int) -> tuple[int, ...]:
    line: list[int] = []
    key = jax.random.key(0)[None]
    while len(line) < depth and not bool(_stopped(task, state)[0]):
        line.append(int(np.argmax(solution.preferred(state)[0])))
        if not task.traits.deterministic:
            break
        state = _step(task, state, jnp.array([line[-1]], jnp.int32), key)
    return tuple(line)


@eqx.filter_jit
def _stopped(task: Task, state: State) -> Array:
    return jax.vmap(lambda s: stopped(task, s))(state)


@eqx.filter_jit
def _step(task: Task, state: State, action: Array, key: Array) -> State:
    return jax.vmap(task.advance)(state, action, key)


@dataclass(frozen=True, eq=False)
class Look:
    """One position and what several deciders make of it: all that is drawn.

    `names` has a word for each action, `legal` which of them the rules allow here. `drawn` is the
    board that the player to move sees, `shown` the same as text. `notes` say what is not shown.
    """

    title: str
    mover: int
    players: int
    over: bool
    names: tuple[str, ...]
    legal: np.ndarray
    shown: str
    drawn: Picture | None
    views: tuple[View, ...]
    lines: tuple[tuple[Step, ...], ...]
    notes: tuple[str, ...] = ()

    def ranked(self, most: int) -> list[int]:
        """The legal actions in their order, at most so many: those that most is made of."""
        legal = np.flatnonzero(self.legal)
        if len(legal) <= most:
            return legal.tolist()
        weight = sum(
            (v.weights for v in self.views if v.candidates is None), np.zeros(len(self.legal))
        )
        best = sorted(legal, key=lambda a: -weight[a])[:most]
        return sorted(int(a) for a in best)


def look(
    game: Game, title: str, deciders: Sequence[Named], *, exact: bool = True,
    objective: Objective | None = None, max_states: int = MOST_STATES, depth: int = DEPTH,
    listing: Callable[[], None] = lambda: None,
) -> Look:  # fmt: skip
    """Ask deciders about the position that a game has come to, and solve it where that can be:
    `listing` is called before what follows is listed.
    """
    task, notes, views = game.task, [], []
    if not game.over:
        views = [view(d, game.state, _key(game), objective, depth=depth)[0] for d in deciders]
        found: View | str = ""
        if exact:
            listing()
            found = exact_view(task, game.state, objective, max_states=max_states)
        if isinstance(found, View):
            views.append(found)
        elif found:
            notes.append(found)
    traits = task.traits
    count = traits.actions if traits.discrete else 0
    return Look(
        title, game.mover, traits.players, game.over,
        tuple(action_name(task, a) for a in range(count)), game.legal[:count],
        task.render(game.state) if game.over else task.render_seen(game.state),
        task.picture(game.state), tuple(views),
        tuple(steps_of(game, v.line) for v in views), tuple(notes),
    )  # fmt: skip


def steps_of(game: Game, line: Sequence[int]) -> tuple[Step, ...]:
    """A line of actions in words, with the cells they are about where a board is drawn.

    It is played and taken back; of a task that hides something only its first move is drawn.
    """
    steps: list[Step] = []
    before, task = len(game.actions), game.task
    for action in line:
        if game.over or not game.legal[action]:
            break
        drawn = None if steps and not task.traits.fully_observable else task.picture(game.state)
        place, mover = None if drawn is None else drawn.places[action], game.mover
        game.play(action)
        if drawn is not None and drawn.here is not None:
            # Where one comes to stand, which a wall may keep one from; nothing hidden is told.
            after = task.picture(game.state) if task.traits.fully_observable else None
            place = None if after is None else after.here
        steps.append(Step(action, action_name(task, action), mover, place))
    while len(game.actions) > before:
        game.undo()
    return tuple(steps)


def _key(game: Game) -> Key[Array, ""]:
    return jax.random.fold_in(named_key(game.key, "deciders"), len(game.actions))
