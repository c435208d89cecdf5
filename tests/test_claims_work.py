"""The work behind the claims' cells, on tic-tac-toe and small settings."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import Dataset, load_network
from deliberation.claims.measuring import exams, pruning, scoring, split, subjects, teaching
from deliberation.direct import solve
from deliberation.hybrid import Settings, guided_search
from deliberation.runs import Context
from deliberation.tasks import make_task

TASK = "tic_tac_toe"


class Bench(Context):
    """What a cell may use, without a run around it."""

    def __init__(self, desk: "Desk", name: str):
        self.desk, self.name = desk, name

    def tell(self, share: float) -> None:
        """Nobody watches."""

    @property
    def folder(self) -> Path:
        return self.desk.home / self.name

    def artefact(self, cell: str) -> Path:
        return self.desk.home / cell

    def outcomes(self, cell: str) -> dict[str, Any]:
        return self.desk.found[cell]


class Desk:
    """Runs the work of cells one after the other, and keeps what they leave."""

    def __init__(self, home: Path):
        self.home, self.found, self.spent = home, {}, {}

    def run(self, name: str, function: Any, **settings: Any) -> dict[str, Any]:
        (self.home / name).mkdir()
        outcome = function({"task": TASK, "room": 2048, **settings}, Bench(self, name))
        arrays = {name: column.values.tolist() for name, column in outcome.columns.items()}
        self.found[name], self.spent[name] = {**outcome.outcomes, **arrays}, outcome.spent
        return self.found[name]

    def score(self, name: str, who: str, budgets: list[int], on: str, **more: Any) -> dict:
        subject = {"subject": f"{subjects.HERE}:{who}", "options": {}, "key": 17}
        settings = {**subject, "budgets": budgets, "positions": on}
        return self.run(name, scoring.score, **settings, **{"policy": None, "rung": None, **more})


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("artefacts"))
    desk.run("all", exams.find_positions, count=5000, which="all")
    desk.run("some", exams.find_positions, count=40, which="contested")
    desk.run("lesson", teaching.teach, teacher="planner", count=64, budget=16)
    desk.run("biased", teaching.teach, teacher="biased", count=2048, budget=1)
    fitted = {"steps": [20, 60], "width": 16}
    desk.run("student", teaching.fit, lesson="lesson", count=32, seed=0, **fitted)
    return desk


@pytest.fixture(scope="module")
def solution():
    return solve(make_task(TASK))


def read(desk: Desk, name: str):
    return exams.read_positions(desk.home / name, make_task(TASK))


def test_positions_are_all_unfinished_ones_with_the_solvers_values(desk, solution):
    states, values = read(desk, "all")
    assert (desk.found["all"]["count"], desk.found["all"]["actions"]) == (4520, 9)
    exact = solution.action_values(states)
    assert np.array_equal(np.nan_to_num(values, nan=-np.inf), exact)
    task = make_task(TASK)
    prints = np.asarray(jax.vmap(task.fingerprint)(states)).reshape(4520, -1)
    assert len(np.unique(prints, axis=0)) == 4520
    assert np.array_equal(~np.isnan(values), np.asarray(jax.vmap(task.legal)(states)))


def test_of_any_positions_there_is_one_of_each_class(desk):
    """Tic-tac-toe has 627 unfinished positions up to rotation and reflection."""
    desk.run("any", exams.find_positions, count=5000, which="any")
    assert desk.found["any"]["count"] == 627
    states, _ = read(desk, "any")
    assert len(np.unique(split.classes(make_task(TASK), states))) == 627


def test_contested_positions_have_something_to_lose(desk, solution):
    states, values = read(desk, "some")
    assert len(values) == desk.found["some"]["count"] == 40
    keeps = exams.best_actions(values)
    assert np.array_equal(keeps, solution.optimal(states))
    assert keeps.any(1).all() and (keeps != ~np.isnan(values)).any(1).all()


def test_solved_connect_four_comes_with_the_signs_of_its_scores(tmp_path):
    desk = Desk(tmp_path)
    settings = {"task": "connect_four", "count": 9999, "which": "all"}
    desk.run("c4", exams.find_positions, **settings)
    with np.load(tmp_path / "c4" / "positions.npz") as data:
        values = data["values"]
    assert values.shape == (1000, 7)
    assert set(np.unique(values[~np.isnan(values)])) == {-1.0, 0.0, 1.0}
    assert desk.spent["c4"]["model_steps"] is None


def test_random_play_stands_at_nothing_and_the_best_at_one(desk):
    found = desk.score("random", "random", [0], "some")
    _, values = read(desk, "some")
    regret = np.nanmax(values, 1) - np.nanmean(values, 1)
    assert desk.found["some"]["stake"] == pytest.approx(regret.mean())
    assert desk.found["some"]["stakes"] == pytest.approx(regret.tolist(), abs=1e-6)
    assert np.mean(found["way"]) == pytest.approx(0.0, abs=1e-6)
    # The worst choice loses a won game: 2 of the mean stake.
    assert found["low"] == pytest.approx(1 - 2 / regret.mean())
    assert "model_steps" not in found, "random play is worked out, and spends nothing"


def test_search_with_enough_budget_is_perfect_and_counted(desk):
    found = desk.score("uct", "planner", [1, 1000], "some")
    assert found["way"][1] == [1.0] * 40
    assert found["low"] - 1e-5 <= np.min(found["way"][0]) and np.mean(found["way"][0]) < 0.9
    # A win in one is proved by the first simulation; elsewhere a larger budget is spent.
    assert np.less_equal(*found["model_steps"]).all()
    assert np.mean(found["model_steps"][1]) > 3 * np.mean(found["model_steps"][0]) > 3
    total = np.sum(found["model_steps"])
    assert desk.spent["uct"]["model_steps"] == total
    assert (desk.spent["uct"]["fits"], desk.spent["uct"]["data"]) == (0, 0)
    assert np.min(found["milliseconds"]) > 0
    assert all(len(times) >= 8 for times in found["milliseconds"])


def test_ways_are_regrets_of_the_chosen_actions(desk):
    found = desk.score("blind", "blind", [1, 8], "some", timed=False)
    assert [len(times) for times in found["milliseconds"]] == [1, 1], "40 positions are one batch"
    _, values = read(desk, "some")
    for way, action in zip(found["way"], found["action"], strict=True):
        regret = np.nanmax(values, 1) - values[np.arange(40), action]
        assert way == pytest.approx((1 - regret / desk.found["some"]["stake"]).tolist(), abs=1e-5)
    assert np.sum(found["evaluations"]) == 0


def test_nothing_is_taught_that_is_tested_nor_its_mirror_image(desk):
    """A third of the classes of positions are kept apart, whole classes at a time."""
    task = make_task(TASK)
    states, _ = read(desk, "some")
    assert split.held_out(task, states).all()
    taught = split.lessons(task, 512, jax.random.key(3))
    assert not split.held_out(task, taught).any()
    every, _ = read(desk, "all")
    kept = split.held_out(task, every)
    assert 0.28 < kept.mean() < 0.39
    observed = jax.vmap(task.observe)(every)
    for symmetry in task.symmetries:
        image = jax.vmap(symmetry.observation)(observed)
        same = {row.tobytes(): k for row, k in zip(np.asarray(observed), kept, strict=True)}
        assert all(
            same[row.tobytes()] == k
            for row, k in zip(np.asarray(image), kept, strict=True)
            if row.tobytes() in same
        )


def test_what_a_search_teaches_is_all_different(desk):
    """No position twice, nor turned round; so what is set aside in a fit is not taught as well."""
    task = make_task(TASK)
    assert desk.found["lesson"] == {"count": 64, "teacher": "planner"}
    with np.load(desk.home / "lesson" / "lesson.npz") as data:
        seen = data["observations"]
    images = [seen, *(jax.vmap(s.observation)(seen) for s in task.symmetries)]
    names = np.stack([split.prints(np.asarray(image)) for image in images]).min(0)
    assert len(np.unique(names)) == 64
    whole = teaching.read_lesson(desk.home / "lesson", 64, 0)
    some = teaching.read_lesson(desk.home / "lesson", 24, 0)
    other = teaching.read_lesson(desk.home / "lesson", 24, 1)
    assert np.array_equal(whole.observations[:24], some.observations)
    assert len(np.unique(split.prints(np.asarray(whole.observations)))) == 64
    assert not np.array_equal(some.observations, other.observations)


def test_chunks_and_padding_change_no_answer(desk, monkeypatch):
    whole = desk.score("whole", "planner", [16], "some")
    monkeypatch.setattr(scoring, "CHUNK", 16)
    parts = desk.score("parts", "planner", [16], "some")
    for column in ("way", "action", "model_steps"):
        assert whole[column] == parts[column]


def test_a_network_answers_the_same_at_every_budget(desk):
    found = desk.score("network", "network", [1, 64], "some", policy="student")
    assert found["way"][0] == found["way"][1]
    assert found["evaluations"] == [[1] * 40] * 2 and np.sum(found["model_steps"]) == 0
    assert np.min(found["flops"]) > 0
    guided = desk.score("guided", "guided", [0, 16], "some", policy="student")
    # With search off, the hybrid is its network, and costs one forward pass.
    assert guided["way"][0] == found["way"][0]
    assert guided["evaluations"][0] == [1] * 40 and guided["flops"][0] == found["flops"][0]
    assert np.mean(guided["way"][1]) > np.mean(guided["way"][0])


def test_pruning_by_a_value_is_measured_beside_the_same_search_without(desk, monkeypatch):
    monkeypatch.setattr(pruning, "AHEAD", 2)
    cases = [[0.0, 0.0], [0.0, 1e9], [1.0, 0.0]]
    found = desk.run("pruned", pruning.prune, positions="some", policies=["student"], cases=cases)
    way, full, steps, whole, error = (np.array(found[name]) for name in pruning.UNITS)
    assert way.shape == error.shape == (3, 40)
    # A margin that nothing exceeds prunes nothing.
    assert np.array_equal(steps[1], whole[1]) and np.array_equal(way[1], full[1])
    assert steps[0].sum() < whole[0].sum() and np.array_equal(full[0], full[1])
    assert np.array_equal(error[0], error[1]) and error[2].mean() > error[0].mean()


def test_noise_on_a_value_is_the_states_own(desk):
    states, _ = read(desk, "all")
    some, turned = (jax.tree.map(lambda x, w=way: x[:1024][::w], states) for way in (1, -1))
    noise = jax.jit(jax.vmap(partial(pruning.draw, make_task(TASK))))
    drawn = np.asarray(noise(some))
    assert np.array_equal(drawn[::-1], noise(turned))
    assert abs(drawn.mean()) < 0.1 and abs(drawn.std() - 1) < 0.1


def test_biased_weights_are_exact():
    legal = jnp.array([[True, True, True], [False, True, True], [True, False, False]])
    expected = [[4 / 7, 2 / 7, 1 / 7], [0, 2 / 3, 1 / 3], [1, 0, 0]]
    assert np.allclose(teaching.biased_weights(legal), expected, atol=1e-7)


def test_lessons_hold_the_teachers_answers(desk):
    assert desk.found["biased"] == {"count": 2048, "teacher": "biased"}
    assert desk.spent["biased"]["model_steps"] == 0 < desk.spent["lesson"]["model_steps"]
    with np.load(desk.home / "biased" / "lesson.npz") as data:
        lesson = Dataset(**{name: jnp.asarray(data[name]) for name in data.files})
    assert len(lesson) == 2048
    assert np.array_equal(lesson.weights, teaching.biased_weights(lesson.legal))


def test_fits_draw_their_own_nested_examples(desk, monkeypatch):
    seen = {}

    def look(task, dataset, settings, *, symmetric, acts):
        rows = np.asarray(dataset.observations).reshape(len(dataset), -1)
        seen[settings["seed"], settings["count"]] = rows, symmetric, acts
        raise InterruptedError

    monkeypatch.setattr(teaching, "best_fit", look)
    for number, (seed, count) in enumerate([(0, 64), (0, 512), (1, 512)]):
        with pytest.raises(InterruptedError):
            desk.run(f"look{number}", teaching.fit, lesson="biased", count=count, seed=seed)
    small, large, other = (seen[k][0] for k in ((0, 64), (0, 512), (1, 512)))
    assert np.array_equal(large[:64], small) and len(large) == len(other) == 512
    assert not np.array_equal(large, other)
    # Symmetries would show a lopsided teacher's acts mirrored.
    assert seen[0, 64][1:] == (False, True)


def test_fits_are_counted_and_repeat(desk):
    again = {"lesson": "lesson", "count": 32, "steps": [20, 60], "width": 16}
    desk.run("again", teaching.fit, seed=0, **again)
    desk.run("other", teaching.fit, seed=1, **again)
    spent = desk.spent["again"]
    assert (spent["fits"], spent["data"]) == (80, 32)
    first, same, other = (
        jax.tree.leaves(load_network(desk.home / name)[1].batched(jnp.ones((1, 3, 3, 2))))
        for name in ("student", "again", "other")
    )
    assert np.array_equal(first[0], same[0]) and not np.array_equal(first[0], other[0])


def test_a_student_of_the_biased_teacher_comes_close_to_it(desk):
    settings = {"lesson": "biased", "steps": [500], "width": 64, "seed": 0}
    desk.run("few", teaching.fit, count=32, **settings)
    desk.run("many", teaching.fit, count=2048, **settings)
    few, many = (
        desk.run(f"near {p}", teaching.compare, positions="all", policy=p, limit=200)
        for p in ("few", "many")
    )
    assert len(few["divergence"]) == 200
    assert 0 < np.mean(many["divergence"]) < 0.3 < np.mean(few["divergence"])
    assert few["teacher_regret"] == many["teacher_regret"]
    assert np.mean(many["teacher_regret"]) > 0.4
    assert np.mean(many["student_regret"]) == pytest.approx(
        np.mean(many["teacher_regret"]), abs=0.05
    )


def test_the_teacher_is_at_no_distance_from_itself(desk, monkeypatch):
    class Teacher:
        def __init__(self, task, network):
            self.task = task

        def decide(self, states, *, key):
            weights = teaching.biased_weights(jax.vmap(self.task.legal)(states))
            return SimpleNamespace(weights=weights, action=weights.argmax(-1)), None

    monkeypatch.setattr(teaching, "NetworkPolicy", Teacher)
    found = desk.run("itself", teaching.compare, positions="all", policy="student", limit=300)
    assert found["divergence"] == [0.0] * 300
    assert found["student_regret"] == found["teacher_regret"]
    rows = np.unique(np.linspace(0, 4519, 300).astype(int))
    _, values = read(desk, "all")
    weights = np.asarray(teaching.biased_weights(jnp.asarray(~np.isnan(values[rows]))))
    regret = np.nanmax(values[rows], 1) - (weights * np.nan_to_num(values[rows])).sum(1)
    parts = regret / desk.found["all"]["stake"]
    assert found["teacher_regret"] == pytest.approx(parts.tolist(), abs=1e-5)


def test_ladders_cost_more_from_rung_to_rung_and_teach(desk, monkeypatch):
    monkeypatch.setattr(teaching, "Settings", partial(Settings, warmup_simulations=4))
    climbed = desk.run(
        "ladder", teaching.climb, iterations=3, rungs=2, width=16, simulations=4, seed=0
    )
    flops = [step["flops"] for step in climbed["ladder"]]
    assert len(flops) == 2 and 0 < flops[0] < flops[1]
    assert climbed["ladder"][1]["fits"] == desk.spent["ladder"]["fits"]
    guides = []

    def guided(task, network):
        guides.append(network)
        return guided_search(task, network)

    monkeypatch.setattr(subjects, "guided_search", guided)
    rung = desk.score("rung", "guided", [0], "some", policy="ladder", rung=0)
    assert rung["evaluations"] == [[1] * 40]
    early, last = (load_network(desk.home / "ladder" / "snapshots" / str(i))[1] for i in (0, 1))
    assert eqx.tree_equal(guides[0], early) and not eqx.tree_equal(guides[0], last)
    again = {"source": "ladder", "rung": 0, "count": 64, "steps": [20], "width": 16, "seed": 0}
    again["room"] = 128
    desk.run("plain", teaching.relearn, budget=0, **again)
    desk.run("searched", teaching.relearn, budget=8, **again)
    assert desk.spent["plain"]["model_steps"] == 0 < desk.spent["searched"]["model_steps"]
    assert desk.spent["plain"]["data"] == desk.spent["searched"]["data"] == 64


def test_repeated_examples_show_no_more_acts(desk, monkeypatch):
    given = {}

    def look(task, network, dataset, **more):
        given["examples"], given["new"] = dataset, more["new"]
        raise InterruptedError

    monkeypatch.setattr(teaching, "fit_network", look)
    with pytest.raises(InterruptedError):
        desk.run("acts", teaching.fit, lesson="biased", count=8, steps=[1], width=8, seed=0)
    few = given["examples"]  # so few that copies are kept once
    weights = np.asarray(few.different.weights)[few.which]
    assert given["new"] == 8 and len(weights) == 2048  # one of eight is set aside
    assert np.isin(weights, (0, 1)).all() and (weights.sum(1) == 1).all()
    assert np.array_equal(weights[:7], weights[7:14])


def test_one_position_of_each_class_and_time_does_not_make_another(tmp_path):
    """In a gridworld the same cell at another time is no other position, and is not taught."""
    grid = make_task("gridworld")
    states = split.lessons(grid, 256, jax.random.key(0))
    later = eqx.tree_at(lambda s: s.time, states, states.time + 1)
    assert np.array_equal(split.classes(grid, states), split.classes(grid, later))
    desk = Desk(tmp_path)
    found = desk.run("grid", exams.find_positions, task="gridworld", count=400, which="contested")
    tested, _ = exams.read_positions(tmp_path / "grid", grid)
    cells = np.asarray(tested.cell)
    assert len(set(cells.tolist())) == len(cells) == found["count"] > 3
    assert not set(cells.tolist()) & set(np.asarray(states.cell).tolist())
