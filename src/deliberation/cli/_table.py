"""Who sits at the table: a person or deciders, what each thinks, and the record of a game."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import GameFileError, OutputFolderError, StorageError

if TYPE_CHECKING:
    from ..tasks.moves import Game
    from ..zoo.naming import Named
    from ..zoo.views import View

FORMAT = "deliberation game"
VERSION = 1


@dataclass
class Table:
    """A game and who plays it: a decider in each seat, None for the person.

    Deciders draw from the game's seed and the number of the move, so that a game which is played
    again, or taken back, goes the same way.
    """

    game: "Game"
    seats: "list[Named | None]"
    hint: "Named | None" = None
    memories: dict[int, list[Any]] = field(default_factory=dict)

    @property
    def person(self) -> bool:
        """Whether it is a person's move."""
        return not self.game.over and self.seats[self.game.mover] is None

    @property
    def hidden(self) -> bool:
        """Whether anything is kept from the players."""
        return not self.game.task.traits.fully_observable

    def think(self) -> "View":
        """What the decider to move makes of the position; its move is not made yet."""
        named = self.seats[self.game.mover]
        assert named is not None
        kept = self.memories.setdefault(self.game.mover, [])
        ply = len(self.game.actions)
        before = [memory for when, memory in kept if when < ply]
        seen, memory = self._ask(named, before[-1] if before else None)
        kept[:] = [entry for entry in kept if entry[0] < ply] + [(ply, memory)]
        return seen

    def advise(self) -> "View | None":
        """What a search would do in the person's place; None where none can."""
        return None if self.hint is None else self._ask(self.hint, None)[0]

    def undo(self) -> bool:
        """Back to the person's move before the last one; False where there is none."""
        game, mine = self.game, [s for s, who in enumerate(self.seats) if who is None]
        plies = [ply for ply, mover in enumerate(game.movers) if mover in mine]
        if not plies:
            return False
        while len(game.actions) > plies[-1]:
            game.undo()
        return True

    def _ask(self, named: "Named", memory: Any) -> "tuple[View, Any]":
        import jax

        from ..core.keys import named_key
        from ..zoo.views import view

        game = self.game
        key = jax.random.fold_in(named_key(game.key, "deciders"), len(game.actions))
        return view(named, game.state, key, game.objective, memory)


def record_of(table: Table, task: str, names: list[str]) -> str:
    """A game as JSON: enough to replay it, and how it went."""
    from ..tasks.moves import names_of

    game = table.game
    told = {
        "format": FORMAT,
        "version": VERSION,
        "task": task,
        "seed": game.seed,
        "seats": names,
        "moves": names_of(game.task, game.actions),
        "over": game.over,
        "returns": [round(float(x), 6) for x in game.returns],
    }
    return json.dumps(told, indent=2) + "\n"


def read_record(path: Path) -> dict[str, Any]:
    """What a saved game says: at least its task, seed and moves. Raises `GameFileError`."""
    try:
        told = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise GameFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise GameFileError(f"{path} is no saved game: {error}. Save one by --save.") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise GameFileError(f"{path} is no saved game of this library. Save one by --save.")
    if told.get("version") != VERSION:
        raise GameFileError(
            f"{path} has version {told.get('version')!r}; this release reads version {VERSION}."
        )
    kinds = {"task": str, "seed": int, "moves": list}
    for name, kind in kinds.items():
        if not isinstance(told.get(name), kind):
            raise GameFileError(f"{path} is damaged: it has no {name}. Restore it from a copy.")
    if told["seed"] < 0 or not all(isinstance(move, str) for move in told["moves"]):
        raise GameFileError(f"{path} is damaged: its seed or its moves are none. Restore it.")
    return told


def check_place(path: Path) -> None:
    """Refuse a place for a record before a game is played for it. Raises typed errors."""
    if path.is_dir():
        raise OutputFolderError(f"{path} is a folder: name a file for the game.")
    if path.exists():
        try:
            read_record(path)
        except GameFileError:
            raise OutputFolderError(
                f"{path} is there and is no saved game: it would be lost. Choose another name."
            ) from None
    elif not path.parent.is_dir():
        raise StorageError(f"There is no folder {path.parent} to save the game in: make it first.")
