"""Arrays that cells find: named axes, units, equal bytes from equal runs, and what is refused."""

import hashlib

import cell_runs
import jax.numpy as jnp
import numpy as np
import pytest
from cell_runs import cell, run

from deliberation.runs import CellError, Column, ColumnError, RecordError, read_column, read_records
from deliberation.runs.columns import COLUMNS, write_columns

out, work = cell_runs.out, cell_runs.work  # fixtures
VALUES = np.arange(6.0).reshape(2, 3)


def kept(out):
    """The only file of columns in a run's folder."""
    (path,) = (out / "artefacts").glob(f"*/{COLUMNS}")
    return path


def test_columns_leave_the_record_small_and_come_back_with_axes_and_unit(out):
    made = cell("sample", x=1)
    found = run([made], out)[made.id]
    assert found.outcomes == {"mean": 3.5}
    assert found.columns["returns"] == {
        "axes": ["seed", "episode"], "unit": "return", "shape": [2, 3], "dtype": "<f8",
    }  # fmt: skip
    (again,) = read_records(out).values()
    column = read_column(out, again, "returns")
    np.testing.assert_array_equal(column.values, VALUES + 1)
    assert (column.axes, column.unit) == (("seed", "episode"), "return")
    assert read_column(out, again, "solved").values.tolist() == [False, True, True]


def test_a_needed_cells_columns_are_there_for_the_next(out):
    made = cell("sample", x=1)
    summed = cell("total", of=made.id, needs=[made.id])
    found = run([made, summed], out)[summed.id]
    assert found.outcomes == {"sum": 21.0, "axes": ["seed", "episode"], "unit": "return"}
    with pytest.raises(CellError, match=r"no column 'lengths'.*has returns, solved"):
        run([made, cell("total", of=made.id, name="lengths", needs=[made.id])], out)


def test_two_runs_leave_equal_bytes(out, tmp_path):
    hashes = set()
    for folder in (out, tmp_path / "again"):
        run([cell("sample", x=1)], folder)
        hashes.add(hashlib.sha256(kept(folder).read_bytes()).hexdigest())
    assert len(hashes) == 1
    big, little = (Column(VALUES.astype(kind), ("a", "b"), "1") for kind in (">f8", "<f8"))
    flipped = Column(np.asfortranarray(VALUES), ("a", "b"), "1")
    written = []
    for i, column in enumerate((big, little, flipped)):
        (tmp_path / f"{i}").mkdir()
        write_columns(tmp_path / f"{i}", {"x": column})
        written.append((tmp_path / f"{i}" / COLUMNS).read_bytes())
    assert len(set(written)) == 1


@pytest.mark.parametrize("harm", ["missing", "cut", "other values", "another shape"])
def test_a_file_of_columns_that_is_missing_or_altered_is_named(out, harm):
    (record,) = run([cell("sample", x=1)], out).values()
    path = kept(out)
    data = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "other values":
        path.write_bytes(data.replace(np.float64(3.0).tobytes(), np.float64(4.0).tobytes()))
    elif harm == "another shape":
        write_columns(path.parent, {"returns": Column(VALUES[:1], ("seed", "episode"), "return")})
    with pytest.raises(RecordError, match=r"(?s)columns\.npz.*Restore"):
        read_column(out, record, "returns")
    with pytest.raises(RecordError, match="no column 'other'"):
        read_column(out, record, "other")


@pytest.mark.parametrize(
    ("values", "axes", "unit", "said"),
    [
        (VALUES, ("seed",), "1", r"shape \(2, 3\) needs 2 distinct names"),
        (VALUES, ("seed", "seed"), "1", "distinct"),
        (VALUES, ("seed", ""), "1", "distinct"),
        (VALUES, ("seed", "episode"), "", "in which unit"),
        (np.array([{}]), ("seed",), "1", "dtype object"),
        (jnp.zeros(2, jnp.bfloat16), ("seed",), "1", "bfloat16.*convert"),
    ],
)
def test_arrays_that_do_not_say_what_they_are_are_refused(values, axes, unit, said):
    with pytest.raises(ColumnError, match=said):
        Column(values, axes, unit)


def test_names_and_files_in_the_way_are_refused(tmp_path):
    good = Column(jnp.zeros(()), (), "1")
    for name in ("", "a/b", ".."):
        with pytest.raises(ColumnError, match="letters"):
            write_columns(tmp_path, {name: good})
    with pytest.raises(ColumnError, match="no Column"):
        write_columns(tmp_path, {"x": VALUES})
    (tmp_path / COLUMNS).touch()
    with pytest.raises(ColumnError, match="rename"):
        write_columns(tmp_path, {"x": good})
