"""Nothing in a run's folder can be deleted, moved, added or altered unnoticed."""

import shutil
import threading

import cell_runs
import pytest
from cell_runs import MANIFEST, cell, record, run, written

from deliberation.core.errors import OutputFolderError, StorageError
from deliberation.runs import (
    CellError,
    RecordError,
    RecordFile,
    artefact_folder,
    read_records,
    records,
    verify,
)
from deliberation.runs.chain import HEAD, Head, check_heads, read_head
from deliberation.runs.records import RECORDS

out, work = cell_runs.out, cell_runs.work  # fixtures


def every_reader(out):
    """The ways in which a folder's records are opened."""
    return (read_records, verify, lambda folder: RecordFile(folder, MANIFEST))


def refused(out, said: str) -> None:
    """Each reader says so, and what to do, which is never to delete something."""
    for read in every_reader(out):
        with pytest.raises(RecordError, match=said) as caught:
            read(out)
        assert "new --out folder" in str(caught.value) and "Delete" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ([0, 2, 3], r"line 2 .*does not follow line 1: lines are missing"),
        ([1, 2, 3], r"line 1 .*does not follow from run\.json"),
        ([0, 2, 1, 3], "line 2 .*does not follow line 1"),
        ([0, 1, 1, 2, 3], "line 3 .*does not follow line 2"),
        ([0, 1, 2], r"end after line 3, but .*head\.json tells of 4"),
        ([], r"end after line 0, but .*head\.json tells of 4"),
    ],
)
def test_lines_deleted_moved_or_added_are_noticed(out, changed, said):
    lines = written(out, 4)
    (out / RECORDS).write_bytes(b"".join(lines[i] for i in changed))
    refused(out, said)


def test_lines_of_another_run_do_not_fit_in(out, tmp_path):
    lines = written(out, 2)
    other = tmp_path / "other"
    with RecordFile(other, {"another": "run"}) as file:
        for x in range(3):
            file.append(record(x))
    (out / RECORDS).write_bytes((other / RECORDS).read_bytes())
    refused(out, r"line 1 .*does not follow from run\.json")
    (out / RECORDS).write_bytes(b"".join(lines))
    (out / HEAD).write_bytes((other / HEAD).read_bytes())
    refused(out, "end after line 2")


def test_a_manifest_altered_afterwards_is_noticed(out):
    written(out, 1)
    path = out / records.MANIFEST
    path.write_bytes(path.read_bytes().replace(b"smoke", b"quick"))
    with pytest.raises(RecordError, match=r"run\.json was altered"):
        read_records(out)


def test_without_a_head_or_with_a_broken_one_the_end_cannot_be_trusted(out):
    written(out)
    head = (out / HEAD).read_bytes()
    (out / HEAD).unlink()
    refused(out, r"head\.json is missing")
    for broken in (b"{", b'{"length":-1,"digest":""}', head.replace(b"3", b"2")):
        (out / HEAD).write_bytes(broken)
        refused(out, r"head\.json")


def test_a_run_killed_between_a_line_and_its_head_is_healed(out):
    heads = {}
    for count in (1, 2, 3):
        lines = written(out, count)
        heads[count] = (out / HEAD).read_bytes()
    (out / HEAD).write_bytes(heads[2])
    (out / f".{HEAD}.123.part").write_bytes(b"{")
    assert len(read_records(out)) == 3 and verify(out).records == 3
    assert written(out) == lines
    assert (out / HEAD).read_bytes() == heads[3] and not list(out.glob(".head*"))
    (out / HEAD).write_bytes(heads[1])
    refused(out, "added or replaced")


def test_a_run_killed_before_its_first_line_starts_again(out):
    RecordFile(out, MANIFEST).close()
    (out / HEAD).unlink()
    assert read_records(out) == {} and verify(out).records == 0
    assert len(written(out, 1)) == 1


def test_a_line_whose_head_finds_no_room_is_taken_back(out, monkeypatch):
    lines = written(out, 1)
    with RecordFile(out, MANIFEST) as file:

        def full(*_):
            raise StorageError("no room")

        monkeypatch.setattr(records, "write_head", full)
        with pytest.raises(StorageError):
            file.append(record(1))
        assert (out / RECORDS).read_bytes() == b"".join(lines)
        monkeypatch.undo()
        file.append(record(1))
    assert read_head(out).length == 2 and len(read_records(out)) == 2


def test_records_are_read_while_they_are_written(out):
    ended = threading.Event()

    def write():
        with RecordFile(out, MANIFEST) as file:
            for x in range(60):
                file.append(record(x))
        ended.set()

    RecordFile(out, MANIFEST).close()
    writer = threading.Thread(target=write)
    writer.start()
    lengths = []
    while not ended.is_set():
        lengths.append(len(read_records(out)))
    writer.join()
    assert lengths == sorted(lengths) and len(read_records(out)) == 60


def test_a_run_that_begins_while_its_folder_is_read_is_no_fault(tmp_path):
    check_heads(tmp_path, ["a", "b", "c"], None, Head(1, "b"))
    for after in (None, Head(0, "a")):
        with pytest.raises(RecordError, match=r"head\.json"):
            check_heads(tmp_path, ["a", "b", "c"], None, after)


def test_a_folder_of_an_earlier_version_is_refused(out):
    written(out, 1)
    path = out / records.MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"schema":2', b'"schema":1'))
    for read in every_reader(out):
        with pytest.raises(OutputFolderError, match=r"schema 1; this version reads 2.*new --out"):
            read(out)


@pytest.mark.parametrize("harm", ["altered", "missing", "not recorded", "all gone"])
def test_files_of_cells_are_known_by_their_hashes(out, harm):
    left = cell("write", x=7)
    reader = cell("read", of=left.id, needs=[left.id])
    (found,) = run([left], out).values()
    assert list(found.artefacts) == ["weights"] and len(found.artefacts["weights"]) == 64
    assert (verify(out).records, verify(out).files) == (1, 1)
    path = artefact_folder(out, found)
    if harm == "altered":
        (path / "weights").write_text("8")
    elif harm == "missing":
        (path / "weights").unlink()
    elif harm == "not recorded":
        (path / "more").touch()
    else:
        shutil.rmtree(path)
    name, what = ("more", harm) if harm == "not recorded" else ("weights", harm[:7])
    said = rf"{name} (is|was) {what if harm != 'all gone' else 'missing'}.*new --out folder"
    with pytest.raises(RecordError, match=said):
        verify(out)
    with pytest.raises(CellError, match=said):
        run([left, reader], out)
    assert set(read_records(out)) == {left.id}, "nothing of a failure is recorded"
