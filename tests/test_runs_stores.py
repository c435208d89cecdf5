"""Files of cells at an address: uploaded once, downloaded where needed, known by their hashes."""

import os
import shutil

import cell_runs
import joblib
import numpy as np
import pytest
from cell_runs import MANIFEST, cell, run

from deliberation.core.errors import BackendError, OutputFolderError, StorageError
from deliberation.runs import (
    CellError,
    RecordError,
    RecordFile,
    execute,
    optional,
    read_column,
    read_records,
    verify,
)
from deliberation.runs.artefacts import ARTEFACTS
from deliberation.runs.records import place_of
from deliberation.runs.stores import PARTIAL, store_at
from deliberation.runs.worker import Call, run_cell

out, work = cell_runs.out, cell_runs.work  # fixtures


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache, empty."""
    pytest.importorskip("fsspec")
    monkeypatch.setenv("DELIBERATION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def there(tmp_path):
    return tmp_path / "bucket"


def plan():
    """A cell that leaves a file, one that leaves columns, and those that need them."""
    left, made = cell("write", x=7), cell("sample", x=1)
    reader = cell("read", of=left.id, needs=[left.id])
    return left, made, reader, cell("total", of=made.id, needs=[made.id])


def test_files_go_to_an_address_and_come_back_from_there(out, there, cache):
    left, made, reader, summed = plan()
    url = f"file://{there}/"
    run([left, made], out, artefacts=url)
    assert not (out / ARTEFACTS).exists()
    (place,) = there.iterdir()
    assert place_of(out) == f"file://{place}"
    records = read_records(out)
    assert {p.name for p in place.iterdir()} == {r.home for r in records.values()}
    shutil.rmtree(cache)
    (place / "left by a killed run").mkdir()
    found = run([left, made, reader, summed], out)  # the folder knows the address
    assert found[reader.id].outcomes == {"read": "7"} and found[summed.id].outcomes["sum"] == 21.0
    assert {p.name for p in place.iterdir()} == {records[c.id].home for c in (left, made)}
    assert not list(cache.rglob(f"{PARTIAL}*"))
    shutil.rmtree(cache)
    assert verify(out).files == 2
    column = read_column(out, found[made.id], "returns")
    np.testing.assert_array_equal(column.values, np.arange(6.0).reshape(2, 3) + 1)


@pytest.mark.parametrize("harm", ["altered", "missing"])
def test_a_file_there_that_is_not_as_it_was_written_is_named(out, there, cache, harm):
    left, _, reader, _ = plan()
    run([left], out, artefacts=f"file://{there}")
    (path,) = there.glob("*/*/weights")
    path.unlink() if harm == "missing" else path.write_text("8")
    assert verify(out).files == 1, "the copy is as it was written"
    (copy,) = cache.rglob("weights")
    copy.write_text("altered too")
    said = rf"file://{there}.*/weights (is|was) {harm}.*new --out folder"
    with pytest.raises(RecordError, match=said):
        verify(out)
    with pytest.raises(CellError, match=said):
        run([left, reader], out)
    assert not list(cache.rglob(f"{PARTIAL}*"))


def test_a_store_in_memory_serves_threads_and_two_runs_do_not_meet(out, tmp_path):
    left, made, reader, summed = plan()
    for folder in (out, tmp_path / "again"):
        with joblib.parallel_config("threading", n_jobs=2):
            found = execute(
                [left, made, reader, summed], folder, manifest=MANIFEST, artefacts="memory://runs"
            )
        assert found[reader.id].outcomes == {"read": "7"}
    assert place_of(out) != place_of(tmp_path / "again")
    assert verify(out).files == verify(tmp_path / "again").files == 2


def test_a_copy_that_another_process_reads_is_left_alone(out, there, cache, monkeypatch):
    left = plan()[0]
    (record,) = run([left], out, artefacts=f"file://{there}").values()
    (copy,) = cache.glob(f"*/*/{record.home}")
    other = copy.with_name("other")
    copy.rename(other)
    store, faster = store_at(out, place_of(out)), []
    download = store.files.get_file

    def slow(source, target):
        download(source, target)
        faster.append(other.rename(copy))

    monkeypatch.setattr(store.files, "get_file", slow)
    before = (other / "weights").stat().st_ino
    assert store.fetch(record.home, record.artefacts) == copy
    assert faster and (copy / "weights").stat().st_ino == before
    assert not list(cache.rglob(f"{PARTIAL}*"))


def test_a_folder_that_a_machine_does_not_see_is_named(out):
    call = Call(cell("write", x=1), str(out / "nowhere"), {}, os.getpid() + 1)
    reply = run_cell(call)
    assert reply.outcome is None and "cannot be seen from" in reply.reason


def test_addresses_that_cannot_be_used_are_refused(out, tmp_path, there, monkeypatch):
    run([cell("write", x=7)], out, artefacts=f"file://{there}")
    with pytest.raises(OutputFolderError, match=r"keeps its files at file://.*leave --artefacts"):
        RecordFile(out, MANIFEST, "file:///elsewhere")
    RecordFile(out, MANIFEST, f"file://{there}").close()
    RecordFile(tmp_path / "local", MANIFEST).close()
    with pytest.raises(OutputFolderError, match="keeps its files there, and not at file://"):
        RecordFile(tmp_path / "local", MANIFEST, f"file://{there}")
    with pytest.raises(StorageError, match="Check --artefacts"):
        run([cell(x=1)], tmp_path / "odd", artefacts="nonsense://x")

    def absent(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(optional, "import_module", absent)
    with pytest.raises(BackendError, match=r'pip install "deliberation\[remote\]"'):
        verify(out)
