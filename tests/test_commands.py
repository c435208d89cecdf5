"""Every built-in task is put to every command: it is measured, or refused at once by a typed error.

What a command would go on to compute is left out of these: cells are planned and not run, trainings
end before their first iteration. Trainings in earnest, small ones, are in `test_every_task.py`.
"""

import jax
import pytest
from click.testing import CliRunner

from deliberation.claims.measuring import about, size
from deliberation.cli import main
from deliberation.core.errors import TooLargeError, UnsuitableTaskError
from deliberation.direct import TreeSearch
from deliberation.tasks import list_tasks, make_task
from deliberation.zoo import entry, list_zoo

TASKS = list(list_tasks())
EXTRA = {"half_cheetah"}
"""Needs a package that is no part of the installation."""
GAMES = {"tic_tac_toe", "connect_3_4x4", "connect_4_5x4", "connect_four", "mnk", "hex_3x3"}
"""Games that a table measures: in full view, without chance, small enough or solved beforehand; of
one player it measures every task."""
LARGE = {"go_9x9", "hex", "othello", "acrobot", "cartpole", "mountain_car", "sliding_tiles"}


class Begun(Exception):
    """Where the work would begin: nothing was refused."""


@pytest.fixture
def idle(monkeypatch):
    """Commands stop where their work would begin."""

    def begin(*_, **__):
        raise Begun

    monkeypatch.setattr("deliberation.runs.execute", begin)
    monkeypatch.setattr("deliberation.advice.advising.execute", begin)
    monkeypatch.setattr("deliberation.hybrid.expert_iteration.training._run", begin)
    # How large a task is, is counted in a test of its own; here its verdict is what matters.
    counted = {}

    def least(task, most=size.MOST):
        return counted.get(repr(task), 0.0)

    for name in LARGE:
        counted[repr(make_task(name))] = float("inf")
    monkeypatch.setattr(size, "least_states", least)
    about.about.cache_clear()


def asked(*arguments):
    """What a command does: "begun", or the message of its refusal."""
    ran = CliRunner().invoke(main, list(arguments))
    if isinstance(ran.exception, Begun):
        return "begun"
    assert ran.exit_code == 2 and ran.stderr.strip(), (arguments, ran.output, ran.exception)
    assert "Traceback" not in ran.output and ran.stderr.count("\n") <= 2
    return ran.stderr


@pytest.mark.parametrize("name", [name for name in TASKS if name not in EXTRA])
def test_table_and_train_begin_or_refuse_at_once(idle, name, tmp_path):
    told = asked("table", name, "--effort", "smoke", "--out", str(tmp_path / "table"))
    alone = make_task(name).traits.players == 1
    assert (told == "begun") == (alone or name in GAMES), told
    assert told == "begun" or name in told
    if told != "begun":
        assert ("too large" if name in LARGE else "games of several players") in told
    trained = asked("train", name, "--out", str(tmp_path / "policy"))
    try:
        TreeSearch(make_task(name))
        assert trained == "begun"
    except UnsuitableTaskError as error:
        assert trained == f"{error}\n"
    assert not (tmp_path / "table").exists()
    assert asked("advise", name, "--out", str(tmp_path / "advice")) == "begun"


def test_zoo_takes_every_task_and_report_no_foreign_folder(idle, tmp_path):
    tasks = [name for name in TASKS if name not in EXTRA]
    command = [part for name in tasks for part in ("--task", name)]
    out = str(tmp_path / "zoo")
    assert asked("zoo", "uct", *command, "--out", out) == "begun"
    assert "holds no run" in asked("report", str(tmp_path))


@pytest.mark.parametrize("name", [name for name in TASKS if name not in EXTRA])
def test_look_and_play_show_every_task(name):
    """Play of one's own needs actions that can be named; `look` takes any."""
    ran = CliRunner().invoke(main, ["look", name, "--with", "random", "--states", "0"])
    assert ran.exit_code == 0 and "random" in ran.stdout, ran.output
    ran = CliRunner().invoke(main, ["play", name, "--watch", "random"])
    if make_task(name).traits.discrete:
        assert ran.exit_code == 0, ran.output
        assert "Return" in ran.stdout or "wins" in ran.stdout or "draws" in ran.stdout
    else:
        assert ran.exit_code == 2 and "deliberate look" in ran.stderr


PLANNERS = [n for n, about in list_zoo().items() if about["kind"] == "direct" and n != "minimax"]


@pytest.mark.parametrize("name", ["sphere", "kuhn_poker", "2048"])
def test_planners_of_the_zoo_refuse_by_type_what_they_are_not_made_for(name):
    task, made = make_task(name), 0
    for planner in PLANNERS:
        try:
            made += entry(planner).build(task, "smoke", jax.random.key(0)).searching is not None
        except (UnsuitableTaskError, TooLargeError) as error:
            assert str(error)
    assert 0 < made < len(PLANNERS)
