"""The positions behind a record: drawn, and led from to the board at that very position."""

import base64
import json
import os
import time
import zlib

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

pytest.importorskip("starlette")

from made import record
from playground_runs import make_audit, make_table, planned
from starlette.testclient import TestClient

from deliberation import make_task
from deliberation.core.play import random_positions
from deliberation.core.witness.codes import decode, encode
from deliberation.playground import habits
from deliberation.playground.app import make_app
from deliberation.playground.folder import ways
from deliberation.playground.folder.instead import instead
from deliberation.playground.folder.shelf import Shelf, state
from deliberation.playground.folder.ways import way_to
from deliberation.playground.settings import Settings
from deliberation.runs import Cell, RecordFile
from deliberation.runs.announced import ANNOUNCED, announced
from deliberation.runs.errors import FolderBusyError
from deliberation.tasks.moves import Game

HERE = "http://127.0.0.1:8321"
OPTIONS = "mnk(gravity=False, height=3, k=3, width=4)"


def told(name, rows=3, **more):
    """What a record of a task tells of some of its positions."""
    states = random_positions(make_task(name), rows, jax.random.key(5))
    one = [jax.tree.map(lambda x, i=i: np.asarray(x)[i], states) for i in range(rows)]
    return [{"state": encode(x), "chosen": 1, **more} for x in one]


def cell_of(name, options=None):
    settings = {"task": name, **({} if options is None else {"entry": "uct", "options": options})}
    return Cell("a.module:measure", settings)


CELLS = {
    "kept": (cell_of("tic_tac_toe"), {"of": 90, "sights": told("tic_tac_toe", lost=1, best=[4])}),
    "chance": (cell_of("2048"), {"of": 16, "sights": told("2048", moves=[0], returned=3.5)}),
    "options": (cell_of(OPTIONS), {"of": 9, "sights": told(OPTIONS)}),
    "zoo": (cell_of("gridworld", {"size": 4}), {"of": 9, "sights": told("gridworld(size=4)")}),
    "old": (cell_of("hex"), {}),
    "wild": (cell_of("othello"), {"of": "x", "sights": [3, None, {"state": 7}]}),
    "bent": (cell_of("go_9x9"), {"sights": [{"state": "eJwDAAAAAAE="}]}),
}


@pytest.fixture(scope="module", autouse=True)
def untrained():
    """No networks: each position on a board would have one trained beside these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(habits, "_get_ready", lambda habit: setattr(habit, "refused", "None here."))
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_table(folder / "table")
    with RecordFile(folder / "a b+%&ü", {"measures": "positions"}) as file:
        for cell, where in CELLS.values():
            file.append(msgspec.structs.replace(record(cell), settings=cell.settings, where=where))
    return folder


@pytest.fixture(scope="module")
def client(root):
    with TestClient(make_app(Settings(runs=root)), base_url=HERE) as made:
        yield made


def drawn(client, name, status=200, run="a b+%&ü"):
    cell = CELLS[name][0].id if name in CELLS else name
    answer = client.get("/api/runs/positions", params={"run": run, "record": cell})
    assert answer.status_code == status, answer.text
    return answer.json()


def on_board(client, spot, status=200):
    fields = {**spot, "moves": " ".join(spot.get("moves", []))}
    answer = client.get("/api/position", params=fields)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_states_with_an_empty_part_have_moves_and_their_audit_is_drawn(tmp_path):
    pytest.importorskip("gymnasium")
    name = "gym:FrozenLake-v1?is_slippery=false"
    game = Game(make_task(name), seed=0)
    game.play_all(["down", "down"])
    assert any(np.size(x) == 0 for x in jax.tree.leaves(game.state))  # no history is kept
    assert way_to(game.task, game.state, encode(game.state)) == {
        "seed": 0, "moves": ["down", "down"],
    }  # fmt: skip
    cited_of(tmp_path, name, game.state)
    with TestClient(make_app(Settings(runs=tmp_path, tasks=(name,))), base_url=HERE) as client:
        answer = client.get("/api/runs/record", params={"run": "audit", "record": "effort"})
        assert answer.status_code == 200, answer.text
        spot = answer.json()["cited"][0]["spot"]
        assert spot == {"task": name, "seed": 0, "moves": ["down", "down"]}


@pytest.mark.parametrize("name", ["kept", "chance", "options", "zoo"])
def test_every_position_kept_is_drawn_and_leads_to_the_board_at_it(client, name):
    found = drawn(client, name)
    assert found["kept"] == 3 and len(found["boards"]) == 3
    for one in found["boards"]:
        there = on_board(client, one["spot"])
        assert there["picture"] == one["picture"] and there["legal"] == one["legal"]
        assert there["mover"] == one["mover"]


def test_a_link_holds_the_moves_where_these_are_found(client):
    spots = [one["spot"] for one in drawn(client, "kept")["boards"]]
    assert all("moves" in spot and "kept" not in spot for spot in spots)
    assert drawn(client, "kept")["boards"][0]["best_names"] == "b2"


def test_where_chance_was_drawn_otherwise_the_link_names_the_record(client):
    found = drawn(client, "chance")["boards"]
    assert any("kept" in one["spot"] for one in found) and found[0]["returned"] == 3.5
    kept = next(one["spot"] for one in found if "kept" in one["spot"])
    moved = on_board(client, {**kept, "moves": [on_board(client, kept)["names"][
        on_board(client, kept)["legal"][0]]]})  # fmt: skip
    assert len(moved["moves"]) == 1


def test_positions_of_an_exam_lead_to_the_board_too(client):
    for one in drawn(client, planned()["search"].id, run="table")["boards"]:
        assert on_board(client, one["spot"])["picture"] == one["picture"]
    row = f"table/{planned()['exam'].id}/3"
    assert on_board(client, {"task": "tic_tac_toe", "kept": row})["moves"] == []


@pytest.mark.parametrize("name", ["old", "wild"])
def test_a_record_without_positions_says_what_is_behind_it(client, name):
    said = drawn(client, name, 422)["error"]
    assert said.startswith("No positions stand behind this record")
    fields = {"run": "a b+%&ü", "record": CELLS[name][0].id}
    one = client.get("/api/runs/record", params=fields).json()
    assert one["positions"] is False and one["instead"] == said


def test_positions_of_another_form_are_a_sentence(client):
    assert "another form than go_9x9" in drawn(client, "bent", 422)["error"]


FORGED = (
    "gridworld", "tic_tac_toe", "connect_four", "blackjack", "kuhn_poker", "leduc_poker", "2048",
    "frozen_lake",
)  # fmt: skip


def forged(task, wanted):
    """A state of the right length: random bytes, or one byte again and again."""
    form = jax.eval_shape(lambda: task.init(jax.random.key(0)))
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(form))
    data = np.random.default_rng(0).bytes(size) if wanted is None else bytes([wanted]) * size
    return base64.urlsafe_b64encode(zlib.compress(data)).decode()


@pytest.fixture(scope="module")
def forgeries(tmp_path_factory):
    """A record of each task: a true position, then what is none. And the cells' ids."""
    folder = tmp_path_factory.mktemp("forged") / "runs"
    cells = {}
    with RecordFile(folder / "forged", {"measures": "positions"}) as file:
        for name in FORGED:
            task, cells[name] = make_task(name), cell_of(name)
            odd = {"best": 7, "moves": [0] * 1_001, "chosen": True, "lost": "much"}
            states = [told(name, 1)[0]["state"], forged(task, None), forged(task, 0x7F)]
            sights = [{"state": state, **odd} for state in states]
            found = record(cells[name])
            file.append(msgspec.structs.replace(
                found, settings=cells[name].settings, where={"sights": sights}
            ))  # fmt: skip
    with TestClient(make_app(Settings(runs=folder)), base_url=HERE) as client:
        yield client, {name: cell.id for name, cell in cells.items()}, folder


@pytest.mark.parametrize("name", FORGED)
def test_what_is_no_position_is_said_and_the_others_are_drawn(forgeries, name):
    client, cells, _ = forgeries
    began = time.monotonic()
    boards = drawn(client, cells[name], run="forged")["boards"]
    assert [one["broken"] for one in boards] == [False, True, True]
    assert boards[0]["spot"] and boards[0]["text"] and boards[0]["chosen"] is None
    assert all("no position of this task" in one["said"] for one in boards[1:])
    for row in (1, 2):
        spot = {"task": name, "kept": f"forged/{cells[name]}/{row}"}
        assert "no position of this task" in on_board(client, spot, 404)["error"]
    on_board(client, {"task": name, "kept": f"forged/{cells[name]}/0"})
    assert time.monotonic() - began < 120, "a tile of 2 to the power of 2^31 was written out"


def test_a_link_to_what_is_not_there_tells_neither_the_folder_nor_its_runs(forgeries):
    client, cells, folder = forgeries
    for kept in ("nowhere/0/0", "forged/nothing/0", f"forged/{cells['2048']}/99"):
        said = on_board(client, {"task": "2048", "kept": kept}, 404)["error"]
        assert str(folder) not in said and "Known" not in said and "Did you mean" not in said
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{")
    (folder / "broken" / "records.jsonl").write_text("{")
    said = on_board(client, {"task": "2048", "kept": "broken/x/0"}, 404)["error"]
    assert str(folder) not in said


@pytest.mark.parametrize(
    "kept", ["x", "../table/0", "table//0", "a b+%&ü/{}/7", "a b+%&ü/{}/-1", "a b+%&ü/{}/²"]
)  # fmt: skip
def test_no_other_position_can_be_made_up(client, kept):
    spot = {"task": "tic_tac_toe", "kept": kept.format(CELLS["kept"][0].id)}
    assert "record" in on_board(client, spot, 404)["error"]
    other = {"task": "hex", "kept": f"a b+%&ü/{CELLS['kept'][0].id}/0"}
    assert "another task" in on_board(client, other, 404)["error"]


def test_options_that_were_measured_may_be_asked_for_and_others_within_limits(client):
    assert on_board(client, {"task": OPTIONS})["task"] == OPTIONS
    refused = on_board(client, {"task": OPTIONS.replace("4", "4000")}, 413)
    assert "the playground allows" in refused["error"]


@pytest.mark.parametrize("name", ["tic_tac_toe", "gridworld_pits", OPTIONS, "kuhn_poker"])
def test_the_moves_to_a_position_lead_to_it(name):
    task = make_task(name)
    states, found = random_positions(task, 4, jax.random.key(7)), 0
    for row in range(4):
        one = jax.tree.map(lambda x, i=row: x[i], states)
        way = way_to(task, one, encode(one), seconds=300.0)  # the positions looked at are the limit
        if way is None:  # of chance, some come about in no game that is looked at
            continue
        game = Game(task, seed=way["seed"])
        game.play_all(way["moves"])
        assert encode(game.state) == encode(one)
        found += 1
    assert found == 4 or (not task.traits.deterministic and found >= 2)


def test_moves_for_which_the_time_was_too_short_are_looked_for_again():
    task = make_task("hex(size=4)")
    state = jax.tree.map(lambda x: x[0], random_positions(task, 1, jax.random.key(3)))
    assert way_to(task, state, encode(state), seconds=-1.0) is None
    assert way_to(task, state, encode(state), seconds=300.0) is not None


def test_what_nobody_can_come_to_has_no_moves(monkeypatch):
    monkeypatch.setattr(ways, "EXPANDED", 500)
    task = make_task("tic_tac_toe")
    state = decode(task, told("tic_tac_toe", 1)[0]["state"])
    never = jax.tree.map(lambda x: jnp.asarray(np.ones_like(x)), state)
    assert way_to(task, never, encode(never)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spent": {"fits": 300, "data": 64}}, "300 updates of its weights on 64 examples"),
        ({"outcomes": {"nanoseconds": 3.0}, "machine": {"cpu": "a clock"}}, "a clock"),
        ({"outcomes": {"refused": "too large"}}, "too large"),
        ({}, "worked out from the rules"),
    ],
)
def test_what_is_behind_it_instead(changes, said):
    assert said in instead(msgspec.structs.replace(record(cell_of("hex")), **changes), False, None)


def test_an_audit_is_seen_from_its_start_and_as_stopped_once_it_is_killed(tmp_path):
    folder, shelf = tmp_path / "live", Shelf(tmp_path)
    asked = {"subject": "uct", "task": "gridworld", "effort": "smoke", "probes": ["effort", "map"]}
    with announced(folder, **asked) as begin:
        begin()
        now = state(shelf, shelf.find("live"))
        assert (now["state"], now["done"], now["of"]) == ("running", 0, 2)
        assert now["about"] == ["uct", "gridworld", "smoke"]
        with pytest.raises(FolderBusyError), announced(folder, **asked):
            pass
    whole = make_audit(folder)
    os.remove(whole / "audit.json")
    now = state(shelf, shelf.find("live"))
    assert (now["state"], now["done"], now["of"]) == ("stopped", 1, 2)


@pytest.mark.parametrize("text", [b"", b"[1]", b"\xff", b'{"probes": 7, "subject": {"a": 1}}'])
def test_an_announcement_that_is_broken_breaks_one_line(tmp_path, text):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ANNOUNCED).write_bytes(text)
    make_table(tmp_path / "fine")
    shelf = Shelf(tmp_path)
    states = {run.name: state(shelf, run)["state"] for run in shelf.runs()}
    assert states["fine"] in ("finished", "ended") and len(states) == 2


def cited_of(root, name, state):
    """An audit of a task whose answer cites a state."""
    folder = make_audit(root / "audit")
    for file in ("audit.json", "effort.json"):
        kept = json.loads((folder / file).read_text())
        one = kept["answers"][0] if "answers" in kept else kept["answer"]
        one["cited"][0]["state"] = encode(state)
        (folder / file).write_text(json.dumps({**kept, "task": name} if "task" in kept else kept))
    asked = {"subject": "uct", "task": name, "effort": "smoke", "probes": ["effort"]}
    with announced(folder, **asked) as begin:
        begin()


def test_states_that_an_audit_cites_lead_to_the_board(tmp_path):
    cited_of(tmp_path, "tic_tac_toe", make_task("tic_tac_toe").init(jax.random.key(0)))
    with TestClient(make_app(Settings(runs=tmp_path)), base_url=HERE) as client:
        fields = {"run": "audit", "record": "effort"}
        cited, _ = client.get("/api/runs/record", params=fields).json()["cited"]
        assert cited["spot"] == {"task": "tic_tac_toe", "seed": 0, "moves": []}
        assert on_board(client, cited["spot"])["picture"] == cited["picture"]
