"""Answers of the playground that do not come: each says why, and none waits for ever."""

import asyncio
import contextlib
import time

import pytest

pytest.importorskip("starlette")

from playground_asked import opened, thought

from deliberation.core.telling import tell
from deliberation.playground import exact as exacts
from deliberation.playground import thinking
from deliberation.playground.exact import listing
from deliberation.playground.habits import Habit
from deliberation.playground.kept import Kept
from deliberation.playground.pool import Pool
from deliberation.playground.searching import Growing
from deliberation.playground.thinking import think

TURNED = {"task": "tic_tac_toe", "moves": "a1", "goal": "misere:1", "strip": "0"}


@pytest.fixture(scope="module")
def hall():
    yield from opened()


@pytest.mark.parametrize("broken", ["exact", "said_by"])
def test_who_fails_says_so_and_keeps_nobody_else_from_answering(hall, monkeypatch, broken):
    def fail(*given):
        raise MemoryError("not enough")

    monkeypatch.setattr(thinking, broken, fail)
    found = thought(hall, task="tic_tac_toe", effort=16, strip=0)
    mine, other = ("exact", "habit") if broken == "exact" else ("habit", "exact")
    assert [told for name, told in found if name == mine][-1]["refused"]
    assert not [told for name, told in found if name == other][-1].get("refused")
    assert [told["final"] for name, told in found if name == "search"][-1]
    assert not [name for name, _ in found if name == "refused"]


@pytest.mark.parametrize("error", [StopIteration, SystemExit, KeyboardInterrupt, ValueError])
def test_whoever_waits_is_told_whatever_the_work_ends_with(error):
    """Python refuses to hand some of these on, and the one who waits would wait for ever."""
    one = Pool("errors of this test", 1)

    def fail():
        raise error("so")

    async def wait():
        with pytest.raises((RuntimeError, ValueError)):
            await asyncio.wait_for(one.run(fail), 5)
        return await asyncio.wait_for(one.run(lambda: "still there"), 5)

    assert asyncio.run(wait()) == "still there"
    one.close()


def test_an_exact_answer_that_nobody_waits_for_is_listed_no_further(hall, monkeypatch):
    """Else eight of them, of ten thousands of states each, stand in everybody's way."""
    monkeypatch.setattr(exacts, "_LISTED", Kept(2))
    shares = []

    async def leave():
        asking = asyncio.create_task(
            hall._slow.run(listing, "gridworld_goals", watch=shares.append)
        )
        while not shares:
            await asyncio.sleep(0.01)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        for _ in range(200):
            if not any(job.left for job in hall._slow._running):
                return
            await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(leave(), 60))
    assert shares and max(shares) < 0.9
    assert exacts._LISTED.peek("gridworld_goals") is None and not exacts._LISTED._making


def test_who_asks_again_after_leaving_gets_the_answer():
    """A page that is loaded anew while its question is worked on: the second asking is answered."""
    kept, pool, begun = Kept(2), Pool("reload of this test", 2, spare=2), []

    def make():
        begun.append(0)
        for step in range(40):
            time.sleep(0.01)
            tell(step / 40)
        return "solved"

    async def reload():
        first = asyncio.create_task(pool.run(kept.get, "one", make))
        while not begun:
            await asyncio.sleep(0.005)
        first.cancel()
        return await asyncio.wait_for(pool.run(kept.get, "one", make), 10)

    assert asyncio.run(reload()) == "solved" and len(begun) <= 2
    assert not kept._making
    pool.close()


def test_a_network_that_is_stopped_for_a_match_goes_on_for_whoever_looks():
    habit = Habit("some")
    with habit.waited_for():
        with habit.waited_for(stops=True):
            assert habit.looking == 2
        assert not habit.stopped, "the board still looks at it"
    with habit.waited_for(stops=True):
        pass
    assert habit.stopped


def test_while_search_is_asked_again_it_is_told_how_often(hall, monkeypatch):
    monkeypatch.setattr(thinking, "_CHOSEN", Kept(64))
    found = [told for name, told in thought(hall, **TURNED, effort=32) if name == "changed"]
    looking = [told["looking"] for told in found if told.get("looking")]
    assert looking == [[done, 7] for done in range(7)], "and not again once that is known"
    assert found[-1]["sentence"].startswith("The goal changed: search")
    assert [len(words) for words in found[-1]["search"]] == [4, 4]


def test_asking_again_ends_when_the_dial_moves(hall, monkeypatch):
    monkeypatch.setattr(thinking, "_CHOSEN", Kept(64))
    grown, grow = [], Growing.grow
    monkeypatch.setattr(Growing, "grow", lambda self, n: grown.append(n) or grow(self, n))

    async def leave():
        async with contextlib.aclosing(think(hall, {**TURNED, "effort": "16384"})) as events:
            async for name, told in events:
                if name == "changed" and told.get("looking", [0])[0] == 1:
                    break
        seen = len(grown)
        await asyncio.sleep(0.4)
        return seen

    seen = asyncio.run(asyncio.wait_for(leave(), 120))
    assert seen > 0 and len(grown) <= seen + 1, "what runs ends with its slice"
