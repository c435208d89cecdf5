"""Calls to an environment's `reset` and `step`: whatever comes of them is checked, or refused.

What an environment raises, whatever kind of exception it is, becomes a `ForeignWorldError` that
names the environment, the call and the line; so does an answer that is not what Gymnasium's API
says, with what was returned and what is expected. Only `KeyboardInterrupt` passes as it is.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.errors import ForeignWorldError, NonFiniteError
from ...core.failures import text_of
from .chance import Chance

_BOOLS = frozenset((bool, np.bool_))
_NUMBERS = frozenset((float, int, bool, np.float64, np.float32))
_MOST = float(np.finfo(np.float32).max)
_ADVICE = "Mend what it returns (gymnasium.utils.env_checker.check_env shows more)."


def begin(env: Any, chance: Chance, word: int, name: str) -> tuple[Any, Mapping[str, Any]]:
    """Reset an environment from a number of 128 bits: what is seen, and `info`."""
    if chance.before_reset is not None:
        chance.before_reset(env)
    chance.seed(env, word)
    answer = reset(env, word & 0x7FFFFFFF, name)
    chance.look_again()
    return answer


def move(env: Any, chance: Chance, word: int, action: Any, name: str) -> tuple:
    """Set the chance of an environment from a number of 128 bits, and step it."""
    chance.seed(env, word)
    return step(env, action, name)


def reset(env: Any, seed: int, name: str) -> tuple[Any, Mapping[str, Any]]:
    """What `reset` gives: an observation and `info`."""
    try:
        answer = env.reset(seed=seed)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise failed(name, f"reset(seed={seed})", error) from error
    if type(answer) is not tuple or len(answer) != 2:
        raise _odd(name, "reset", answer, "a tuple of two, (observation, info)")
    if type(answer[1]) is not dict:
        _check_info(name, "reset", answer[1])
    return answer


def step(env: Any, action: Any, name: str) -> tuple:
    """What `step` gives: observation, reward, terminated, truncated and `info`."""
    try:
        answer = env.step(action)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise failed(name, f"step({action!r})", error) from error
    if (type(answer) is not tuple and type(answer) is not list) or len(answer) != 5:
        what = "a tuple of five, (observation, reward, terminated, truncated, info)"
        raise _odd(name, "step", answer, what)
    seen, reward, over, cut, info = answer
    if type(reward) not in _NUMBERS:
        reward = _number(name, reward)
    if not -_MOST <= reward <= _MOST:
        raise NonFiniteError(
            f"{name} returned the reward {reward!r} from `step`, which is no finite number of 32 "
            "bits: no planner could prefer anything by it. Mend the reward."
        )
    if type(over) not in _BOOLS:
        over = _truth(name, "terminated", over)
    if type(cut) not in _BOOLS:
        cut = _truth(name, "truncated", cut)
    if type(info) is not dict:
        _check_info(name, "step", info)
    return seen, reward, over, cut, info


def _number(name: str, reward: Any) -> float:
    """A reward that is a number of an unusual kind. Raises `ForeignWorldError` for all else."""
    if not isinstance(reward, str | bytes):
        try:
            found = np.asarray(reward)
            if found.shape == () and found.dtype.kind in "biuf":
                return float(found)
        except Exception:  # whatever a stranger's object raises when it is looked at
            pass
    raise _odd(name, "step", reward, "one number", "the reward ")


def _truth(name: str, part: str, value: Any) -> bool:
    """What says whether an episode is over: true, false, 1 or 0, alone."""
    if not isinstance(value, str | bytes):
        try:
            found = np.asarray(value)
            if found.shape == () and found.dtype.kind in "biuf" and found in (0, 1):
                return bool(found)
        except Exception:  # whatever a stranger's object raises when it is looked at
            pass
    raise _odd(name, "step", value, "True or False", f"`{part}` as ")


def _check_info(name: str, method: str, info: Any) -> None:
    if not isinstance(info, Mapping):
        raise _odd(name, method, info, "a dictionary", "`info` as ")


def _odd(name: str, method: str, got: Any, wanted: str, part: str = "") -> ForeignWorldError:
    many = f" of {len(got)}" if isinstance(got, tuple | list) else ""
    return ForeignWorldError(
        f"{name} returned {part}{told(got)} ({type(got).__name__}{many}) from `{method}`, where "
        f"Gymnasium's API expects {wanted}. {_ADVICE}"
    )


def told(value: Any, most: int = 80) -> str:
    """A stranger's value in at most so many characters, even where its `repr` fails."""
    try:
        text = " ".join(repr(value).split())
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= most else text[: most - 3] + "..."


def failed(name: str, call: str, error: BaseException) -> ForeignWorldError:
    """What is said of an environment that raised an error: in which call, and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace else ""
    return ForeignWorldError(
        f"{name} raised {type(error).__name__} in {call}{place}: {text_of(error, str)}. The "
        "environment is at fault, or its wrappers; nothing was recorded of this step."
    )
