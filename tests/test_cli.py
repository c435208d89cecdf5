"""The command line: errors in one line with exit code 2, and instant answers."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from made import finding, record

from deliberation import claims, hybrid, runs
from deliberation.claims.measuring.prices import Prices
from deliberation.cli import main
from deliberation.cli._caches import folder_size
from deliberation.cli._progress import Clock, Lines
from deliberation.core import Ledger
from deliberation.core.errors import BackendError, BudgetError
from deliberation.runs import Cell, RecordFile, Run, backends

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("jax", "numpy", "scipy", "matplotlib", "equinox", "pgx")


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


def test_every_command_has_examples_in_its_help():
    for name in main.commands:
        shown = run(name, "--help")
        assert shown.exit_code == 0
        assert re.search(rf"Examples:\n +deliberate {name}", shown.output), name


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["tasks"], ["claims"], ["doctor"]]
)
def test_commands_that_print_import_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from deliberation.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"loaded = [name for name in {HEAVY!r} + ('rich',) if name in sys.modules]\n"
        "print('LOADED', loaded, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("LOADED []\n"), done.stderr
    assert done.stdout.strip()


def test_tasks_lists_each_with_its_options():
    shown = run("tasks").output
    assert re.search(r"^connect_four +\S", shown, re.MULTILINE)
    assert "width=7 height=6 k=4 gravity=True" in shown


@pytest.mark.parametrize("command", [["table"], ["train"]])
def test_an_unknown_task_suggests_the_nearest_and_exits_2(command, tmp_path):
    refused = run(*command, "conect_four", "--out", str(tmp_path / "out"))
    assert refused.exit_code == 2
    told = (
        "There is no task named 'conect_four'. Did you mean 'connect_four'? A task of your own is "
    )
    assert refused.stderr == told + "named package.module:factory.\n"
    assert refused.stdout == ""
    assert not (tmp_path / "out").exists()


def test_an_unknown_command_suggests_the_nearest():
    refused = run("tabel")
    assert refused.exit_code == 2
    assert "Did you mean 'table'?" in refused.stderr


def test_errors_of_the_library_become_one_message_and_debug_shows_the_traceback(monkeypatch):
    @click.command()
    def broken():
        raise BudgetError("A budget cannot be negative.")

    monkeypatch.setitem(main.commands, "broken", broken)
    refused = run("broken")
    assert (refused.exit_code, refused.stderr) == (2, "A budget cannot be negative.\n")
    assert isinstance(run("--debug", "broken").exception, BudgetError)


def test_the_message_is_red_on_a_terminal_that_wants_colour():
    def shown(**environment):
        return CliRunner().invoke(main, ["tabel"], color=True, env=environment).stderr

    assert shown(NO_COLOR="").startswith("\x1b[31mThere is no command")
    assert shown(NO_COLOR="1").startswith("There is no command")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["table", "--effort", "huge"], "huge"),
        (["table", "--jobs", "0"], "jobs"),
        (["train", "tic_tac_toe", "--minutes", "0"], "minutes"),
        (["train", "tic_tac_toe", "--seed", "-1"], "seed"),
        (["train", "tic_tac_toe", "--seed", str(2**32)], "seed"),
        (["train", "tic_tac_toe", "--minutes", "nan"], "minutes"),
        (["look", "tic_tac_toe", "--seed", "9" * 23], "seed"),
        (["audit", "uct", "--world", "gridworld", "--seconds", "nan"], "seconds"),
        (["audit", "--validate", "uct", "--world", "nowhere", "--jobs", "3"], "--world, --jobs"),
        (["train"], "TASK"),
    ],
)
def test_bad_options_name_what_was_wrong(arguments, word):
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert word in refused.stderr


@pytest.fixture
def measured(monkeypatch):
    """`deliberate table` with one cell that is recorded without being run; returns the manifest."""
    asked = {}
    cell = Cell("package.module:play", {"seed": 1})

    def execute(cells, folder, *, manifest, jobs, progress, keep_going):
        assert [c.id for c in cells] == [cell.id] and keep_going
        asked.update(manifest, jobs=jobs)
        with RecordFile(folder, manifest) as file:
            if cell.id not in file.records:
                file.append(record(cell))
            return Run(file.records, {})

    monkeypatch.setattr(runs, "execute", execute, raising=False)
    monkeypatch.setattr(claims, "plan", lambda tasks, effort, only: [cell])
    monkeypatch.setattr(claims, "analyse", lambda *_, **__: [finding()])
    return asked


def test_table_measures_shows_and_writes(measured, tmp_path):
    out = tmp_path / "out"
    arguments = ("table", "tic_tac_toe", "tic_tac_toe", "--effort", "smoke", "--jobs", "1")
    done = run(*arguments, "--out", str(out))
    assert done.exit_code == 0, done.output
    every = claims.asked_at("smoke")
    assert measured == {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": every, "jobs": 1}
    assert "✓ supported" in done.stdout and str(out / "report.html") in done.stdout
    assert {path.name for path in out.iterdir()} >= {"records.jsonl", "table.json", "report.html"}
    (out / "report.html").unlink()
    again = run("report", str(out))
    assert again.exit_code == 0 and (out / "report.html").exists()
    refused = run("table", "connect_four", "--effort", "smoke", "--out", str(out))
    assert refused.exit_code == 2 and "another run's records" in refused.stderr


def test_prices_are_kept_with_the_run_and_can_be_changed_in_the_report(
    measured, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        claims, "analyse", lambda *_, prices, **__: seen.append(prices) or [finding()]
    )
    out = str(tmp_path / "out")
    assert run("table", "tic_tac_toe", "--price", "0.04", "--out", out).exit_code == 0
    assert measured["prices"] == {"decision": 0.04, "training": 0.04}
    run("report", out)
    run("report", out, "--training-price", "2.5")
    assert seen == [Prices(0.04, 0.04), Prices(0.04, 0.04), Prices(0.05, 2.5)]
    assert run("report", out, "--price", "0").exit_code == 2


def test_an_interrupted_table_says_how_to_go_on(measured, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "execute", interrupted)
    done = run("table", "tic_tac_toe", "--out", str(tmp_path / "out"))
    assert done.exit_code == 130
    assert "goes on at the first missing cell" in done.stderr


def test_an_unknown_claim_is_refused_before_anything_is_measured(measured, tmp_path):
    for arguments in (["claims", "no_such"], ["table", "--claim", "no_such"]):
        refused = run(*arguments)
        assert refused.exit_code == 2
        assert "There is no claim" in refused.stderr and "named 'no_such'." in refused.stderr
    assert measured == {}


def test_claims_are_listed_by_name_and_by_row():
    row = run("claims", "convergence").stdout
    names = claims.claims_of_rows(["convergence"])
    assert len(names) > 1 and all(f"{name}  (" in row for name in names)
    assert "budget_slope" not in row
    both = run("claims", "budget_slope", "convergence", "budget_slope").stdout
    assert both.count("budget_slope  (") == 1 and row in both


def test_claims_of_their_own_worlds_refuse_other_tasks(measured, tmp_path):
    refused = run("table", "tic_tac_toe", "--claim", "rule_found", "--out", str(tmp_path / "out"))
    assert refused.exit_code == 2 and "leave the tasks out" in refused.stderr
    assert measured == {}


def test_a_failed_cell_is_an_exit_code(measured, tmp_path, monkeypatch):
    whole = runs.execute

    def broken(*arguments, **options):
        return Run(whole(*arguments, **options).records, {"0" * 16: "ValueError: planted"})

    monkeypatch.setattr(runs, "execute", broken)
    done = run("table", "tic_tac_toe", "--out", str(tmp_path / "out"))
    assert done.exit_code == 1 and "ValueError: planted" in done.stderr
    assert (tmp_path / "out" / "report.html").exists()


def test_claims_that_this_version_lacks_are_named_and_the_others_shown(measured, tmp_path):
    out = tmp_path / "out"
    assert run("table", "tic_tac_toe", "--out", str(out)).exit_code == 0
    claim = out / "run.json"
    claim.write_text(claim.read_text().replace('"budget_slope"', '"budget_slant"'))
    (out / "records.jsonl").unlink()
    (out / "head.json").unlink()
    shown = run("report", str(out), "--partial")
    assert shown.exit_code == 0, shown.output
    assert "does not have: budget_slant" in " ".join(shown.stdout.split())


def test_train_hands_over_what_was_asked_and_tells_how_to_load(tmp_path, monkeypatch):
    asked = {}

    def train(task, *, watch, **rest):
        watch(1, {"share": 0.5, "positions": 64.0})
        asked.update(rest, task=task)
        return SimpleNamespace(ledger=Ledger(fits=asked["minutes"] > 0.4, seconds=24.0))

    monkeypatch.setattr(hybrid, "train", train, raising=False)
    out = tmp_path / "policy"
    done = run("train", "tic_tac_toe", "--minutes", "0.5", "--out", str(out), "--seed", "7")
    assert done.exit_code == 0, done.output
    assert asked == {"task": "tic_tac_toe", "minutes": 0.5, "folder": out, "seed": 7}
    assert f"deliberation.load('{out}')" in done.stdout and "Nothing" not in done.stdout
    short = run("train", "tic_tac_toe", "--minutes", "0.1", "--out", str(out))
    assert "No gradient step was taken in 0.4 minutes" in short.stderr


def test_train_says_where_there_was_nothing_left_to_do(tmp_path, monkeypatch):
    def train(task, **rest):
        return SimpleNamespace(ledger=Ledger(fits=3, seconds=90.0))

    monkeypatch.setattr(hybrid, "train", train, raising=False)
    done = run("train", "tic_tac_toe", "--minutes", "1", "--out", str(tmp_path / "policy"))
    assert "it had 1.5 minutes before" in done.stdout and done.exit_code == 0


def test_doctor_tells_versions_cores_and_the_size_of_caches(tmp_path, monkeypatch):
    cache = tmp_path / "programs"
    cache.mkdir()
    (cache / "one").write_bytes(b"x" * 2**20)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(cache))
    shown = run("doctor").output
    assert re.search(r"jax +\d+\.\d+", shown)
    assert re.search(r"cores +\d+ usable of \d+", shown)
    assert f"{cache} (1 files, 1.0 MiB)" in shown
    assert (
        f"to clear: rm -r {cache}" in shown and "to switch off: DELIBERATION_PROGRAMS=off" in shown
    )
    assert folder_size(cache) == (1, 2**20)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shown = run("doctor").output
    assert f"{tmp_path / 'deliberation' / 'jax'}" in shown and "below 1 GiB" in shown
    monkeypatch.setenv("DELIBERATION_PROGRAMS", "off")
    assert "compiled      off" in run("doctor").output


def test_remaining_time_comes_from_the_speed_since_the_start():
    clock = Clock()
    assert clock.left(100, 0.0) == clock.left(100.5, 0.5) == ""
    assert clock.left(110, 0.25) == "30 s left"
    assert clock.left(160, 0.1) == "9 min left"
    assert clock.left(200, 1.0) == ""


@pytest.mark.parametrize("command", ["table", "zoo"])
def test_measuring_elsewhere_is_asked_for_by_name(command, tmp_path, monkeypatch):
    asked = {}

    @contextlib.contextmanager
    def open_pool(backend, *, jobs, address):
        asked.update(backend=backend, jobs=jobs, address=address)
        yield "a pool"

    def execute(cells, folder, *, manifest, jobs, progress, **there):
        asked.update(there)
        raise BackendError("that is enough")

    monkeypatch.setattr(runs, "execute", execute, raising=False)
    monkeypatch.setattr(backends, "open_pool", open_pool, raising=False)
    kept = "s3://bucket/runs"
    where = ("--backend", "ray", "--address", "10.0.0.1:6379", "--jobs", "3", "--artefacts", kept)
    names = {"table": ["tic_tac_toe"], "zoo": ["uct"]}[command]
    ran = run(command, *names, "--effort", "smoke", *where, "--out", str(tmp_path / "out"))
    assert ran.exit_code == 2 and "that is enough" in ran.stderr
    told = {"backend": "ray", "jobs": 3, "address": "10.0.0.1:6379"}
    goes_on = command == "table"
    assert asked == {**told, "pool": "a pool", "artefacts": kept, "keep_going": goes_on}
    monkeypatch.undo()
    refused = run(command, *names, "--address", "here", "--out", str(tmp_path / "out"))
    assert refused.exit_code == 2 and "choose ray or dask" in refused.stderr


def test_a_resumed_training_is_not_taken_for_a_fast_one():
    clock = Clock()
    assert clock.left(0, 0.8) == ""
    assert clock.left(10, 0.9) == "10 s left"


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys):
    lines = Lines("Measuring")
    lines.update(0.1, "first")
    lines.update(0.2, "second")
    lines.update(1.0, "last")
    shown = capsys.readouterr().err
    assert "first" in shown and "second" not in shown and "Measuring: 100%" in shown


def test_public_names_resolve_and_are_complete():
    import deliberation

    for name in deliberation.__all__:
        assert getattr(deliberation, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        deliberation.nothing  # noqa: B018
