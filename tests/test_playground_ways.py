"""The moves to a state that an audit cites, of games that had another key than the board's."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

pytest.importorskip("starlette")

from playground_runs import make_audit
from starlette.testclient import TestClient

from deliberation import make_task
from deliberation.core.objective import Objective
from deliberation.core.task import Traits
from deliberation.core.witness.codes import encode
from deliberation.playground.app import make_app
from deliberation.playground.folder import ways
from deliberation.playground.folder.ways import way_to
from deliberation.playground.settings import Settings
from deliberation.runs.announced import ANNOUNCED
from deliberation.tasks.bases import SoloTask
from deliberation.tasks.moves import Game

HERE = "http://127.0.0.1:8321"


class Keyed(eqx.Module):
    """A place, and the key that its game began with."""

    at: jax.Array
    key: jax.Array


class Arriving(Objective):
    """1 for the right end."""

    def __call__(self, state, action, after):
        """Paid once."""
        return jnp.float32(after.at == 4)[None]


class Corridor(SoloTask):
    """Left or right in a corridor; where `bound` the key says what the last cell is worth."""

    bound: bool = False

    @property
    def traits(self):
        """One player, no chance once it has begun."""
        return Traits(1, 2, 9, True)

    @property
    def objective(self):
        """To arrive."""
        return Arriving()

    def init(self, key):
        """At the left end."""
        return Keyed(jnp.int32(0), key)

    def advance(self, state, action, key):
        """A step."""
        return Keyed(jnp.clip(state.at + 2 * action - 1, 0, 4), state.key)

    def terminated(self, state):
        """At the right end."""
        return state.at == 4

    def observe(self, state):
        """The place, and the key where it matters."""
        seen = jax.random.uniform(state.key) if self.bound else 0.0
        return jnp.stack([state.at.astype(jnp.float32), jnp.float32(seen)])


def came_to(task, moves, seed):
    """The state that the moves lead to in a game whose keys are not the board's."""
    keys = jax.random.split(jax.random.key(seed), len(moves) + 1)
    state = task.init(keys[0])
    for key, move in zip(keys[1:], moves, strict=True):
        state = task.advance(state, jnp.int32(move), key)
    return state


def test_the_key_of_a_game_without_chance_keeps_no_state_from_the_board():
    pytest.importorskip("gymnasium")
    for task, moves in (
        (make_task("gym:FrozenLake-v1?is_slippery=false"), [1, 1]),
        (make_task("gym:FrozenLake-v1?is_slippery=false"), []),
        (Corridor(), [1, 1, 0]),
    ):
        assert len(ways._first_states(task).states) == 1
        state = came_to(task, moves, 977)
        way = way_to(task, state, encode(state))
        assert way is not None and way["seed"] == 0
        game = Game(task, seed=0)
        game.play_all(way["moves"])
        assert jnp.array_equal(task.observe(game.state), task.observe(state))


def test_a_key_that_the_game_depends_on_is_compared():
    pytest.importorskip("gymnasium")
    for task in (make_task("gym:FrozenLake-v1"), Corridor(bound=True)):
        assert len(ways._first_states(task).states) == ways.SEEDS
        state = came_to(task, [1], 977)
        assert way_to(task, state, encode(state)) is None


def test_worlds_of_one_description_have_ways_of_their_own():
    pytest.importorskip("gymnasium")
    names = (f"gym:FrozenLake-v1?is_slippery=false{more}" for more in ("", "&map_name=8x8"))
    sure, wide = map(make_task, names)
    assert repr(sure) == repr(wide) and ways._named(sure) != ways._named(wide)


def record_of(root, told, state, task, **more):
    """What the page is told of an audit whose folder says so of its task, and cites the state."""
    folder = make_audit(root / "audit")
    kept = json.loads((folder / "audit.json").read_text())
    one = kept["answers"][0]["cited"][0]
    cited = {**one, "state": encode(state), "drawn": task.render(state), **more}
    kept["answers"][0]["cited"] = [cited]
    (folder / "audit.json").write_text(json.dumps(kept))
    asked = {"subject": "x", "task": told, "effort": "smoke", "probes": ["effort"]}
    (folder / ANNOUNCED).write_text(json.dumps(asked))
    with TestClient(make_app(Settings(runs=root)), base_url=HERE) as client:
        answer = client.get("/api/runs/record", params={"run": "audit", "record": "effort"})
        assert answer.status_code == 200, answer.text
        return answer.json()["cited"][0], answer.json()["leads"]


def test_an_audit_from_python_leads_to_the_world_of_that_description(tmp_path):
    task = make_task("connect_3_4x4")
    state = came_to(task, [2, 1], 977)
    one, said = record_of(tmp_path, repr(task), state, task, discount=0.97)
    assert one["spot"]["task"] == "connect_3_4x4" and len(one["spot"]["moves"]) == 2
    assert repr(task) in said and "connect_3_4x4" in said
    assert one["unit"] == "of return, discounted by 0.97 a move"


def test_an_audit_from_python_of_a_world_without_a_name_says_what_to_do(tmp_path):
    task = make_task("mnk(height=3, width=4, k=3)")
    one, said = record_of(tmp_path, repr(task), came_to(task, [2], 1), task)
    assert one["spot"] is None and "--world" in said and repr(task) in said


def test_a_world_that_is_not_served_is_named(tmp_path):
    task = make_task("tic_tac_toe")
    one, said = record_of(tmp_path, "my_games.nim:Nim", came_to(task, [2], 1), task)
    assert one["spot"] is None and "my_games.nim:Nim, which is not served here" in said


def test_a_state_without_a_link_is_told_of(tmp_path):
    task = make_task("tic_tac_toe")
    one, said = record_of(tmp_path, "hex_3x3", came_to(task, [2], 1), task)
    assert (
        one["spot"] is None and "No moves to these states were found in a game of hex_3x3" in said
    )
