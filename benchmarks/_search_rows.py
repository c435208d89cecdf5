"""What `search.py` measures, one row a setting, and what is wanted. Imports nothing heavy."""

from dataclasses import dataclass
from typing import Literal

from deliberation.core.errors import DeliberationError

Kind = Literal["search", "sweep", "uct", "sizes", "memory", "match"]
PEERS = {"mctx": "mctx", "open_spiel": "pyspiel"}
"""Libraries to compare with: the package's name and the module it is imported by."""


class MissingPeerError(DeliberationError, ImportError):
    """A library to compare with is not installed."""

    def __init__(self, package: str):
        super().__init__(
            f"{package} is not installed, and some rows measure against it: install it with "
            "`pip install -e '.[dev]'`, or choose other rows with --rows."
        )


@dataclass(frozen=True)
class Target:
    """What a ratio is to reach: at least or at most `bound`.

    `capped` marks a ratio that no engine can bring above that of the same baseline to the limit:
    the task's step and the network take that time whoever searches.
    """

    bound: float
    least: bool = True
    capped: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Row:
    """One setting. `faster` is wanted against the other library, `limit` against the limit."""

    name: str
    title: str
    kind: Kind
    task: str = "connect_four"
    batch: int = 64
    simulations: int = 64
    network: Literal["mlp", "residual"] = "mlp"
    rule: Literal["puct", "gumbel"] = "puct"
    faster: Target | None = None
    limit: Target | None = None
    peer: str = "mctx"


def _search(name: str, title: str, **settings: object) -> Row:
    return Row(name, title, "search", **settings)  # type: ignore[arg-type]


ROWS = {
    row.name: row
    for row in (
        _search(
            "connect_four_64", "Connect Four, B 64, 64 simulations",
            faster=Target(2.5), limit=Target(1.25, least=False),
        ),
        _search(
            "connect_four_256", "Connect Four, B 64, 256 simulations", simulations=256,
            faster=Target(6), limit=Target(1.3, least=False),
        ),
        _search(
            "connect_four_800", "Connect Four, B 64, 800 simulations", simulations=800,
            faster=Target(12), limit=Target(1.5, least=False),
        ),
        _search(
            "connect_four_b512", "Connect Four, B 512, 64 simulations", batch=512,
            faster=Target(2.5), limit=Target(1.25, least=False),
        ),
        _search(
            "othello", "Othello, B 64, 256 simulations", task="othello", simulations=256,
            faster=Target(8, capped=True), limit=Target(1.3, least=False),
        ),
        _search(
            "go_9x9", "Go 9x9, B 64, 256 simulations", task="go_9x9", simulations=256,
            faster=Target(8, capped=True), limit=Target(1.3, least=False),
        ),
        _search(
            "latency", "Connect Four, B 1, Gumbel, 64 simulations, residual 6 x 64", batch=1,
            network="residual", rule="gumbel", faster=Target(2.5),
        ),
        Row(
            "sweep", "Ten budgets from 2 to 1,024, B 64, compiling included", "sweep",
            simulations=1024, faster=Target(6),
        ),
        Row(
            "uct", "UCT, random rollouts, 400 simulations, one core", "uct", simulations=400,
            faster=Target(5), peer="open_spiel",
        ),
        Row("sizes", "Cost of a simulation by the tree's size", "sizes", simulations=8192),
        Row("memory", "Bytes a node", "memory", batch=16),
        Row(
            "match", "Connect Four against MCTSBot, 200 simulations each", "match",
            simulations=200, peer="open_spiel",
        ),
    )
}  # fmt: skip
"""Every row by its name, in the order in which they are measured and shown."""

BUDGETS = tuple(2**i for i in range(1, 11))
"""The sweep's."""
