"""What strangers, other programs, odd folders and people in a hurry do to the playground."""

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import weakref

import pytest

pytest.importorskip("starlette")

import uvicorn
from playground_runs import make_zoo
from starlette.testclient import TestClient

from deliberation.amortised.files import load_network
from deliberation.core.errors import OutputFolderError, PolicyFileError
from deliberation.playground import asking, connections, habits, limits, pool, thinking, turns
from deliberation.playground.app import make_app
from deliberation.playground.asking import answering, number
from deliberation.playground.doors import refusal
from deliberation.playground.habits import Habits
from deliberation.playground.hall import GROWN, Hall
from deliberation.playground.kept import Kept
from deliberation.playground.pool import Pool, Room
from deliberation.playground.searching import Growing
from deliberation.playground.settings import RefusedError, Settings
from deliberation.playground.thinking import think
from deliberation.playground.worlds import Spot, play
from deliberation.runs import memory, read_manifest

HERE = "http://127.0.0.1:8321"
TOKEN = "a-token-of-this-test"
STREAMS = ("/api/think", "/api/match/play", "/api/runs/watch")


@pytest.fixture(scope="module")
def client():
    with TestClient(make_app(), base_url=HERE) as made:
        yield made


@pytest.fixture
def hall():
    made = Hall(Settings())
    yield made
    made.close()


def until(true, seconds=20.0):
    """Wait for something that other threads bring about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def test_compiled_programs_are_let_go_once_they_are_many(monkeypatch):
    forgotten, held = [], [0]
    monkeypatch.setattr(memory, "resident", lambda: held[0])
    monkeypatch.setattr(memory, "forget_programs", lambda: forgotten.append(held[0]))
    hall = Hall(Settings())

    async def ask(gone, grown):
        held[0] += grown
        await hall.warmly("form", int)
        await asyncio.to_thread(until, lambda: not hall._forgetting.locked() and gone())

    asyncio.run(ask(lambda: "form" in hall._warm and not forgotten, GROWN))
    asyncio.run(ask(lambda: forgotten == [GROWN + 1] and not hall._warm, 1))
    asyncio.run(ask(lambda: "form" in hall._warm and len(forgotten) == 1, GROWN))
    hall.close()


# Numbers.


@pytest.mark.parametrize(
    "text", ["0" * 25 + "9" * 40, "0" * 5000, "0" * 16 + "100000000", "-0" * 2]
)
def test_a_number_is_read_whole_or_not_at_all(text):
    with pytest.raises(RefusedError, match="whole number"):
        number({"pairs": text}, "pairs", 50, 1, 1000)


@pytest.mark.parametrize(
    "query",
    [
        "position?seed=" + "0" * 25 + "9" * 40, "position?seed=" + "0" * 5000,
        "position?task=gridworld&walls=000000000999999",
        "position?task=gridworld&walls=" + "9" * 5000,
        f"match/play?a=random&b=habit&past=1_0*2000&from=2000&pairs={'0' * 16}100000000",
        "match/play?a=random&b=random&pairs=3&from=3&past=1_0*3000000",
    ],
)  # fmt: skip
def test_leading_zeros_get_past_no_limit(client, query):
    answer = client.get(f"/api/{query}")
    assert 400 <= answer.status_code < 500 and answer.json()["error"], answer.text


def test_a_match_without_a_dial_has_an_end_too(client, monkeypatch):
    monkeypatch.setattr(limits, "PLAYED", 100)
    query = "/api/match/play?task=tic_tac_toe&a=random&b=random&pairs=1000"
    answer = client.get(query)
    assert answer.status_code == 413 and "9,000 moves" in answer.json()["error"], answer.text


# The end of the server.


@pytest.fixture
def listening(monkeypatch):
    """A server of nothing much, for four at a time, which waits a second for a request."""
    monkeypatch.setattr(connections, "MOST", 4)
    monkeypatch.setattr(connections, "PATIENCE", 1.0)

    async def app(scope, receive, send):
        await refusal("It is answered.", 418)(scope, receive, send)

    config = uvicorn.Config(app, port=0, http=connections.Patient, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join(20)


def _asking(place, said=b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"):
    """What a new connection is told that sends this; nothing where it is closed."""
    with socket.create_connection(place, timeout=20) as made:
        made.sendall(said)
        told = b""
        with contextlib.suppress(ConnectionError):
            while not told.endswith(b"}") and (part := made.recv(4096)):
                told += part
        return told


def test_who_says_nothing_keeps_nobody_out(listening):
    silent = [socket.create_connection(listening, timeout=20) for _ in range(8)]
    assert b"418" in _asking(listening), "who is silent makes room"
    for one in silent:
        with one, contextlib.suppress(ConnectionError):
            assert one.recv(1) == b"", "and is sent away"
    began = time.monotonic()
    assert _asking(listening, b"GET / HTTP/1.1\r\nx: ") == b"", "as is who does not come to an end"
    assert 0.8 < time.monotonic() - began < 15


def test_where_all_are_answered_the_next_is_told_so(listening):
    begun = b"GET / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\n"
    held = [socket.create_connection(listening, timeout=20) for _ in range(4)]
    for one in held:
        one.sendall(begun)
        assert one.recv(100)
    told = _asking(listening)
    assert b" 503 " in told and b'{"error":"Too many connections' in told
    for one in held:
        one.close()
    until(lambda: b"418" in _asking(listening))


SERVER = """
import sys, time
from deliberation.playground import board, habits, serving
from deliberation.playground.settings import Settings
habits._trained = board._position = lambda *given: time.sleep(600)
serving.warm = lambda hall: hall.notes.clear()
serving.serve(Settings(port=int(sys.argv[1])), open_page=False)
"""


ENDS = """
import sys, threading, time
from deliberation.playground import pool

class Owner:
    closed = threading.Event()
    def close(self):
        self.closed.set()
    def work(self, said):
        self.closed.wait()  # what asks whether to go on
        time.sleep(0.5)  # and what cannot be ended
        print(said, flush=True)

owner = Owner()
pool.begin(owner, owner.work, "done", name="one")
"""


def test_what_computes_at_the_interpreters_end_is_closed_and_waited_for():
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert time.monotonic() - began < pool.LEAVE


def test_ctrl_c_ends_the_server_while_it_trains(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    asked = [sys.executable, "-c", SERVER, str(port)]
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True, env=env) as server:
        try:
            stream = _opened(f"http://127.0.0.1:{port}/api/think?task=tic_tac_toe&effort=0")
            assert stream.readline().startswith(b"event: habit")
            position = socket.create_connection(("127.0.0.1", port))
            position.sendall(b"GET /api/position HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            time.sleep(0.5)
            began = time.monotonic()
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=30)
        finally:
            server.kill()
    assert time.monotonic() - began < 15, "nobody waits for a training at the end"
    assert server.returncode == 0 and "Traceback" not in said, said
    assert b"503" in position.recv(4096)
    position.close()


def _opened(address, seconds=200):
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(address, timeout=100)
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_whoever_waits_is_told_that_it_ends():
    made, going = Hall(Settings()), threading.Event()

    async def ended():
        running = asyncio.create_task(made.slow(going.wait, 10))
        await asyncio.sleep(0.05)
        made.close()
        with pytest.raises(RefusedError, match="ended"):
            await asyncio.wait_for(running, 2)
        with pytest.raises(RefusedError, match="ended"):
            await made.slice(int)

    asyncio.run(ended())
    going.set()
    with pytest.raises(RefusedError, match="ended"):
        made.habits.of("tic_tac_toe")


def test_threads_of_pools_do_not_keep_the_program():
    one, going = Pool("of this test", 1), threading.Event()

    async def begun():
        task = asyncio.create_task(one.run(going.wait, 10))
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(begun())
    threads = [t for t in threading.enumerate() if t.name == "of this test"]
    going.set()
    assert threads and all(thread.daemon for thread in threads)
    one.close()
    until(lambda: not any(thread.is_alive() for thread in threads))


def test_a_request_that_is_cancelled_is_answered_and_not_logged(caplog):
    app = make_app()
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": "GET", "scheme": "http", "root_path": "", "path": "/api/position",
        "raw_path": b"/api/position", "query_string": b"task=tic_tac_toe",
        "headers": [(b"host", b"127.0.0.1:8321")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8321),
    }  # fmt: skip
    sent, going = [], threading.Event()

    async def cancelled():
        never = asyncio.Event()

        async def receive():
            await never.wait()

        async def send(message):
            sent.append(message)

        hall = app.state.hall
        hall.warmly = lambda *given, **named: hall.slow(going.wait, 10)
        task = asyncio.create_task(app(scope, receive, send))
        await asyncio.sleep(0.1)
        task.cancel()
        await task

    asyncio.run(cancelled())
    going.set()
    app.state.hall.close()
    assert sent[0]["status"] == 503 and not sent[-1].get("more_body"), sent
    assert not caplog.records


# Room.


def test_trees_that_do_not_fit_wait_and_too_many_are_turned_away(monkeypatch):
    monkeypatch.setattr(pool, "WAITING", 1)
    room, order = Room(10), []

    async def take(name, size, then):
        async with room.taken(size):
            order.append(name)
            await then.wait()

    async def all_of_them():
        then = asyncio.Event()
        first = asyncio.create_task(take("first", 8, then))
        await asyncio.sleep(0)
        second = asyncio.create_task(take("second", 8, then))
        await asyncio.sleep(0)
        small = asyncio.create_task(take("small", 2, then))
        await asyncio.sleep(0)
        assert order == ["first", "small"]
        with pytest.raises(RefusedError) as refused:
            await take("third", 8, then)
        assert refused.value.status == 503
        then.set()
        await asyncio.gather(first, second, small)

    asyncio.run(all_of_them())
    assert order == ["first", "small", "second"] and room.used == 0


def test_who_waits_for_room_and_leaves_takes_none(monkeypatch):
    room = Room(10)

    async def left():
        async with room.taken(10):
            waiting = asyncio.create_task(room._turn(5))
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            monkeypatch.setattr(pool, "PATIENCE", 0.01)
            with pytest.raises(RefusedError, match="again"):
                await room._turn(5)
        async with room.taken(10):
            assert room.used == 10

    asyncio.run(left())
    assert room.used == 0


def test_streams_hold_no_more_trees_than_there_is_room_for(hall, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 600.0)
    game = play(Spot("tic_tac_toe"))
    size = Growing(game.task, game.objective, game.state, 4096, 0).bytes
    assert size > 100_000
    hall.trees = Room(2 * size)
    most, made = 0, weakref.WeakSet()

    class Counted(Growing):
        """Known as long as it is held. Asking the collector for it would disturb other threads."""

        def __init__(self, *given):
            super().__init__(*given)
            made.add(self)

    monkeypatch.setattr(thinking, "Growing", Counted)

    async def looked(seed):
        nonlocal most
        fields = {"task": "tic_tac_toe", "effort": "4096", "strip": "0", "seed": str(seed)}
        events = think(hall, fields)
        async for name, told in events:
            most = max(most, sum(one.outcome is not None for one in made))
            if name == "search" and told["final"]:
                break
        await events.aclose()

    async def six():
        await asyncio.gather(*(looked(seed) for seed in range(6)))

    gc.collect()
    asyncio.run(six())
    assert 1 <= most <= 2 and hall.trees.used == 0


# Odd runs.


ODD = {
    "claims": b'{"manifest":{"claims":5,"tasks":["tic_tac_toe"],"effort":"smoke"},"schema":2}',
    "tasks": b'{"manifest":{"zoo":["uct"],"tasks":5,"effort":"smoke"},"schema":2}',
    "manifest": b'{"manifest":5,"schema":2}',
    "deep": b"[" * 100_000,
    "deeper": b'{"schema":2,"manifest":{"zoo":' + b"[" * 900 + b"]" * 900 + b"}}",
    "bytes": b'{"schema":2,"manifest":{"effort":"\xff"}}',
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    make_zoo(folder / "good")
    for name, content in ODD.items():
        (folder / name).mkdir()
        (folder / name / "run.json").write_bytes(content)
    with TestClient(make_app(Settings(runs=folder)), base_url=HERE) as made:
        yield made


def test_an_odd_run_spoils_its_own_line_alone(odd):
    answer = odd.get("/api/runs")
    assert answer.status_code == 200, answer.text
    runs = {run["name"]: run for run in answer.json()["runs"]}
    assert set(runs) == {"good", *ODD} and not runs["good"]["trouble"]
    for name in ODD:
        assert runs[name]["state"] == "broken" and runs[name]["trouble"], runs[name]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("path", ["one", "figure", "records", "compared"])
def test_an_odd_run_that_is_opened_is_no_error_of_the_server(odd, name, path):
    answer = odd.get(f"/api/runs/{path}", params={"run": name, "with": "good"})
    assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize("name", ["deep", "bytes"])
def test_a_manifest_that_is_no_json_is_said_to_be_unreadable(tmp_path, name):
    (tmp_path / "run.json").write_bytes(ODD[name])
    with pytest.raises(OutputFolderError, match="cannot be read"):
        read_manifest(tmp_path)


# The token.


def test_cookies_of_other_services_do_not_lock_anybody_out():
    app = make_app(Settings(host="0.0.0.0", token=TOKEN))
    with TestClient(app, base_url="http://board.example:8321") as far:
        opened = far.get(f"/?token={TOKEN}", follow_redirects=False)
        name = opened.headers["set-cookie"].partition("=")[0]
        far.cookies.clear()
        for line, status in (
            (f'foo={{"a":1}}; {name}={TOKEN}', 200), (f"{name}=older; {name}={TOKEN}", 200),
            (f"=; ;;{name}={TOKEN}; x", 200), (f"{name}=wrong", 401), (f"x{name}={TOKEN}", 401),
        ):  # fmt: skip
            assert far.get("/api/hello", headers={"cookie": line}).status_code == status, line
    other = make_app(Settings(host="0.0.0.0", port=8322, token="another"))
    with TestClient(other, base_url="http://board.example:8322") as far:
        opened = far.get("/?token=another", follow_redirects=False)
        assert opened.headers["set-cookie"].partition("=")[0] != name


# What is kept.


def test_what_could_not_be_made_leaves_nothing_behind():
    kept = Kept(2)

    def fail():
        raise ValueError

    for name in range(50):
        with pytest.raises(ValueError):
            kept.get(name, fail)
    assert not kept._making and not kept._made
    assert kept.get(1, lambda: "made") == "made"


# Work that nobody waits for.


def test_what_nobody_waits_for_is_dropped_or_stands_in_nobodys_way():
    one, going, done = Pool("school of this test", 1, spare=1, newest_first=True), [], []
    gate = threading.Event()

    def train(name, wait):
        going.append(name)
        if wait:
            gate.wait(10)
        done.append(name)

    async def closed():
        first = asyncio.create_task(one.run(train, "first", True))
        while not going:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(one.run(train, "second", False))
        await asyncio.sleep(0.05)
        assert going == ["first"]
        second.cancel()
        first.cancel()
        await asyncio.sleep(0)
        await asyncio.wait_for(one.run(train, "third", False), 5)

    asyncio.run(closed())
    assert going == ["first", "third"] and done == ["third"]
    gate.set()
    one.close()


def test_a_position_that_nobody_waits_for_is_left():
    started, left = [], []

    async def told(hall, fields):
        started.append(fields)
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            left.append(fields)
            raise

    class Request:
        method, query_params = "GET", {}

        class app:
            class state:
                hall = None

        async def receive(self):
            await asyncio.sleep(0.05)
            return {"type": "http.disconnect"}

    answer = asyncio.run(asyncio.wait_for(answering(told)(Request()), 5))
    assert answer.status_code == 499 and started and left


def test_what_is_looked_at_is_trained_first(monkeypatch):
    order, gate = [], threading.Event()

    def train(habit):
        order.append(habit.name)
        while habit.name == "first" and not gate.is_set():
            habit.go_on()
            time.sleep(0.01)
        habit.refused = "trained"

    def ready(habit):
        try:
            train(habit)
        except turns.DroppedError:
            order.append("dropped")

    monkeypatch.setattr(habits, "_get_ready", ready)
    made = Habits()
    first = made.of("first")
    until(lambda: order == ["first"])
    first.asked -= 2 * turns.PATIENCE
    made.of("left").asked -= 2 * turns.PATIENCE
    time.sleep(0.1)
    assert order == ["first"], "as long as nothing else is looked at it goes on"
    made.of("wanted")
    until(lambda: "wanted" in order)
    assert order == ["first", "dropped", "wanted"] and not first.settled
    gate.set()
    made.of("first")
    until(lambda: first.settled)
    assert "left" not in order
    made.close()


def test_a_training_ends_with_the_hall(monkeypatch):
    ended = threading.Event()

    def train(habit):
        while habit.wanted():
            time.sleep(0.01)
        ended.set()

    monkeypatch.setattr(habits, "_get_ready", train)
    made = Habits()
    made.of("some")
    time.sleep(0.05)
    assert not ended.is_set()
    made.close()
    assert ended.wait(5)


def test_what_compiles_waits_in_its_own_queue(hall):
    """While all quick threads are idle or busy, a first look never takes one of them."""
    from deliberation.playground.board import position

    queues = []
    quick, slow = hall._quick.run, hall._slow.run

    async def seen(name, run, *given, **how):
        queues.append(name)
        return await run(*given, **how)

    hall._quick.run = lambda *given, **how: seen("quick", quick, *given, **how)
    hall._slow.run = lambda *given, **how: seen("slow", slow, *given, **how)
    fields = {"task": "tic_tac_toe", "moves": "a1"}

    async def twice():
        await position(hall, {"task": "tic_tac_toe"})
        await position(hall, fields)
        await position(hall, {**fields, "moves": "a1 b2"})
        events = think(hall, {**fields, "effort": "1"})
        await anext(events)
        await events.aclose()

    asyncio.run(twice())
    assert queues[:4] == ["slow", "slow", "quick", "quick"], queues


# Doors.


def test_a_link_from_another_site_opens_the_page_and_nothing_else(client):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    assert client.get("/?task=tic_tac_toe", headers=link).status_code == 200
    assert client.get("/static/app.js", headers=link).status_code == 200
    assert client.get("/api/hello", headers=link).status_code == 403
    assert client.get("/", headers={**link, "sec-fetch-mode": "no-cors"}).status_code == 403
    assert client.get("/", headers={**link, "origin": "http://evil.example"}).status_code == 403
    assert client.post("/", headers=link).status_code == 403


def test_the_address_is_of_the_family_that_is_listened_at():
    assert Settings(host="::").address == "http://[::1]:8321/"
    assert Settings(host="0.0.0.0").address == "http://127.0.0.1:8321/"
    assert Settings(host="::1").address == "http://[::1]:8321/"


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_has_no_head(client, path):
    began = time.monotonic()
    assert client.head(path).status_code == 405
    assert time.monotonic() - began < 5


def test_half_a_character_is_refused(client):
    for body in ('{"task":"tic_tac_toe","moves":"\\ud800"}', '{"\\udfff": "x"}', '{"\\ud800": []}'):
        answer = client.post("/api/position", content=body)
        assert answer.status_code == 400 and answer.json()["error"], answer.text


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(asking, "BODY_SECONDS", 0.05)
    app, sent = make_app(), []
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": "POST", "scheme": "http", "root_path": "", "path": "/api/position",
        "raw_path": b"/api/position", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8321"), (b"content-length", b"9")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8321),
    }  # fmt: skip

    async def held():
        never = asyncio.Event()

        async def receive():
            await never.wait()

        async def send(message):
            sent.append(message)

        await asyncio.wait_for(app(scope, receive, send), 5)

    asyncio.run(held())
    app.state.hall.close()
    assert sent[0]["status"] == 408 and (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["error"]


def test_a_kept_network_that_is_damaged_is_trained_anew(tmp_path, monkeypatch):
    (tmp_path / "policy.json").write_bytes(b"[" * 100_000)
    with pytest.raises(PolicyFileError):
        load_network(tmp_path)
    monkeypatch.setattr(habits, "_folder", lambda name: tmp_path)
    quick = habits.Recipe(32, 4, 5)
    monkeypatch.setattr(habits, "QUICK", quick)
    habit = habits.Habit("tic_tac_toe")
    habits._get_ready(habit)
    assert habit.policy is not None and not habit.refused, habit.refused
