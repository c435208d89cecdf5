"""Of which version a line of the audit's validity is: digests of the files that can change it.

These are, apart from each other and without what comments, docstrings, declarations and functions
that put verdicts into words (`_words`) say, its probe's file and its specimen's with what either
imports of its own wing, and what all lines share: how deciders are asked and judged, how states are
drawn, and the worlds. Files that show or record what was found are left out; so is the library
beneath, whose own tests hold it to what it computes.
"""

import ast
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

import deliberation
from deliberation.audit import list_probes
from deliberation.specimens import list_specimens

PACKAGE = Path(deliberation.__file__).parent
SHARED = (
    "audit/judging.py", "audit/asking.py", "audit/exam.py", "audit/sampling.py",
    "specimens/worlds.py",
)  # fmt: skip
APART = {
    *SHARED, "audit/auditing.py", "audit/profile.py", "audit/rates.py", "audit/citing.py",
    "audit/telling/words.py",
    "specimens/registry.py", "specimens/validation.py",
}  # fmt: skip
"""Files whose versions are told apart, or that only record, find or show."""


def versions_of(probe: str, specimen: str, package: Path = PACKAGE) -> dict[str, str]:
    """Of each part that can change a line, its digest; empty for a file that is not there."""
    of_probe = _file(list_probes()[probe]["module"])
    of_specimen = _file(list_specimens()[specimen]["module"])
    return {
        f"probe {probe}": _digest(package, *_with_imports(package, of_probe)),
        f"specimen {specimen}": _digest(package, *_with_imports(package, of_specimen)),
        **{name: _digest(package, name) for name in SHARED},
    }


def changed(probe: str, specimen: str, versions: Mapping[str, str]) -> list[str]:
    """Parts that are not of the version that a line was measured with; all where none is known."""
    present = versions_of(probe, specimen)
    return [name for name, digest in present.items() if versions.get(name) != digest]


def _file(module: str) -> str:
    return "/".join(module.split(".")[1:]) + ".py"


@functools.cache
def _digest(package: Path, *names: str) -> str:
    found = hashlib.sha256()
    for name in names:
        content = _code(package / name) if (package / name).exists() else ""
        found.update(f"{name} {hashlib.sha256(content.encode()).hexdigest()}\n".encode())
    return found.hexdigest()[:16]


def _code(path: Path) -> str:
    """What a file computes: without comments, docstrings, line breaks, what it declares (a line
    keeps the right answer that it was held to) and how it puts that into words.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [x for x in body if not _said(x)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _said(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef) and node.name == "_words":
        return True
    targets = node.targets if isinstance(node, ast.Assign) else []
    if any(isinstance(x, ast.Name) and x.id in ("PROBE", "SPECIMEN") for x in targets):
        return True
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@functools.cache
def _with_imports(package: Path, name: str) -> tuple[str, ...]:
    """A file and all that it imports, one after the other, of its own wing."""
    wing, found, edge = name.split("/", maxsplit=1)[0], set[str](), [name]
    while edge:
        one = edge.pop()
        if one not in found and (package / one).exists():
            found.add(one)
            edge += [
                x for x in _imported(package, one) if x.startswith(f"{wing}/") and x not in APART
            ]
    return tuple(sorted(found))


def _imported(package: Path, name: str) -> list[str]:
    """Files of the package that one names in relative imports, at any depth of its code."""
    found = []
    for node in ast.walk(ast.parse((package / name).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = name.split("/")[: -node.level]
            at = "/".join([*above, *(node.module or "").split(".")]).rstrip("/")
            found += [f"{at}.py", *(f"{at}/{alias.name}.py" for alias in node.names)]
    return [one for one in found if (package / one).is_file()]
