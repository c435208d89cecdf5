"""Two systems against each other on a task, streamed: the board move by move, and score by cost."""

import asyncio
import contextlib
import functools
import operator
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute, Route

from ..adapters import HostPolicy
from ..amortised import NetworkPolicy
from ..core.errors import DeliberationError
from ..core.task import Task, Traits
from ..stats import Estimate
from ..tasks.moves import action_name
from ..tasks.seen import table_of
from ..zoo import list_zoo
from ..zoo.naming import MANIFEST, RANDOM, SEARCH, Named, named_decider
from . import limits
from .asking import Event, Fields, answering, number, streaming
from .contest import SIDES, Bout, Spent, Tally, pair_seed, seatings, warm_up
from .folder.shelf import is_within
from .hall import Hall
from .kept import Kept
from .settings import RefusedError, sentence_of
from .worlds import allowed, drawn, world

BOARDS = 0.04
"""Seconds from one board to the next that is shown: faster play skips some."""
OPENING = 12
_GLANCE = 0.5
HABIT, POLICY = "habit", "policy:"
_MADE, _WARM = Kept(32), Kept(64)


def routes() -> list[BaseRoute]:
    """What this part answers."""
    return [
        Route("/api/match/systems", answering(systems), methods=["GET"]),
        Route("/api/match/play", streaming(play), methods=["GET"]),
    ]


async def systems(hall: Hall, fields: Fields) -> dict[str, Any]:
    """Who can be seated at a task: those meant for it first, and what their dials are."""
    name = allowed(hall.settings, fields.get("task", "tic_tac_toe"))
    traits = (await hall.slow(world, name)).traits
    meant, others = [], []
    for entry, about in list_zoo().items():
        line = {"name": entry, "title": about["title"], "kind": about["kind"]}
        line["dial"] = about["kind"] != "amortised"
        (meant if name.split("(")[0] in about["tasks"] else others).append(line)
    plain = [
        {"name": SEARCH, "title": "Tree search from the rules", "kind": "direct", "dial": True},
        {"name": HABIT, "title": "The board's network", "kind": "amortised", "dial": False},
        {"name": RANDOM, "title": "Random play", "kind": "random", "dial": False},
    ]
    saved = [
        {"name": f"{POLICY}{place.name}", "title": place.name, "kind": "saved", "dial": True}
        for place in _saved(hall)
    ]
    saved += [
        {"name": f"{POLICY}{text}", "title": text, "kind": "saved", "dial": _dial(hall, text)}
        for text in _named(hall, name)
    ]
    return {
        "task": name, "players": traits.players,
        "openings": _opens(traits),
        "groups": [
            {"kind": kind, "systems": some}
            for kind, some in (
                ("Always there", plain), ("Saved", saved), ("Meant for this task", meant),
                ("Others, which may refuse", others),
            )
            if some
        ],
    }  # fmt: skip


def _saved(hall: Hall) -> list[Path]:
    """Folders of saved policies that the playground was started with, or that lie in its runs."""
    given = map(Path, hall.settings.policies)
    found = [path for path in given if (path / MANIFEST).is_file()]
    if hall.settings.runs is not None:
        root = hall.settings.runs.resolve()
        near = (path for path in sorted(root.glob("*")) if is_within(path, root))
        found += [path for path in near if (path / MANIFEST).is_file()]
    return list({path.name: path for path in reversed(found)}.values())[::-1]


def _named(hall: Hall, task: str) -> dict[str, Named]:
    """Policies that the playground was started with by name, made on a task."""
    given = (one.named for one in hall.handed if one.task == task)
    return {named.name: named for named in given if named is not None}


async def play(hall: Hall, fields: Fields) -> AsyncIterator[Event]:
    """A match, from pair `from` on: boards as they come, and each pair's scores and costs.

    `past` holds the scores of the pairs before, and `alike` their mark if all of them went the same
    way, as the page was told them: nothing is kept here.
    """
    name, (first, pairs) = allowed(hall.settings, fields.get("task", "tic_tac_toe")), _span(fields)
    seed, opening = number(fields, "seed", 0, 0, 2**30), number(fields, "opening", 2, 0, OPENING)
    efforts = {side: number(fields, f"{side}_effort", 64, 1, limits.SIMULATIONS) for side in SIDES}
    names = {side: _checked(hall, name, fields.get(side, SEARCH)) for side in SIDES}
    past, alike = _past(fields.get("past", ""), first), _alike(fields.get("alike", ""))
    task = await hall.slow(world, name)
    if task.traits.players > 2:
        raise RefusedError(f"{name} has {task.traits.players} players: a match is between two.")
    opening = opening if _opens(task.traits) else 0
    _affordable(task, pairs - first, [efforts[s] for s in SIDES if _dial(hall, names[s])])
    yield "begins", {"players": task.traits.players, "first": first, "pairs": pairs}
    made: dict[str, Named] = {}
    for side in SIDES:
        yield "making", {"side": side, "name": names[side]}
        making = _Making(hall, name, names[side], efforts[side])
        async with contextlib.aclosing(making.stages()) as stages:
            async for stage in stages:
                yield "making", {"side": side, "name": names[side], "stage": stage}
        assert making.made is not None
        made[side] = making.made
        await hall.slow(_warmed, name, made[side], of=name)
    tally, boards = Tally.of(task, past, alike), Boards()
    for pair in range(first, pairs):
        bouts: list[Bout] = []
        for seats in seatings(task):
            bout = await hall.slice(Bout, task, made, seats, pair_seed(seed, pair), opening)
            bouts.append(bout)
            yield "board", boards.shown(bout, pair)
            while not bout.over:
                mover = bout.mover
                action = await hall.slice(bout.step)
                if bout.over or boards.due():
                    yield "board", boards.shown(bout, pair, mover, action)
        scores = tally.add(bouts)
        yield "pair", await hall.slice(_told, tally, bouts, pair, scores)
    yield "finished", {"pairs": pairs, "planned": _estimate(tally.planned())}


class _Making:
    """A system on its way to a match; `made` is None until it is there.

    Who closes `stages` ends what is being trained, unless somebody else waits for it.
    """

    def __init__(self, hall: Hall, task: str, name: str, effort: int):
        self.hall, self.asked = hall, (task, name, effort)
        self.made: Named | None = None
        self.share = 0.0

    async def stages(self) -> AsyncGenerator[str, None]:
        """How far it is, in words, now and then."""
        task, name, _ = self.asked
        if name == HABIT:
            habit = self.hall.habits.of(task)
            with habit.waited_for(stops=True):
                while not habit.settled:
                    yield habit.doing()
                    await asyncio.sleep(_GLANCE)
                    self.hall.habits.of(task)  # Who is not looked at is trained last.
        work = self.hall.learn(_made, self.hall, *self.asked, watch=self._heard)
        working = asyncio.create_task(work)
        try:
            while not (await asyncio.wait((working,), timeout=_GLANCE))[0]:
                if self.share:
                    yield f"{self.share:.0%} of its training is done"
            self.made = working.result()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _heard(self, share: float) -> None:
        self.share = share


class Boards:
    """Which boards are shown: not more than a screen can."""

    def __init__(self) -> None:
        self._last = 0.0

    def due(self) -> bool:
        """Whether it is time for another."""
        return time.monotonic() - self._last >= BOARDS

    def shown(
        self, bout: Bout, pair: int, mover: str = "", action: int | None = None
    ) -> dict[str, Any]:
        """A board as the page draws it: what the player to move sees."""
        self._last = time.monotonic()
        game, task = bout.game, bout.task
        picture = task.picture(game.state)
        return {
            "task": "", "pair": pair, "seats": bout.seats, "ply": len(game.actions),
            "mover": game.mover, "moved": mover, "over": game.over, "legal": [],
            "move": "" if action is None else action_name(task, action),
            "players": task.traits.players, "returns": game.returns,
            "picture": None if picture is None else drawn(picture),
            "table": table_of(task, game.state) if picture is None else [],
            "text": task.render(game.state) if game.over else task.render_seen(game.state),
        }  # fmt: skip


def _told(
    tally: Tally, bouts: Sequence[Bout], pair: int, scores: tuple[float, float]
) -> dict[str, Any]:
    """What a pair adds: its scores and costs, and the estimates with it."""
    spent: dict[str, dict[str, Any]] = {}
    for side in SIDES:
        parts = [bout.spent[side] for bout in bouts if side in bout.spent]
        spent[side] = functools.reduce(operator.add, parts, Spent()).as_dict()
    return {
        "pair": pair,
        "scores": scores,
        "games": [
            {"seats": bout.seats, "returns": bout.game.returns, "moves": len(bout.game.actions)}
            for bout in bouts
        ],
        "spent": spent,
        "difference": _estimate(tally.difference()),
        "a": _estimate(tally.mean("a")),
        "b": _estimate(tally.mean("b")),
        "alike": tally.alike or "",
        "repeated": tally.repeated,
        "said": tally.said(),
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {"estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n}


def _span(fields: Fields) -> tuple[int, int]:
    """The first pair to play and the one to stop before. Raises `RefusedError`."""
    most = limits.GAMES // 2
    text = fields.get("pairs", "50")
    if text.isascii() and text.isdigit() and len(text) <= limits.DIGITS:
        limits.refuse_above("games", 2 * int(text), limits.GAMES, "Play fewer pairs.")
    pairs = number(fields, "pairs", 50, 1, most)
    return number(fields, "from", 0, 0, pairs), pairs


def _past(text: str, first: int) -> list[tuple[float, float]]:
    """Scores of earlier pairs, as "a_b*count,...". Raises `RefusedError`."""
    found: list[tuple[float, float]] = []
    try:
        for part in filter(None, text.split(",")):
            scores, _, count = part.partition("*")
            a, b = (float(x) for x in scores.split("_"))
            times = int(count[:6] or 1)
            if not (
                count.isascii()
                and len(count) < 6
                and abs(a) < 1e9
                and abs(b) < 1e9
                and 0 < times <= first - len(found)
            ):
                raise ValueError
            found += [(a, b)] * times
    except ValueError:
        raise RefusedError("past says no scores of earlier pairs: begin the match anew.") from None
    if len(found) != first:
        raise RefusedError(
            f"past tells of {len(found)} pairs and the match is to go on at pair {first}: begin "
            "it anew."
        )
    return found


def _alike(text: str) -> str:
    """The mark of earlier pairs that all went the same way. Raises `RefusedError`."""
    if len(text) > 64 or not all(c in "0123456789abcdef" for c in text):
        raise RefusedError("alike is no mark of earlier pairs: begin the match anew.")
    return text


def _checked(hall: Hall, task: str, name: str) -> str:
    """The name of a system that a visitor may have made. Raises `RefusedError`."""
    places = [path.name for path in _saved(hall)]
    saved = [f"{POLICY}{text}" for text in (*places, *_named(hall, task))]
    if name in (SEARCH, RANDOM, HABIT) or name in list_zoo() or name in saved:
        return name
    raise RefusedError(
        f"There is no system named {name[:60]!r} here: {SEARCH}, {HABIT}, {RANDOM}, an entry of "
        "the zoo, or a policy that the playground was started with.", 404,
    )  # fmt: skip


def _opens(traits: Traits) -> bool:
    """Whether games begin alike, so that drawn first moves make them differ."""
    return traits.players == 2 and traits.deterministic and traits.fully_observable


def _dial(hall: Hall, name: str) -> bool:
    """Whether a budget changes anything: of what is only learned, or drawn, it does not."""
    text = name.removeprefix(POLICY)
    for one in hall.handed:
        if one.named is not None and one.named.name == text:
            return not isinstance(one.policy, NetworkPolicy | HostPolicy)
    return name not in (RANDOM, HABIT) and list_zoo().get(name, {}).get("kind") != "amortised"


def _affordable(task: Task, pairs: int, efforts: Sequence[int]) -> None:
    """Refuse a match that could take too long. Raises `RefusedError`."""
    decisions = pairs * min(task.traits.horizon, limits.HORIZON)
    limits.refuse_above("moves", decisions, limits.PLAYED, "Play fewer pairs.")
    limits.refuse_above(
        "simulations",
        decisions * sum(efforts),
        limits.SEARCHED,
        "Turn the dials down, or play fewer.",
    )


def _made(hall: Hall, task: str, name: str, effort: int) -> Named:
    """A system with its dial where it was asked for; made, or trained, once."""
    named = _named(hall, task).get(name.removeprefix(POLICY))
    runs = hall.settings.runs
    found = named or _MADE.get((task, name, runs), lambda: _make(hall, task, name))
    return found._replace(budget=effort) if _dial(hall, name) else found


def _make(hall: Hall, task: str, name: str) -> Named:
    import jax

    if name == HABIT:
        habit = hall.habits.of(task)
        if habit.policy is None:
            raise RefusedError(habit.refused)
        return Named(HABIT, habit.policy, None)
    if not name.startswith(POLICY):
        return named_decider(world(task), name, jax.random.key(0), "smoke")
    path = next(p for p in _saved(hall) if p.name == name.removeprefix(POLICY))
    try:
        return named_decider(world(task), str(path), jax.random.key(0))
    except DeliberationError as error:
        sentence = sentence_of(str(error).replace(f"{path.parent}/", ""))
        raise RefusedError(sentence) from error


def _warmed(task: str, named: Named) -> None:
    """Whatever is to be compiled is by the time that moves are clocked."""

    def once() -> bool:
        warm_up(world(task), named)
        return True

    _WARM.get((task, named.name, named.budget, id(named.decider)), once)
