"""Any game of OpenSpiel (Lanctot et al. 2019) as a task: `from_open_spiel`."""

from importlib import metadata
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Task, Traits
from ...tasks.bases import Discounted
from ...tasks.names import join_name
from ..calls import ask_host, like, words_of
from .game import Game


class SpielState(eqx.Module):
    """A history of actions, of chance too, which determines everything else that is kept here.

    `returns` are those of all players so far; `observation` is that of the player to move.
    """

    history: Int[Array, " actions"]
    length: Int[Array, ""]
    observation: Float[Array, "..."]
    legal: Bool[Array, " actions_there_are"]
    returns: Float[Array, " players"]
    player: Int[Array, ""]
    over: Bool[Array, ""]


class Returns(Discounted):
    """What the returns grew by."""

    limits: tuple[float, float] = eqx.field(static=True)
    gamma: float = eqx.field(static=True, default=1.0)

    def __call__(
        self, state: SpielState, action: Int[Array, ""], after: SpielState
    ) -> Float[Array, " players"]:
        """The difference in the returns so far."""
        return after.returns - state.returns


class SpielTask(Task):
    """A game of OpenSpiel, made by `from_open_spiel`.

    Chance is drawn from the keys; what the player to move has not seen is drawn anew by `resample`,
    as probably as chance made it and as if opponents had moved evenly.
    """

    game: Game = eqx.field(static=True)
    named: str = eqx.field(static=True)

    @property
    def traits(self) -> Traits:
        """As OpenSpiel tells."""
        game = self.game
        return Traits(
            players=game.players,
            actions=game.actions,
            horizon=game.horizon,
            deterministic=not game.chance,
            fully_observable=not game.hidden,
        )

    @property
    def objective(self) -> Objective:
        """The game's own returns."""
        return Returns(limits=self.game.bounds)

    def init(self, key: Key[Array, ""]) -> SpielState:
        """As the game begins, chance included."""
        return SpielState(*ask_host(self.game.reset, self._like(), words_of(key)))

    def terminated(self, state: SpielState) -> Bool[Array, ""]:
        """As OpenSpiel says."""
        return state.over

    def advance(self, state: SpielState, action: Int[Array, ""], key: Key[Array, ""]) -> SpielState:
        """The action, and then whatever chance does."""
        words = words_of(key)
        given = state.history, state.length, state.over, jnp.asarray(action, jnp.int32), words
        after = SpielState(*ask_host(self.game.step, self._like(), *given))
        return jax.tree.map(lambda x, y: jnp.where(state.over, x, y), state, after)

    def legal(self, state: SpielState) -> Bool[Array, " actions"]:
        """OpenSpiel's legal actions."""
        return state.legal

    def resample(self, state: SpielState, key: Key[Array, ""]) -> SpielState:
        """Hidden chance and hidden moves drawn anew, from what the player to move knows."""
        if not self.game.hidden:
            return state
        given = state.history, state.length, words_of(key)
        return SpielState(*ask_host(self.game.resample, self._like(), *given))

    def player(self, state: SpielState) -> Int[Array, ""]:
        """OpenSpiel's player to move."""
        return state.player

    def _like(self) -> list[jax.ShapeDtypeStruct]:
        return [like(x.shape[1:], x.dtype) for x in self.game.rows(1)]

    def observe(self, state: SpielState) -> Float[Array, "..."]:
        """OpenSpiel's tensor for the player to move: observation, else information state.

        Games that have neither are observed as what is legal.
        """
        return state.observation

    def fingerprint(self, state: SpielState) -> Int[Array, " words"]:
        """The history."""
        return jnp.append(state.history, state.length)

    def __repr__(self) -> str:
        return f"SpielTask({self.named.partition(':')[2]})"

    def render(self, state: SpielState) -> str:
        """As OpenSpiel draws it."""
        actions = np.asarray(state.history)[: int(state.length)]
        return str(self.game.state(actions))


_MADE: dict[str, Game] = {}
"""Games by name and options: equal tasks share programs and caches."""


def from_open_spiel(name: str, *, cache_megabytes: float = 64.0, **options: Any) -> SpielTask:
    """A game of OpenSpiel by its short name, such as `breakthrough`, with its own options.

    With perfect or imperfect information, with chance, for one player, for two with opposite aims,
    or for more. `cache_megabytes` bounds the states that are kept; others are played again from
    their histories. Raises `BackendError` without OpenSpiel, `UnknownNameError`, and
    `UnsuitableTaskError` for games of other kinds.
    """
    named = join_name(f"openspiel:{name}", options)
    if named not in _MADE:
        _MADE[named] = Game(name, options, float(cache_megabytes))
    return SpielTask(_MADE[named], named)


def version() -> str:
    """The version of OpenSpiel, which says what a name stands for."""
    return f"open_spiel {metadata.version('open_spiel')}"
