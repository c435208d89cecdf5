"""The notebooks run without an error, and what is kept of them is what they show."""

import copy
import importlib.util
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
SPEC = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
execute = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(execute)

NAMES = [path.stem for path in execute.notebooks()]
LARGEST = 500_000
"""Bytes of a notebook with its outputs: one can look at it, and its history stays small."""


def read(name: str):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def shown(book) -> list[list[list[str]]]:
    """The kinds of what each cell of code gives: text, HTML, a picture."""
    return [
        [sorted(output.get("data", {"text": ""})) for output in cell.outputs]
        for cell in book.cells
        if cell.cell_type == "code"
    ]


def test_there_are_three():
    assert len(NAMES) == 3


@pytest.mark.parametrize("name", NAMES)
def test_it_is_kept_with_the_outputs_of_its_cells(name):
    path, book = FOLDER / f"{name}.ipynb", read(name)
    nbformat.validate(book)
    assert book.metadata.executed == execute.digest(book), "changed since: make notebooks"
    assert execute.kept(copy.deepcopy(book)) == book, "not as `make notebooks` keeps it"
    kinds = [kind for cell in shown(book) for output in cell for kind in output]
    assert "text/html" in kinds and "image/png" in kinds
    assert path.stat().st_size < LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_without_an_error_and_shows_what_is_kept(name):
    assert shown(execute.executed(FOLDER / f"{name}.ipynb")) == shown(read(name))


def made(source: str, *outputs):
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[cell])


def test_an_error_in_a_cell_fails(tmp_path):
    path = tmp_path / "wrong.ipynb"
    nbformat.write(made("1 / 0"), path)
    with pytest.raises(Exception, match="ZeroDivisionError"):
        execute.executed(path)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (nbformat.v4.new_output("stream", name="stderr", text="a warning"), "standard error"),
        (nbformat.v4.new_output("stream", name="stdout", text=f"see {FOLDER}/x"), "path"),
    ],
)
def test_warnings_and_paths_are_not_kept(output, why):
    with pytest.raises(execute.KeptNotebookError, match=why):
        execute.kept(made("pass", output))


def test_what_belongs_to_one_execution_is_left_out():
    book = made("1", nbformat.v4.new_output("execute_result", {"text/plain": "1"}))
    book.cells[0].metadata = {"execution": {"iopub.execute_input": "2026-01-01"}}
    book.cells[0].execution_count = 7
    found = execute.kept(book)
    assert found.cells[0].metadata == {} and found.cells[0].id == "cell-1"
    assert found.cells[0].execution_count == found.cells[0].outputs[0].execution_count == 1
    assert found.metadata.kernelspec.name == "python3" and "language_info" not in found.metadata
