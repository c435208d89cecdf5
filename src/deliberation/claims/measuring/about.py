"""What kind of world a task is, and so which claims can be measured on it and how."""

import functools
import math

import msgspec

from ...core.errors import TooLargeError, UnsuitableTaskError
from .effort import Effort

SOLVED = {
    "tic_tac_toe": 408, "connect_3_4x4": 7932, "connect_4_5x4": math.inf, "connect_four": math.inf,
    "hex_3x3": 1546, "gridworld": 10, "gridworld_slippery": 17, "gridworld_pits": 36,
    "gridworld(size=9)": 41, "frozen_lake": 8, "cliff_walk": 25, "gridworld(size=7)": 27,
    "gridworld_goals": 214, "gridworld(slip=0.2)": 10, "gridworld(slip=0.4)": 10,
    "gridworld(actions=8)": 10,
}  # fmt: skip
"""Known to be small enough, or to come with solved positions; others are looked at. Of each: how
many different positions may be taught, which `split.teachable` counts for others."""
MOST_STATES = 200_000
"""Worlds of one player with fewer states are examined state by state."""


class About(msgspec.Struct, frozen=True):
    """A task as the claims see it.

    `exact` says that the value of every action in every position is known, so that decisions are
    judged one by one; elsewhere whole episodes are played and judged by their return.
    """

    name: str
    players: int
    actions: int
    deterministic: bool
    fully_observable: bool
    discrete: bool
    exact: bool
    states: float = math.inf
    """At least so many, as random play tells; infinite where they were not counted."""

    @property
    def teachable(self) -> float:
        """How many different positions may be taught; infinite where they cannot be listed.

        Different up to the task's symmetries and its clock, and none that is kept for testing.
        """
        return _teachable(self.name) if self.exact else math.inf

    @property
    def adjectives(self) -> str:
        """In the words of the sources: deterministic or stochastic, and so on."""
        return ", ".join(
            (
                "deterministic" if self.deterministic else "stochastic",
                "discrete" if self.discrete else "continuous",
                "fully observable" if self.fully_observable else "partially observable",
                "one player" if self.players == 1 else f"{self.players} players",
            )
        )


@functools.cache
def _teachable(name: str) -> float:
    from ...tasks import make_task
    from .split import teachable

    return float(SOLVED[name]) if name in SOLVED else teachable(make_task(name))


@functools.cache
def about(name: str) -> About:
    """Look at a task, by the name that makes it. Raises `UnknownNameError`."""
    from ...tasks import make_task
    from .size import MOST, least_states

    task = make_task(name)
    traits = task.traits
    seen = traits.discrete and traits.fully_observable
    listed = traits.deterministic or traits.outcomes > 0
    exact = seen and traits.players <= 2 and listed
    states = math.inf
    if exact and name not in SOLVED:
        solo = traits.players == 1
        most = MOST_STATES if solo else MOST
        states = least_states(task, most) if solo or traits.deterministic else states
        exact = states <= most
    return About(
        name=name,
        players=traits.players,
        actions=traits.actions,
        deterministic=traits.deterministic,
        fully_observable=traits.fully_observable,
        discrete=traits.discrete,
        exact=exact,
        states=states,
    )


def refuse_unmeasurable(names: list[str]) -> None:
    """Raise for a task on which nothing can be measured, before any work.

    `TooLargeError` for a game of two that cannot be solved, `UnsuitableTaskError` for one of more
    than one player with chance or hidden state, or of more than two players.
    """
    for name in names:
        it = about(name)
        if it.players == 1 or it.exact:
            continue
        if it.players == 2 and it.deterministic and it.fully_observable and it.discrete:
            raise TooLargeError(
                f"{name} is too large to be solved: random play alone meets millions of states, "
                "and claims about games are measured against exact solutions. Take a smaller one, "
                "or give `deliberate zoo` a decider for it, which needs no solution."
            )
        raise UnsuitableTaskError(
            f"{name} is {it.adjectives}; claims about games of several players are measured "
            "against exact solutions of those of two without chance or hidden state, such as "
            "tic_tac_toe, and claims about richer worlds on those of one player."
        )


def positions_only(it: About, e: Effort) -> str:
    """Why a claim that judges single decisions does not apply; nothing where it does."""
    del e
    if it.exact:
        return ""
    return "what each action is worth is not known here, so single decisions cannot be judged"


def taught_only(it: About, e: Effort) -> str:
    """The same for one about networks that search has taught.

    Where values are not known, gridworlds: there the best return of an episode is.
    """
    rooms = ("gridworld_hidden", "gridworld_continuous")
    return "" if it.name.partition("(")[0] in rooms else positions_only(it, e)


def climbed_only(it: About, e: Effort) -> str:
    """The same for one that needs expert iteration, which an effort runs on few games."""
    if games_only(it, e) or it.name in e.climbed:
        return games_only(it, e)
    return f"at this effort expert iteration is run on {', '.join(e.climbed)} only"


def games_only(it: About, e: Effort) -> str:
    """The same for one about games of two."""
    del e
    return "" if it.exact and it.players == 2 else "asked of games of two players that are solved"


def beside_gridworlds(it: About, e: Effort, *, why: str) -> str:
    """The same for one that is asked once a table: `why`, except of a task that tables share."""
    del e
    return "" if it.name in ("gridworld", "gridworld_pits") else why


once = functools.partial(
    beside_gridworlds, why="asked once a table, of worlds of its own, beside gridworld_pits"
)
"""For a claim about worlds of its own."""


def everywhere(it: About, e: Effort) -> str:
    """For a claim that any task can show."""
    del it, e
    return ""
