"""Every paper that is linked has an address of the right form, and one address is one paper."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from deliberation.claims.sources import FOLLOWED, STORY, TABLE, Source

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"https?://[^\s\"'<>`|]+")
PAPERS = re.compile(r"https?://(?:www\.|dx\.)?(arxiv\.org|doi\.org)/")
ARXIV = re.compile(r"https://arxiv\.org/abs/(\d\d)(0[1-9]|1[0-2])\.(\d{4,5})")
DOI = re.compile(r"https://doi\.org/10\.\d{4,9}/[-._;()/:\w]+")
ALL = [*TABLE, *(s for told in (*STORY.values(), *FOLLOWED.values()) for s in told)]
LINKED = sorted({source for source in ALL if source.link})


def written() -> dict[str, list[str]]:
    """Links of papers by the file that they stand in: pages, code, notebooks."""
    found: dict[str, list[str]] = {}
    places = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("src", "docs", "benchmarks", "notebooks"):
        places += (p for p in (ROOT / folder).rglob("*") if p.suffix in (".md", ".py", ".js",
                   ".html", ".ipynb", ".json"))  # fmt: skip
    for path in places:
        links = (close(link) for link in LINK.findall(path.read_text("utf-8")))
        if papers := [link for link in links if PAPERS.match(link)]:
            found[str(path.relative_to(ROOT))] = papers
    return found


def close(link: str) -> str:
    """A link without what closes it in Markdown and sentences; its own brackets are in pairs."""
    link = link.rstrip(".,;:\\")
    while link.endswith(")") and link.count("(") < link.count(")"):
        link = link[:-1].rstrip(".,;:")
    return link


def well_formed(link: str) -> bool:
    return bool(ARXIV.fullmatch(link) or DOI.fullmatch(link))


def test_links_of_papers_are_well_formed_wherever_they_stand():
    found = written()
    assert found, "the search finds no link of a paper at all"
    wrong = {place: [x for x in links if not well_formed(x)] for place, links in found.items()}
    # The claims' numbers follow their common beginning.
    assert {place: links for place, links in wrong.items() if links} == {
        "src/deliberation/claims/sources.py": ["https://arxiv.org/abs/"]
    }


@pytest.mark.parametrize(
    ("link", "sound"),
    [
        ("https://arxiv.org/abs/2104.03113", True),
        ("https://arxiv.org/abs/2113.03113", False),
        ("https://arxiv.org/abs/2104.313", False),
        ("https://doi.org/10.1016/0004-3702(75)90019-3", True),
        ("https://doi.org/0004-3702", False),
    ],
)
def test_a_form_is_told_from_another(link, sound):
    assert well_formed(link) == sound
    assert close(f"{link}).") == link


@pytest.mark.parametrize("source", LINKED, ids=lambda source: source.by)
def test_a_source_has_an_address_and_a_year_that_fit(source: Source):
    assert LINK.fullmatch(source.link), source
    if PAPERS.match(source.link):
        assert well_formed(source.link), source
    if number := ARXIV.fullmatch(source.link):
        (year,) = re.findall(r"\((\d{4})\)", source.by)
        assert 0 <= int(year) - (2000 + int(number[1])) <= 2, "published long before, or earlier"


def test_one_address_is_one_paper_and_one_paper_has_one_address():
    by_link, by_paper = defaultdict(set), defaultdict(set)
    for source in LINKED:
        by_link[source.link].add((source.by, source.title))
        by_paper[source.by, source.title].add(source.link)
    assert len(by_link) > 15
    assert {link: told for link, told in by_link.items() if len(told) > 1} == {}
    assert {told: links for told, links in by_paper.items() if len(links) > 1} == {}
