"""What a cell of the zoo does: make the decider, and play it with each of its parts switched off.

Where two play, the other seat is played at random and the decider takes each seat half the time.
"""

import functools
import json
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key

from ..core.budget import Budget
from ..core.decider import Decider, Decision, Memory
from ..core.errors import TooLargeError, UnsuitableTaskError
from ..core.keys import named_key
from ..core.ledger import Ledger
from ..core.objective import Objective, cancel
from ..core.play import rollout
from ..core.task import State, Task
from ..core.uniform import UniformRandom
from ..core.witness.watching import saying, unwatched
from ..direct import optimal_return, return_against_random, uniform_return
from ..runs import Context, Outcome
from ..tasks import make_task
from ..tasks.bases import ZeroSum
from ._as_played import as_played
from ._share import Share
from .made import Made
from .registry import entry

Effort = Budget | int | None
TIMES = {"smoke": 8, "quick": 64, "full": 64}
"""So many times the episodes are played at random where what that earns cannot be worked out."""


def measure(settings: dict[str, Any], context: Context) -> Outcome:
    """Returns of the decider, of its parts and of random play, from the same first states.

    Outcomes: `scores` (a list of returns for each of `random`, `search`, `learned`, `both`), which
    `parts` there are to switch off, `constant` (whether every episode of the decider is the same
    one, since neither it nor the world draws anything), `random` (`mean` return, its standard
    `error`, 0 where it is exact, and the episodes `n`), their `range` (the least and the greatest
    there can be, null where unknown), `optimum` (one for each episode, one for all, or null where
    no exact one is known), what all `decisions` of the whole decider `spent` by its own word, and
    the wall `seconds` that they took. Or `refused`, why an entry cannot treat a task that it was
    asked for and is not meant for.
    """
    try:
        return _measured(settings, context)
    except (UnsuitableTaskError, TooLargeError) as error:
        if not settings.get("asked"):
            raise  # an entry on a task that it is meant for
        return Outcome({"refused": str(error)})


def _measured(settings: dict[str, Any], context: Context) -> Outcome:
    task = make_task(settings["task"], **settings["options"])
    key, share = jax.random.key(settings["seed"]), Share(context.tell)
    with share.making(), unwatched():
        made = entry(settings["entry"]).build(task, settings["effort"], named_key(key, "build"))
    parts = [x for x in (made.searching, made.learned) if x is not None]
    # The decider twice, random play, and each part that is not the whole decider.
    share.expect(plays=3 + sum(part is not made.decider for part in parts))
    episodes = named_key(key, "episodes")
    play = functools.partial(_play, task, episodes=settings["episodes"], key=episodes, share=share)
    # Once for nothing: whatever is to be compiled is by the time that the clock counts.
    with unwatched():
        play(made.decider, made.budget)
    with saying("the whole decider"):
        both = play(made.decider, made.budget)
    with saying("random play"):
        random = play(UniformRandom(task), None)
    optimum = _optimum(task, settings, episodes)
    scores = _scores(made, both, random, play)
    return Outcome(
        {
            "scores": {name: score.tolist() for name, score in scores.items()},
            "parts": [n for n in ("searching", "learned") if getattr(made, n) is not None],
            "constant": both.alike and _draws_nothing(task, made, episodes, settings["episodes"]),
            "random": _random(task, settings, random, optimum, named_key(key, "random")),
            "optimum": optimum,
            "range": _range(task),
            "decisions": both.decisions,
            "spent": both.spent.as_dict(),
            "seconds": both.seconds,
            "trained": made.trained.as_dict(),
        },
        (made.trained + both.spent).as_dict(),
    )


class _Played(eqx.Module):
    """Episodes of one decider: `returns`, its own word on what it spent, and our clock's."""

    returns: np.ndarray
    spent: Ledger
    decisions: int
    seconds: float
    alike: bool
    """Whether all episodes went the same way."""
    opposed: bool
    """Whether what one player wins the other loses, as the objective says, or all episodes do."""


Play = Callable[[Decider, Effort], _Played]


def _scores(made: Made, both: _Played, random: _Played, play: Play) -> dict[str, np.ndarray]:
    """Returns with either part switched off; random play stands for a part that is missing."""
    scores = {"random": random.returns, "both": both.returns}
    for name, part, budget in (
        ("search", made.searching, made.budget),
        ("learned", made.learned, 0),
    ):
        if part is None:
            scores[name] = random.returns
        else:
            with saying(f"{name} alone"):
                scores[name] = both.returns if part is made.decider else play(part, budget).returns
    return scores


class _Clocked(Decider):
    """A decider and how long its calls take by our own clock; what it says it spent is its word."""

    task: Task
    decider: Decider
    seconds: list[float] = eqx.field(static=True)
    share: Share | None = eqx.field(static=True)

    def begin(self, batch: int) -> Memory:
        """That of the decider."""
        return self.decider.begin(batch)

    def decide(self, state: State, memory: Memory = None, **asked: Any) -> tuple[Decision, Memory]:
        """The same answer, timed."""
        started = time.perf_counter()
        answer = jax.block_until_ready(self.decider.decide(state, memory, **asked))
        self.seconds.append(time.perf_counter() - started)
        if self.share is not None:
            # Of two players either decides at most in as many plies; few episodes last so long.
            self.share.play(len(self.seconds) / self.task.traits.horizon)
        return answer


def _play(
    task: Task,
    decider: Decider,
    budget: Effort,
    *,
    episodes: int,
    key: Key[Array, ""],
    share: Share | None = None,
) -> _Played:
    """Episodes of a decider; where two play, each seat half of the time."""
    clocked = _Clocked(task, decider, [], share)
    played = _played_alone if task.traits.players == 1 else _played_against_random
    found = played(task, clocked, budget, episodes, key)
    if share is not None:
        share.played()
    return found


def _played_alone(
    task: Task, clocked: _Clocked, budget: Effort, episodes: int, key: Key[Array, ""]
) -> _Played:
    played = rollout(task, clocked, key=key, batch=episodes, budget=budget)
    ways = played.actions.reshape(episodes, -1)
    return _Played(
        played.returns[:, 0], played.spent[0], int(played.lengths.sum()),
        sum(clocked.seconds), bool((ways == ways[:1]).all()), opposed=False,
    )  # fmt: skip


def _played_against_random(
    task: Task, clocked: _Clocked, budget: Effort, episodes: int, key: Key[Array, ""]
) -> _Played:
    returns, spent, decisions, opposed = [], Ledger(), 0, True
    for seat in range(2):
        seats: list[Decider] = [UniformRandom(task)] * 2
        budgets: list[Effort] = [None] * 2
        seats[seat], budgets[seat] = clocked, budget
        now = named_key(key, f"seat {seat}")
        played = rollout(task, seats, key=now, batch=episodes // 2, budget=budgets)
        returns.append(played.returns[:, seat])
        spent = spent + played.spent[seat]
        decisions += int(played.turns[:, seat].sum())
        opposed = opposed and is_opposed(task.objective, played.returns)
    return _Played(np.concatenate(returns), spent, decisions, sum(clocked.seconds), False, opposed)


def is_opposed(objective: Objective, returns: np.ndarray) -> bool:
    """Whether what one of two wins the other loses: the objective says so, or all returns do.

    In the latter case but for the rounding of single precision, whatever the scale.
    """
    return isinstance(objective, ZeroSum) or bool(cancel(returns).all())


def _draws_nothing(task: Task, made: Made, key: Key[Array, ""], count: int) -> bool:
    """Whether there is one first state and no chance after it, and answers to it do not vary.

    The rows of a batch have keys of their own: what draws from them answers in several ways.
    """
    if not task.traits.deterministic or task.traits.players != 1:
        return False
    first, now = jax.random.split(key)
    starts = jax.vmap(task.init)(jax.random.split(first, count))
    decision, _ = made.decider.decide(
        starts, made.decider.begin(count), budget=made.budget, key=jax.random.split(now, count)
    )
    told = (starts, decision.action, decision.weights, decision.value)
    return all(bool((x == x[:1]).all()) for x in jax.tree.leaves(told))


def _random(
    task: Task, settings: dict[str, Any], played: _Played, optimum: Any, key: Key[Array, ""]
) -> dict[str, float | int]:
    """What random play earns: exactly where it can be worked out, else from many episodes.

    Where two play and one wins what the other loses, both seats together earn nothing on average.
    Where no optimum is known, nothing is divided by it, and the episodes `played` will do. Shares
    of search and of learning go by these too: all their returns are from the same first states.
    """
    exact = 0.0 if played.opposed else _known(uniform_return, "random", task, settings)
    if exact is not None:
        return {"mean": exact, "error": 0.0, "n": 0}
    returns = played.returns
    if optimum is not None:
        # As many at a time as before: nothing is compiled again.
        again = functools.partial(_play, task, UniformRandom(task), None, episodes=len(returns))
        keys = jax.random.split(key, TIMES[settings["effort"]])
        with unwatched():
            returns = np.concatenate([again(key=now).returns for now in keys])
    error = float(np.std(returns, ddof=1) / len(returns) ** 0.5) if len(returns) > 1 else np.nan
    return {"mean": float(returns.mean()), "error": error, "n": len(returns)}


def _range(task: Task) -> list[float] | None:
    low, high = task.objective.bounds
    return [low, high] if np.isfinite([low, high]).all() else None


_KNOWN: dict[str, float | None] = {}


def _known(
    work_out: Callable[[Task], float | None], what: str, task: Task, settings: dict[str, Any]
) -> float | None:
    """What was worked out of a task, once for all entries that this process measures on it."""
    name = json.dumps([what, settings["task"], settings["options"]], sort_keys=True)
    if name not in _KNOWN:
        _KNOWN[name] = work_out(task)
    return _KNOWN[name]


def _optimum(
    task: Task, settings: dict[str, Any], key: Key[Array, ""]
) -> list[float] | float | None:
    """The best expected return: by a formula for the states played, or by dynamic programming.

    Of episodes that stop as `rollout` stops them, at a cut and at the horizon. Where two play,
    against the random opponent that is played, as the mean of both seats.
    """
    # The first states of `rollout` under the same key.
    keys = jax.random.split(jax.random.split(key)[1], settings["episodes"])
    best = np.asarray(jax.vmap(lambda k: task.objective.optimum(task.init(k)))(keys))
    if np.isfinite(best).all():
        return best.tolist()
    return _known(best_return, "best", task, settings)


def best_return(task: Task) -> float | None:
    """The exact best expected return of episodes as they are played; None where it is not known.

    Where two play, against a random opponent, as the mean of both seats.
    """
    played = as_played(task)
    if task.traits.players != 2:
        return optimal_return(played)
    seats = return_against_random(played)
    return None if seats is None else float(np.mean(seats))
