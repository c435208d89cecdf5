"""The zoo: entries are well-formed, and a cell measures what planted deciders are known to be."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from deliberation.cli import main
from deliberation.core import Decision, UniformRandom
from deliberation.core.errors import UnknownNameError
from deliberation.direct import TreeSearch
from deliberation.runs import Context, Outcome, Record, RecordError
from deliberation.runs.worker import Call
from deliberation.tasks import list_tasks
from deliberation.zoo import KINDS, Made, _work, analyse, entry, list_zoo, plan

ENTRIES = list_zoo()
MISSION = range(12, 81)
CHEAP = "gradient_descent"


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_say_what_they_are(name):
    about = ENTRIES[name]
    assert about["name"] == about["module"].rpartition(".")[2] == name
    assert about["kind"] in KINDS and about["title"] and about["source"]
    assert about["items"] and set(about["items"]) <= set(MISSION)
    assert about["tasks"].keys() <= list_tasks().keys() and about["tasks"]
    assert callable(entry(name).build)


def test_every_named_system_is_in_the_zoo():
    named = {item for about in ENTRIES.values() for item in about["items"]}
    assert named >= {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 55}


def test_plans_are_a_cell_for_each_task_and_refuse_strangers():
    cells = plan("smoke", only=[CHEAP])
    assert [c.settings["task"] for c in cells] == list(ENTRIES[CHEAP]["tasks"])
    assert len({c.id for c in plan("quick")}) == sum(len(e["tasks"]) for e in ENTRIES.values())
    with pytest.raises(UnknownNameError, match=CHEAP):
        plan("smoke", only=[CHEAP[:-1]])
    with pytest.raises(UnknownNameError):
        plan("smok")


def measured(monkeypatch, tmp_path, task, build, episodes=24):
    """A cell of the zoo with a planted entry in the place of a real one."""

    class Planted:
        pass

    Planted.build = staticmethod(build)
    monkeypatch.setattr(_work, "entry", lambda name: Planted)
    cell = plan("smoke", only=[CHEAP])[0]
    settings = {**cell.settings, "task": task, "options": {}, "episodes": episodes}
    outcome = _work.measure(settings, Context(Call(cell, str(tmp_path), {}, 0)))
    assert isinstance(outcome, Outcome)
    record = Record(
        cell=cell.id, function=cell.function, settings=settings, needs=(), seconds=1.0,
        outcomes=outcome.outcomes, spent=outcome.spent, started="",
    )  # fmt: skip
    return outcome.outcomes, analyse({cell.id: record}, [cell])[0]


def test_a_pure_planner_stands_at_search_and_random_play_nowhere(monkeypatch, tmp_path):
    def build(task, effort, key):
        decider = TreeSearch(task, "uct")
        return Made(decider, searching=decider, budget=64)

    outcomes, placed = measured(monkeypatch, tmp_path, "tic_tac_toe", build)
    assert len(outcomes["scores"]["both"]) == 24
    assert outcomes["optimum"] == pytest.approx((191 / 192 + 0.924868) / 2, abs=1e-5)
    assert outcomes["scores"]["learned"] == outcomes["scores"]["random"]
    assert (placed.search_share.estimate, placed.learning_share.estimate) == (1.0, 0.0)
    assert placed.score.estimate > 0.7 and abs(placed.random) < 0.5
    assert placed.network_evaluations == 0 and 60 < placed.model_steps < 64 * 9

    outcomes, placed = measured(
        monkeypatch, tmp_path, "tic_tac_toe", lambda t, e, k: Made(UniformRandom(t))
    )
    assert np.isnan(placed.search_share.estimate) and np.isnan(placed.learning_share.estimate)


def test_the_gap_to_an_exact_optimum(monkeypatch, tmp_path):
    """On the slippery lake nobody gets beyond the optimum, and random play is near 0."""
    _, placed = measured(
        monkeypatch, tmp_path, "frozen_lake", lambda t, e, k: Made(UniformRandom(t)), 200
    )
    assert placed.optimum == pytest.approx(0.744, abs=0.002)
    assert placed.gap.estimate == pytest.approx(placed.optimum - placed.score.estimate)
    assert placed.reached.estimate == 0.0


class Folds(UniformRandom):
    """Folds where that is legal and else calls, at one model step a decision."""

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        even, _ = super().decide(state, memory, objective=objective, budget=budget, key=key)
        legal = jax.vmap(self.task.legal)(state)
        action = jnp.where(legal.any(1), 2 * legal[:, 2], -1)
        spent = eqx.tree_at(lambda s: s.model_steps, even.spent, jnp.ones_like(action))
        spent = eqx.tree_at(lambda s: s.seconds, spent, jnp.ones(len(action)))
        weights = (action[:, None] == jnp.arange(3)).astype(jnp.float32)
        return Decision(action, weights, even.value, spent), memory


def test_turns_that_do_not_alternate_are_counted_for_whoever_moved(monkeypatch, tmp_path):
    """In Leduc hold'em player 0 begins both rounds, also where it ended the first."""
    outcomes, placed = measured(
        monkeypatch, tmp_path, "leduc_poker", lambda t, e, k: Made(Folds(t)), 200
    )
    assert outcomes["decisions"] == outcomes["spent"]["model_steps"] > 200
    assert (placed.model_steps, placed.milliseconds) == (1.0, 1000.0)
    # It wins a showdown that nobody paid for and loses whenever the other raises.
    scores = np.asarray(outcomes["scores"]["both"])
    assert set(scores) == {-1.0, 0.0, 1.0}
    assert (scores == -1).mean() > 0.5 and (scores == 1).mean() < 0.25


def test_a_record_that_is_missing_is_named():
    with pytest.raises(RecordError, match=f"{CHEAP} on"):
        analyse({}, plan("smoke", only=[CHEAP]))


def test_the_command_measures_prints_and_resumes(tmp_path):
    listed = CliRunner().invoke(main, ["zoo", "--list"]).output
    assert all(name in listed for name in ENTRIES)
    arguments = ["zoo", CHEAP, "--effort", "smoke", "--out", str(tmp_path), "--jobs", "1"]
    first = CliRunner().invoke(main, arguments)
    assert first.exit_code == 0, first.output
    assert ENTRIES[CHEAP]["title"] in first.output and (tmp_path / "report.html").exists()
    records = (tmp_path / "records.jsonl").read_bytes()
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 0 and (tmp_path / "records.jsonl").read_bytes() == records
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 2 and "http" not in page.split("<main>")[1].split("xmlns")[0]
    refused = CliRunner().invoke(main, ["zoo", CHEAP[:-1]])
    assert refused.exit_code != 0 and CHEAP in refused.output
