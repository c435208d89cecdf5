"""Deferred imports, so that commands which only print do not pay for importing JAX."""

import ast
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], list[str]]:
    """Make `package`'s public names importable on first use (PEP 562).

    `homes` maps a public name to the module that defines it; a name that maps to itself
    prefixed by the package is a submodule. Returns `__getattr__` and `__all__`.
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(homes[name])
        return module if homes[name] == f"{package}.{name}" else getattr(module, name)

    return __getattr__, sorted(homes)


def catalogue(folder: Path, constant: str) -> dict[str, Any]:
    """Read one literal constant from every module in a folder without importing any of them.

    Returns {module name: value}. This is how tasks and claims are found: adding one is adding a
    file. Modules whose name starts with an underscore, or that lack the constant, are passed over.
    """
    found = {}
    for path in sorted(folder.glob("[!_]*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(t, ast.Name) and t.id == constant for t in targets):
                found[path.stem] = ast.literal_eval(node.value)  # type: ignore[union-attr]
    return found
