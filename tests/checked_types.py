"""Annotations checked at run time: of every function of the library that is made once.

A function within a function is made anew at each call, and jaxtyping would compile its checks anew
each time as well: a fourth of the time of these tests went there. Those are left to pyright.
"""

import ast

from beartype import beartype
from jaxtyping import _import_hook, install_import_hook

_visit = _import_hook.JaxtypingTransformer.visit_FunctionDef


def _made_once(self, node: ast.FunctionDef) -> ast.FunctionDef:
    within = any(isinstance(parent, ast.FunctionDef) for parent in self._parents)
    return node if within else _visit(self, node)


def install() -> None:
    """From here on, for modules of the library that are imported."""
    _import_hook.JaxtypingTransformer.visit_FunctionDef = _made_once
    install_import_hook("deliberation", f"{__name__}.{beartype.__name__}")
