"""Trainings and long answers of several tasks take turns: none holds up what others look at."""

import asyncio
import threading
import time

import pytest

pytest.importorskip("starlette")

from deliberation.playground import turns
from deliberation.playground.pool import Pool
from deliberation.playground.turns import DroppedError, Habit, Turns


def until(told, seconds=10.0):
    end = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def school(monkeypatch):
    """Trainings that count their steps; `stuck` are in the midst of a slow simulation."""
    monkeypatch.setattr(turns, "TURN", 0.1)
    monkeypatch.setattr(turns, "_LOOK", 0.01)
    steps, stuck, free = {}, set(), threading.Event()

    def train(habit):
        habit.stage = "asking search"
        try:
            while not habit.settled:
                habit.go_on()
                steps[habit.name] = steps.get(habit.name, 0) + 1
                if habit.name in stuck:
                    free.wait(20)
                time.sleep(0.005)
        except DroppedError:
            steps[f"{habit.name} dropped"] = 1

    made = Turns(train, lambda name: False)
    made.steps, made.stuck = steps, stuck
    yield made
    free.set()
    made.close()


def test_a_training_in_the_midst_of_a_slow_simulation_holds_up_no_other(school):
    shop, lift = Habit("shop"), Habit("lift")
    school.stuck.add("shop")
    with shop.waited_for():
        school.ask(shop)
        until(lambda: "shop" in school.steps)
        with lift.waited_for():
            school.ask(lift)
            assert lift.doing().startswith("waiting for its turn behind shop, for 0 s")
            until(lambda: school.ask(lift) or school.steps.get("lift", 0) > 5, 2)
    assert school.steps["shop"] == 1


def test_what_two_look_at_takes_turns_and_says_whom_it_waits_for(school):
    one, other = Habit("one"), Habit("other")
    with one.waited_for(), other.waited_for():
        school.ask(one)
        school.ask(other)
        seen = []
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            seen.append((one.doing(), other.doing()))
            time.sleep(0.01)
    shares = [school.steps["one"], school.steps["other"]]
    assert min(shares) > 0.25 * max(shares), f"each has its turn: {shares}"
    assert any("behind other, for" in mine for mine, _ in seen)
    assert any("asking search; waiting for its turn behind one" in theirs for _, theirs in seen)


def test_what_nobody_looks_at_waits_for_what_somebody_does(school):
    left, wanted = Habit("left"), Habit("wanted")
    with left.waited_for():
        school.ask(left)
        until(lambda: school.steps.get("left", 0) > 2)
    with wanted.waited_for():
        school.ask(wanted)
        until(lambda: school.steps.get("wanted", 0) > 2)
        before = school.steps["left"]
        time.sleep(0.4)
        assert school.steps["left"] <= before + 1, "it waits"
        left.asked -= 2 * turns.PATIENCE
        until(lambda: "left dropped" in school.steps)
    assert "wanted dropped" not in school.steps


def test_no_more_are_begun_than_there_is_room_for(school, monkeypatch):
    monkeypatch.setattr(turns, "BEGUN", 2)
    some = [Habit(f"{i}") for i in range(3)]
    with some[0].waited_for():
        for habit in some[:2]:
            with habit.waited_for():
                school.ask(habit)
                until(lambda name=habit.name: name in school.steps)
        with some[2].waited_for():
            school.ask(some[2])
            until(lambda: school.ask(some[2]) or "2" in school.steps)
        assert "1 dropped" in school.steps and "0 dropped" not in school.steps


def test_one_task_does_not_take_all_threads_that_answer():
    pool, free = Pool("turns of this test", 4, spare=4), threading.Event()

    async def ask():
        slow = [asyncio.create_task(pool.run(free.wait, 20, of="shop")) for _ in range(12)]
        await asyncio.sleep(0.05)
        for task in slow[:6]:  # Who leaves does not end what runs.
            task.cancel()
        await asyncio.sleep(0.05)
        found = await asyncio.wait_for(pool.run(lambda: "there", of="lift"), 2)
        free.set()
        await asyncio.gather(*slow, return_exceptions=True)
        return found

    try:
        assert asyncio.run(ask()) == "there"
    finally:
        free.set()
        pool.close()
