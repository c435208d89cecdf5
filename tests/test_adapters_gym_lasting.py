"""Strangers that are not what they were: cuts, counters, chance and hooks that come late; turns."""

import gc
import random
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

import strangers  # noqa: E402
from gymnasium import spaces  # noqa: E402
from strangers import Odd, put  # noqa: E402
from test_adapters_gym import host_play, same  # noqa: E402

from deliberation.adapters import SampledChance, from_gymnasium  # noqa: E402
from deliberation.core.errors import (  # noqa: E402
    ForeignWorldError,
    UnfaithfulCloneError,
    UnsuitableTaskError,
    WrongKindError,
)
from deliberation.tasks import make_task  # noqa: E402

KEY = jax.random.key(0)


LIMIT = [8]


def strict(env, answer):
    """Cuts at a limit, and fails where it is stepped on."""
    if env.gone:
        raise RuntimeError("call reset")
    env.gone = env.total >= LIMIT[0]
    return (*answer[:3], env.gone, answer[4])


def reborn(env, answer):
    env.gone = False
    return answer


@pytest.mark.parametrize("clone", ["attributes", "deepcopy", "replay"])
@pytest.mark.parametrize("met", [8, 10**6])
def test_an_environment_that_fails_past_its_cut_is_not_stepped_there(clone, met, monkeypatch):
    """Whether the trial has met the cut or not."""
    monkeypatch.setitem(globals(), "LIMIT", [met])
    task = from_gymnasium(Odd(strict, reborn, gone=False), clone=clone, horizon=30)
    LIMIT[0] = 8
    came = host_play(task, 12)
    cut, over = (np.stack([x[i] for x in came]) for i in (-1, -2))
    assert cut.any(0).all() and not (cut & over).any()


def test_ids_that_are_registered_again_and_factories_that_are_others_make_what_they_are_now():
    ids = ["Again-v0", "Again"]
    gymnasium.register("Again-v0", entry_point=Odd)
    first, _ = (from_gymnasium(name) for name in ids)
    assert from_gymnasium("Again-v0") == first
    gymnasium.register("Again-v0", entry_point=lambda: Odd(put(1, -7.0)))
    for name in ids:
        assert (host_play(from_gymnasium(name), 1)[1][2] == -7).all()
    from deliberation.adapters.gym.task import adopted

    one, other = (adopted("own:made", make, {}) for make in (Odd, lambda: Odd(put(1, -7.0))))
    assert one != other and (host_play(other, 1)[1][2] == -7).all()


def test_actions_that_change_during_play_are_refused():
    def altered(env, answer):
        env.action_space = spaces.Discrete(3 if env.total > 9 else 2)
        return answer

    with pytest.raises(UnfaithfulCloneError, match=r"actions of Odd changed.*Discrete\(3\)"):
        from_gymnasium(Odd(altered))


@pytest.mark.parametrize("source", [np.random.rand, random.random])
def test_global_chance_that_is_drawn_late_is_refused(source):
    """After the first steps, in the trial or in play."""

    def altered(env, answer):
        if env.total > 40 and env.unlocked:
            source()
        return answer

    with pytest.raises(UnfaithfulCloneError, match=r"generator of the whole process.*np_random"):
        from_gymnasium(Odd(altered, unlocked=True))
    locked = {"open": False}
    task = from_gymnasium(Odd(lambda env, answer: (source() if locked["open"] else 0, answer)[1]))
    locked["open"] = True
    with pytest.raises(UnfaithfulCloneError, match="generator of the whole process"):
        host_play(task, 20)


def counting(env, answer):
    """Counts its episodes, in an attribute that there need not be."""
    env.episodes = getattr(env, "episodes", 0) + 1
    return answer


@pytest.mark.parametrize("attributes", [{}, {"episodes": 0}])
def test_a_count_of_episodes_is_no_part_of_a_first_state(attributes):
    task = from_gymnasium(Odd(begun=counting, **attributes))
    assert task.fidelity.way == "attributes" and not task.fidelity.restless
    assert same(host_play(task, 3), host_play(task, 3))


def test_a_clock_is_told():
    task = from_gymnasium(Odd(begun=lambda env, answer: (setattr(env, "at", object()), answer)[1]))
    assert task.fidelity.way != "attributes"
    times = iter(range(10**6))
    timed = Odd(begun=lambda env, answer: (setattr(env, "at", next(times)), answer)[1])
    task = from_gymnasium(timed)
    assert task.fidelity.restless == ("at",) and "other after each reset" in str(task.fidelity)


@pytest.mark.parametrize("clone", ["attributes", "deepcopy", "replay"])
def test_two_tasks_of_one_environment_take_turns(clone):
    env = Odd()
    one = from_gymnasium(env, clone=clone, horizon=20)
    expected = host_play(one, 4)
    other = from_gymnasium(gymnasium.wrappers.TimeLimit(env, 9), clone="replay", horizon=20)
    interleaved = turns(one, other, 4)
    assert same(interleaved, expected)


def turns(one, other, steps):
    """`host_play` of the first, with play of the other between its steps."""
    step = one.world.step

    def between(*given):
        host_play(other, 2, seed=1)
        return step(*given)

    one.world.step = between
    try:
        return host_play(one, steps)
    finally:
        one.world.step = step


def test_an_environment_goes_with_its_task():
    env = Odd()
    gone, task = weakref.ref(env), from_gymnasium(env)
    host_play(task, 1)
    del env, task
    gc.collect()
    assert gone() is None


def test_a_step_that_failed_leaves_no_trace_in_what_rests():
    armed = []

    def altered(env, answer):
        if env.broken:
            raise RuntimeError("I am broken, call reset")
        if armed:
            env.broken = True
            raise ValueError("bad luck")
        return answer

    task = from_gymnasium(Odd(altered, broken=False))
    expected = host_play(task, 3)
    armed.append(1)
    with pytest.raises(ForeignWorldError, match="bad luck"):
        host_play(task, 3)
    armed.clear()
    assert same(host_play(task, 3), expected)


class HalfHooked(strangers.Counter):
    """Tells its state and takes none."""

    def get_state(self):
        return self.total


def test_one_hook_alone_is_told():
    told = str(from_gymnasium(HalfHooked()).fidelity)
    assert "get_state() in HalfHooked and no set_state() beside it" in told


def test_hooks_keep_what_wrappers_count_too():
    env = gymnasium.wrappers.TimeLimit(Odd(), 40)
    task = from_gymnasium(
        env,
        get_state=lambda env: env.unwrapped.total,
        set_state=lambda env, state: setattr(env.unwrapped, "total", state),
    )
    assert task.fidelity.way == "hooks"
    cuts = np.stack([x[-1] for x in host_play(task, 30)])
    assert not cuts.any()


class Showy(strangers.Counter):
    """Fails to draw and to close."""

    render_mode = "rgb_array"

    def render(self):
        raise RuntimeError("no screen")

    def close(self):
        raise OSError("cannot close")


def test_what_cannot_be_drawn_or_closed_can_be_planned_in():
    task = from_gymnasium(Showy())
    assert task.fidelity.way == "attributes" and all(x.exact for x in task.fidelity.tried[-1:])
    task.close()


def test_large_values_are_looked_at_with_each_row_of_the_trial():
    def altered(env, answer):
        env.large[env.total] += 1  # in place, and only where nobody looked at the ends
        return (*answer[:1], float(env.large.sum()), *answer[2:])

    def begun(env, answer):
        env.large[:] = 0
        return answer

    env = Odd(altered, begun, large=np.zeros(2000))
    task = from_gymnasium(env)
    assert same(host_play(task, 8), host_play(task, 8))
    from deliberation.adapters.gym.attributes import Attributes, Layout, Survey

    env = Odd(large=np.zeros(20_000))
    kept = Attributes(env, Layout((), ()))
    env.large[3] = 1
    kept.write()  # seldom, by default
    with pytest.raises(UnfaithfulCloneError, match=r"large.*altered in place"):
        kept.watch_all(0.0)
    assert Survey(env).entries


def test_workers_that_make_another_environment_are_refused_and_none_is_left():
    task = from_gymnasium(strangers.made, kind="Counting", workers=1)
    with pytest.raises(UnfaithfulCloneError, match="A worker process made another Counting"):
        task.world.reset(np.array([[1, 2]], np.uint32))
    assert not task.world.workers._running


def test_a_worker_whose_environment_leaves_tells_it():
    task = from_gymnasium(strangers.made, kind="Quitting", workers=1)
    with pytest.raises(ForeignWorldError, match="raised SystemExit in"):
        host_play(task, 8)
    task.close()
    assert not task.world.workers._running


class Sliding(gymnasium.Env):
    """Three cells in a ring; a move goes on by one or stays, by a drawn number."""

    observation_space = gymnasium.spaces.Discrete(3)
    action_space = gymnasium.spaces.Discrete(2)
    chance = 0.5

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.s = 0
        return self.s, {}

    def step(self, action):
        moved = self.np_random.random() >= self.chance
        self.s = (self.s + int(action) + int(moved)) % 3
        return self.s, float(self.s == 2), False, False, {}


class Lying(Sliding):
    """The same with a table in which it moves as often as it stays, and it does not."""

    def __init__(self, chance=0.2):
        self.chance = chance
        to = {s: [(s + a) % 3 for a in range(3)] for s in range(3)}
        self.P = {
            s: {a: [(0.5, to[s][a + k], float(to[s][a + k] == 2), False) for k in range(2)]
                for a in range(2)}
            for s in range(3)
        }  # fmt: skip


def test_chance_that_is_not_listed_is_drawn_for_tree_search():
    """Two results, each about as often, the same at every look."""
    from deliberation.direct import TreeSearch

    task = from_gymnasium(gymnasium.wrappers.TimeLimit(Sliding(), 8))
    with pytest.raises(UnsuitableTaskError, match="SampledChance"):
        TreeSearch(task)
    model = SampledChance(task, 48)
    state, listed = jax.jit(task.init)(KEY), jax.jit(model.outcomes)
    (after, chances), (again, _) = (listed(state, jnp.int32(1)) for _ in range(2))
    cells = np.asarray(after.observation)
    shares = [chances[cells == cell].sum() for cell in (1, 2)]
    np.testing.assert_allclose(shares, 1 / 2, atol=0.25)
    assert (chances > 0).sum() == 2 and (cells == again.observation).all()
    with pytest.raises(UnsuitableTaskError, match="has no chance"):
        SampledChance(from_gymnasium(Odd()))
    with pytest.raises(WrongKindError, match="draws=0"):
        SampledChance(task, 0)
    with pytest.raises(UnsuitableTaskError, match="lists its outcomes itself"):
        SampledChance(make_task("gym:FrozenLake-v1"))


def test_a_table_is_listed_where_it_is_what_is_played_by():
    """The lake's own table, entry by entry; the optimum of endless play is the known 0.8235."""
    from deliberation.direct import enumerate_states, value_iteration

    task = make_task("gym:FrozenLake-v1")
    table, state = task.world.env.unwrapped.P, jax.jit(task.init)(KEY)
    for action in range(4):
        after, chances = jax.jit(task.outcomes)(state, jnp.int32(action))
        told = [
            (pytest.approx(float(p)), int(s), float(r), bool(over))
            for p, s, r, over in zip(
                chances, after.observation, after.reward, after.over, strict=True
            )
        ]
        assert [(p, s, float(r), bool(d)) for p, s, r, d in table[0][action]] == told
    reached = enumerate_states(task, tell_apart=lambda s: s.observation[None].astype(jnp.int32))
    values = value_iteration(reached, task.objective, sweeps=2000)
    best = np.nanmax(np.where(np.isfinite(values.action_values), values.action_values, -1), 1)
    assert best[np.asarray(reached.states.observation) == 0][0] == pytest.approx(14 / 17, abs=1e-3)


def test_a_table_that_is_not_what_is_played_by_is_not_believed():
    honest = from_gymnasium(gymnasium.wrappers.TimeLimit(Lying(0.5), 8))
    assert honest.traits.outcomes == 2
    lying = from_gymnasium(gymnasium.wrappers.TimeLimit(Lying(), 8))
    assert lying.traits.outcomes == 0 and not lying.traits.deterministic
    sticky = gymnasium.wrappers.StickyAction(Lying(0.5), 0.3)
    assert from_gymnasium(gymnasium.wrappers.TimeLimit(sticky, 8)).traits.outcomes == 0


class LyingLate(Lying):
    """Honest but for what comes of the last cell, and without a list for it if it is `short`."""

    def __init__(self, short=False):
        super().__init__(0.5)
        self.seen = 0
        if short:
            self.P[2] = {0: self.P[2][0]}

    def reset(self, *, seed=None, options=None):
        self.seen = 0
        return super().reset(seed=seed)

    def step(self, action):
        self.seen += 1
        told = super().step(action)
        if self.seen > 40:  # later than the trial looks
            self.s = 0
        return self.s, *told[1:]


def test_a_table_that_fails_later_is_refused_where_it_does():
    task = from_gymnasium(gymnasium.wrappers.TimeLimit(LyingLate(), 90))
    state, step = jax.jit(task.init)(KEY), jax.jit(task.advance)
    assert task.traits.outcomes == 2
    for i in range(45):
        state = step(state, jnp.int32(1), jax.random.fold_in(KEY, i))
    with pytest.raises(ForeignWorldError, match="does not play by its table"):
        task.world.outcomes(*batch_of(state), np.ones(1, np.int32))
    short = from_gymnasium(gymnasium.wrappers.TimeLimit(LyingLate(short=True), 20))
    assert short.traits.outcomes == 0


def batch_of(state):
    parts = (state.memory, state.origin, state.history, state.time, state.over)
    return [np.asarray(x)[None] for x in parts]


class Ledgers(gymnasium.Env):
    """A long list of counts that changes in place, and that only after six ones in a row."""

    observation_space = gymnasium.spaces.Box(-1e6, 1e6, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self):
        self.counts = [0] * 2000

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.moves = self.row = 0
        self.counts[1] = 0
        return np.float32([0, 0]), {}

    def step(self, action):
        self.moves, self.row = self.moves + 1, self.row + 1 if action else 0
        if self.row >= 6:
            self.counts[1] += 1
        seen = np.float32([self.moves, self.counts[1]])
        return seen, float(self.counts[1]), self.moves >= 12, False, {}


def test_a_long_list_that_changes_in_place_late_is_found_out_soon():
    task = from_gymnasium(Ledgers)
    state = task.init(jax.random.key(0))
    for ply in range(5):
        state = task.step(state, 1, jax.random.key(ply))
    with pytest.raises(UnfaithfulCloneError, match="counts"):
        for ply in range(9):
            task.step(state, 1, jax.random.key(ply))


def test_a_time_limit_goes_around_an_environment_of_ones_own():
    for made in (Ledgers, Ledgers()):
        assert from_gymnasium(made, max_episode_steps=5).traits.horizon == 5
    with pytest.raises(ForeignWorldError, match="max_episode_steps"):
        from_gymnasium(Ledgers, max_episode_steps=-3)
