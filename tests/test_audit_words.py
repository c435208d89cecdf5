"""How an audit is told: what is alike once, what is beyond its scale in words, and how long."""

import numpy as np
import pytest

from deliberation.audit.judging import answered, not_applicable
from deliberation.audit.probes import worth
from deliberation.audit.profile import Answer, Profile
from deliberation.cli.audit import _Progress
from deliberation.report.pages.audit import audit_page
from deliberation.stats import Estimate

WHY = "This asks about every state, and those were not listed."
INF = float("inf")


def about(name):
    return {
        "name": name, "question": f"{name}?", "statistic": "a share of contested states",
        "fooled_by": "nothing",
    }  # fmt: skip


def answer(name, seconds=1.0, why=""):
    if why:
        found = not_applicable(about(name), why)
    else:
        found = answered(about(name), Estimate(0.5, 0.4, 0.6, 9), {"told": "Half."}, found="told")
    return Answer(**{k: getattr(found, k) for k in found.__struct_fields__} | {"seconds": seconds})


@pytest.fixture
def profile():
    answers = [answer("effort"), *(answer(x, why=WHY) for x in ("depth", "shifts", "goals"))]
    answers.append(answer("match", why="There is nobody to play against."))
    return Profile(
        subject="somebody", task="somewhere", effort="smoke", states=9, asked=9, answers=answers
    )


def test_probes_that_cannot_be_put_for_one_reason_give_it_once(profile):
    for told in (str(profile), audit_page(profile)):
        assert told.count(WHY) == 1 and told.count("nobody to play against") == 1
    page = audit_page(profile)
    assert "<b>depth</b>, <b>shifts</b>, <b>goals</b> (not applicable)" in page
    assert "depth, shifts, goals" in str(profile)
    assert '<dl class="terms">' in page and "expert iteration" not in page.lower()


def test_what_lies_beyond_the_search_is_told_in_words():
    assert worth._shown(Estimate(INF, 12.34, INF, 9)) == "over 256 [12.3, over 256]"
    assert worth._shown(Estimate(0.0, 0.0, 3.0, 9)) == "under 1 [under 1, 3]"
    assert worth._in_words(INF).startswith("farther than a plain search goes with 256")
    assert worth._in_words(12.0) == "as far as a plain search goes with 12 simulations."
    beyond = answered(
        about("worth"), Estimate(INF, 1.0, INF, 9), {"told": "Far."}, found="told",
        measure="over 256",
    )  # fmt: skip
    told = Profile(
        subject="x", task="y", effort="smoke", states=1, asked=1, answers=[beyond]
    )  # fmt: skip
    for shown in (str(told), audit_page(told)):
        assert "over 256" in shown and " inf" not in shown


def test_the_time_left_counts_only_answers_that_took_time():
    progress = _Progress(4)
    assert "left" not in progress.line(answer("depth", 0.0, WHY), 1.0)
    assert "left" not in progress.line(answer("kept", 500.0), 2.0)
    assert "12 s so far, up to 12 s left" in progress.line(answer("effort", 10.0), 12.0)
    assert "left" not in progress.line(answer("worth", 10.0), 22.0)


def test_a_label_within_a_figure_stands_on_paper_and_the_line_through_the_data_on_it():
    from deliberation.report.figures import panel_svg
    from deliberation.runs.findings import Panel, Reference, Series

    series = [Series(label="a", x=[0.0, 1.0], y=[0.0, 1.0])]
    plain, told = (
        panel_svg(Panel(title="t", x_label="x", y_label="y", series=series, references=given),
                  "p", "a line")
        for given in ([], [Reference(label="chance", y=0.5)])
    )  # fmt: skip
    before = told[: told.index("chance")]
    box = before.rindex("<path")
    assert "var(--paper)" in before[box:] or "--paper" in before[box:]
    assert told.count("<path") > plain.count("<path") + 1
    assert np.isfinite(len(told))
