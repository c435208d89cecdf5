"""Positions in which search, the network and the exact answer disagree: chosen and drawn."""

import re

import jax
import msgspec
import numpy as np
import pytest
from made import record

from deliberation.claims.measuring.exams import keep_positions
from deliberation.report.disagreements import Choice, Position, disagreements, drawn, pick
from deliberation.report.html import page
from deliberation.runs import Cell, Column, RecordFile
from deliberation.runs.artefacts import hashes
from deliberation.runs.columns import write_columns
from deliberation.tasks import make_task

SCORE = "deliberation.claims.measuring.scoring:score"


def test_those_are_drawn_in_which_the_two_differ_and_one_errs_the_costliest_first():
    regrets = np.array([[0.0, 1.0, 2.0]] * 6)
    search = np.array([0, 0, 1, 0, 1, 2])
    network = np.array([0, 1, 1, 2, 0, 1])
    # 0 and 2 agree; 1 and 3: the network errs; 4: search errs; 5: both do.
    assert pick(search, network, regrets, most=9) == [5, 4, 3, 1]
    assert pick(search, network, regrets, most=2) == [5, 4]
    assert pick(search[:1], network[:1], regrets[:1]) == []


def kept(folder, made, **columns):
    """The record with what its cell left hashed and described, as a run would write it."""
    home = folder / "artefacts" / made.cell
    home.mkdir(parents=True, exist_ok=True)
    said = write_columns(home, columns) if columns else {}
    return msgspec.structs.replace(made, columns=said, artefacts=hashes(home))


def scored(folder, subject, action, exam, policy=None):
    settings = {
        "task": "tic_tac_toe", "subject": f"x:{subject}", "budgets": [256], "policy": policy,
        "positions": exam,
    }  # fmt: skip
    chosen = Column(np.array([action], np.int32), ("budget", "position"), "number of the action")
    return kept(folder, record(Cell(SCORE, settings)), action=chosen)


@pytest.fixture
def run(tmp_path):
    """Two empty boards on which the middle is best; the network of more examples errs in one."""
    with RecordFile(tmp_path, {"tasks": ["tic_tac_toe"]}):
        exam = record(Cell("x:find_positions", {}))
    values = np.full((2, 9), -1.0)
    values[:, 4] = 0.0
    states = jax.vmap(make_task("tic_tac_toe").init)(jax.random.split(jax.random.key(0), 2))
    (tmp_path / "artefacts" / exam.cell).mkdir(parents=True)
    keep_positions(tmp_path / "artefacts" / exam.cell, states, values=values)
    few, many = (record(Cell("x:fit", {"count": n})) for n in (8, 64))
    made = [
        few, many, kept(tmp_path, exam), scored(tmp_path, "planner", [4, 4], exam.cell),
        scored(tmp_path, "network", [4, 4], exam.cell, few.cell),
        scored(tmp_path, "network", [4, 0], exam.cell, many.cell),
    ]  # fmt: skip
    return tmp_path, {each.cell: each for each in made}


def test_a_position_is_read_back_and_drawn_with_what_each_made_of_it(run):
    folder, records = run
    (one,) = disagreements(folder, records, ["tic_tac_toe", "connect_four"])
    assert [(c.who, c.action, c.regret) for c in one.choices] == [
        ("search (256)", 4, 0.0),
        ("network", 0, 1.0),
        ("exact answer", 4, 0.0),
    ]
    assert one.drawn.splitlines()[:3] == [". . ."] * 3
    assert one.choices[1].after.splitlines()[0] == "X . ."
    next(folder.glob("artefacts/*/positions.npz")).unlink()
    assert disagreements(folder, records, ["tic_tac_toe"]) == []


def test_what_a_choice_changed_is_marked_and_what_it_gives_up_is_said():
    choices = (Choice("search", 1, 0.0, ". X <\n2"), Choice("network", 0, 0.5, "X . <\n2"))
    text = drawn([Position("a <b>", ". . <\n1", choices)])
    assert ". <mark>X</mark> &lt;\n2</pre>" in text and "<mark>X</mark> . &lt;\n2</pre>" in text
    told = re.sub(r"<[^>]+>", "", text)
    assert "search: action 1, best" in told and "network: action 0, gives up 0.500" in told
    assert "a &lt;b&gt;" in text and drawn([]) == ""
    shown = page([], {}, positions=[Position("a", ".", choices)])
    row = shown.split('<tbody id="row-problem_solving">')[1].split("<tbody")[0]
    assert "Positions in which they disagree" in row and shown.count("<details>") == 1
