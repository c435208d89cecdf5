"""The documentation holds: its code runs, its commands are there, and the site builds unwarned.

Of CONTRIBUTING.md's files tests/test_contributing.py sees to it.
"""

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import click
import jax
import joblib
import pytest

import deliberation
from deliberation import claims
from deliberation.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
AUDITED = DOCS / "strangers"
"""Pages written by benchmarks/audits.py, with some of its lines."""
EXTRAS = {"stable_baselines3": "sb3", "pyspiel": "open_spiel", "torch": "torch"}


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in a language, as they stand there."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.S | re.M)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def needs(code: str) -> list[str]:
    """The packages of extras that some code imports and that are not installed."""
    return [name for name in EXTRAS if f"import {name}" in code or f"from {name}" in code
            if find_spec(name) is None]  # fmt: skip


WITH_CODE = [page for page in PAGES if blocks(page, "python") and page.parent != AUDITED]


@pytest.fixture
def few_candidates(monkeypatch):
    """Advice weighs what needs no training, in this process: all of it takes minutes."""
    from deliberation.advice import candidates

    few = [family for family in candidates.FAMILIES if family.name in ("random", "uct")]
    monkeypatch.setattr(candidates, "FAMILIES", few)
    with joblib.parallel_config("sequential"):
        yield


@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)  # what it saves
    if page.name == "advise.md":
        request.getfixturevalue("few_candidates")
    seen = {"__name__": "page"}
    for number, block in enumerate(blocks(page, "python")):
        if missing := needs(block):
            pytest.skip(f"{missing[0]} comes with an extra")
        exec(compile(block, f"{named(page)}, block {number}", "exec"), seen)
    for drawn in re.findall(r"!\[[^]]*\]\((\w+\.svg)\)", page.read_text("utf-8")):
        assert (tmp_path / drawn).stat().st_size > 2000, (
            "the page shows what its code has not drawn"
        )


def test_the_pages_have_code():
    """So that no fence that is spelt otherwise is passed over."""
    counted = {named(page): len(blocks(page, "python")) for page in WITH_CODE}
    assert counted["README.md"] == 2 and sum(counted.values()) >= 25
    for page in PAGES:
        fences = re.findall(r"^```(\S*)$", page.read_text("utf-8"), re.M)
        assert set(fences) <= {"", "python", "sh"}, page


def commands(page: Path) -> list[str]:
    """Every line of a page's shell blocks, without comments and continued lines in one."""
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


WITH_COMMANDS = [page for page in PAGES if commands(page)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=named)
def test_every_command_of_a_page_is_there(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("out", "policy", "folder"):
        (tmp_path / folder).mkdir()
    for line in commands(page):
        for command in re.split(r" && |; ", line):
            check(shlex.split(command), line)


def check(words: list[str], line: str) -> None:
    """One command: its options are read as the command line would read them."""
    program, *rest = words
    if program == "deliberate":
        parsed(rest, line)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
        assert rest[0] in targets, line
    elif program == "python":
        assert (ROOT / rest[0]).is_file(), line
        offered = (ROOT / rest[0]).read_text("utf-8")
        for word in rest[1:]:
            assert not word.startswith("--") or f'"{word}"' in offered, f"{line}: no {word}"
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        for extra in re.findall(r"\[(.*?)\]", line):
            assert extra in extras["optional-dependencies"], line
    else:
        assert program in ("git", "cd"), f"what is {program!r} in {line!r}?"


def parsed(words: list[str], line: str) -> None:
    name, *rest = words
    command = main.commands.get(name)
    assert command is not None, f"{line}: there is no such command"
    try:
        command.make_context(name, list(rest), resilient_parsing=False).close()
    except click.exceptions.ClickException as error:
        pytest.fail(f"{line}: {error.format_message()}")


def test_audits_of_strangers_are_called_as_their_pages_say(tmp_path, monkeypatch):
    """Their lines run on what the pages say was brought, up to the audit: that takes minutes."""
    torch, pyspiel = pytest.importorskip("torch"), pytest.importorskip("pyspiel")
    sb3 = pytest.importorskip("stable_baselines3")
    from deliberation import adapters
    from deliberation.audit import Channels, audit

    monkeypatch.chdir(tmp_path)
    asked = []

    def answers(policy, world, **options):
        """It would be audited: the call is one of `audit`, and the subject answers."""
        inspect.signature(audit).bind(policy, world, **options)
        start = jax.vmap(world.init)(jax.random.split(jax.random.key(0), 2))
        asked.append(policy.decide(start, key=jax.random.key(1))[0].action)

    lake = adapters.from_gymnasium("FrozenLake-v1", is_slippery=False)
    module = torch.nn.Sequential(torch.nn.Embedding(16, 8), torch.nn.Linear(8, 4))
    worlds = {"torch": lake, "open_spiel": deliberation.make_task("openspiel:tic_tac_toe")}
    pages = sorted(AUDITED.glob("*.md"))
    for page in pages:
        if page.stem == "stockfish" and shutil.which("stockfish") is None:
            continue
        if page.stem in ("sb3", "cartpole"):
            trained = "FrozenLake-v1" if page.stem == "sb3" else "CartPole-v1"
            model = sb3.PPO("MlpPolicy", trained, n_steps=32, batch_size=32, device="cpu")
            model.learn(32).save("ppo.zip")
        seen = {"adapters": adapters, "audit": answers, "Channels": Channels, "pyspiel": pyspiel,
                "game": pyspiel.load_game("tic_tac_toe"), "world": worlds.get(page.stem),
                "module": module}  # fmt: skip
        for block in blocks(page, "python"):
            exec(compile(block, named(page), "exec"), seen)
    assert len(asked) >= len(pages) - 1 and all(len(action) == 2 for action in asked)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site as `make docs` builds it, every warning an error."""
    pytest.importorskip("mkdocs", reason="the checks are to be installed again: make test")
    place = tmp_path_factory.mktemp("site")
    quiet = {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    seen = {**os.environ, **quiet, "PYTHONPATH": str(Path(deliberation.__path__[0]).parent)}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)]
    ran = subprocess.run(command, cwd=ROOT, env=seen, capture_output=True, text=True)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0 and "WARNING" not in said and "ERROR" not in said, said[-3000:]
    return place


def test_every_claim_has_its_page_with_source_verdict_and_figure(site):
    bare = []  # checks alone, or new since the published run
    for name, claim in claims.list_claims().items():
        page = (site / "claims" / f"{name}.html").read_text("utf-8")
        text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
        for field in ("Estimand", "Smallest effect that matters", "Refuted if", "Null", "Source"):
            assert field in text, (name, field)
        assert re.sub(r"\s+", " ", claim["title"]).split("'")[0] in text, name
        if "<img" not in page:
            bare.append(name)
            assert name == "computation" or "did not measure it" in text, name
        assert claims.sources_of(claim)[0].title.split("'")[0] in text, name
    assert len(bare) <= 4, bare


def test_every_notebook_has_its_page_with_its_outputs(site):
    books = sorted((ROOT / "notebooks").glob("*.ipynb"))
    start = (site / "index.html").read_text("utf-8")
    for path in books:
        page = (site / "notebooks" / f"{path.stem}.html").read_text("utf-8")
        cells = json.loads(path.read_text("utf-8"))["cells"]
        outputs = [o for cell in cells for o in cell.get("outputs", [])]
        drawn = [o for o in outputs if "image/png" in o.get("data", {})]
        pictures = re.findall(r'<img[^>]*class="drawn"[^>]*src="([^"]+)"', page)
        assert len(pictures) == len(drawn) > 0, path.name
        assert all((site / "notebooks" / name).stat().st_size > 2000 for name in pictures)
        assert page.count('<div class="output">') == len(outputs) - len(drawn), path.name
        assert (site / "notebooks" / path.name).is_file(), "to be had as a notebook, too"
        assert f"notebooks/{path.stem}.html" in start, "to be found from the first page"


def test_every_public_name_is_explained(site):
    """What `from deliberation.x import name` gives stands on a page of the API, by its anchor."""
    pages = "".join(path.read_text("utf-8") for path in (site / "api").rglob("*.html"))
    anchors = set(re.findall(r'id="(deliberation\.[\w.]+)"', pages))
    for wing in ("core", "direct", "amortised", "hybrid", "audit", "adapters", "stats", "runs"):
        package = getattr(deliberation, wing)
        for name in package.__all__:
            shown = getattr(package, name)
            if isinstance(shown, type) or callable(shown):
                told = {one for one in anchors if one.rpartition(".")[2] == name}
                assert any(one.startswith(f"deliberation.{wing}.") for one in told), (wing, name)


def test_the_site_fetches_nothing(site):
    """Scripts, styles, fonts and pictures come with it: it reads the same without a network."""
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        fetched = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(?:https?:)?//[^"]*"', text)
        fetched += re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*"https?:[^"]*"', text)
        assert not fetched, (page, fetched[:3])


def test_the_readme_is_short_and_its_table_is_that_of_the_site(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import readme

    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) < 100
    table = readme.compact((DOCS / "claims" / "index.md").read_text("utf-8"))
    assert readme.replace_block(text, "table", table) == text
    rows = [line for line in table.splitlines() if line.startswith("| **")]
    assert len(rows) == len(claims.ASPECTS)
    assert all(re.search(r"[✓~✕◦] .*\d", side) for row in rows for side in row.split(" | ")[1:])


def test_the_readme_links_to_what_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert len(links) >= 8
    assert [link for link in links if not (ROOT / link).exists()] == []
