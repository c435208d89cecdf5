"""Games of Connect Four against OpenSpiel's MCTSBot, an implementation that shares nothing."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
from _search_spiel import estimated, follow, play_match, replayed

from deliberation.core.errors import ContractError
from deliberation.tasks import make_task

SIMULATIONS = 64
PAIRS = 40


@pytest.mark.parametrize("solve", [False, True])
def test_as_strong_at_equal_simulations(solve: bool) -> None:
    """Equally strong sides fail this once in forty runs; the seed is fixed."""
    score = play_match(PAIRS, SIMULATIONS, solve=solve)
    assert score.shape == (PAIRS, 2)
    assert set(np.unique(score)) <= {0.0, 0.5, 1.0}
    found = estimated(score)
    assert found["high"] >= 0.5
    # Nor much stronger, or the two would not be doing the same.
    assert found["low"] <= 0.6
    assert found["won"] + found["drawn"] + found["lost"] == found["games"] == 2 * PAIRS


def test_the_match_tells_a_weaker_side() -> None:
    """An eighth of the simulations loses, so the match above has power."""
    found = estimated(play_match(PAIRS, SIMULATIONS, solve=False, handicap=8))
    assert found["high"] < 0.5


def test_moves_that_no_board_can_follow_are_noticed() -> None:
    """Both rules are held against each other after every move."""
    task = make_task("connect_four")
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 1))
    (theirs,) = replayed(np.array([[0], [1], [0], [1], [0], [1]]))
    with pytest.raises(ContractError, match="is over, and ours"):
        # OpenSpiel's side wins by this move; ours was never played.
        follow(task, state, [theirs], np.array([0]), np.array([True]))
