"""A run's records come from one version of the code: what another one measured is done again."""

import shutil

import cell_runs
import joblib
import msgspec
import pytest
from cell_runs import MANIFEST, cell, record, run
from rich.console import Console

from deliberation.runs import (
    CellError,
    RecordFile,
    RichProgress,
    artefact_folder,
    codes,
    execute,
    execution,
    read_records,
    verify,
)
from deliberation.runs.artefacts import ARTEFACTS, home_of
from deliberation.runs.provenance import code
from deliberation.runs.records import current

out, work = cell_runs.out, cell_runs.work  # fixtures


def aged(folder, new, ids) -> dict:
    """The same run as if another version of the code had measured some of its cells."""
    with RecordFile(new, MANIFEST) as file:
        for found in read_records(folder).values():
            old = "older" if found.cell in ids else found.code
            home = home_of(found.cell, old)
            file.append(msgspec.structs.replace(found, code=old, home=home))
            if found.artefacts:
                shutil.copytree(folder / ARTEFACTS / found.home, new / ARTEFACTS / home)
    assert verify(new).records == len(read_records(folder))
    return read_records(new)


def chain() -> list:
    """A cell that leaves a file, one that reads it, and one that needs neither."""
    first = cell("write", x=7)
    return [first, cell("read", of=first.id, needs=[first.id]), cell(x=1)]


def test_cells_of_another_code_and_what_needs_them_are_measured_again(out, tmp_path):
    cells = chain()
    run(cells, out)
    before = aged(out, tmp_path / "aged", {cells[0].id})
    assert codes(before) == ["older", code()]
    with open(tmp_path / "log", "w") as log:
        run(cells, tmp_path / "aged", progress=RichProgress(Console(file=log)))
    assert "2 cells are measured again, since the code has changed." in (
        (tmp_path / "log").read_text()
    )
    after = read_records(tmp_path / "aged")
    assert codes(after) == [code()]
    assert after[cells[2].id] == before[cells[2].id]
    assert list(after) == [cells[2].id, cells[0].id, cells[1].id], "in the order of their lines"
    assert len((tmp_path / "aged" / "records.jsonl").read_bytes().splitlines()) == 5
    names = [path.name for path in (tmp_path / "aged" / ARTEFACTS).iterdir()]
    assert names == [after[cells[0].id].home], "files that no record tells of any more are gone"
    assert verify(tmp_path / "aged").files == 1
    lines = (tmp_path / "aged" / "records.jsonl").read_bytes()
    run(cells, tmp_path / "aged")
    assert (tmp_path / "aged" / "records.jsonl").read_bytes() == lines, "once is enough"


def test_a_kill_before_the_new_record_leaves_the_old_files(out, tmp_path):
    cells = chain()
    run(cells, out)
    before = aged(out, tmp_path / "aged", {c.id for c in cells})
    half = tmp_path / "aged" / ARTEFACTS / f"{cells[0].id}-{code()}"
    half.mkdir()
    (half / "weights").write_text("half")
    assert verify(tmp_path / "aged").records == 3
    assert artefact_folder(tmp_path / "aged", before[cells[0].id]) != half
    assert run(cells, tmp_path / "aged")[cells[1].id].outcomes == {"read": "7"}


def test_what_was_measured_before_its_needs_were_is_not_current():
    first, second = record(1, code="b"), record(2, code="b", needs=("1".zfill(16),))
    assert current({r.cell: r for r in (first, second)}, "b") == {first.cell, second.cell}
    assert current({r.cell: r for r in (second, first)}, "b") == {first.cell}
    assert current({r.cell: r for r in (first, second)}, "c") == set()


def test_a_needed_cell_of_another_code_must_be_passed_as_well(out, tmp_path):
    cells = chain()
    run(cells, out)
    aged(out, tmp_path / "aged", {cells[0].id})
    with pytest.raises(CellError, match="nor recorded by this version of the code"):
        run(cells[1:], tmp_path / "aged")


def test_workers_with_other_source_files_are_refused(out, monkeypatch):
    monkeypatch.setattr(execution, "code", lambda: "another")
    with joblib.parallel_config("threading", n_jobs=2), pytest.raises(CellError, match="edited"):
        execute([cell(x=1)], out, manifest=MANIFEST)
    assert read_records(out) == {}


def test_the_code_is_all_that_can_bear_on_a_measurement(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "report").mkdir()
    (tmp_path / "tasks" / "maze.py").write_text("x = 1")
    seen = [code.__wrapped__(tmp_path)]

    def after(name: str, text: str) -> bool:
        (tmp_path / name).write_text(text)
        seen.append(code.__wrapped__(tmp_path))
        return seen[-1] != seen[-2]

    assert after("tasks/maze.py", "x = 2") and after("engine.cpp", "") and after("tasks/a.txt", "")
    assert not after("report/page.py", "x = 1") and not after("notes.md", "x")
    assert not after("tasks/maze.py", "x = 2") and len(seen[0]) == 16
    (tmp_path / "tasks" / "maze.py").rename(tmp_path / "tasks" / "grid.py")
    assert code.__wrapped__(tmp_path) != seen[-1]
