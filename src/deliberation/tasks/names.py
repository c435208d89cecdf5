"""Tasks by name: a registered one, or `package.module:factory` for a task of one's own.

Either may carry options as Python writes them, `gridworld(size=5)`, `my_world:Corridor(cells=7)`,
or in the way that needs no quotes in a shell, `gridworld:size=5`, `my_world:Corridor:cells=7`.
Worlds of other libraries begin with the library, `gym:CartPole-v1` (see `schemes`).
One string then says which task it is, on the command line, in a record, and in a worker process.
Nothing here imports JAX.
"""

import ast
import contextlib
import dataclasses
import hashlib
import importlib
import inspect
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import (
    DeliberationError,
    TaskFactoryError,
    TaskImportError,
    UnknownNameError,
    WrongKindError,
)
from ..core.failures import PASSING, in_words, text_of
from .options import offered_by, unknown_option
from .schemes import (
    adopt,
    foreign_version,
    is_environment,
    join_query,
    scheme_of,
    split_query,
)

if TYPE_CHECKING:
    from ..core.task import Task

FORM = "package.module:factory"
HINT = f"A task of your own is named {FORM}."
_WORD = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_OWN = re.compile(rf"{_WORD}:{_WORD}")
_OPTION = re.compile(r"\s*([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)
_NEXT = re.compile(r",(?=\s*[A-Za-z_]\w*\s*=)")
"""The comma before another option, and no other: values may be lists."""


def is_own(name: str) -> bool:
    """Whether a name, without its options, is that of a task of one's own."""
    return bool(_OWN.fullmatch(name)) and scheme_of(name) is None


def split_name(name: str) -> tuple[str, dict[str, Any]]:
    """A name and its options: `gridworld(size=5)` gives `("gridworld", {"size": 5})`.

    So does `gridworld:size=5`, in which a value that is no literal is a string. Raises
    `TaskImportError` for options that are not written `name=value`, each value a literal that can
    be written back, or for one that is given twice.
    """
    base, bracket, inside = name.partition("(")
    colon, sign = base.rfind(":"), base.find("=")
    try:
        if scheme_of(name) is not None:
            return _foreign(name)
        if 0 <= colon < sign:
            return name[:colon], _after_colon(name[colon + 1 :])
        return (base, _in_brackets(inside)) if bracket else (name, {})
    except _UnreadableError as error:
        base, query, options = name.partition("?")
        one = f"'{base}({options.replace('&', ', ')})'" if query else "'gridworld(size=5)'"
        raise TaskImportError(
            f"The options of {name!r} cannot be read ({error}): write them as in {one} or "
            "'gridworld:size=5', each value a number, a string, a list, True, False or None."
        ) from None


class _UnreadableError(ValueError):
    """Options that are not spelled as they should be."""


def _foreign(name: str) -> tuple[str, dict[str, Any]]:
    """The options of another library's world: behind a question mark, or in brackets."""
    try:
        found = split_query(name)
    except ValueError as error:
        raise _UnreadableError(str(error)) from None
    if found is not None:
        return found[0], {key: _checked(key, value) for key, value in found[1].items()}
    base, bracket, inside = name.partition("(")
    return (base, _in_brackets(inside)) if bracket else (name, {})


def _in_brackets(inside: str) -> dict[str, Any]:
    """The options behind an opening bracket, as Python writes the arguments of a call."""
    text = f"f({inside}"
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _UnreadableError("what is in brackets is not written as Python writes it") from None
    if not isinstance(call, ast.Call) or call.args or not isinstance(call.func, ast.Name):
        raise _UnreadableError("options are written name=value")
    words = [str(word.arg) for word in call.keywords if word.arg]
    if len(set(words)) < len(call.keywords):
        raise _UnreadableError("each option is written once, name=value")
    for word in call.keywords:
        # Python reads letters of other widths as the plain ones; one name has one spelling here.
        if not str(ast.get_source_segment(text, word)).startswith(str(word.arg)):
            raise _UnreadableError(f"{word.arg} is written in other letters than it has")
    return {str(word.arg): _value(word) for word in call.keywords}


def _value(word: ast.keyword) -> Any:
    if isinstance(word.value, ast.Name):
        told = word.value.id
        raise _UnreadableError(f"{told} is no value; a string is written in quotes, {told!r}")
    try:
        value = ast.literal_eval(word.value)
    except (ValueError, RecursionError, MemoryError):
        value = ...
    return _checked(str(word.arg), value)


def _after_colon(told: str) -> dict[str, Any]:
    """The options behind a colon, parted by commas."""
    found: dict[str, Any] = {}
    for part in _NEXT.split(told):
        option = _OPTION.fullmatch(part)
        if option is None:
            raise _UnreadableError("options are written name=value")
        key, text = option[1], option[2].strip()
        if key in found:
            raise _UnreadableError("each option is written once, name=value")
        try:
            value = ast.literal_eval(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            value = text
        found[key] = _checked(key, value)
    return found


def _checked(option: str, value: Any) -> Any:
    """A value that can be written back as it was read."""
    if not _writable(value):
        raise _UnreadableError(f"the value of {option} is none of these")
    return value


def join_name(name: str, options: dict[str, Any]) -> str:
    """One string for a name and its options, in one spelling; `split_name` reads it back."""
    if scheme_of(name) is not None:
        return join_query(name, options)
    told = ", ".join(f"{key}={options[key]!r}" for key in sorted(options))
    return f"{name}({told})" if told else name


def check_name(name: str, registered: Any) -> str:
    """A name that could be a task's; nothing is imported. Raises `UnknownNameError`."""
    base, _ = split_name(name)
    if base not in registered and not is_own(base) and scheme_of(base) is None:
        raise UnknownNameError("task", base, registered, HINT)
    return name


def make_own(name: str, options: dict[str, Any]) -> "Task":
    """The task that `package.module:factory` makes with some options.

    A factory may also make a Gymnasium environment, which is adapted.

    Raises `TaskImportError` for what cannot be imported, `TaskFactoryError` where the factory
    raises, and `WrongKindError` where it makes something else than a task.
    """
    return _made(name, find_own(name), options)


def make_declared(name: str, options: dict[str, Any]) -> "Task":
    """The same, but only where the code itself says that a task is made: for names in files.

    What is named must be a class of tasks, or a function whose result is annotated as one, in a
    module that is imported already or installed: not in Python's own library, and not in the
    current folder, where a stranger's file may have come with a stranger's code. Thus no file can
    have another function called. Raises also `TaskImportError`.
    """
    if name.partition(":")[0].partition(".")[0] in {*sys.stdlib_module_names, "__main__"}:
        raise TaskImportError(f"{name} is no task: its module belongs to Python itself.")
    factory = find_own(name, here=False)
    if not _declared(factory):
        raise TaskImportError(
            f"{name} is neither a class of tasks nor a function annotated as making one "
            "(`-> Task`), and only such are called where a file names them."
        )
    return _made(name, factory, options)


def find_own(name: str, *, here: bool = True) -> Callable[..., Any]:
    """What `package.module:factory` names, imported from the current folder too if `here`.

    Raises `TaskImportError` where there is no such module or name, or the import fails.
    """
    home, _, path = name.partition(":")
    module = _imported(home, name, here)
    found: Any = module
    for word in path.split("."):
        if not hasattr(found, word):
            offered = [n for n, x in vars(found).items() if callable(x) and not n.startswith("_")]
            raise TaskImportError(str(UnknownNameError(f"factory in {home}", path, offered)))
        found = getattr(found, word)
    if not callable(found):
        raise TaskImportError(f"{name} is {found!r}, which cannot be called to make a task.")
    return found


def source_digest(name: str) -> str | None:
    """What tells the file behind a task of one's own from its other versions; else None.

    Of another library's world it is the library's version.
    """
    base, _ = split_name(name)
    if scheme_of(base) is not None:
        return foreign_version(base)
    if not is_own(base):
        return None
    module = _imported(base.partition(":")[0], base)
    path = getattr(module, "__file__", None)
    if path is None or not Path(path).is_file():
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def derived_name(task: "Task") -> tuple[str, dict[str, Any]] | None:
    """`package.module:Class` and the options that make this very task again, or None.

    Another library's world tells its own name. None for what only this process knows (`__main__`, a
    class inside of a function) and for tasks that hold arrays, or other things that no literal
    writes.
    """
    told = getattr(task, "named", None)
    if told is not None:
        return split_name(told)
    kind = type(task)
    name = f"{kind.__module__}:{kind.__qualname__}"
    if kind.__module__ == "__main__" or not is_own(name):
        return None
    options = _options(task)
    if options is None:
        return None
    import equinox as eqx

    try:
        again = make_own(name, options) if find_own(name) is kind else None
        return (name, options) if bool(eqx.tree_equal(again, task)) else None
    except (DeliberationError, TypeError):
        return None


def _made(name: str, factory: Callable[..., Any], options: dict[str, Any]) -> "Task":
    from ..core.task import Task

    offered = offered_by(factory)
    for option in options:
        if offered is not None and option not in offered:
            raise TaskFactoryError(unknown_option(name, option, offered))
    try:
        made = factory(**options)
    except (DeliberationError, *PASSING):
        raise
    except BaseException as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise TaskFactoryError(
            f"{name} raised {type(error).__name__} when called with ({given}){_place(error)}: "
            f"{text_of(error, str)}. Mend it, or give other options."
        ) from error
    if is_environment(made):
        return adopt(name, factory, options)
    if not isinstance(made, Task):
        raise WrongKindError(
            f"{name} made {made!r} ({type(made).__name__}), which is no task: let it return a "
            "subclass of deliberation.Task."
        )
    return made


def _imported(home: str, name: str, here: bool = True) -> Any:
    if home == "__main__":
        raise TaskImportError(
            f"{name} is known to this process alone: put it into a file, and name it {FORM}."
        )
    try:
        with _current_folder() if here else contextlib.nullcontext():
            return importlib.import_module(home)
    except ModuleNotFoundError as error:
        if error.name and (home == error.name or home.startswith(f"{error.name}.")):
            where = f"neither installed nor in {os.getcwd()}" if here else "as far as is installed"
            raise TaskImportError(
                f"There is no module {error.name!r}, {where}: give the task as {FORM}, from the "
                "folder that holds it. Options are written name=value."
            ) from error
        raise _failed(home, error) from error
    except PASSING:
        raise
    except BaseException as error:  # a script without a guard may end the process
        raise _failed(home, error) from error


def _failed(home: str, error: BaseException) -> TaskImportError:
    told = in_words(error)
    return TaskImportError(f"Importing {home} failed{_place(error)} ({told}): mend that module.")


@contextlib.contextmanager
def _current_folder() -> Iterator[None]:
    """Look into the current folder first, as `python -m` does; afterwards last.

    Last, so that what a task imports when it is used is found, and shadows nothing of ours.
    """
    here = os.getcwd()
    if sys.flags.safe_path or {here, ""} & set(sys.path[:1]):
        yield
        return
    known = here in sys.path
    importlib.invalidate_caches()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
        if not known:
            sys.path.append(here)


def _place(error: BaseException) -> str:
    """Where an error was raised: the file and the line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace else ""


def _declared(factory: Callable[..., Any]) -> bool:
    """Whether the code says that a task comes out."""
    from ..core.task import Task

    try:
        makes: Any = inspect.signature(factory, eval_str=True).return_annotation
    except (TypeError, ValueError, NameError):
        makes = None
    made = factory if inspect.isclass(factory) else makes
    return inspect.isclass(made) and issubclass(made, Task)


def _options(task: "Task") -> dict[str, Any] | None:
    """The fields of a task that differ from their defaults, where a literal writes each."""
    found = {}
    for field in dataclasses.fields(task):
        name = field.name
        if not field.init or not hasattr(task, name):
            continue
        value = getattr(task, name)
        if not _literal(value):
            return None
        if type(value) is not type(field.default) or value != field.default:
            found[name] = value
    return found


def _writable(value: Any) -> bool:
    """Whether Python writes the value of an option as it is read."""
    if isinstance(value, list | tuple):
        return all(map(_writable, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _literal(value: Any) -> bool:
    """Whether JSON and Python's literals both write this value and give it back."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_literal, value))
    return value is None or isinstance(value, bool | int | str)
