"""Runs that are killed, cut off, altered or out of room lose nothing that was recorded."""

import errno
import hashlib
import json
import math
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import cell_runs
import joblib
import numpy as np
import pytest
from cell_runs import MANIFEST, cell, python, record, run, written
from rich.console import Console

from deliberation.core.errors import OutputFolderError, StorageError
from deliberation.runs import (
    Cell,
    CellError,
    Finding,
    FolderBusyError,
    RecordError,
    RecordFile,
    RichProgress,
    Row,
    atomic_write,
    execute,
    read_manifest,
    read_records,
    read_table,
    storage,
    write_table,
)
from deliberation.runs.cells import urgency
from deliberation.runs.chain import HEAD
from deliberation.runs.progress import Forecast, clock_time
from deliberation.runs.provenance import code, source
from deliberation.runs.queue import Queue
from deliberation.runs.records import decode, encode
from deliberation.runs.worker import SHARES, Call, Context, share_done

out, work = cell_runs.out, cell_runs.work  # fixtures

# Cells


def test_a_cell_is_named_by_what_it_computes():
    known = b'{"function":"m.n:f","needs":["aa"],"settings":{"a":[1,2.0],"b":null}}'
    found = Cell("m.n:f", {"b": None, "a": (1, 2.0)}, ("aa",)).id
    assert found == hashlib.sha256(known).hexdigest()[:16]
    assert cell(x=1, seconds=9.0, label="other").id == cell(x=1).id
    assert len({cell(x=1).id, cell(x=2).id, cell("write", x=1).id, cell(x=1, needs=["0"]).id}) == 4


@pytest.mark.parametrize("bad", [math.nan, math.inf, {1: 2}, object(), "NaN"])
def test_settings_that_json_cannot_hold_are_refused(bad):
    with pytest.raises(RecordError, match=r"settings of cell_work:digest\['x'\]"):
        cell(x=bad)


def test_functions_are_named_with_their_module():
    with pytest.raises(CellError, match="got 'no_module'"):
        Cell("no_module", {})


def test_what_the_longest_chain_waits_for_goes_first():
    a, b, c = cell(x=1, seconds=1.0), cell(x=2, seconds=5.0), cell(x=3, seconds=9.0)
    d = cell(x=4, needs=[a.id], seconds=3.0)
    e = cell(x=5, needs=[d.id, b.id], seconds=7.0)
    chains = urgency([e, d, a, b, c], [])
    assert list(chains.items()) == [
        (b.id, 12), (a.id, 11), (d.id, 10), (c.id, 9), (e.id, 7),
    ]  # fmt: skip
    assert list(urgency([e, d, a, b, c], [a.id, b.id])) == [d.id, c.id, e.id]
    with pytest.raises(CellError, match=f"needs {a.id}"):
        urgency([d], [])


def test_a_kind_of_cell_stays_with_the_worker_that_compiled_it():
    """Unless something else is more urgent by more than compiling takes."""
    near = [Cell("m:near", {"task": "a", "x": i}, (), 2.0) for i in range(3)]
    far = [Cell("m:far", {"task": "a", "x": i}, (), 1.0) for i in range(2)]
    late = Cell("m:near", {"task": "a", "x": 9}, (), 30.0)
    cells = [*near, *far]

    def queue(*more: Cell) -> Queue:
        chains = urgency([*cells, *more], [])
        by_id = {c.id: c for c in [*cells, *more]}
        return Queue([by_id[i] for i in chains], set(), keep_going=False, chains=chains)

    local = queue()
    first, second, third = local.following(0), local.following(1), local.following(1)
    assert (first.function, second.function, third.function) == ("m:near", "m:far", "m:far")
    assert local.following(1).function == "m:near", "nobody is idle"
    assert [c.function for c in iter(queue().following, None)] == ["m:near"] * 3 + ["m:far"] * 2
    urgent = queue(late)
    assert urgent.following(0) is late and urgent.following(1).function == "m:far"


# Records


def test_records_come_back_as_they_were(out):
    outcomes = {
        "odd": [math.nan, math.inf, -math.inf, None, 1, 1.0, "inf", True],
        "array": np.arange(3.0),
        "deep": {"x": np.float32(0.5), "n": np.int64(3)},
    }
    with RecordFile(out, MANIFEST) as file:
        kept = file.append(record(outcomes=outcomes))
    (found,) = read_records(out).values()
    assert repr(found) == repr(kept)
    assert found.outcomes["odd"][3:] == [None, 1, 1.0, "inf", True]
    assert math.isnan(found.outcomes["odd"][0])
    assert found.outcomes["odd"][1:3] == [math.inf, -math.inf]
    assert found.outcomes["array"] == [0.0, 1.0, 2.0]
    assert found.outcomes["deep"] == {"x": 0.5, "n": 3}
    assert json.loads((out / "records.jsonl").read_text())["outcomes"]["odd"][0] == "NaN"
    with pytest.raises(RecordError, match="'NaN', which stands for a number"):
        encode(record(outcomes={"x": "NaN"}))


@pytest.mark.parametrize("keep", [1, 40, -1])
def test_a_last_line_cut_off_is_dropped_and_repaired(out, keep):
    lines = written(out, 2)
    head = (out / HEAD).read_bytes()
    lines = written(out)
    path = out / "records.jsonl"
    path.write_bytes(b"".join(lines[:2]) + lines[2][:keep])
    (out / HEAD).write_bytes(head)  # which tells of a line once it is there as a whole
    assert len(read_records(out)) == 2, "reading does not need the repair"
    with RecordFile(out, MANIFEST) as file:
        assert len(file.records) == 2
        assert path.read_bytes() == b"".join(lines[:2])
        file.append(record(2))
    assert path.read_bytes() == b"".join(lines)


def test_altered_and_broken_lines_are_named(out):
    lines = written(out)
    path = out / "records.jsonl"
    path.write_bytes(lines[0] + lines[1].replace(b'"score":0.5', b'"score":0.9') + lines[2])
    for read in (read_records, lambda folder: RecordFile(folder, MANIFEST)):
        with pytest.raises(RecordError, match=r"line 2 \(cell 0+1, .*was altered"):
            read(out)
    path.write_bytes(lines[0] + lines[1][:50] + b"\n" + lines[2])
    with pytest.raises(RecordError, match=r"line 2 is not a record .*Restore .*new --out"):
        read_records(out)
    for other in (1, 3):
        changed = lines[0].replace(b'"schema":2', f'"schema":{other}'.encode())
        with pytest.raises(RecordError, match=f"schema {other}; this version reads 2.*new --out"):
            decode(changed, "a line")
    # The lock of a folder that was refused is free again.
    path.write_bytes(b"".join(lines))
    RecordFile(out, MANIFEST).close()


def test_another_runs_folder_is_refused(out, tmp_path):
    written(out)
    with pytest.raises(OutputFolderError, match=r"effort: 'smoke' there, 'full' asked.*--out"):
        RecordFile(out, {**MANIFEST, "effort": "full"})
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    with pytest.raises(OutputFolderError, match=r"thesis\.tex is in it"):
        RecordFile(foreign, MANIFEST)
    assert [p.name for p in foreign.iterdir()] == ["thesis.tex"]
    with pytest.raises(OutputFolderError, match="is a file"):
        RecordFile(foreign / "thesis.tex", MANIFEST)
    with pytest.raises(OutputFolderError, match="holds no run"):
        read_records(foreign)
    (out / "run.json").write_text("{")
    with pytest.raises(OutputFolderError, match="cannot be read"):
        RecordFile(out, MANIFEST)


def test_a_run_killed_before_its_manifest_was_written_starts_again(out):
    out.mkdir()
    (out / ".lock").touch()
    (out / ".run.json.123.part").write_text("{")
    RecordFile(out, MANIFEST).close()
    assert read_manifest(out) == MANIFEST


def test_two_runs_in_one_folder_are_refused(out):
    with RecordFile(out, MANIFEST), pytest.raises(FolderBusyError, match="Another run"):
        RecordFile(out, MANIFEST)
    RecordFile(out, MANIFEST).close()


def test_a_full_disk_keeps_what_was_written(out, monkeypatch):
    lines = written(out, 2)
    real = os.write

    def short(file, data):
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, bytes(data)[: len(data) - 50])

    with RecordFile(out, MANIFEST) as file:
        monkeypatch.setattr(storage.os, "write", short)
        with pytest.raises(StorageError, match=r"No space left.*Make room") as caught:
            file.append(record(2))
        assert caught.value.errno == errno.ENOSPC
        assert (out / "records.jsonl").read_bytes() == b"".join(lines)
        monkeypatch.undo()
        file.append(record(2))
    assert len(read_records(out)) == 3


def test_a_file_size_limit_is_met_in_earnest(out):
    lines = written(out, 2)
    size = sum(map(len, lines)) + 100
    script = (
        "import resource, sys; from test_runs import *\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "with RecordFile(sys.argv[1], MANIFEST) as file:\n"
        "    try: file.append(record(2))\n"
        "    except StorageError as error: print('refused', error.errno)\n"
    )
    done = python(script, out)
    assert done.stdout.split() == ["refused", str(errno.EFBIG)], done.stderr
    assert (out / "records.jsonl").read_bytes() == b"".join(lines)


def test_atomic_write_keeps_the_old_file_on_failure(tmp_path, monkeypatch):
    path = tmp_path / "table.json"
    atomic_write(path, b"old")

    def refuse(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(storage.os, "fsync", refuse)
    with pytest.raises(StorageError, match="quota"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.glob(".table*")] == []


# Running


def test_cells_see_what_they_need_and_one_thread(out, monkeypatch, tmp_path):
    monkeypatch.setenv("DELIBERATION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    first = [cell(x=i) for i in range(3)]
    ids = [c.id for c in first]
    second = cell(x=9, needs=ids, reads=ids)
    looks = [cell("look", i=i) for i in range(4)]
    found = run([second, *looks, *first, first[0]], out, jobs=2)
    hashes = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(3)]
    assert [found[c.id].outcomes["hash"] for c in first] == hashes
    joined = hashlib.sha256(("9" + "".join(hashes)).encode()).hexdigest()
    assert found[second.id].outcomes["hash"] == joined
    assert found[second.id].spent == {"model_steps": 1, "flops": None}
    seen = [found[c.id].outcomes for c in looks]
    assert {s["OMP_NUM_THREADS"] for s in seen} == {"1"}
    assert all("intra_op_parallelism_threads=1" in s["XLA_FLAGS"] for s in seen)
    # Compiled programs are kept from the first task on, and not by the environment.
    assert {s["JAX_COMPILATION_CACHE_DIR"] for s in seen} == {None}
    assert not any(s["jax"] for s in seen), "JAX must not be imported before a cell does it"
    assert all(s["deaf"] for s in seen), "what an interrupt means is for the parent to say"
    assert os.getpid() not in {s["pid"] for s in seen} and len({s["pid"] for s in seen}) <= 2
    kept = found[second.id]
    assert kept.versions["numpy"] == np.__version__ and kept.machine["cores"] >= 1
    assert kept.needs == tuple(ids) and kept.started.endswith("+00:00") and kept.seconds >= 0


def test_one_job_keeps_one_worker_across_waves(out):
    first = cell("look", i=0)
    found = run([first, cell("look", i=1), cell("look", i=2, needs=[first.id])], out, jobs=1)
    pids = {r.outcomes["pid"] for r in found.values()}
    assert len(pids) == 1 and os.getpid() not in pids
    assert {r.outcomes["OMP_NUM_THREADS"] for r in found.values()} == {"1"}


def test_artefacts_are_kept_and_undeclared_needs_refused(out):
    left = cell("write", x=7)
    name = f"{left.id}-{code()}"
    killed, unrecorded = out / "artefacts" / ".partial-0-1", out / "artefacts" / name
    RecordFile(out, MANIFEST).close()
    for folder in (killed, unrecorded):  # what a killed run leaves
        folder.mkdir(parents=True)
        (folder / "half").touch()
    reader = cell("read", of=left.id, needs=[left.id])
    assert run([left, reader], out)[reader.id].outcomes == {"read": "7"}
    assert [p.name for p in (out / "artefacts").iterdir()] == [name]
    assert [p.name for p in unrecorded.iterdir()] == ["weights"]
    with pytest.raises(CellError, match="without needing it"):
        run([left, cell("read", of=left.id)], out)


def test_recorded_cells_are_not_run_again(out):
    cells = [cell("look", i=i) for i in range(3)]
    before = run(cells[:2], out)
    lines = (out / "records.jsonl").read_bytes()
    after = run(cells, out)
    assert [after[c.id] for c in cells[:2]] == [before[c.id] for c in cells[:2]]
    assert (out / "records.jsonl").read_bytes().startswith(lines)
    assert len(read_records(out)) == 3


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_names_its_cell_and_loses_no_other(out, jobs):
    slow, bad = cell(x=1, sleep=0.4, seconds=9.0), cell("write", x=5, fail=True, seconds=5.0)
    late = [cell(x=i, sleep=0.1, seconds=1.0) for i in range(10, 20)]
    with pytest.raises(CellError, match=r"(?s)cell_work:write.*'x': 5.*planted failure") as caught:
        run([slow, bad, *late], out, jobs)
    assert bad.id in str(caught.value)
    done = read_records(out)
    assert slow.id in done and bad.id not in done
    assert len(done) < 8, "cells not yet begun are left for later"
    assert list((out / "artefacts").iterdir()) == []
    assert len(run([slow, *late], out, jobs)) == 11


def test_a_full_disk_in_a_cell_and_a_dead_worker_are_named(out):
    with pytest.raises(StorageError, match="Make room"):
        run([cell("full")], out)
    for jobs in (1, 2):
        with pytest.raises(CellError, match=r"died.*die \{'i': 0\}"):
            run([cell("die", i=0), *(cell(x=i) for i in range(jobs - 1))], out, jobs)
    with pytest.raises(CellError, match="There is no function cell_work:nothing"):
        run([cell("nothing")], out)
    assert run([cell(x=1)], out).keys() == {cell(x=1).id}


def test_other_backends_of_joblib_run_the_same_cells(out):
    cells = [cell(x=i) for i in range(4)]
    with joblib.parallel_config("threading", n_jobs=2):
        found = execute(cells, out, manifest=MANIFEST)
    assert [found[c.id].outcomes["hash"][:8] for c in cells] == [
        hashlib.sha256(str(i).encode()).hexdigest()[:8] for i in range(4)
    ]


def small_plan() -> list[Cell]:
    first = [cell(x=i, sleep=0.01 + 0.005 * (i % 3)) for i in range(24)]
    artefacts = [cell("write", x=i) for i in range(6)]
    pairs = zip(first[:12], first[12:], strict=True)
    second = [cell(x=9, needs=[a.id, b.id], reads=[a.id, b.id], sleep=0.02) for a, b in pairs]
    return [*first, *artefacts, *second, *(cell("read", of=a.id, needs=[a.id]) for a in artefacts)]


RUN = "import sys; from test_runs import *\nrun(small_plan(), sys.argv[1], jobs=2)"


def content(folder) -> dict[str, str]:
    """What must not depend on when a run was killed: everything but the clock."""
    keep = ("function", "settings", "needs", "outcomes", "spent")
    return {i: repr([getattr(r, name) for name in keep]) for i, r in read_records(folder).items()}


def test_killed_at_random_moments_a_run_ends_with_the_same_records(out, tmp_path):
    run(small_plan(), tmp_path / "whole", jobs=2)
    moments = random.Random(4)
    for _ in range(3):
        child = python(RUN, out, wait=False)
        path, wanted = out / "records.jsonl", moments.randint(0, 16)
        before = len(path.read_bytes().splitlines()) if path.exists() else 0
        while child.poll() is None:
            if path.exists() and path.read_bytes().count(b"\n") >= before + wanted:
                time.sleep(moments.random() * 0.05)
                child.kill()
                break
            time.sleep(0.005)
        child.communicate()
    done = python(RUN, out)
    assert done.returncode == 0, done.stderr
    assert content(out) == content(tmp_path / "whole")
    assert list((out / "artefacts").glob(".partial*")) == []


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# A shell that starts the tests in the background has them ignore interrupts: ask for them again.
TELL = (
    "import sys; from test_runs import *\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "run([cell('tell', i=i, pids=sys.argv[2]) for i in range(2)], sys.argv[1], int(sys.argv[3]))"
)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("how", "jobs"), [(signal.SIGKILL, 2), (signal.SIGKILL, 1), (signal.SIGINT, 2)]
)
def test_no_worker_outlives_its_run(out, tmp_path, how, jobs):
    pids = tmp_path / "pids"
    pids.mkdir()
    child = python(TELL, out, pids, jobs, wait=False, start_new_session=True)
    deadline = time.monotonic() + 20
    while len(list(pids.iterdir())) < jobs and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = [int(p.name) for p in pids.iterdir()]
    assert len(workers) == jobs and all(map(alive, workers))
    if how == signal.SIGKILL:
        child.kill()
    else:
        os.killpg(child.pid, how)  # as from a terminal: everybody gets it
    child.wait(20)
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))
    if how == signal.SIGINT:
        stderr = child.communicate()[1]
        assert stderr.count("KeyboardInterrupt") == 1 and "Process" not in stderr, stderr
    RecordFile(out, MANIFEST).close()


# Progress


class Listener:
    def __init__(self):
        self.heard = []

    def start(self, cells, done, total_seconds, done_seconds, jobs):
        self.heard.append(("start", cells, done, total_seconds, done_seconds, jobs))

    def cell_started(self, cell):
        self.heard.append(("started", cell.label))

    def cell_done(self, cell, record):
        self.heard.append(("done", cell.label, record.cell == cell.id, threading.get_ident()))

    def stop(self):
        self.heard.append(("stop",))


def test_progress_hears_everything(out):
    cells = [cell(x=i, seconds=3.0 - i, label=f"c{i}") for i in range(3)]
    run(cells[:1], out)
    listener = Listener()
    run(cells, out, progress=listener)
    me = threading.get_ident()
    assert listener.heard == [
        ("start", 3, 1, 6.0, 3.0, 1),
        ("started", "c1"),
        ("done", "c1", True, me),
        ("started", "c2"),
        ("done", "c2", True, me),
        ("stop",),
    ]


def test_the_forecast_learns_the_pace():
    now = [0.0]
    forecast = Forecast(100.0, 20.0, 2, clock=lambda: now[0])
    assert forecast.remaining() == pytest.approx(40.0)
    half = cell(x=1, seconds=40.0)
    forecast.started(half)
    now[0] = 10.0
    assert forecast.remaining() == pytest.approx(35.0)
    forecast.finished(half, 80.0)  # twice as slow as guessed
    pace = (4.0 + 80.0) / (4.0 + 40.0)
    assert forecast.remaining() == pytest.approx(40.0 * pace / 2)
    last = cell(x=2, seconds=40.0)
    forecast.started(last)
    own = (4.0 * pace + 80.0) / (4.0 + 40.0)  # its kind's, with a little of everybody's
    assert forecast.remaining() == pytest.approx(40.0 * own), "one cell cannot be shared out"
    now[0] = 10.0 + 800.0
    assert forecast.remaining() == pytest.approx(200.0), "late, it is not about to end"


def test_the_forecast_keeps_kinds_apart_and_hears_what_cells_tell():
    now, shares = [0.0], {}
    forecast = Forecast(400.0, 0.0, 1, clock=lambda: now[0], told=lambda c: shares.get(c, 0.0))
    slow = [Cell("work:slow", {"i": i}, seconds=10.0) for i in range(20)]
    fast = [Cell("work:fast", {"i": i}, seconds=10.0) for i in range(20)]
    forecast.expect([*slow, *fast])
    assert forecast.remaining() == pytest.approx(400.0)
    for i in range(10):
        forecast.started(slow[i])
        forecast.finished(slow[i], 50.0)
    for i in range(10):
        forecast.started(fast[i])
        forecast.finished(fast[i], 1.0)
    assert forecast.remaining() == pytest.approx(10 * 50.0 + 10 * 1.0, rel=0.2)
    # One that has taken 30 seconds for a tenth of its work takes 300 of them, and so will others.
    forecast.started(slow[10])
    before, now[0] = forecast.remaining(), 30.0
    shares[slow[10].id] = 0.1
    assert forecast.remaining() > before + 200
    shares[slow[10].id] = 0.6
    assert forecast.remaining() == pytest.approx(before - 30, rel=0.05)


def test_a_cell_tells_how_far_it_is(out):
    RecordFile(out, MANIFEST).close()
    call = Call(cell(x=1), str(out), {}, os.getpid())
    assert share_done(out, call.cell.id) == 0.0
    Context(call).tell(0.25)
    assert share_done(out, call.cell.id) == 0.25
    assert run([cell(x=1)], out).keys() == {call.cell.id} and not (out / SHARES).exists()


def test_lines_without_a_terminal_and_a_bar_on_one(out, tmp_path):
    cells = [cell(x=i, sleep=0.15, label=f"step {i}") for i in range(3)]
    with open(tmp_path / "log", "w") as log:
        run(cells, out, progress=RichProgress(Console(file=log, width=70), line_seconds=0.1))
    lines = (tmp_path / "log").read_text().splitlines()
    assert any("0/3 cells" in line and "left: step 0" in line for line in lines)
    assert lines[-1].startswith("3/3 cells in 0:0")
    with open(tmp_path / "screen", "w") as screen:
        terminal = Console(file=screen, width=120, force_terminal=True)
        run([*cells, cell(x=8, sleep=0.3, label="last")], out, progress=RichProgress(terminal))
    assert "3/4 cells" in (tmp_path / "screen").read_text()
    assert (clock_time(75), clock_time(3720)) == ("1:15", "1 h 02 min")


# Findings and provenance


def test_the_table_is_in_a_fixed_order_and_keeps_what_is_not_known(tmp_path):
    def row(task, estimate):
        return Row(
            claim="slope",
            aspect="scalability",
            task=task,
            decider="UCT",
            quantity="gain a doubling",
            estimate=estimate,
            low=-math.inf,
            high=0.2,
            n=9,
            verdict="inconclusive",
        )

    def finding(*rows):
        return Finding(
            claim="slope",
            aspect="scalability",
            side="direct",
            title="",
            statement="",
            refuted_if="",
            rows=list(rows),
        )

    path = write_table(tmp_path, [finding(row("b", 0.1), row("a", math.nan))])
    once = path.read_bytes()
    write_table(tmp_path, [finding(row("a", math.nan), row("b", 0.1))])
    assert path.read_bytes() == once
    content = json.loads(once)
    assert content["schema"] == 2 and content["rows"][0]["estimate"] == "NaN"
    first, second = read_table(tmp_path)
    assert (first.task, first.low, second) == ("a", -math.inf, row("b", 0.1))
    assert math.isnan(first.estimate)
    path.write_text("[]")
    with pytest.raises(RecordError, match="deliberate report"):
        read_table(tmp_path)


def test_the_source_is_known_in_a_checkout_and_only_there(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=n", "-c", "user.email=e"]
        command = ["git", *who, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert source(package) == (None, None)
    git("init", "-q")
    assert source(package) == (None, None), "installed inside of somebody's repository"
    git("add", ".")
    git("commit", "-qm", "first")
    assert source(package) == (git("rev-parse", "HEAD"), False)
    (package / "new.py").write_text("")
    assert source(package) == (git("rev-parse", "HEAD"), True)


def test_importing_runs_brings_no_jax_and_is_fast():
    script = (
        "import sys, time; t = time.perf_counter()\n"
        "import deliberation.runs as r; r.execute, r.Cell, r.Row, r.RichProgress, r.RecordFile\n"
        "print(time.perf_counter() - t, {'jax', 'numpy', 'joblib', 'rich'} & set(sys.modules))"
    )
    seconds, _, heavy = python(script).stdout.partition(" ")
    assert heavy.strip() == "set()"
    assert float(seconds) < 1.0  # 0.05 on an idle machine; shared cores need room
