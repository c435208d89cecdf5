"""Worlds on the page: tables for strangers, words for actions, options within limits."""

import importlib
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from deliberation import Objective, Task, Traits
from deliberation.adapters.words import words_for_actions
from deliberation.core.errors import DeliberationError
from deliberation.playground import limits
from deliberation.playground.app import make_app
from deliberation.playground.options import chosen, offered, options_of
from deliberation.playground.settings import RefusedError, Settings
from deliberation.playground.worlds import allowed, world
from deliberation.tasks import from_arrays, list_tasks, make_task
from deliberation.tasks.board.backgammon import Backgammon
from deliberation.tasks.moves import Game, action_name, find_action
from deliberation.tasks.seen import MOST, table_of

HERE = "http://127.0.0.1:8321"
NUMBERED = {"connect_3_4x4", "connect_4_5x4", "connect_four"}
"""Columns that stones fall into have numbers in the field, too."""
DISCRETE = [name for name, about in list_tasks().items() if not about.get("continuous")]


class Nothing(Objective):
    """Nothing is worth anything."""

    def __call__(self, state, action, after):
        return jnp.zeros(1)


class Strange(Task):
    """A stranger's task, which names nothing; `size` numbers are seen, one of them the place."""

    size: int = eqx.field(static=True, default=5)

    traits = property(lambda self: Traits(players=1, actions=3, horizon=4))
    objective = property(lambda self: Nothing())

    def init(self, key):
        return jnp.zeros(2, jnp.int32)

    def advance(self, state, action, key):
        return jnp.array([(state[0] + action) % self.size, state[1] + 1])

    def observe(self, state):
        return (jnp.arange(self.size) == state[0]).astype(jnp.float32) * (1 + state[1])

    def legal(self, state):
        return jnp.full(3, state[1] < 4)

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state[1] >= 4


def drawn_arrays(states=7, seed=0):
    """A random world of arrays."""
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.ones(states), (states, 2))
    return from_arrays(chances, rng.normal(size=(states, 2)), gamma=0.9, horizon=6)


@pytest.fixture(scope="module")
def client():
    own = tuple(f"{__name__}:{name}" for name in ("Strange", "drawn_arrays"))
    assert importlib.import_module(__name__).Strange is Strange
    settings = Settings(tasks=own)
    with TestClient(make_app(settings), base_url=HERE) as made:
        yield made


def told(client, **fields):
    answer = client.get("/api/position", params=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


# Words for actions.


@pytest.mark.parametrize("name", DISCRETE)
def test_actions_have_words_of_their_own(name):
    task = make_task(name)
    words = [action_name(task, a) for a in range(task.traits.actions)]
    assert len({word.lower() for word in words}) == len(words)
    assert not any(re.search(r"[\s,]", word) for word in words), "moves are parted by these"
    assert [find_action(task, word) for word in words] == list(range(len(words)))
    bare = {word for word in words if word.isdigit()}
    symbols = set(getattr(task, "symbols", ()))
    assert name in NUMBERED or bare <= symbols, "of text, a number may be a token"


@pytest.mark.parametrize(
    ("place", "die", "word"),
    [(2, 6, "24/18"), (1, 5, "bar/20"), (20, 6, "6/off"), (23, 5, "3/off(5)"), (0, 2, "pass(2)")],
)
def test_moves_of_backgammon_are_written_as_usual(place, die, word):
    assert Backgammon().action_names[6 * place + die - 1] == word


def test_a_move_of_backgammon_goes_where_its_name_says():
    task, seen = make_task("backgammon"), set()
    for seed in range(4):
        game, rng = Game(task, seed=seed), np.random.default_rng(seed)
        for _ in range(60):
            action = int(rng.choice(np.flatnonzero(game.legal)))
            word, before = action_name(task, action), np.asarray(game.state.board)
            again = task._moved(game.state, jnp.int32(action))[0]
            after = np.asarray(again.board)
            if word.startswith("pass"):
                assert (before == after).all()
            else:
                begin, _, end = word.partition("(")[0].partition("/")
                at = 24 if begin == "bar" else 24 - int(begin)
                to = 26 if end == "off" else 24 - int(end)
                assert after[at] == before[at] - 1 and after[to] == max(before[to], 0) + 1
                seen.add(begin == "bar")
            game.play(action)
    assert seen == {True, False}


# Tables for strangers.


@pytest.mark.parametrize("name", DISCRETE)
def test_whatever_has_no_picture_is_a_table(name):
    task = make_task(name)
    state = task.init(jax.random.key(0))
    rows = table_of(task, state)
    assert rows and all(len(row) == 2 and all(isinstance(x, str) for x in row) for row in rows)
    if task.picture(state) is None:
        assert task.table_seen(state), "what comes with the library names what is observed"
        assert not any("\n" in value for _, value in rows)


def test_a_table_shows_nothing_that_is_hidden():
    for name in ("kuhn_poker", "leduc_poker", "tiger", "cheese_maze", "blackjack"):
        task, tables = make_task(name), {}
        for seed in range(60):
            state = task.init(jax.random.key(seed))
            seen = np.asarray(task.observe(state)).tobytes()
            tables.setdefault(seen, set()).add(str(task.table_seen(state)))
        assert all(len(some) == 1 for some in tables.values()), name


@pytest.mark.parametrize(
    ("name", "words", "row"),
    [
        ("FrozenLake-v1", "left down right up", ("place", "row 1, column 1")),
        ("CliffWalking-v1", "up right down left", ("place", "row 4, column 1")),
        ("Taxi-v4", "south north east west pick-up drop-off", ("destination", "green")),
        ("Blackjack-v1", "stick hit", ("dealer's card", "5")),
        ("CartPole-v1", "left right", ("pole angle (rad)", "0.03157")),
    ],
)
def test_worlds_of_gymnasium_are_told_in_the_words_of_its_documentation(name, words, row):
    pytest.importorskip("gymnasium")
    task = make_task(f"gym:{name}")
    state = task.init(jax.random.key(0))
    assert task.action_names == tuple(words.split()) and row in task.table_seen(state)
    assert task.table_seen(state)[-1] == ("earned by the last action", "0")


def test_a_wrapper_that_changes_what_numbers_mean_takes_the_words_away():
    gymnasium = pytest.importorskip("gymnasium")

    class Turned(gymnasium.ActionWrapper):
        action_space = gymnasium.spaces.Discrete(3)

        def action(self, action):
            return int(action)

    task = make_task("gym:FrozenLake-v1")
    assert words_for_actions(task.world.env, 4) == task.action_names
    assert words_for_actions(Turned(task.world.env), 3) == ()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (f"{__name__}:Strange", ["observation", "one-hot: 0 of 5"]),
        (f"{__name__}:drawn_arrays", ["time", "0 of 6 actions taken"]),
    ],
)
def test_a_stranger_is_shown_as_a_table(client, name, row):
    shown = told(client, task=name)
    assert shown["picture"] is None and row in shown["table"]
    with_moves = told(client, task=name, moves=shown["names"][shown["legal"][0]])
    assert len(with_moves["moves"]) == 1 and with_moves["table"]


def test_numbers_without_names_are_listed_as_far_as_they_fit():
    few, many = Strange(3), Strange(400)
    state = jnp.array([1, 1], jnp.int32)
    assert table_of(few, state) == [
        ["observation 0", "0"], ["observation 1", "2"], ["observation 2", "0"],
    ]  # fmt: skip
    rows = table_of(many, state)
    assert rows == [["observation 1", "2"], ["observation, the rest", "399 zeros"]]
    assert len(table_of(Strange(MOST), state)) == MOST


# Options.


def test_every_option_of_a_task_is_listed_with_its_usual_value():
    listed = {option["name"]: option for option in options_of("gridworld_pits(size=7, slip=0.5)")}
    assert listed["size"]["value"] == 7 and listed["size"]["usual"] == 5
    assert listed["slip"] == {
        "name": "slip", "kind": "real", "usual": 0.2, "none": False, "value": 0.5,
    }  # fmt: skip
    assert listed["horizon"]["none"] and listed["layout"]["kind"] == "text"
    for name in DISCRETE:
        given = list_tasks()[name]["options"]
        known = offered(name)
        assert {n: known[n]["usual"] for n in given if n in known} == {
            n: v for n, v in given.items() if n in known
        }


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("gridworld(size=5)", "gridworld"),
        ("gridworld:size=7", "gridworld(size=7)"),
        ("gridworld(slip=1, size=7)", "gridworld(size=7, slip=1.0)"),
        ("connect_four(gravity=False)", "connect_four(gravity=False)"),
        ("gridworld(horizon=None)", "gridworld"),
        ("tiger", "tiger"),
    ],
)
def test_a_name_with_options_has_one_spelling(asked, kept):
    assert allowed(Settings(), asked) == kept


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("gridworld(size=5000)", "5,000 for size; the playground allows 128"),
        ("gridworld(size=-5000)", "5,000 for size"),
        ("mnk(width=30, height=30)", "actions; the playground allows 512"),
        ("cartpole(horizon=1000000)", "1,000,000 for horizon; the playground allows 100,000"),
        (f"gridworld(layout='{'.' * 1300}')", "letters for layout"),
        (f"gridworld(layout='{'.' * 9000}')", "letters to the name of a task"),
        ("gridworld(sise=5)", "Did you mean 'size'?"),
        ("gridworld(size='many')", "size is a whole number"),
        ("gridworld(size=[5])", "one value"),
        ("two_state_text(table=((1,),))", "no option 'table'"),
        ("gridworld(size=1.5)", "size is a whole number"),
        ("gridworld(", "cannot be read"),
        ("os:system(command='true')", "no registered task"),
    ],
)
def test_options_beyond_limits_or_reason_are_refused_by_a_sentence(asked, said):
    with pytest.raises((RefusedError, DeliberationError)) as refusal:
        world(allowed(Settings(), asked))
    assert said in str(refusal.value)


def test_a_board_of_another_size_is_played(client):
    shown = told(client, task="connect_four(height=4, width=5)", moves="4 4")
    assert shown["task"] == "connect_four(height=4, width=5)" and shown["moves"] == ["4", "4"]
    assert len(shown["picture"]["cells"]) == 4 and shown["names"] == list("01234")
    assert not shown["solved"], "what was solved beforehand is of the usual size"
    refused = client.get("/api/position", params={"task": "gridworld(size=129)"})
    assert refused.status_code == 413 and "129" in refused.json()["error"]
    systems = client.get("/api/match/systems", params={"task": shown["task"]}).json()
    assert systems["task"] == shown["task"]


def test_no_single_option_makes_a_world_that_takes_long(client):
    """At its limit each whole option is refused, or the world is there."""
    for name in ("countdown", "forks", "path_star", "text_maze", "reward_tree", "frozen_lake"):
        for option, about in offered(name).items():
            if about["kind"] == "whole":
                asked = f"{name}({option}={limits.OPTION})"
                try:
                    world(chosen(asked))
                except RefusedError as error:
                    assert error.sentence
