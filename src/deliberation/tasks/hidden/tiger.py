"""The tiger problem: listen behind which of two doors the tiger is, then open the other.

Rules and rewards are those of Kaelbling, Littman and Cassandra (1998), and of Veness et al. (2011,
section 7), who number a third observation for hearing nothing. Once a door is opened the tiger is
put behind either anew and the episode goes on, until the time is up.
"""

import functools
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Traits
from ..bases import SensingTask, TimedObjective, check_horizon, taken
from ..chance import draw_outcome, draw_uniform

TASKS = {
    "tiger": {
        "summary": "Listen for the tiger, open the other door; options accuracy, horizon, discount",
        "factory": "Tiger",
        "options": {"accuracy": 0.85, "horizon": 20, "discount": 1.0},
    },
}

LISTEN, OPEN_LEFT, OPEN_RIGHT = range(3)
_REWARDS = (0, -1, 10, -100)
"""What the last action earned: nothing was done yet, listened, found the gold, met the tiger."""
_TOLD = 1000
"""The exact optimum is told up to this horizon: its table grows with the square of it."""
_NOTHING = 2


class TigerState(eqx.Module):
    """Where the tiger is (0 left, 1 right), and all that the player knows.

    `lead` is how many times more it was heard on the left than on the right since it was last put
    somewhere: the sufficient statistic. `heard` is 0 (left), 1 (right) or 2 (nothing), `gain` the
    kind of the last reward.
    """

    tiger: Int[Array, ""]
    lead: Int[Array, ""]
    heard: Int[Array, ""]
    gain: Int[Array, ""]
    time: Int[Array, ""]


class OpensDoors(TimedObjective):
    """10 for the gold, -100 for the tiger, -1 for listening."""

    accuracy: float = eqx.field(static=True)
    gains: ClassVar[tuple[float, float]] = (-100.0, 10.0)
    rate: float = eqx.field(static=True)

    def reward(
        self, state: TigerState, action: Int[Array, ""], after: TigerState
    ) -> Float[Array, ""]:
        """Judged by where the tiger was when the door was opened."""
        del after
        return jnp.asarray(_REWARDS, jnp.float32)[_gained(state, action)]

    @property
    def discount(self) -> float:
        """Worth of a reward one action later."""
        return self.rate

    def optimum(self, state: TigerState) -> Float[Array, ""]:
        """The best expected return given what the player has heard (exact).

        Dynamic programming over the lead and the time left: all that a belief consists of.
        """
        if self.horizon > _TOLD:
            return jnp.float32(jnp.nan)
        values = jnp.asarray(tiger_values(self.accuracy, self.horizon, self.rate))
        return values[self.horizon - state.time, state.lead + self.horizon]


class Tiger(SensingTask):
    """Action 0 listens, 1 opens the left door and 2 the right.

    Listening tells the tiger's side with probability `accuracy`, opening tells nothing but the
    reward. An episode has `horizon` actions.
    """

    senses: ClassVar[int] = 3
    action_names: ClassVar[tuple[str, ...]] = ("listen", "open-left", "open-right")
    gains: ClassVar[tuple[int, int]] = (-100, 10)
    accuracy: float = eqx.field(static=True, default=0.85)
    horizon: int = eqx.field(static=True, default=20)
    discount: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        if not 0.5 <= self.accuracy < 1 or self.horizon < 1 or not 0 < self.discount <= 1:
            raise ValueError(
                "The tiger needs an accuracy from 0.5 to below 1, a horizon of at least 1 and a "
                f"discount above 0 and up to 1; got accuracy={self.accuracy}, "
                f"horizon={self.horizon}, discount={self.discount}."
            )
        check_horizon("The tiger", self.horizon)

    def __repr__(self) -> str:
        return f"Tiger(accuracy={self.accuracy:g}, horizon={self.horizon})"

    @property
    def traits(self) -> Traits:
        """One player who does not see the tiger; two outcomes of every action."""
        return Traits(1, 3, self.horizon, deterministic=False, fully_observable=False, outcomes=2)

    @property
    def objective(self) -> Objective:
        """Gold, and no tiger."""
        return OpensDoors(horizon=self.horizon, accuracy=self.accuracy, rate=self.discount)

    def init(self, key: Key[Array, ""]) -> TigerState:
        """Behind either door; nothing heard."""
        (u,) = draw_uniform(key)
        zero = jnp.int32(0)
        return TigerState((u >= 0.5).astype(jnp.int32), zero, jnp.int32(_NOTHING), zero, zero)

    def starts(self) -> tuple[TigerState, Float[Array, " starts"]]:
        """Behind the left door, or the right."""
        return self.beliefs(self.init(jax.random.key(0)))

    def advance(self, state: TigerState, action: Int[Array, ""], key: Key[Array, ""]) -> TigerState:
        """Listen, or open a door, after which the tiger is put somewhere anew."""
        return draw_outcome(self, state, action, key)

    def outcomes(
        self, state: TigerState, action: Int[Array, ""]
    ) -> tuple[TigerState, Float[Array, " outcomes"]]:
        """Heard on the left or on the right; or the tiger put behind the left or the right door."""
        side, listens = jnp.arange(2, dtype=jnp.int32), action == LISTEN
        right = jnp.where(side == state.tiger, self.accuracy, 1 - self.accuracy)

        def made(side: Int[Array, ""]) -> TigerState:
            return TigerState(
                tiger=jnp.where(listens, state.tiger, side),
                lead=jnp.where(listens, state.lead + 1 - 2 * side, 0),
                heard=jnp.where(listens, side, _NOTHING),
                gain=_gained(state, action),
                time=state.time + 1,
            )

        after = jax.vmap(made)(side)
        return after, jnp.where(listens, right, 0.5).astype(jnp.float32)

    def observe(self, state: TigerState) -> Float[Array, " 7"]:
        """One-hot: what was heard (left, right, nothing) and earned last; the time that is left."""
        heard = state.heard == jnp.arange(3)
        earned = state.gain == jnp.arange(1, 4)
        left = 1 - state.time / self.horizon
        return jnp.concatenate([heard, earned, left[None]]).astype(jnp.float32)

    def sense(self, state: TigerState) -> Int[Array, ""]:
        """What was heard as a number, as Veness et al. encode it."""
        return state.heard

    def terminated(self, state: TigerState) -> Array:
        """Out of time."""
        return state.time >= self.horizon

    def beliefs(self, state: TigerState) -> tuple[TigerState, Float[Array, " 2"]]:
        """Both states that the player cannot tell apart, and how probable each is to it."""
        left = _left(self.accuracy, state.lead)
        listed = jax.tree.map(lambda x: jnp.broadcast_to(x, (2,)), state)
        listed = eqx.tree_at(lambda s: s.tiger, listed, jnp.arange(2, dtype=jnp.int32))
        return listed, jnp.stack([left, 1 - left])

    def resample(self, state: TigerState, key: Key[Array, ""]) -> TigerState:
        """The tiger drawn anew, by what was heard (Bayes' rule)."""
        (u,) = draw_uniform(key)
        tiger = (u >= _left(self.accuracy, state.lead)).astype(jnp.int32)
        return eqx.tree_at(lambda s: s.tiger, state, tiger)

    def render(self, state: TigerState) -> str:
        """Both doors, what was heard, and the time."""
        doors = "[tiger] [gold]" if int(state.tiger) == 0 else "[gold] [tiger]"
        heard = ("left", "right", "nothing")[int(state.heard)]
        return f"{doors}\nheard: {heard}, lead of left: {int(state.lead)}\n" + (
            f"{taken(state.time, self.horizon)}"
        )

    def table_seen(self, state: TigerState) -> tuple[tuple[str, str], ...]:
        """What was heard, and the time, but not what is behind the doors."""
        return (
            ("heard last", ("left", "right", "nothing")[int(state.heard)]),
            ("heard more often on the left by", str(int(state.lead))),
            ("time", taken(state.time, self.horizon)),
        )

    def render_seen(self, state: TigerState) -> str:
        """What was heard, and the time, but not what is behind the doors."""
        heard = ("left", "right", "nothing")[int(state.heard)]
        return f"heard: {heard}, lead of left: {int(state.lead)}\n{taken(state.time, self.horizon)}"


def _left(accuracy: float, lead: Int[Array, ""]) -> Float[Array, ""]:
    """The posterior probability that the tiger is behind the left door."""
    return jax.nn.sigmoid(lead * np.float32(np.log(accuracy / (1 - accuracy))))


def _gained(state: TigerState, action: Int[Array, ""]) -> Int[Array, ""]:
    opened = jnp.where(action - OPEN_LEFT == state.tiger, 3, 2)
    return jnp.where(action == LISTEN, 1, opened).astype(jnp.int32)


@functools.cache
def tiger_values(accuracy: float, horizon: int, discount: float) -> Float[np.ndarray, "left lead"]:
    """The best expected return with so many actions left at every lead; column `horizon` is 0."""
    lead = np.arange(-horizon, horizon + 1)
    left = 1 / (1 + ((1 - accuracy) / accuracy) ** lead.astype(float))
    hears = left * accuracy + (1 - left) * (1 - accuracy)
    best = np.maximum(10 - 110 * left, 10 - 110 * (1 - left))
    values = np.zeros((horizon + 1, len(lead)))
    for n in range(1, horizon + 1):
        # A lead as long as the horizon is met only where no time is left.
        up, down = np.append(values[n - 1, 1:], 0), np.insert(values[n - 1, :-1], 0, 0)
        listen = -1 + discount * (hears * up + (1 - hears) * down)
        values[n] = np.maximum(listen, best + discount * values[n - 1, horizon])
    return values.astype(np.float32)
