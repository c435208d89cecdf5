"""What `search.py` shows and keeps: targets beside figures, as a table, Markdown and a figure."""

import math
from collections.abc import Mapping
from typing import Any

from _search_rows import ROWS, Row, Target
from rich.console import Console
from rich.table import Table

from deliberation.report.figures import standalone_svg
from deliberation.runs.findings import Figure, Panel, Series

Found = Mapping[str, Any]
EQUAL = 0.45
"""A score of two that are equal is 0.5; above this one is not weaker by what matters."""
MARKS = {"met": "✓", "not met": "✗", "unclear": "~", "out of reach": "–"}
LEGEND = (
    "✓ met, ✗ not met, ~ the interval lies across the target, – no engine could: even the limit "
    "is not that much faster than the other library. [95 % intervals of the medians over rounds] "
    "Ours and theirs are timed as users call them; times the limit, inside of a compiled function."
)
LIMITED = "ours in jit / limit"
"""The limit is a compiled loop without checks; what is compared with it is the like of it."""
COLUMNS = ("Setting", "Ours", "Theirs", "Limit", "Faster than theirs", "Times the limit")


def verdict(ratio: Found, target: Target, ceiling: Found | None = None) -> str:
    """Whether a ratio reaches its target: "met", "not met", "unclear" or "out of reach".

    `ceiling` is the other library's ratio to the limit, which an engine at the limit would reach.
    """
    low, high = ratio["low"], ratio["high"]
    if low is None or high is None:
        return "unclear"
    good, bad = low >= target.bound, high < target.bound
    if not target.least:
        good, bad = high <= target.bound, low > target.bound
    if good:
        return "met"
    if target.capped and ceiling is not None and (ceiling["high"] or math.inf) < target.bound:
        return "out of reach"
    return "not met" if bad else "unclear"


def checks(rows: Mapping[str, Found]) -> list[dict[str, Any]]:
    """Every target with what was measured and the verdict."""
    found = []
    for name, measured in rows.items():
        row, ratios = ROWS[name], measured.get("ratios", {})
        ceiling = ratios.get(f"{row.peer} / limit")
        for ratio, target in ((f"{row.peer} / ours", row.faster), (LIMITED, row.limit)):
            if target is not None and ratio in ratios:
                got = {k: ratios[ratio][k] for k in ("median", "low", "high")}
                answer = verdict(ratios[ratio], target, ceiling)
                entry = {"row": name, "ratio": ratio, "target": str(target), **got}
                found.append({**entry, "verdict": answer})
        for variant, score in measured.get("match", {}).items():
            # Shown not to be weaker, and not merely not shown to be.
            if score["low"] >= EQUAL:
                answer = "met"
            else:
                answer = "not met" if score["high"] < 0.5 else "unclear"
            got = {"median": score["score"], "low": score["low"], "high": score["high"]}
            entry = {"row": name, "ratio": f"score {variant}", "target": f"above {EQUAL}", **got}
            found.append({**entry, "verdict": answer})
    return found


def lines(rows: Mapping[str, Found]) -> list[list[str]]:
    """The table's cells, a line or more for each row that was measured."""
    marks = {(c["row"], c["ratio"]): f"{c['target']} {MARKS[c['verdict']]}" for c in checks(rows)}
    found: list[list[str]] = []
    for name, row in ROWS.items():
        if name in rows:
            found += _row_lines(row, rows[name], marks)
    return found


def _row_lines(row: Row, measured: Found, marks: Mapping[tuple[str, str], str]) -> list[list[str]]:
    if "failed" in measured:
        return [[row.title, "failed", "", "", "", ""]]
    if row.kind == "match":
        return [
            [
                f"{row.title}, {variant}, {s['games']} games",
                f"score {_ratio(s, 'score')} {marks[(row.name, f'score {variant}')]}",
                *[""] * 4,
            ]
            for variant, s in measured["match"].items()
        ]
    if row.kind == "memory":
        return [
            [f"{row.title}, {task}", _bytes(sides["ours"]), _bytes(sides["mctx"]), "", "", ""]
            for task, sides in measured["bytes_a_node"].items()
        ]
    if row.kind == "sizes":
        return _size_lines(row, measured)
    speeds = measured.get("simulations_a_second")
    show = _pace if speeds else _time
    of = speeds or measured["seconds"]
    cells = [show(of[side]) if side in of else "" for side in ("ours", row.peer, "limit")]
    for ratio in (f"{row.peer} / ours", LIMITED):
        got = measured["ratios"].get(ratio)
        mark = marks.get((row.name, ratio), "")
        cells.append(f"{_ratio(got)} {mark}".strip() if got else "")
    return [[row.title, *cells]]


def _size_lines(row: Row, measured: Found) -> list[list[str]]:
    costs, depth = measured["microseconds_a_simulation"], measured["mean_depth"]
    found = []
    for size in costs["ours"]:
        cells = [
            f"{costs[side][size]['median']:.2f} µs" if size in costs.get(side, {}) else ""
            for side in ("ours", row.peer, "limit")
        ]
        title = f"Tree of {int(size):,} nodes, {depth[size]:.1f} deep"
        found.append([title, *cells, "", ""])
    return found


def _ratio(found: Found, middle: str = "median") -> str:
    value = f"{found[middle]:.2f}"
    known = found["low"] is not None
    return f"{value} [{found['low']:.2f}, {found['high']:.2f}]" if known else value


def _time(found: Found) -> str:
    seconds = found["median"]
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"


def _pace(found: Found) -> str:
    return f"{found['median']:,.0f}/s"


def _bytes(side: Found) -> str:
    return f"{side['measured']:.0f} B (stated {side['stated']:.0f})"


def also(rows: Mapping[str, Found]) -> list[str]:
    """What was measured beside the targets, in words."""
    found = []
    for name, measured in rows.items():
        ratios = measured.get("ratios", {})
        extra = {
            "ours / limit": "through `decide`, with its checks and answers, {} times the limit",
            "ours with proofs / ours": "with proofs {} times the time without",
            "mctx / limit": "mctx {} times the limit",
            "mctx / ours in pure JAX": "the back end in pure JAX {} times faster than mctx",
            "mctx / ours as mctx": "behind mctx's own interface {} times faster than mctx",
        }
        words = [text.format(_ratio(ratios[key])) for key, text in extra.items() if key in ratios]
        if words:
            found.append(f"{ROWS[name].title}: {'; '.join(words)}.")
    return found


def show(content: Found, console: Console) -> None:
    """The table on the terminal."""
    table = Table(*COLUMNS, caption=f"{on(content)}\n{LEGEND}")
    for line in lines(content["rows"]):
        table.add_row(*line)
    console.print(table)
    for line in also(content["rows"]):
        console.print(line, style="dim", highlight=False)


def on(content: Found) -> str:
    """The machine in one line."""
    machine, versions = content["machine"], content["versions"]
    device = machine["device"]
    where = f"{machine['processor']}, {machine['cores']} cores"
    if device["platform"] != "cpu":
        where = f"{device['kind']}; {where}"
    where += f"; back end: {device['engine']}"
    names = ("python", "jax", "mctx", "open_spiel")
    return f"{where}; " + ", ".join(f"{n} {versions[n]}" for n in names if versions.get(n))


def markdown(content: Found) -> str:
    """The same as a page."""
    head = ["# The search engine, side by side", "", f"Measured on {on(content)}.", ""]
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    table += [f"| {' | '.join(line)} |" for line in lines(content["rows"])]
    notes = [f"- {line}" for line in also(content["rows"])]
    return "\n".join([*head, *table, "", LEGEND, "", *notes, ""])


def figure(measured: Found) -> str:
    """The row of sizes as an SVG: cost against size, depth against size, cost against room."""
    costs, depth, room = (measured[k] for k in ("microseconds_a_simulation", "mean_depth", "room"))
    names = {"ours": "this library", "mctx": "mctx", "limit": "the limit, no tree"}
    cost = [_series(names[side], costs[side]) for side in names if side in costs]
    sizes = [float(s) for s in depth]
    deep = Series(label="", x=sizes, y=[depth[s] for s in depth])
    simulations, axis = "simulations (nodes of the tree)", "log2"
    panels = [
        Panel(
            title="What a simulation costs", x_label=simulations, x_scale=axis,
            y_label="µs a simulation, in a batch of 64", y_scale="log10", series=cost,
        ),
        Panel(
            title="How deep it goes", x_label=simulations, x_scale=axis,
            y_label="mean depth of new nodes", series=[deep],
        ),
        Panel(
            title="What room costs: 64 simulations", x_label="nodes that there is room for",
            x_scale=axis, y_label="µs a simulation", series=[_series("this library", room)],
        ),
    ]  # fmt: skip
    words = "; ".join(
        f"{s.label} from {s.y[0]:.2f} to {s.y[-1]:.2f} µs at {s.x[-1]:.0f} simulations"
        for s in cost
    )
    title = "Cost of a simulation by the size of the tree (Connect Four)"
    return standalone_svg(Figure(title=title, panels=panels, alternative=f"{title}: {words}"))


def _series(label: str, by_size: Mapping[str, Found]) -> Series:
    x, found = [float(size) for size in by_size], list(by_size.values())
    middle = [each["median"] for each in found]
    if any(each["low"] is None for each in found):
        return Series(label=label, x=x, y=middle)
    low, high = ([each[end] for each in found] for end in ("low", "high"))
    return Series(label=label, x=x, y=middle, low=low, high=high)
