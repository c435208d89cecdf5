"""The same cells on a cluster of Ray or Dask: the same records, failures by name, and resuming."""

import os
import time
from pathlib import Path

import cell_runs
import pytest
from cell_runs import MANIFEST, cell, run

from deliberation.core.errors import BackendError, UnknownNameError
from deliberation.runs import CellError, execute, optional, read_records, verify
from deliberation.runs.backends import open_pool

work = cell_runs.work  # fixture


def plan():
    """Cells that need each other, leave files and columns, and say where they ran."""
    first = [cell(x=i) for i in range(3)]
    ids = [c.id for c in first]
    made, left = cell("sample", x=1), cell("write", x=7)
    second = cell(x=9, needs=ids, reads=ids)
    summed = cell("total", of=made.id, needs=[made.id])
    return [*first, made, left, second, summed, cell("read", of=left.id, needs=[left.id])]


def content(folder) -> dict[str, str]:
    """What must not depend on where a run was made."""
    keep = ("function", "settings", "needs", "outcomes", "spent", "code", "columns", "artefacts")
    return {i: repr([getattr(r, name) for name in keep]) for i, r in read_records(folder).items()}


def children() -> set[int]:
    """The processes whose parent is this one."""
    task = Path(f"/proc/self/task/{os.getpid()}/children")
    return {int(pid) for pid in task.read_text().split()} if task.exists() else set()


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_cluster_gives_the_same_records(work, tmp_path, backend):
    pytest.importorskip("ray" if backend == "ray" else "distributed")
    cells, looks = plan(), [cell("look", i=i) for i in range(2)]
    local, there = tmp_path / "local", tmp_path / "there"
    run(cells, local)
    before = children()
    with open_pool(backend, jobs=2) as pool:
        execute([*cells[:2], *looks], there, manifest=MANIFEST, pool=pool)
        lines = (there / "records.jsonl").read_bytes()
        with pytest.raises(CellError, match=r"died.*die \{\}"):
            execute([cell("die")], there, manifest=MANIFEST, pool=pool)
        assert (there / "records.jsonl").read_bytes() == lines
        execute(cells, there, manifest=MANIFEST, pool=pool)
    assert (there / "records.jsonl").read_bytes().startswith(lines), "it goes on where it was"
    found, records = content(there), read_records(there)
    assert {c.id: found[c.id] for c in cells} == content(local)
    assert verify(there).files == verify(local).files
    for outcomes in (records[c.id].outcomes for c in looks):
        assert outcomes["pid"] != os.getpid() and not outcomes["jax"]
        assert outcomes["OMP_NUM_THREADS"] == "1"
    deadline = time.monotonic() + 10
    while children() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children() <= before, "nothing is left running"


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_package_says_how_to_get_it(monkeypatch, backend):
    def absent(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(optional, "import_module", absent)
    said = rf'pip install "deliberation\[{backend}\]"'
    with pytest.raises(BackendError, match=said), open_pool(backend):
        pass


def test_names_and_addresses_that_lead_nowhere_are_refused():
    with pytest.raises(UnknownNameError, match="ray"), open_pool("rai"):
        pass
    with (
        pytest.raises(BackendError, match="choose ray or dask"),
        open_pool("local", address="tcp://nowhere:1"),
    ):
        pass


def test_a_cluster_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed")
    from deliberation.runs.backends import on_dask

    monkeypatch.setattr(on_dask, "_SECONDS", 0.2)
    address = "tcp://127.0.0.1:9"
    with pytest.raises(BackendError, match=address), open_pool("dask", address=address):
        pass
