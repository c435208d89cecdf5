"""How classes are called whose arguments are their fields, and where names in docstrings lead.

An extension of griffe, which reads the code for the API's pages. It sees `__init__` and dataclasses
by itself, and not that equinox's modules, named tuples and msgspec's structs are called alike.
"""

import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))
from names import linked

MADE_OF_FIELDS = (
    "equinox.Module", "eqx.Module", "typing.NamedTuple", "NamedTuple", "msgspec.Struct",
)  # fmt: skip
STATIC = (
    "ClassVar",
    "AbstractClassVar",
    "typing.ClassVar",
    "eqx.AbstractClassVar",
    "AbstractVar",
    "eqx.AbstractVar",
)


class Fields(griffe.Extension):
    """Gives such classes the `__init__` that they have, and links public names in docstrings."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Go through a package once it is loaded."""
        if pkg.name == "deliberation":
            _visit(pkg, set())


def _visit(where: griffe.Module | griffe.Class, seen: set[str]) -> None:
    if where.path in seen:
        return
    seen.add(where.path)
    for member in list(where.members.values()):
        if member.is_alias:
            continue
        if member.docstring is not None and member.is_public:
            member.docstring.value = linked(member.docstring.value)
        if isinstance(member, griffe.Class):
            _complete(member)
        if isinstance(member, griffe.Module | griffe.Class):
            _visit(member, seen)


def _complete(made: griffe.Class) -> None:
    line = _line(made)
    if not line or any("__init__" in one.members for one in line):
        return
    found: dict[str, griffe.Parameter] = {}
    for one in line:
        for attribute in one.members.values():
            if isinstance(attribute, griffe.Attribute) and _is_field(attribute):
                found[attribute.name] = _parameter(attribute)
    init = griffe.Function(
        "__init__",
        parent=made,
        parameters=griffe.Parameters(
            griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword),
            *sorted(found.values(), key=lambda one: one.default is not None),
        ),
    )
    made.set_member("__init__", init)


def _line(made: griffe.Class) -> list[griffe.Class]:
    """The class and those of this library above it, the oldest first; empty if not of this kind."""
    line, above, ours = [made], made, False
    while above.bases and not ours:
        base = above.bases[0]
        path = getattr(base, "canonical_path", str(base))
        if path in MADE_OF_FIELDS or str(base) in MADE_OF_FIELDS:
            ours = True
            break
        try:
            found = above.modules_collection[path]
            above = found.final_target if found.is_alias else found
        except (KeyError, griffe.GriffeError):
            return []
        if not isinstance(above, griffe.Class):
            return []
        line.insert(0, above)
    return line if ours else []


def _is_field(attribute: griffe.Attribute) -> bool:
    if attribute.annotation is None or "property" in attribute.labels:
        return False
    said = str(attribute.annotation)
    return (not said.startswith(STATIC) and "class-attribute" not in attribute.labels) or (
        "instance-attribute" in attribute.labels and not said.startswith(STATIC)
    )


def _parameter(attribute: griffe.Attribute) -> griffe.Parameter:
    default = attribute.value
    text = str(default) if default is not None else None
    if text and text.startswith(("eqx.field(", "dataclasses.field(", "field(")):
        default = _default_of(default)
    return griffe.Parameter(
        attribute.name,
        annotation=attribute.annotation,
        kind=griffe.ParameterKind.positional_or_keyword,
        default=default,
    )


def _default_of(call: Any) -> Any:
    """The default that a `field(...)` names, if it does."""
    for argument in getattr(call, "arguments", ()):
        if getattr(argument, "name", "") in ("default", "default_factory"):
            return argument.value
    return None
