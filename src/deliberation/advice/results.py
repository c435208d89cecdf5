"""From the records of a run to options, and the advice with everything that it rests on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from .choosing import Choice
from .resampling import Option


class Recipe(msgspec.Struct, frozen=True):
    """How an option is made again: imports, an expression, its budget, and a saved policy."""

    title: str
    imports: str
    recipe: str
    budget: int | None = None
    policy: str | None = None
    note: str = ""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What is advised on a task under some limits, and what it rests on.

    `choice` holds every measured option with its intervals; `unfit` says by family why it was no
    candidate, `left` by option why it was not measured. `lines` are Python that runs what is
    recommended. Its text (`print(advice)`) is the same as the command's.
    """

    task: str
    limits: Any
    choice: Choice
    recipes: dict[str, Recipe]
    unfit: dict[str, str]
    left: dict[str, str]
    world: dict[str, Any]
    episodes: int
    seconds: float
    lines: str
    folder: str

    @property
    def verdict(self) -> str:
        """ "plan", "learn", "both", "neither", or "nothing" (no option keeps the limits)."""
        return self.choice.verdict

    @property
    def recommended(self) -> str | None:
        """The name of the option that is recommended."""
        return self.choice.recommended

    def __str__(self) -> str:
        from .words import told

        return told(self)

    def __repr__(self) -> str:
        from .words import headline

        return f"Advice({self.task}: {headline(self)})"


def gathered(
    outcomes: Sequence[tuple[str, Mapping[str, Any]]],
) -> tuple[list[Option], dict[str, Recipe], dict[str, str], dict[str, str]]:
    """Options, their recipes, what was left out, and which families refused the task, and why.

    `outcomes` are those of all cells with their family's title; trainings of one option are put
    together.
    """
    found: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    left: dict[str, str] = {}
    refused: dict[str, str] = {}
    for title, outcome in outcomes:
        if "refused" in outcome:
            refused[title] = outcome["refused"]
        left |= outcome["left"]
        for option in outcome["options"]:
            found[option["name"]].append((title, option))
    options = [_option(name, told) for name, told in found.items()]
    recipes = {name: _recipe(told[0][1]) for name, told in found.items()}
    return options, recipes, {n: why for n, why in left.items() if n not in found}, refused


def _option(name: str, told: list[tuple[str, Mapping[str, Any]]]) -> Option:
    parts = [part for _, part in told]
    most = max(len(part["scores"]) for part in parts)
    scores = np.full((len(parts), most), np.nan)
    for row, part in zip(scores, parts, strict=True):
        row[: len(part["scores"])] = part["scores"]
    calls = min(len(part["seconds"]) for part in parts)
    seconds = np.array([part["seconds"][:calls] for part in parts])
    preparation = np.array([part["preparation"] for part in parts], float)
    return Option(name, parts[0]["kind"], scores, seconds, preparation, told[0][0])


def _recipe(part: Mapping[str, Any]) -> Recipe:
    names = ("title", "imports", "recipe", "budget", "policy", "note")
    return Recipe(*(part[name] for name in names))
