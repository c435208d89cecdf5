"""Finding what a folder of modules declares, without importing any of them."""

import ast
import functools
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import UnknownNameError

_TRIES = 8


def catalogue(folder: Path, constant: str) -> dict[str, Any]:
    """Read one literal constant from every module in a folder and the folders below it.

    Returns {module name: value}; the name of a module in a folder below is dotted. This is how
    tasks and claims are found: adding one is adding a file. Modules whose name starts with an
    underscore, or that lack the constant, are passed over.
    """
    found = {}
    for path in sorted(folder.rglob("[!_]*.py")):
        for value in _declared(path, constant, path.stat().st_mtime_ns):
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            found[name] = ast.literal_eval(value)
    return found


@functools.lru_cache(4096)
def _declared(path: Path, constant: str, version: int) -> list[ast.expr]:
    """What a module assigns to the constant, read anew once the file is of another time."""
    del version
    return [
        node.value
        for node in _parsed(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == constant for t in node.targets)
    ]


def _parsed(source: str) -> ast.Module:
    """The syntax tree of a source.

    CPython 3.11 may fail with a SystemError where another thread parses something at the same time
    (gh-106905 of its tracker); nothing is wrong with the source then.
    """
    for _ in range(_TRIES):
        try:
            return ast.parse(source)
        except SystemError:
            continue
    return ast.parse(source)


def module_of(kind: str, name: str, known: Mapping[str, Mapping[str, Any]]) -> ModuleType:
    """Import the module of one entry, by its "module" in a catalogue.

    Raises `UnknownNameError` with the nearest name; `kind` says what it is a name of.
    """
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return importlib.import_module(known[name]["module"])
