"""What makes no sense is refused at the door, by a typed error, before any work is done.

Callers have no annotations checked at run time, as the other tests do: each case runs in a process
of its own kind.
"""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from deliberation.claims import refuse_unmeasurable
from deliberation.claims.measuring.size import least_states
from deliberation.cli import main
from deliberation.core.errors import OutputFolderError, TooLargeError, UnsuitableTaskError
from deliberation.direct import solve
from deliberation.report import build
from deliberation.report.zoo import placed
from deliberation.runs import Cell, CellError, execute
from deliberation.runs.records import MANIFEST, SCHEMA
from deliberation.stats import Estimate, break_even, nothing
from deliberation.tasks import make_task
from deliberation.zoo import plan as zoo_plan

CALLS = """
import jax, json
from deliberation import Budget, check_task, make_task, rollout
from deliberation.core import UniformRandom
from deliberation.core.errors import DeliberationError
from deliberation.direct import ExactSolver, TreeSearch, solve

class Environment:
    def reset(self, seed=None): return 0, {}
    def step(self, action): return 0, 0.0, True, False, {}

def states(name):
    return jax.vmap(make_task(name).init)(jax.random.split(jax.random.key(0), 2))

task, key = make_task("tic_tac_toe"), jax.random.key(0)
deciders = {"search": TreeSearch(task, budget=4), "random": UniformRandom(task)}
for other in ("gridworld", "connect_four"):
    states(other)
own, none = states("tic_tac_toe"), lambda state, action, after: 0.0
calls = {
    "environment to search": lambda: TreeSearch(Environment()),
    "environment to solve": lambda: solve(Environment()),
    "environment to check": lambda: check_task(Environment()),
    "environment to play": lambda: rollout(Environment(), deciders["random"], key=key),
    "objective to play": lambda: rollout(task, deciders["random"], key=key, objective=none),
    "function to play": lambda: rollout(task, lambda seen: 0, key=key),
    "budget to search": lambda: TreeSearch(task, budget="64"),
    "class to search": lambda: TreeSearch(type(task)),
    "name to search": lambda: TreeSearch("tic_tac_toe"),
}
for name, decider in deciders.items():
    decide = decider.decide
    calls |= {
        f"key, {name}": lambda decide=decide: decide(own, key=0),
        f"budget, {name}": lambda decide=decide: decide(own, key=key, budget="64"),
        f"objective, {name}": lambda decide=decide: decide(own, key=key, objective=none),
        f"one state, {name}": lambda decide=decide: decide(task.init(key), key=key),
        f"gridworld, {name}": lambda decide=decide: decide(states("gridworld"), key=key),
        f"connect_four, {name}": lambda decide=decide: decide(states("connect_four"), key=key),
    }
found = {}
for name, call in calls.items():
    try:
        call()
        found[name] = "nothing"
    except DeliberationError as error:
        found[name] = type(error).__name__
    except Exception as error:
        found[name] = f"raw {type(error).__name__}: {error}"
for decider in deciders.values():
    decider.decide(own, key=key, budget=4)
print(json.dumps(found))
"""
KINDS = {
    "environment": "WrongKindError",
    "function": "WrongKindError",
    "class": "WrongKindError",
    "one": "BatchMismatchError",
    "name": "WrongKindError",
    "objective": "WrongKindError",
    "key": "RandomKeyError",
    "budget": "BudgetError",
}


def test_calls_that_make_no_sense_are_refused_by_name():
    ran = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    wanted = {
        call: KINDS.get(call.replace(",", "").split()[0], "ForeignStateError") for call in found
    }
    assert len(found) == 21 and found == wanted


@pytest.mark.parametrize("task", ["pendulum", "gridworld_continuous"])
def test_training_is_refused_before_anything_is_written(task, tmp_path):
    out = tmp_path / "policy"
    ran = CliRunner().invoke(main, ["train", task, "--minutes", "0.1", "--out", str(out)])
    assert ran.exit_code == 2 and "continuous actions" in ran.output
    assert not out.exists()


@pytest.mark.parametrize("task", ["kuhn_poker", "leduc_poker", "hex"])
def test_a_table_is_refused_before_anything_is_measured(task, tmp_path):
    kind = TooLargeError if task == "hex" else UnsuitableTaskError
    with pytest.raises(kind, match=task):
        refuse_unmeasurable([task])
    ran = CliRunner().invoke(main, ["table", task, "--out", str(tmp_path / "out")])
    assert ran.exit_code == 2 and not (tmp_path / "out").exists()
    assert "Traceback" not in ran.output


def test_what_follows_from_exact_numbers_is_not_called_unknown():
    exact = break_even(8.4, 0.00155, 0.000046)
    assert exact.estimate == pytest.approx(8.4 / (0.00155 - 0.000046))
    assert repr(exact) == "5.59e+03 [5.59e+03, 5.59e+03]"
    assert repr(nothing()) == "no data n=0"
    assert repr(Estimate(0.5, 0.25, 0.75, 4)) == "0.5 [0.25, 0.75] n=4"


def a_run(folder, asked: dict) -> None:
    folder.mkdir()
    (folder / MANIFEST).write_text(json.dumps({"schema": SCHEMA, "manifest": asked}), "utf-8")
    (folder / "records.jsonl").write_text("", "utf-8")


def test_a_report_is_of_the_run_that_the_folder_holds(tmp_path):
    a_run(tmp_path / "zoo", {"zoo": [], "effort": "smoke"})
    a_run(tmp_path / "table", {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": []})
    for folder in ("zoo", "table"):
        ran = CliRunner().invoke(main, ["report", str(tmp_path / folder)])
        assert ran.exit_code == 0, (folder, ran.output, ran.exception)
        assert (tmp_path / folder / "report.html").exists()
    with pytest.raises(OutputFolderError, match="another kind"):
        build(tmp_path / "zoo")
    with pytest.raises(OutputFolderError, match="another kind"):
        placed(tmp_path / "table")


def test_what_can_be_solved_is_not_called_too_large():
    """The bound is below the number of states, and near it where random play meets them alike."""
    for name in ("tic_tac_toe", "gridworld"):
        task = make_task(name)
        solution = solve(task)
        stored = sum(len(layer.terminal) for layer in solution)
        assert 0.02 * stored < least_states(task) <= stored
        refuse_unmeasurable([name])


def test_a_cell_that_cannot_be_done_says_why_without_a_traceback(tmp_path):
    (cell,) = zoo_plan("smoke", only=["uct"], tasks=["tic_tac_toe"])
    # As if the entry were meant for it, and not only asked for.
    settings = {k: v for k, v in cell.settings.items() if k != "asked"} | {"task": "sphere"}
    with pytest.raises(CellError) as refused:
        execute([Cell(cell.function, settings)], tmp_path / "out", manifest={}, jobs=1)
    assert "continuous actions" in str(refused.value) and "Traceback" not in str(refused.value)
