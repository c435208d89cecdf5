"""An audit by names: probes in processes apart, which may die or hang; kills lose nothing."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from click.testing import CliRunner

from deliberation.cli import main
from deliberation.runs.announced import announced

SUBJECTS = """
import os, time
import jax.numpy as jnp
from deliberation.core import UniformRandom

class Deadly(UniformRandom):
    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        if objective is not None:
            os._exit(3)
        return super().decide(state, memory, objective=objective, budget=budget, key=key)

class Slow(UniformRandom):
    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        if objective is not None:
            time.sleep(600)
        return super().decide(state, memory, objective=objective, budget=budget, key=key)

class Steady(UniformRandom):
    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        time.sleep(0.05)
        return super().decide(state, memory, objective=objective, budget=budget, key=key)

class Stuck(UniformRandom):
    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        time.sleep(600)

def stuck(task): return Stuck(task)
def deadly(task): return Deadly(task)
def slow(task): return Slow(task)
def steady(task): return Steady(task)
def stillborn(task): os._exit(3)
"""
WORLD = ["--world", "gridworld:size=4", "--effort", "smoke"]


@pytest.fixture
def subjects(tmp_path, monkeypatch):
    (tmp_path / "own_subjects.py").write_text(textwrap.dedent(SUBJECTS))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_who_takes_its_process_down_when_it_is_made_is_named(subjects):
    out = str(subjects / "out")
    ran = CliRunner().invoke(main, ["audit", "own_subjects:stillborn", *WORLD, "--out", out])
    assert ran.exit_code == 2
    assert "own_subjects:stillborn could not be made in gridworld" in ran.output
    assert "Its process ended with code 3" in ran.output


def test_who_takes_its_process_down_fails_one_probe_alone(subjects):
    out = subjects / "out"
    ran = CliRunner().invoke(
        main, ["audit", "own_subjects:deadly", *WORLD, "--probes", "objective,effort,depth",
               "--out", str(out), "--jobs", "1"],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "Its process ended with code 3" in ran.output
    # The others are answered, by another process.
    assert {p.name for p in out.glob("*.json")} >= {"effort.json", "depth.json"}
    assert (out / "audit.html").exists() and not (out / "objective.json").exists()


def test_who_hangs_is_stopped(subjects, monkeypatch):
    monkeypatch.setattr("deliberation.cli._audited._GRACE", 1.0)
    ran = CliRunner().invoke(
        main, ["audit", "own_subjects:slow", *WORLD, "--probes", "objective", "--seconds", "4",
               "--out", str(subjects / "out")],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "took longer than 5 s and was stopped" in ran.output


def test_who_hangs_when_first_asked_costs_its_time_and_every_probe_says_so(subjects, monkeypatch):
    monkeypatch.setattr("deliberation.cli._audited._GRACE", 1.0)
    ran = CliRunner().invoke(
        main, ["audit", "own_subjects:stuck", *WORLD, "--probes", "effort,map", "--seconds", "1",
               "--jobs", "1", "--out", str(subjects / "out")],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "Asked for the first time, the subject did not answer. It took longer" in ran.stderr
    assert "could not be asked: It took longer than 2 s and was stopped." in ran.stdout
    assert ran.stderr.count("failed") == 2 and (subjects / "out" / "audit.html").exists()


def test_a_command_that_cannot_begin_leaves_a_finished_audit_as_it_was(tmp_path):
    asked = {"subject": "uct", "task": "gridworld:size=4", "effort": "smoke", "probes": ["effort"]}
    with announced(tmp_path, **asked) as begin:
        begin()
    (tmp_path / "effort.json").write_text("{}")
    kept = (tmp_path / "asked.json").read_bytes()
    again = ["audit", "uct", "--world", "tic_tac_toe", "--effort", "smoke", "--out", str(tmp_path)]
    ran = CliRunner().invoke(main, again)
    assert ran.exit_code != 0 and "--out" in ran.output and "uct in gridworld" in ran.output
    (tmp_path / "none").mkdir()
    ran = CliRunner().invoke(
        main, ["audit", "sb3:none.zip", *WORLD, "--probes", "effort", "--jobs", "1",
               "--out", str(tmp_path / "none")],
    )  # fmt: skip
    assert ran.exit_code != 0 and not (tmp_path / "none" / "asked.json").exists()
    assert (tmp_path / "asked.json").read_bytes() == kept


PROBES = ("effort", "depth", "revaluation")


def test_killed_after_any_answer_it_goes_on_to_the_same_end_and_leaves_no_process(subjects):
    """By turns the command alone is killed, and all of its processes at once."""

    def command(out):
        return [
            sys.executable, "-m", "deliberation.cli", "audit", "own_subjects:steady", *WORLD,
            "--probes", ",".join(PROBES), "--out", str(out), "--jobs", "1",
        ]  # fmt: skip

    whole, broken = subjects / "whole", subjects / "broken"
    assert subprocess.run(command(whole), capture_output=True, timeout=300).returncode == 0
    for count, kill in ((1, os.kill), (2, os.killpg)):
        first = subprocess.Popen(
            command(broken), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        waited(lambda count=count: len(answers(broken)) >= count, 300)
        assert first.poll() is None, "it was killed before its end"
        kill(first.pid, signal.SIGKILL)
        first.wait()
        waited(lambda first=first: not group(first.pid), 30)
    kept = {path: path.read_bytes() for path in broken.glob("*.json")}
    assert len(kept) >= 2
    ran = subprocess.run(command(broken), capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert answers(broken) == answers(whole) and set(answers(whole)) == set(PROBES)
    assert all(path.read_bytes() == text for path, text in kept.items())
    assert not list(broken.glob(".*.part")) and (broken / "audit.html").exists()


def answers(folder):
    """What is kept of each probe, but for the seconds that it took."""
    found = {}
    for probe in PROBES:
        if (path := folder / f"{probe}.json").exists():
            found[probe] = json.loads(path.read_bytes())
            found[probe]["answer"].pop("seconds")
    return found


def waited(done, seconds):
    """Until it is so. Fails where it is not in time."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_a_killed_audit_leaves_no_process_that_hangs(subjects):
    command = [
        sys.executable, "-m", "deliberation.cli", "audit", "own_subjects:slow", *WORLD,
        "--probes", "objective", "--out", str(subjects / "out"), "--jobs", "1",
    ]  # fmt: skip
    first = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 90
    while len(group(first.pid)) < 2 and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(5.0)
    first.send_signal(signal.SIGKILL)
    first.wait()
    end = time.monotonic() + 30
    while group(first.pid) and time.monotonic() < end:
        time.sleep(0.5)
    assert group(first.pid) == []


def group(leader: int) -> list[str]:
    """The processes of a session that are no zombies."""
    told = subprocess.run(["ps", "-eo", "sid,stat,pid"], capture_output=True, text=True).stdout
    rows = [line.split() for line in told.splitlines()[1:]]
    return [pid for sid, stat, pid in rows if sid == str(leader) and not stat.startswith("Z")]
