"""The page loads nothing and reads well; table and page come from the records alone."""

import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from made import COMMAND, EVIL, RUN, absent, check, figure, finding, panel, record, row, series
from rich.console import Console

from deliberation import claims, report
from deliberation.claims.measuring.rows import claimed_of, estimate_of, with_verdict
from deliberation.cli import main
from deliberation.core.errors import OutputFolderError
from deliberation.report.chips import chip
from deliberation.report.forest import Axis
from deliberation.report.html import page
from deliberation.report.numbers import THIN, of_row
from deliberation.report.svg import SVG
from deliberation.report.terminal import show
from deliberation.runs import Cell, RecordFile, read_records, read_table
from deliberation.stats import p_value

UNCOMMITTED = "Measured with uncommitted changes: the commit does not tell all of the code."

# The page


class Reader(HTMLParser):
    """Collects tags and checks that they close in order."""

    VOID = ("meta", "link", "br", "img", "use", "path", "rect", "input")

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.attributes, self.data = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.data += data


def test_the_page_is_well_formed_and_self_contained():
    reader = Reader(page([finding(), finding(claim="other")], {"Commit": "abc"}))
    assert reader.open == []
    assert ("html", "lang", "en-GB") in reader.attributes
    loads = {"src", "href", "xlink:href", "srcset", "action", "data"}
    targets = [value for _, name, value in reader.attributes if name in loads]
    assert targets and all(target.startswith("#") for target in targets)
    assert "@import" not in reader.data and "url(http" not in reader.data
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in targets} <= set(ids)
    assert reader.seen.count("caption") == reader.seen.count("table") > 3


def test_the_page_shows_claim_refutation_verdict_interval_and_provenance():
    text = Reader(page([finding()], {"Commit": "abc123"})).data
    for words in ("It rises.", "What would refute it", "It does not.", "The slope.", "abc123"):
        assert words in text
    assert "0.081 [0.069, 0.093]" in text and f"1{THIN}400" in text
    assert re.search(r"✓ supported", text)


def test_whatever_is_shown_is_escaped():
    evil = finding(
        title=EVIL,
        statement=EVIL,
        refuted_if=EVIL,
        summary=EVIL,
        rows=[row(task=EVIL, decider=EVIL, quantity=EVIL, note=EVIL)],
        figures=[figure([panel(title=EVIL, x_label=EVIL, series=[series(EVIL)])], EVIL)],
    )
    shown = page([evil], {EVIL: EVIL})
    reader = Reader(shown)
    assert reader.seen.count("script") == 1
    assert "b" not in [tag for tag in reader.seen if tag == "b"][1:]
    assert EVIL not in shown and EVIL in reader.data


def test_the_page_stands_without_findings_rows_or_figures():
    assert Reader(page([], {})).open == []
    assert "Nothing yet" in page([finding(rows=[], figures=[], summary="Nothing yet")], {})


def test_a_verdict_is_a_word_and_a_symbol_not_only_a_colour():
    assert Reader(chip("refuted")).data == "✕ refuted"
    assert Reader(chip(None)).data == "–"


# The terminal


@pytest.mark.parametrize("width", [40, 72, 120])
def test_the_terminal_table_fits_and_says_everything(width):
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    refuted = row(verdict="refuted", estimate=0.1, task="connect_four")
    show([finding(rows=[row(), refuted, row(kind="told", verdict=None)])], console)
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= width
    joined = re.sub(r"\s+", " ", shown)
    for words in ("Scalability", "gain a doubling: 0.081 to 0.10 on 2", "✕ refuted"):
        assert words in joined
    assert "(✓ 1 ~ 0 ✕ 1 of 2)" in joined


def test_brackets_in_names_are_not_taken_for_markup():
    console = Console(width=120, record=True, file=io.StringIO(), highlight=False)
    show([finding(rows=[row(quantity="[red]net[/red]")])], console)
    assert "[red]net[/red]" in console.export_text()


# From the records


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run of three cells of which two are recorded, under claims that make one finding."""
    cells = [Cell("package.module:play", {"seed": seed}) for seed in (3, 4, 5)]
    monkeypatch.setattr(claims, "plan", lambda tasks, effort, only: cells)
    found = lambda records, *_, **__: [finding(rows=[row(n=len(records))])]  # noqa: E731
    monkeypatch.setattr(claims, "analyse", found)
    with RecordFile(tmp_path / "run", RUN) as file:
        for cell in cells[:2]:
            file.append(record(cell))
    return tmp_path / "run"


def finish(folder) -> None:
    with RecordFile(folder, RUN) as file:
        file.append(record(Cell("package.module:play", {"seed": 5})))


def test_a_run_that_has_not_ended_is_refused_with_the_command_that_goes_on(folder):
    before = (folder / "records.jsonl").read_bytes()
    with pytest.raises(OutputFolderError, match="2 of 3 cells") as refused:
        report.build(folder)
    assert f"`{COMMAND} --out {folder}`" in str(refused.value)
    assert (folder / "records.jsonl").read_bytes() == before
    assert not (folder / "report.html").exists()


def test_a_run_with_missing_cells_shows_what_there_is_and_says_how_to_go_on(folder, monkeypatch):
    some = [finding(figures=[], rows=[row(), absent("not measured", "cell 5 failed")])]
    monkeypatch.setattr(claims, "analyse", lambda *_, **__: some)
    found = report.findings(folder, partial=True)
    assert report.notes(folder, found) == [
        "1 of 3 cells failed or have not run, so 1 row was not measured. Go on with "
        f"`{COMMAND} --out {folder}`.",
        UNCOMMITTED,
    ]
    text = report.build(folder, found).read_text()
    assert "so 1 row was not measured" in text and UNCOMMITTED in text
    assert sorted(r.reason for r in read_table(folder)) == ["", "cell 5 failed"]
    done = CliRunner().invoke(main, ["report", str(folder), "--partial"])
    assert done.exit_code == 0 and "so 1 row was not measured" in done.stdout
    refused = CliRunner().invoke(main, ["report", str(folder)])
    assert refused.exit_code == 2 and f"`deliberate report {folder} --partial`" in refused.stderr


def test_a_whole_run_of_committed_code_has_nothing_to_note(folder):
    finish(folder)
    assert report.notes(folder, []) == [UNCOMMITTED]
    failed = [finding(rows=[absent("not measured", "KeyError: x")] * 2)]
    assert report.notes(folder, failed)[0] == (
        "2 rows were not measured: the reasons stand in them."
    )
    broken = [finding(rows=[check(verdict="fails", quantity="model steps"), check()])]
    assert report.notes(folder, broken)[0] == (
        "An instrument check fails: model steps of network on tic_tac_toe. What stands in the same "
        "row is not to be trusted."
    )
    clean = {k: msgspec.structs.replace(r, dirty=False) for k, r in read_records(folder).items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deliberation.report.folder.read_records", lambda _: clean)
        assert report.notes(folder, []) == []
        first = next(iter(clean))
        clean[first] = msgspec.structs.replace(clean[first], code="b")
        clean["x"] = msgspec.structs.replace(clean[first], code="a")
        assert report.notes(folder, []) == [
            "Measured by 2 versions of the code, which need not agree."
        ]


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(OutputFolderError, match="holds no run"):
        report.build(tmp_path)


def test_the_report_is_rebuilt_from_the_records_alone(folder):
    finish(folder)
    path = report.build(folder)
    shown, table = path.read_bytes(), (folder / "table.json").read_bytes()
    path.unlink()
    (folder / "table.json").unlink()
    assert report.build(folder) == path == folder / "report.html"
    assert (path.read_bytes(), (folder / "table.json").read_bytes()) == (shown, table)
    assert [r.n for r in read_table(folder)] == [3]


def test_provenance_names_commit_versions_machine_seeds_and_time(folder):
    finish(folder)
    shown = report.provenance(folder)
    chain = shown.pop("Chain")
    assert re.fullmatch(r"[0-9a-f]{16}, 3 records and 0 files verified", chain)
    assert shown == {
        "Tasks": "tic_tac_toe",
        "Effort": "smoke",
        "Commit": "0123456789ab with uncommitted changes",
        "Versions": "python 3.11.7, jax 0.10.2",
        "Machine": "Some CPU, 2 cores, Linux",
        "Seeds": "3 from 3 to 5",
        "Cells": "3",
        "Time": "6 s of computing",
    }
    report.build(folder)
    assert (
        not {"Time", "Chain"} & json.loads((folder / "table.json").read_text())["provenance"].keys()
    )


def test_the_pages_are_written_from_a_run(folder, tmp_path, monkeypatch):
    finish(folder)
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    import readme

    block = readme.table_block(report.findings(folder), {"Commit": "abc"})
    rows = block.splitlines()
    assert rows[0] == "| Aspect | Direct: search when asked | Amortised: a learned function |"
    titles = [aspect.title for aspect in claims.ASPECTS.values()]
    assert [row.split("|")[1].strip(" *") for row in rows[2:13]] == titles
    assert "gain a doubling: 0.081 [0.069, 0.093] ✓" in rows[5]
    assert all(row.count("|") == 4 for row in rows[:13])
    assert "commit: abc" in block
    page = f"<!-- table:start -->\n{block}\n<!-- table:end -->"
    brief = readme.compact(page).splitlines()
    assert [row.split("|")[1].strip(" *") for row in brief[2:13]] == titles
    assert (
        brief[5].count("<br>") == 2 and "gain a doubling: 0.081 [0.069, 0.093]</sub> |" in brief[5]
    )
    assert brief[-1].startswith(rows[-3].partition(":")[0]) and "verdicts are given" in brief[-1]
    cell = "*Said.*<br>gain: 0.3 [0.1, 0.5] ~<br>loss: 0 to 1 ✓ 1 ✕ 1<br>**✕ refuted** (✓ 1 ✕ 1)"
    assert readme._brief(cell) == "✕ *Said.*<br><sub>loss: 0 to 1</sub>"
    told = readme.rows_page(report.findings(folder), {"Commit": "abc"})
    assert "| gain a doubling |" in told and "0.081 [0.069, 0.093]" in told
    text = "a\n<!-- table:start -->\nold\n<!-- table:end -->\nb\n"
    once = readme.replace_block(text, "table", "new \\1")
    assert once == "a\n<!-- table:start -->\nnew \\1\n<!-- table:end -->\nb\n"
    assert readme.replace_block(once, "table", "new \\1") == once
    with pytest.raises(ValueError, match="strength"):
        readme.replace_block(text, "strength", "x")
    written = readme.write_figures(report.findings(folder), tmp_path / "docs")
    assert [path.name for path, _ in written] == ["slope-0.svg"]
    assert ET.parse(written[0][0]).getroot().tag == f"{{{SVG}}}svg"
    strength = readme.strength_block({"caption": "c", "columns": ["a", "b"], "rows": [[1, "x|y"]]})
    assert strength.splitlines() == ["c", "", "| a | b |", "|---|---|", "| 1 | x\\|y |"]


def test_a_share_is_shown_within_what_it_can_be_and_keeps_its_verdict():
    """Of a row that knows its bounds the ends are read within them, everywhere it is shown."""
    told = {"quantity": "share", "estimate": 0.003, "low": -0.00007, "high": 0.007, "above": None,
            "below": 0.1}  # fmt: skip
    plain, share = row(**told), row(**told, least=0.0, most=1.0)
    assert of_row(plain) == "0.0030 [−0.0001, 0.0070]"
    assert of_row(share) == "0.0030 [0.0000, 0.0070]"
    axis = Axis([share])
    assert axis.low == 0.0 and Axis([plain]).low < 0
    assert estimate_of(share).low == share.low == plain.low
    assert with_verdict(share, "supported").alone == with_verdict(plain, "supported").alone
    assert p_value(estimate_of(share), claimed_of(share)) == p_value(
        estimate_of(plain), claimed_of(plain)
    )
    shown = page([finding(rows=[share])], {})
    assert "−" not in re.findall(r'<td data-label="Estimate">.*?</td>', shown)[0]
