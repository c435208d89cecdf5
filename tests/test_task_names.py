"""Tasks of one's own by name, `package.module:factory`, wherever a task is named."""

import os
import sys
from types import SimpleNamespace
from typing import Any

import jax
import pytest
from click.testing import CliRunner

from deliberation import claims, hybrid, zoo
from deliberation.amortised import MLP, load_network, save_network
from deliberation.cli import main
from deliberation.cli._tasks import told_tasks
from deliberation.core import Ledger
from deliberation.core.errors import (
    DeliberationError,
    PolicyFileError,
    TaskFactoryError,
    TaskImportError,
    UnknownNameError,
    WrongKindError,
)
from deliberation.core.task import Task
from deliberation.report.zoo import placed
from deliberation.runs.worker import Call, run_cell
from deliberation.tasks import make_task, name_of_task, portable_name
from deliberation.tasks.names import join_name, make_declared, split_name

WORLD = '''
import jax.numpy as jnp
from deliberation import Objective, Task, Traits

class Coin(Objective):
    cells: int = 4

    @property
    def bounds(self):
        return (0.0, 1.0)

    def __call__(self, state, action, after):
        return jnp.where(after[0] == self.cells, 1.0, 0.0)[None]

class Corridor(Task):
    """A coin at the right end; six steps to get there, from the second cell."""
    cells: int = 4

    @property
    def traits(self):
        return Traits(players=1, actions=2, horizon=6)

    @property
    def objective(self):
        return Coin(self.cells)

    def init(self, key):
        return jnp.array([1, 0])

    def advance(self, state, action, key):
        return jnp.array([jnp.clip(state[0] + 2 * action - 1, 0, self.cells), state[1] + 1])

    def observe(self, state):
        return (jnp.arange(16) == state[0]).astype(jnp.float32)

    def legal(self, state):
        return jnp.full(2, True) & ~self.terminated(state)

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return (state[0] == self.cells) | (state[1] >= 6)

def long() -> Corridor:
    return Corridor(cells=5)

def undeclared():
    called.append(1)
    return Corridor()

def broken():
    raise RuntimeError("planted")

def three():
    return 3

called, number = [], 3
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("own")
    (place / "my_world.py").write_text(WORLD, "utf-8")
    (place / "bad_world.py").write_text("import no_such_package", "utf-8")
    (place / "leaving.py").write_text("raise SystemExit(0)", "utf-8")
    (place / "gone.py").write_text("raise GeneratorExit('planted')", "utf-8")
    return place


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(folder)])
    yield folder


def cells_of(task: Any) -> int:
    return task.cells


def test_a_name_makes_the_task_from_the_current_folder(here):
    task = make_task("my_world:Corridor")
    assert isinstance(task, Task) and cells_of(task) == 4
    assert make_task("my_world:Corridor", cells=3) == make_task("my_world:Corridor(cells=3)")
    assert cells_of(make_task("my_world:long")) == 5
    assert sys.path[0] != str(here), "what is imported later must not be shadowed"
    assert make_task("gridworld(size=3)") == make_task("gridworld", size=3)


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("my_word:Corridor", TaskImportError, "no module 'my_word', neither installed nor in"),
        ("bad_world:Corridor", TaskImportError, "Importing bad_world failed"),
        ("my_world:Coridor", TaskImportError, "Did you mean 'Corridor'"),
        ("my_world:number", TaskImportError, "cannot be called"),
        ("my_world:broken", TaskFactoryError, r"my_world.py, line \d+\): planted"),
        ("my_world:Corridor(cels=3)", TaskFactoryError, "no option 'cels'. Did you mean 'cells'"),
        ("my_world:long:cells=3", TaskFactoryError, "no option 'cells'. It has no options"),
        ("my_world:Corridor?cells=3&x=1", TaskImportError, r"my_world:Corridor\(cells=3, x=1\)'"),
        ("my_world:three", WrongKindError, "which is no task"),
        ("my_world:Corridor(3)", TaskImportError, "name=value"),
        ("my_world:Corridor(cells=1e400)", TaskImportError, "cannot be read"),
        ("my_world:Corridor(cells=...)", TaskImportError, "cannot be read"),
        ("my_world:Corridor(**{'cells': 3})", TaskImportError, "written once"),
        ("my_world:Corridor(cells=3, cells=4)", TaskImportError, "cannot be read"),
        (f"my_world:Corridor(cells={'-' * 5000}1)", TaskImportError, "cannot be read"),
        ("leaving:Corridor", TaskImportError, "SystemExit"),
        ("gone:Corridor", TaskImportError, "GeneratorExit: planted"),
        ("__main__:Corridor", TaskImportError, "this process alone"),
        ("coridor", UnknownNameError, "package.module:factory"),
    ],
)
def test_what_is_no_task_is_refused_by_name(name, kind, told):
    with pytest.raises(kind, match=told):
        make_task(name)
    for command in (["train", name], ["table", name], ["zoo", "uct", "--task", name]):
        refused = CliRunner().invoke(main, [*command, "--out", "nothing"])
        assert refused.exit_code == 2 and refused.stderr.strip(), command
        assert "Traceback" not in refused.output


@pytest.mark.parametrize("name", ["gridworld(sze=3)", "gridworld:sze=3", "gridworld:size=abc"])
def test_an_option_that_a_registered_task_has_not_is_refused_by_the_commands(name):
    for command in (["table", name], ["train", name], ["zoo", "uct", "--task", name]):
        refused = CliRunner().invoke(main, command)
        assert refused.exit_code == 2 and "Options: size, slip, actions" in refused.stderr


def test_names_and_options_have_one_spelling():
    assert split_name(join_name("a:B", {"z": [1.5, None], "b": "c(d)"})) == (
        "a:B", {"b": "c(d)", "z": [1.5, None]},
    )  # fmt: skip
    assert portable_name("my_world:Corridor( cells = 3 )") == "my_world:Corridor(cells=3)"
    made = make_task("my_world:Corridor", cells=3)
    assert name_of_task(made) == ("my_world:Corridor", {"cells": 3})
    assert portable_name(made) == "my_world:Corridor(cells=3)"
    assert portable_name(make_task("tic_tac_toe")) == "tic_tac_toe"
    grid = make_task("gridworld", size=3)
    assert make_task(portable_name(grid)) == grid != make_task("gridworld")


def test_a_task_that_only_this_process_knows_is_refused_where_others_need_it():
    corridor: Any = type(make_task("my_world:Corridor"))
    hidden = type("Hidden", (corridor,), {"__module__": "__main__"})()
    assert name_of_task(hidden) is None
    for plan in (lambda t: claims.plan([t], "smoke"), lambda t: zoo.plan("smoke", tasks=[t])):
        with pytest.raises(TaskImportError, match=r"give its name as 'package\.module:factory'"):
            plan(hidden)
    given = claims.plan([make_task("my_world:Corridor", cells=3)], "smoke", only=["budget_slope"])
    assert {cell.settings["task"] for cell in given} == {"my_world:Corridor(cells=3)"}


def small():
    return MLP((16,), 2, 4, 1, key=jax.random.key(0))


def test_a_policy_file_makes_its_task_and_calls_nothing_else(tmp_path):
    for name, options in (("my_world:Corridor", {"cells": 3}), ("my_world:long", {})):
        save_network(tmp_path, small(), name, options)
        made = make_task(name, **options)
        assert load_network(tmp_path)[0] == made
    save_network(tmp_path, small(), make_task("my_world:Corridor(cells=2)"))
    assert cells_of(load_network(tmp_path)[0]) == 2
    for name, options in (
        ("my_world:undeclared", {}),
        ("os:system", {"command": "touch touched"}),
        ("subprocess:run", {"args": ["touch", "touched"]}),
        ("joblib:dump", {"value": 1, "filename": "touched"}),
    ):
        save_network(tmp_path, small(), name, options)
        with pytest.raises(PolicyFileError, match=r"load\(folder, task=\.\.\.\)"):
            load_network(tmp_path)
        with pytest.raises(DeliberationError):
            make_declared(name, options)
        assert cells_of(load_network(tmp_path, task=make_task("my_world:long"))[0]) == 5
    assert not sys.modules["my_world"].called and not list(tmp_path.glob("touched"))


def test_a_policy_file_imports_nothing_from_the_current_folder(here, tmp_path):
    (here / "strangers_world.py").write_text(WORLD, "utf-8")
    save_network(tmp_path, small(), "strangers_world:Corridor", {})
    with pytest.raises(PolicyFileError, match=r"strangers_world.*load\(folder, task=\.\.\.\)"):
        load_network(tmp_path)
    assert "strangers_world" not in sys.modules
    made = make_task("strangers_world:Corridor")  # named by the user, and so to be trusted
    assert load_network(tmp_path)[0] == made


def test_training_by_name_is_saved_under_it(monkeypatch):
    class Begun(Exception):
        pass

    def begin(course, *_):
        raise Begun(course)

    monkeypatch.setattr("deliberation.hybrid.expert_iteration.training._run", begin)
    with pytest.raises(Begun) as begun:
        hybrid.train("my_world:Corridor(cells=3)", iterations=1)
    (course,) = begun.value.args
    assert (course.name, course.options) == ("my_world:Corridor", {"cells": 3})
    assert course.task == make_task(course.name, **course.options)


def test_the_commands_take_the_name_from_its_folder_to_the_report(here, tmp_path, monkeypatch):
    asked = {}

    def train(task, **rest):
        asked.update(task=task)
        return SimpleNamespace(ledger=Ledger())

    monkeypatch.setattr(hybrid, "train", train, raising=False)
    assert CliRunner().invoke(main, ["train", "my_world:Corridor"]).exit_code == 0
    assert asked["task"] == "my_world:Corridor"
    # They run in a worker process, which has to find the module too.
    out = tmp_path / "zoo"
    arguments = ["--effort", "smoke", "--out", str(out), "--jobs", "1"]
    command = ["zoo", "dynamic_programming", "bayes_mixture"]
    done = CliRunner().invoke(main, [*command, "--task", "my_world:Corridor", *arguments])
    assert done.exit_code == 0, done.output
    assert "my_world:Corridor" in done.output and "Not AIXI with a finite class" in done.output
    stands = {one.entry: one for one in placed(out)}
    assert stands["dynamic_programming"].score.estimate == 1.0
    assert "my_world:Corridor" in (out / "report.html").read_text()


def test_cells_of_the_table_find_the_module(here):
    cells = claims.plan(["my_world:Corridor"], "smoke", only=["optimal_from_rules"])
    (cell,) = (cell for cell in cells if cell.function.endswith("find_positions"))
    found = run_cell(Call(cell, str(here), {}, os.getpid()))
    assert found.outcome and found.outcome.outcomes["actions"] == 2, found.error


def test_a_changed_file_is_another_run(here):
    first = told_tasks(["my_world:Corridor", "tic_tac_toe"])
    (here / "my_world.py").write_text(WORLD + "# changed\n", "utf-8")
    second = told_tasks(["my_world:Corridor", "tic_tac_toe"])
    assert first["tasks"] == second["tasks"] == ["my_world:Corridor", "tic_tac_toe"]
    assert first["sources"].keys() == {"my_world:Corridor"} and first != second
