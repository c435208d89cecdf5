"""Learners in tables: held to exact optima, to closed forms, and to what each can revalue."""

from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import (
    StateTable,
    Tabular,
    tabulate,
    train_q_learning,
    train_sarsa,
    train_successor,
)
from deliberation.amortised.files.tensors import (
    _constant,
    _told,
    description,
    function_description,
)
from deliberation.amortised.policies.state_table import digests
from deliberation.amortised.trial_and_error.table_learning import falling
from deliberation.core import check_decider, misere, rollout
from deliberation.core.errors import (
    BatchMismatchError,
    ForeignMemoryError,
    OutputFolderError,
    TooLargeError,
    UnsuitableTaskError,
)
from deliberation.core.objective import Objective
from deliberation.core.task import Task, Traits
from deliberation.direct import ExactSolver, solve
from deliberation.tasks.board.mnk import MNK
from deliberation.tasks.control.pendulum import Pendulum
from deliberation.tasks.grids.gridworld import Gridworld

ROOM = Gridworld(size=3, horizon=8)
SHORT = Tabular(updates=12, environments=16, steps=100, capacity=512, rate=1.0, decay=0.0)


class Room(eqx.Module):
    """Where one is, and what lies at the two ends: the task's `arms` change between phases."""

    place: jax.Array
    time: jax.Array


class Ends(Objective):
    """What arriving in each place earns."""

    worth: tuple[float, ...] = eqx.field(static=True)

    def __call__(self, state, action, after):
        return jnp.asarray(self.worth)[after.place][None]


class Choice(Task):
    """Momennejad et al. 2017: from 0 to 1 or 2, then on to 3 or 4, then to 5 or 6."""

    worth: tuple[float, ...] = eqx.field(static=True, default=(0, 0, 0, 0, 0, 10, 1))
    begins: tuple[int, ...] = eqx.field(static=True, default=(0,))
    swapped: bool = eqx.field(static=True, default=False)

    @property
    def traits(self):
        return Traits(players=1, actions=2, horizon=3)

    @property
    def objective(self):
        return Ends(tuple(float(x) for x in self.worth))

    def init(self, key):
        place = jax.random.choice(key, jnp.asarray(self.begins))
        return Room(place.astype(jnp.int32), jnp.int32(0))

    def advance(self, state, action, key):
        ahead = jnp.array([0, 3, 4, 6 if self.swapped else 5, 5 if self.swapped else 6, 5, 6])
        place = jnp.where(state.place == 0, 1 + action, ahead[state.place])
        return Room(place.astype(jnp.int32), state.time + 1)

    def observe(self, state):
        return jax.nn.one_hot(state.place, 7)

    def fingerprint(self, state):
        return state.place[None]

    def legal(self, state):
        first = jnp.array([True, True])
        rest = jnp.array([True, False])
        return jnp.where(self.terminated(state), False, jnp.where(state.place == 0, first, rest))

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state.place >= 5


def start(task, n=1):
    return jax.vmap(task.init)(jax.random.split(jax.random.key(0), n))


def decide(policy, n=1):
    return policy.decide(start(policy.task, n), key=jax.random.key(0))[0]


def at(*places):
    return Room(jnp.array(places, jnp.int32), jnp.zeros(len(places), jnp.int32))


def test_a_table_finds_what_was_entered_and_nothing_else():
    rng = np.random.default_rng(0)
    rows = jnp.asarray(rng.integers(0, 2**32, (300, 2), dtype=np.uint32))
    rows = rows.at[:200, 0].set(7)  # they all want one slot
    twice = jnp.concatenate([rows[:250], rows[:250]])
    table, slots = jax.jit(lambda t, d: t.enter(d))(StateTable.empty(256), twice)
    assert table.count == 250
    np.testing.assert_array_equal(slots[:250], slots[250:])
    assert len(set(np.asarray(slots).tolist())) == 250
    np.testing.assert_array_equal(table.find(rows[:250]), slots[:250])
    assert (np.asarray(table.find(rows[250:])) == 256).all()
    table.check_room()
    full, slots = table.enter(rows)
    assert full.count == 256 and (np.asarray(slots) == 256).sum() == 44
    with pytest.raises(TooLargeError, match="capacity"):
        full.check_room()


def test_every_reachable_state_of_tic_tac_toe_has_a_digest_of_its_own():
    solution = solve(MNK(3, 3, 3, gravity=False))
    states = jax.tree.map(jnp.asarray, solution._graph.states)
    found = np.asarray(digests(solution.task, states))
    prints = np.asarray(jax.vmap(solution.task.fingerprint)(states))
    count = len(np.unique(prints.reshape(len(prints), -1), axis=0))
    assert len(np.unique(found, axis=0)) == count


@pytest.mark.parametrize("train", [train_q_learning, train_sarsa])
def test_learning_reaches_the_optimum_of_a_room(train):
    wary = train is train_sarsa
    settings = replace(SHORT, decay=0.6, explore=0.3) if wary else SHORT
    found = train(ROOM, key=jax.random.key(0), settings=settings)
    policy, spent = found.decider, found.ledger
    exact = solve(ROOM).value
    played = rollout(ROOM, policy, key=jax.random.key(1), batch=2)
    np.testing.assert_allclose(played.returns, exact, rtol=1e-5)
    assert spent.model_steps == spent.data == 12 * 16 * 100
    value = float(decide(policy).value[0])
    if wary:
        assert value < exact - 0.01  # it knows that it explores
    else:
        assert value == pytest.approx(exact, abs=1e-5)


def test_exploration_falls_by_equal_steps_or_by_equal_factors():
    found = [float(falling(jnp.int32(t), 10, 0.01, 0.5)) for t in (0, 1, 5, 10)]
    np.testing.assert_allclose(found, [1, 0.802, 0.01, 0.01], rtol=1e-5)
    found = [float(falling(jnp.int32(t), 10, 0.01, 0.4, geometric=True)) for t in (0, 2, 4, 10)]
    np.testing.assert_allclose(found, [1, 0.1, 0.01, 0.01], rtol=1e-5)
    with pytest.raises(ValueError, match="factors"):
        Tabular(explore=0.0, geometric=True)


def test_learning_is_repeatable_and_policies_keep_the_contract():
    policy = train_q_learning(ROOM, key=jax.random.key(3), settings=SHORT).decider
    again = train_q_learning(ROOM, key=jax.random.key(3), settings=SHORT).decider
    np.testing.assert_array_equal(policy.scores, again.scores)
    check_decider(policy)
    unknown = eqx.tree_at(lambda p: p.table.used, policy, jnp.zeros_like(policy.table.used))
    check_decider(unknown)
    decision = decide(unknown, 400)
    np.testing.assert_allclose(decision.weights, 0.25)
    assert len(np.unique(decision.action)) == 4 and not np.asarray(decision.value).any()


def test_self_play_learns_both_sides_of_a_game():
    task = MNK(2, 3, 2, gravity=False)
    settings = Tabular(updates=20, environments=32, steps=50, capacity=512, decay=0.0, explore=0.3)
    policy = train_q_learning(task, key=jax.random.key(0), settings=settings).decider
    solution = solve(task)
    assert float(decide(policy).value[0]) == pytest.approx(solution.value)
    # Also where the mover has lost: the untried score of a taken cell is no hope.
    states = jax.tree.map(jnp.asarray, solution._graph.states)
    live = ~np.asarray(jax.vmap(task.terminated)(states))
    told, _ = policy.decide(states, key=jax.random.key(0))
    np.testing.assert_allclose(told.value[live], solution.values(states)[live], atol=1e-5)
    played = rollout(task, [policy, ExactSolver(task, solution)], key=jax.random.key(0), batch=4)
    np.testing.assert_allclose(played.returns[:, 0], solution.value)


def test_a_look_up_table_answers_as_its_teacher_and_knows_nothing_else():
    solution = solve(ROOM)
    teacher = ExactSolver(ROOM, solution)
    states = jax.tree.map(jnp.asarray, solution._graph.states)
    table, spent = tabulate(teacher, states, key=jax.random.key(0))
    check_decider(table)
    keys = jax.random.split(jax.random.key(0), len(states.time))
    live = ~np.asarray(jax.vmap(ROOM.terminated)(states))
    told, _ = teacher.decide(states, key=keys)
    read, _ = table.decide(states, key=keys)
    np.testing.assert_allclose(read.value, told.value, atol=1e-6)
    chosen = np.take_along_axis(
        np.asarray(told.weights)[live], np.asarray(read.action)[live, None], 1
    )
    assert (chosen > 0).all()
    assert spent.data == table.table.count == live.sum()
    first = start(ROOM, 8)
    free = int(np.flatnonzero(~np.asarray(first.walls[0]))[1])
    moved = jax.vmap(lambda s: ROOM.with_walls(s, shut=(free,)))(first)
    off, _ = table.decide(moved, key=jax.random.key(0))
    np.testing.assert_allclose(off.weights, 0.25)


LESSON = Tabular(updates=4, environments=8, steps=50, capacity=16, decay=0.0, explore=0.5)


def test_successors_follow_new_rewards_and_not_new_transitions():
    policy = train_successor(Choice(), key=jax.random.key(0), settings=LESSON, places=16).decider
    check_decider(policy)
    found = decide(policy)
    assert int(found.action[0]) == 0 and float(found.value[0]) == pytest.approx(10, abs=1e-3)
    counts = policy.successor.arrivals[policy.table.find(digests(Choice(), at(0)))][0]
    np.testing.assert_allclose(counts.sum(axis=1), 3.0, atol=1e-3)  # three arrivals a journey
    swapped = policy.relearn(at(5, 6), jnp.array([1.0, 10.0]))
    assert int(decide(swapped).action[0]) == 1
    # Transitions are swapped, but rewards on arriving in 5 and 6 are as they were.
    blind = policy.relearn(at(5, 6), jnp.array([10.0, 1.0]))
    assert int(decide(blind).action[0]) == 0
    # A table of action values has nothing that new rewards could be told to.
    habit = train_q_learning(Choice(), key=jax.random.key(0), settings=LESSON).decider
    other = Ends((0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 10.0))
    assert (
        int(habit.decide(start(Choice()), objective=other, key=jax.random.key(0))[0].action[0]) == 0
    )


@pytest.mark.parametrize(("train", "follows"), [(train_successor, 1), (train_q_learning, 0)])
def test_a_second_phase_is_learned_where_it_is_lived_and_followed_by_rewards_at_most(
    train, follows
):
    options = {"places": 16} if train is train_successor else {}
    before = train(Choice(), key=jax.random.key(0), settings=LESSON, **options).decider
    assert int(decide(before).action[0]) == 0
    rewarded = Choice(begins=(3, 4), worth=(0, 0, 0, 0, 0, 1, 10))
    for task, wanted in ((rewarded, follows), (Choice(begins=(3, 4), swapped=True), 0)):
        found = train(task, key=jax.random.key(1), settings=LESSON, known=before, **options)
        after, spent = found.decider, found.ledger
        assert spent.model_steps == 4 * 8 * 50  # of this phase alone
        told, _ = after.decide(at(0, 3, 4), key=jax.random.key(0))
        assert int(told.action[0]) == wanted
        np.testing.assert_allclose(told.value[1:], [1, 10], atol=1e-4)


@pytest.mark.parametrize("train", [train_successor, train_q_learning])
def test_what_is_known_is_found_again_as_it_was_told_apart(train):
    def place(state):  # digests differ from those of the task's own fingerprints
        return jnp.stack([state.place, state.place])

    task, key = Choice(), jax.random.key(0)
    options = {"places": 16} if train is train_successor else {}
    before = train(task, key=key, settings=LESSON, tell_apart=place, **options).decider
    after = train(task, key=key, settings=LESSON, known=before, **options).decider
    assert after.tell_apart is place and after.table.count == before.table.count
    with pytest.raises(ForeignMemoryError, match="leave `tell_apart` out"):
        train(task, key=key, settings=LESSON, known=before, tell_apart=task.observe, **options)
    if train is train_successor:
        assert after.places_apart is place
        assert after.successor.places.count == before.successor.places.count
        with pytest.raises(ForeignMemoryError, match="leave `places_apart` out"):
            train(
                task, key=key, settings=LESSON, known=before, places_apart=task.observe, **options
            )
    with pytest.raises(ForeignMemoryError, match="own way"):
        plain = replace(before, tell_apart=None)
        train(task, key=key, settings=LESSON, known=plain, tell_apart=place, **options)


def test_successors_reach_the_optimum_of_a_room():
    policy = train_successor(
        ROOM, key=jax.random.key(0), settings=SHORT, places=16, places_apart=lambda s: s.cell[None]
    ).decider
    assert policy.successor.places.count <= 9
    played = rollout(ROOM, policy, key=jax.random.key(1), batch=2)
    np.testing.assert_allclose(played.returns, solve(ROOM).value, rtol=1e-5)


def by_place(shift):
    """One way to tell places apart for each shift, made anew at every call."""
    return lambda state: state.place[None] + shift


def test_a_folder_of_another_way_to_tell_states_apart_is_refused(tmp_path):
    settings = Tabular(updates=1, environments=2, steps=4, capacity=16)
    options = {"key": jax.random.key(0), "settings": settings, "folder": tmp_path / "told"}
    train_q_learning(Choice(), tell_apart=by_place(0), **options)
    train_q_learning(Choice(), tell_apart=by_place(0), **options)
    for other in (by_place(1), None, Choice().observe):
        with pytest.raises(OutputFolderError, match="tell_apart"):
            train_q_learning(Choice(), tell_apart=other, **options)


def test_functions_are_told_by_name_content_and_what_they_hold():
    def plain(state):
        return state.place[None]

    def doubled(state):
        return 2 * state.place[None]

    told = function_description
    assert told(by_place(0)) == told(by_place(0)) and told(None) is None
    ways = (
        by_place(0), by_place(1), plain, doubled, Choice().observe, Choice(swapped=True).observe,
        partial(doubled), partial(plain),
    )  # fmt: skip
    assert len({told(way) for way in ways}) == len(ways)


def test_functions_that_hold_themselves_or_sets_are_told_alike_in_every_process():
    def falling(n):
        return falling(n - 1) if n else later

    class Thing:
        pass

    thing = Thing()
    told = function_description(falling)  # `later` is not set yet
    assert told is not None and told == function_description(falling)
    later = 1
    assert function_description(falling) != told
    # Neither addresses nor the order of sets, which differ from process to process.
    assert _told([thing, {"b", "a"}, {2: 0, "a": 1}], ()) == (
        f"[a {__name__}.{Thing.__qualname__}, {{{_told('a', ())}, {_told('b', ())}}}, "
        f"{{'a': {_told(1, ())}, 2: {_told(0, ())}}}]"
    )
    assert _constant(frozenset({"c", "b", "a"})) == "{'a', 'b', 'c'}"


def test_a_folder_of_another_aim_is_refused(tmp_path):
    folder = tmp_path / "habit"
    first = train_q_learning(
        Choice(), key=jax.random.key(0), settings=LESSON, folder=folder
    ).decider
    again = train_q_learning(
        Choice(), key=jax.random.key(0), settings=LESSON, folder=folder
    ).decider
    np.testing.assert_array_equal(first.scores, again.scores)
    other = Ends((0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 10.0))
    with pytest.raises(OutputFolderError, match="other settings"):
        train_q_learning(
            Choice(), key=jax.random.key(0), settings=LESSON, objective=other, folder=folder
        )
    # Neither are these told apart by what people read of them.
    assert repr(ROOM) == repr(replace(ROOM, layout="S.. ... ..G"))
    assert description(ROOM) != description(replace(ROOM, layout="S.. ... ..G"))
    assert description(misere(ROOM.objective)) != description(ROOM.objective)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnsuitableTaskError, match="continuous"):
        train_q_learning(Pendulum(), key=jax.random.key(0), settings=SHORT)
    with pytest.raises(UnsuitableTaskError, match="players"):
        train_successor(MNK(2, 3, 2), key=jax.random.key(0), settings=SHORT)
    with pytest.raises(ValueError, match="decay"):
        Tabular(decay=2.0)
    habit = train_q_learning(Choice(), key=jax.random.key(0), settings=LESSON).decider
    with pytest.raises(BatchMismatchError, match="capacity"):
        train_q_learning(
            Choice(), key=jax.random.key(0), settings=replace(LESSON, capacity=32), known=habit
        )
    small = Tabular(updates=2, environments=8, steps=40, capacity=4)
    with pytest.raises(TooLargeError, match="capacity"):
        train_q_learning(ROOM, key=jax.random.key(0), settings=small)
