"""What long runs leave behind: programs that pile up are let go, half-written files are swept."""

import os
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from deliberation.audit import Exam, audit, auditing
from deliberation.audit.asking import ask
from deliberation.audit.contest import _looks
from deliberation.core import UniformRandom
from deliberation.runs import memory
from deliberation.runs.memory import GROWN, Level, forget_programs, resident
from deliberation.runs.storage import sweep_parts
from deliberation.specimens import random_world

ALWAYS, NEVER = -(1 << 40), 1 << 40
pytestmark = pytest.mark.skipif(resident() is None, reason="the system does not tell")


def compiled():
    """A function and how many programs JAX holds of it."""
    function = jax.jit(lambda x: x * 2 + 1)
    assert function(jnp.arange(3.0)).tolist() == [1, 3, 5]
    return function, function._cache_size()


def test_programs_are_let_go_and_come_back():
    function, held = compiled()
    assert held == 1
    forget_programs()
    assert function._cache_size() == 0
    assert function(jnp.arange(3.0)).tolist() == [1, 3, 5]


@pytest.mark.parametrize(("grown", "left"), [(ALWAYS, 0), (NEVER, 1)])
def test_they_are_let_go_only_where_memory_has_grown(grown, left):
    function, _ = compiled()
    assert Level(grown).hold() == (left == 0)
    assert function._cache_size() == left


def test_what_is_held_for_good_is_the_new_level():
    level = Level(GROWN)
    data = b"1" * (4 * GROWN)
    assert level.hold() and not level.hold()
    assert len(data) == 4 * GROWN


def test_what_compiling_took_is_given_back_at_once_within(monkeypatch):
    given = []
    monkeypatch.setattr(memory, "give_back", lambda: given.append(0))
    with memory.scratch_given_back(ALWAYS):
        compiled()
        assert given
    with memory.scratch_given_back(NEVER):
        given.clear()
        compiled()
    compiled()
    assert not given


def test_an_audit_lets_programs_go_between_probes(monkeypatch):
    monkeypatch.setattr(auditing, "Level", lambda: Level(ALWAYS))
    task, left = random_world(0), []
    function, _ = compiled()

    def watch(answer):
        left.append((answer.probe, function._cache_size()))
        function(jnp.arange(3.0))
        assert function._cache_size() == 1

    audit(UniformRandom(task), task, probes=["effort", "map", "depth"], effort="smoke", watch=watch)
    assert left == [("effort", 0), ("map", 0), ("depth", 0)]


KILLED = """
import os, signal, sys
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
from deliberation.runs.storage import atomic_write
atomic_write(sys.argv[1], b"half")
"""


def test_what_a_killed_process_left_half_written_is_swept(tmp_path):
    path = tmp_path / "effort.json"
    path.write_bytes(b"whole")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    mine = tmp_path / f".depth.json.{os.getpid()}.part"
    mine.write_bytes(b"still being written")
    assert len(list(tmp_path.glob(".*.part"))) == 2
    sweep_parts(tmp_path)
    assert set(tmp_path.iterdir()) == {path, mine} and path.read_bytes() == b"whole"


def test_other_numbers_of_states_compile_nothing_new():
    exam = Exam.of(random_world(0), count=64)
    decider, looked, heard = UniformRandom(exam.task), [], []

    def asked(count):
        ask(decider, exam, exam.rows[:count], jax.random.key(0))
        looked.append(_looks(exam, exam.rows[:count]))

    asked(9)
    listener = lambda event, seconds, **about: heard.append(event)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        for count in (10, 17, 33):
            asked(count)
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    assert "/jax/core/compile/backend_compile_duration" not in heard
    assert (looked[-1][:9] == looked[0]).all() and len(looked[-1]) == 33
