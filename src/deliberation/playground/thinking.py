"""One question put to everybody: the network at once, search at an effort, and the exact answer.

A stream of events: `habit`, `search` (again and again as the tree grows), `strip` (what is chosen
at each doubling of effort), `exact`, and `changed` (the sentence on what another goal came to).
Who closes it stops the work at the next slice.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from starlette.routing import BaseRoute, Route

from ..tasks.moves import Game, action_name
from . import limits
from .asking import Event, Fields, merged, number, streaming
from .doors import refused
from .exact import Exact, exact
from .goals import sentence, what_changed
from .habits import Habit
from .hall import Hall
from .kept import Kept
from .searching import BRIEF, SLICE, Growing, doubling, milestones, most_simulations, searchable
from .worlds import FIRST, Spot, batched, board_form, opened, play, read_spot, world

EACH = 1 / 30
"""Seconds between two looks at one search, at least."""
_WAIT, _PAUSE = 0.25, 0.12
FURTHER = 3
"""So many more askings of search for either goal, before a change of its choice is called one."""
_CHOSEN = Kept(1024)
"""What searches chose, which stays what it is while another goal is turned."""


def routes() -> list[BaseRoute]:
    """What this part answers."""
    return [Route("/api/think", streaming(think), methods=["GET", "POST"])]


@dataclass
class Asked:
    """A position with its goal, played to its state; how long to search, and whether on to the
    end of the dial. `counted`: its tree, and that of the usual goal beside it, take up room of all.
    """

    spot: Spot
    game: Game
    effort: int
    strip: bool = False
    counted: bool = False
    asking: int = 0
    """Asked again with another number, search draws other chance."""

    def word(self, told: dict[str, Any]) -> str:
        """The action of an answer in the task's words."""
        return action_name(self.game.task, told["action"])


def _read(hall: Hall, fields: Fields) -> Asked:
    spot = read_spot(hall.settings, fields)
    effort = number(fields, "effort", 64, 0, 10**9)
    most = most_simulations(world(spot.task))
    limits.refuse_above("simulations", effort, most, "Turn the dial down.")
    strip = number(fields, "strip", 1, 0, 1) == 1
    return Asked(spot, play(spot), effort, strip, counted=True)


async def think(hall: Hall, fields: Fields) -> AsyncIterator[Event]:
    """The events of one question."""
    fields = opened(hall.settings, fields)
    name = fields.get("task", FIRST)
    asked = await hall.warmly(board_form(fields), _read, hall, fields, of=name)
    if asked.game.over:
        yield "over", {"returns": asked.game.returns}
        return
    habit = hall.habits.of(asked.spot.task)
    after = asyncio.Event()
    parts = (
        _or_why_not("habit", _habit(hall, habit, asked)),
        searched(hall, asked),
        _or_why_not("exact", _exact(hall, asked, after)),
    )
    usual = asked.spot == asked.spot.usual
    search: dict[str, Any] = {}
    said, known = None, False
    if asked.effort == 0:
        after.set()
    async with contextlib.aclosing(merged(*parts)) as events:
        async for name, told in events:
            yield name, told
            if name == "search" and told["final"]:
                search = told
                after.set()
            known = known or (name == "exact" and "best" in told)
            ready = (bool(search) or asked.effort == 0, habit.settled, known)
            if not usual and ready[0] and said != ready:
                said = ready
                async with contextlib.aclosing(
                    _changed(hall, asked, habit, search, known)
                ) as changes:
                    async for change in changes:
                        yield "changed", change


async def _or_why_not(name: str, part: AsyncGenerator[Event, None]) -> AsyncIterator[Event]:
    """An answer, or why there is none: what one cannot say keeps nobody else from answering."""
    try:
        async with contextlib.aclosing(part) as events:
            async for event in events:
                yield event
    except Exception as error:
        yield name, {"refused": refused(error)[0]}


async def _habit(hall: Hall, habit: Habit, asked: Asked) -> AsyncGenerator[Event, None]:
    """How far the network's training is, then what it says."""
    with habit.waited_for():
        while not habit.settled:
            yield "habit", habit.told()
            await asyncio.sleep(_WAIT)
            hall.habits.of(habit.name)  # Still looked at: what nobody looks at is trained last.
    told = habit.told()
    if habit.policy is not None:
        told |= await hall.warmly(("habit", habit.name), said_by, habit, asked, of=habit.name)
    yield "habit", told


def said_by(habit: Habit, asked: Asked) -> dict[str, Any]:
    """The network's answer, asked with the goal that is wanted, whether it heeds that or not."""
    assert habit.policy is not None
    began = time.perf_counter()
    decision, _ = habit.policy.decide(
        batched(asked.game.state), habit.policy.begin(1), objective=asked.game.objective,
        budget=habit.budget, key=jax.random.key(asked.spot.seed),
    )  # fmt: skip
    return {
        "action": int(decision.action[0]),
        "value": float(decision.value[0]),
        "weights": np.asarray(decision.weights)[0],
        "milliseconds": _since(began),
    }


async def _exact(hall: Hall, asked: Asked, after: asyncio.Event) -> AsyncGenerator[Event, None]:
    """The exact answer, or why it is not known; last, and not while the dial is still moving."""
    await after.wait()
    await asyncio.sleep(_PAUSE)
    found = await hall.slow(exact, asked.spot, asked.game.state, of=asked.spot.task)
    if not isinstance(found, Exact):
        yield "exact", {"refused": found}
        return
    yield "exact", {
        "action": found.action, "best": np.flatnonzero(found.best), "values": found.values,
        "value": found.value, "how": found.how, "plies": found.plies,
    }  # fmt: skip


async def searched(hall: Hall, asked: Asked) -> AsyncIterator[Event]:
    """The search as it grows to its effort, then, for the strip, on to the end of the dial."""
    task = asked.game.task
    most = most_simulations(task) if asked.strip else asked.effort
    if most == 0:
        return
    if not searchable(task):
        async for event in _by_doubling(hall, asked, most):
            yield event
        return
    growing = Growing(
        task, asked.game.objective, asked.game.state, most, asked.spot.seed, asked.asking
    )
    trees = (1 + (asked.spot != asked.spot.usual)) * asked.counted
    parts = _growing(hall, asked, growing, most)
    async with hall.trees.taken(trees * growing.bytes), contextlib.aclosing(parts) as events:
        async for event in events:
            yield event


async def _growing(
    hall: Hall, asked: Asked, growing: Growing, most: int
) -> AsyncGenerator[Event, None]:
    """The same for a search whose tree has its room."""
    began, shown, chosen = time.perf_counter(), 0.0, []
    name = asked.spot.task
    if most <= BRIEF:
        told = await hall.warmly((growing.form, "at once"), growing.at_once, of=name)
        yield "search", told | {"final": True, "milliseconds": _since(began)}
        return
    await hall.warmly((growing.form, "begin"), growing.begin, of=name)
    stops = {*milestones(most), asked.effort} if asked.strip else {asked.effort}
    for stop in sorted(stops - {0}):
        async for _ in _grown(hall, growing, stop, name):
            now = time.perf_counter()
            if growing.done < asked.effort and now - shown > EACH:
                shown = now
                yield "search", await _told(hall, growing, began, name)
        told = await _told(hall, growing, began, name)
        chosen.append([stop, told["action"]])
        if stop == asked.effort:
            yield "search", told | {"final": True}
        if asked.strip and stop >= asked.effort:
            yield "strip", {"chosen": chosen, "proved": told["proved"], "most": most}


async def _grown(hall: Hall, growing: Growing, stop: int, name: str) -> AsyncIterator[None]:
    """Grow to so many simulations, slice by slice."""
    while growing.more and growing.done < stop:
        rounds = max(1, min(stop - growing.done, int(SLICE / growing.pace)))
        await hall.warmly((growing.form, "grow"), growing.grow, rounds, of=name)
        yield


async def _told(hall: Hall, growing: Growing, began: float, name: str) -> dict[str, Any]:
    told = await hall.warmly((growing.form, "told"), growing.told, of=name)
    return {**told, "final": False, "milliseconds": _since(began)}


def _since(began: float) -> float:
    return 1000 * (time.perf_counter() - began)


async def _by_doubling(hall: Hall, asked: Asked, most: int) -> AsyncIterator[Event]:
    """The same where something is hidden: one search after another, each twice as long."""
    began, chosen = time.perf_counter(), []
    game, spot = asked.game, asked.spot
    answers = doubling(game.task, game.objective, game.state, most, spot.seed, asked.asking)
    while told := await hall.slow(_next, answers, of=spot.task):
        told |= {"final": False, "milliseconds": _since(began)}
        chosen.append([told["simulations"], told["action"]])
        if told["simulations"] <= asked.effort:
            yield "search", told | {"final": 2 * told["simulations"] > asked.effort}
        if asked.strip and 2 * told["simulations"] > asked.effort:
            yield "strip", {"chosen": chosen, "proved": False, "most": most}


def _next(answers: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return next(answers, {})


async def _changed(
    hall: Hall, asked: Asked, habit: Habit, search: dict[str, Any], known: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """What another goal came to: the same question with the task's own, and the difference.

    Search is asked several times for either, so that its chance is not taken for an effect; until
    then it is told how many of these askings are done (`looking`). The exact answers of both are
    compared once that of the present one is `known`.
    """
    usual = asked.spot.usual
    before = Asked(usual, await hall.slice(play, usual), asked.effort)
    if before.game.over:
        yield {"sentence": "", "search": None, "network": None}
        return
    pair = network = best = None
    if asked.effort:
        askings = [(one, k) for k, one in enumerate([before] * (FURTHER + 1) + [asked] * FURTHER)]
        words: list[str] = []
        for one, asking in askings:
            if not _is_known(one, asking):
                yield {"sentence": "", "looking": [len(words), len(askings)]}
            words.append(await _word_of(hall, one, asking))
        pair = (words[: FURTHER + 1], [asked.word(search), *words[FURTHER + 1 :]])
    if habit.policy is not None:
        then = await hall.slice(said_by, habit, before)
        network = (before.word(then), asked.word(await hall.slice(said_by, habit, asked)))
    if known:
        best = await _best_of_both(hall, before, asked)
    what = what_changed(asked.spot.goal, asked.spot.walls)
    told = sentence(
        what,
        pair,
        network,
        told=habit.told_goal,
        seen=bool(asked.spot.walls),
        exact=best,
        who=habit.kind,
    )
    yield {"sentence": told, "search": pair, "network": network}


def _is_known(asked: Asked, asking: int) -> bool:
    return _CHOSEN.peek((asked.spot, asked.effort, asking)) is not None


async def _word_of(hall: Hall, asked: Asked, asking: int) -> str:
    """What a search of one asking chooses, in the task's words."""
    name = (asked.spot, asked.effort, asking)
    known = _CHOSEN.peek(name)
    if known is None:
        put = Asked(asked.spot, asked.game, asked.effort, asking=asking)
        found = [told async for kind, told in searched(hall, put) if kind == "search"]
        known = _CHOSEN.get(name, lambda: put.word(found[-1]))
    return known


async def _best_of_both(
    hall: Hall, before: Asked, asked: Asked
) -> tuple[set[str], set[str]] | None:
    found = [
        await hall.slow(exact, one.spot, one.game.state, of=one.spot.task)
        for one in (before, asked)
    ]
    best = [
        {action_name(asked.game.task, int(a)) for a in np.flatnonzero(one.best)}
        for one in found if isinstance(one, Exact)
    ]  # fmt: skip
    return (best[0], best[1]) if len(best) == 2 else None
