"""The public names of the library, read from the code without importing it."""

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[2] / "src" / "deliberation"
ORDER = (
    "core", "tasks", "direct", "amortised", "hybrid", "audit", "advice", "adapters", "zoo",
    "specimens", "claims", "runs", "report", "stats",
)  # fmt: skip
"""The wings as a reader meets them; others come after."""
INNER = ("playground", "notebook", "cli")
"""What is used by commands or by itself, and not called by name."""


class Package(NamedTuple):
    """A wing or a room: its dotted name, what it says it is for, and what it exports from where."""

    name: str
    said: str
    exports: dict[str, str]

    @property
    def page(self) -> str:
        """Its page beneath `api`."""
        return f"{self.name.removeprefix('deliberation').lstrip('.').replace('.', '/') or 'index'}"

    def path(self, name: str) -> str:
        """Where a name is found; a function is taken for its module where both are called alike."""
        inside = f"{name}.{name}" if self.exports[name] == name else name
        return f"{self.name}.{inside}"

    @property
    def lead(self) -> str:
        """The first line of what it says."""
        return self.said.partition("\n")[0]


def package(folder: Path) -> Package | None:
    """What a folder exports; None where it has no public face."""
    if not (folder / "__init__.py").exists():
        return None
    own = ast.parse((folder / "__init__.py").read_text("utf-8"))
    stub = folder / "__init__.pyi"
    tree = ast.parse(stub.read_text("utf-8")) if stub.exists() else own
    found = dict(_imported(tree))
    if not stub.exists():
        found |= {
            node.name: "" for node in own.body
            if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
        }  # fmt: skip
        listed = _listed(own)
        found = {
            name: room for name, room in found.items()
            if (listed is None or name in listed) and not name.isupper()
        }  # fmt: skip
    name = ".".join(["deliberation", *folder.relative_to(SOURCE).parts])
    return Package(name, ast.get_docstring(own) or "", found) if found else None


def _imported(tree: ast.Module) -> list[tuple[str, str]]:
    """Every name that a face imports under its own name, and the room that it comes from."""
    inner = [node for part in tree.body if isinstance(part, ast.If) for node in part.body]
    return [
        (alias.name, (node.module or "").partition(".")[0])
        for node in (*tree.body, *inner)
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
        for alias in node.names
        if alias.asname == alias.name or (alias.asname is None and node in tree.body)
    ]


def _listed(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return None


def rooms_of(wing: Path) -> list[Package]:
    """The rooms of a wing that have a face of their own."""
    folders = (path for path in sorted(wing.iterdir()) if (path / "__init__.pyi").exists())
    return [found for found in map(package, folders) if found]


@functools.cache
def wings() -> dict[str, tuple[Package, tuple[Package, ...]]]:
    """Every wing that has a public face, in order, with its rooms."""
    known = [path.name for path in sorted(SOURCE.iterdir()) if (path / "__init__.py").exists()]
    order = [*ORDER, *(name for name in known if name not in (*ORDER, *INNER))]
    faces = {name: package(SOURCE / name) for name in order if name in known}
    return {n: (face, tuple(rooms_of(SOURCE / n))) for n, face in faces.items() if face}


@functools.cache
def targets() -> dict[str, str]:
    """Where each public name stands on the API's pages; names that several packages have are not.

    A name that a room exports stands on the room's page, else on the wing's.
    """
    found: dict[str, set[str]] = {}
    for wing, rooms in wings().values():
        inner = {room.name.rpartition(".")[2] for room in rooms}
        for face in (wing, *rooms):
            for name, room in face.exports.items():
                if face is not wing or room not in inner:
                    found.setdefault(name, set()).add(face.path(name))
    return {name: next(iter(some)) for name, some in found.items() if len(some) == 1}


CODE = re.compile(r"(?<![`\[\w])`([A-Za-z_][\w.]*)(\([^`]*\))?`(?![`\]])")
ALONE = ("rollout", "misere", "solve", "exploitability", "quantilise")
"""Names of one small word that are linked; others of that form are as often an argument."""


def linked(text: str) -> str:
    """The text with every public name in backticks led to where it is explained."""

    def link(found: re.Match[str]) -> str:
        name = found[1].rpartition(".")[2] if found[1].startswith("deliberation.") else found[1]
        sure = name != name.lower() or "_" in name or name in ALONE
        target = targets().get(name) if sure else None
        return f"[{found[0]}][{target}]" if target else found[0]

    return CODE.sub(link, text)
