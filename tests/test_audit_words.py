"""How an audit is told: what is alike once, what is beyond its scale in words, and how long."""

import os

import msgspec
import numpy as np
import pytest

from deliberation.audit.judging import answered, not_applicable
from deliberation.audit.probes import worth
from deliberation.audit.profile import Answer, Control, Profile
from deliberation.audit.telling.progress import Progress
from deliberation.audit.telling.words import probes_in_words
from deliberation.report.pages.audit import audit_page
from deliberation.stats import Estimate

WHY = "This asks about every state, and those were not listed."
INF = float("inf")


def about(name):
    return {
        "name": name, "question": f"{name}?", "statistic": "a share of contested states",
        "fooled_by": "nothing",
    }  # fmt: skip


def test_a_control_that_could_hardly_fail_is_said_to_say_little():
    ends = {"wide": (-0.52, 0.52), "narrow": (-0.08, 0.52), "failing": (0.2, 0.6)}
    controls = [Control(name, Estimate(0.3, *e, 80), name != "failing") for name, e in ends.items()]
    found = answer("depth")
    told = msgspec.structs.replace(found, controls=controls)
    whole = Profile(subject="s", task="t", effort="e", states=1, asked=1, answers=[told])
    for text in (str(whole), audit_page(whole), whole._repr_html_()):
        assert text.count("wide: it could hardly have failed") == 1
        assert text.count("does not hold: no verdict") == 1


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
    progress = Progress(4, print)
    assert "left" not in progress.line(answer("depth", 0.0, WHY), 1.0)
    assert "left" not in progress.line(answer("kept", 500.0), 2.0)
    assert "12 s so far, up to 12 s left" in progress.line(answer("effort", 10.0), 12.0)
    assert "left" not in progress.line(answer("worth", 10.0), 22.0)


def test_what_the_folder_held_is_told_as_kept_and_counts_for_nothing(tmp_path):
    (tmp_path / "depth.json").write_text("{}")
    os.utime(tmp_path / "depth.json", (1e9, 1e9))
    progress = Progress(4, print, tmp_path)
    assert "(kept; 3 s so far)" in progress.line(answer("depth", 2.0), 3.0)
    told = progress.line(answer("effort", 4.0), 7.0)
    assert "(4 s; 7 s so far, up to 14 s left at this pace)" in told
    (tmp_path / "worth.json").write_text("{}")
    assert "kept" not in progress.line(answer("worth", 1.0), 8.0)
    assert (probes_in_words(1), probes_in_words(2)) == ("1 probe", "2 probes")


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
