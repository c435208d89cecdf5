"""Cells that need no JAX, and a run of them: for the tests of what runs and records do.

A test file takes the fixtures over by name: `out, work = cell_runs.out, cell_runs.work`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deliberation.runs import Cell, Record, RecordFile, execute

MANIFEST = {"tasks": ["tic_tac_toe"], "effort": "smoke"}
WORK = '''
"""Cells that hash, sleep, fail and look around."""
import hashlib, os, signal, sys, time
from pathlib import Path
from deliberation.runs import Column, Outcome

def digest(settings, context):
    time.sleep(settings.get("sleep", 0.0))
    needed = "".join(context.outcomes(c)["hash"] for c in settings.get("reads", []))
    value = hashlib.sha256(f"{settings['x']}{needed}".encode()).hexdigest()
    return Outcome({"hash": value, "nan": float("nan")}, {"model_steps": 1, "flops": None})

def write(settings, context):
    (context.folder / "weights").write_text(str(settings["x"]))
    if settings.get("fail"):
        raise ValueError("planted failure")
    return Outcome({"x": settings["x"]})

def read(settings, context):
    return Outcome({"read": (context.artefact(settings["of"]) / "weights").read_text()})

def look(settings, context):
    names = ("XLA_FLAGS", "OMP_NUM_THREADS", "JAX_COMPILATION_CACHE_DIR")
    return Outcome({"pid": os.getpid(), "jax": "jax" in sys.modules,
                    "deaf": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
                    **{n: os.environ.get(n) for n in names}})

def sample(settings, context):
    import numpy as np
    values = np.arange(6.0).reshape(2, 3) + settings["x"]
    columns = {"returns": Column(values, ("seed", "episode"), "return"),
               "solved": Column(values[0] > 1, ("episode",), "1")}
    return Outcome({"mean": values.mean()}, columns=columns)

def total(settings, context):
    found = context.column(settings["of"], settings.get("name", "returns"))
    return Outcome({"sum": found.values.sum(), "axes": found.axes, "unit": found.unit})

def full(settings, context):
    raise OSError(28, "No space left on device")

def die(settings, context):
    while not os.path.exists(settings.get("after", "/")):
        time.sleep(0.01)
    os._exit(9)

def die_once(settings, context):
    if not os.path.exists(settings["marker"]):
        Path(settings["marker"]).touch()
        os._exit(9)
    return Outcome({"x": settings["x"]})

def tell(settings, context):
    Path(settings["pids"], str(os.getpid())).touch()
    time.sleep(60)
    return Outcome({})
'''


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A module of cell functions, importable here and in worker processes."""
    home = tmp_path / "modules"
    home.mkdir()
    (home / "cell_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(home))
    return home


@pytest.fixture
def out(tmp_path, work):
    """The folder of a run whose cells can be found."""
    del work
    return tmp_path / "out"


def cell(function="digest", needs=(), seconds=1.0, label="", **settings) -> Cell:
    return Cell(f"cell_work:{function}", settings, tuple(needs), seconds, label)


def run(cells, out, jobs=1, manifest=MANIFEST, **options):
    return execute(cells, out, manifest=manifest, jobs=jobs, **options)


def record(x=1, **changes) -> Record:
    plain = {
        "cell": f"{x:016x}",
        "function": "cell_work:digest",
        "settings": {"x": x},
        "needs": (),
        "outcomes": {"score": 0.5},
        "spent": {"flops": None},
        "seconds": 0.1,
        "started": "2026-01-01T00:00:00+00:00",
    }
    return Record(**{**plain, **changes})


def written(out, count=3) -> list[bytes]:
    with RecordFile(out, MANIFEST) as file:
        for x in range(len(file.records), count):
            file.append(record(x))
    return (out / "records.jsonl").read_bytes().splitlines(keepends=True)


def python(script: str, *arguments, wait=True, **options):
    """A script in a process of its own that can import the tests' files and the cells."""
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path[:1], before])
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipe = subprocess.PIPE
    options = {"stdout": pipe, "stderr": pipe, "text": True, **options}
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, **options)
    if not wait:
        return child
    stdout, stderr = child.communicate(timeout=60)
    return subprocess.CompletedProcess(command, child.returncode, stdout, stderr)
