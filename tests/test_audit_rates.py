"""How often verdicts were wrong: by kinds of specimens, of lines of told versions."""

import json
import re
import shutil
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))
import _audit_versions as kept  # noqa: E402
import audit_validity as benchmark  # noqa: E402

from deliberation.audit.rates import Rates, counted, list_rates, rates  # noqa: E402
from deliberation.specimens import Validated, list_specimens  # noqa: E402
from deliberation.stats.intervals import exact_proportion  # noqa: E402

KEPT = ROOT / "benchmarks" / "results" / "audit_validity.json"


def test_a_count_is_over_kinds_and_its_limit_respects_that_audits_of_one_go_together():
    kinds = [(f"kind {i}", 0, 10) for i in range(33)] + [("table", 7, 10), ("unasked", 0, 0)]
    found = counted(kinds)
    assert (found.wrong, found.audits, found.kinds, found.often) == (7, 340, 34, 1)
    assert (found.worst, found.worst_wrong, found.worst_audits) == ("table", 7, 10) and found.fooled
    assert found.limit == pytest.approx(0.13915, abs=1e-5)
    assert found.limit > 3 * exact_proportion(7, 340).high
    assert counted([("a", 0, 10)] * 14).limit == exact_proportion(0, 14).high
    assert counted([("a", 9, 9)]).limit == 1.0
    told = Rates(responds=found, found=9, effects=10).of("responds")
    assert "in 7 of 340 audits of 34 kinds of subjects that do not respond" in told
    assert "all 7 of the kind table, 7 of 10, which could fool it here" in told
    assert "in at most 13.9 % of audits of kinds that are drawn as these were" in told
    assert "of just those worlds and specimens: at most 4.2 % of audits" in told
    assert told.endswith("said rightly in 9 of 10 of subjects that do")


@pytest.mark.parametrize("share, errs, repeats, kinds",
                         [(0.4, 0.06, 10, 14), (0.3, 0.06, 10, 35), (0.03, 0.7, 10, 35),
                          (1.0, 0.05, 10, 14), (0.05, 1.0, 10, 8)])  # fmt: skip
def test_the_limit_lies_below_the_truth_seldom_enough(share, errs, repeats, kinds):
    rng = np.random.default_rng(0)
    low = 0
    for _ in range(1000):
        wrong = rng.binomial(repeats, np.where(rng.random(kinds) < share, errs, 0.0))
        low += counted([("a", int(w), repeats) for w in wrong]).limit < share * errs
    assert low <= 25


def test_what_is_seldom_wrong_is_believed_and_what_is_often_is_not():
    assert Rates(responds=counted([("a", 1, 50), ("b", 3, 50)])).trusted
    assert not Rates(responds=counted([("a", 3, 50), ("b", 3, 50)])).trusted
    even, once = counted([("a", 5, 10)]), counted([("a", 0, 20), ("b", 1, 20)])
    assert not even.fooled and once.often == 0, "half is not more than that"
    assert "the one of the kind b, 1 of 20" in once.told("that do")
    assert not counted([]).fooled and counted([("a", 0, 9)]).worst == ""
    assert Rates().of("responds") == Rates(none=even).of("against") == "not counted"
    assert Rates(none=even).count("told") is None and Rates(none=even).count("none") == even


def test_the_rates_that_are_kept_are_those_of_the_lines_that_are_kept():
    lines, _ = benchmark.read(KEPT)
    again = "run benchmarks/audit_validity.py --page"
    assert benchmark.rates_of(lines) == list_rates(), again
    by_name = {one.line.specimen: one.line for one in lines
               if (one.line.probe, one.line.kind) == ("effort", "small")}  # fmt: skip
    nulls = [x for x in by_name.values() if x.truth in ("none", "against")]
    count = rates("effort", "small").responds
    assert count.kinds == len(nulls) and count.audits == sum(x.repeats for x in nulls)
    assert rates("nobody", "small") == Rates()


def line(name="replay", probe="effort", kind="listed", **changes):
    truth = list_specimens()[name]["answers"][probe]
    one = Validated(probe, name, truth, {truth: 10}, 10, kind)
    return benchmark.Line(one, kept.versions_of(probe, name), **changes)


def test_each_verdict_is_counted_over_those_of_whom_it_is_wrong():
    told = [
        Validated("effort", "replay", "none", {"none": 9, "responds": 1}, 10),
        Validated("effort", "coin", "against", {"against": 9, "inconclusive": 1}, 10),
        Validated("effort", "uct", "responds", {"responds": 6, "none": 3, "not applicable": 1}, 10),
        Validated("effort", "echo", "open", {"responds": 10}, 10),
    ]
    now = [benchmark.Line(x, kept.versions_of(x.probe, x.specimen)) for x in told]
    found = benchmark.rates_of(now)["listed"]["effort"]
    assert (found.responds.wrong, found.responds.audits, found.responds.kinds) == (1, 20, 2)
    assert (found.none.wrong, found.none.audits, found.none.worst) == (3, 19, "UCT")
    assert (found.against.wrong, found.against.audits) == (0, 19)
    turned = Validated("effort", "jitter", "against", {"none": 4, "against": 6}, 10)
    other = benchmark.Line(turned, kept.versions_of("effort", "jitter"))
    found = benchmark.rates_of([*now, other])["listed"]["effort"]
    assert (found.none.wrong, found.none.audits, found.none.worst_wrong) == (7, 29, 4)
    found = benchmark.rates_of(now)["listed"]["effort"]
    assert (found.found, found.effects) == (6, 9)
    assert found.responds.earlier == found.none.earlier == 0
    before = [now[0], *(msgspec.structs.replace(x, versions={}) for x in now[1:])]
    found = benchmark.rates_of(before)["listed"]["effort"]
    assert (found.responds.earlier, found.none.earlier, found.against.earlier) == (10, 19, 9)
    assert "; 10 of the 20 with an earlier version of it" in found.of("responds")
    titled = benchmark.rates_of([benchmark.Line(Validated("effort", "coin", "none",
                                                          {"responds": 1}, 1))])  # fmt: skip
    assert titled["listed"]["effort"].responds.worst == "coin"


def test_a_line_is_of_an_earlier_version_once_what_can_change_it_is_another(tmp_path):
    now = kept.versions_of("compute", "replay")
    assert not kept.changed("compute", "replay", now)
    for file, part in (
        ("audit/probes/compute.py", "probe compute"), ("audit/probes/depth.py", "probe compute"),
        ("specimens/cheats/replay.py", "specimen replay"), ("audit/exam.py", "audit/exam.py"),
        ("audit/profile.py", None), ("audit/probes/effort.py", None), ("stats/estimate.py", None),
    ):  # fmt: skip
        folder = tmp_path / file.replace("/", "-")
        for wing in ("audit", "specimens", "stats"):
            shutil.copytree(kept.PACKAGE / wing, folder / wing)
        _add(folder / file, '# otherwise\n"""Said otherwise."""\n')
        assert kept.versions_of("compute", "replay", folder) == now
        kept._digest.cache_clear()
        _add(folder / file, "OTHERWISE = 1\n")
        other = kept.versions_of("compute", "replay", folder)
        assert kept.changed("compute", "replay", other) == ([] if part is None else [part])
    assert len(kept.changed("compute", "replay", {})) == len(now)


def test_how_a_verdict_is_put_into_words_is_no_other_version(tmp_path):
    now = kept.versions_of("revaluation", "replay")
    for wing in ("audit", "specimens"):
        shutil.copytree(kept.PACKAGE / wing, tmp_path / wing)
    path = tmp_path / "audit" / "probes" / "revaluation.py"
    path.write_text(path.read_text().replace("Turns away from", "Flees"))
    assert "Flees" in path.read_text()
    assert kept.versions_of("revaluation", "replay", tmp_path) == now
    kept._digest.cache_clear()
    path.write_text(path.read_text().replace("answers that do not depend", "answers that depend"))
    assert kept.versions_of("revaluation", "replay", tmp_path) != now


def _add(path, text):
    path.write_text(path.read_text() + text)


def test_lines_kept_without_versions_or_worlds_still_load_and_are_marked(tmp_path):
    old = {"code": "0123456789abcdef", "line": msgspec.to_builtins(line().line)}
    gone = {**old, "line": {**old["line"], "specimen": "nobody"}}
    path = tmp_path / "audit_validity.json"
    path.write_text(json.dumps({"lines": [old, gone], "cover": {}, "repeats": 10, "code": "x"}))
    (found,), beside = benchmark.read(path)
    assert found.first == benchmark.BEFORE and found.versions == {} and "lines" not in beside
    new = line("coin", first=benchmark.FIRST_WORLD)
    partly = msgspec.structs.replace(
        line("idler", kind="game"), versions={**new.versions, **line("idler").versions,
                                              "audit/exam.py": "another"},
    )  # fmt: skip
    text = benchmark.page([found, new, partly], {})
    assert "3 lines of 10 to 10 repeats" in text and "lines in games (1)" in text
    assert "2 lines are of an earlier version" in text and "2 of worlds before 2000" in text
    assert "settings of compute, depth and match were changed" in text
    rows = re.findall(r"\| (\d+) \| ([\w, ]*) \| ✓ \|", text)
    assert rows == [("1000", "all"), ("2000", ""), ("1000", "exam")]


@pytest.mark.parametrize(
    ("asked", "stand"),
    [
        ([], [True, False, False]), (["--first", "1000"], [False, True, False]),
        (["--keep"], [True, True, True]), (["--keep", "--again", "effort"], [True, False, False]),
        (["--keep", "--anew", "coin"], [True, True, False]), (["--repeats", "11"], [False] * 3),
    ],
)  # fmt: skip
def test_what_is_measured_again_is_what_is_of_other_worlds_or_versions(monkeypatch, asked, stand):
    usual = [] if "--repeats" in asked else ["--repeats", "10"]
    monkeypatch.setattr(sys, "argv", ["audit_validity.py", *usual, *asked])
    lines = [
        line(first=2000),
        line(),
        msgspec.structs.replace(line("coin", first=2000), versions={}),
    ]
    assert [benchmark.stands(one, benchmark.options()) for one in lines] == stand


def test_a_page_of_what_is_kept_measures_nothing(tmp_path, monkeypatch, capsys):
    content = {"lines": [msgspec.to_builtins(line())], "cover": {"a mean": [0.95, 0.9, 0.97]}}
    (tmp_path / "audit_validity.json").write_text(json.dumps(content))
    monkeypatch.setattr(benchmark, "validate", None)
    monkeypatch.setattr(benchmark, "cover", None)
    monkeypatch.setattr(sys, "argv", ["audit_validity.py", "--page", "--out", str(tmp_path)])
    benchmark.main()
    text = (tmp_path / "audit_validity.md").read_text()
    assert text in capsys.readouterr().out and "0.950 [0.900, 0.970]" in text
    assert json.loads((tmp_path / "audit_validity.json").read_text()) == content
    told = json.loads((tmp_path / "error_rates.json").read_text())
    assert told["listed"]["effort"]["responds"]["audits"] == 10
