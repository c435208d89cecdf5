"""The house keeps its order: small rooms, no import in a circle, little that is written twice."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import repetition

import deliberation

ROOT = Path(__file__).parents[1]
SOURCE = Path(deliberation.__path__[0])
MOST_MODULES = 24
FOUND_BY_NAME = {"zoo", "claims", "specimens"}
"""Wings of one file an entry, which nobody has to read as a whole."""

SIMILAR_BEFORE = 231
"""Pairs of places alike up to names, strings and numbers, before the wings had rooms (fd4e1a7)."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name; a package stands for its `__init__`."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules that a module imports when it is itself imported, by its syntax."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in at_import(ast.parse(path.read_text("utf-8")).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            within = {f"{base}.{alias.name}" for alias in node.names}
            found |= (within & known.keys()) or {base}
    return found & known.keys() - {name}


def at_import(body: list[ast.stmt]):
    """The statements outside of functions, imports for types alone too: a reader follows those."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            yield from at_import(node.body)
            yield from at_import(getattr(node, "orelse", []))
            for handler in getattr(node, "handlers", []):
                yield from at_import(handler.body)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of modules that reach each other, by Tarjan's algorithm."""
    index, low, stack, found = {}, {}, [], []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in index:
            visit(node)
    return [members for members in found if len(members) > 1]


def test_no_room_is_too_full_to_be_read():
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    full = {
        str(folder.relative_to(SOURCE)): len(list(folder.glob("*.py")))
        for folder in folders
        if folder.relative_to(SOURCE).parts[:1] not in {(name,) for name in FOUND_BY_NAME}
    }
    assert len(full) > 30
    assert {folder: count for folder, count in full.items() if count > MOST_MODULES} == {}


def test_no_modules_import_each_other():
    known = modules()
    graph = {name: imported(name, path, known) for name, path in known.items()}
    assert "deliberation.core.errors" in graph["deliberation.core.budget"]
    assert sum(map(len, graph.values())) > 600
    assert circles(graph) == []


def test_a_circle_would_be_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]


def test_no_twelve_lines_stand_twice():
    assert [str(pair) for pair in repetition.equal_runs(SOURCE)] == []


def test_half_of_what_was_alike_is_gone():
    found = repetition.similar_runs(SOURCE)
    assert len(found) <= SIMILAR_BEFORE // 2, "\n".join(map(str, found))


@pytest.mark.parametrize("text", ["x = g(1)\n", "# words\n\nimport os\ny = h(z, 'a')\n"])
def test_repetition_is_seen_through_names_comments_and_imports(tmp_path, text):
    lines = [f"v{i} = f(w{i}, {i}, *u{i})\n" + text for i in range(6)]
    (tmp_path / "one.py").write_text("".join(lines), "utf-8")
    (tmp_path / "two.py").write_text("\n\n# other\n" + "".join(lines), "utf-8")
    renamed = "".join(lines).replace("v", "name").replace("w", "other")
    (tmp_path / "three.py").write_text("def f():\n    pass\n" + renamed, "utf-8")
    (pair,) = repetition.equal_runs(tmp_path)
    assert [run[0].file.name for run in pair] == ["one.py", "two.py"] and len(pair.first) == 12
    similar = {
        tuple(run[0].file.name for run in pair) for pair in repetition.similar_runs(tmp_path)
    }
    assert {("one.py", "three.py"), ("one.py", "two.py"), ("three.py", "two.py")} <= similar


def test_the_picture_of_the_house_is_current():
    """In a process of its own: the walk is that of a first decision, before anything is traced."""
    command = [sys.executable, str(ROOT / "docs" / "house.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_picture_shows_the_rooms_and_the_walk():
    root = ElementTree.parse(ROOT / "docs" / "house.svg").getroot()
    words = ["".join(element.itertext()) for element in root.iter(f"{root.tag[:-3]}text")]
    shown = json.loads(next(root.iter(f"{root.tag[:-3]}metadata")).text)
    assert {"core", "direct", "amortised", "hybrid", "zoo", "claims"} <= set(words)
    assert f"tree search {shown['wings']['direct']['tree_search']}" in words
    files = [step["file"] for step in shown["walk"]]
    assert files[0] == "tree_search/decider.py" and "evaluators.py" in files
    assert [word for word in words if word.endswith(".py")] == files
    above = {wing: at for at, row in enumerate(shown["layers"]) for wing in row}
    assert all(above[a] < above[b] for a, b in (pair.split(" > ") for pair in shown["imports"]))
