"""Two systems against each other: fair pairs, honest costs, a stream that stops when left."""

import asyncio
import contextlib
import functools
import json
import math
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from deliberation.core import Decider, Decision, Ledger
from deliberation.core.errors import UnsuitableTaskError
from deliberation.core.telling import tell
from deliberation.core.uniform import UniformRandom
from deliberation.playground import matches
from deliberation.playground.app import make_app
from deliberation.playground.contest import Bout, Spent, Tally, opened, pair_seed, seatings
from deliberation.playground.hall import Hall
from deliberation.playground.kept import Kept
from deliberation.playground.settings import Settings
from deliberation.playground.worlds import world
from deliberation.stats import SampleError, anytime_mean
from deliberation.tasks import make_task
from deliberation.zoo.naming import Named, named_decider

HERE = "http://127.0.0.1:8321"


class First(Decider):
    """The first legal action; it says that it evaluated a network once, and not what that cost."""

    task: object

    def decide(self, state, memory=None, *, objective=None, budget=None, key=None):
        legal = jax.vmap(self.task.legal)(state)
        weights = jax.nn.one_hot(jnp.argmax(legal, 1), legal.shape[1])
        one = jnp.ones(len(legal), jnp.int32)
        spent = Ledger(0 * one, one, 0 * one, 0 * one, None, None)
        return Decision(jnp.argmax(legal, 1), weights, jnp.zeros(len(legal)), spent), memory


@pytest.fixture(scope="module")
def game():
    return make_task("tic_tac_toe")


@pytest.fixture(scope="module")
def sides(game):
    return {"a": Named("first", First(game), None), "b": Named("random", UniformRandom(game), None)}


def played(task, sides, seed, opening=0):
    bouts = [Bout(task, sides, seats, seed, opening) for seats in seatings(task)]
    for bout in bouts:
        while not bout.over:
            bout.step()
    return bouts


# Pairs.


def test_seats_are_swapped_from_the_same_opening(game, sides):
    one, other = played(game, sides, 3, opening=4)
    assert (one.seats, other.seats) == (("a", "b"), ("b", "a"))
    assert one.game.actions[:4] == other.game.actions[:4] == opened(game, 3, 4).actions
    assert opened(game, 4, 4).actions != opened(game, 3, 4).actions
    assert one.score("a") == -one.score("b") == one.game.returns[0]
    assert other.score("a") == other.game.returns[1]


def test_an_opening_never_ends_the_game(game):
    for seed in range(30):
        assert not opened(game, seed, 9).over


def test_a_game_goes_the_same_way_again(game, sides):
    ways = [[bout.game.actions for bout in played(game, sides, 5, 2)] for _ in range(2)]
    assert ways[0] == ways[1]
    assert ways[0] != [bout.game.actions for bout in played(game, sides, 6, 2)]


def test_alone_both_play_the_same_episode():
    world = make_task("frozen_lake")
    same = {side: Named("first", First(world), None) for side in "ab"}
    tally = Tally.of(world)
    for seed in range(3):
        one, other = played(world, same, seed)
        assert (one.seats, other.seats) == (("a",), ("b",))
        assert one.game.actions == other.game.actions
        assert np.array_equal(one.game.returns, other.game.returns)
        tally.add([one, other])
    assert tally.difference().estimate == 0 and tally.difference().low < 0 < tally.difference().high


def test_the_difference_is_the_mean_over_pairs_with_its_interval(game, sides):
    tally = Tally.of(game)
    for seed in range(12):
        tally.add(played(game, sides, seed, 2))
    scores = np.array(tally.scores)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1])
    found = tally.difference()
    assert found.estimate == pytest.approx((scores[:, 0] - scores[:, 1]).mean())
    assert -2 <= found.low < found.estimate < found.high <= 2 and found.n == 12
    assert tally.mean("a").estimate == pytest.approx(found.estimate / 2)
    alone = Tally.of(game, [(1.0, -1.0)]).difference()
    assert alone.estimate == 2 and math.isnan(alone.low)
    sure = Tally.of(game, [(1.0, -1.0)] * 5).difference()
    assert sure.low < 2 == sure.high, "five wins do not prove that there are no losses"


def test_of_equal_sides_hardly_ever_one_is_said_to_be_ahead(game):
    """Looked at after every pair: what is said live may be wrong in one match of twenty."""
    rng = np.random.default_rng(2)

    @functools.cache
    def ahead(won, drawn, pairs):
        past = [(1.0, -1.0)] * won + [(0.0, 0.0)] * drawn + [(-1.0, 1.0)] * (pairs - won - drawn)
        tally = Tally.of(game, past)
        planned = tally.planned()
        return "zero lies outside" in tally.said(), planned.low > 0 or planned.high < 0

    def ever(shares, pairs, matches, which):
        draws = rng.choice(3, (matches, pairs), p=shares)
        won, drawn = (np.cumsum(draws == k, 1) for k in (0, 1))
        looks = range(1, pairs)
        return np.mean([
            any(ahead(int(won[m, n]), int(drawn[m, n]), n + 1)[which] for n in looks)
            for m in range(matches)
        ])  # fmt: skip

    assert ever([0.5, 0, 0.5], 25, 200, 0) <= 0.05
    assert ever([0.3, 0.4, 0.3], 10, 100, 0) <= 0.05
    assert ever([0.5, 0, 0.5], 25, 200, 1) > 0.1, "the interval for a fixed number is none for that"


def test_who_is_far_ahead_is_said_to_be(game):
    assert "A is ahead" in Tally.of(game, [(1.0, -1.0)] * 12).said()
    assert "B is ahead" in Tally.of(game, [(-1.0, 1.0)] * 12).said()
    assert "Neither" in Tally.of(game, [(-1.0, 1.0), (1.0, -1.0)] * 6).said()


def test_a_confidence_sequence_is_an_interval_whatever_the_order():
    values = np.random.default_rng(0).uniform(0, 3, 60)
    found, turned = (anytime_mean(x, (-1, 4)) for x in (values, values[::-1]))
    assert (
        found.low == pytest.approx(turned.low)
        and -1 < found.low < values.mean() < found.high < 4
        and found.n == 60
    )
    # By hand: of three zeros each bet of a share b against a mean m gained b / (1 - m) or lost b.
    high, bets = anytime_mean([0, 0, 0], (0, 1)).high, (np.arange(24) + 0.5) / 24
    won = ((1 - bets + bets / (1 - high)) ** 3).mean() / 2 + ((1 - bets) ** 3).mean() / 2
    assert won == pytest.approx(20, rel=1e-4)
    for wrong in ((0, 2), (3, 3), (-np.inf, 4)):
        with pytest.raises(SampleError):
            anytime_mean(values, wrong)


def test_one_game_again_and_again_is_one_game(hall, game, monkeypatch):
    monkeypatch.setattr(matches, "_made", lambda hall, task, name, effort: first)
    first = Named("first", First(game), None)
    told = [t for n, t in events_of(hall, **{**QUICK, "opening": 0}, pairs=4) if n == "pair"]
    assert [pair["repeated"] for pair in told] == [False, True, True, True]
    last = told[-1]
    assert last["difference"]["n"] == 1 and math.isnan(last["difference"]["low"])
    assert last["said"].startswith("One game, repeated")
    some = {**QUICK, "opening": 0, "past": "0_0*3", "from": 3, "alike": last["alike"]}
    (again,) = (t for n, t in events_of(hall, **some, pairs=4) if n == "pair")
    assert again["repeated"] and again["said"] == last["said"], "also once it was paused"
    events = events_of(hall, **{**QUICK, "opening": 2}, pairs=4)
    pair, end = (next(t for n, t in events[::-1] if n == name) for name in ("pair", "finished"))
    assert not pair["repeated"] and pair["difference"]["n"] == 4 and pair["difference"]["low"] < 0
    assert end["planned"]["n"] == 4 and np.isfinite(end["planned"]["low"])


def test_costs_are_counted_and_what_is_unknown_stays_so(game, sides):
    (one, other) = played(game, sides, 1)
    spent = one.spent["a"] + other.spent["a"]
    moves = [sum(b.seats[m] == "a" for m in b.game.movers) for b in (one, other)]
    assert spent.decisions == sum(moves)
    assert spent.amounts["network_evaluations"] == spent.decisions
    assert spent.amounts["flops"] is None and spent.amounts["seconds"] > 0
    assert spent.amounts["simulations"] == 0, "who takes no step of a model makes no simulation"
    assert (spent + Spent()).as_dict() == spent.as_dict()


def test_a_board_with_stones_is_plain_text_that_any_file_can_hold(game):
    picture = game.picture(opened(game, 0, 3).state)
    marks = [mark for row in picture.cells for mark in row]
    assert sorted(filter(None, marks)) == ["O", "X", "X"]
    assert {type(mark) for mark in marks} == {str}


# The stream.


def events_of(hall, **fields):
    async def gather():
        told = {name: str(value) for name, value in fields.items()}
        return [event async for event in matches.play(hall, told)]

    return asyncio.run(gather())


@pytest.fixture(scope="module")
def hall():
    made = Hall(Settings())
    yield made
    made.close()


QUICK = {"task": "tic_tac_toe", "a": "search", "b": "random", "a_effort": 16, "seed": 7}


@pytest.fixture(scope="module")
def whole(hall):
    return events_of(hall, **QUICK, pairs=6)


def test_a_match_is_told_move_by_move_and_pair_by_pair(whole):
    names = [name for name, _ in whole]
    assert names[0] == "begins" and names[-1] == "finished" and names.count("pair") == 6
    boards = [told for name, told in whole if name == "board"]
    assert boards[0]["picture"]["cells"] and sum(b["over"] for b in boards) == 12
    pair = [told for name, told in whole if name == "pair"][-1]
    assert pair["difference"]["estimate"] > 0.5 and pair["difference"]["n"] == 6
    a = pair["spent"]["a"]
    assert a["simulations"] <= 16 * a["decisions"] and a["model_steps"] > 0
    assert pair["spent"]["b"]["simulations"] == 0
    json.dumps(boards[0]["picture"])


def test_a_match_that_was_paused_goes_on_as_if_it_had_not_been(hall, whole):
    pairs = [told for name, told in whole if name == "pair"]
    past = ",".join(f"{a}_{b}*1" for a, b in (pair["scores"] for pair in pairs[:4]))
    again = events_of(hall, **QUICK, pairs=6, past=past, **{"from": 4})
    rest = [told for name, told in again if name == "pair"]
    assert [pair["pair"] for pair in rest] == [4, 5]
    for one, other in zip(rest, pairs[4:], strict=True):
        for name in ("scores", "difference", "a", "b", "games", "said"):
            assert str(one[name]) == str(other[name])


def test_matches_of_neighbouring_seeds_share_no_pair(hall, whole):
    """The same systems in the same order of pairs, so that only chance can tell games apart."""
    other = events_of(hall, **{**QUICK, "seed": QUICK["seed"] + 1}, pairs=6)

    def texts(events):
        boards = [told for name, told in events if name == "board"]
        return [tuple(b["text"] for b in boards if b["pair"] == k and b["over"]) for k in range(6)]

    assert not set(texts(whole)) & set(texts(other))
    seeds = [pair_seed(seed, pair) for seed in range(4) for pair in range(50)]
    assert len(set(seeds)) == 200


def test_nothing_more_is_played_once_nobody_listens(hall, monkeypatch):
    steps, step = [], Bout.step
    monkeypatch.setattr(Bout, "step", lambda self: steps.append(0) or step(self))

    async def leave():
        events = matches.play(hall, {k: str(v) for k, v in QUICK.items()} | {"pairs": "500"})
        async for name, _ in events:
            if name == "pair":
                break
        await events.aclose()
        seen = len(steps)
        await asyncio.sleep(0.3)
        return seen

    seen = asyncio.run(leave())
    assert len(steps) == seen < 60


# Refusals.


@pytest.fixture(scope="module")
def client():
    with TestClient(make_app(), base_url=HERE) as made:
        yield made


def test_what_costs_too_much_is_refused_with_the_number(client):
    for fields, number in (
        ({"pairs": 1000, "a_effort": 65536, "b_effort": 65536}, "1,179,648,000"),
        ({"pairs": 10_000_000}, "20,000,000"),
    ):
        answer = client.get("/api/match/play", params={**QUICK, "b": "search", **fields})
        assert answer.status_code == 413 and number in answer.json()["error"], answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"a": "os:system"}, {"a": "sb3:evil.zip"}, {"a": "/etc"}, {"a": "policy:../x"}, {"a": ""},
        {"a": "uci:rm"}, {"a_effort": "0"}, {"a_effort": "many"}, {"pairs": "0"}, {"seed": "-1"},
        {"opening": "99"}, {"task": "os:path"}, {"task": "pendulum"}, {"task": "nothing"},
        {"past": "1_1*3"}, {"past": "x"}, {"from": "3", "past": "nan_1*3"},
        {"from": "3", "past": "1_1*99999999"}, {"from": "2", "past": "1_1"}, {"from": "999"},
        {"alike": "<b>"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_a_sentence(client, fields):
    answer = client.get("/api/match/play", params={**QUICK, "pairs": 3, **fields})
    assert 400 <= answer.status_code < 500 and answer.json()["error"], answer.text


def test_who_can_be_seated_depends_on_the_task(client):
    told = client.get("/api/match/systems", params={"task": "tic_tac_toe"}).json()
    groups = {group["kind"]: [s["name"] for s in group["systems"]] for group in told["groups"]}
    assert told["players"] == 2 and told["openings"]
    assert {"search", "habit", "random"} == set(groups["Always there"])
    assert "uct" in groups["Meant for this task"]
    alone = client.get("/api/match/systems", params={"task": "frozen_lake"}).json()
    assert alone["players"] == 1 and not alone["openings"]


def test_saved_policies_of_the_folder_are_offered_by_name_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "policy.json").write_text("{}")
    with TestClient(make_app(Settings(runs=tmp_path)), base_url=HERE) as client:
        (tmp_path / "circle").symlink_to(tmp_path / "circle")
        told = client.get("/api/match/systems", params={"task": "tic_tac_toe"}).json()
        saved = [g for g in told["groups"] if g["kind"] == "Saved"]
        assert [s["name"] for s in saved[0]["systems"]] == ["policy:mine"]
        fields = {**QUICK, "pairs": 1, "a": "policy:mine"}
        events = client.get("/api/match/play", params=fields).text
        assert "event: refused" in events and str(tmp_path) not in events


def test_what_a_system_refuses_is_said(hall):
    with pytest.raises(UnsuitableTaskError, match="one player alone"):
        events_of(hall, **{**QUICK, "a": "cross_entropy"}, pairs=1)


# A training that is stopped.


def trained_until(hall, monkeypatch, askers, leavers, updates=400):
    """How many updates a training makes for so many askers, some of whom leave at the third."""
    made = []

    def make(hall, task, name):
        for update in range(updates):
            made.append(update)
            time.sleep(0.005)
            tell(update / updates)
        return named_decider(world(task), "search", jax.random.key(0))

    monkeypatch.setattr(matches, "_make", make)
    monkeypatch.setattr(matches, "_MADE", Kept(4))
    monkeypatch.setattr(matches, "_GLANCE", 0.01)

    async def follow(leaves):
        told = matches._Making(hall, "tic_tac_toe", "ppo", 8)
        async with contextlib.aclosing(told.stages()) as stages:
            async for stage in stages:
                if leaves and "%" in stage:
                    return None
        return told.made

    async def together():
        found = await asyncio.gather(*(follow(n < leavers) for n in range(askers)))
        seen = len(made)
        await asyncio.sleep(0.4)
        return found, seen

    found, seen = asyncio.run(together())
    return found, seen, len(made)


def test_a_match_that_is_stopped_ends_the_training_it_waits_for(hall, monkeypatch):
    _, seen, ended = trained_until(hall, monkeypatch, askers=1, leavers=1)
    assert 0 < seen < 100 and ended - seen < 20


def test_a_training_goes_on_for_whoever_still_waits(hall, monkeypatch):
    found, _, ended = trained_until(hall, monkeypatch, askers=3, leavers=2, updates=150)
    assert ended == 150 and [one is None for one in found] == [True, True, False]


def test_a_training_that_all_have_left_ends(hall, monkeypatch):
    _, seen, ended = trained_until(hall, monkeypatch, askers=3, leavers=3)
    assert 0 < seen < 150 and ended - seen < 60


def test_a_learner_of_the_zoo_is_stopped_at_an_update(hall, monkeypatch):
    """The entry itself, whose training tells how far it is: no thread works on for nobody."""
    shares = []

    def heard(self, share):
        shares.append(share)
        self.share = share
        time.sleep(0.3)  # This training is short, and is to be left in the midst of it.

    monkeypatch.setattr(matches._Making, "_heard", heard)
    monkeypatch.setattr(matches, "_MADE", Kept(4))
    monkeypatch.setattr(matches, "_GLANCE", 0.01)
    fields = {"task": "tic_tac_toe", "a": "reinforce", "b": "random", "pairs": "1"}

    async def leave():
        events = matches.play(hall, fields)
        async for name, told in events:
            if name == "making" and "%" in told.get("stage", ""):
                break
        await events.aclose()
        seen = len(shares)
        await asyncio.sleep(1.0)
        return seen

    seen = asyncio.run(asyncio.wait_for(leave(), 120))
    assert seen > 0 and len(shares) <= seen + 1 and max(shares) < 1
    assert not any(job.left for job in hall._school._running)
