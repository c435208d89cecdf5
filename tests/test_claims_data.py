"""How much data there is to claim something about: different positions that may be taught."""

import jax
import numpy as np
import pytest

from deliberation.claims.measuring import split, students
from deliberation.claims.measuring.about import SOLVED, about
from deliberation.claims.measuring.effort import effort_of
from deliberation.claims.measuring.exams import exact_values
from deliberation.tasks import make_task


def test_there_are_no_more_sizes_of_data_than_positions_to_teach():
    """408 of tic-tac-toe's 627 classes are not kept for testing; a small room has 10."""
    task, quick = make_task("tic_tac_toe"), effort_of("quick")
    every, _, _ = exact_values("tic_tac_toe", task)
    kinds = np.unique(split.classes(task, every))
    assert about("tic_tac_toe").teachable == (kinds % split.SHARE != 0).sum() == 408
    assert len(split.different_lessons(task, 9_999, jax.random.key(0)).ply) == 408
    room = make_task("gridworld")
    found = split.different_lessons(room, 9_999, jax.random.key(0))
    assert len(found.time) == about("gridworld").teachable == split.teachable(room) == 10
    assert students.sizes("connect_four", quick) == quick.lessons == (8, 64, 512, 4096)
    assert students.sizes("tic_tac_toe", quick) == (8, 64, 408)
    assert students.sizes("gridworld", quick) == (10,)
    assert not students.data_only(about("tic_tac_toe"), quick)
    assert "only 10 different" in students.data_only(about("gridworld"), quick)


@pytest.mark.parametrize("name", ["gridworld(slip=0.2)", "frozen_lake", "gridworld_goals"])
def test_how_much_can_be_taught_is_known_of_the_usual_rooms(name):
    task = make_task(name)
    every, _, _ = exact_values(name, task)
    kinds = np.unique(split.classes(task, every))
    assert (kinds % split.SHARE != 0).sum() == SOLVED[name]
