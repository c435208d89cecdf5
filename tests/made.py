"""Findings and records made up for the tests of the report and the command line."""

from deliberation.runs import Cell, Record
from deliberation.runs.findings import Figure, Finding, Heat, Panel, Reference, Row, Series

EVIL = '<script>alert("x")</script> & <b>'
RUN = {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": ["slope"]}
COMMAND = "deliberate table tic_tac_toe --effort smoke --claim slope"
BUDGETS = [0.0, 1.0, 4.0, 16.0, 64.0]


def row(**changes) -> Row:
    plain = {
        "claim": "slope",
        "aspect": "scalability",
        "side": "direct",
        "kind": "claim",
        "task": "tic_tac_toe",
        "decider": "UCT",
        "quantity": "gain a doubling",
        "estimate": 0.081,
        "low": 0.069,
        "high": 0.093,
        "n": 1400,
        "above": 0.01,
        "verdict": "supported",
        "alone": "supported",
    }
    return Row(**{**plain, **changes})


def check(**changes) -> Row:
    """A row that is true by construction."""
    same = {"estimate": 0.0, "low": 0.0, "high": 0.0, "verdict": "holds", "alone": "holds"}
    return row(**{"kind": "check", "decider": "network", "above": None, **same, **changes})


def absent(verdict="not applicable", reason="it is no game", **changes) -> Row:
    """A row of what was not measured."""
    nan = float("nan")
    nothing = {"estimate": nan, "low": nan, "high": nan, "n": 0, "above": None, "alone": None}
    row_of = {"kind": "absent", "decider": "", "verdict": verdict, "reason": reason}
    return row(**{**nothing, **row_of, **changes})


def series(label="UCT", kind="line", y=(0.1, 0.2, 0.4, 0.8, 0.9)) -> Series:
    low, high = [v - 0.05 for v in y], [v + 0.05 for v in y]
    return Series(label=label, x=BUDGETS, y=list(y), low=low, high=high, kind=kind)


def panel(**changes) -> Panel:
    plain = {
        "title": "tic_tac_toe",
        "x_label": "simulations",
        "y_label": "score",
        "x_scale": "log2",
        "y_scale": "linear",
        "series": [series()],
        "references": [Reference(label="exact play", y=1.0)],
        "heat": None,
    }
    return Panel(**{**plain, **changes})


def heat_panel() -> Panel:
    z = [[0.1 * (i + j) for i in range(3)] for j in range(4)]
    heat = Heat(x=[1e9, 1e10, 1e11], y=[1.0, 4.0, 16.0, 64.0], z=z, isolines=[0.2, 0.35])
    changes = {"x_scale": "log10", "y_scale": "log2", "series": [], "references": []}
    return panel(**changes, heat=heat)


def figure(panels=None, alternative="Search rises, the network stays.") -> Figure:
    return Figure(title="Score by budget", panels=panels or [panel()], alternative=alternative)


def finding(**changes) -> Finding:
    plain = {
        "claim": "slope",
        "aspect": "scalability",
        "side": "direct",
        "title": "Search gains from compute",
        "statement": "It rises.",
        "refuted_if": "It does not.",
        "estimand": "The slope.",
        "unit": "positions",
        "smallest": "0.01 a doubling",
        "rows": [row(), check()],
        "figures": [figure()],
        "summary": "It does.",
    }
    return Finding(**{**plain, **changes})


def record(cell: Cell) -> Record:
    return Record(
        cell=cell.id,
        function=cell.function,
        settings=cell.settings,
        needs=(),
        outcomes={"returns": [1.0]},
        spent={},
        seconds=2.0,
        started="2020-01-01T00:00:00+00:00",
        versions={"python": "3.11.7", "jax": "0.10.2", "pgx": None},
        machine={"cores": 2, "platform": "Linux", "processor": "Some CPU"},
        commit="0123456789abcdef",
        dirty=True,
    )
