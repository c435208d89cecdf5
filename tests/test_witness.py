"""What is kept of where something was measured: which positions, in how few bytes, and back."""

import json
import os

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from made import record

from deliberation import make_task, rollout
from deliberation.core import UniformRandom
from deliberation.core.errors import ForeignStateError
from deliberation.core.play import random_positions
from deliberation.core.witness.codes import decode, encode
from deliberation.core.witness.noting import MOST, note_exam, note_taught
from deliberation.core.witness.watching import saying, unwatched, watch, watching
from deliberation.runs import Cell, Outcome
from deliberation.runs.chain import digest_of
from deliberation.runs.plain import canonical
from deliberation.runs.records import decode as read_line
from deliberation.runs.records import encode as write_line
from deliberation.runs.worker import Call, run_cell

TASKS = ("tic_tac_toe", "connect_four", "gridworld_pits", "kuhn_poker", "2048")


def row_of(states, row):
    return jax.tree.map(lambda x: np.asarray(x)[row], states)


@pytest.mark.parametrize("name", TASKS)
def test_a_state_comes_back_from_its_text_to_the_bit(name):
    task = make_task(name)
    states = random_positions(task, 4, jax.random.key(0))
    for row in range(4):
        state = row_of(states, row)
        text = encode(state)
        again = decode(task, text)
        for one, other in zip(jax.tree.leaves(state), jax.tree.leaves(again), strict=True):
            assert one.dtype == other.dtype and np.array_equal(one, other)
        assert len(text) < 400


@pytest.mark.parametrize("text", ["", "!!", "eJwDAAAAAAE=", "x" * 5000])
def test_what_is_no_state_is_refused(text):
    with pytest.raises(ForeignStateError):
        decode(make_task("tic_tac_toe"), text)


def test_a_state_of_another_task_is_refused():
    connect = make_task("connect_four")
    text = encode(row_of(random_positions(connect, 1, jax.random.key(0)), 0))
    with pytest.raises(ForeignStateError, match="another form"):
        decode(make_task("tic_tac_toe"), text)


def exam(count=40):
    """Different positions, in which action 0 gives up as much as the row's number says."""
    task = make_task("tic_tac_toe")
    states = random_positions(task, count, jax.random.key(1))
    values = np.zeros((count, 9))
    values[:, 0] = -np.arange(count)
    values[:, 8] = np.nan
    return states, values


def test_kept_are_those_that_gave_up_most_and_one_that_gave_up_nothing():
    states, values = exam()
    with watching() as there:
        note_exam(states, np.zeros(40, int), values, "asked")
    found = there.told()
    assert found["of"] == 40 and len(found["sights"]) == MOST
    assert [one["lost"] for one in found["sights"]] == [39, 38, 37, 36, 35, 34, 33, 0]
    assert encode(row_of(states, 39)) == found["sights"][0]["state"]
    assert found["sights"][0]["best"] == [1, 2, 3, 4, 5, 6, 7]
    assert len(json.dumps(found)) < 2500


def test_each_way_of_asking_has_its_share():
    states, values = exam()
    with watching() as there:
        for said in ("one", "two", "three"):
            note_exam(states, np.zeros(40, int), values, said)
    said = [one["said"] for one in there.told()["sights"]]
    assert said[:3] == ["one", "two", "three"] and len(said) == MOST


def test_nothing_is_noted_where_nobody_watches():
    states, values = exam()
    assert watch() is None
    note_exam(states, np.zeros(40, int), values)
    with watching() as there:
        with unwatched():
            note_exam(states, np.zeros(40, int), values)
            assert watch() is None
        assert there.told() == {}
        note_taught(states, np.zeros(40, int))
    assert len(there.told()["sights"]) == MOST and watch() is None


def test_of_episodes_the_last_decision_of_the_worst_and_the_best_is_kept():
    task = make_task("tic_tac_toe")
    with watching() as there, saying("random play"):
        played = rollout(task, UniformRandom(task), key=jax.random.key(2), batch=32)
    sights = there.told()["sights"]
    returned = [one["returned"] for one in sights]
    assert sorted(returned) == [played.returns[:, 0].min(), played.returns[:, 0].max()]
    for one in sights:
        state = task.init(jax.random.key(0))
        for move in one["moves"]:
            state = task.advance(state, jnp.int32(move), jax.random.key(0))
        kept = decode(task, one["state"])
        assert all(
            np.array_equal(a, b)
            for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(kept), strict=True)
        )
        after = task.advance(state, jnp.int32(one["chosen"]), jax.random.key(0))
        assert bool(task.terminated(after)) and one["said"] == "random play"


def test_watching_changes_nothing_of_what_is_played():
    task = make_task("gridworld_pits")
    plain = rollout(task, UniformRandom(task), key=jax.random.key(3), batch=8)
    with watching():
        seen = rollout(task, UniformRandom(task), key=jax.random.key(3), batch=8)
    assert np.array_equal(plain.actions, seen.actions)
    assert np.array_equal(plain.returns, seen.returns)


def examined(settings, context):
    """A cell that examines somebody who always takes the first action."""
    states, values = exam(settings["count"])
    note_exam(states, np.zeros(len(values), int), values)
    return Outcome({"count": len(values)})


def test_a_cells_answer_says_where_it_measured(tmp_path):
    cell = Cell("test_witness:examined", {"count": 6})
    found = run_cell(Call(cell, str(tmp_path), {}, os.getpid()))
    assert found.error == "" and found.where["of"] == 6
    assert [one["lost"] for one in found.where["sights"]] == [5, 4, 3, 2, 1, 0]
    whole = msgspec.structs.replace(record(cell), where=found.where)
    assert read_line(write_line(whole).strip(), "a line").where == found.where
    assert len(write_line(whole)) - len(write_line(record(cell))) < 2000


def test_a_record_of_a_version_that_kept_none_still_loads():
    line = json.loads(write_line(record(Cell("a.b:c", {}))))
    del line["where"], line["digest"]
    digest = digest_of(canonical(line))
    old = canonical({**line, "digest": digest})
    assert read_line(old, "an old line").where == {}
