"""`deliberate audit --validate`: the confusion matrix of probes, world by world, killed or not."""

import json
import os

import pytest
from click.testing import CliRunner

from deliberation import specimens
from deliberation.cli import main
from deliberation.cli._validating import FILE
from deliberation.runs import provenance
from deliberation.runs.records import LOCK
from deliberation.runs.storage import lock

COMMAND = [
    "audit", "--validate", "replay,coin", "--probes", "extraction", "--repeats", "2", "--out",
]  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """The worlds that specimens were really put into, in order."""
    seen, usual = [], specimens.validate

    def watched(probes, names, *, repeats, first, kinds):
        assert repeats == 1
        seen.append((*names, first))
        return usual(probes, names, repeats=repeats, first=first, kinds=kinds)

    monkeypatch.setattr(specimens, "validate", watched)
    return seen


EVERY = [("replay", 0), ("replay", 1), ("coin", 0), ("coin", 1)]


def ran(folder, *more):
    done = CliRunner().invoke(main, [*COMMAND, str(folder), *more])
    assert done.exit_code == 0, done.output
    return done


def test_it_goes_on_where_it_was_and_tells_the_time_left(tmp_path, asked):
    whole = ran(tmp_path)
    assert asked == EVERY
    assert "extraction   coin                 should be none" in whole.stdout
    assert "[4/4] coin, world 2 of 2" in whole.stderr and "left" in whole.stderr
    kept = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(kept[:-20])  # as a kill leaves it
    asked.clear()
    again = ran(tmp_path)
    assert asked == EVERY[3:] and again.stdout == whole.stdout
    assert "3 of them kept from before" in again.stderr
    asked.clear()
    assert ran(tmp_path).stdout == whole.stdout and not asked
    ran(tmp_path, "--repeats", "3")
    assert asked == [("replay", 2), ("coin", 2)], "more worlds are added to those that are there"


def test_verdicts_of_other_code_are_asked_anew(tmp_path, asked, monkeypatch):
    line = {"specimen": "replay", "kind": "listed", "found": {"extraction": "responds"}}
    rows = [{**line, "code": code, "seed": seed}
            for seed, code in enumerate(("another", provenance.code()))]  # fmt: skip
    (tmp_path / FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = ran(tmp_path).stdout
    assert asked == [EVERY[0], *EVERY[2:]]
    assert "responds in 0.50" in told and "(none 1, responds 1)  <- not as it should be" in told


def test_lines_that_are_damaged_or_no_verdicts_are_asked_anew(tmp_path, asked):
    ran(tmp_path)
    first, *others = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    odd = json.loads(first)
    odd["found"] = {"extraction": "certainly"}
    deep = b'{"code":' + b"[" * 100_000
    lines = [json.dumps(odd).encode(), b'{"code": "\xff"}', deep]
    (tmp_path / FILE).write_bytes(b"\n".join(lines) + b"\n" + b"".join(others))
    asked.clear()
    ran(tmp_path)
    assert asked == EVERY[:1]


def test_a_specimen_that_is_named_twice_counts_once(tmp_path, asked):
    once = ran(tmp_path)
    twice = CliRunner().invoke(
        main, ["audit", "--validate", " coin, replay,coin", *COMMAND[3:], str(tmp_path)]
    )
    assert sorted(twice.stdout.splitlines()) == sorted(once.stdout.splitlines())
    assert asked == EVERY, "and nothing was asked again"


def test_two_at_once_are_refused_before_anything_is_measured(tmp_path, asked):
    held = lock(tmp_path / LOCK)
    try:
        done = CliRunner().invoke(main, [*COMMAND, str(tmp_path)])
    finally:
        os.close(held)
    assert done.exit_code != 0 and "Another run is writing into" in done.output
    assert not asked and not (tmp_path / FILE).exists()
    ran(tmp_path, "--repeats", "1")
    assert asked, "whoever ends lets go"
    os.close(lock(tmp_path / LOCK))


def test_specimens_that_there_are_not_are_refused(tmp_path):
    done = CliRunner().invoke(main, ["audit", "--validate", "nobody", "--out", str(tmp_path)])
    assert done.exit_code == 2 and "no specimen named 'nobody'" in done.output
    assert not list(tmp_path.iterdir())


def test_specimens_are_listed_in_a_line_each_and_told_in_full_by_name():
    listed = CliRunner().invoke(main, ["audit", "--specimens"]).output.splitlines()
    every = specimens.list_specimens()
    lines = [line for line in listed if line.split()[:1] and line.split()[0] in every]
    assert len(lines) == len(every) and len(listed) < len(every) + 6
    assert max(map(len, listed)) < 120
    told = CliRunner().invoke(main, ["audit", "--specimens", "coin"]).output
    assert told.startswith("coin (cheat)") and "effort: none" in told and "worth, map: told" in told
    assert "coin" in CliRunner().invoke(main, ["audit", "--specimens", "coinx"]).output
