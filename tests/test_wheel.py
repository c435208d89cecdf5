"""The wheel holds all that the library reads at run time, and nothing that is not part of it."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Built of a copy, so that nothing which another build left is taken for a part of it."""
    place = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / name)
    hidden = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(SOURCE, place / "src", ignore=hidden)
    static = place / "src/deliberation/playground/static/icons"
    static.mkdir(parents=True, exist_ok=True)
    (static / "made.svg").write_text("<svg/>", "utf-8")
    (static.parents[1] / "__init__.py").touch()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = (place / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


def there() -> set[str]:
    """Every file of the package, compiled ones apart."""
    files = (path for path in (SOURCE / "deliberation").rglob("*") if path.is_file())
    kept = (path.relative_to(SOURCE) for path in files if path.suffix != ".pyc")
    return {path.as_posix() for path in kept}


def test_every_file_of_the_package_is_inside(wheel):
    inside = {name for name in wheel.namelist() if not name.startswith("deliberation-")}
    assert len(there()) > 500
    assert there() - inside == set()
    known = {"deliberation/playground/static/icons/made.svg", "deliberation/playground/__init__.py"}
    assert inside - there() <= known


def test_folders_of_the_playground_are_inside_with_their_folders(wheel):
    assert "deliberation/playground/static/icons/made.svg" in wheel.namelist()


@pytest.mark.parametrize(
    "name",
    [
        "py.typed", "__init__.pyi", "core/__init__.pyi", "report/page.css",
        "audit/error_rates.json", "tasks/data/connect_four_exact.txt",
        "direct/kernels/search.cpp", "direct/kernels/aixi.cpp", "direct/kernels/histories.cpp",
        "direct/kernels/rounds.h",
    ],
)  # fmt: skip
def test_what_is_read_at_run_time_is_inside_whole(wheel, name):
    assert wheel.read(f"deliberation/{name}") == (SOURCE / "deliberation" / name).read_bytes()


def test_it_says_what_it_needs_and_what_it_is(wheel):
    (about,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    text = wheel.read(about).decode()
    assert "Requires-Python: >=3.11" in text and "License-Expression: Apache-2.0" in text
    assert re.search(r"^Requires-Dist: jax", text, re.M)
    assert not re.search(r"^Requires-Dist: torch[^;]*$", text, re.M), "torch is an extra"
    (scripts,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "deliberate = deliberation.cli:main" in wheel.read(scripts).decode()


DECIDE = """
import deliberation, jax
from deliberation import make_task
from deliberation.direct import TreeSearch
from deliberation.direct.kernels.build import load
assert "no C++ compiler" in load()
task = make_task("tic_tac_toe")
start = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 1))
decision, _ = TreeSearch(task, "uct", budget=8).decide(start, key=jax.random.key(1))
print(deliberation.__file__, decision.action.shape[0])
"""


def test_it_decides_without_a_compiler_or_a_home_and_writes_nothing_beside_itself(wheel, tmp_path):
    """As in a slim container: a user without a home, and a library that only root may write to."""
    library, temporary = tmp_path / "library", tmp_path / "temporary"
    wheel.extractall(library)
    temporary.mkdir()
    before = {path: path.stat().st_mtime_ns for path in library.rglob("*")}
    bare = {"PATH": "/nowhere", "HOME": "/proc/nowhere", "TMPDIR": str(temporary),
            "PYTHONPATH": str(library), "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", DECIDE], env=bare, cwd=tmp_path, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.stdout.split() == [str(library / "deliberation/__init__.py"), "1"], done.stderr
    assert {path: path.stat().st_mtime_ns for path in library.rglob("*")} == before


def test_workers_end_where_no_program_is_at_hand():
    """In a slim container there is neither ps nor pgrep; a command that measures ends there too."""
    code = (
        "from deliberation.runs.pool import Lane\n"
        "if __name__ == '__main__':\n"
        "    lane = Lane(1); print(lane._pool.submit(sum, [1, 2]).result()); lane.close()"
    )
    bare = {**os.environ, "PATH": "/nowhere", "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=bare, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
