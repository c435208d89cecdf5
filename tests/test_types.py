"""What an editor sees: the pages' own Python has no error in a project of a user's own."""

import functools
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import deliberation

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").rglob("*.md"))))
EXCERPTS = "docs/strangers/"
"""Pages written by a benchmark, with some of its lines."""


def snippets(page: str) -> str:
    """The Python of a page, whose blocks go on from each other; empty where there is none."""
    if page.startswith(EXCERPTS):
        return ""
    text = (ROOT / page).read_text("utf-8")
    found = re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)
    # What comes with an extra has no types where it is not installed.
    there = find_spec("stable_baselines3") is not None
    return "\n".join(found) if there or "stable_baselines3" not in text else ""


@functools.cache
def public_names() -> dict[str, list[str]]:
    """What every package of the library says it exports, when it runs."""
    names = {"deliberation": sorted(deliberation.__all__)}
    for found in pkgutil.walk_packages(deliberation.__path__, "deliberation."):
        if found.ispkg:
            names[found.name] = sorted(getattr(importlib.import_module(found.name), "__all__", ()))
    return names


def imports(names: dict[str, list[str]]) -> str:
    """A program that imports every name from where it is public."""
    return "".join(
        f"from {package} import {name} as {package.replace('.', '_')}_{name}\n"
        for package, exported in names.items()
        for name in exported
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A user's project: the pages' snippets, an import of every public name, and misspelt ones."""
    folder = tmp_path_factory.mktemp("project")
    for page in PAGES:
        if code := snippets(page):
            name = re.sub(r"\W+", "_", page.removesuffix(".md")).lower()
            (folder / f"{name}.py").write_text(code, "utf-8")
    (folder / "everything.py").write_text(imports(public_names()), "utf-8")
    (folder / "as_a_face.py").write_text(
        "import deliberation.direct.mctx as mctx\n\nprint(mctx.gumbel_muzero_policy)\n", "utf-8"
    )
    (folder / "misspelt.py").write_text(
        "import deliberation\n"
        "from deliberation.direct import TreeSerch\n\n"
        "print(TreeSerch, deliberation.rolout)\n"
        "deliberation.make_task(7)\n",
        "utf-8",
    )
    return folder


def pyright(project: Path) -> list[tuple[str, int, str]]:
    """(file, line, message) of every error."""
    (project / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}', "utf-8")
    command = ["-m", "pyright", "--project", str(project), "--pythonpath", sys.executable]
    ran = subprocess.run(
        [sys.executable, *command, "--outputjson"], capture_output=True, text=True, cwd=project
    )
    assert ran.stdout.startswith("{"), ran.stdout + ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["summary"]["filesAnalyzed"] == len(list(project.glob("*.py"))) >= 18
    return [
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1, found["message"])
        for found in answer["generalDiagnostics"]
        if found["severity"] == "error"
    ]


def mypy(project: Path) -> list[tuple[str, int, str]]:
    """(file, line, message) of every error."""
    pytest.importorskip("mypy", reason="the checks are to be installed again: make test")
    files = sorted(path.name for path in project.glob("*.py"))
    options = ["--config-file=", "--follow-imports=silent", f"--python-executable={sys.executable}"]
    command = [sys.executable, "-m", "mypy", *options, "--no-error-summary", *files]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=project)
    assert not ran.stderr, ran.stderr
    lines = [re.match(r"(.+?):(\d+): error: (.*)", line) for line in ran.stdout.splitlines()]
    return [(found[1], int(found[2]), found[3]) for found in lines if found]


@pytest.mark.parametrize("checker", [pyright, mypy])
def test_a_users_project_sees_every_public_name_and_no_other(checker, project):
    errors = checker(project)
    assert [error for error in errors if error[0] != "misspelt.py"] == []
    assert {line for name, line, _ in errors if name == "misspelt.py"} == {2, 4, 5}, errors


def test_every_name_that_is_exported_is_there():
    names = public_names()
    assert len(names["deliberation.direct"]) > 40 and len(names) > 30
    for package, exported in names.items():
        module = importlib.import_module(package)
        assert [name for name in exported if not hasattr(module, name)] == [], package


def test_every_stub_has_its_package_and_every_lazy_package_its_stub():
    source = Path(deliberation.__path__[0])
    lazy = {p.parent for p in source.rglob("__init__.py") if "attach_stub" in p.read_text("utf-8")}
    stubs = {p.parent for p in source.rglob("__init__.pyi")}
    assert lazy == stubs
