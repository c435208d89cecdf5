"""Executes the notebooks beside it and keeps their outputs: `make notebooks`.

    python notebooks/execute.py [plan_learn_or_both ...]

Each runs from its first cell in a process and an empty folder of its own. What is kept is the same
on every machine but for times: neither execution times, nor the machine's paths, nor the version
of Python are written down. An error, or anything written to standard error, keeps nothing.
"""

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER.parent / "src"
SECONDS = 600
"""The longest that one cell may take."""
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


class KeptNotebookError(RuntimeError):
    """Outputs that may not be kept: errors, warnings, or paths of this machine."""


def notebooks() -> list[Path]:
    """All notebooks of the folder."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path) -> NotebookNode:
    """A notebook with the outputs of this moment. Raises `CellExecutionError`."""
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        quiet = ["--Application.log_level=40"]
        client = NotebookClient(
            book, timeout=SECONDS, kernel_name="python3", resources=where, extra_arguments=quiet
        )
        client.execute()
        return kept(book, (folder,))


def digest(book: NotebookNode) -> str:
    """What tells these cells from others: outputs of other cells are no longer theirs."""
    sources = "\0".join(cell.source for cell in book.cells)
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def kept(book: NotebookNode, paths: tuple[str, ...] = ()) -> NotebookNode:
    """The notebook without what belongs to one execution. Raises `KeptNotebookError`."""
    book.metadata = nbformat.from_dict({**KERNEL, "executed": digest(book)})
    count = 0
    for number, cell in enumerate(book.cells, 1):
        cell.metadata, cell.id = nbformat.from_dict({}), f"cell-{number}"
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            _check(output, f"cell {number}", paths)
            if "execution_count" in output:
                output.execution_count = count
    return book


def _check(output: NotebookNode, where: str, paths: tuple[str, ...]) -> None:
    if output.output_type == "error" or output.get("name") == "stderr":
        said = output.get("evalue") or output.get("text")
        raise KeptNotebookError(f"{where} wrote to standard error: {said}")
    own = (*paths, str(FOLDER.parent), str(Path.home()), tempfile.gettempdir())
    for path in own:
        if len(path) > 1 and path in str(output):
            raise KeptNotebookError(f"{where} shows a path of this machine, {path}: print less.")


def main() -> None:
    """Execute those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="without .ipynb; all by default")
    names = parser.parse_args().names
    for path in notebooks():
        if not names or path.stem in names:
            nbformat.write(executed(path), path)
            print(f"{path.name}: executed and kept")


if __name__ == "__main__":
    main()
