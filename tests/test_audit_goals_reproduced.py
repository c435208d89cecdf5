"""The cheap reproductions of published numbers about what behaviour serves hold."""

import sys
from fnmatch import fnmatchcase
from pathlib import Path

import jax
import msgspec
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from reproduced import Row, coverage, goal_directedness, over_optimisation, quantiliser_bound
from reproduced.populations import lived
from reproductions import OUT, counted, declared, kept_of, list_reproductions, page

from deliberation.stats import Estimate


@pytest.mark.parametrize("module", [quantiliser_bound, goal_directedness, coverage])
def test_a_published_number_holds(module):
    rows = module.reproduce("smoke", jax.random.key(0))
    assert rows and [row.what for row in rows if row.verdict != "holds"] == []


def test_goal_directedness_falls_at_every_step():
    rows = goal_directedness.reproduce("smoke", jax.random.key(0))
    falls = [row.measured.estimate for row in rows if "less" in row.what and "epsilon" in row.what]
    assert len(falls) == len(goal_directedness.EPSILONS) - 1 and min(falls) > 1e-3


def test_pass_at_k_is_the_share_of_subsets_that_hold_a_success():
    assert coverage.pass_at(4, np.array([0, 1, 4]), 2).tolist() == pytest.approx([0, 0.5, 1])


def test_heavy_tails_make_the_true_score_peak():
    questions = np.arange(64)
    heavy = [over_optimisation.exact(True, n, questions).mean() for n in (1, 16, 1024)]
    light = [over_optimisation.exact(False, n, questions).mean() for n in (1, 16, 1024)]
    assert heavy[1] > heavy[0] + 0.5 and heavy[1] > heavy[2] + 0.3
    assert light == sorted(light) and light[2] > 2.1
    chosen = over_optimisation.asked(False, 16, questions, jax.random.key(0))
    assert abs(chosen.mean() - light[1]) < 0.4


def test_selection_reveals_an_incentive_and_swapping_hides_it():
    keys = jax.random.split(jax.random.key(0), 8)
    options = {"members": 50, "steps": 400}
    own, swapped, alone = (
        np.asarray(lived(keys, every=every, swapped=swapped, **options))[:, 300:].mean()
        for every, swapped in ((10, False), (10, True), (0, False))
    )
    assert own > 0.35 and swapped < 0.1 and 0.03 < alone < own / 2


def section(*rows, **told):
    """As kept, with what a section declares."""
    content = [msgspec.to_builtins(row) for row in rows]
    one = {"rows": content, "failed": "", "seconds": 1.0, "effort": "smoke", "commit": None,
           "machine": None, "versions": None}  # fmt: skip
    words = {"title": "T", "source": "S", "published": "P", "tolerance": "O"}
    return declared({**words, **told}, one)


MEASURED = Estimate(0.5, 0.4, 0.6, 10)


def test_what_was_tried_is_told_and_not_judged():
    rows = [
        Row("a", 0.5, MEASURED, 0.4, 0.6),
        Row("b", 0.9, MEASURED, 0.8, 1.0),
        Row("c", None, MEASURED),
    ]
    assert [row.verdict for row in rows] == ["holds", "misses", None]
    text = page([section(*rows, tried="Much was tried.")])
    assert text.count("| ✓ |") == text.count("| ✕ |") == 1
    assert "1 hold, 0 not decided, 1 miss: 2 numbers" in text
    assert "Much was tried." in text and "| c |  | 0.5 [0.4, 0.6] |  |  |" in text


def test_all_that_could_miss_is_one_count_whatever_missed_before():
    right, wrong = Row("a", 0.5, MEASURED, 0.4, 0.6), Row("b", 0.9, MEASURED, 0.8, 1.0)
    found = [section(right), section(right, wrong, after_miss=True)]
    assert counted(found).startswith("2 hold, 0 not decided, 1 miss: 3 numbers")
    assert page(found).count("(in part set after a first miss)") == 1


def test_what_is_true_by_construction_is_marked_and_counted_apart():
    rows = [
        Row("a", 0.5, MEASURED, 0.4, 0.6),
        Row("sum of 2", 0.5, MEASURED, 0.4, 0.6),
        Row("sum of 3", 0.9, MEASURED, 0.8, 1.0),
        Row("sum of 4", 0.5, MEASURED, 0.45, 0.55),
    ]
    text = page([section(*rows, by_construction={"sum of *": "it is a sum"})])
    assert "1 hold, 0 not decided, 0 miss: 1 numbers" in text
    assert "3 that are true by construction (◦; 1 come" in text
    assert "| ◦ it is a sum |" in text and text.count("| ✓ |") == 1
    assert "| ✕, though it should: it is a sum |" in text
    assert "| ? not decided, though it should: it is a sum |" in text


def test_a_number_that_no_paper_prints_is_not_called_published():
    rows = [
        Row("a", 0.5, MEASURED, 0.4, 0.6), Row("mean of 2", 0.3, MEASURED, 0.2, 0.6),
        Row("law", 0.5, MEASURED, 0.4, 0.6), Row("mean of 3", None, MEASURED, low=0.1),
    ]  # fmt: skip
    text = page([section(*rows, unprinted={"mean *": "simulated", "law": "formula"})])
    assert "others 1 stand beside a number of a paper" in text
    assert "1 beside what a formula" in text and "1 beside another simulation" in text
    assert "| law | 0.5 (formula) |" in text and "| a | 0.5 |" in text
    assert "| mean of 2 | 0.3 (simulated) |" in text and "| mean of 3 |  |" in text
    assert "apart from the simulated |" in text


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.4, 0.6, "holds"), (0.45, 0.6, "not decided"), (0.4, 0.55, "not decided"),
        (0.45, 0.55, "not decided"), (0.55, 0.9, "not decided"), (0.61, 0.9, "misses"),
        (0.1, 0.39, "misses"), (None, 0.39, "misses"), (None, 0.6, "holds"),
        (0.41, None, "not decided"), (None, None, None),
    ],
)  # fmt: skip
def test_the_whole_interval_decides_and_not_its_middle(low, high, verdict):
    assert Row("a", 0.5, MEASURED, low, high).verdict == verdict
    text = page([section(Row("a", 0.5, MEASURED, low, high))])
    signs = {"holds": "| ✓ |", "not decided": "| ? not decided |", "misses": "| ✕ |", None: "|  |"}
    assert text.endswith(f"{signs[verdict]}\n")
    count = {"holds": "1 hold, 0", "not decided": "0 hold, 1 not", "misses": "decided, 1 miss"}
    assert count.get(verdict, "0 hold, 0 not decided, 0 miss: 0 numbers") in text


def test_an_interval_ends_where_what_it_is_of_does():
    share = Estimate(0.002, -0.003, 0.007, 6, bounds=(0.0, 1.0))
    assert Row("a", None, share, 0.0, 0.1).verdict == "holds"
    assert Row("a", None, msgspec.structs.replace(share, bounds=None), 0.0, 0.1).verdict != "holds"


def test_a_number_in_its_range_but_apart_from_the_published_says_so():
    rows = [
        Row("far", 0.3, MEASURED, 0.2, 0.6),
        Row("rounded", 0.3996, MEASURED, 0.2, 0.6),
        Row("missed", 0.9, MEASURED, 0.8, 1.0),
        Row("bound", None, MEASURED, low=0.1),
        Row("other bound", None, MEASURED, high=0.45),
    ]
    text = page([section(*rows)])
    assert "| far | 0.3 | 0.5 [0.4, 0.6] | 0.2 to 0.6 | ✓ within the range, apart from" in text
    assert text.count("apart from the published") == 1 and "In 1 of those that hold" in text
    assert "| 0.1 or more | ✓ |" in text and "| 0.45 or less | ? not decided |" in text
    assert "3 hold, 1 not decided, 1 miss: 5 numbers" in text
    assert "2 of which are directions or bounds" in text


def test_the_kept_page_is_made_of_what_was_measured_and_what_sections_declare_now():
    kept, known = kept_of(OUT / "reproductions.json"), list_reproductions()
    found = [declared(told, kept[name]) for name, told in known.items() if name in kept]
    missing = [told["title"] for name, told in known.items() if name not in kept]
    assert page(found, missing) == (OUT / "reproductions.md").read_text()
    for told, one in zip((known[one["name"]] for one in found), found, strict=True):
        unmatched = [
            pattern for pattern in {**told.get("by_construction", {}), **told.get("unprinted", {})}
            if not any(fnmatchcase(row["what"], pattern) for row in one["rows"])
        ]  # fmt: skip
        assert unmatched == [], f"{one['name']} marks rows that it does not have"


@pytest.mark.parametrize("module", [quantiliser_bound, coverage])
def test_what_formulas_say_is_no_reproduction(module):
    told = module.REPRODUCTION
    rows = section(*module.reproduce("smoke", jax.random.key(0)), **told)["rows"]
    assert rows and all(row["by_construction"] for row in rows)
