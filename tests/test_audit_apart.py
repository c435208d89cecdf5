"""An audit by names: probes in processes apart, which may die or hang; kills lose nothing."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from click.testing import CliRunner

from deliberation.cli import main

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
        time.sleep(0.4)
        return super().decide(state, memory, objective=objective, budget=budget, key=key)

def deadly(task): return Deadly(task)
def slow(task): return Slow(task)
def steady(task): return Steady(task)
"""
WORLD = ["--world", "gridworld:size=4", "--effort", "smoke"]


@pytest.fixture
def subjects(tmp_path, monkeypatch):
    (tmp_path / "own_subjects.py").write_text(textwrap.dedent(SUBJECTS))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


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


def test_killed_it_goes_on_where_it_was_and_leaves_no_process(subjects):
    out = subjects / "out"
    command = [
        sys.executable, "-m", "deliberation.cli", "audit", "own_subjects:steady", *WORLD,
        "--probes", "effort,depth,revaluation", "--out", str(out), "--jobs", "1",
    ]  # fmt: skip
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 90
    while not (out / "effort.json").exists() and time.monotonic() < end:
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = (out / "effort.json").read_bytes()
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert (out / "effort.json").read_bytes() == kept
    assert "depth" in ran.stdout and (out / "audit.html").exists()


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
