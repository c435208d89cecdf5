"""The eleven rows: composed from findings, counted fairly, and with a reason where nothing is."""

import io
import re

import pytest
from made import absent, check, figure, finding, panel, row
from rich.console import Console

from deliberation.claims import ASPECTS
from deliberation.report.comparison import compare, family_sentence, missing, partly
from deliberation.report.terminal import show
from deliberation.report.verdicts import counted
from deliberation.runs.findings import Series

KNOWN = {"slope": {"aspect": "scalability", "side": "direct"}}
TITLES = [aspect.title for aspect in ASPECTS.values()]


def side(rows, name="direct", **changes):
    """One side of the row of scalability, made of a finding with these rows."""
    (line,) = [
        line
        for line in compare([finding(rows=rows, **changes)], KNOWN).lines
        if line.name == "scalability"
    ]
    return getattr(line, name)


def printed(findings, width=100) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    show(findings, console)
    return console.export_text()


def tasks(*estimates, **changes):
    return [row(task=f"task_{i}", estimate=x, **changes) for i, x in enumerate(estimates)]


# What was measured


def test_the_rows_are_the_sources_eleven_in_their_order_whatever_was_measured():
    for findings in ([], [finding()], [finding(aspect="examples"), finding(claim="b")]):
        assert [line.title for line in compare(findings, KNOWN).lines] == TITLES
    assert len(TITLES) == 11


@pytest.mark.parametrize("width", [100, 60])
def test_the_terminal_shows_the_eleven_in_order(width):
    shown = printed([finding()], width)
    firsts = [title.split("-")[0].split()[0] for title in TITLES]
    places = [re.search(rf"^ *{word}", shown, re.MULTILINE) for word in firsts]
    assert all(places)
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)
    assert max(map(len, shown.splitlines())) <= width


def test_one_estimate_comes_with_its_interval_and_several_from_the_least_to_the_greatest():
    (one,) = side([row()]).claimed
    assert one.value() == "0.081 [0.069, 0.093]"
    assert one.value(of=3) == "0.081 [0.069, 0.093] on tic_tac_toe"
    (some,) = side(tasks(0.1, 0.046, 0.07, 0.0812, unit="nats")).claimed
    assert some.value() == "0.046 to 0.10 nats on 4 tasks"
    (same,) = side(tasks(400, 400)).claimed
    assert same.value() == "400 on 2 tasks"
    (nearly,) = side(tasks(0.8, 0.9969)).claimed
    assert nearly.value() == "0.80 to 0.997 on 2 tasks"
    (whole,) = side(tasks(-3.00001, -0.73)).claimed
    assert whole.value() == "−3 to −0.73 on 2 tasks"
    (unknown,) = side(tasks(float("nan"), float("nan"))).claimed
    assert unknown.value() == "– on 2 tasks"


def test_a_unit_that_the_quantity_names_is_not_said_again():
    (way,) = side([row(quantity="way gained", unit="of the way")]).claimed
    assert "of the way" not in way.value()
    (cost,) = side([row(quantity="cost", unit="times")]).claimed
    assert cost.value() == "0.081 [0.069, 0.093] times"


def test_a_budget_in_brackets_does_not_part_what_is_the_same_quantity():
    rows = [row(decider="search (256)"), row(decider="search (64)", task="b")]
    assert len(side(rows).claimed) == 1
    assert len(side([row(decider="search"), row(decider="network")]).claimed) == 2


# What counts


def test_checks_are_shown_in_their_own_place_and_never_counted():
    with_check = side([row(), check(verdict="fails")])
    assert with_check.counts == {"supported": 1} and with_check.verdict == "supported"
    assert [one.kind for one in with_check.checked] == ["check"] and with_check.checks == "fails"
    alone = side([check(), check(task="b")])
    assert (alone.verdict, alone.counts, alone.checks) == (None, {}, "holds")
    shown = re.sub(r"\s+", " ", printed([finding(rows=[check(unit="steps")])], 60))
    assert "Instrument check, not counted: gain a doubling 0 [0, 0] steps; it holds" in shown
    assert "✓" not in shown and "No row carries a verdict." in shown


def test_a_side_is_refuted_by_one_row_and_supported_only_by_all():
    verdicts = ["supported", "supported", "inconclusive"]
    rows = [row(task=str(i), verdict=v) for i, v in enumerate(verdicts)]
    assert side(rows[:2]).verdict == "supported"
    assert side(rows).verdict == "inconclusive"
    assert side([*rows, row(task="x", verdict="refuted")]).verdict == "refuted"
    assert counted(side(rows).counts) == "✓ 2  ~ 1  ✕ 0 of 3"


def test_what_is_of_both_sides_counts_for_both_unless_a_row_names_one():
    rows = [row(side="both"), row(side="direct", quantity="b", verdict="refuted")]
    direct, amortised = side(rows, side="both"), side(rows, "amortised", side="both")
    assert direct.counts == {"supported": 1, "refuted": 1} and direct.verdict == "refuted"
    assert amortised.counts == {"supported": 1} and amortised.verdict == "supported"


def test_the_family_says_how_many_verdicts_there_are_and_how_many_row_by_row():
    rows = [
        row(),
        row(verdict="inconclusive", task="b"),
        row(verdict="refuted", alone="refuted", task="c"),
        check(),
    ]
    assert family_sentence(compare([finding(rows=rows)], KNOWN).family) == (
        "2 of 3 verdicts are given (1 supported, 1 refuted) under one error rate of 5 % for all of "
        "them together (Holm): the chance that any one is wrong is at most 5 %, as far as the "
        "intervals hold. By their own intervals alone, 3 would have been called (2 supported, "
        "1 refuted)."
    )


# What is not there


def test_a_side_without_measurements_says_why():
    lines = {line.name: line for line in compare([finding()], KNOWN).lines}
    assert missing(lines["examples"].direct) == "not measured by this version"
    assert missing(lines["scalability"].amortised) == "not measured by this version"
    left = compare([], KNOWN).lines[3].direct
    assert missing(left) == "not part of this run: ask for it with --claim slope"
    assert missing(lines["scalability"].direct) == ""


def test_rows_that_are_absent_give_their_reason_and_tasks():
    nothing = side([absent(), absent(task="b"), absent("not measured", "cell 7 failed.", task="c")])
    assert missing(nothing) == (
        "not applicable on tic_tac_toe, b: it is no game; not measured on c: cell 7 failed"
    )
    assert nothing.verdict is None and nothing.counts == {}
    long = missing(side([absent(reason="a folder is missing; " * 20)]))
    assert len(long) < 200 and long.endswith("…")
    path = "/tmp/" + "x" * 60
    assert path in re.sub(r"[\s·]", "", printed([finding(rows=[absent(reason=path)])], 50))
    some = side([row(), absent(task="b"), absent("not measured", "x", task="c")])
    assert missing(some) == "" and some.counts == {"supported": 1}
    assert partly(some) == "not applicable on b; not measured on c"
    assert partly(side([row(), absent()])) == ""


def test_no_cell_of_the_terminal_is_left_blank():
    for findings in ([], [finding(rows=[absent()])], [finding(rows=[row(kind="told")])]):
        lines = compare(findings, KNOWN).lines
        for one in [each for line in lines for each in (line.direct, line.amortised)]:
            assert missing(one) or one.claimed or one.checked or one.told
    shown = re.sub(r"\s+", " ", printed([finding(rows=[absent()])], 60))
    assert "Not applicable on tic_tac_toe: it is no game" in shown
    told = re.sub(r"\s+", " ", printed([finding(rows=[row(kind="told", verdict=None)])], 60))
    assert "gain a doubling: 0.081 [0.069, 0.093] (nothing is claimed of it)" in told


# In the terminal, and where there is none


def test_the_cells_of_the_terminal_say_what_is_said_what_was_measured_and_the_verdict():
    rows = [*tasks(0.046, 0.1), row(task="c", estimate=0.07, verdict="inconclusive"), check()]
    beneath = finding(claim="x", aspect="commentary", title="Aside")
    shown = re.sub(r"\s+", " ", printed([finding(rows=rows), beneath], 70))
    for words in (
        "Direct By expanding the search depth. · gain a doubling: 0.046 to 0.10 on 3 tasks ✓ 2 ~ 1 "
        "· Instrument check holds ~ inconclusive (✓ 2 ~ 1 ✕ 0 of 3)",
        "✓ supported Aside: gain a doubling 0.081 [0.069, 0.093] on tic_tac_toe (✓ 1 ~ 0 ✕ 0 of 1)",
    ):
        assert words in shown


def test_where_there_is_no_terminal_the_same_table_is_printed_and_not_every_row(capsys):
    many = [row(quantity=f"quantity {i}", task=f"task_{j}") for i in range(3) for j in range(60)]
    show([finding(rows=many)])
    shown = capsys.readouterr().out
    assert "\x1b[" not in shown
    lines = shown.splitlines()
    assert 90 < max(map(len, lines)) <= 100 and len(lines) < 80
    assert "on 60 tasks" in re.sub(r"\s+", " ", shown)
    assert re.search(r"Aspect +Direct: search when asked +Amortised: a learned function", shown)


def test_above_the_table_stands_what_it_means_for_a_choice():
    search = Series(label="search", x=[1.0, 4.0, 16.0], y=[0.1, 0.5, 0.9])
    level = Series(label="network", x=[1.0, 4.0], y=[0.7, 0.7])
    alone, both = panel(title="a", series=[search]), panel(title="b", series=[search, level])
    found = [finding(claim="budget_slope", figures=[figure([alone, both])])]
    shown = re.sub(r"\s+", " ", printed(found))
    assert shown.startswith(
        "On b the network, at once, chooses as well as search with about 8 simulations: 0.70 of "
        "the way from random to optimum. For better decisions than that, search with more than 8 "
        "simulations. "
    )
