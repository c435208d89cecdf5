"""Environments of Gymnasium as tasks: exact clones, chance from keys, the same scores as ours."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

import strangers  # noqa: E402

from deliberation.adapters import Scored, from_gymnasium  # noqa: E402
from deliberation.core import check_task, rollout  # noqa: E402
from deliberation.core.errors import (  # noqa: E402
    ForeignWorldError,
    TaskImportError,
    UnfaithfulCloneError,
    UnknownNameError,
    UnknownSpaceError,
    WrongKindError,
)
from deliberation.tasks import make_task, name_of_task, portable_name  # noqa: E402
from deliberation.tasks.names import split_name  # noqa: E402

KEY = jax.random.key(0)


def host_play(task, steps, rows=4, seed=0):
    """Random play of a task's world on the host, without JAX: (actions, keys, what came)."""
    rng, world = np.random.default_rng(seed), task.world
    words = lambda: rng.integers(0, 1 << 32, (rows, 2), dtype=np.uint32)  # noqa: E731
    origins = words()
    came = [world.reset(origins)]
    history = np.zeros((rows, world.form.history, 3), np.uint32)
    for ply in range(steps):
        actions, keys = rng.integers(task.traits.actions, size=rows).astype(np.int32), words()
        times = np.full(rows, ply, np.int32)
        stop = came[-1][-2] | came[-1][-1]
        came.append(world.step(came[-1][0], origins, history, times, stop, actions, keys))
        if world.form.history:
            history[:, ply] = np.concatenate([actions.view(np.uint32)[:, None], keys], axis=1)
    return came


def same(one, other):
    pairs = [pair for steps in zip(one, other, strict=True) for pair in zip(*steps, strict=True)]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", ["FrozenLake-v1", "Taxi-v4"])
def test_chance_comes_from_the_key_alone(name):
    task = from_gymnasium(name)
    assert task.fidelity.way == "attributes" and "exact" in str(task.fidelity)
    assert same(host_play(task, 12), host_play(task, 12))
    assert task.fidelity.random == (name == "FrozenLake-v1")


def test_a_lake_keeps_the_contract():
    task = make_task("gym:FrozenLake-v1")
    check_task(task, episodes=2)
    assert not task.traits.deterministic and task.traits.horizon == 100
    assert (
        name_of_task(task) == ("gym:FrozenLake-v1", {}) and make_task("gym:FrozenLake-v1") == task
    )


def test_no_clone_foresees_where_it_slides():
    """Two thirds of slides go aside, whatever the environment's own generator was about to do."""
    task, count = make_task("gym:FrozenLake-v1"), 300
    rows = jax.tree.map(lambda x: jnp.repeat(x[None], 2 * count, 0), task.init(KEY))
    keys = jax.random.split(jax.random.key(1), 2 * count)
    action = jnp.repeat(jnp.array([1, 2]), count)
    after = jax.jit(jax.vmap(task.advance))(rows, action, keys)
    for cells in np.asarray(after.observation).reshape(2, count):
        assert set(cells.tolist()) == {0, 1, 4}
        share = np.array([(cells == cell).mean() for cell in (0, 1, 4)])
        assert np.abs(share - 1 / 3).max() < 0.11


LAKE = {"desc": ["SFG", "HHH"], "max_episode_steps": 3}
"""A lake so small that it is played out in a second."""


def lake_optimum(env):
    """The best expected score in the time that there is, by backward induction."""
    inner = env.unwrapped
    value = np.zeros(inner.observation_space.n)
    for _ in range(LAKE["max_episode_steps"]):
        value = np.array(
            [
                max(
                    sum(p * (r + (not end) * value[s]) for p, s, r, end in row)
                    for row in q.values()
                )
                for _, q in sorted(inner.P.items())
            ]
        )
    return value[0]


def lake_plans(task):
    from deliberation.direct import RandomShooting

    planner = RandomShooting(task, horizon=3, budget=24, population=24)
    return rollout(task, planner, key=KEY, batch=8).returns.mean()


def test_random_shooting_stays_below_the_optimum_and_a_clairvoyant_does_not():
    """A clone that goes on with the chance of the original lets a planner choose its luck."""
    lake = gymnasium.make("FrozenLake-v1", disable_env_checker=True, **LAKE)
    best, noise = lake_optimum(lake), 2 * np.sqrt(0.25 / 8)
    task = from_gymnasium(lake)
    assert lake_plans(task) < best + noise
    task.world.here.chance.seed = lambda env, word: clairvoyant(env)
    assert lake_plans(task) > best + noise


def clairvoyant(env):
    """What chance does next is fixed by the place and the time, for clone and original alike."""
    inner = env.unwrapped
    place = 1000 * env._elapsed_steps + int(getattr(inner, "s", 0))
    inner._np_random = np.random.default_rng(place)


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("Counter", "attributes"), ("Shared", "attributes"), ("Drifting", "attributes"),
        ("Rare", "attributes"), ("Nodes", "deepcopy"), ("Hidden", "replay"), ("Hooked", "hooks"),
    ],
)  # fmt: skip
def test_the_best_way_that_is_exact_is_found(kind, way):
    task = from_gymnasium(functools.partial(strangers.made, kind))
    assert task.fidelity.way == way
    first = host_play(task, 10)
    host_play(task, 5, seed=1)
    assert same(host_play(task, 10), first)
    assert task.fidelity.leaked == (("numpy.random",) if kind == "Shared" else ())


def test_global_chance_is_put_back():
    task = from_gymnasium(strangers.Shared())
    before = np.random.get_state()[1].tolist()
    host_play(task, 3)
    assert np.random.get_state()[1].tolist() == before


def test_forgotten_snapshots_are_played_again():
    small = from_gymnasium(strangers.Nodes(), cache_megabytes=0.002)
    large = from_gymnasium(strangers.Nodes())
    assert same(host_play(small, 8), host_play(large, 8))
    cache = small.world.here.cache
    assert cache.bytes <= 0.002 * (1 << 20) or len(cache._held) == 1
    assert len(large.world.here.cache._held) > len(cache._held)


@pytest.mark.parametrize("clone", ["deepcopy", "replay"])
def test_all_ways_lead_to_the_same(clone):
    ways = [from_gymnasium(strangers.Counter(), clone=way) for way in ("attributes", clone)]
    first, other = (host_play(task, 9) for task in ways)
    assert same([x[1:] for x in first], [x[1:] for x in other])


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("Global", UnfaithfulCloneError, "does not go the same way twice.*self.np_random"),
        ("Entropy", UnfaithfulCloneError, "generator of its own made in `step`"),
        ("Boxed", UnfaithfulCloneError, "Generator inside `rngs`.*self.coin = "),
        ("Dealt", UnfaithfulCloneError, "Generator inside `dealers"),
        ("Graphic", UnknownSpaceError, "Graphic.*Graph space.*Wrap"),
        ("Many", UnknownSpaceError, "MultiBinary.*Discrete or Box.*Wrap"),
    ],
)
def test_what_cannot_be_adapted_is_refused_with_what_to_do(kind, error, said):
    with pytest.raises(error, match=said):
        from_gymnasium(getattr(strangers, kind)())


def test_ways_that_fail_are_all_told():
    with pytest.raises(UnfaithfulCloneError, match=r"attributes: box is a strangers.Closed"):
        from_gymnasium(strangers.Hidden(), clone="attributes")
    with pytest.raises(UnfaithfulCloneError, match=r"deepcopy: a clone goes another way"):
        from_gymnasium(strangers.Hidden(), clone="deepcopy")


def test_wrong_kinds_are_refused():
    with pytest.raises(WrongKindError, match="vector of environments"):
        from_gymnasium(gymnasium.make_vec("CartPole-v1", num_envs=2))
    with pytest.raises(WrongKindError, match="no Gymnasium environment"):
        from_gymnasium(7)
    with pytest.raises(UnknownNameError, match="CartPol"):
        from_gymnasium("CartPol-v1")
    with pytest.raises(ForeignWorldError, match=r"Making CartPole-v1 with .*nonsense"):
        from_gymnasium("CartPole-v1", nonsense=1)


def test_an_error_in_the_middle_keeps_its_type(monkeypatch):
    task = from_gymnasium(strangers.made("Throwing", limit=30))
    monkeypatch.setattr(type(task.world.env.unwrapped), "armed", True)
    from deliberation.core import UniformRandom

    with pytest.raises(ForeignWorldError, match=r"Throwing.*ZeroDivisionError.*strangers.py, line"):
        rollout(task, UniformRandom(task), key=KEY, batch=2)


def first_step(task, past=0):
    """One step from the first state of one key, said to be so many actions past its history."""
    world, origins = task.world, np.array([[1, 2]], np.uint32)
    rows, kept = world.reset(origins), world.form.history
    times = np.array([kept + past if past else 0], np.int32)
    told = np.zeros((1, kept, 3), np.uint32)
    action = np.ones(1, np.int32)
    return lambda: world.step(rows[0], origins, told, times, rows[-2], action, origins)


def test_a_step_that_failed_half_way_leaves_no_trace_where_episodes_are_replayed(monkeypatch):
    env = strangers.Breaking()
    task = from_gymnasium(env, clone="replay", horizon=12)
    step = first_step(task)
    expected = step()[1]
    step = first_step(task)
    monkeypatch.setattr(type(env), "armed", True)
    with pytest.raises(ForeignWorldError, match="the net is down"):
        step()
    monkeypatch.setattr(type(env), "armed", False)
    np.testing.assert_array_equal(step()[1], expected)
    step = first_step(task, past=1)
    task.world.reset(np.array([[3, 4]], np.uint32))
    with pytest.raises(ForeignWorldError, match=r"only 24 are kept.*horizon="):
        step()


def test_bounds_hold_in_the_type_of_the_space():
    from deliberation.adapters.gym.form import ActionForm

    form = ActionForm("<f8", shape=(1,), low=(-0.1,), high=(0.1,))
    assert abs(form.to_env(np.float32([[0.1]]))[0][0]) <= 0.1


def test_a_name_that_workers_do_not_know_is_told_with_what_to_do():
    from deliberation.adapters.gym.workers import _raised

    error = _raised(b'["UnknownNameError", "There is no environment named Mine-v0."]')
    assert isinstance(error, UnknownNameError)
    assert "Mine-v0" in str(error) and "workers=0" in str(error)


class Named(strangers.Counter):
    action_names = ("one", "Two steps")
    observation_names = ("total",)


class Misnamed(strangers.Counter):
    action_names = ("one", "two", "three")
    observation_names = 7


def test_an_environment_names_its_actions_and_what_is_seen():
    task = from_gymnasium(Named)
    state = task.step(task.init(KEY), 1, KEY)
    total = f"{float(state.observation[0]):g}"
    assert task.action_names == ("one", "two-steps")
    assert task.table_seen(state) == (("total", total), ("earned by the last action", "1"))
    assert f"seen: total {total}\n" in task.render(state)
    assert repr(task) == "GymTask(Named, 2 actions, at most 1000 steps, copied by attributes)"


def test_names_that_do_not_fit_are_told_and_not_shown():
    with pytest.warns(UserWarning, match="Misnamed.action_names has 3 different names for 2"):
        task = from_gymnasium(Misnamed)
    assert task.action_names == ()
    assert task.table_seen(task.init(KEY))[0][0] != "total"


def test_a_class_of_ones_own_behind_gym_is_told_how_it_is_named():
    with pytest.raises(
        TaskImportError, match=r"without `gym:`, nowhere:Lift, as module:Class"
    ) as e:
        make_task("gym:nowhere:Lift")
    assert ".." not in str(e.value)


def test_what_resets_itself_stays_where_it_is_cut():
    env = gymnasium.wrappers.Autoreset(strangers.made(limit=3))
    came = host_play(from_gymnasium(env), 4)
    assert came[3][-1].all() and np.array_equal(came[3][0], came[4][0])


def test_statistics_of_wrappers_are_part_of_the_state():
    """The running mean differs from state to state, and comes back with each."""
    env = gymnasium.wrappers.NormalizeObservation(strangers.Counter())
    task = from_gymnasium(env)
    assert task.fidelity.way == "attributes"
    assert {"mean", "var", "count"} <= {slot.name for slot in task.world.way.layout.slots}
    assert same(host_play(task, 6), host_play(task, 6))


def test_spaces_in_spaces_and_bounds_that_differ():
    task = from_gymnasium(strangers.Mixed())
    traits = task.traits
    assert (traits.shape, traits.low, traits.high, traits.discrete) == ((2,), -1.0, 1.0, False)
    state = task.init(KEY)
    assert set(state.observation) == {"place", "cards"} and len(state.observation["cards"]) == 2
    assert task.observe(state).shape == (2 + 3 + 6,)
    after = task.step(state, np.array([0.5, 1.0]), KEY)
    assert after.reward == 0.5
    np.testing.assert_allclose(after.info["force"], [0.5, 4.0])
    goal = Scored(
        lambda before, action, then, info: then["place"][0] - before["place"][0] + info["force"][1]
    )
    assert goal(state, jnp.array([0.5, 1.0]), after) == pytest.approx(2 / 20 + 4.0)


def test_words_are_seen_as_their_bytes():
    task = from_gymnasium(strangers.Wordy())
    state = task.step(task.init(KEY), 1, KEY)
    words = {name: bytes(np.asarray(state.observation[name])) for name in ("mission", "note")}
    assert words["mission"] == b"get the key".ljust(2 * len("get the red ball"), b"\0")
    count = int(state.observation["seen"][0])
    assert words["note"] == ("ñ" * (count % 3)).encode().ljust(12, b"\0")
    assert task.observe(state).shape == (32 + 12 + 1,)
    with pytest.raises(ForeignWorldError, match=r"\['mission'\].*108 bytes.*32 at most"):
        task = from_gymnasium(strangers.Wordy(long=True))
        state = task.init(KEY)
        while not task.terminated(state):
            state = task.step(state, 1, KEY)


def test_another_goal_turns_a_planner_around():
    """Counting slowly in place of earning: the same planner takes the other action."""
    from deliberation.direct import TreeSearch

    task = from_gymnasium(strangers.made(limit=2))
    slow = Scored(lambda before, action, then, info: before[0] - then[0])
    state = jax.vmap(task.init)(jax.random.split(KEY, 2))
    search = TreeSearch(task, budget=64)
    own, _ = search.decide(state, key=KEY)
    other, _ = search.decide(state, objective=slow, key=KEY)
    assert (np.asarray(own.action) == 1).all() and (np.asarray(other.action) == 0).all()


def test_workers_give_the_same_and_leave_nothing():
    here, there = (
        from_gymnasium(strangers.made, kind="Counter", workers=count) for count in (0, 2)
    )
    assert same(host_play(here, 5), host_play(there, 5))
    running = list(there.world.workers._running)
    assert len(running) == 2 and all(process.poll() is None for process in running)
    there.close()
    assert all(process.poll() is not None for process in running)
    with pytest.raises(UnfaithfulCloneError, match="workers=0"):
        from_gymnasium(strangers.Counter(), workers=2)


def test_a_worker_that_dies_is_told_and_started_again():
    task = from_gymnasium(strangers.made, kind="Counter", workers=1)
    first = host_play(task, 2)
    (process,) = task.world.workers._running
    process.kill()
    with pytest.raises(ForeignWorldError, match="worker process of Counter died"):
        host_play(task, 2)
    assert same(host_play(task, 2), first)
    task.close()


def test_a_factory_of_ones_own_has_a_name():
    name = "strangers:made(kind='Drifting')"
    task = make_task(name)
    assert portable_name(task) == name and make_task(portable_name(task)) == task


def scores(name, planner, batch, **options):
    task = make_task(name, **options)
    return rollout(task, planner(task), key=KEY, batch=batch).returns[:, 0]


def test_the_same_planner_scores_the_same_on_our_pendulum():
    """Means within five standard errors of each other; the starts are drawn alike."""
    from deliberation.direct import RandomShooting

    plan = functools.partial(RandomShooting, horizon=5, budget=16, population=16)
    ours = scores("pendulum", plan, 8, horizon=6)
    theirs = scores("gym:Pendulum-v1?max_episode_steps=6", plan, 8)
    spread = np.hypot(ours.std(), theirs.std()) / np.sqrt(8)
    assert abs(ours.mean() - theirs.mean()) < 5 * spread


def test_steps_are_those_of_the_environment_itself():
    """CartPole by hand, from the same seed by the same actions, to the bit."""
    task = from_gymnasium("CartPole-v1")
    env = gymnasium.make("CartPole-v1")
    came = host_play(task, 6, rows=1)
    from deliberation.adapters.gym.chance import mixed

    rng = np.random.default_rng(0)
    words = lambda: rng.integers(0, 1 << 32, (1, 2), dtype=np.uint32)  # noqa: E731
    seen, _ = env.reset(seed=mixed(words())[0] & 0x7FFFFFFF)
    np.testing.assert_array_equal(came[0][1][0], seen)
    for rows in came[1:]:
        action, _ = int(rng.integers(2, size=1)[0]), words()
        seen, reward, over, cut, _ = env.step(action)
        np.testing.assert_array_equal(rows[1][0], seen)
        assert (rows[2][0], rows[-2][0], rows[-1][0]) == (reward, over, cut)


@pytest.mark.parametrize(
    ("told", "name", "options"),
    [
        ("gym:FrozenLake-v1?is_slippery=false", "gym:FrozenLake-v1", {"is_slippery": False}),
        ("gym:FrozenLake-v1(map_name='8x8')", "gym:FrozenLake-v1", {"map_name": "8x8"}),
        ('gym:A/B-v0?a="8"&b=[1,2]&c=null', "gym:A/B-v0", {"a": "8", "b": [1, 2], "c": None}),
        ("pgx:animal_shogi", "pgx:animal_shogi", {}),
        ("openspiel:go(board_size=5)", "openspiel:go", {"board_size": 5}),
    ],
)
def test_names_of_other_libraries_are_read_and_written(told, name, options):
    assert split_name(told) == (name, options)
    assert split_name(portable_name(told)) == (name, options)


def test_names_that_cannot_be_read_are_refused():
    with pytest.raises(TaskImportError, match="written once"):
        split_name("gym:CartPole-v1?a=1&a=2")
    with pytest.raises(UnknownNameError, match=r"package\.module:factory"):
        make_task("gymm-CartPole")


def test_a_run_records_the_version_of_the_library():
    from deliberation.cli._tasks import checked_tasks, told_tasks

    asked = checked_tasks(["gym:FrozenLake-v1(is_slippery=False)"])
    assert asked == ["gym:FrozenLake-v1?is_slippery=false"]
    assert told_tasks(asked)["sources"] == {asked[0]: f"gymnasium {gymnasium.__version__}"}


@pytest.mark.parametrize("how", ["new", "list", "array", "deque", "tuple"])
def test_what_first_moves_after_the_trial_is_not_lost(how):
    """By its attributes' row the mark would stay in the environment, for all other states."""
    task = from_gymnasium(strangers.Late(how), clone="attributes", horizon=60)
    state = task.init(jax.random.key(0))
    with pytest.raises(UnfaithfulCloneError, match=r"bonus|keys|grid|queue|pair"):
        for _ in range(14):
            state = task.step(state, jnp.int32(1), jax.random.key(1))
            jax.block_until_ready(state)
