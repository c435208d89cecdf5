"""Draws docs/house.svg: the wings, their rooms and imports, and the walk of one decision.

`make house` draws it again. All that it shows is read from the code and from one decision, and
stands as JSON in the file, so that a test can tell whether the picture is current:
`python docs/house.py --check`.
"""

import ast
import json
import re
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SOURCE = DOCS.parent / "src" / "deliberation"
FIGURE = DOCS / "house.svg"
SVG = "http://www.w3.org/2000/svg"

Box = tuple[float, float, float, float]
"""(x, y, width, height) of a rectangle."""

WIDTH, LEFT, GAP, PAD = 1080, 640, 34, 14
"""Widths of the picture and of its left half, and the room between rows and inside of boxes."""
TITLE, SMALL, CHIP = 15.0, 11.5, 12.0
"""Sizes of type, in CSS pixels."""


def what_is_shown() -> dict[str, Any]:
    """Everything in the picture, as data: layers of wings, their rooms, imports and the walk."""
    return {"layers": layers(), "wings": wings(), "imports": imports(), "walk": walk()}


def layers() -> list[list[str]]:
    """The wings from the top down, as the linter holds them; those in a row are blind to each
    other."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))
    rows = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [row.split(" | ") for row in rows]


def wings() -> dict[str, dict[str, int]]:
    """The number of modules in each room of each wing; those in no room stand under ''."""
    found: dict[str, Counter[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        wing, *inner = path.relative_to(SOURCE).parts
        if inner and path.name != "__init__.py":
            found.setdefault(wing, Counter())[inner[0] if len(inner) > 1 else ""] += 1
    return {wing: dict(sorted(rooms.items())) for wing, rooms in found.items()}


def imports() -> dict[str, int]:
    """How many imports lead from a module of one wing to another wing ("from > to")."""
    found: Counter[str] = Counter()
    for path in sorted(SOURCE.rglob("*.py")):
        wing, *inner = path.relative_to(SOURCE).parts
        for node in ast.walk(ast.parse(path.read_text("utf-8"))) if inner else ():
            if isinstance(node, ast.ImportFrom) and node.level == len(inner) + 1:
                named = [node.module] if node.module else [alias.name for alias in node.names]
                found.update(f"{wing} > {name.partition('.')[0]}" for name in named)
    there = {wing for row in layers() for wing in row}
    return {pair: found[pair] for pair in sorted(found) if set(pair.split(" > ")) <= there}


def walk() -> list[dict[str, str]]:
    """The files of `direct` that a decision passes through, and what each says it is for."""
    import jax

    from deliberation import make_task
    from deliberation.direct import TreeSearch

    sys.path.insert(0, str(DOCS.parent / "tests"))
    from walks import walk_of

    task, key = make_task("tic_tac_toe"), jax.random.key(0)
    start = jax.vmap(task.init)(jax.random.split(key, 2))
    decider = TreeSearch(task, "uct", budget=8, backend="jax")
    files = [f"{module.replace('.', '/')}.py" for module in walk_of(decider, start, key)]
    return [{"file": file, "purpose": purpose(SOURCE / "direct" / file)} for file in files]


def purpose(path: Path) -> str:
    """The first sentence of a module's docstring, or as much of it as stands before a colon."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split())
    return re.split(r"(?<=\w)[.:;](?:\s|$)", text)[0]


def rows(shown: dict[str, Any]) -> list[list[str]]:
    """The layers as they are drawn: neighbours without an import between them share a row."""
    drawn: list[list[str]] = []
    for layer in shown["layers"]:
        above = drawn[-1] if drawn else []
        single = len(above) == len(layer) == 1
        if single and f"{above[0]} > {layer[0]}" not in shown["imports"]:
            above.extend(layer)
        else:
            drawn.append(list(layer))
    return drawn


def implied(pair: str, pairs: set[str]) -> bool:
    """Whether other imports lead the same way in more than one step."""
    start, end = pair.split(" > ")
    reached, edge = set(), {start}
    while edge:
        reached |= edge
        edge = {p.split(" > ")[1] for p in pairs - {pair} if p.split(" > ")[0] in edge} - reached
    return end in reached


def chips(rooms: dict[str, int], width: float) -> list[tuple[str, float, float, float]]:
    """(words, x, y, width) of each room's label, set in lines like words."""
    set_, x, y = [], 0.0, 0.0
    for room, count in sorted(rooms.items(), key=lambda item: (not item[0], item[0])):
        words = f"{room.replace('_', ' ')} {count}" if room else ""
        size = 6.4 * len(words) + 18
        if not words:
            continue
        if x and x + size > width:
            x, y = 0.0, y + 27
        set_.append((words, x, y, size))
        x += size + 6
    return set_


class Picture:
    """An SVG that grows element by element."""

    def __init__(self) -> None:
        self.root = ET.Element(f"{{{SVG}}}svg", role="img")

    def add(self, tag: str, text: str | None = None, **attributes: Any) -> ET.Element:
        """One element; underscores in names stand for hyphens, `cls` for the class."""
        names = {"cls": "class"}
        kept = {
            names.get(name, name.replace("_", "-")): f"{value:g}"
            if isinstance(value, float | int)
            else value
            for name, value in attributes.items()
        }
        element = ET.SubElement(self.root, f"{{{SVG}}}{tag}", kept)
        element.text = text
        return element


def boxes(shown: dict[str, Any]) -> dict[str, Box]:
    """The rectangle of each wing."""
    found, y = {}, 72.0
    for row in rows(shown):
        weights = [max(9, sum(len(room) + 5 for room in shown["wings"][wing])) for wing in row]
        widths = shares(weights, LEFT - 24 * (len(row) - 1)) if len(row) > 1 else [LEFT]
        if not any(set(shown["wings"][wing]) - {""} for wing in row):
            widths = [min(200, width) for width in widths]
        lines = [
            chips(shown["wings"][w], size - 2 * PAD) for w, size in zip(row, widths, strict=True)
        ]
        height = max(38 + (max(c[2] for c in line) + 34 if line else 0) for line in lines)
        x = (LEFT - sum(widths) - 24 * (len(row) - 1)) / 2
        for wing, width in zip(row, widths, strict=True):
            found[wing] = (x, y, width, height)
            x += width + 24
        y += height + GAP
    return found


def shares(weights: list[int], width: float) -> list[float]:
    """A width in parts after their weights, none of them too narrow."""
    least = 150
    spare = width - least * len(weights)
    return [least + spare * weight / sum(weights) for weight in weights]


def draw(shown: dict[str, Any]) -> str:
    """The picture as the text of an SVG file."""
    picture, placed = Picture(), boxes(shown)
    bottom = max(y + height for _, y, _, height in placed.values())
    end = 92.0 + 38 * (len(shown["walk"]) + 1)
    height = max(bottom, end) + 30
    picture.root.set("viewBox", f"-20 0 {WIDTH + 40} {height:g}")
    picture.root.set("width", f"{WIDTH + 40}")
    describe(picture, shown)
    picture.add("rect", x=-20, y=0, width=WIDTH + 40, height=height, cls="paper")
    picture.add("text", "Wings and rooms, and who imports whom", x=0, y=32, cls="title")
    words = "an arrow is faint where other imports lead the same way"
    picture.add("text", words, x=0, y=51, cls="small")
    walked = {step["file"].split("/")[0] for step in shown["walk"] if "/" in step["file"]}
    draw_imports(picture, shown, placed)
    for wing, box in placed.items():
        draw_wing(picture, wing, shown["wings"][wing], box, walked if wing == "direct" else set())
    draw_walk(picture, shown["walk"], LEFT + 70)
    ET.register_namespace("", SVG)
    for element in picture.root:
        element.tail = "\n"
    return ET.tostring(picture.root, encoding="unicode") + "\n"


def describe(picture: Picture, shown: dict[str, Any]) -> None:
    """The words for those who do not see the picture, its colours, and its data."""
    from deliberation.report.svg import variables

    files = ", ".join(step["file"] for step in shown["walk"])
    rows_ = "; ".join(" beside ".join(row) for row in rows(shown))
    picture.add("title", "The house: wings, rooms, imports, and the walk of a decision")
    picture.add(
        "desc",
        f"From the top down: {rows_}. Imports lead down only. A decision of TreeSearch passes "
        f"through {files}.",
    )
    picture.add("metadata", json.dumps(shown))
    picture.add("style", variables() + STYLE)


def draw_imports(picture: Picture, shown: dict[str, Any], placed: dict[str, Box]) -> None:
    """Arrows, behind the boxes; those that others imply are faint."""
    pairs = set(shown["imports"])
    for pair in sorted(pairs, key=lambda pair: not implied(pair, pairs)):
        upper, lower = (placed[wing] for wing in pair.split(" > "))
        start, end = ends(upper, lower)
        top, foot = upper[1] + upper[3], lower[1] - 2
        faint = implied(pair, pairs)
        line = f"M{start:.1f} {top:.1f}L{end:.1f} {foot:.1f}"
        picture.add("path", d=line, cls="faint" if faint else "arrow")
        if not faint:
            picture.add("path", d=f"M{end:.1f} {foot:.1f}l-4.5 -8h9z", cls="head")


def ends(upper: Box, lower: Box) -> tuple[float, float]:
    """Where an arrow starts and ends: straight down where one box stands above the other."""
    left, right = max(upper[0], lower[0]), min(upper[0] + upper[2], lower[0] + lower[2])
    if left + 24 < right:
        return (left + right) / 2, (left + right) / 2
    if upper[0] < lower[0]:
        return upper[0] + upper[2] - 18, lower[0] + 18
    return upper[0] + 18, lower[0] + lower[2] - 18


def draw_wing(
    picture: Picture,
    wing: str,
    rooms: dict[str, int],
    box: Box,
    walked: set[str],
) -> None:
    """A wing with its rooms; those that the walk enters are marked."""
    x, y, width, height = box
    picture.add("rect", x=x, y=y, width=width, height=height, rx=9, cls=f"wing {wing}")
    picture.add("text", wing, x=x + PAD, y=y + 24, cls="name")
    count = f"{sum(rooms.values())} modules"
    picture.add("text", count, x=x + width - PAD, y=y + 24, cls="small end")
    for words, dx, dy, size in chips(rooms, width - 2 * PAD):
        marked = words.rpartition(" ")[0].replace(" ", "_") in walked
        left, top = x + PAD + dx, y + 36 + dy
        picture.add(
            "rect", x=left, y=top, width=size, height=22, rx=11,
            cls="room walked" if marked else "room",
        )  # fmt: skip
        picture.add("text", words, x=left + size / 2, y=top + 15.2, cls="chip")


def draw_walk(picture: Picture, steps: list[dict[str, str]], x: float) -> None:
    """The files of a decision from the call to the answer, one below the other."""
    picture.add("text", "The walk of TreeSearch.decide", x=x - 12, y=32, cls="title")
    words = "files of direct, in the order in which a decision enters them"
    picture.add("text", words, x=x - 12, y=51, cls="small")
    y = 84.0
    foot = y + 38 * len(steps)
    picture.add("path", d=f"M{x:g} {y:g}V{foot - 12:g}", cls="walk")
    picture.add("path", d=f"M{x:g} {foot - 4:g}l-5 -9h10z", cls="walkhead")
    for number, step in enumerate(steps, 1):
        folder, _, name = step["file"].rpartition("/")
        picture.add("circle", cx=x, cy=y, r=10.5, cls="stop")
        picture.add("text", str(number), x=x, y=y + 3.8, cls="number")
        words = picture.add("text", None, x=x + 22, y=y - 1, cls="file")
        if folder:
            ET.SubElement(words, f"{{{SVG}}}tspan", {"class": "folder"}).text = f"{folder}/"
        ET.SubElement(words, f"{{{SVG}}}tspan").text = name
        picture.add("text", shortened(step["purpose"], 54), x=x + 22, y=y + 14, cls="small")
        y += 38
    picture.add("text", "answer", x=x, y=foot + 12, cls="answer")


def shortened(text: str, most: int) -> str:
    """As many whole words as fit."""
    if len(text) <= most:
        return text
    return text[:most].rpartition(" ")[0].rstrip(",") + " …"


STYLE = f"""
text {{ fill: var(--ink); font-size: {CHIP}px }}
.paper {{ fill: var(--paper) }}
.title {{ font-size: {TITLE + 2}px; font-weight: 650 }}
.name {{ font-size: {TITLE}px; font-weight: 650 }}
.small {{ font-size: {SMALL}px; fill: var(--muted) }}
.end {{ text-anchor: end }}
.wing {{ fill: var(--paper); stroke: var(--s6); stroke-width: 1.3 }}
.direct {{ stroke: var(--s1); stroke-width: 2 }}
.amortised {{ stroke: var(--s2); stroke-width: 2 }}
.hybrid {{ stroke: var(--s4); stroke-width: 2 }}
.room {{ fill: var(--rule); fill-opacity: .55 }}
.walked {{ fill: var(--s1); fill-opacity: .14; stroke: var(--s1) }}
.chip, .number, .answer {{ text-anchor: middle }}
.arrow {{ fill: none; stroke: var(--ink); stroke-width: 1.4 }}
.head {{ fill: var(--ink) }}
.faint {{ fill: none; stroke: var(--muted); stroke-width: .8; stroke-opacity: .45 }}
.walk {{ fill: none; stroke: var(--s1); stroke-width: 2 }}
.walkhead {{ fill: var(--s1) }}
.stop {{ fill: var(--paper); stroke: var(--s1); stroke-width: 2 }}
.number {{ font-size: 10.5px; fill: var(--s1); font-weight: 650 }}
.file {{ font-size: 13px; font-weight: 600 }}
.folder {{ font-weight: 400; fill: var(--muted) }}
.answer {{ font-size: 13px; font-weight: 650; fill: var(--s1) }}
"""


def data_of(figure: Path = FIGURE) -> Any:
    """What a drawn picture shows."""
    found = ET.parse(figure).getroot().find(f"{{{SVG}}}metadata")
    return None if found is None or found.text is None else json.loads(found.text)


def main() -> None:
    """Draw, or with `--check` say what has changed since the picture was drawn."""
    sys.path.insert(0, str(SOURCE.parent))  # the code beside this file, whatever is installed
    shown = what_is_shown()
    if "--check" not in sys.argv[1:]:
        FIGURE.write_text(draw(shown), "utf-8")
        print(FIGURE)
        return
    drawn = data_of() if FIGURE.exists() else {}
    changed = [part for part in shown if shown[part] != (drawn or {}).get(part)]
    if changed:
        sys.exit(f"{FIGURE} shows other {', '.join(changed)} than the code has: make house")


if __name__ == "__main__":
    main()
