"""What to think of an audit, in three sentences: rules from verdicts to words."""

import sys
from types import SimpleNamespace

import msgspec
import pytest
from test_language import asserted

from deliberation.audit.profile import Answer, Cited, Profile
from deliberation.audit.rates import Count
from deliberation.audit.telling.conclusion import conclusion, no_room
from deliberation.audit.telling.doubting import doubted
from deliberation.audit.telling.figures import banded, named
from deliberation.audit.telling.progress import progress_of
from deliberation.core.display.panels import Panel, Series
from deliberation.report.pages.audit import audit_page, gathered
from deliberation.specimens import validate, validation
from deliberation.stats import Estimate

WHERE = "random worlds of 150 states with the smoke effort"
MISSED = Count(wrong=0, audits=100, kinds=10, where=WHERE)
WRONG = Count(
    wrong=3, audits=330, kinds=33, often=1, shares=0.3,
    worst="planner about the wrong state", worst_wrong=2, worst_audits=10, where=WHERE,
)  # fmt: skip
FOOLED = Count(
    wrong=7, audits=340, kinds=34, often=1, shares=0.7,
    worst="table over objectives", worst_wrong=7, worst_audits=10, where=WHERE,
)  # fmt: skip
WHY = "There is nobody to play against."


def figure(*ways):
    line = Series(label="subject", x=[2.0**i for i in range(len(ways))], y=list(ways))
    return Panel(title="t", x_label="x", y_label="y", series=[line])


def answer(probe, found, *ways, counted=None, said=""):
    return Answer(
        probe=probe, question=f"{probe}?", statistic="a share", found=found,
        said=said or f"What {probe} says.", estimate=Estimate(0.0, -0.05, 0.05, 80),
        counted=counted, panel=figure(*ways) if ways else None,
    )  # fmt: skip


def table():
    """A look-up table that is nearly best."""
    return [
        answer("effort", "none", 0.98, 0.98, counted=MISSED),
        answer("match", "not applicable", said=WHY),
        answer("objective", "none", counted=MISSED), answer("revaluation", "none", counted=MISSED),
        answer("experience", "not applicable"),
    ]  # fmt: skip


def planner():
    """One that follows all that it is given."""
    return [
        answer("effort", "responds", 0.4, 0.93, counted=WRONG),
        answer("objective", "responds", counted=WRONG),
        answer("revaluation", "responds", counted=WRONG),
    ]  # fmt: skip


def cheat():
    """A table over objectives: it serves what it is told, and nothing else moves it."""
    return [
        answer("effort", "none", 0.4, 0.4, counted=MISSED),
        answer("objective", "responds", counted=WRONG),
        answer("revaluation", "none", counted=MISSED),
    ]  # fmt: skip


def deaf(probe, told):
    """One that was not asked, since it could not be told."""
    return msgspec.structs.replace(answer(probe, "not applicable"), unheard=told)


def stranger():
    """A policy that was brought in from elsewhere: it is told nothing."""
    return [
        deaf("effort", "budget"), answer("match", "not applicable", said=WHY),
        deaf("objective", "objective"), deaf("revaluation", "objective"),
        answer("worth", "told", said="Goes 0.99 of the way; more. It is."),
        answer("depth", "none", said="Chooses as well. Of 9."),
        answer("map", "told", said="Takes a best action."), answer("size", "not applicable"),
    ]  # fmt: skip


def engine():
    """One with a dial, that no objective reaches."""
    dial = answer("effort", "responds", 0.4, 0.93, counted=WRONG)
    return [dial, deaf("objective", "objective"), deaf("revaluation", "objective")]


def of(found):
    return [answer(probe, found) for probe in ("effort", "match", "objective", "revaluation")]


def profile(answers):
    return Profile(
        subject="somebody", task="somewhere", effort="smoke", states=9, asked=9, answers=answers
    )


def test_error_rates_of_an_earlier_version_are_told_as_such():
    old = msgspec.structs.replace(MISSED, earlier=90)
    assert (
        "; 90 of the 100 with an earlier version;"
        in conclusion([answer("objective", "none", counted=old)])[1]
    )
    assert "earlier" not in conclusion([answer("objective", "none", counted=MISSED)])[1]


def test_a_verdict_on_what_is_told_says_how_much_it_is_followed():
    faint = msgspec.structs.replace(
        answer("objective", "responds", counted=WRONG), estimate=Estimate(0.18, 0.12, 0.24, 80)
    )
    moved = msgspec.structs.replace(
        answer("revaluation", "against", counted=WRONG), estimate=Estimate(-0.4, -0.5, -0.3, 80)
    )
    said = conclusion([faint, moved])[1]
    assert "an objective that it is told (by 18 % of the way from a random choice to the" in said
    assert "turns away from rewards that move (in 40 % of the cases)" in said


def bent(found, *ways):
    one = answer("effort", found, *ways)
    line = one.panel.series[0]
    low, high = ([y + by for y in line.y] for by in (-0.05, 0.05))
    panel = msgspec.structs.replace(
        one.panel, series=[msgspec.structs.replace(line, low=low, high=high)]
    )
    return msgspec.structs.replace(one, panel=panel, rules_out="a search")


def test_effort_that_helps_between_the_least_and_the_most_is_not_none():
    left = doubted(bent("none", 0.24, 1.0, 0.24), "listed")
    assert left.found == "inconclusive" and not left.rules_out
    assert "2 between them better (1.00)" in left.said
    assert "worse" in doubted(bent("none", 0.8, 0.2, 0.9, 0.8), "listed").said
    first, last = conclusion([left, answer("objective", "none")])[::2]
    assert first.startswith("As far as is decided") and "not decided: more effort" in last
    for same in (bent("none", 0.24, 0.36, 0.24), bent("none", 0.5), bent("responds", 0, 1, 0.5)):
        assert doubted(same, "listed") == same
    assert doubted(answer("match", "none", 0, 1, 0), "game").found == "none"


def test_what_is_left_open_is_counted_as_open_where_probes_are_validated(monkeypatch):
    said = SimpleNamespace(measure=lambda subject: bent("none", 0.24, 1.0, 0.24))
    monkeypatch.setattr(validation, "module_of", lambda kind, name, known: said)
    (line,) = validate(["effort"], ["look_up_table"], repeats=1, kinds=["small"])
    assert line.found == {"inconclusive": 1}


def test_a_table_that_is_nearly_best_is_a_fixed_function_that_has_nothing_to_gain():
    first, second, third = conclusion(table())
    assert first == (
        "It does as well as a fixed function of what it sees, and a nearly best one here: judged "
        "choice by choice, as if the best followed, it goes 98 % of the way from a random choice "
        "to the best, so that more effort has nothing to gain."
    )
    assert second == (
        "Neither another objective nor moved rewards changes how well it chooses by as much as a "
        "tenth (the least sure of these, on another objective, was said wrongly in 0 of 100 audits "
        "of 10 kinds of subjects that do respond, either way, by a tenth or more; in at most 30.8 "
        f"% of audits of kinds that are drawn as these were; counted in {WHERE})."
    )
    assert third == (
        "So do not expect it to follow when what is wanted changes; not tested: what it learns as "
        "it goes on."
    )


def test_what_it_ignores_was_told_at_the_largest_budget_where_a_budget_matters():
    deaf = "do not expect it to follow when what is wanted changes"
    moves = [answer("effort", "responds", 0.4, 0.9, counted=WRONG), *table()[1:]]
    assert f"{deaf}, at the largest budget, and expect more effort to pay" in conclusion(moves)[-1]
    open_ = [answer("effort", "inconclusive", 0.4, 0.5), *table()[1:]]
    assert f"{deaf}, at the largest budget; not decided" in conclusion(open_)[-1]
    assert deaf in conclusion(table())[-1] and "largest" not in conclusion(table())[-1]


def test_no_response_to_effort_counts_only_where_there_was_something_to_gain():
    full, half = table(), [answer("effort", "none", 0.5, 0.5, counted=MISSED), *table()[1:]]
    assert no_room(full[0]) and not no_room(half[0])
    assert [a.probe for a in profile(full).verdicts] == ["objective", "revaluation"]
    assert [a.probe for a in profile(half).verdicts] == ["effort", "objective", "revaluation"]
    first, second, _ = conclusion(half)
    assert first.endswith(
        "sees: judged choice by choice, as if the best followed, it goes 50 % of the way from a "
        "random choice to the best."
    )
    assert second.startswith("Neither more effort nor another objective nor moved rewards changes")
    assert "at most 30.8 %" in second
    assert "2 verdicts were given" in audit_page(profile(full))
    alone = conclusion([full[0]])
    assert alone[0].startswith("It goes 98 % of the way") and "nothing to gain" in alone[0]


def test_a_planner_that_follows_all_is_consistent_with_a_search_and_no_fixed_function():
    first, second, third = conclusion(planner())
    assert "consistent with a search when it decides, and rules out a fixed function" in first
    assert "from 40 % to 93 % of the way" in second
    assert (
        "was said wrongly in 3 of 330 audits of 33 kinds of subjects that do not respond, most "
        "often of the kind planner about the wrong state, 2 of 10; in at most 12.3 % of audits"
    ) in second
    assert third == (
        "So expect it to follow another objective and moved rewards, and expect more effort to pay."
    )


def test_a_cheat_with_mixed_verdicts_depends_on_one_thing_alone():
    first, second, third = conclusion(cheat())
    assert first.startswith(
        "How well it chooses depends on the objective that it is told, and not on the effort that "
        "it is offered or rewards that move"
    )
    assert "consistent with a search" not in first
    assert "12.3 %" in second and "30.8 %" in second and second.count("counted in") == 1
    assert third == "So expect it to follow another objective, and not moved rewards."


def test_a_kind_that_mostly_fools_a_verdict_is_named_with_its_own_count_and_where():
    _, second, third = conclusion([answer("revaluation", "responds", counted=FOOLED)])
    assert second == (
        "It follows rewards that move (in 0 % of the cases) (said wrongly in 7 of 340 audits of "
        "34 kinds of subjects that do not respond, "
        "all 7 of the kind table over objectives, 7 of 10, which could fool "
        "it here; in at most 13.9 % of audits of kinds that are drawn as these were; counted in "
        f"{WHERE})."
    )
    fooled = "expect it to follow moved rewards, unless it is of the kind table over objectives"
    assert fooled in third
    less = msgspec.structs.replace(WRONG, kinds=9)  # a higher limit, yet nobody mostly fools it
    some = [answer("objective", "responds", counted=less),
            answer("revaluation", "responds", counted=FOOLED)]  # fmt: skip
    _, both, _ = conclusion(some)
    assert "the least sure of these, on moved rewards," in both and "wrong state" not in both
    _, both, _ = conclusion([answer("objective", "responds", counted=FOOLED), some[1]])
    assert "could be fooled by the kind table over objectives, 7 of 10" in both
    _, _, calm = conclusion([answer("revaluation", "responds", counted=WRONG)])
    assert "unless" not in calm


def test_harm_by_effort_is_said_and_so_is_what_was_not_counted():
    first, second, third = conclusion([answer("effort", "against", 0.6, 0.2)])
    assert "depends on the effort" in first
    assert "gets worse with more effort (from 60 % to 20 % of the way" in second
    assert "was not counted here" in second
    assert "expect more effort to do harm; not tested: another objective and moved rewards" in third


@pytest.mark.parametrize(
    ("found", "start"),
    [
        ("inconclusive", "Nothing is decided"),
        ("failed", "Every probe failed"),
        ("not applicable", "None of these probes can be put to it"),
    ],
)
def test_where_there_is_no_verdict_that_is_the_conclusion(found, start):
    first, rest = conclusion(of(found))
    assert first.startswith(start)
    assert "more effort" in rest and "another objective" in rest
    shown = str(profile(of(found)))
    assert first[:60] in shown and "verdicts were given" not in audit_page(profile(of(found)))


def test_part_of_the_evidence_concludes_as_far_as_it_goes():
    some = [answer("effort", "inconclusive", 0.5, 0.6), answer("objective", "none", counted=MISSED)]
    first, second, third = conclusion(some)
    assert first.startswith("As far as is decided, it does as well as a fixed function")
    assert second.startswith("Another objective does not change")
    assert "not decided: more effort; not tested: moved rewards" in third
    (only, rest) = conclusion([answer("depth", "none", said="Chooses as well. Of 9.")])
    assert only == "Chooses as well." and rest.startswith("Not tested: more effort")


def test_who_cannot_be_told_is_a_function_of_what_it_sees_by_its_making():
    first, second, third = conclusion(stranger())
    assert first == (
        "Neither a budget nor an objective reaches it, so that it was not asked whether it would "
        "use them: to the audit it is a function of what it sees, by its making and not as a "
        "finding."
    )
    assert second == "Chooses as well; goes 0.99 of the way."
    assert third == "Not tested: larger tasks."
    only = [deaf("effort", "budget"), answer("objective", "inconclusive")]
    assert conclusion(only) == [
        "No budget reaches it, so that it was not asked whether it would use one.",
        "Not decided: another objective; not tested: moved rewards.",
    ]


def test_who_hears_one_thing_alone_is_judged_by_that_and_the_other_is_named():
    first, second, third = conclusion(engine())
    assert first.startswith("How well it chooses depends on the effort that it is offered: this")
    assert second.startswith("It gets better with more effort")
    assert third == (
        "So expect more effort to pay; not asked, since no objective reaches it: another objective "
        "and moved rewards."
    )


@pytest.mark.parametrize(
    "answers",
    [table(), planner(), cheat(), stranger(), engine(), of("failed"), of("inconclusive")],
)
def test_the_same_sentences_stand_on_top_everywhere_and_assert_nothing(answers):
    found = profile(answers)
    assert 1 <= len(found.conclusion) <= 3
    page, cell, text = audit_page(found), found._repr_html_(), " ".join(str(found).split())
    for said in found.conclusion:
        assert not asserted(said), said
        assert said in page and said in cell and said in text
    section = page.find(f'id="{answers[0].probe}"')
    assert section < 0 or page.index(found.conclusion[0]) < section
    assert "(Such a verdict" not in page


def test_a_cited_state_without_a_picture_is_a_table_of_short_numbers():
    seen = [[f"observation {i}", str(i % 2)] for i in range(12)] + [["earned", "-0.5"]]
    assert gathered(seen) == [
        ("observation 0–11", "0 1 0 1 0 1 0 1 0 1 0 1"), ("earned", "-0.5"),
    ]  # fmt: skip
    two = [["place 0", "1"], ["place 1", "3"], ["angle 1", "0.5"], ["time", "7"]]
    assert gathered(two) == [tuple(row) for row in two]
    one = Cited(drawn="seen: [0.0, 1.0]", picture=None, chosen=2, best=0, lost=0.5, table=seen)
    page = audit_page(profile([answer_with(one)]))
    assert "<td>0 1 0 1 0 1 0 1 0 1 0 1</td>" in page and "seen: [" not in page


def answer_with(one):
    known = answer("effort", "none", 0.5)
    kept = {name: getattr(known, name) for name in known.__struct_fields__}
    return Answer(**{**kept, "cited": [one]})


def with_band(probe, *ways):
    found = banded(probe, figure(*ways), 0.1)
    assert found is not None
    return found


def test_figures_show_what_would_be_too_small_to_matter():
    (gain,) = with_band("effort", 0.5, 0.52).bands
    (change,) = with_band("objective", 0.0, 0.0).bands
    assert (gain.low, gain.high) == (pytest.approx(0.4), pytest.approx(0.6))
    assert (change.low, change.high) == (-0.1, 0.1)
    assert with_band("worth", 0.5).bands == [] and banded("effort", None, 0.1) is None


def test_a_band_is_drawn_and_the_axis_holds_it():
    from matplotlib.figure import Figure as Canvas

    from deliberation.core.display.drawing import draw_panel

    axes = Canvas().add_subplot()
    draw_panel(axes, named(with_band("objective", 0.0, 0.0), "somebody"))
    low, high = axes.get_ylim()
    assert low <= -0.1 and high >= 0.1 and axes.get_legend() is None
    assert any("smallest response" in text.get_text() for text in axes.texts)


def test_a_single_series_has_no_legend_and_others_bear_the_policys_name():
    assert named(figure(0.5), "somebody").series[0].label == ""
    two = Panel(
        title="t", x_label="x", y_label="y",
        series=[*figure(0.5).series, Series(label="mean", x=[1.0], y=[0.5])],
    )  # fmt: skip
    assert [s.label for s in named(two, "somebody").series] == ["somebody", "mean"]
    assert named(two, "x" * 60).series[0].label == "this policy"


def test_progress_goes_to_standard_error_where_somebody_reads_it(capsys, monkeypatch):
    told = answer("effort", "none")
    for shown, terminal, expected in (
        (None, False, ""), (None, True, "[1/2] effort: no response"), (False, True, ""),
        (True, False, "[1/2] effort: no response"),
    ):  # fmt: skip
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal, raising=False)
        progress_of(2, shown).answered(told)
        out, err = capsys.readouterr()
        assert err.startswith(expected) and bool(err) == bool(expected) and not out
