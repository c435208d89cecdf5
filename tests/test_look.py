"""What a search tells of its root, and how a position is shown."""

import time
import xml.etree.ElementTree as ET

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from sitting import First, examples, first
from tables import compile_lightly  # noqa: F401

from deliberation.cli import _progress, main
from deliberation.cli.look import look as look_command
from deliberation.core import Decider, with_line
from deliberation.core.errors import IllegalActionError
from deliberation.core.picture import as_text
from deliberation.direct import TreeSearch
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.hybrid.gates import gated
from deliberation.tasks import make_task
from deliberation.tasks.moves import Game
from deliberation.zoo import naming
from deliberation.zoo.views import View, exact_view, steps_of

KEY = jax.random.key(0)
BUDGET, DEPTH = 64, 6


def game(name, moves, **options):
    played = Game(make_task(name), **options)
    played.play_all(moves.split())
    return played


def searched(backend, prove=False):
    """Two positions of tic-tac-toe, one of them over; and the decision."""
    states = [game("tic_tac_toe", "4 0").state, game("tic_tac_toe", "0 3 1 4 2").state]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *states)
    search = TreeSearch(
        make_task("tic_tac_toe"), budget=BUDGET, capacity=BUDGET, prove=prove, line=DEPTH,
        backend=backend,
    )  # fmt: skip
    return search.decide(batch, key=KEY)[0]


@pytest.fixture(scope="module")
def decisions():
    from tables import _LIGHTLY

    from deliberation.direct.tree_search import running as stages

    with pytest.MonkeyPatch.context() as patch:
        for name, stage in _LIGHTLY.items():
            patch.setattr(stages, name, stage)
        backends = ["jax"] if why_not_native() else ["jax", "native"]
        return {backend: searched(backend) for backend in backends}


def test_visits_values_and_line_are_those_of_the_search(decisions):
    found = decisions["jax"]
    root = jax.tree.map(np.asarray, found.root)
    assert root.prior is None
    assert root.visits[0].sum() == BUDGET
    np.testing.assert_allclose(root.visits[0] / BUDGET, found.weights[0])
    # Without proofs, the value is the mean over all simulations.
    mean = (root.visits[0] * root.values[0]).sum() / BUDGET
    assert float(found.value[0]) == pytest.approx(mean, abs=1e-5)
    best = int(found.action[0])
    assert root.line[0, 0] == best == root.visits[0].argmax()
    assert not root.visits[0][[4, 0]].any() and not root.values[0][[4, 0]].any()
    # The line can be played, and ends in -1 alone.
    played = game("tic_tac_toe", "4 0")
    line = [int(a) for a in root.line[0] if a >= 0]
    assert (root.line[0][len(line) :] == -1).all() and len(line) > 1
    played.play_all(map(str, line))
    # A position that is over has nothing to tell.
    assert not root.visits[1].any() and (root.line[1] == -1).all()


def test_both_back_ends_tell_the_same(decisions):
    if len(decisions) < 2:
        pytest.skip("no compiler")
    first, second = (decisions[name].root for name in ("jax", "native"))
    assert eqx.tree_equal(first, second)


def test_no_line_is_read_off_unless_it_is_asked_for():
    class Holding(Decider):
        task: object
        planner: TreeSearch

        def decide(self, *_, **__):
            raise NotImplementedError

    search = TreeSearch(make_task("tic_tac_toe"))
    assert search.line == 0
    asked = with_line(Holding(search.task, search), 5)
    assert asked.planner.line == 5 and asked.planner.budget == search.budget
    assert search.line == 0
    plain = First(search.task)
    assert with_line(plain, 5) is plain


def test_a_gate_passes_on_what_its_planner_found_in_the_rows_that_it_asked():
    task = make_task("tic_tac_toe")
    state = jax.vmap(task.init)(jax.random.split(KEY, 3))
    own, _ = First(task).decide(state, key=KEY)
    own = eqx.tree_at(lambda d: d.root, own, None)
    planned, _ = First(task).decide(jax.tree.map(lambda x: x[:1], state), key=KEY)
    merged = gated._merged(own, planned, np.array([1]))
    assert np.asarray(merged.root.visits).sum(1).tolist() == [0, 7, 0]
    assert np.asarray(merged.root.line).tolist() == [[-1], [0], [-1]]


@pytest.mark.parametrize(
    ("moves", "best", "value"), [("0 3 1 4", [2], 1.0), ("0 3 1", [2, 4, 5, 6, 7, 8], -1.0)]
)
def test_exact_values_of_a_position(moves, best, value):
    played = game("tic_tac_toe", moves)
    found = exact_view(played.task, played.state)
    assert isinstance(found, View)
    assert found.value == value
    assert np.flatnonzero(found.values == found.value).tolist() == best
    # Whatever O does loses; blocking holds out longest.
    assert found.action == 2 and found.line[0] == 2
    assert len(steps_of(played, found.line)) == len(found.line)
    assert len(played.actions) == len(moves.split())


def test_what_cannot_be_solved_says_why():
    task = make_task("kuhn_poker")
    assert "hidden" in exact_view(task, task.init(KEY))
    task = make_task("tic_tac_toe")
    assert exact_view(task, task.init(KEY), max_states=10).startswith(
        "not solved: more than 10 states follow"
    )


def test_an_illegal_position_names_the_first_move_that_cannot_be():
    with pytest.raises(IllegalActionError, match=r"Move 3, '3': 3 is no legal move .*Legal: b3"):
        game("tic_tac_toe", "0 3 3 1")
    refused = CliRunner().invoke(main, ["look", "tic_tac_toe", "--position", "a3,c9"])
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Move 2, 'c9': c9 is no legal move here. Legal: b3, c3,")


def test_names_and_numbers_lead_to_the_same_position():
    one, other = game("tic_tac_toe", "b2 A3"), game("tic_tac_toe", "4 0")
    assert eqx.tree_equal(one.state, other.state)
    one.undo()
    one.play_all(["0"])
    assert eqx.tree_equal(one.state, other.state)
    assert naming.split_budget("uct:30") == ("uct", 30) and naming.split_budget("a.b:c") == (
        "a.b:c",
        None,
    )
    assert as_text(one.task.picture(one.state)).splitlines() == [
        "3  O  .  .", "2  .  X  .", "1  .  .  .", "   a  b  c",
    ]  # fmt: skip


def test_look_shows_the_winning_move_and_draws_it(tmp_path):
    path = tmp_path / "look.svg"
    arguments = ["look", "tic_tac_toe", "--position", "0 3 1 4", "--with", "sitting:First"]
    done = CliRunner().invoke(main, [*arguments, "--svg", str(path)])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "tic_tac_toe after a3 a2 b3 b2: player 0 (X) to move" in lines
    row = next(line for line in lines if line.startswith("c3"))
    assert row.split() == ["c3", "7", "████████", "+0.50", "+1.00"]
    assert "exact: c3, value +1.00" in lines
    root = ET.fromstring(path.read_text("utf-8"))
    said = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"c3", "c2", "a1", "b1", "c1"} <= set(said)
    assert "url(" not in path.read_text("utf-8").replace("url(#", "")


def test_a_hidden_card_is_never_shown(tmp_path):
    for seed in range(6):
        played = game("kuhn_poker", "pass", seed=seed)
        theirs = "JQK"[int(played.state.cards[0])]
        path = tmp_path / "look.svg"
        done = CliRunner().invoke(
            main,
            ["look", "kuhn_poker", "--position", "pass", "--seed", str(seed), "--with",
             "sitting:First", "--svg", str(path)],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        shown = done.stdout.partition("holds ")[2].splitlines()[0]
        assert shown == "JQK"[int(played.state.cards[1])] != theirs
        for text in (done.stdout, path.read_text("utf-8")):
            assert "player 0: " not in text and f"holds {theirs}" not in text


def test_the_examples_in_the_help_run(monkeypatch, tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "policy.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(naming, "named_decider", first)
    shown = list(examples(look_command))
    assert len(shown) == 6
    for arguments in shown:
        done = CliRunner().invoke(main, [*arguments, "--states", "0"])
        assert done.exit_code == 0, (arguments, done.output, done.exception)
    assert (tmp_path / "look.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--with", "utc"], "There is no decider named 'utc'. Did you mean 'uct'?"),
        (["--with", "uct:many"], "'many' is no budget"),
        (["--objective", "winning"], "There is no objective 'winning'"),
        (["--with", "sitting:examples"], "which is no decider"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, told):
    refused = CliRunner().invoke(main, ["look", "tic_tac_toe", *arguments])
    assert refused.exit_code == 2, refused.output
    assert told in refused.stderr and "Traceback" not in refused.output


def test_while_one_waits_it_says_whether_it_asks_or_lists_and_what_limits_nothing(monkeypatch):
    pytest.importorskip("gymnasium")

    def slow(*a, **options):
        time.sleep(0.3)
        return "not listed here"

    monkeypatch.setattr(_progress, "PATIENCE", 0.02)
    monkeypatch.setattr(_progress, "LINE_EVERY", 0.1)
    monkeypatch.setattr("deliberation.zoo.views.exact_view", slow)
    for world, unlimited in (("gym:CliffWalking-v1", True), ("gridworld:size=3", False)):
        ran = CliRunner().invoke(main, ["look", world, "--with", "random_shooting:2"])
        assert ran.exit_code == 0, ran.output
        lines = ran.stderr.splitlines()
        listing = [line for line in lines if line.startswith("Listing what follows")]
        assert listing and lines[-1] == listing[-1]
        assert ("max_episode_steps" in listing[-1]) is unlimited
