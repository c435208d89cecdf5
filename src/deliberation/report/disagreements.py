"""Positions in which search, a learned function and the exact answer disagree, drawn as text.

Read from a run's records: what each chose on the positions that both were scored on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import DeliberationError
from ..runs.columns import read_column
from ..runs.records import Record
from ..runs.stores import artefact_folder
from .numbers import number

MOST = 3
"""So many positions are drawn of a task."""
SCORED, SEARCH, NETWORK = "scoring:score", "planner", "network"


class Choice(NamedTuple):
    """What somebody chose: the action, what it gives up, and the position after it.

    `after` is the likeliest where chance has a say, and empty where that is not known.
    """

    who: str
    action: int
    regret: float
    after: str


class Position(NamedTuple):
    """A position as text, and the choices in it, the exact one last."""

    task: str
    drawn: str
    choices: tuple[Choice, ...]


def disagreements(
    folder: Path | str, records: Mapping[str, Record], tasks: Iterable[str]
) -> list[Position]:
    """Up to `MOST` positions of each task on which both sides were scored by single decisions.

    First those in which both err, then those in which search, then those in which the network
    does; the costliest of each in turn. A task whose positions cannot be read has none.
    """
    found = []
    for task in tasks:
        try:
            found += list(_of_task(Path(folder), records, task))
        except (OSError, KeyError, DeliberationError):
            continue
    return found


def drawn(positions: Iterable[Position]) -> str:
    """The positions as markup: each beside what it became by each choice."""
    items = "\n".join(_position(one) for one in positions)
    if not items:
        return ""
    return f"""<div class="claim positions">
<h3>Positions in which they disagree</h3>
<p class="statement">The same position, and what each made of it. What a choice gives up is in the
task's own reward, against the best one, by exact values; where chance has a say, the likeliest
outcome is drawn.</p>
{items}
</div>"""


def pick(
    search: np.ndarray, network: np.ndarray, regrets: np.ndarray, most: int = MOST
) -> list[int]:
    """Which of some positions to draw, from both sides' actions [n] and all regrets [n, actions].

    Only those in which the two differ, and at least one errs.
    """
    rows = np.arange(len(search))
    lost = np.stack([regrets[rows, search], regrets[rows, network]])
    errs = lost > 1e-6
    kinds = (errs.all(0), errs[0] & ~errs[1], errs[1] & ~errs[0])
    queues = [
        sorted(np.flatnonzero(kind & (search != network)), key=lambda i: (-lost[:, i].sum(), i))
        for kind in kinds
    ]
    chosen: list[int] = []
    while any(queues) and len(chosen) < most:
        chosen += [int(queue.pop(0)) for queue in queues if queue]
    return chosen[:most]


def _of_task(folder: Path, records: Mapping[str, Record], task: str) -> Iterator[Position]:
    import jax

    from ..claims.measuring.exams import read_positions
    from ..tasks import make_task

    pair = _pair(records, task)
    if pair is None:
        return
    search, network = pair
    exam = records[search.settings["positions"]]
    world = make_task(task)
    after = _likeliest(world)

    def show(state: Any) -> str:
        return "" if state is None else world.render(state)

    states, values = read_positions(artefact_folder(folder, exam), world)
    regrets = np.nanmax(values, axis=1, keepdims=True) - values
    ours, theirs = (
        read_column(folder, r, "action").values[-1].astype(int) for r in (search, network)
    )
    budget = search.settings["budgets"][-1]
    for row in pick(ours, theirs, regrets):
        state = jax.tree.map(lambda x, row=row: x[row], states)
        best = int(np.nanargmin(regrets[row]))
        chosen = (
            (f"search ({number(budget)})", int(ours[row])),
            ("network", int(theirs[row])),
            ("exact answer", best),
        )
        choices = (Choice(w, a, float(regrets[row, a]), show(after(state, a))) for w, a in chosen)
        yield Position(task, show(state), tuple(choices))


def _pair(records: Mapping[str, Record], task: str) -> tuple[Record, Record] | None:
    """Search and a network that answered on the same positions: most budgets, most examples."""
    scored = [
        record
        for record in records.values()
        if record.function.endswith(SCORED) and record.settings["task"] == task
    ]
    plain = [r for r in scored if r.settings["subject"].endswith(f":{SEARCH}")]
    taught = [r for r in scored if r.settings["subject"].endswith(f":{NETWORK}")]

    def examples(record: Record) -> int:
        source = records.get(record.settings["policy"] or "")
        return source.settings.get("count", 0) if source is not None else 0

    for search in sorted(plain, key=lambda r: -len(r.settings["budgets"])):
        same = [r for r in taught if r.settings["positions"] == search.settings["positions"]]
        if same:
            return search, max(same, key=lambda r: (examples(r), r.cell))
    return None


def _likeliest(world: Any) -> Callable[[Any, int], Any]:
    """The function from a position and an action to the likeliest position after it.

    It returns None where chance has a say and its outcomes are not listed.
    """
    import jax
    import jax.numpy as jnp

    if world.traits.deterministic:
        return jax.jit(lambda state, action: world.advance(state, action, jax.random.key(0)))
    if not world.traits.outcomes:
        return lambda state, action: None

    def likeliest(state: Any, action: Any) -> Any:
        states, chances = world.outcomes(state, action)
        return jax.tree.map(lambda x: x[jnp.argmax(chances)], states)

    return jax.jit(likeliest)


def _position(one: Position) -> str:
    choices = "".join(_choice(one.drawn, choice) for choice in one.choices)
    return f"""<div class="boards">
<figure><figcaption>{escape(one.task)}</figcaption><pre>{escape(one.drawn)}</pre></figure>
{choices}
</div>"""


def _choice(before: str, choice: Choice) -> str:
    kind = "best" if choice.regret <= 1e-6 else "errs"
    worth = "best" if kind == "best" else f"gives up {number(choice.regret)}"
    picture = f"<pre>{_marked(before, choice.after)}</pre>" if choice.after else ""
    return (
        f'<figure class="{kind}"><figcaption>{escape(choice.who)}: action {choice.action}, '
        f"<b>{worth}</b></figcaption>{picture}</figure>\n"
    )


def _marked(before: str, after: str) -> str:
    """The text with what a choice changed marked; what is empty or only counts is not."""
    if len(before) != len(after):
        return escape(after)
    return "".join(
        f"<mark>{escape(new)}</mark>"
        if new != old and not new.isspace() and not (new + old).isdigit()
        else escape(new)
        for old, new in zip(before, after, strict=True)
    )
