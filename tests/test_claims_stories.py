"""Claims of stories in planted worlds: verdicts, rows, figures, the page."""

import functools

import numpy as np
import pytest

from deliberation import claims
from deliberation.claims.measuring.effort import effort_of
from deliberation.claims.measuring.planted import World
from deliberation.claims.validation import validate
from deliberation.report.pages.stories import by_chapter, markdown, story_page
from deliberation.runs import Finding

NAMES = tuple(claims.claims_of_rows([*claims.STORIES]))
PLANTED = [
    (name, kind, title)
    for name in NAMES
    for kind, some in claims.claim(name).PLANTED.items()
    for title in some
]
QUICK = effort_of("quick")


@functools.cache
def measure(name: str, kind: str, title: str, exact: bool = True) -> Finding:
    world = World(**claims.claim(name).PLANTED[kind][title], exact=exact)
    records = world.records(claims.plan([], "quick", only=[name]))
    (finding,) = claims.analyse(records, [], "quick", only=[name])
    return finding


def usual(name: str) -> Finding:
    return measure(name, "effect", next(iter(claims.claim(name).PLANTED["effect"])))


@pytest.mark.parametrize("name", NAMES)
def test_nulls_are_not_supported_and_effects_are(name):
    for one in validate([name], repeats=2, effort="quick"):
        wrong = one.supported if one.planted == "null" else one.repeats - one.supported
        assert wrong <= 1, one


@pytest.mark.parametrize("name", NAMES)
def test_findings_are_whole(name):
    finding, stated = usual(name), claims.list_claims()[name]
    assert stated["chapter"] in claims.STORIES[stated["aspect"]].chapters and finding.claim == name
    for field in ("aspect", "side", "title", "statement", "refuted_if", "estimand", "smallest"):
        assert getattr(finding, field) == stated[field]
    for row in finding.rows:
        assert row.task in claims.claim(name).WORLDS
        assert row.decider and row.quantity and row.n > 0 and row.over
        assert row.low <= row.estimate <= row.high
    assert len({(r.task, r.decider, r.quantity) for r in finding.rows}) == len(finding.rows)
    assert any(row.kind == "claim" and row.verdict for row in finding.rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_that_a_null_takes_away_are_claimed(name):
    """By the names that `NULL` has for them, among the claims and nowhere else."""
    null, claimed = claims.claim(name).NULL, usual(name).rows
    quantities = {row.quantity for row in claimed if row.kind == "claim"}
    stands = null.get("stands", {})
    assert null["what"] and null["rows"] and set(null["rows"]) | set(stands) == quantities
    assert not set(null["rows"]) & set(stands) and all(stands.values())
    for world in claims.claim(name).WORLDS:
        plain, nulled = (
            claims.claim(name).cells(world, QUICK, null=null) for null in (False, True)
        )
        assert {cell.id for cell in nulled} - {cell.id for cell in plain}


@pytest.mark.parametrize(("name", "kind", "title"), PLANTED)
def test_figures_can_be_drawn_and_words_survive(name, kind, title):
    finding = measure(name, kind, title)
    assert finding.summary and not {"nan", "inf", "[nan"} & set(finding.summary.lower().split())
    assert len(finding.figures) == 1
    for panel in finding.figures[0].panels:
        assert panel.x_label and panel.y_label and panel.title
        for series in panel.series:
            assert len(series.x) == len(series.y) and series.label
            assert not np.isinf(series.y).any() and np.isfinite(series.x).all()


def test_the_story_has_every_claim_once_with_its_verdict_and_figure():
    findings = [usual(name) for name in NAMES]
    page, text = story_page(findings, {"Effort": "quick"}), markdown(findings, "pictures")
    for name, finding in zip(NAMES, findings, strict=True):
        assert page.count(f'id="claim-{name}"') == 1 and f"pictures/{name}.svg" in text
        assert finding.title in page or "&" in page
    told = [name for some in by_chapter(findings).values() for name in some]
    assert len(told) == len(NAMES)
    assert list(by_chapter(findings)) == [c for c in claims.CHAPTERS if c in by_chapter(findings)]
