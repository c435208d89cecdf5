"""Tasks of other libraries by name: `gym:FrozenLake-v1?is_slippery=false`, `pgx:animal_shogi`.

What stands before the colon says which library; what follows is the name that it has there, with
options behind a question mark (`a=1&b=8x8`) or in brackets, as Python writes them. What makes the
task stands in `deliberation.adapters`, which is above this package: it is named here and imported
when it is asked.
"""

import ast
import importlib
import inspect
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import TaskOptionError

if TYPE_CHECKING:
    from ..core.task import Task


class Scheme(NamedTuple):
    """A library: where its tasks are made, by which function, and which tells its version."""

    module: str
    make: str
    version: str


SCHEMES = {
    "gym": Scheme("gym.task", "from_gymnasium", "version"),
    "gymnax": Scheme("functional", "from_gymnax", "version_of_gymnax"),
    "jumanji": Scheme("functional", "from_jumanji", "version_of_jumanji"),
    "openspiel": Scheme("open_spiel.task", "from_open_spiel", "version"),
    "pgx": Scheme("pgx_worlds", "from_pgx", "version"),
}
FORMS = "Tasks of other libraries are named as in gym:CartPole-v1, pgx:chess, openspiel:go."
_PART = re.compile(r"\s*([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)
_NEXT = re.compile(r"&(?=\s*[A-Za-z_]\w*\s*=)")
"""What parts one option from another, and no other sign of its kind: values may hold those."""
_BARE = re.compile(r"[A-Za-z0-9_./:+-]+")


def scheme_of(name: str) -> str | None:
    """The library that a name begins with, or None."""
    head, colon, rest = name.partition(":")
    return head if colon and rest and head in SCHEMES else None


def split_query(name: str) -> tuple[str, dict[str, Any]] | None:
    """The name and the options behind its question mark; None where there is none.

    Values are read as JSON writes them, then as Python does, else they are strings. Raises
    `ValueError` for what is not written name=value, or twice.
    """
    base, mark, query = name.partition("?")
    if not mark:
        return None
    found: dict[str, Any] = {}
    for part in _NEXT.split(query) if query else ():
        option = _PART.fullmatch(part)
        if option is None or option[1] in found:
            raise ValueError("each option is written once, name=value, with & between them")
        found[option[1]] = _read(option[2].strip())
    return base, found


def join_query(base: str, options: dict[str, Any]) -> str:
    """One string for a name and its options, in one spelling; `split_query` reads it back."""
    told = "&".join(f"{key}={_written(options[key])}" for key in sorted(options))
    return f"{base}?{told}" if told else base


def make_foreign(name: str, options: dict[str, Any]) -> "Task":
    """The task that a library's name stands for."""
    scheme = SCHEMES[name.partition(":")[0]]
    make, told = getattr(_home(scheme), scheme.make), name.partition(":")[2]
    try:
        inspect.signature(make).bind(told, **options)
    except TypeError as error:
        raise TaskOptionError(f"{name} cannot be made with options {options}: {error}.") from None
    return make(told, **options)


def is_environment(made: Any) -> bool:
    """Whether something is an environment of Gymnasium, which need not be imported for that."""
    return any(k.__module__ == "gymnasium.core" and k.__name__ == "Env" for k in type(made).__mro__)


def adopt(name: str, factory: Any, options: dict[str, Any]) -> "Task":
    """The task of the environment that a factory makes; it has the factory's own name."""
    return _home(SCHEMES["gym"]).adopted(name, factory, options)


def foreign_version(name: str) -> str:
    """The version of the library that a name is of, such as `gymnasium 1.4.0`."""
    scheme = SCHEMES[name.partition(":")[0]]
    return str(getattr(_home(scheme), scheme.version)())


def _home(scheme: Scheme) -> Any:
    return importlib.import_module(f"{__name__.partition('.')[0]}.adapters.{scheme.module}")


def _read(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def _written(value: Any) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value) and _read(value) == value:
        return value
    if isinstance(value, tuple):
        return repr(value).replace(" ", "")
    return json.dumps(value, separators=(",", ":"))
