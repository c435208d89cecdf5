"""Small runs made up for the tests of the playground: a table, a zoo and an audit.

The table is of one claim about tic-tac-toe, on two positions in which the middle is best.
"""

import functools
import json

import jax
import msgspec
import numpy as np
from made import record

from deliberation import claims, zoo
from deliberation.audit.judging import control
from deliberation.audit.profile import Answer, Cited, Profile
from deliberation.claims.measuring.exams import keep_positions
from deliberation.report.folder import build
from deliberation.report.pages.audit import build_audit
from deliberation.runs import Column, RecordFile
from deliberation.runs.artefacts import hashes
from deliberation.runs.columns import write_columns
from deliberation.runs.findings import Panel, Series
from deliberation.stats import Estimate
from deliberation.tasks import make_task

CLAIM = "budget_slope"
TABLE = {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": [CLAIM]}
ZOO = {"zoo": ["alpha_beta", "uct"], "effort": "smoke", "tasks": ["tic_tac_toe"]}
SECRET = "a secret that lies outside of the folder"
COUNT = 40
"""Positions: the empty board, again and again, so that a claim has something to resample."""


@functools.cache
def planned():
    """The cells of the table, by what they do; all but these two serve others."""
    cells = claims.plan(TABLE["tasks"], "smoke", only=[CLAIM])
    scores = [cell for cell in cells if cell.function.endswith("scoring:score")]
    ours = {cell.settings["subject"].rpartition(":")[2]: cell for cell in scores}
    exam = next(c for c in cells if c.id == ours["planner"].settings["positions"])
    return {"exam": exam, "search": ours["planner"], "network": ours["network"], "all": cells}


def left(folder, made, home="", **columns):
    """A record with the files that its cell left, hashed and described as a run would."""
    place = folder / "artefacts" / made.cell
    place.mkdir(parents=True, exist_ok=True)
    said = write_columns(place, columns) if columns else {}
    return msgspec.structs.replace(made, columns=said, artefacts=hashes(place), home=home)


def ways(budgets, gain, seed=0):
    """Shares of the way from random play, better by `gain` with each budget."""
    noise = np.random.default_rng(seed).normal(0, 0.1, COUNT)
    rows = [0.2 + gain * i + noise for i in range(len(budgets))]
    return np.array(rows, np.float32)


def records_of(folder, gain=0.15, seed=0):
    """What the cells found: search gains with its budget, the network does not."""
    cells, found = planned(), []
    for cell in cells["all"]:
        made = record(cell)
        place = folder / "artefacts" / cell.id
        if cell.id == cells["exam"].id:
            place.mkdir(parents=True)
            keys = jax.random.split(jax.random.key(0), COUNT)
            values = np.full((COUNT, 9), -1.0)
            values[:, 4] = 0.0
            keep_positions(place, jax.vmap(make_task("tic_tac_toe").init)(keys), values=values)
            made = msgspec.structs.replace(made, artefacts=hashes(place), outcomes={"stake": 0.9})
        elif cell.id in (cells["search"].id, cells["network"].id):
            searches = cell.id == cells["search"].id
            budgets = cell.settings["budgets"]
            # The first action errs; the last positions, at the largest budget, are played well.
            action = np.zeros((len(budgets), COUNT), np.int32)
            action[-1, COUNT // 2 :] = 4
            axes = ("budget", "position")
            made = left(
                folder, msgspec.structs.replace(made, outcomes={"low": -1.2}),
                way=Column(ways(budgets, gain * searches, seed), axes, "of the way"),
                action=Column(action, axes, "number of the action"),
            )  # fmt: skip
        found.append(msgspec.structs.replace(made, needs=cell.needs))
    return found


def make_table(folder, gain=0.15, seed=0, left_out=0, page=True):
    """A table's folder; the last `left_out` cells are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with RecordFile(folder, TABLE) as file:
        made = records_of(folder, gain, seed)
        for one in made[: len(made) - left_out]:
            file.append(one)
    if page and not left_out:
        build(folder)
    return folder


def make_zoo(folder, score=0.5):
    """A zoo of two searches that score the same."""
    cells = zoo.plan("smoke", only=ZOO["zoo"], tasks=ZOO["tasks"])
    with RecordFile(folder, ZOO) as file:
        for cell in cells:
            none, alone = [0.0] * 16, [score + 0.1 * (i % 3) for i in range(16)]
            outcomes = {
                "scores": {"random": none, "search": alone, "learned": none, "both": alone},
                "parts": ["searching"], "constant": False, "optimum": 1.0, "range": [-1.0, 1.0],
                "random": {"mean": 0.0, "error": 0.0, "n": 0}, "decisions": 60, "seconds": 0.3,
                "spent": {"model_steps": 600, "network_evaluations": 0, "seconds": 0.2},
                "trained": {"seconds": 0.0, "model_steps": 0},
            }  # fmt: skip
            file.append(msgspec.structs.replace(record(cell), outcomes=outcomes))
    return folder


def make_audit(folder, found="responds", estimate=0.4):
    """An audit of one probe, with its figure and a state that it cites."""
    task = make_task("tic_tac_toe")
    state = task.init(jax.random.key(0))
    board = Cited(
        drawn=task.render(state), picture=task.picture(state), chosen=0, best=4, lost=1.0,
        names=list(task.action_names),
    )  # fmt: skip
    seen = Cited(
        drawn="a world of others, seen: 1 of 16 places, earned: 0", picture=None, chosen=0, best=1,
        lost=0.5, table=[["observation", "1 of 0 to 15"], ["earned by the last action", "0"]],
    )  # fmt: skip
    line = Series(label="subject", x=[1.0, 8.0], y=[0.1, 0.5], low=[0.0, 0.4], high=[0.2, 0.6])
    answer = Answer(
        probe="effort", question="Does it get better?", statistic="gain", found=found,
        said="It does.", estimate=Estimate(estimate, estimate - 0.1, estimate + 0.1, 100),
        panel=Panel(title="Effort", x_label="simulations", y_label="way", series=[line]),
        cited=[board, seen],
        controls=[control("another draw at the same budget gains", Estimate(0.0, -0.1, 0.1, 100))],
    )  # fmt: skip
    whole = Profile(
        subject="uct", task="tic_tac_toe", effort="smoke", states=10, asked=5, answers=[answer]
    )
    build_audit(whole, folder)
    kept = {
        "stamp": "0" * 16,
        "answer": json.loads((folder / "audit.json").read_text())["answers"][0],
    }
    (folder / "effort.json").write_text(json.dumps(kept))
    return folder
