"""Playing in the terminal, with moves piped in: winning, leaving, taking back and keeping."""

import json

import pytest
from click.testing import CliRunner
from sitting import First, examples, first

from deliberation.cli import main
from deliberation.cli._rounds import Rounds
from deliberation.cli.play import play as play_command
from deliberation.tasks.moves import Game
from deliberation.zoo import naming

AGAINST = ["--against", "sitting:First"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Hints come from a decider that needs no compiling."""
    monkeypatch.setattr(naming, "usual_search", First)


def play(task, *arguments, moves=""):
    done = CliRunner().invoke(main, ["play", task, *arguments], input=moves)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done


def test_a_game_is_won_and_an_illegal_move_refused_on_the_way():
    done = play("tic_tac_toe", *AGAINST, moves="4\n0\nnowhere\n2\na1\n")
    assert done.exit_code == 0, done.output
    assert "0 is no legal move here. Legal: b3, c3, a2" in done.stdout
    assert "nowhere is no legal move here." in done.stdout
    assert "player 1 (O) plays a3" in done.stdout
    assert "player 0 (X) (you) wins: +1.00" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_end_of_input_and_quit_leave_politely_and_ctrl_c_tells(monkeypatch):
    for moves in ("4\n", "4\nquit\n", ""):
        done = play("tic_tac_toe", *AGAINST, moves=moves)
        assert done.exit_code == 0
        assert done.stdout.endswith("The game was left before its end.\n")

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Rounds, "_read", interrupted)
    done = play("tic_tac_toe", *AGAINST)
    assert done.exit_code == 130 and "Interrupted." in done.stdout


def test_hints_thoughts_and_taking_back():
    done = play("tic_tac_toe", *AGAINST, "--think", moves="undo\n?\n4\nundo\n8\n")
    assert "There is nothing of yours to take back." in done.stdout
    assert "A search would play a3." in done.stdout
    assert "7 visits  value +0.50" in done.stdout
    # Taken back: the board is empty again, and only the new move stands.
    assert done.stdout.count("Moves: a3 b3 c3 a2 b2 c2 a1 b1 c1") == 2
    assert done.stdout.rstrip().splitlines()[-2] == "Moves: b3 c3 a2 b2 c2 a1 b1"


def test_a_game_is_kept_and_replayed(tmp_path):
    path = tmp_path / "game.json"
    play("tic_tac_toe", *AGAINST, "--save", str(path), "--seed", "5", moves="4\n2\n")
    told = json.loads(path.read_text("utf-8"))
    assert told["moves"] == ["b2", "a3", "c3", "b3"] and told["seed"] == 5
    assert told["seats"] == ["person", "sitting:First"] and not told["over"]
    again = play("tic_tac_toe", *AGAINST, "--replay", str(path), "--save", str(path), moves="a1\n")
    assert "(you) wins" in again.stdout
    assert json.loads(path.read_text("utf-8"))["returns"] == [1.0, -1.0]
    for arguments, reason in (
        (["connect_four", "--replay", str(path)], "is a game of tic_tac_toe"),
        (["tic_tac_toe", "--replay", str(tmp_path / "none.json")], "cannot be read"),
        (["tic_tac_toe", "--save", str(tmp_path)], "is a folder"),
    ):
        refused = play(*arguments)
        assert refused.exit_code == 2 and reason in refused.stderr
    path.write_text("mine")
    assert "would be lost" in play("tic_tac_toe", "--save", str(path)).stderr
    assert path.read_text() == "mine"


def test_deciders_are_watched_in_their_own_seats():
    done = play("tic_tac_toe", "--watch", "sitting:First", "sitting:First", "--think")
    assert done.exit_code == 0
    assert "player 0 (X) (sitting:First) wins: +1.00" in done.stdout
    assert play("tic_tac_toe", "--watch", "uct", "uct", "uct").exit_code == 2
    assert "--watch" in play("tic_tac_toe", "uct").stderr


@pytest.mark.parametrize("seed", range(4))
def test_what_is_hidden_is_not_printed_before_the_end(seed):
    cards = ["JQK"[int(c)] for c in cards_of(seed)]
    done = play("kuhn_poker", *AGAINST, "--think", "--seed", str(seed), moves="7\n?\nbet\n")
    body = done.stdout.split("\n", 1)[1]
    before, _, after = body.partition("player 0: ")
    assert f"player 0 holds {cards[0]}" in before
    assert f"holds {cards[1]}" not in before and "player 1: " not in before
    assert "player 1 plays" not in before
    assert after.startswith(f"{cards[0]}, player 1: {cards[1]}")
    assert "7 is no legal move here. Legal: pass, bet." in before


def cards_of(seed):
    from deliberation.tasks import make_task

    return Game(make_task("kuhn_poker"), seed=seed).state.cards


def test_alone_the_result_stands_beside_the_optimum():
    done = play("gridworld:size=3", moves="down down right right".replace(" ", "\n") + "\n")
    assert done.exit_code == 0, done.output
    assert done.stdout.rstrip().endswith("Return +0.92; the best there is: +0.92")


def test_continuous_actions_are_refused_at_the_door():
    refused = play("pendulum")
    assert refused.exit_code == 2
    assert "pendulum has continuous actions" in refused.stderr


def test_the_examples_in_the_help_run(monkeypatch, tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "policy.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(naming, "named_decider", first)
    shown = list(examples(play_command))
    assert len(shown) == 7
    for arguments in shown:
        done = CliRunner().invoke(main, arguments, input="")
        assert done.exit_code == 0, (arguments, done.output, done.exception)
    assert (tmp_path / "game.json").is_file()
