"""Numbers, ticks and pictures: readable, described, and dependent on nothing outside."""

import re
import warnings
import xml.etree.ElementTree as ET

import msgspec
import pytest
from made import BUDGETS, figure, heat_panel, panel, row, series

from deliberation.core.display.axes import log_ticks, positions
from deliberation.core.display.numbers import THIN, duration, estimate, number, power
from deliberation.report.figures import figure_svgs, panel_svg, standalone_svg
from deliberation.report.html import page
from deliberation.report.svg import DARK, PLACEHOLDERS, SVG
from deliberation.report.verdicts import overall, tally
from deliberation.runs.findings import Figure, Panel, Series


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


def test_names_in_any_script_are_drawn_as_text_and_without_a_word_of_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = panel_svg(panel(title="", x_label="時間"), "f", "x")
    assert "時間" in shown


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


def test_places_that_are_no_numbers_are_named():
    series = [Series(label="one", x=[0.1, 0.9], y=[0.2, 0.4], kind="points")]
    panel = Panel(title="t", x_label="where", y_label="y", x_names=["open", "cut"], series=series)
    drawn = figure_svgs(Figure(title="t", panels=[panel], alternative="a"), "p")[0]
    assert ">open<" in drawn and ">cut<" in drawn and ">0.25<" not in drawn
    twisted = msgspec.structs.replace(panel, x_names=["only"])
    with pytest.raises(AssertionError, match="2 places"):
        figure_svgs(Figure(title="t", panels=[twisted], alternative="a"), "p")


@pytest.mark.parametrize(("last", "halves"), [(4.0, False), (3.5, True)])
def test_what_is_counted_from_left_to_right_has_whole_ticks(last, halves):
    line = Series(label="a line", x=[2.0, 3.0, last], y=[0.1, 0.2, 0.3])
    drawn = Panel(title="turns", x_label="turn", y_label="share", series=[line])
    ticks = [
        text for text in texts(panel_svg(drawn, "turns", "turns")) if re.fullmatch(r"[\d.]+", text)
    ]
    assert {"2", "3", "4"} <= set(ticks) or halves
    assert any(text in ticks for text in ("2.2", "2.5")) == halves


@pytest.mark.parametrize("name", ["order $5 and $10", "a$b_{$", "$\\bad$", "_private"])
def test_names_of_others_are_drawn_as_they_are_written(name):
    one = Series(label=name, kind="bars", x=[0.0], y=[0.5])
    told = Panel(title=name, x_label=name, y_label=name, x_names=["x"], series=[one])
    assert texts(panel_svg(told, "p", "said")).count(name) == 4
