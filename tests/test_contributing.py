"""CONTRIBUTING.md is enough: each of its files, written where it says, is found and works."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deliberation

ROOT = Path(__file__).parents[1]
PLANTED = """
import pytest
from deliberation import claims
from deliberation.claims.measuring.planted import World
from deliberation.claims.validation import validate

def verdict(world):
    cells = claims.plan(["tic_tac_toe"], "smoke", only=["beats_chance"])
    (found,) = claims.analyse(world.records(cells), ["tic_tac_toe"], "smoke", only=["beats_chance"])
    (row,) = found.rows
    assert row.low <= row.estimate <= row.high and found.figures
    return row.estimate, row.verdict

def test_the_claim_can_come_out_either_way():
    estimate, supported = verdict(World(search=(0.3, 0.08)))
    assert supported == "supported" and estimate == pytest.approx(0.3 + 0.08 * 8, abs=0.01)
    assert verdict(World(search=(0.1, 0.0)))[1] == "refuted"
    assert verdict(World(search=(0.25, 0.0), n=8))[1] == "inconclusive"
    assert all(one.trusted for one in validate(["beats_chance"], repeats=20))
"""


def files() -> dict[str, str]:
    """The page's files, by where they go."""
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return dict(re.findall(r"^`([\w/]+\.py)`\n\n```python\n(.*?)^```$", page, re.S | re.M))


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Path:
    """A copy of the library with the page's files in it, and nothing else changed."""
    folder = tmp_path_factory.mktemp("house")
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(deliberation.__path__[0], folder / "src" / "deliberation", ignore=skip)
    (folder / "tests").mkdir()
    for name, text in files().items():
        assert (folder / name).parent.is_dir() and not (folder / name).exists(), name
        (folder / name).write_text(text, "utf-8")
    (folder / "tests" / "test_beats_chance.py").write_text(PLANTED, "utf-8")
    return folder


def run(house: Path, *arguments: str) -> str:
    """What a Python program says that sees the copy."""
    seen = {**os.environ, "PYTHONPATH": str(house / "src")}
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, cwd=house, env=seen, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_page_adds_one_file_of_each_kind():
    added = {name for name in files() if name.startswith("src/")}
    assert {str(Path(name).parent.relative_to("src/deliberation")) for name in added} == {
        "tasks/grids", "tasks/text", "direct/tree_search", "amortised/trial_and_error", "zoo",
        "claims/commentary", "audit/probes", "specimens/tables",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["corridor", "sums", "polynomial", "mellowmax", "beats_chance", "repetition", "first_action"],
)
def test_what_the_page_adds_passes_its_checks(house, name):
    said = run(house, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/test_{name}.py")
    assert "1 passed" in said


def test_what_the_page_adds_is_found_by_name(house):
    assert "corridor" in run(house, "-m", "deliberation.cli", "tasks")
    assert "polynomial" in run(house, "-m", "deliberation.cli", "zoo", "--list")
    assert "beats_chance" in run(house, "-m", "deliberation.cli", "claims")


def test_the_zoo_measures_what_the_page_adds(house):
    run(house, "-m", "deliberation.cli", "zoo", "polynomial", "--effort", "smoke", "--jobs", "1")
    lines = (house / "zoo" / "records.jsonl").read_text("utf-8").splitlines()
    (scores,) = [json.loads(line)["outcomes"]["scores"] for line in lines]
    best, found = 1 - 4 * 0.05, scores["search"]
    assert max(found) == pytest.approx(best) and sum(found) / len(found) > best - 0.05
    assert sum(scores["random"]) / len(found) < best - 0.2


def test_what_the_page_adds_passes_make_check(house):
    added = list(files())
    config = ["--config", str(ROOT / "pyproject.toml")]
    run(house, "-m", "ruff", "check", *config, *added)
    run(house, "-m", "ruff", "format", "--check", *config, *added)
    settings = {"include": added, "extraPaths": ["src"], "typeCheckingMode": "basic"}
    (house / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    run(house, "-m", "pyright", "--project", ".", "--pythonpath", sys.executable)
