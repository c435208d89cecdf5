"""What a stranger's environment may do wrong, and what is said of it: refused, never passed on."""

import inspect
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

import strangers  # noqa: E402
from gymnasium import spaces  # noqa: E402
from strangers import Odd, put, raising  # noqa: E402
from test_adapters_gym import host_play  # noqa: E402

from deliberation.adapters import Scored, from_gymnasium  # noqa: E402
from deliberation.core.errors import (  # noqa: E402
    ForeignWorldError,
    NonFiniteError,
    ObjectiveError,
    TaskOptionError,
    UnknownSpaceError,
    WrongKindError,
)
from deliberation.tasks import make_task  # noqa: E402

KEY = jax.random.key(0)
NONE = jnp.int32(0)


class Aborted(BaseException):
    """As a test runner's, which is no Exception."""


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        (lambda env, answer: None, "returned None .*from `step`.*a tuple of five"),
        (lambda env, answer: answer[:3], "tuple of 3.*from `step`.*a tuple of five"),
        (put(1, None), "returned the reward None"),
        (put(1, np.ones(1)), "returned the reward array.*expects one number"),
        (put(1, "1.5"), "returned the reward '1.5'"),
        (put(2, "no"), "`terminated` as 'no'.*expects True or False"),
        (put(2, np.array([False, True])), "`terminated` as array"),
        (put(3, None), "`truncated` as None"),
        (put(4, None), "`info` as None.*expects a dictionary"),
        (put(0, np.zeros(3, np.float32)), r"its shape is \(3,\)"),
        (put(0, np.array(["a"])), "and no number"),
        (put(0, None), "observation that is not in its space"),
        (raising(SystemExit(3)), "raised SystemExit in step.*strangers.py, line"),
        (raising(Aborted("stop")), "raised Aborted in step"),
    ],
)
def test_malformed_answers_name_the_environment_the_method_and_what_is_expected(altered, said):
    with pytest.raises(ForeignWorldError, match=f"Odd.*{said}"):
        host_play(from_gymnasium(Odd(altered)), 1)


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (lambda env, answer: answer[0], r"from `reset`.*\(observation, info\)"),
        (lambda env, answer: (answer[0], None), "`info` as None .*from `reset`"),
        (raising(SystemExit(1)), "raised SystemExit in reset"),
    ],
)
def test_malformed_resets_are_refused(begun, said):
    with pytest.raises(ForeignWorldError, match=f"Odd.*{said}"):
        from_gymnasium(Odd(begun=begun))


@pytest.mark.parametrize("reward", [np.nan, np.inf, 1e300])
def test_rewards_that_are_not_finite_are_refused(reward):
    with pytest.raises(NonFiniteError, match="Odd returned the reward"):
        from_gymnasium(Odd(put(1, reward)))


def test_unusual_numbers_are_numbers():
    odd = Odd(lambda env, answer: (answer[0], np.array(1.5), 0, np.array(False), answer[4]))
    came = host_play(from_gymnasium(odd), 2)
    assert (came[1][2] == 1.5).all() and not came[1][-1].any()


def test_an_interrupt_passes():
    with pytest.raises(KeyboardInterrupt):
        from_gymnasium(Odd(raising(KeyboardInterrupt())))


def test_a_constructor_that_leaves_is_told():
    def leaving():
        raise SystemExit(2)

    with pytest.raises(ForeignWorldError, match=r"Making .*leaving.*raised SystemExit"):
        from_gymnasium(leaving)


@pytest.mark.parametrize(
    ("space", "shown", "said"),
    [
        (spaces.Box(0, 2**40, (1,), np.int64), np.array([2**33]), "does not fit in 32 bits.*X64"),
        (spaces.Discrete(2**19, start=2**40), np.int64(2**40 + 1), "does not fit in 32 bits"),
        (spaces.Discrete(70), 2**35, "none of 70 numbers from 0"),
        (spaces.Discrete(3, start=1), 0, "none of 3 numbers from 1"),
        (spaces.Discrete(3), 1.5, "1.5 is no whole number"),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 3]), "3, which is not counted"),
        (spaces.MultiBinary(2), np.array([2, 0]), "2, which is not counted"),
    ],
)
def test_numbers_are_kept_or_refused(space, shown, said):
    env = Odd(put(0, shown), lambda env, answer: (shown, {}), observation_space=space)
    with pytest.raises(ForeignWorldError, match=said):
        host_play(from_gymnasium(env), 1)


def test_with_64_bits_whole_numbers_are_kept():
    from deliberation.adapters.gym.filling import write_observation
    from deliberation.adapters.gym.form import entries_of, leaves_of

    leaves = leaves_of(spaces.Box(0, 2**40, (1,), np.int64), "Odd", wide=True)
    rows = [np.zeros((1, *leaf.shape), leaf.dtype) for leaf in leaves]
    write_observation(leaves, rows, 0, np.array([2**33]), "Odd")
    assert rows[0][0, 0] == 2**33
    assert [e.dtype for e in entries_of([{"n": 2**40}], None, wide=True)] == ["<i8"]
    assert entries_of([{"n": 2**40}], None) == ()


def test_info_that_does_not_fit_is_refused_and_words_stay_zero():
    from deliberation.adapters.gym.filling import write_info
    from deliberation.adapters.gym.form import entries_of

    entries, rows = entries_of([{"n": 1}], None), [np.zeros(1, np.int32)]
    with pytest.raises(ForeignWorldError, match=r"Odd told .* info\['n'\].*not fit in 32 bits"):
        write_info(entries, rows, 0, {"n": 2**40}, "Odd")
    with pytest.raises(ForeignWorldError, match="no whole number"):
        write_info(entries, rows, 0, {"n": 0.5}, "Odd")
    for value in ("streak!", None, np.ones(3)):
        write_info(entries, rows, 0, {"n": value}, "Odd")
    assert rows[0][0] == 0


@pytest.mark.parametrize(
    ("space", "actions", "expected"),
    [
        (spaces.Box(0, 1, (1,), np.int64), [0, 0.4, 0.6, 1], [0, 0, 1, 1]),
        (spaces.Box(-2, 2, (1,), np.int8), [-2, -1, 0, 1, 2], [-2, -1, 0, 1, 2]),
        (spaces.Box(np.array([0, 5]), np.array([9, 6]), dtype=np.int32), [-1, 0, 1], [0, 5, 9]),
        (spaces.Discrete(3, start=2**40), [0, 2], [2**40, 2**40 + 2]),
    ],
)
def test_actions_are_whole_where_the_space_is(space, actions, expected):
    from deliberation.adapters.gym.form import action_form

    form = action_form(space, "Odd")
    given = np.array(actions, np.int32 if form.count else np.float32)
    given = given if form.count else np.repeat(given[:, None], space.shape[0], 1)
    told = form.to_env(given)
    assert [int(np.ravel(x)[0]) for x in told] == expected
    assert all(space.contains(x) for x in told)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (spaces.Box(-np.inf, np.inf, (1,)), "without bounds"),
        (spaces.Box(-(2**62), 2**62, (1,), np.int64), "without bounds"),
        (spaces.Dict({"a": spaces.Discrete(2)}), "actions of a Dict space.*Wrap"),
        (spaces.Tuple([spaces.Discrete(2)]), "actions of a Tuple space"),
        (spaces.Discrete(2**40), "numbered actions.*at most"),
        (None, "actions of a NoneType space"),
    ],
)
def test_action_spaces_that_no_planner_takes_are_refused_with_words(space, said):
    with pytest.raises(UnknownSpaceError, match=f"Odd.*{said}"):
        from_gymnasium(Odd(action_space=space))


def test_observations_of_nothing_or_of_too_much_are_refused():
    with pytest.raises(UnknownSpaceError, match="nothing to see"):
        from_gymnasium(Odd(observation_space=spaces.Dict({})))
    with pytest.raises(UnknownSpaceError, match="one-hot"):
        from_gymnasium(Odd(observation_space=spaces.Discrete(2**30)))


class NoSpaces(gymnasium.Env):
    """Has none."""


def test_an_environment_without_spaces_is_refused():
    with pytest.raises(ForeignWorldError, match="NoSpaces has no observation_space"):
        from_gymnasium(NoSpaces())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": "two"}, "workers='two' .str. is not accepted.*0 to"),
        ({"workers": 1.5}, "workers=1.5"),
        ({"workers": True}, "workers=True"),
        ({"workers": -1}, "workers=-1"),
        ({"horizon": 1.5}, "horizon=1.5.*at least 1"),
        ({"horizon": 0}, "horizon=0"),
        ({"cache_megabytes": "big"}, "cache_megabytes='big'.*more than 0"),
        ({"cache_megabytes": float("nan")}, "cache_megabytes=nan"),
        ({"info": 3}, "info=3.*list of names"),
        ({"info": "total"}, "info='total'.*list of names"),
        ({"clone": 7}, "clone=7 is no way of copying"),
        ({"get_state": len}, "get_state was given without set_state"),
        ({"set_state": len}, "set_state was given without get_state"),
        ({"get_state": 3, "set_state": len}, "get_state=3.*a function"),
        ({"memory": -1}, r"takes no options \['memory'\]"),
    ],
)
def test_options_of_a_wrong_kind_are_refused_by_name(options, said):
    """Asked without the check of annotations that tests run under, as a user does."""
    with pytest.raises(WrongKindError, match=said):
        inspect.unwrap(from_gymnasium)(strangers.Counter(), **options)


def test_names_with_options_that_nothing_takes():
    with pytest.raises(TaskOptionError, match="multiple values for argument 'env'"):
        make_task("gym:CartPole-v1?env=3")
    board = np.array([list("SF"), list("FG")])
    assert from_gymnasium("FrozenLake-v1", desc=board).named is None


def test_reward_functions_are_named_where_they_fail():
    task = from_gymnasium(Odd())
    state = task.init(KEY)

    def missing(before, action, then, info):
        return info["nope"]

    with pytest.raises(ObjectiveError, match=r"missing .*doors.py, line.*KeyError.*\['total'\]"):
        Scored(missing)(state, NONE, state)
    for found in (None, "1", jnp.ones(2), {}):
        with pytest.raises(ObjectiveError, match=r"lambda.*one number is expected"):
            Scored(lambda *_, found=found: found)(state, NONE, state)
    with pytest.raises(NonFiniteError, match=r"lambda.*nan"):
        Scored(lambda *_: float("nan"))(state, NONE, state)
    with pytest.raises(ObjectiveError, match=r"jnp\.where"):
        jax.eval_shape(Scored(lambda b, a, n, i: 1.0 if n[0] > 3 else 0.0), state, NONE, state)
    with pytest.raises(WrongKindError, match="is given no function"):
        Scored.__check_init__(types.SimpleNamespace(reward=5))
    for odd in ({"limits": (1.0, -1.0)}, {"gamma": 2.0}):
        with pytest.raises(ObjectiveError, match="gamma, what a reward is worth"):
            Scored(lambda *_: 1.0, **odd)
    with pytest.raises(ObjectiveError, match="tasks of from_gymnasium"):
        room = make_task("gridworld").init(KEY)
        Scored(lambda *_: 1.0)(room, NONE, room)
    assert Scored(lambda *_: True)(state, NONE, state).tolist() == [1.0]
