"""Where a tree of source repeats itself: runs of lines that are equal, or equal in shape."""

import io
import keyword
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ENDINGS = (".py", ".pyi", ".cpp", ".h", ".css")
_SKIPPED = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
_IMPORT = re.compile(r"(from\s+\S+\s+)?import\b|#include\b")
_HEADING = re.compile(r"(def|class|async|@|\) ->|\) :)")
_WORK = re.compile(
    r"(NAME|\]|\)) \(|\b(if|for|while|return|raise|assert|with|yield|lambda|not|and|or|in|is|try"
    r"|except|else)\b|[-+*/%<>&~@]|==|!="
)


class Line(NamedTuple):
    """A line that counts: where it is, and what it is compared by."""

    file: Path
    number: int
    text: str


class Pair(NamedTuple):
    """A run of lines that count, standing in two places."""

    first: list[Line]
    second: list[Line]

    def __str__(self) -> str:
        places = (f"{run[0].file}:{run[0].number}-{run[-1].number}" for run in self)
        return f"{' ~ '.join(places)} ({len(self.first)} lines)"


def files(folder: Path, endings: Iterable[str] = ENDINGS) -> list[Path]:
    """The source files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix in endings)


def lines(path: Path) -> list[Line]:
    """A file without blank lines, comments, imports and lone punctuation; white space folded."""
    found, imported = [], imports(path) if path.suffix in (".py", ".pyi") else set()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        text = " ".join(line.split())
        comment = text.startswith("//" if path.suffix in (".cpp", ".h") else "#")
        if re.search(r"\w", text) and not comment and number not in imported:
            found.append(Line(path, number, text))
    return [line for line in found if not _IMPORT.match(line.text)]


def imports(path: Path) -> set[int]:
    """The numbers of a Python file's lines that belong to an import of several lines."""
    numbers, opened = set(), False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        opened = opened or bool(re.match(r"\s*from \S+ import \($", line))
        if opened:
            numbers.add(number)
            opened = not line.strip().startswith(")")
    return numbers


def shapes(path: Path) -> list[Line]:
    """A Python file's lines with names, strings and numbers blotted out; docstrings count once."""
    counted, words = {line.number for line in lines(path)}, defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type in _SKIPPED or token.start[0] not in counted:
            continue
        plain = token.type == tokenize.OP or keyword.iskeyword(token.string)
        words[token.start[0]].append(token.string if plain else tokenize.tok_name[token.type])
    shaped = [Line(path, number, " ".join(parts)) for number, parts in sorted(words.items())]
    return [line for line in shaped if line.text.strip("()[]{},: ")]


def works(shape: str) -> bool:
    """Whether a line does something (calls, computes, branches), beside naming and listing."""
    return not _HEADING.match(shape) and bool(_WORK.search(shape))


def pairs(texts: Iterable[list[Line]], least: int) -> Iterator[Pair]:
    """Every two places that share a run of `least` or more lines, each pair at its full length.

    Runs in the same file do not overlap.
    """
    texts = list(texts)
    places = defaultdict(list)
    for file, found in enumerate(texts):
        for at in range(len(found) - least + 1):
            places[tuple(line.text for line in found[at : at + least])].append((file, at))
    diagonals = defaultdict(list)
    for standing in places.values():
        for index, (one, at) in enumerate(standing):
            for other, there in standing[index + 1 :]:
                if one != other or there - at >= least:
                    diagonals[one, other, there - at].append(at)
    for (one, other, distance), starts in diagonals.items():
        for at, length in _runs(starts, least):
            end = at + distance + length
            yield Pair(texts[one][at : at + length], texts[other][at + distance : end])


def _runs(starts: list[int], least: int) -> Iterator[tuple[int, int]]:
    """(start, length) of every stretch of consecutive window starts."""
    starts = sorted(starts)
    first = 0
    for index in range(1, len(starts) + 1):
        if index == len(starts) or starts[index] != starts[index - 1] + 1:
            yield starts[first], starts[index - 1] - starts[first] + least
            first = index


def equal_runs(folder: Path, least: int = 12) -> list[Pair]:
    """The pairs of places whose lines are equal to the letter."""
    return list(pairs((lines(path) for path in files(folder)), least))


def similar_runs(folder: Path, least: int = 6) -> list[Pair]:
    """The pairs of places whose Python is equal up to names, strings and numbers.

    A run of declarations (fields, parameters, tables) is the language's; it counts from two lines
    on that do something.
    """
    found = pairs((shapes(path) for path in files(folder, (".py",))), least)
    return [pair for pair in found if sum(works(line.text) for line in pair.first) >= 2]
