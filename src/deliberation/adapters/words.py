"""Words for what environments number: actions, and what a number of an observation stands for.

Gymnasium's spaces hold numbers alone; what they mean stands in the documentation of each
environment (Towers et al. 2024). Known are those of toy text, classic control and Box2D, by class;
of others that tell it themselves, as Atari does, `get_action_meanings` is asked. An environment of
one's own names them by two attributes, of its class or its own: `action_names`, a word for each
action, and `observation_names`, a name for each number of an observation, in order.
"""

import warnings
from typing import Any

import numpy as np

Rows = tuple[tuple[str, str], ...]

_ACTIONS = {
    "toy_text.frozen_lake.FrozenLakeEnv": "left down right up",
    "toy_text.cliffwalking.CliffWalkingEnv": "up right down left",
    "toy_text.taxi.TaxiEnv": "south north east west pick-up drop-off",
    "toy_text.blackjack.BlackjackEnv": "stick hit",
    "classic_control.cartpole.CartPoleEnv": "left right",
    "classic_control.mountain_car.MountainCarEnv": "left coast right",
    "classic_control.acrobot.AcrobotEnv": "back none forth",
    "box2d.lunar_lander.LunarLander": "nothing left-engine main-engine right-engine",
    "box2d.car_racing.CarRacing": "nothing right left gas brake",
}
_SEEN = {
    "classic_control.cartpole.CartPoleEnv": (
        "cart position", "cart velocity", "pole angle (rad)", "pole angular velocity (rad/s)",
    ),
    "classic_control.mountain_car.MountainCarEnv": ("position", "velocity"),
    "classic_control.acrobot.AcrobotEnv": (
        "cosine of angle 1", "sine of angle 1", "cosine of angle 2", "sine of angle 2",
        "velocity of angle 1 (rad/s)", "velocity of angle 2 (rad/s)",
    ),
    "box2d.lunar_lander.LunarLander": (
        "x", "y", "x velocity", "y velocity", "angle (rad)", "angular velocity",
        "left leg on the ground", "right leg on the ground",
    ),
    "toy_text.blackjack.BlackjackEnv": ("your sum", "dealer's card", "usable ace"),
}  # fmt: skip
"""The numbers of an observation in their order."""
_LANDMARKS = ("red", "green", "yellow", "blue")
_MOST = 24
"""Further numbers of one part of an observation are counted, not listed."""


def words_for_actions(env: Any, count: int) -> tuple[str, ...]:
    """A word without spaces for each of `count` actions; empty where none are known."""
    inner = env.unwrapped
    told = getattr(inner, "get_action_meanings", None)
    words = list(_own(inner, "action_names"))
    if not words:
        words = _ACTIONS.get(_kind(inner), "").split() if told is None else list(told())
    named = tuple(str(word).strip().lower().replace(" ", "-") for word in words)
    # A wrapper may have left some out, or put others in.
    same = len(named) == count and env.action_space == inner.action_space
    return named if same and len(set(named)) == count and all(named) else ()


def names_itself(env: Any) -> bool:
    """Whether an environment of one's own names the numbers of its observation."""
    same = env.observation_space == env.unwrapped.observation_space
    return same and bool(_own(env.unwrapped, "observation_names"))


def check_names(env: Any, actions: int, numbers: int) -> None:
    """Warn of names that are not one for each action, or one for each number: none are shown."""
    inner = env.unwrapped
    for attribute, wanted, what, same in (
        ("action_names", actions, "actions", env.action_space == inner.action_space),
        ("observation_names", numbers, "numbers of an observation",
         env.observation_space == inner.observation_space),
    ):  # fmt: skip
        given = _own(inner, attribute)
        if same and given and (len(given) != wanted or len(set(given)) < wanted):
            warnings.warn(
                f"{type(inner).__name__}.{attribute} has {len(set(given))} different names for "
                f"{wanted} {what}: none of them is shown. Give one for each, in order.",
                stacklevel=2,
            )


def _own(inner: Any, attribute: str) -> tuple[str, ...]:
    """Names that an environment gives itself; none where the attribute holds anything else."""
    given = getattr(inner, attribute, ())
    fits = isinstance(given, list | tuple) and all(isinstance(word, str) for word in given)
    return tuple(given) if fits else ()


def words_for_seen(env: Any, parts: list[tuple[str, tuple[int, ...], np.ndarray]]) -> Rows:
    """What is observed, a row for each number. `parts`: a name, numbers of values, and values."""
    inner = env.unwrapped
    same = env.observation_space == inner.observation_space
    kind = _kind(inner) if same else ""
    flat = [x for _, _, values in parts for x in np.ravel(values).tolist()]
    names = _own(inner, "observation_names") if same else ()
    names = names if len(names) == len(flat) else _SEEN.get(kind, ())
    if len(names) == len(flat):
        return tuple((name, _number(x)) for name, x in zip(names, flat, strict=True))
    rows = [row for part in parts for row in _listed(*part)]
    return (*rows, *(_decoded(kind, inner, int(flat[0])) if len(flat) == 1 else ()))


def _kind(inner: Any) -> str:
    home, of = type(inner).__module__, "gymnasium.envs."
    return f"{home.removeprefix(of)}.{type(inner).__name__}" if home.startswith(of) else ""


def _listed(name: str, counts: tuple[int, ...], values: np.ndarray) -> Rows:
    if np.ndim(values) == 0 or np.size(values) == 1:
        among = f" of 0 to {counts[0] - 1}" if len(counts) == 1 else ""
        return ((name, _number(np.ravel(values).tolist()[0]) + among),)
    places = [", ".join(map(str, place)) for place in np.ndindex(np.shape(values))]
    flat = np.ravel(values).tolist()
    rows = [(f"{name} {p}", _number(x)) for p, x in zip(places, flat, strict=True)][:_MOST]
    more = len(flat) - len(rows)
    return (*rows, *([(f"{name}, the rest", f"{more:,} numbers")] if more else []))


def _number(x: Any) -> str:
    return f"{x:.4g}" if isinstance(x, float) else str(x)


def _decoded(kind: str, inner: Any, number: int) -> Rows:
    """Where the number of a state puts one, in the worlds of toy text that count places."""
    if kind.endswith("TaxiEnv"):
        row, column, passenger, goal = inner.decode(number)
        rides = (*_LANDMARKS, "in the taxi")
        return (
            ("taxi", f"row {row + 1}, column {column + 1}"),
            ("passenger", rides[passenger] if passenger == 4 else f"at {rides[passenger]}"),
            ("destination", _LANDMARKS[goal]),
        )
    if kind.endswith("FrozenLakeEnv"):
        row, column = divmod(number, inner.ncol)
        tile = {"S": "start", "F": "ice", "H": "hole", "G": "goal"}
        here = tile.get(inner.desc[row, column].decode(), "")
        return (("place", f"row {row + 1}, column {column + 1}"), ("there", here))
    if kind.endswith("CliffWalkingEnv"):
        row, column = divmod(number, inner.shape[1])
        return (("place", f"row {row + 1}, column {column + 1}"),)
    return ()
