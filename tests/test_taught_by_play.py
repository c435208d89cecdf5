"""Networks taught by search's own episodes, where something is hidden or steps have any length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation import make_task
from deliberation.claims.measuring import knobs, playing, scoring, subjects
from deliberation.claims.measuring.effort import effort_of
from deliberation.claims.measuring.results import Results
from deliberation.core.play import rollout
from deliberation.core.uniform import UniformRandom
from deliberation.direct import CEM
from deliberation.runs import Context
from deliberation.stats import Estimate
from deliberation.tasks.grids import ContinuousGridworld
from deliberation.tasks.remembered import Remembered, shown_with_memory

KEY = jax.random.key(0)
HIDDEN = "gridworld(layout='G.G .S.', view=1, horizon=5)"
OPEN = "gridworld_continuous(layout='S.G', horizon=6)"


class Bench(Context):
    """What a cell may use, without a run around it."""

    def __init__(self, home, name):
        self.home, self.name = home, name
        (home / name).mkdir()

    def tell(self, share):
        assert 0 <= share <= 1

    @property
    def folder(self):
        return self.home / self.name

    def artefact(self, cell):
        return self.home / cell

    def outcomes(self, cell):
        return {"optimum": 1.0, "random": 0.0, "low": None}


@pytest.mark.parametrize("name", [HIDDEN, OPEN])
def test_a_search_teaches_a_network_that_plays(name, tmp_path, monkeypatch):
    monkeypatch.setattr(playing, "LANES", 8)
    count = 16
    lesson = {"task": name, "teacher": "planner", "count": count, "budget": 8}
    taught = playing.teach(lesson, Bench(tmp_path, "lesson"))
    assert taught.outcomes["count"] == count and taught.spent["model_steps"] > 0
    task = make_task(name)
    with np.load(tmp_path / "lesson" / "lesson.npz", allow_pickle=False) as data:
        assert {len(data[key]) for key in data.files} == {count}
        seen = data["observations"]
        assert len(np.unique(seen.reshape(count, -1), axis=0)) == count
        if task.traits.discrete:
            assert data["weights"].sum(1) == pytest.approx(1.0) and data["legal"].all()
            # Some were seen after others, which are remembered.
            assert seen.shape[1] == 5 and (np.abs(seen[:, 1]).reshape(count, -1).max(1) > 0).any()
        else:
            assert np.abs(data["answers"]).max() <= 1
    fit = {"task": name, "lesson": "lesson", "count": 12, "steps": [4, 8], "width": 8, "seed": 0}
    fit["room"] = 16
    fitted = playing.fit(fit, Bench(tmp_path, "network"))
    assert fitted.spent["fits"] == 12 and fitted.spent["data"] == 12
    exam = {
        "task": name, "subject": f"{subjects.HERE}:network", "options": {}, "budgets": [0],
        "policy": "network", "rung": None, "key": 1, "scale": "scale", "episodes": 4,
    }  # fmt: skip
    played = scoring.play(exam, Bench(tmp_path, "score"))
    assert played.columns["way"].values.shape == (1, 4)
    assert np.all(played.columns["evaluations"].values == 1)
    assert np.all(played.columns["model_steps"].values == 0)


def test_what_was_seen_is_remembered_newest_first():
    task = make_task(HIDDEN)
    shown = shown_with_memory(task)
    plain = make_task("gridworld")
    assert isinstance(shown, Remembered) and shown.frames == 5
    assert shown_with_memory(plain) is plain
    first = shown.init(KEY)
    assert jax.tree.all(
        jax.tree.map(lambda a, b: bool((a == b).all()), first.state, task.init(KEY))
    )
    then = shown.advance(first, jnp.int32(0), KEY)
    now = task.observe(then.state)
    assert np.array_equal(then.seen[0], now) and np.array_equal(then.seen[1], first.seen[0])
    assert not np.any(first.seen[1:]) and not np.any(then.seen[2:])
    played = rollout(shown, UniformRandom(shown), key=KEY, batch=4)
    below = rollout(task, UniformRandom(task), key=KEY, batch=4)
    assert np.array_equal(played.returns, below.returns)
    with pytest.raises(ValueError, match="frames=0"):
        Remembered(task, 0)


@pytest.mark.parametrize(
    ("layout", "steps"),
    [
        # Half a cell to the edge and one more, and then into the exit.
        ("SG", 1),
        ("S.G", 2),
        # Steps are at most one along each axis, so a diagonal takes as many as a row.
        ("S.. ... ..G", 2),
        # Round a wall that no step leads through: rows first.
        ("S#G ...", 3),
        ("S#.#G .....", 5),
        ("S#G .#.", None),
    ],
)
def test_the_fewest_steps_by_hand(layout, steps):
    assert ContinuousGridworld(layout=layout).fewest_steps() == steps


def test_a_planner_reaches_the_fewest_steps_and_no_fewer():
    task = ContinuousGridworld()
    planner = CEM(task, population=32, horizon=12)
    played = rollout(task, planner, key=KEY, batch=8, budget=256)
    assert played.lengths.min() == task.fewest_steps() == 5
    assert ContinuousGridworld(slip=0.1).fewest_steps() is None


def test_every_adjective_has_a_knob_whose_curves_cross_somewhere_known():
    e = effort_of("quick")
    found = {knob.adjective: knob for knob in knobs.graded(e)}
    assert set(found) == {
        "large", "stochastic", "many actions", "partially observable", "continuous",
    }  # fmt: skip
    for knob in found.values():
        gaps = np.linspace(0.3, -0.3, len(knob.tasks)).tolist()
        ahead = [Estimate(gap, gap - 0.05, gap + 0.05, 100) for gap in gaps]
        cross = knobs.crossing(knob, ahead)
        assert cross.estimate == pytest.approx(np.mean(knob.settings))
        assert knob.settings[0] < cross.low < cross.estimate < cross.high < knob.settings[-1]
        functions = {cell.function.partition(":")[2] for cell in knobs.knob_cells(knob, e)}
        assert functions == {"play" if knob.played else "score"}


class Slow(Results):
    """A search with two items' scores at each budget, a simulation of which takes so long."""

    scores = np.array([[0.0, 0.2], [0.4, 0.8], [1.0, 0.8]])

    def __init__(self, slow):
        super().__init__({})
        self.slow = slow

    def outcomes(self, cell):
        return {"milliseconds": [[self.slow * n] * 3 for n in knobs.BUDGETS]}

    def table(self, cell, column="way"):
        return self.scores


def test_search_is_read_off_at_equal_time():
    """Twice as slow a world leaves half the simulations; beyond what was tried the ends count."""
    few, usual, many = Slow.scores
    e = effort_of("smoke")
    cell = knobs.search(knobs.graded(e)[0], "gridworld", e)
    for slow, expected in (
        (1.0, usual), (2.0, (few + usual) / 2), (8.0, few), (0.5, many), (0.1, many)
    ):  # fmt: skip
        found = knobs.within(Slow(slow), cell, allowed=float(knobs.SIMULATIONS))
        np.testing.assert_allclose(found, expected)
