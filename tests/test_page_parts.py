"""What stands on the page: the curves that cross, words that explain themselves, and what opens."""

import math
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest
from made import absent, check, figure, finding, panel, row, series

from deliberation.claims import ASPECTS
from deliberation.report.curves import curves
from deliberation.report.forest import Axis, claim_words, forest
from deliberation.report.glossary import TERMS, explained, glossary
from deliberation.report.headline import crossing, headlines
from deliberation.report.html import page
from deliberation.runs.findings import Series

NEVER = float("inf")


def scores(search=(0.1, 0.5, 0.9), network=(0.7, 0.7)):
    curves = [Series(label="search", x=[1.0, 4.0, 16.0], y=list(search))]
    if network:
        curves.append(Series(label="network", x=[1.0, 4.0], y=list(network)))
    return panel(series=curves)


def costs():
    x = [1.0, 100.0, 10000.0]
    slow = Series(label="search, equally good", x=x, y=[0.001, 0.1, 10.0])
    fast = Series(label="network, training included", x=x, y=[1.0, 1.0, 2.0])
    return panel(x_scale="log10", y_scale="log10", series=[slow, fast], references=[])


def paid(estimate=1154.0, timing=True, **changes):
    kind = {"kind": "told", "verdict": None, "unit": "decisions", "side": "both"}
    ends = {"low": 844.0, "high": 1401.0} if math.isfinite(estimate) else {}
    name = "n*, by time" if timing else "n*, by operations"
    return row(quantity=name, estimate=estimate, timing=timing, **{**ends, **kind, **changes})


def story(search=(0.1, 0.5, 0.9), network=(0.7, 0.7), rows=(), with_costs=True):
    found = [finding(claim="budget_slope", figures=[figure([scores(search, network)])])]
    if rows or with_costs:
        figures = [figure([costs()])] if with_costs else []
        found.append(finding(claim="runtime_cost", rows=list(rows), figures=figures))
    (only,) = headlines(found)
    return only


# The curves that cross


def test_the_crossing_is_where_search_comes_to_score_what_the_network_scores():
    met = crossing(scores())
    assert met and met.x == pytest.approx(8.0) and met.reached == pytest.approx(0.7)
    dips = crossing(scores(search=(0.1, 0.75, 0.6)))
    assert dips and dips.x == pytest.approx(2 ** (2 * 0.6 / 0.65))
    below, above = crossing(scores(network=(0.95,))), crossing(scores(network=(0.05,)))
    assert below and below.x is None and not below.above
    assert above and above.x is None and above.above
    assert crossing(scores(network=None)) is None


def test_what_was_measured_of_the_crossing_goes_before_what_is_read_off():
    worth = row(quantity="worth in simulations", estimate=6.0, low=3.0, high=NEVER)
    met = crossing(scores(), worth)
    assert met and (met.x, met.low, met.high) == (6.0, 3.0, NEVER)


def test_the_sentence_says_how_good_both_are_and_when_learning_has_paid():
    told = story(rows=[paid(), paid(NEVER, timing=False)])
    assert told.said == (
        "On tic_tac_toe the network, at once, chooses as well as search with about 8 simulations: "
        "0.70 of the way from random to optimum. Learning has paid after n* ≈ 1\u202f200 decisions "
        "[840, 1\u202f400] (never if of search only the rules' operations are counted)."
    )
    assert told.advice == (
        "Fewer than 1\u202f200 decisions to make: search. More: learn first. For better decisions "
        "than that, search with more than 8 simulations."
    )
    (_, first), (_, second) = told.panels
    assert [mark.label for mark in (*first, *second)] == ["8 simulations", "n* ≈ 1\u202f200"]
    assert second[0].y == pytest.approx(1.154, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "said", "advice"),
    [
        ({"network": None}, "only search was measured", "would have to be scored"),
        ({"network": (0.05,)}, "already chooses better than the network", "needs no training"),
        (
            {"network": (0.95,)},
            "chooses better than search with as many as 16 simulations (0.90)",
            "No budget that was tried makes search better.",
        ),
        ({"rows": [paid(NEVER)]}, "learning never pays", "If that is good enough, search."),
        (
            {"rows": [paid(low=0.0, censored=True)]},
            "after n* ≈ at most 1\u202f200 decisions",
            "More than 1\u202f200 decisions to make: learn first.",
        ),
        (
            {"rows": [paid(high=NEVER, censored=True)]},
            "after n* ≈ at least 1\u202f200 decisions",
            "Fewer than 1\u202f200 decisions to make: search.",
        ),
        ({"with_costs": False}, "0.70 of the way", "search with more than 8 simulations"),
    ],
)
def test_other_endings_are_told_as_they_are(changes, said, advice):
    told = story(**changes)
    assert said in told.said and advice in told.advice
    assert "inf" not in told.said + told.advice and "nan" not in told.said + told.advice


def test_the_network_is_the_one_fitted_to_the_most_data_and_level_over_all_budgets():
    curve = Series(label="network", x=[32.0, 2048.0], y=[0.2, 0.8], low=[0.1, 0.7], high=[0.3, 0.9])
    found = [
        finding(claim="budget_slope", figures=[figure([scores()])]),
        finding(claim="data_slope", figures=[figure([panel(series=[curve])])]),
    ]
    (told,) = headlines(found)
    network = told.panels[0][0].series[-1]
    assert (network.x, network.y, network.low) == ([1.0, 16.0], [0.8, 0.8], [0.7, 0.7])
    assert "0.80 of the way" in told.said


# Words that explain themselves


def test_a_word_explains_itself_where_it_first_stands_by_pointer_and_by_keyboard():
    once = explained("<p>regret, and regret &amp; regrets</p>")
    assert once.count("<dfn") == 1 and once.startswith('<p><dfn class="term" tabindex="0" title="')
    assert once.endswith("regret</dfn>, and regret &amp; regrets</p>")


def test_pictures_links_and_tags_are_left_alone():
    for left in (
        "<svg><text>regret</text></svg>",
        '<a href="#x">regret</a>',
        '<td data-label="regret">x</td>',
        "<p>regretful, &regret;</p>",
    ):
        assert explained(left) == left
    assert "<dfn" in explained("<svg><g/><text>regret</text></svg> regret")


def test_every_word_is_found_by_its_pattern_and_stands_in_the_glossary():
    listed = glossary(" ".join(term.name for term in TERMS))
    for term in TERMS:
        assert f">{term.name}</dfn>" in explained(f"<p>{term.name}</p>"), term.name
        assert f"<dt>{term.name}</dt>" in listed
    assert explained("0.9 of the way from random to optimum").startswith("0.9 <dfn")
    assert explained("0.9 of the way from random to optimum").endswith("to optimum</dfn>")


def test_the_foot_of_a_page_explains_the_words_that_stand_on_it_and_no_others():
    shown = "<p>Of <dfn title='held out'>regret</dfn> in <a>nats</a></p><style>.n* {}</style>"
    listed = glossary(shown)
    assert listed.count("<dt>") == 2 and "2 explained" in listed
    assert "<dt>regret</dt>" in listed and "<dt>nats</dt>" in listed
    assert glossary("<p>nothing to explain</p>") == ""


# Forest plots


def test_an_interval_is_drawn_against_the_smallest_effect_and_the_side_that_is_claimed():
    source = Axis([row(estimate=0.5, low=0.2, high=1.0, above=0.0)]).strip(row(low=0.2, high=1.0))
    root = ET.fromstring(source)
    shapes = {shape.get("class"): shape for shape in root}
    assert shapes["bound"].get("d") == "M4.0 0V20"
    assert (shapes["zone"].get("x"), shapes["zone"].get("width")) == ("4.0", "96.0")
    assert shapes["ci"].get("d") == "M22.4 10H96.0"
    assert root.get("class") == "strip supported"


def test_an_end_without_a_bound_reaches_the_edge_and_an_unknown_is_not_drawn():
    axis = Axis([row(estimate=3.0, low=1.0, high=NEVER, above=2.0)])
    assert 'class="ci" d="M4.0 10H100.0"' in axis.strip(row(low=1.0, high=NEVER, estimate=3.0))
    nothing = axis.strip(row(low=float("nan"), high=float("nan"), estimate=float("nan")))
    assert "ci" not in nothing and "dot" not in nothing and "nan" not in nothing


def test_values_that_span_decades_are_drawn_on_a_logarithmic_axis():
    axis = Axis([row(estimate=10.0, low=1.0, high=100.0, above=None)])
    assert axis.log and axis.place(10.0) == 50.0 and axis.place(0.0) == 0.0
    assert not Axis([row(estimate=10.0, low=0.0, high=100.0)]).log


def test_labels_of_the_axis_do_not_run_into_the_smallest_effect():
    far = Axis([row(estimate=0.5, low=0.2, high=1.0, above=0.0)]).labels()
    assert re.findall(r">([\d.]+)<", far) == ["0", "1"]
    near = Axis([row(estimate=0.5, low=0.48, high=1.0, above=0.5)]).labels()
    assert re.findall(r">([\d.]+)<", near) == ["0.500", "1"]


def test_a_claim_is_told_in_words():
    assert claim_words(row(unit="times", above=2.0)) == "above 2 times"
    assert claim_words(row(above=None, below=-0.02, unit="nats")) == "below −0.0200 nats"
    assert claim_words(row(above=2.0, below=128.0)) == "from 2 to 128"


def test_a_forest_has_a_line_a_task_and_says_where_the_family_took_a_verdict_away():
    rows = [row(task="a"), row(task="b", verdict="inconclusive"), check(task="c")]
    source = forest(rows, "caption")
    assert source.count('class="strip') == 2 and source.count("<tbody>") == 1
    assert re.findall(r'<th scope="row">(\w)', source) == ["a", "b"]
    assert source.count("by its own interval supported") == 1
    assert forest([check()], "x") == ""


# The page


def test_numbers_without_a_bound_can_be_said():
    """A network that is never dearer pays after no number of decisions."""
    from deliberation.report import headline

    assert headline._round(float("inf")) == "∞" and headline._span(3.0, float("inf")) == " [3, ∞]"
    assert headline._round(33333.0) == "33\u202f000"


def shown(findings, **changes):
    bare = [msgspec.structs.replace(one, figures=[]) for one in findings]
    return page(bare, {"Commit": "abc"}, **changes)


def test_the_table_of_the_page_has_the_eleven_rows_in_order_and_each_opens_beneath_itself():
    text = shown([finding(), finding(claim="x", aspect="commentary")])
    assert re.findall(r'<tbody id="row-(\w+)">', text) == list(ASPECTS)
    body = text.split('<tbody id="row-scalability">')[1].split('<tbody id="row-')[0]
    assert body.index("By expanding the search depth.") < body.index("<details>")
    assert "<details open" not in text and text.count("<details>") == 2
    assert text.count("<table") == text.count("<caption")
    for words in ("What would refute it", "Estimand", "Generalises over", "Smallest effect"):
        assert words in body


def test_instrument_checks_are_grey_and_not_counted_on_the_page():
    text = shown([finding(rows=[row(), check()])])
    body = text.split('<tbody id="row-scalability">')[1].split('<tbody id="row-')[0]
    assert "check holds" in body and 'class="cards grey"' in body
    cell = body.split('data-label="Direct"')[1].split("</td>")[0]
    assert re.sub(r"<[^>]+>", "", cell).endswith(
        "✓ supported ✓supported 1 ~inconclusive 0 ✕refuted 0 of 1"
    )
    failed = shown([finding(rows=[check(verdict="fails")])])
    assert 'class="check fails"' in failed and "check fails" in failed


def test_what_was_found_on_many_tasks_is_a_list_of_them():
    told = "On a it is 0.5 of x. On b it is 2. On c it is 3."
    many, few = shown([finding(summary=told)]), shown([finding(summary=told[:32])])
    assert "<li>On a it is 0.5 of x.</li><li>On b it is 2.</li><li>On c it is 3.</li>" in many
    assert '<p class="summary">On a it is 0.5 of x. On b it is' in few


def test_what_is_absent_says_why_on_the_page_too():
    text = shown([finding(rows=[absent()])])
    assert "Not applicable on tic_tac_toe: it is no game." in text
    assert text.count("Not part of this run: ask for it with --claim ") >= 10


def test_several_tasks_are_chosen_by_radio_buttons_of_which_the_first_is_checked(monkeypatch):
    monkeypatch.setattr("deliberation.report.curves.panel_svg", lambda *_: "<svg></svg>")

    def shown(panels):
        return curves(headlines([finding(claim="budget_slope", figures=[figure(panels)])]))

    both = shown([scores(), panel(title="other", series=scores().series)])
    assert both.count('type="radio"') == 2 and both.count(" checked>") == 1
    assert re.findall(r'<label for="task-\d">(\w+)</label>', both) == ["tic_tac_toe", "other"]
    alone = shown([scores(network=None), panel(title="other", series=scores().series)])
    assert re.findall(r'id="task-(\d)" checked', both + alone) == ["0", "1"]
    assert both.count('<div class="pane">') == both.count("<svg>") == 2
    assert 'type="radio"' not in shown([scores()]) and 'class="headline' in shown([scores()])
    assert shown([panel(series=[series()])]) == ""


def test_notes_come_before_the_table_and_are_escaped():
    text = shown([], notes=["3 of 4 cells <failed>"])
    assert text.index('<p class="notice">3 of 4 cells &lt;failed&gt;</p>') < text.index("<main>")
