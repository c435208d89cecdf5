"""The playground in process: its doors, its answers, and visitors who do not disturb each other."""

import asyncio
import json
import random
import socket
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("starlette")

from click.testing import CliRunner
from playground_asked import opened, thought
from starlette.testclient import TestClient

from deliberation.amortised import MLP, NetworkPolicy, save_network
from deliberation.cli import main
from deliberation.core.errors import StorageError, UnsuitableTaskError
from deliberation.direct import solve
from deliberation.playground import thinking, worlds
from deliberation.playground.app import make_app
from deliberation.playground.asking import as_text
from deliberation.playground.exact import _from_file
from deliberation.playground.goals import knobs, objective_of, sentence
from deliberation.playground.hall import Hall
from deliberation.playground.serving import check_free, warm
from deliberation.playground.settings import RefusedError, Settings, settings_for
from deliberation.playground.thinking import said_by, think
from deliberation.playground.worlds import Spot, play, playable, world
from deliberation.tasks import list_tasks, make_task
from deliberation.tasks.board.solved import solved_connect_four
from deliberation.tasks.moves import find_action

HERE = "http://127.0.0.1:8321"
TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def client():
    with TestClient(make_app(), base_url=HERE) as made:
        yield made


@pytest.fixture(scope="module")
def hall():
    yield from opened()


def last(events, name):
    return [told for kind, told in events if kind == name][-1]


def test_the_page_opens_with_the_first_task_that_was_named():
    named = "deliberation.tasks.grids.gridworld:Gridworld", "deliberation.tasks.grids.none:None"
    with TestClient(make_app(Settings(tasks=named)), base_url=HERE) as client:
        assert client.get("/api/hello").json()["first"] == named[0]
        assert client.get("/api/position", params={"first": "1"}).json()["task"] == named[0]
    assert worlds.opened(Settings(), {"first": "1"}) == {"first": "1"}
    assert worlds.opened(Settings(tasks=named), {"effort": "8"}) == {"effort": "8"}


# Doors.


def test_only_this_machine_and_this_page_are_answered(client):
    assert client.get("/").status_code == 200
    for headers in (
        {"host": "evil.example"}, {"host": "127.0.0.1.evil.example:8321"}, {"host": ""},
        {"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:1"},
    ):  # fmt: skip
        answer = client.get("/api/position", headers=headers)
        assert answer.status_code in (403, 421), headers
        assert set(answer.json()) == {"error"}
    assert client.get("/api/hello", headers={"origin": HERE}).status_code == 200
    assert client.get("/api/hello", headers={"host": "localhost:8321"}).status_code == 200


def test_what_every_answer_carries(client):
    for path in ("/", "/static/app.js", "/api/hello", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    page = client.get("/").text
    assert "http://" not in page and "https://" not in page, "nothing comes from elsewhere"


def test_beyond_this_machine_a_token_is_needed():
    app = make_app(Settings(host="0.0.0.0", token=TOKEN))
    with TestClient(app, base_url="http://board.example:8321") as far:
        assert far.get("/api/hello").status_code == 401
        assert far.get("/?token=wrong", follow_redirects=False).status_code == 401
        assert far.get("/api/hello", headers={"authorization": "Bearer no"}).status_code == 401
        bearer = {"authorization": f"Bearer {TOKEN}"}
        assert far.get("/api/hello", headers=bearer).status_code == 200
        opened = far.get(f"/?token={TOKEN}", follow_redirects=False)
        assert opened.status_code == 303 and TOKEN not in opened.headers["location"]
        assert "httponly" in opened.headers["set-cookie"].lower()
        assert far.get("/api/hello").status_code == 200, "the cookie lets one in"
        evil = {"origin": "http://evil.example"}
        assert far.get("/api/hello", headers=evil).status_code == 403


def test_sizes_are_kept(client):
    assert client.post("/api/position", content=b"x" * 70_000).status_code == 413
    assert client.get("/api/position?moves=" + "3+" * 5000).status_code == 414
    assert client.put("/api/position").status_code == 405


# Fuzz.


def malformed(draw):
    """One request that is wrong for sure: (method, target, headers, body)."""
    junk = "".join(chr(draw.randrange(33, 0x2FF)) for _ in range(draw.randrange(1, 30)))
    quoted = "".join(f"%{b:02x}" for b in junk.encode())
    number = draw.choice(["-1", "1e9", "99999999999999999999", "nan", "x", "0x10", "１", "--2", ""])
    wrong = f"/api/position?seed={number or '%20'}".encode()
    kinds = [
        ("GET", f"/{quoted}x", {}, b""),
        ("GET", f"/static/..%2f{quoted}", {}, b""),
        ("GET", f"/api/{quoted}x", {}, b""),
        ("GET", f"/api/position?task={quoted}x", {}, b""),
        ("GET", f"/api/position?task=os:{draw.choice(['system', 'getcwd', 'abort'])}", {}, b""),
        ("GET", f"/api/think?task=connect_four:width={draw.randrange(129, 10**9)}", {}, b""),
        ("GET", f"/api/position?task=gridworld({quoted}", {}, b""),
        ("GET", f"/api/position?task=tic_tac_toe&moves={quoted}x", {}, b""),
        ("GET", "/api/position?task=tic_tac_toe&moves=a1+a1", {}, b""),
        ("GET", f"/api/think?task=tic_tac_toe&effort={draw.choice(['-1', '10000000', '1.5', 'q'])}",
         {}, b""),
        ("GET", f"/api/think?task=tic_tac_toe&goal={quoted}", {}, b""),
        ("GET", f"/api/think?task=tic_tac_toe&goal=misere:{quoted}", {}, b""),
        ("GET", f"/api/think?task=tic_tac_toe&goal=draw:{draw.choice(['nan', 'inf', '9', '-2'])}",
         {}, b""),
        ("GET", f"/api/position?task=tic_tac_toe&walls={draw.randrange(9)}", {}, b""),
        ("GET", f"/api/position?task=gridworld&walls={draw.randrange(100, 10**12)}", {}, b""),
        ("POST", "/api/position", {}, draw.randbytes(draw.randrange(1, 200)) + b"\xff"),
        ("POST", "/api/position", {}, b'{"moves": ["3"]}'),
        ("POST", "/api/position", {}, b"[" * draw.randrange(1, 9000)),
        ("POST", "/api/think", {"content-length": draw.choice(["x", "-5", "1" * 40])}, b"{}"),
        (draw.choice(["PUT", "DELETE", "TRACE", "PATCH", "OPTIONS", "BREW"]), "/", {}, b""),
        ("GET", "/api/hello", {"host": quoted + ".example"}, b""),
        ("GET", "/api/hello", {"origin": f"http://{quoted}"}, b""),
        ("GET", f"/api/position?moves={'3+' * draw.randrange(5000, 9000)}", {}, b""),
    ]  # fmt: skip
    method, target, headers, body = draw.choice([*kinds, ("GET", wrong.decode("latin-1"), {}, b"")])
    return method, target, headers, body


async def asked(app, method, target, headers, body):
    """The status and the text of one request, raw as it is."""
    path, _, query = target.partition("?")
    told = {"host": "127.0.0.1:8321", **headers}
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
        "method": method, "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8321), "raw_path": path.encode("latin-1"), "path": path,
        "query_string": query.encode("latin-1"),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in told.items()],
    }  # fmt: skip
    status, parts = 0, []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts).decode()


def test_ten_thousand_malformed_requests_are_refused_without_a_trace():
    app, draw = make_app(), random.Random(17)
    began, seen = time.perf_counter(), set()

    async def all_of_them():
        for _ in range(10_000):
            request = malformed(draw)
            status, text = await asked(app, *request)
            seen.add(status)
            assert 400 <= status < 500, (request, status, text[:300])
            assert "Traceback" not in text and 'File "' not in text, (request, text[:300])
            sentence = json.loads(text)["error"]
            assert sentence and len(sentence) < 1000, request

    asyncio.run(all_of_them())
    app.state.hall.close()
    assert {400, 403, 404, 405, 413, 414, 421} <= seen
    assert time.perf_counter() - began < 120


# Positions.


def test_a_link_is_a_position(client):
    told = client.get("/api/position?task=connect_four&moves=3+3+2").json()
    assert told["moves"] == ["3", "3", "2"] and told["mover"] == 1
    assert told["picture"]["cells"][5][2:4] == ["X", "X"] and told["picture"]["cells"][4][3] == "O"
    sent = client.post("/api/position", json={"task": "connect_four", "moves": "3 3 2"}).json()
    for answer in (sent, told):
        assert answer.pop("habit")  # how far the network is, which goes on in between
    assert sent == told


def test_every_offered_task_is_played_by_hand(client):
    offered = {t["name"] for kind in playable(Settings()) for t in kind["tasks"]}
    rooms = ("board", "grids", "puzzles", "cards", "hidden", "diagnostic", "control", "text")
    for name, entry in list_tasks().items():
        if name != "half_cheetah" and entry["module"].split(".")[2] in rooms:
            assert (name in offered) == make_task(name).traits.discrete, name
    for name in ("kuhn_poker", "gridworld_hidden", "tic_tac_toe", "cartpole"):
        told = client.get(f"/api/position?task={name}").json()
        assert told["legal"] and told["text"] and len(told["names"]) > max(told["legal"]), name


def test_a_task_says_itself_that_its_actions_are_continuous(monkeypatch):
    """So that adding one is adding one file: the page reads it where the task is."""
    entries = list_tasks()
    for name, entry in entries.items():
        if name not in ("half_cheetah", "backgammon"):  # making these takes long
            assert entry.get("continuous", False) == (not make_task(name).traits.discrete), name
    assert entries["half_cheetah"]["continuous"] and "continuous" not in entries["backgammon"]
    new = {**entries["cartpole"], "continuous": True}
    monkeypatch.setattr(worlds, "list_tasks", lambda: {**entries, "new": new})
    offered = {t["name"] for kind in playable(Settings()) for t in kind["tasks"]}
    assert "new" not in offered and "cartpole" in offered and "pendulum" not in offered


def test_what_is_hidden_stays_hidden():
    """Of Kuhn poker only one's own card is told, whatever the other one's."""
    told = {}
    for seed in range(40):
        game = play(Spot("kuhn_poker", seed))
        cards = tuple(np.asarray(game.state.cards))
        told.setdefault(cards[0], set()).add(game.task.render_seen(game.state))
    assert len(told) == 3 and all(len(shown) == 1 for shown in told.values())


def test_what_costs_too_much_is_refused_with_the_number(client):
    for query, number in (
        ("/api/think?task=tic_tac_toe&effort=50000000", "50,000,000"),
        ("/api/position?task=tic_tac_toe&moves=" + "a1+" * 1200, "1,200"),
    ):
        answer = client.get(query)
        assert answer.status_code == 413 and number in answer.json()["error"]


# Answers.


def test_search_network_and_exact_answer_side_by_side(hall):
    events = thought(hall, task="tic_tac_toe", moves="a1 b2 c3 a3", effort=256, strip=1)
    truth = solve(world("tic_tac_toe"))
    state = play(Spot("tic_tac_toe", moves=("a1", "b2", "c3", "a3"))).state
    values = truth.action_values(jax.tree.map(lambda x: x[None], state))[0]
    exact = last(events, "exact")
    np.testing.assert_allclose(exact["values"], values)
    assert set(exact["best"]) == set(np.flatnonzero(values == values.max()))
    search = last(events, "search")
    assert search["final"] and search["action"] in set(exact["best"])
    assert search["tree"][0][0] == search["line"][0]
    chosen = last(events, "strip")["chosen"]
    assert [at for at, _ in chosen] == [2**i for i in range(len(chosen))]
    habit = last(events, "habit")
    assert habit["ready"] and habit["weights"].sum() == pytest.approx(1, abs=1e-4)
    json.loads(as_text(dict(events)))


def test_every_move_that_keeps_a_win_is_best_and_the_end_is_so_far_away():
    """Of positions that come solved: a win in one ends the game, and winners move last."""
    positions, seen = solved_connect_four(), set()
    for row in range(0, len(positions), 25):
        state = jax.tree.map(lambda x: x[row], positions.states)  # noqa: B023
        found = _from_file(positions.task, state)
        assert found is not None and found.plies is not None
        np.testing.assert_array_equal(found.best, found.values == found.value)
        assert positions.optimal[row][found.action] and found.best[found.action]
        for action in np.flatnonzero(np.asarray(positions.task.legal(state))):
            after = positions.task.advance(state, jnp.int32(action), jax.random.key(0))
            won = bool(after.won)
            assert (found.plies[action] == 1) == won or found.values[action] == 0
            seen.add((won, float(found.values[action]), int(found.plies[action]) % 2))
    ends = {(value, odd) for _, value, odd in seen if value}
    assert ends == {(1.0, 1), (-1.0, 0)}, "who makes the last move has won"
    assert any(won for won, _, _ in seen)


def test_the_dial_is_one_search_looked_at_on_its_way(hall):
    whole = dict(last(thought(hall, task="tic_tac_toe", effort=64, strip=1), "strip")["chosen"])
    for effort in (1, 8, 64):
        alone = last(thought(hall, task="tic_tac_toe", effort=effort), "search")
        assert alone["simulations"] == effort and alone["action"] == whole[effort]


def test_the_goal_changes_search_follows_and_the_network_does_not(hall):
    moves = "a1 b2 a2 a3 c1"
    usual = thought(hall, task="tic_tac_toe", moves=moves, effort=512)
    assert not [told for name, told in usual if name == "changed"]
    events = thought(hall, task="tic_tac_toe", moves=moves, effort=512, goal="misere:1")
    names = play(Spot("tic_tac_toe")).task.action_names
    before, after = last(usual, "search")["action"], last(events, "search")["action"]
    kept, still = last(usual, "habit")["action"], last(events, "habit")["action"]
    said = last(events, "changed")["sentence"]
    assert before != after and kept == still
    assert said == (
        f"The goal changed: search followed and now chooses {names[after]}; the network did not: "
        f"it is not told the goal, and chooses {names[still]} before and after. "
        "The best answers changed, too."
    )
    exact = last(events, "exact")
    assert after in exact["best"], "what search follows is the goal"


def test_what_chance_chose_is_not_told_as_an_effect(hall):
    """A draw worth next to nothing: the same answers are best, and search takes any of those."""
    some = {"task": "tic_tac_toe", "moves": "0 8", "goal": "draw:0.02"}
    events = thought(hall, **some, effort=64)
    told = last(events, "changed")
    assert set(told["search"][0]) & set(told["search"][1]), "search varies under either goal"
    assert "now chooses" not in told["sentence"].split(";")[0]
    assert told["sentence"].endswith("The best answers are the same as before.")
    assert last(events, "search")["action"] == find_action(
        world("tic_tac_toe"), told["search"][1][0]
    )


A, B = ["a"] * 4, ["b"] * 4


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ((A, B), "search followed and now chooses b"),
        ((A, ["b", "c", "d", "e"]), "search followed and now chooses b"),
        ((A, A), "search still chooses a"),
        ((A, ["a", "b", "b", "b"]),
         "search chooses a, as it does before the change, too, in some askings"),
        ((["a", "b", "a", "c"], ["b", "d", "d", "d"]),
         "search chooses b, as it does before the change, too, in some askings"),
        ((["a", "b", "c", "d"], ["e", "a", "f", "g"]),
         "search chooses e, but at this effort its choice varies by chance"),
        ((["a", "b", "c", "d"], ["e", "f", "g", "h"]),
         "search chooses e, but at this effort its choice varies by chance"),
        (None, "nobody has answered yet"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_the_answers_say(search, said):
    assert sentence("It", search, None) == f"It: {said}."


@pytest.mark.parametrize(
    ("network", "heard", "said"),
    [
        (("c", "c"), {},
         "the network did not: it is not told the goal, and chooses c before and after"),
        (("c", "d"), {}, "the network, which is not told the goal, chose c and now chooses d"),
        (("c", "c"), {"told": True}, "the network, which is told the goal, still chooses c"),
        (("c", "d"), {"told": True, "who": "policy"},
         "the policy, which is told the goal, now chooses d"),
        (("c", "d"), {"seen": True}, "the network, which sees walls but no goal, now chooses d"),
        (("c", "c"), {"seen": True}, "the network, which sees walls but no goal, still chooses c"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_the_network_is_told(network, heard, said):
    alone = said.replace("did not:", "does not follow:")
    assert sentence("It", None, network, **heard) == f"It: {alone}."
    still = sentence("It", (A, A), network, **heard)
    assert still == f"It: search still chooses a; {alone}.", "nobody is said to have followed"
    both = sentence("It", (A, B), network, exact=({"a"}, {"a"}), **heard)
    assert both == (
        f"It: search followed and now chooses b; {said}. The best answers are the same as before."
    )


def test_a_goal_is_worth_what_its_knobs_say():
    for name in ("tic_tac_toe", "gridworld_pits", "revaluation", "frozen_lake"):
        task = make_task(name)
        game = play(Spot(name))
        action = int(np.flatnonzero(game.legal)[0])
        before = game.state
        game.play(action)
        told = [before, jnp.int32(action), game.state]
        own = np.asarray(task.objective(*told))
        np.testing.assert_allclose(objective_of(task, ())(*told), own, atol=1e-6)
        turned = objective_of(task, (("misere", 1.0),))
        np.testing.assert_allclose(turned(*told), -own, atol=1e-6)
    task = make_task("gridworld_pits")
    assert {"step", "goal", "pit"} <= {knob["name"] for knob in knobs(task)}
    game = play(Spot("gridworld_pits", moves=("up",)))
    step = objective_of(task, (("step", -0.7),))(game.states[0], jnp.int32(3), game.state)
    assert float(step[0]) == pytest.approx(-0.7)


def test_a_wall_is_put_up_and_taken_away():
    free = play(Spot("gridworld"))
    here = free.task.picture(free.state).here
    columns = len(free.task.picture(free.state).cells[0])
    cell = here[0] * columns + here[1] + 1
    walled = play(Spot("gridworld", walls=(cell,), moves=("right",)))
    assert walled.task.picture(walled.state).here == here
    went = play(Spot("gridworld", moves=("right",)))
    assert went.task.picture(went.state).here != here


def test_a_task_that_hides_something_is_searched_too(hall):
    events = thought(hall, task="kuhn_poker", effort=16)
    assert last(events, "search")["simulations"] == 16
    assert "hidden" in last(events, "exact")["refused"]


def test_a_game_that_is_over_is_not_thought_about(hall):
    events = thought(hall, task="tic_tac_toe", moves="a1 b1 a2 b2 a3")
    assert [name for name, _ in events] == ["over"]


# Many at once.


def test_closing_the_stream_stops_the_search(hall):
    async def begun_and_left():
        fields = {"task": "tic_tac_toe", "effort": "16384", "strip": "1"}
        events = think(hall, fields)
        async for name, _ in events:
            if name == "search":
                break
        before = len(asyncio.all_tasks())
        await events.aclose()
        return before, len(asyncio.all_tasks())

    before, after = asyncio.run(begun_and_left())
    assert before > 1 and after == 1, "nothing goes on for who has left"


def test_ten_visitors_do_not_disturb_one_another(hall):
    places = ["", "a1", "b2", "c3", "a1 b2", "b2 a1", "c3 b2", "a1 c3", "b2 c1", "a3 b2"]
    fields = [{"task": "tic_tac_toe", "moves": m, "effort": "1024", "strip": "1"} for m in places]
    alone = [last(thought(hall, **f), "search")["visits"] for f in fields]

    async def ask(order, number):
        events = [event async for event in think(hall, fields[number])]
        order.append(number)
        return last(events, "search")["visits"]

    async def all_at_once():
        order = []
        asking = [asyncio.create_task(ask(order, n)) for n in range(10)]
        await asyncio.sleep(0.01)
        quick = {"task": "tic_tac_toe", "moves": "b2", "effort": "1", "strip": "0"}
        events = think(hall, quick)
        async for name, _ in events:
            if name == "search":
                break
        waiting = 10 - len(order)
        await events.aclose()
        return waiting, await asyncio.gather(*asking)

    waiting, together = asyncio.run(all_at_once())
    assert waiting > 0, "a small question does not wait for ten large ones"
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_that_would_import_something_are_for_the_command_line_alone():
    with pytest.raises(RefusedError):
        from deliberation.playground.worlds import allowed

        allowed(Settings(), "my_games.nim:Nim")
    assert allowed(Settings(tasks=("my_games.nim:Nim",)), "my_games.nim:Nim")


# From the command line.


def test_a_saved_policy_is_the_habit_of_its_task(tmp_path):
    task = make_task("tic_tac_toe")
    network = MLP((3, 3, 2), 9, 8, 1, key=jax.random.key(5))
    save_network(tmp_path / "mine", network, task)
    hall = Hall(Settings(policies=(tmp_path / "mine",)))
    try:
        told = last(thought(hall, task="tic_tac_toe", effort=1), "habit")
        assert "mine" in told["about"]
        alone, _ = NetworkPolicy(task, network).decide(
            jax.tree.map(lambda x: x[None], task.init(jax.random.key(0))), key=jax.random.key(0)
        )
        np.testing.assert_allclose(told["weights"], np.asarray(alone.weights)[0], rtol=1e-5)
    finally:
        hall.close()


def test_without_the_extra_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = CliRunner().invoke(main, ["serve", "--no-open"])
    assert done.exit_code == 1 and "pip install 'deliberation[playground]'" in done.output


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StorageError, match="--port"):
            check_free(Settings(port=taken.getsockname()[1]))


def test_beyond_this_machine_the_address_holds_a_fresh_token():
    one, other = (settings_for("0.0.0.0", 8321, None, (), ()) for _ in range(2))
    assert one.token and other.token and one.token != other.token
    assert one.address == f"http://127.0.0.1:8321/?token={one.token}"
    assert settings_for("127.0.0.1", 1, None, (), ()).token is None


def test_the_network_that_comes_with_the_installation_is_read(client):
    """It plays the middle of an empty board, whoever asks."""
    habit = client.app.state.hall.habits.of("connect_four")
    end = time.monotonic() + 60
    while not habit.settled and time.monotonic() < end:
        time.sleep(0.05)
    assert habit.policy is not None and "answers of search" in habit.about
    state = play(Spot("connect_four")).state
    decision, _ = habit.policy.decide(jax.tree.map(lambda x: x[None], state), key=jax.random.key(0))
    assert int(decision.action[0]) == 3


# Policies that are named.

NAMED = """
import numpy as np
from deliberation.adapters import from_callable

def last(task):
    def predict(observation, action_masks=None):
        return np.array([np.flatnonzero(mask)[-1] for mask in action_masks])
    return from_callable(predict, task)
"""


@pytest.fixture
def named(tmp_path, monkeypatch):
    (tmp_path / "policy_of_this_test.py").write_text(NAMED)
    monkeypatch.syspath_prepend(tmp_path)
    return "policy_of_this_test:last"


def test_a_policy_by_name_answers_at_once_and_plays_a_match(named):
    app = make_app(Settings(policies=(named,), tasks=("tic_tac_toe",)))
    hall = app.state.hall
    with TestClient(app, base_url=HERE) as client:
        told = last(thought(hall, task="tic_tac_toe", effort=1), "habit")
        assert told["action"] == 8 and told["kind"] == "policy" and named in told["about"]
        offered = client.get("/api/match/systems", params={"task": "tic_tac_toe"}).json()
        saved = next(g for g in offered["groups"] if g["kind"] == "Saved")["systems"]
        assert saved == [
            {"name": f"policy:{named}", "title": named, "kind": "saved", "dial": False}
        ]
        elsewhere = client.get("/api/match/systems", params={"task": "connect_four"}).json()
        assert "Saved" not in [g["kind"] for g in elsewhere["groups"]]
        fields = {"task": "tic_tac_toe", "pairs": 1, "a": f"policy:{named}", "b": "random"}
        events = client.get("/api/match/play", params=fields).text
        assert "event: finished" in events and "event: refused" not in events
        refused = client.get("/api/match/play", params={**fields, "task": "connect_four"})
        assert refused.status_code == 404


def test_a_policy_by_name_is_for_the_tasks_that_it_answers_on(named):
    with pytest.raises(UnsuitableTaskError, match="does not tell which task"):
        Hall(Settings(policies=(named,)))
    with pytest.raises(UnsuitableTaskError, match="one player alone"):
        Hall(Settings(policies=("cross_entropy",), tasks=("tic_tac_toe",)))
    hall = Hall(Settings(policies=("q_learning",), tasks=("tic_tac_toe", "frozen_lake")))
    try:
        assert {one.task for one in hall.handed} <= {"tic_tac_toe", "frozen_lake"} and hall.handed
    finally:
        hall.close()


def test_the_command_takes_what_audit_takes(named, monkeypatch):
    asked = []
    monkeypatch.setattr("deliberation.playground.serving.serve", lambda *a, **k: asked.append(a))
    done = CliRunner().invoke(main, ["serve", "tic_tac_toe", "--policy", named, "--trust"])
    assert done.exit_code == 0, done.output
    assert asked[0][0].policies == (named,) and asked[0][0].trust
    early = CliRunner().invoke(main, ["serve", "--runs", "no_such_folder"])
    assert early.exit_code == 0 and "There is no folder no_such_folder yet" in early.output
    wrong = CliRunner().invoke(main, ["serve", "--policy", "no_such_policy"])
    assert wrong.exit_code != 0 and "There is no decider named 'no_such_policy'" in wrong.output


def test_who_is_told_the_goal_is_said_to_be_and_is_asked_both_times(monkeypatch):
    """A search as what answers at once: it hears the goal, and the sentence is the other one."""
    wanted = []

    def said(habit, asked):
        wanted.append(float(asked.game.objective.weight))
        return said_by(habit, asked)

    monkeypatch.setattr(thinking, "said_by", said)
    hall = Hall(Settings(policies=("uct:512",), tasks=("tic_tac_toe",)))
    try:
        moves = "a1 b2 a2 a3 c1"
        some = thought(hall, task="tic_tac_toe", moves=moves, effort=512, goal="misere:1")
        told = last(some, "changed")
        before, after = told["network"]
        assert before != after and set(wanted) == {1.0, -1.0}
        assert f"; the policy, which is told the goal, now chooses {after}." in told["sentence"]
        assert "not told" not in told["sentence"]
    finally:
        hall.close()


def test_what_the_page_opens_with_is_compiled_beforehand_and_no_other_task():
    hall = Hall(Settings(tasks=("tic_tac_toe",)))
    hall.notes["warm"] = "compiling"
    warm(hall)
    assert ("board", "tic_tac_toe") in hall._warm and not hall.notes
    assert not [form for form in hall._warm if "connect_four" in map(str, form)]
    hall.close()
