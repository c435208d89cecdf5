"""The report: pictures that stand alone and can be read aloud, a page that loads nothing."""

import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from deliberation import claims, report
from deliberation.core.errors import OutputFolderError
from deliberation.report.axes import log_ticks, positions
from deliberation.report.figures import figure_svgs, panel_svg, standalone_svg
from deliberation.report.html import chip, page
from deliberation.report.numbers import THIN, duration, estimate, number, power
from deliberation.report.svg import DARK, PLACEHOLDERS, SVG
from deliberation.report.terminal import show
from deliberation.report.verdicts import overall, tally
from deliberation.runs import Cell, Record, RecordFile, read_table
from deliberation.runs.findings import Figure, Finding, Heat, Panel, Reference, Row, Series

EVIL = '<script>alert("x")</script> & <b>'
RUN = {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": ["slope"]}
COMMAND = "deliberate table tic_tac_toe --effort smoke --claim slope"
BUDGETS = [0.0, 1.0, 4.0, 16.0, 64.0]


def row(**changes) -> Row:
    plain = {
        "claim": "slope",
        "item": 25,
        "task": "tic_tac_toe",
        "decider": "UCT",
        "quantity": "gain a doubling",
        "estimate": 0.081,
        "low": 0.069,
        "high": 0.093,
        "n": 1400,
        "verdict": "supported",
        "timing": False,
        "note": "",
    }
    return Row(**{**plain, **changes})


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
        "item": 25,
        "title": "Search gains from compute",
        "statement": "It rises.",
        "refuted_if": "It does not.",
        "rows": [row(), row(decider="network", estimate=0.0, low=0.0, high=0.0)],
        "figures": [figure()],
        "summary": "It does.",
    }
    return Finding(**{**plain, **changes})


def texts(svg: str) -> list[str]:
    return [e.text for e in ET.fromstring(svg).iter(f"{{{SVG}}}text")]


# Numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "∞"),
        (0, "0"),
        (-0.25, "−0.250"),
        (1.17, "1.17"),
        (12.345, "12.3"),
        (18400.2, f"18{THIN}400"),
        (3.2e12, "3.20 × 10¹²"),
        (4.5e-6, "4.50 × 10⁻⁶"),
    ],
)
def test_one_number(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("triple", "shown"),
    [
        ((0.081, 0.069, 0.093), "0.081 [0.069, 0.093]"),
        ((0.5, 0.1, 0.9), "0.50 [0.10, 0.90]"),
        ((0.001, -0.02, 0.02), "0.0010 [−0.0200, 0.0200]"),
        ((0.0, 0.0, 0.0), "0 [0, 0]"),
        ((-0.00001, -0.1, 0.1), "0.000 [−0.100, 0.100]"),
        ((18400, 15100, 23900), f"18{THIN}400 [15{THIN}100, 23{THIN}900]"),
        ((3.2e12, 9e11, 4e12), "3.20 [0.90, 4.00] × 10¹²"),
        ((2.0, 1.0, float("inf")), "2.0 [1.0, ∞]"),
        ((2.0, None, None), "2"),
        ((1.3, 0.04, 43.0), "1.30 [0.04, 43.00]"),
        ((81, 1, 1004), f"81 [1, 1{THIN}004]"),
        ((36872, 12291, 116135), f"37{THIN}000 [12{THIN}000, 116{THIN}000]"),
        ((float("inf"), 3.2e7, float("inf")), "∞ [3.20, ∞] × 10⁷"),
        ((float("inf"), 120.0, float("inf")), "∞ [120, ∞]"),
        ((float("inf"), float("inf"), float("inf")), "∞ [∞, ∞]"),
        ((0.5, float("nan"), float("nan")), "0.500 [–, –]"),
        ((float("nan"), 0.0, 1.0), "–"),
    ],
)
def test_an_estimate_has_the_digits_its_interval_bears_out(triple, shown):
    assert estimate(*triple) == shown


def test_ticks_and_durations_are_plain():
    assert [power(2, e, True) for e in (-1, 0, 10)] == ["0.5", "1", f"1{THIN}024"]
    assert power(10, -3, True) == "0.001"
    assert power(10, 12, False) == "10¹²"
    assert [duration(s) for s in (0.042, 90, 312, 7300)] == ["42 ms", "90 s", "5 min", "2.0 h"]


# Verdicts


def test_one_refutation_refutes_and_one_doubt_leaves_it_open():
    given = [row(verdict=v) for v in ("supported", "inconclusive", "supported")]
    assert overall(given) == "inconclusive"
    assert overall([*given, row(verdict="refuted")]) == "refuted"
    assert overall(given[:1]) == "supported"
    assert overall([]) is None
    assert tally(given) == {"supported": 2, "inconclusive": 1}


# Figures


@pytest.mark.parametrize(
    "drawn",
    [
        panel(),
        panel(series=[series("a"), series("b", "points")], x_scale="linear"),
        panel(y_scale="log10", references=[]),
        panel(series=[]),
        heat_panel(),
    ],
)
def test_an_svg_is_described_and_loads_nothing(drawn):
    source = panel_svg(drawn, "f0", "What it shows.")
    root = ET.fromstring(source)
    title, described = root[0], root[1]
    assert (title.tag, title.text) == (f"{{{SVG}}}title", drawn.title)
    assert (described.tag, described.text) == (f"{{{SVG}}}desc", "What it shows.")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {described.get('id')}"
    links = re.findall(r'(?:href="|url\()([^")]+)', source)
    assert all(link.startswith(("#f0-", "data:image/png;base64,")) for link in links), links
    ids = re.findall(r'\bid="([^"]+)"', source)
    assert len(ids) == len(set(ids)) and all(name.startswith("f0-") for name in ids)
    assert {link[1:] for link in links if link[0] == "#"} <= set(ids)
    assert "<style" not in source and "<metadata" not in source


def test_colours_follow_the_page_and_fonts_are_its_own():
    source = panel_svg(panel(), "f", "x")
    assert not any(colour in source for colour in PLACEHOLDERS)
    assert "var(--s1, #1b66ac)" in source and "var(--muted, " in source
    assert "DejaVu" not in source and "font-size: 11px" in source


def test_every_colour_name_has_a_value_in_the_dark_and_in_the_page():
    names = {name for name, _ in PLACEHOLDERS.values()}
    assert names == set(DARK)
    css = page([], {})
    for name, light in PLACEHOLDERS.values():
        assert css.count(f"--{name}: {light}") == 1
        assert css.count(f"--{name}: {DARK[name]}") == 2


def test_text_stays_text_with_plain_ticks_and_a_place_for_zero():
    shown = texts(panel_svg(panel(), "f", "x"))
    assert [label for label in shown if label in ("0", "1", "2", "4", "16", "64")][:2] == ["0", "1"]
    assert {"64", "simulations", "score", "exact play", "UCT"} <= set(shown)
    shown = texts(panel_svg(heat_panel(), "f", "x"))
    assert {"10⁹", "10¹¹", "64", "0.2", "0.35"} <= set(shown)


def test_zero_lies_left_of_the_smallest_budget():
    zero, one, four = positions([0, 1, 4], "log2", [0, 1, 4, 16])
    assert zero < one == 0.0 and four == 2.0
    assert positions([0, 5], "linear", [0, 5]) == [0.0, 5.0]


def test_ticks_cover_the_data_and_no_more():
    assert log_ticks(1, 256, 2)[1] == ["1", "4", "16", "64", "256"]
    assert log_ticks(1.2e8, 2e9, 10)[1] == ["2×10⁸", "5×10⁸", "10⁹", "2×10⁹"]
    assert log_ticks(0.5, 20, 10)[1] == ["0.5", "1", "2", "5", "10", "20"]
    assert log_ticks(1, 1e6, 10)[1][::3] == ["10⁰", "10³", "10⁶"]
    assert len(log_ticks(3, 3, 10)[0]) > 1


def test_a_heat_map_fills_its_axes():
    source = panel_svg(heat_panel(), "f", "x")
    assert "10¹²" not in source and "10¹¹" in source


def test_a_reference_is_named_where_no_line_runs():
    def anchor(y):
        shown = panel_svg(panel(series=[series(y=y)]), "f", "x")
        return re.search(r"text-anchor: (\w+)[^>]*>exact play<", shown)

    rising, falling = anchor((0.1, 0.2, 0.4, 0.8, 0.99)), anchor((0.99, 0.8, 0.4, 0.2, 0.1))
    assert falling and falling[1] == "end"
    assert rising is None or rising[1] != "end"


def test_intervals_are_drawn_where_there_are_any():
    plain = Series(label="UCT", x=BUDGETS, y=[0.1] * 5, low=None, high=None, kind="line")
    band, bare = (
        panel_svg(panel(series=[s]), "f", "x").count("opacity: 0.16") for s in (series(), plain)
    )
    assert (band, bare) == (1, 0)


def test_drawing_is_deterministic():
    assert standalone_svg(figure()) == standalone_svg(figure())


def test_a_figure_alone_carries_both_colour_schemes():
    source = standalone_svg(figure([panel(), panel()]))
    root = ET.fromstring(source)
    assert "prefers-color-scheme: dark" in source and f"--ink: {DARK['ink']}" in source
    assert len(root.findall(f"{{{SVG}}}svg")) == 2
    assert re.findall(r"https?://[^\"' )]+", source.replace(SVG, "")) in (
        [],
        ["http://www.w3.org/1999/xlink"],
    )


def test_panels_of_one_page_share_no_id():
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in figure_svgs(figure([panel()] * 3), "c")]
    flat = [name for names in ids for name in names]
    assert len(flat) == len(set(flat))


def test_an_interval_without_a_bound_ends_with_the_picture():
    endless = [float("inf")] * 5
    open_ended = Series(label="UCT", x=BUDGETS, y=[0.1] * 5, low=[0.0] * 5, high=endless)
    source = panel_svg(panel(series=[open_ended]), "f", "x")
    assert "opacity: 0.16" in source
    assert not re.search(r"\b(nan|inf)\b", source)


def test_values_that_are_not_known_leave_a_gap():
    gap = Series(label="UCT", x=BUDGETS, y=[0.1, 0.2, float("nan"), 0.3, 0.4])
    for scale in ("linear", "log10"):
        source = panel_svg(panel(series=[gap], y_scale=scale), "f", "x")
        assert (
            source.count("<use ")
            - panel_svg(panel(series=[], y_scale=scale), "f", "x").count("<use ")
            >= 4
        )
        assert not re.search(r"\bnan\b", source)


def test_a_step_is_a_staircase():
    line, step = (panel_svg(panel(series=[series(kind=k)]), "f", "x") for k in ("line", "step"))
    assert step.count(" L ") != line.count(" L ") or len(step) != len(line)
    assert "stroke-linecap" in step


# The page


class Reader(HTMLParser):
    """Collects tags and checks that they close in order."""

    VOID = ("meta", "link", "br", "img", "use", "path", "rect")

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.attributes, self.data = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.data += data


def test_the_page_is_well_formed_and_self_contained():
    reader = Reader(page([finding(), finding(claim="other")], {"Commit": "abc"}))
    assert reader.open == []
    assert ("html", "lang", "en-GB") in reader.attributes
    loads = {"src", "href", "xlink:href", "srcset", "action", "data"}
    targets = [value for _, name, value in reader.attributes if name in loads]
    assert targets and all(target.startswith("#") for target in targets)
    assert "@import" not in reader.data and "url(http" not in reader.data
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in targets} <= set(ids)
    assert reader.seen.count("caption") == reader.seen.count("table") == 3


def test_the_page_shows_claim_refutation_verdict_interval_and_provenance():
    text = Reader(page([finding()], {"Commit": "abc123"})).data
    for words in ("Item 25", "It rises.", "What would refute it.", "It does not.", "abc123"):
        assert words in text
    assert "0.081 [0.069, 0.093]" in text and f"1{THIN}400" in text
    assert re.search(r"✓ supported 2", text)


def test_whatever_is_shown_is_escaped():
    evil = finding(
        title=EVIL,
        statement=EVIL,
        refuted_if=EVIL,
        summary=EVIL,
        rows=[row(task=EVIL, decider=EVIL, quantity=EVIL, note=EVIL)],
        figures=[figure([panel(title=EVIL, x_label=EVIL, series=[series(EVIL)])], EVIL)],
    )
    shown = page([evil], {EVIL: EVIL})
    reader = Reader(shown)
    assert reader.seen.count("script") == 1
    assert "b" not in [tag for tag in reader.seen if tag == "b"][1:]
    assert EVIL not in shown and EVIL in reader.data


def test_the_page_stands_without_findings_rows_or_figures():
    assert Reader(page([], {})).open == []
    assert "Nothing yet" in page([finding(rows=[], figures=[], summary="Nothing yet")], {})


def test_a_verdict_is_a_word_and_a_symbol_not_only_a_colour():
    assert Reader(chip("refuted")).data == "✕ refuted"
    assert Reader(chip(None)).data == "–"


# The terminal


@pytest.mark.parametrize("width", [40, 72, 120])
def test_the_terminal_table_fits_and_says_everything(width):
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    show([finding(rows=[row(), row(verdict="refuted"), row(verdict=None)])], console)
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= width
    joined = re.sub(r"\s+", " ", shown)
    for words in ("Search gains from compute", "✓ supported", "✕ refuted", "0.081 [0.069, 0.093]"):
        assert words in joined
    assert "✓ 1 supported ✕ 1 refuted" in joined


def test_brackets_in_names_are_not_taken_for_markup():
    console = Console(width=120, record=True, file=io.StringIO(), highlight=False)
    show([finding(rows=[row(decider="[red]net[/red]")])], console)
    assert "[red]net[/red]" in console.export_text()


# From the records


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of three cells of which two are recorded, under claims that make one finding."""
    cells = [Cell("package.module:play", {"seed": seed}) for seed in (3, 4, 5)]
    monkeypatch.setattr(claims, "plan", lambda tasks, effort, only: cells)
    found = lambda records, *_, only: [finding(rows=[row(n=len(records))])]  # noqa: E731
    monkeypatch.setattr(claims, "analyse", found)
    with RecordFile(tmp_path / "run", RUN) as file:
        for cell in cells[:2]:
            file.append(record(cell))
    return tmp_path / "run"


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


def finish(folder) -> None:
    with RecordFile(folder, RUN) as file:
        file.append(record(Cell("package.module:play", {"seed": 5})))


def test_a_run_that_has_not_ended_is_refused_with_the_command_that_goes_on(folder):
    before = (folder / "records.jsonl").read_bytes()
    with pytest.raises(OutputFolderError, match="2 of 3 cells") as refused:
        report.build(folder)
    assert f"`{COMMAND} --out {folder}`" in str(refused.value)
    assert (folder / "records.jsonl").read_bytes() == before
    assert not (folder / "report.html").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(OutputFolderError, match="holds no run"):
        report.build(tmp_path)


def test_the_report_is_rebuilt_from_the_records_alone(folder):
    finish(folder)
    path = report.build(folder)
    shown, table = path.read_bytes(), (folder / "table.json").read_bytes()
    path.unlink()
    (folder / "table.json").unlink()
    assert report.build(folder) == path == folder / "report.html"
    assert (path.read_bytes(), (folder / "table.json").read_bytes()) == (shown, table)
    assert [r.n for r in read_table(folder)] == [3]


def test_provenance_names_commit_versions_machine_seeds_and_time(folder):
    finish(folder)
    assert report.provenance(folder) == {
        "Tasks": "tic_tac_toe",
        "Effort": "smoke",
        "Commit": "0123456789ab with uncommitted changes",
        "Versions": "python 3.11.7, jax 0.10.2",
        "Machine": "Some CPU, 2 cores, Linux",
        "Seeds": "3 from 3 to 5",
        "Cells": "3",
        "Time": "6 s of computing",
    }
    report.build(folder)
    assert "Time" not in json.loads((folder / "table.json").read_text())["provenance"]


def test_the_readme_is_written_from_a_run(folder, tmp_path, monkeypatch):
    finish(folder)
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    import readme

    block = readme.table_block(report.findings(folder), {"Commit": "abc"})
    assert block.splitlines()[0] == "| Item | Quantity | Decider | tic_tac_toe |"
    assert block.splitlines()[2] == "| 25 | gain a doubling | UCT | ✓ 0.081 [0.069, 0.093] |"
    assert "commit: abc" in block
    text = "a\n<!-- table:start -->\nold\n<!-- table:end -->\nb\n"
    once = readme.replace_block(text, "table", "new \\1")
    assert once == "a\n<!-- table:start -->\nnew \\1\n<!-- table:end -->\nb\n"
    assert readme.replace_block(once, "table", "new \\1") == once
    with pytest.raises(ValueError, match="strength"):
        readme.replace_block(text, "strength", "x")
    written = readme.write_figures(report.findings(folder), tmp_path / "docs")
    assert [path.name for path, _ in written] == ["slope-0.svg"]
    assert ET.parse(written[0][0]).getroot().tag == f"{{{SVG}}}svg"
    strength = readme.strength_block({"caption": "c", "columns": ["a", "b"], "rows": [[1, "x|y"]]})
    assert strength.splitlines() == ["c", "", "| a | b |", "|---|---|", "| 1 | x\\|y |"]
