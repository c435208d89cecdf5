"""Every game of pgx (Koyamada et al. 2023) as a task: `from_pgx`. The only file that makes them."""

from importlib import metadata
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..core.errors import UnknownNameError, UnsuitableTaskError
from ..core.objective import Objective
from ..core.task import Task, Traits
from ..tasks.names import join_name
from .bases import UNKNOWN, Earned

_LONGEST = {
    "animal_shogi": 256, "bridge_bidding": 319, "chess": 512, "connect_four": 42,
    "gardner_chess": 256, "go_9x9": 162, "go_19x19": 722, "hex": 122, "kuhn_poker": 3,
    "leduc_holdem": 8, "othello": 120, "shogi": 512, "sparrow_mahjong": 64, "tic_tac_toe": 9,
}  # fmt: skip
"""No game has more actions; those that are not here need not end."""
_CHANCE = ("2048", "backgammon", "minatar-")
"""Where chance falls between actions, by how the ids begin; elsewhere it is in the deal."""
_HIDDEN = ("kuhn_poker", "leduc_holdem", "bridge_bidding", "sparrow_mahjong")
_FEW_DEALS = ("kuhn_poker", "leduc_holdem")


class PgxState(eqx.Module):
    """A state of pgx without its observation, and in games with hidden cards the actions so far."""

    inner: Any
    actions: Int[Array, " plies"]
    time: Int[Array, ""]

    @property
    def reward(self) -> Float[Array, " players"]:
        """What the last action gave every player."""
        return self.inner.rewards.astype(jnp.float32)


class PgxTask(Task):
    """A game of pgx, made by `from_pgx`; which player moves first is drawn, as pgx does."""

    env: Any = eqx.field(static=True)
    game: str = eqx.field(static=True)
    horizon: int = eqx.field(static=True)

    @property
    def named(self) -> str:
        """The name by which `make_task` makes this task again."""
        usual = self.horizon == _LONGEST.get(self.game, 1000)
        return join_name(f"pgx:{self.game}", {} if usual else {"horizon": self.horizon})

    @property
    def traits(self) -> Traits:
        """As pgx tells, and the longest game there is."""
        return Traits(
            players=self.env.num_players,
            actions=self.env.num_actions,
            horizon=self.horizon,
            deterministic=not self.game.startswith(_CHANCE),
            fully_observable=self.game not in _HIDDEN,
            continuing=self.game not in _LONGEST,
        )

    @property
    def objective(self) -> Objective:
        """The game's own rewards: in board games one win or loss."""
        board = not self.game.startswith(_CHANCE) and self.game not in _HIDDEN
        return Earned(limits=(-1.0, 1.0) if board else UNKNOWN)

    def __repr__(self) -> str:
        return f"PgxTask({self.game})"

    def init(self, key: Key[Array, ""]) -> PgxState:
        """As pgx begins."""
        plies = self.horizon if self.game in _FEW_DEALS else 0
        inner = self.env.init(key).replace(observation=None)
        return PgxState(inner, jnp.full(plies, -1, jnp.int32), jnp.int32(0))

    def advance(self, state: PgxState, action: Int[Array, ""], key: Key[Array, ""]) -> PgxState:
        """pgx's own step."""
        after = self.env.step(self._seen(state.inner), action, key).replace(observation=None)
        actions = state.actions
        if actions.size:
            actions = actions.at[state.time].set(action.astype(jnp.int32))
        return PgxState(after, actions, state.time + 1)

    def _seen(self, inner: Any) -> Any:
        """The state with a blank in the place of the observation, which no rule reads."""
        form = jax.eval_shape(self.env.init, jax.random.key(0)).observation
        return inner.replace(observation=jnp.zeros(form.shape, form.dtype))

    def observe(self, state: PgxState) -> Float[Array, "..."]:
        """What the player to move sees, as pgx shows it."""
        return jnp.asarray(self.env.observe(self._seen(state.inner)), jnp.float32)

    def legal(self, state: PgxState) -> Bool[Array, " actions"]:
        """pgx's mask, which allows everything after the end; here nothing is."""
        return state.inner.legal_action_mask & ~self.terminated(state)

    def player(self, state: PgxState) -> Int[Array, ""]:
        """pgx's player to move."""
        return jnp.maximum(jnp.asarray(state.inner.current_player, jnp.int32), 0)

    def terminated(self, state: PgxState) -> Bool[Array, ""]:
        """At an end and at a cut: pgx steps past neither."""
        return jnp.asarray(state.inner.terminated | state.inner.truncated, bool)

    def truncated(self, state: PgxState) -> Bool[Array, ""]:
        """As pgx says."""
        return self.only_cut(state)

    def only_cut(self, state: PgxState) -> Bool[Array, ""]:
        """Where pgx cut the game, and did not end it."""
        return jnp.asarray(state.inner.truncated & ~state.inner.terminated, bool)

    def resample(self, state: PgxState, key: Key[Array, ""]) -> PgxState:
        """The cards dealt anew until the player to move sees the same after the same actions.

        Every deal that agrees is equally likely. Raises `UnsuitableTaskError` where there are too
        many deals to find one.
        """
        if self.game not in _HIDDEN:
            return state
        if self.game not in _FEW_DEALS:
            raise UnsuitableTaskError(
                f"{self.game} hides more cards than can be dealt anew until they agree with what "
                "was seen: learn from play, or plan in a game of open cards."
            )
        seen, mover = self.observe(state), self.player(state)

        def dealt(number: Int[Array, ""]) -> PgxState:
            begun = self.init(jax.random.fold_in(key, number))
            again = jax.lax.fori_loop(
                0, state.time, lambda i, s: self.advance(s, state.actions[i], key), begun
            )
            return jax.tree.map(lambda x, y: x.astype(y.dtype), again, state)

        def differs(carry: tuple[Int[Array, ""], PgxState]) -> Bool[Array, ""]:
            other = carry[1]
            same = (self.observe(other) == seen).all() & (self.player(other) == mover)
            return ~(same & (self.terminated(other) == self.terminated(state)))

        first = (jnp.int32(0), dealt(jnp.int32(0)))
        again = lambda carry: (carry[0] + 1, dealt(carry[0] + 1))  # noqa: E731
        return jax.lax.while_loop(differs, again, first)[1]

    def render(self, state: PgxState) -> str:
        """Who moves, and what may be done."""
        legal = np.flatnonzero(np.asarray(self.legal(state))).tolist()
        return (
            f"{self.game} after {int(state.time)} actions: player {int(self.player(state))} to "
            f"move; legal: {legal}"
        )


def from_pgx(game: str, *, horizon: int | None = None) -> PgxTask:
    """A game of pgx by its id, such as `animal_shogi`, as a task.

    `horizon` is where play is cut in games that need not end (else after 1000 actions). Raises
    `UnknownNameError` for an id that pgx does not have.
    """
    import pgx

    if game == "bridge_bidding":
        raise UnsuitableTaskError(
            "bridge_bidding needs a table of double-dummy results, which pgx downloads: make "
            "pgx.bridge_bidding.BridgeBidding(...) and wrap it as a task of your own."
        )
    if game not in pgx.available_envs():
        raise UnknownNameError("game of pgx", game, pgx.available_envs())
    longest = _LONGEST.get(game)
    return PgxTask(_made(game), game, horizon or longest or 1000)


_MADE: dict[str, Any] = {}
"""pgx's games by id: equal tasks share compiled programs."""


def _made(game: str) -> Any:
    import pgx

    if game not in _MADE:
        _MADE[game] = pgx.make(game)  # type: ignore[arg-type]
    return _MADE[game]


def version() -> str:
    """The version of pgx, which says what an id stands for."""
    return f"pgx {metadata.version('pgx')}"
