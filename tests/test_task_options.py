"""Every option of every built-in task: whatever is given for it works or is refused, and soon."""

import math
import signal

import jax
import pytest

from deliberation.core.errors import DeliberationError, TaskImportError, TaskOptionError
from deliberation.tasks import list_tasks, make_task, portable_name
from deliberation.tasks.names import split_name

SECONDS = 2.0
EXTRA = {"half_cheetah"}
"""Loads MuJoCo, which takes longer than that."""
GIVEN = (0, -1, 10_000_000, 2**40, "abc", math.nan, None, 2.5, True)


@pytest.fixture
def hurry():
    """Give up on a test that hangs."""

    def late(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", sorted(set(list_tasks()) - EXTRA))
def test_whatever_is_given_for_an_option_works_or_is_refused(name, hurry):
    for option in list_tasks()[name]["options"]:
        for value in GIVEN:
            hurry()
            try:
                task = make_task(name, **{option: value})
            except TaskOptionError as error:
                assert option in str(error) and name in str(error), (option, value)
                assert not any(word in str(error) for word in ("instances of", "object", "<ast"))
            else:
                assert jax.eval_shape(lambda k, t=task: t.observe(t.init(k)), jax.random.key(0))
                wrong = type(value) in (str, bool) and not isinstance(
                    list_tasks()[name]["options"][option], type(value)
                )
                assert value == value and not wrong, (option, value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gridworld(size=10000000)", "takes a size of at most 64; got 10,000,000"),
        ("gridworld(sze=3)", "Did you mean 'size'.*Options: size, slip.*size=5, slip=0"),
        ("gridworld:size=abc", "size is a whole number; got 'abc'"),
        ("cartpole:horizon=2.5", "horizon is a whole number; got 2.5"),
        ("hex:swap=1", "swap is True or False; got 1"),
        ("gridworld:view=all", "view is a whole number or None; got 'all'"),
        ("othello:size=8", "no option 'size'. It has no options."),
        (f"cartpole:horizon={'9' * 1000}", "horizon=a number of 3322 bits.*got far more"),
    ],
)
def test_refusals_name_the_option_and_what_there_is(name, told, hurry):
    hurry()
    with pytest.raises(TaskOptionError, match=told):
        make_task(name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gridworld(goal_reward=1e39)", "a goal_reward within 3.4e\\+38.*got 1e\\+39"),
        (f"gridworld(goal_reward={10**39})", "a goal_reward within 3.4e\\+38.*got 1e\\+39"),
        ("gridworld_continuous(pit_reward=-1e39)", "a pit_reward within 3.4e\\+38.*got -1e\\+39"),
        ("2048(points=1e39)", "points within 3.4e\\+38"),
        ("pendulum(gravity=1e39)", "gravity within 3.4e\\+38"),
        ("go_9x9(komi=1e39)", "komi within 3.4e\\+38"),
        ("2048(points=1e-40)", "returns would come to 3.93e\\+46"),
        ("gridworld(step_reward=-1e37)", "returns would come to -4e\\+38"),
    ],
)
def test_numbers_that_32_bits_do_not_hold_are_refused_with_the_number(name, told):
    with pytest.raises(TaskOptionError, match=told):
        make_task(name)


def test_large_numbers_that_32_bits_hold_are_taken():
    task = make_task("gridworld(goal_reward=1e30)")
    assert task.objective.bounds[1] == pytest.approx(1e30)
    with pytest.raises(TaskOptionError, match="goal_reward within"):
        type(task)(goal_reward=1e39)


def test_options_may_stand_behind_a_colon():
    for short, long in (
        ("gridworld:size=4,slip=0.2", "gridworld(size=4, slip=0.2)"),
        ("revaluation:start=middle", "revaluation(start='middle')"),
        ("gridworld: layout = S.G ... , horizon=None", "gridworld(horizon=None, layout='S.G ...')"),
    ):
        assert portable_name(short) == long
        assert make_task(short) == make_task(long)
    assert split_name("my_world:Corridor:cells=[3,4],name=x") == (
        "my_world:Corridor", {"cells": [3, 4], "name": "x"},
    )  # fmt: skip
    for wrong in ("gridworld:size=4,size=5", "gridworld:4,size=5", "gridworld(size=abc)",
                  "gridworld(ｓize=5)"):  # fmt: skip
        with pytest.raises(TaskImportError, match="cannot be read"):
            make_task(wrong)


@pytest.mark.parametrize("name", ["tiger", "biased_rps"])
def test_an_optimum_whose_table_would_be_too_large_is_not_told(name, hurry):
    hurry()
    task = make_task(name, horizon=1_000_000)
    assert math.isnan(task.objective.optimum(task.init(jax.random.key(0))))


def test_refusals_are_errors_of_the_library_and_of_their_kind():
    assert issubclass(TaskOptionError, DeliberationError)
    for builtin in (TypeError, ValueError):
        with pytest.raises(builtin):
            make_task("pendulum", mass=2)
