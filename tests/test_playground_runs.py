"""The playground's runs: read at any moment, traced to their records, and no way out of them."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("starlette")

from made import record
from playground_runs import (
    CLAIM,
    COUNT,
    SECRET,
    TABLE,
    make_audit,
    make_table,
    make_zoo,
    planned,
    ways,
)
from starlette.testclient import TestClient

from deliberation.audit.profile import Answer
from deliberation.playground.app import make_app
from deliberation.playground.folder import compared as comparing
from deliberation.playground.folder import tables
from deliberation.playground.folder.compared import compared
from deliberation.playground.folder.figures import behind, mover, worlds_of
from deliberation.playground.folder.shelf import Shelf, running, state
from deliberation.playground.hall import Hall
from deliberation.playground.runs import watched
from deliberation.playground.settings import Settings
from deliberation.runs import Cell, RecordFile, Row, execute, read_records
from deliberation.stats import Estimate

HERE = "http://127.0.0.1:8321"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder of runs, beside a file that is nobody's business."""
    top = tmp_path_factory.mktemp("top")
    (top / "secret.txt").write_text(SECRET)
    folder = top / "runs"
    make_table(folder / "one")
    make_table(folder / "two", gain=0.02, seed=1)
    make_table(folder / "begun", left_out=2)
    make_zoo(folder / "zoo")
    make_audit(folder / "audit")
    make_audit(folder / "audit2", found="none", estimate=0.0)
    (folder / "notes").mkdir()
    return folder


@pytest.fixture(scope="module")
def client(root):
    with TestClient(make_app(Settings(runs=root)), base_url=HERE) as made:
        yield made


@pytest.fixture(scope="module")
def shelf(root):
    return Shelf(root)


def get(client, path, status=200, **fields):
    answer = client.get(path, params=fields)
    assert answer.status_code == status, answer.text
    return answer.json()


# The list.


def test_every_run_is_listed_with_how_far_it_is(client, shelf):
    for run in shelf.runs():
        assert run.kind == "audit" or shelf.planned(run)
    told = {run["name"]: run for run in get(client, "/api/runs")["runs"]}
    assert set(told) == {"one", "two", "begun", "zoo", "audit", "audit2"}
    cells = len(planned()["all"])
    shown = {name: state(shelf, shelf.find(name)) for name in told}
    assert (shown["one"]["state"], shown["one"]["done"], shown["one"]["of"]) == (
        "finished", cells, cells,
    )  # fmt: skip
    assert (shown["begun"]["state"], shown["begun"]["done"]) == ("stopped", cells - 2)
    assert told["zoo"]["kind"] == "zoo" and told["audit"]["kind"] == "audit"
    assert "uct" in told["audit"]["about"] and told["audit"]["state"] == "finished"
    assert told["one"]["page"] and not told["begun"]["page"]


def test_without_a_folder_the_current_one_is_shown(root, monkeypatch):
    monkeypatch.chdir(root / "one")
    with TestClient(make_app(), base_url=HERE) as client:
        assert [run["title"] for run in get(client, "/api/runs")["runs"]] == ["one"]


def test_an_empty_list_says_how_deep_was_looked(tmp_path):
    make_audit(tmp_path / "far" / "audit")
    with TestClient(make_app(Settings(runs=tmp_path)), base_url=HERE) as client:
        assert not get(client, "/api/runs")["runs"]
        assert "nor in the folders right inside it" in client.get("/static/runs.js").text


def test_a_run_is_going_on_while_its_lock_is_held(tmp_path, shelf):
    made = Shelf(tmp_path)
    with RecordFile(tmp_path / "out", {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": []}):
        assert running(made.find("out"))
        assert state(made, made.find("out"))["state"] == "running"
    assert not running(made.find("out"))


def test_failed_cells_are_counted_and_say_why(tmp_path, monkeypatch):
    (tmp_path / "failing_work.py").write_text("def work(settings, context):\n    1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    manifest = {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": []}
    runs = tmp_path / "runs"
    execute(
        [Cell("failing_work:work", {})], runs / "out", manifest=manifest, jobs=1, keep_going=True
    )
    with TestClient(make_app(Settings(runs=runs)), base_url=HERE) as client:
        assert get(client, "/api/runs")["runs"][0]["failed"] == 1
        (why,) = get(client, "/api/runs/one", run="out")["failures"]
        assert "ZeroDivisionError" in why["why"]


def test_the_list_comes_again_when_anything_changes(tmp_path):
    make_audit(tmp_path / "first")

    async def gather():
        hall = Hall(Settings(runs=tmp_path))
        events = watched(hall, {})
        name, before = await anext(events)
        make_audit(tmp_path / "second")
        again, after = await anext(events)
        await events.aclose()
        hall.close()
        return (name, again), before, after

    names, before, after = asyncio.run(asyncio.wait_for(gather(), 30))
    assert names == ("runs", "runs")
    assert [r["name"] for r in before["runs"]] == ["first"]
    assert [r["name"] for r in after["runs"]] == ["second", "first"]


def test_how_much_there_is_to_measure_is_found_out_while_one_watches(tmp_path, root):
    shutil.copytree(root / "begun", tmp_path / "begun")

    async def gather():
        hall = Hall(Settings(runs=tmp_path))
        events = watched(hall, {})
        told = [(await anext(events))[1]["runs"][0] for _ in range(2)]
        await events.aclose()
        hall.close()
        return told

    first, then = asyncio.run(asyncio.wait_for(gather(), 60))
    cells = len(planned()["all"])
    assert (first["state"], first["of"]) == ("recorded", None)
    assert (then["state"], then["done"], then["of"]) == ("stopped", cells - 2, cells)


def test_a_run_that_is_being_written_is_readable_at_any_moment(tmp_path):
    """A writer appends as fast as it can, while list and records are read all the time."""
    manifest = {"tasks": ["tic_tac_toe"], "effort": "smoke", "claims": []}
    made, stop, broken, seen = Shelf(tmp_path), threading.Event(), [], []

    def write():
        with RecordFile(tmp_path / "out", manifest) as file:
            for x in range(60):
                file.append(record(Cell("x:y", {"x": x})))
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not stop.is_set():
        for run in made.runs():
            told = state(made, run)
            seen.append(told["done"])
            broken += [told["trouble"]] if told["trouble"] else []
    writer.join()
    assert not broken and seen == sorted(seen) and len(set(seen)) > 3
    assert state(made, made.find("out"))["done"] == 60


# What a run found.


def test_a_table_shows_its_rows_with_verdicts(client):
    (claim,) = get(client, "/api/runs/one", run="one")["claims"]
    assert claim["name"] == CLAIM and claim["title"]
    search = next(row for row in claim["rows"] if row["decider"] == "search")
    assert search["verdict"] == "supported" and search["low"] < search["estimate"] < search["high"]
    assert re.fullmatch(r"0\.\d+ \[0\.\d+, 0\.\d+\]", search["text"])


def test_a_run_not_ended_shows_why_rows_are_missing(client):
    (claim,) = get(client, "/api/runs/one", run="begun")["claims"]
    assert (
        claim["rows"][0]["kind"] == "absent"
        and "not among the records" in claim["rows"][0]["reason"]
    )
    assert get(client, "/api/runs/figure", run="begun", claim=CLAIM)["panels"] == []


def test_a_figure_is_data_that_says_what_the_records_say(client):
    (panel,) = get(client, "/api/runs/figure", run="one", claim=CLAIM)["panels"]
    budgets = planned()["search"].settings["budgets"]
    search = next(series for series in panel["series"] if series["label"] == "search")
    assert search["x"] == budgets
    np.testing.assert_allclose(search["y"], ways(budgets, 0.15).mean(1), rtol=1e-5)


def test_a_zoo_and_an_audit_show_what_they_found(client):
    places = get(client, "/api/runs/one", run="zoo")["places"]
    assert {p["title"] for p in places} == {"Alpha-beta", "UCT (Monte Carlo tree search)"}
    position, cost = get(client, "/api/runs/figure", run="zoo")["panels"]
    assert position["series"][0]["records"] == [p["record"] for p in places]
    np.testing.assert_allclose(cost["series"][0]["x"], [5.0, 5.0])
    assert get(client, "/api/runs/record", run="zoo", record=places[0]["record"])["outcomes"]
    (answer,) = get(client, "/api/runs/one", run="audit")["answers"]
    assert answer["panel"]["series"][0]["y"] == [0.1, 0.5]
    kept = get(client, "/api/runs/record", run="audit", record="effort")
    assert kept["cited"][0]["picture"]["cells"][0] == ["", "", ""]
    assert kept["cited"][1]["table"][0] == ["observation", "1 of 0 to 15"]
    assert kept["cited"][0]["chosen_name"] == "a3" and kept["provenance"]["stamp"] == "0" * 16


# Points, records, positions.


def test_each_point_is_led_to_the_records_that_move_it(client):
    cells = planned()
    for series, name in ((0, "search"), (1, "network")):
        for point in (0, 2):
            told = get(
                client, "/api/runs/behind", run="one", claim=CLAIM, point=f"0.{series}.{point}"
            )
            assert [r["cell"] for r in told["records"]] == [cells[name].id], told
            assert told["exact"] and told["series"] == name


def test_points_that_cannot_be_told_apart_name_the_whole_group(shelf):
    run = shelf.find("one")
    records, worlds = shelf.records(run), worlds_of(shelf, run, CLAIM)
    found = behind(records, worlds, mover(run), seconds=-1.0)
    cells = planned()
    assert found and all(not here.exact for here in found.values())
    assert {c for here in found.values() for c in here.cells} == {
        cells["search"].id, cells["network"].id,
    }  # fmt: skip


def test_a_record_is_readable_and_leads_on(client):
    cells = planned()
    told = get(client, "/api/runs/record", run="one", record=cells["search"].id)
    assert told["settings"]["positions"]["cell"] == cells["exam"].id
    assert told["budgets"] == list(cells["search"].settings["budgets"])
    assert {c["name"] for c in told["columns"]} == {"way", "action"} and told["positions"]
    assert told["provenance"]["digest"] == read_records_of(client, "one")[cells["search"].id].digest
    assert json.loads(told["raw"])["low"] == -1.2


def test_all_records_are_listed_the_last_first(client):
    told = get(client, "/api/runs/records", run="one")
    assert [r["cell"] for r in told["records"]] == list(read_records_of(client, "one"))[::-1]


def read_records_of(client, name):
    return read_records(client.app.state.hall.settings.runs / name)


def test_the_positions_behind_a_record_are_drawn_the_costliest_first(client):
    fields = {"run": "one", "record": planned()["search"].id}
    budgets = planned()["search"].settings["budgets"]
    told = get(client, "/api/runs/positions", at=budgets[-1], **fields)
    assert (told["of"], told["erred"]) == (COUNT, COUNT // 2)
    first = told["boards"][0]
    assert first["picture"]["cells"] == [["", "", ""]] * 3
    assert (first["chosen_name"], first["best_names"], first["lost"]) == ("a3", "b2", 1.0)
    later = get(client, "/api/runs/positions", at=budgets[-1], start=COUNT - 2, **fields)["boards"]
    assert [b["lost"] for b in later] == [0.0, 0.0] and later[0]["chosen_name"] == "b2"
    at_first = get(client, "/api/runs/positions", at=budgets[0], order="recorded", **fields)
    assert at_first["erred"] == COUNT and [b["row"] for b in at_first["boards"]] == list(range(6))


def test_a_record_without_positions_says_so(client):
    cells = planned()
    lesson = next(
        c for c in cells["all"] if c.function.endswith(":teach") or "lesson" in c.function
    )
    told = get(client, "/api/runs/positions", 422, run="zoo", record=_first(client))
    assert "No positions" in told["error"]
    assert get(client, "/api/runs/record", run="one", record=lesson.id)["cell"] == lesson.id


def _first(client):
    return get(client, "/api/runs/one", run="zoo")["places"][0]["record"]


# Two runs.


def test_two_runs_are_compared_line_by_line(client, shelf):
    told = get(client, "/api/runs/compared", run="one", **{"with": "two"})
    lines = [line for group in told["groups"] for line in group["lines"]]
    search = next(line for line in lines if "of search" in line["what"])
    apart = search["difference"]
    assert search["one"]["verdict"] == "supported" and search["other"]["estimate"] < 0.05
    assert apart["estimate"] == pytest.approx(
        search["other"]["estimate"] - search["one"]["estimate"]
    )
    assert apart["high"] < 0 and search["change"] in ("verdict", "moved")
    same = compared(shelf, shelf.find("one"), shelf.find("one"))
    found = [line for group in same["groups"] for line in group["lines"]]
    assert {line["change"] for line in found if line["one"]["n"]} == {"identical"}
    assert {line["change"] for line in found if not line["one"]["n"]} <= {"same"}, "not measured"
    assert "the same in both" in same["what"] and "Independent" not in same["what"]


def row(note="", estimate=0.5, half=0.1, **more):
    told = {"claim": "budget_slope", "aspect": "slope", "task": "t", "decider": "d",
            "quantity": "q", "n": 50}  # fmt: skip
    told |= {"estimate": estimate, "low": estimate - half, "high": estimate + half, "note": note}
    return Row(**(told | more))


def beside(shelf, monkeypatch, ours, theirs, shared=(0, 9)):
    found = {"one": ours, "two": theirs}
    monkeypatch.setattr(comparing, "rows", lambda shelf, run: found[run.name])
    monkeypatch.setattr(comparing, "_shared", lambda *given: shared)
    return compared(shelf, shelf.find("one"), shelf.find("two"))


def test_rows_meet_whatever_numbers_stand_in_their_notes(shelf, monkeypatch):
    ours = [row("900 examples against 30"), row("another of that name", 0.9)]
    theirs = [row("1,200 examples against 40", 0.52), row("another of that name", 0.9)]
    told = beside(shelf, monkeypatch, ours, theirs)
    assert told["counts"]["only one"] == 0 and told["counts"]["same"] == 2
    (group,) = told["groups"]
    assert sorted(round(x["difference"]["estimate"], 2) for x in group["lines"]) == [0.0, 0.02]


def test_differences_are_judged_as_a_family(shelf, monkeypatch):
    """One of forty that is just beyond its own interval is what chance makes of forty."""
    ours = [row(quantity=f"q{i}") for i in range(40)]
    theirs = [row(quantity=f"q{i}", estimate=0.65 if i == 0 else 0.51) for i in range(40)]
    alone = beside(shelf, monkeypatch, ours[:1], theirs[:1])["counts"]
    all_of_them = beside(shelf, monkeypatch, ours, theirs)["counts"]
    assert alone["moved"] == 1 and all_of_them["moved"] == 0
    theirs[0] = row(quantity="q0", estimate=0.9)
    assert beside(shelf, monkeypatch, ours, theirs)["counts"]["moved"] == 1


def test_equal_numbers_are_one_measurement_only_where_runs_share_some(shelf, monkeypatch):
    shared = beside(shelf, monkeypatch, [row()], [row()], (3, 4))
    assert shared["counts"]["identical"] == 1 and shared["what"].startswith("3 of 4 measurements")
    other = beside(shelf, monkeypatch, [row()], [row()], (0, 4))
    assert other["counts"]["same"] == 1 and "No measurement is the same" in other["what"]
    (line,) = shared["groups"][0]["lines"]
    assert line["difference"] is None, "of one measurement there is none"


def test_audits_compare_and_kinds_do_not_mix(client):
    told = get(client, "/api/runs/compared", run="audit", **{"with": "audit2"})
    (line,) = told["groups"][0]["lines"]
    assert line["change"] == "verdict" and line["difference"]["estimate"] == pytest.approx(-0.4)
    refused = get(client, "/api/runs/compared", 422, run="one", **{"with": "zoo"})
    assert "another kind" in refused["error"]


# The report page.


def test_the_report_page_is_the_file_and_can_do_nothing_else(client, root):
    answer = client.get("/runs/page", params={"run": "one"})
    assert answer.text == (root / "one" / "report.html").read_text()
    policy = answer.headers["content-security-policy"]
    script = re.findall(r"<script>(.*?)</script>", answer.text, re.S)
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in script]
    assert digests and all(f"'sha256-{d}'" in policy for d in digests)
    assert policy.startswith("sandbox allow-scripts;") and "default-src 'none'" in policy
    assert "allow-same-origin" not in policy and "connect-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/runs/page", params={"run": "audit"}).status_code == 200
    assert client.get("/runs/page", params={"run": "begun"}).status_code == 422


# No way out, and nothing that breaks.

PATHS = (
    "..", "../secret.txt", "../../etc", "/etc", "one/..", "one/../..", "./one", "one/", "%2e%2e",
    "..%2f..%2fetc%2fpasswd", "one\x00", "", ".hidden", "one/artefacts", "\\..\\..", "~", "notes",
)  # fmt: skip
ASKED = (
    "/api/runs/one",
    "/api/runs/figure",
    "/api/runs/record",
    "/api/runs/positions",
    "/runs/page",
)


@pytest.mark.parametrize("name", PATHS)
def test_a_name_that_is_not_on_the_shelf_leads_nowhere(client, name):
    for path in ASKED:
        answer = client.get(
            path, params={"run": name, "claim": CLAIM, "record": "../../secret.txt"}
        )
        assert answer.status_code == 404 and "error" in answer.json()
    for record_name in (name, "../" * 6 + "etc/passwd"):
        for path in ("/api/runs/record", "/api/runs/positions"):
            answer = client.get(path, params={"run": "one", "record": record_name})
            assert answer.status_code == 404 and SECRET not in answer.text


def test_links_out_of_the_folder_are_not_followed(tmp_path, root):
    outside, runs = tmp_path / "outside", tmp_path / "runs"
    shutil.copytree(root / "one", outside)
    (tmp_path / "secret.txt").write_text(SECRET)
    (outside / "report.html").write_text(SECRET)
    shutil.copytree(root / "one", runs / "own")
    shutil.copytree(root / "audit", runs / "heard")
    (runs / "away").symlink_to(outside)
    for name in ("report.html", "table.json"):
        (runs / "own" / name).unlink()
        (runs / "own" / name).symlink_to(tmp_path / "secret.txt")
    (runs / "heard" / "audit.json").unlink()
    (runs / "heard" / "audit.json").symlink_to(outside / "table.json")
    (runs / "linked").mkdir()
    (runs / "linked" / "run.json").symlink_to(outside / "run.json")
    (runs / "circle").symlink_to(runs / "circle")
    with TestClient(make_app(Settings(runs=runs)), base_url=HERE) as client:
        told = {run["name"]: run for run in get(client, "/api/runs")["runs"]}
        assert "away" not in told and "circle" not in told
        assert told["linked"]["state"] == told["heard"]["state"] == "broken"
        for name in ("own", "heard", "linked"):
            for path in ASKED:
                answer = client.get(path, params={"run": name, "claim": CLAIM, "record": "effort"})
                assert SECRET not in answer.text
        assert "leads out" in get(client, "/runs/page", 422, run="own")["error"]
        assert "leads out" in get(client, "/api/runs/one", 422, run="own")["error"]


def test_files_of_a_record_are_not_read_from_elsewhere(tmp_path, root):
    """A record says where its files are; what it says may be anything."""
    runs, cells = tmp_path / "runs", planned()
    shutil.copytree(root / "one", tmp_path / "outside")
    there = tmp_path / "outside" / "artefacts" / cells["search"].id
    made = read_records(tmp_path / "outside")
    with RecordFile(runs / "own", TABLE) as file:
        for one in made.values():
            home = f"../../../outside/artefacts/{one.cell}"
            file.append(msgspec.structs.replace(one, home=home))
    home = f"../../../outside/artefacts/{cells['search'].id}"
    (runs / "own" / "artefacts").mkdir()  # so that ".." has somewhere to go up from
    assert (runs / "own" / "artefacts" / home / "columns.npz").exists()
    linked = runs / "linked" / "artefacts" / cells["search"].id / "columns.npz"
    shutil.copytree(root / "one", runs / "linked")
    linked.unlink()
    linked.symlink_to(there / "columns.npz")
    with TestClient(make_app(Settings(runs=runs)), base_url=HERE) as client:
        for name in ("own", "linked"):
            fields = {"run": name, "claim": CLAIM, "record": cells["search"].id, "point": "0.0.0"}
            for path in ("figure", "behind", "record", "positions"):
                assert (
                    "out of the folder" in get(client, f"/api/runs/{path}", 422, **fields)["error"]
                )


BROKEN = {
    "run.json": (
        b"",
        b"{",
        b"[]",
        b'{"schema": 2}',
        b'{"schema": 99, "manifest": {}}',
        b"\xff\xfe",
    ),
    "records.jsonl": (b"{}\n", b"\x00\x01\n", b'{"digest": 1}\n'),
    "head.json": (b"", b"[1]"),
    "table.json": (b"", b'{"rows": 3}'),
}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, some in BROKEN.items() for t in some])
def test_a_broken_file_gives_a_sentence(tmp_path, root, name, text):
    shutil.copytree(root / "one", tmp_path / "runs" / "out")
    (tmp_path / "runs" / "out" / name).write_bytes(text)
    with TestClient(make_app(Settings(runs=tmp_path / "runs")), base_url=HERE) as client:
        (told,) = get(client, "/api/runs")["runs"]
        if name != "table.json":
            assert told["state"] == "broken" and told["trouble"]
        answer = client.get("/api/runs/one", params={"run": "out"})
        assert answer.status_code in (200, 422)
        assert str(tmp_path) not in answer.text and str(tmp_path) not in told["trouble"]
        assert answer.status_code == 422 or answer.json()


def _first_answer(**changes):
    def forge(whole):
        whole["answers"][0] |= changes

    return forge


def _first_state(**changes):
    def forge(whole):
        whole["answers"][0]["cited"][0] |= changes

    return forge


FORGED = {
    "chosen": _first_state(chosen=10**6),
    "best": _first_state(names=["a"], best=-(10**6)),
    "deep": lambda whole: whole.update(answers=json.loads("[" * 800 + "]" * 800)),
    "many": lambda whole: whole.update(answers=whole["answers"] * 201),
    "ragged": lambda whole: whole["answers"][0]["panel"]["series"][0].update(x=[1.0]),
    "found": _first_answer(found="surely"),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_an_audit_that_nobody_made_gives_a_sentence(tmp_path, forge):
    path = make_audit(tmp_path / "runs" / "out") / "audit.json"
    whole = json.loads(path.read_text())
    forge(whole)
    path.write_text(json.dumps(whole))
    with TestClient(make_app(Settings(runs=tmp_path / "runs")), base_url=HERE) as client:
        said = get(client, "/api/runs/one", 422, run="out")["error"]
        assert "another form" in said or "201 answers: up to 200" in said
        get(client, "/api/runs/record", 422, run="out", record="effort")


def test_an_audit_beyond_a_size_is_cut_or_refused(tmp_path, monkeypatch):
    path = make_audit(tmp_path / "runs" / "out") / "audit.json"
    whole = json.loads(path.read_text())
    whole["answers"][0]["cited"][1]["table"] = [["x" * 1000, "y"]] * 2000
    path.write_text(json.dumps(whole))
    deep = '{"stamp": "s", "answer":' + "[" * 900 + "]" * 900 + "}"
    (path.parent / "effort.json").write_text(deep)
    with TestClient(make_app(Settings(runs=tmp_path / "runs")), base_url=HERE) as client:
        table = get(client, "/api/runs/one", run="out")["answers"][0]["cited"][1]["table"]
        assert len(table) == 257 and table[-1] == ["and more", "1,744 lines"]
        assert len(table[0][0]) == 240
        assert get(client, "/api/runs/record", run="out", record="effort")["cited"]
        monkeypatch.setattr("deliberation.playground.folder.shelf.LARGEST_JSON", 1000)
        assert "more than 1,000" in get(client, "/api/runs/one", 422, run="out")["error"]


def test_a_line_cut_off_while_it_is_written_is_waited_for(tmp_path, root):
    shutil.copytree(root / "one", tmp_path / "out")
    path = tmp_path / "out" / "records.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[0][:40])
    made = Shelf(tmp_path)
    assert state(made, made.find("out"))["trouble"] == ""


def test_no_module_of_a_runs_own_is_imported(tmp_path, monkeypatch):
    """A folder of runs may be anybody's; a name in it must not run code."""
    marker = tmp_path / "ran"
    (tmp_path / "evil_world.py").write_text(f"open({str(marker)!r}, 'w')\ndef World(): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    runs = tmp_path / "runs"
    for name, task in (
        ("out", "evil_world:World"),
        ("odd", "gridworld:Thing"),
        ("gym", "gym:x-v1"),
    ):
        with RecordFile(runs / name, {**TABLE, "tasks": [task]}):
            pass
    with TestClient(make_app(Settings(runs=runs)), base_url=HERE) as client:
        get(client, "/api/runs")
        for name in ("out", "odd", "gym"):
            for path in ("/api/runs/one", "/api/runs/figure"):
                said = get(client, path, 422, run=name, claim=CLAIM)["error"]
                assert "somebody's own" in said
    assert not marker.exists()


def test_what_makes_no_sense_is_refused_by_a_sentence(client):
    run = {"run": "one"}
    bad = [
        ("/api/runs/behind", {**run, "claim": CLAIM, "point": "0.0"}),
        ("/api/runs/behind", {**run, "claim": CLAIM, "point": "9.9.9"}),
        ("/api/runs/behind", {**run, "claim": "nothing", "point": "0.0.0"}),
        ("/api/runs/figure", {**run, "claim": "off_distribution"}),
        ("/api/runs/positions", {**run, "record": planned()["search"].id, "start": "-1"}),
        ("/api/runs/positions", {**run, "record": planned()["search"].id, "order": "any"}),
        ("/api/runs/positions", {**run, "record": planned()["search"].id, "at": "nan"}),
    ]
    for path, fields in bad:
        answer = client.get(path, params=fields)
        assert 400 <= answer.status_code < 500 and answer.json()["error"], (path, fields)
    assert Path(client.app.state.hall.settings.runs).exists()


def test_what_lies_beyond_what_was_tried_is_told_in_words_as_in_the_profile():
    beyond = Answer(
        probe="worth", question="?", statistic="simulations", found="told", said="Under 1.",
        estimate=Estimate(0.0, 0.0, 0.0, 9), measure="under 1 [under 1, under 1]",
    )  # fmt: skip
    assert tables._answer(beyond)["text"] == "under 1 [under 1, under 1]"
    plain = msgspec.structs.replace(beyond, measure="")
    assert tables._answer(plain)["text"] == "0 [0, 0]"
