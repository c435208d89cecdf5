"""With `keep_going`, one failing cell takes down what needs it, and nothing else."""

from concurrent.futures import ThreadPoolExecutor

import cell_runs
import pytest
from cell_runs import cell, run
from rich.console import Console

from deliberation.core.errors import StorageError
from deliberation.runs import CellError, Pool, RichProgress, read_failures, read_records, verify
from deliberation.runs.worker import run_cell

out, work = cell_runs.out, cell_runs.work  # fixtures


def broken(i=0):
    """A cell that fails, one that needs it, one that needs that, and one that stands alone."""
    bad = cell("write", x=i, fail=True, seconds=9.0, label="the bad one")
    second = cell(x=i, needs=[bad.id])
    third = cell(x=i, needs=[second.id, cell(x=100).id])
    return bad, second, third, cell(x=100)


def test_what_does_not_need_a_failed_cell_is_measured(out, tmp_path):
    bad, second, third, alone = cells = broken()
    more = [cell(x=i) for i in range(200, 206)]
    with open(tmp_path / "log", "w") as log:
        shown = RichProgress(Console(file=log))
        found = run([*cells, *more], out, 2, progress=shown, keep_going=True)
    assert set(found) == {alone.id, *(c.id for c in more)} == set(read_records(out))
    assert found.failures == {
        bad.id: "ValueError: planted failure",
        second.id: f"needs {bad.id} (the bad one), which failed",
        third.id: f"needs {second.id} (digest), which failed",
    }
    assert repr(found) == "Run(7 records, 3 failures)" and read_failures(out) == found.failures
    log = (tmp_path / "log").read_text()
    assert "the bad one" in log and "planted failure" in log and "7/10 cells" in log
    assert shown.forecast.remaining() == 0
    assert not list((out / "artefacts").iterdir()) and verify(out).records == 7
    lines = (out / "records.jsonl").read_bytes()
    again = run([*cells, *more], out, keep_going=True)
    assert again.failures == found.failures and again.records == found.records
    assert (out / "records.jsonl").read_bytes() == lines
    run(more, out, keep_going=True)
    assert read_failures(out) == {}
    with pytest.raises(CellError, match=r"(?s)Traceback.*planted failure"):
        run(list(cells), out)


@pytest.mark.parametrize("jobs", [1, 2])
def test_cells_that_ran_when_a_worker_died_are_tried_once_more(out, tmp_path, jobs):
    lucky = cell("die_once", marker=str(tmp_path / "m"), x=1, seconds=8.0)
    together = {"after": str(tmp_path / "m")} if jobs == 2 else {}
    dead = cell("die", seconds=9.0, **together)
    beside, waiting = [cell(x=i, sleep=0.05) for i in range(6)], cell(x=9, needs=[dead.id])
    found = run([dead, lucky, *beside, waiting], out, jobs, keep_going=True)
    assert set(found) == {lucky.id, *(c.id for c in beside)} == set(read_records(out))
    assert found.failures == {
        dead.id: "its worker process died twice, as when memory runs out; try fewer --jobs",
        waiting.id: f"needs {dead.id} (die), which failed",
    }


def test_a_full_disk_ends_the_run_all_the_same(out):
    cells = [cell("full", seconds=9.0), *(cell(x=i, sleep=0.1) for i in range(10))]
    with pytest.raises(StorageError, match="Make room"):
        run(cells, out, keep_going=True)
    assert len(read_records(out)) < 8


def test_on_a_cluster_only_the_cell_whose_worker_died_is_tried_again(out):
    dead, lucky, slow = cell("die", seconds=9.0), cell(x=1, seconds=8.0), cell(x=2, sleep=0.2)
    waiting, sent = cell(x=3, needs=[lucky.id]), []

    def work(call):
        sent.append(call.cell.id)
        if call.cell == dead or (sent.count(lucky.id) == 1 and call.cell == lucky):
            raise MemoryError
        return run_cell(call)

    with ThreadPoolExecutor(3) as threads:
        pool = Pool(submit=lambda call: threads.submit(work, call), jobs=3, died=(MemoryError,))
        with pytest.raises(CellError, match=r"died.*die \{\}"):
            run([dead, cell("write", x=7)], out, pool=pool)
        sent.clear()
        found = run([dead, lucky, slow, waiting], out, pool=pool, jobs=3, keep_going=True)
    assert set(found) == {lucky.id, slow.id, waiting.id} and found.failures.keys() == {dead.id}
    assert sorted(sent) == sorted([dead.id, dead.id, lucky.id, lucky.id, slow.id, waiting.id])
    homes = [record.home for record in read_records(out).values()]
    assert all(len(home.split("-")) == 3 for home in homes), "each attempt has its own folder"


def test_workers_collect_no_garbage_after_every_cell(monkeypatch):
    """loky does where psutil is missing, which in a process full of programs takes long."""
    from joblib.externals.loky import process_executor

    from deliberation.runs.worker import _keep_programs

    for name in ("_MEMORY_LEAK_CHECK_DELAY", "_MAX_MEMORY_LEAK_SIZE"):
        monkeypatch.setattr(process_executor, name, 1.0)
    for known, delay in ((True, 1.0), (False, float("inf"))):
        monkeypatch.setattr(process_executor, "_USE_PSUTIL", known)
        _keep_programs(2)
        assert delay == process_executor._MEMORY_LEAK_CHECK_DELAY
    assert process_executor._MAX_MEMORY_LEAK_SIZE > 3e8
