"""Engines over pipes: real ones where they are installed, and fakes that fail in every way."""

import os
import pickle
import shlex
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from engines_faked import GTP, UCI, faked

from deliberation.adapters import from_gnubg, from_gtp, from_open_spiel, from_pgx, from_uci
from deliberation.adapters.engines.backgammon import _moved, _sources, backgammon_of
from deliberation.adapters.engines.chess import PgxChess, chess_of
from deliberation.adapters.engines.crew import Asked, Crew, Position
from deliberation.adapters.engines.go import BoardGo, go_of
from deliberation.adapters.engines.gtp import Gtp
from deliberation.adapters.engines.process import found
from deliberation.adapters.engines.uci import Uci
from deliberation.adapters.open_spiel import SpielState
from deliberation.adapters.open_spiel.game import chess_move
from deliberation.adapters.pgx_worlds import PgxState
from deliberation.core import Budget, check_decider, rollout
from deliberation.core.errors import (
    BackendError,
    BudgetError,
    EngineError,
    UnknownNameError,
    UnsuitableTaskError,
)
from deliberation.core.uniform import UniformRandom
from deliberation.tasks import make_task
from deliberation.zoo.naming import named_decider

KEY = jax.random.key(0)
NOTHING = jnp.zeros(0, jnp.int32)
START = Position(("position startpos",), "w", {"e2e4": 1}, "the start")
LOOK = Asked(START, 5, None, 0)


def needs(program: str):
    path = shutil.which(program, path=os.environ["PATH"] + os.pathsep + "/usr/games")
    return pytest.mark.skipif(path is None, reason=f"{program} is not installed")


def crew(folder, mode: str, **options) -> Crew:
    limits = {"timeout": 60.0, "start_timeout": 60.0, **options}
    return Crew(tuple(faked(folder, UCI, mode)), Uci({}, fresh=True), **limits)


def gone(pid: int, within: float = 20.0) -> bool:
    """Whether a process is neither running nor waiting to be reaped."""
    last = time.monotonic() + within
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < last:
        time.sleep(0.01)
    return not os.path.exists(f"/proc/{pid}")


def test_engines_are_named_with_their_budget(tmp_path, chess):
    """As `--with` and `--against` take them."""
    command = f"uci:{shlex.join(map(str, faked(tmp_path, UCI, 'good')))}:5"
    named = named_decider(chess, command, KEY)
    assert named.budget == 5
    states = jax.vmap(chess.init)(jax.random.split(KEY, 1))
    with named.decider as engine:
        decision, _ = engine.decide(states, budget=named.budget, key=KEY)
    assert decision.spent.model_steps.tolist() == [9]
    with pytest.raises(BackendError, match="nobodys-engine"):
        named_decider(chess, "uci:nobodys-engine --quiet", KEY)
    with pytest.raises(UnsuitableTaskError):
        named_decider(make_task("tic_tac_toe"), command, KEY)
    with pytest.raises(UnknownNameError, match="uci:stockfish"):
        named_decider(chess, "uci:", KEY)


def test_a_good_engine_is_asked_and_ends(tmp_path):
    good = crew(tmp_path, "good", workers=2)
    replies = good.answers([LOOK] * 3)
    assert [(r.move, r.nodes) for r in replies] == [("e2e4", 9)] * 3
    assert replies[0].value == pytest.approx(2 / (1 + 10**1) - 1)  # four pawns behind: ten to one
    pids = good.pids()
    again = pickle.loads(pickle.dumps(good))
    assert 1 <= len(pids) <= 2 and again.pids() == []
    good.close()
    assert all(map(gone, pids)) and good.pids() == []
    assert good.answers([LOOK])[0].move == "e2e4"
    (pid,) = good.pids()
    del good
    assert gone(pid)


def test_one_that_hangs_is_killed(tmp_path):
    stuck = crew(tmp_path, "hangs")
    stuck.open()
    (pid,) = stuck.pids()
    stuck.timeout = 0.3
    with pytest.raises(EngineError, match=r"fake\.py hangs.* within 0\.3 seconds.*the start"):
        stuck.answers([LOOK])
    assert gone(pid)
    with pytest.raises(EngineError, match=r"within 0\.8 seconds"):
        stuck.answers([LOOK._replace(seconds=0.5)])


def test_one_that_says_ever_more_is_killed_too(tmp_path):
    chatty = crew(tmp_path, "chatters", timeout=0.3)
    with pytest.raises(EngineError, match="`bestmove` within"):
        chatty.answers([LOOK])
    assert chatty.pids() == []


def test_one_that_dies_is_asked_once_more(tmp_path):
    frail = crew(tmp_path, "dies once")
    assert frail.answers([LOOK])[0].move == "e2e4"
    frail.close()
    doomed = crew(tmp_path, "dies")
    with pytest.raises(EngineError, match=r"died twice(.|\n)*code 3(.|\n)*it was the hash table"):
        doomed.answers([LOOK])
    assert doomed.pids() == []


def test_one_that_floods_its_error_output_still_answers(tmp_path):
    loud = crew(tmp_path, "floods")
    assert loud.answers([LOOK])[0].move == "e2e4"
    loud.close()


def test_one_that_ignores_quit_is_killed_with_its_children(tmp_path):
    stubborn = crew(tmp_path, "stubborn")
    stubborn.open()
    child = int((tmp_path / "log").read_text().split()[1])
    (pid,) = stubborn.pids()
    assert not gone(child, 0.0)
    stubborn.close()
    assert gone(pid) and gone(child)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_no_engine_outlives_a_killed_parent(tmp_path):
    program = (
        "import sys, time; from deliberation.adapters.engines.process import Child\n"
        "print(Child(tuple(sys.argv[1:])).pid, flush=True); time.sleep(3600)"
    )
    command = [sys.executable, "-c", program, *faked(tmp_path, UCI, "stubborn")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGTERM)
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


def test_what_speaks_no_uci_is_refused_at_the_door():
    chess = from_pgx("chess")
    with pytest.raises(EngineError, match=r"cat gave no `uciok`.* within 0\.2 seconds"):
        from_uci("cat", chess, start_timeout=0.2)
    with pytest.raises(EngineError, match=r"ended before(.|\n)*exit code 1"):
        from_uci("false", chess)
    with pytest.raises(BackendError, match=r"no program 'stokfish'(.|\n)*apt install"):
        from_uci("stokfish", chess)
    with pytest.raises(ValueError, match="workers is 0"):
        from_uci("cat", chess, workers=0)
    with pytest.raises(BackendError, match="empty"):
        found("")


def test_engines_refuse_what_they_do_not_play():
    for make, name in ((from_uci, "from_pgx.'chess'"), (from_gtp, "go_9x9")):
        with pytest.raises(UnsuitableTaskError, match=name):
            make("cat", make_task("tic_tac_toe"))


def test_options_are_the_engine_s_own(tmp_path):
    chess, command = from_pgx("chess"), faked(tmp_path, UCI, "good")
    with from_uci(command, chess, options={"hash": 8, "Ponder Well": True}) as engine:
        assert "fake.py good" in repr(engine) and "simulations=1000" in repr(engine)
    told = (tmp_path / "log").read_text().splitlines()
    assert told == ["setoption name hash value 8", "setoption name Ponder Well value true"]
    for options, message in (
        ({"Hush": 1}, "no option 'Hush'. Did you mean 'hash'"),
        ({"Hash": 65}, "from 1 to 64; got 65"),
        ({"Hash": "x"}, "from 1 to 64"),
        ({"Ponder Well": 1}, "True or False"),
    ):
        with pytest.raises(EngineError, match=message):
            from_uci(command, chess, options=options)


@pytest.fixture(scope="module")
def chess():
    pytest.importorskip("pyspiel")
    return from_open_spiel("chess")


def spiel(task, moves: str):
    """OpenSpiel's own state after some moves, as its games write them."""
    state = task.game.spiel.new_initial_state()
    read = getattr(state, "parse_move_to_action", state.string_to_action)
    for move in moves.split():
        state.apply_action(read(move.replace("-", " ")))
    return state


def played(task, *games: str) -> SpielState:
    """The states after some games, made on the host."""
    out = task.game.rows(len(games))
    for row, moves in enumerate(games):
        task.game._write(out, row, spiel(task, moves))
    rows = [SpielState(*(jnp.asarray(x[row]) for x in out)) for row in range(len(games))]
    return jax.tree.map(lambda *x: jnp.stack(x), *rows)


SCHOLAR = "e2e4 e7e5 f1c4 b8c6 d1h5 g8f6"
FOOL = "f2f3 e7e5 g2g4"
LONG = (
    "e2e4 d7d5 e4e5 f7f5 e5f6 g8h6 g1f3 d5d4 c2c4 d4c3 f1e2 c3b2 e1g1 b2a1n f6e7 d8d7 e7f8q h8f8 "
    "d2d4 b8c6 c1f4 b7b6 b1c3 c8b7 h2h3 e8c8 g1h1 c8b8 h1g1 b8c8 g1h1 c8b8 h1g1"
)
"""Castling for both, two pawns taken in passing, two promotions, and a position that returns."""


def named(task, states, decision) -> list[str]:
    """The moves of a decision, one a row, as UCI writes them."""
    words = chess_of(task)
    found = []
    for row, action in enumerate(np.asarray(decision.action).tolist()):
        facts = [np.asarray(fact)[row] for fact in words.facts(states)]
        found += words.position([action], *facts).moves if action >= 0 else [""]
    return found


@needs("stockfish")
def test_stockfish_mates_in_one_for_either_side(chess):
    states = played(chess, SCHOLAR, FOOL, SCHOLAR + " h5f7")
    with from_uci("stockfish", chess, budget=200) as stockfish:
        decision, memory = stockfish.decide(states, key=KEY)
        assert named(chess, states, decision) == ["h5f7", "d8h4", ""]
        np.testing.assert_array_equal(decision.value, [1, 1, 0])
        steps = np.asarray(decision.spent.model_steps)
        assert memory is None and steps[2] == 0 and (steps[:2] > 0).all()
        assert decision.spent.network_evaluations is None and decision.spent.flops is None
        compiled = jax.jit(lambda s, k: stockfish.decide(s, key=k)[0].action)(states, KEY)
        np.testing.assert_array_equal(compiled, decision.action)
        timed, _ = stockfish.decide(states, budget=Budget(seconds=0.5), key=KEY)
        assert named(chess, states, timed) == ["h5f7", "d8h4", ""]
        quiet = played(chess, "", "d2d4", "h2h4 a7a5", FOOL)
        check_decider(stockfish, states=quiet, budget=20)
        few, many = (stockfish.decide(quiet, budget=n, key=KEY)[0] for n in (0, 2000))
        assert 0 < few.spent.total().model_steps < many.spent.total().model_steps <= 8100
        assert 0 < float(many.value[0]) < 0.5 < float(many.value[3])


@needs("stockfish")
def test_stockfish_beats_random_play(chess):
    with from_uci("stockfish", chess, budget=100, workers=2) as stockfish:
        episodes = rollout(chess, [stockfish, UniformRandom(chess)], key=KEY, batch=2)
    np.testing.assert_array_equal(episodes.returns, [[1, -1]] * 2)


def test_nonsense_is_refused_with_the_position(chess, tmp_path):
    states = played(chess, "", "a2a3")
    for mode, said in (("nonsense", "'e2e5'"), ("silent", "''"), ("good", "'e2e4'")):
        with (
            from_uci(faked(tmp_path, UCI, mode), chess) as engine,
            pytest.raises(EngineError, match=rf"{said}, which is no legal move .*/8/.* Legal: "),
        ):
            engine.decide(states, key=KEY)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no legal move"):
        jax.jit(lambda s: engine.decide(s, key=KEY)[0].action)(states)
    engine.close()


def test_pgx_chess_is_told_as_it_is(chess):
    """A game with castling, en passant and promotions by pgx's own rules, against OpenSpiel's."""
    from pgx._src.games import chess as rules

    @jax.jit
    def advance(state, action):
        after = rules._apply_move(state, rules.Action._from_label(action))
        return rules._update_history(rules._flip(after))

    state, other = rules.GameState(), spiel(chess, "")
    for ply, move in enumerate(moves := LONG.split()):
        position = moves_from(state, move)
        told, theirs = position.told.split(), str(other).split()
        assert told[:3] + told[4:] == theirs[:3] + theirs[4:]
        assert theirs[3] in ("-", told[3])  # OpenSpiel tells of it only where a pawn can take
        assert position.side == told[1]
        fen, _, since = position.setup[0].removeprefix("position fen ").partition(" moves ")
        again = chess.game.spiel.new_initial_state(fen)
        for step in since.split():
            again.apply_action(again.parse_move_to_action(step))
        assert str(again).split()[:3] == told[:3]
        assert since.split() == (moves[26:ply] if ply > 26 else since.split())
        state = advance(state, jnp.int32(position.moves[move]))
        other.apply_action(other.parse_move_to_action(move))
    assert len(since.split()) == 6


def moves_from(inner, *squares: str) -> Position:
    """pgx's position as it is told, every action from some squares taken for legal."""
    state = PgxState(SimpleNamespace(_x=inner), NOTHING, jnp.int32(0))
    words, black = PgxChess(), bool(inner.color)
    origins = {
        8 * "abcdefgh".index(s[0]) + (8 - int(s[1]) if black else int(s[1]) - 1) for s in squares
    }
    actions = [73 * origin + plane for origin in sorted(origins) for plane in range(73)]
    return words.position(actions, *map(np.asarray, words.facts(state)))


def pgx_state(spiel_state) -> PgxState:
    """A position of OpenSpiel's as a batch of one of pgx, made without compiling pgx's rules."""
    import pgx.chess
    from pgx._src.games.chess import GameState

    board, side, castling, *_ = str(spiel_state).split()
    ranks = ["".join("." * int(c) if c.isdigit() else c for c in r) for r in board.split("/")]
    files = np.array([[".PNBRQKkqrbnp".index(c) for c in rank] for rank in ranks[::-1]]).T
    files = np.where(files > 6, files - 13, files)
    rights = np.array([[c in castling for c in "QK"], [c in castling for c in "qk"]])
    if side == "b":
        files, rights = -files[:, ::-1], rights[::-1]
    flat = jnp.asarray(files.reshape(64), jnp.int32)
    x = GameState(
        color=jnp.int32(side == "b"), board=flat, castling_rights=jnp.asarray(rights),
        board_history=jnp.zeros((8, 64), jnp.int32).at[0].set(flat),
    )  # fmt: skip
    moves = [chess_move(spiel_state, action) for action in spiel_state.legal_actions()]
    labels, mask = moves_from(x, *moves).moves, np.zeros(64 * 73, bool)
    mask[[labels[move] for move in moves]] = True
    inner = pgx.chess.State(_x=x, legal_action_mask=jnp.asarray(mask)).replace(observation=None)
    one = PgxState(inner, NOTHING, jnp.int32(0))
    return jax.tree.map(lambda x: jnp.asarray(x)[None], one)


@needs("stockfish")
def test_stockfish_mates_in_one_on_pgx(chess):
    task = from_pgx("chess")
    with from_uci("stockfish", task, budget=200) as stockfish:
        for game, mate in ((SCHOLAR, "h5f7"), (FOOL, "d8h4")):
            state = pgx_state(spiel(chess, game))
            decision, _ = stockfish.decide(state, key=KEY)
            assert named(task, state, decision) == [mate]
            np.testing.assert_array_equal(decision.value, [1])


SMALL = make_task("go_9x9(size=5)")


def board(*rows: str, ply: int = 0, ko: int = -1, passes: int = 0) -> Position:
    """The position that a board is told as, black as X; every action is taken for legal."""
    stones = np.array([".XO".index(c) for c in "".join(rows)])
    stones = np.where(stones == 2, -1, stones)
    words = BoardGo(len(rows), 7.5, pgx=False)
    facts = stones, np.int32(ko), np.int32(passes), np.int32(ply)
    return words.position(list(range(stones.size + 1)), *facts)


def test_boards_of_go_are_told_stone_by_stone():
    empty = board(*["." * 9] * 9)
    assert empty.setup == ("boardsize 9", "clear_board", "komi 7.5") and empty.side == "b"
    assert empty.moves["A9"] == 0 and empty.moves["J1"] == 80 and empty.moves["PASS"] == 81
    few = board("X..", "..O", "...", ply=3, passes=1)
    assert few.setup[3:] == ("play b A3", "play w C2", "play b PASS") and few.side == "w"


def test_a_ko_is_told_by_the_stone_that_took():
    """Black has just taken at C4 with D4, and white must not retake there."""
    position = board("..XO.", ".X.XO", "..XO.", ".....", ".....", ply=9, ko=7)
    assert "ko at C4" in position.told
    assert position.setup[-1] == "play b D4" and "play w C4" in position.setup
    assert len(position.setup) == 3 + 7 + 1


def test_go_is_told_its_size_and_komi():
    assert go_of(from_pgx("go_9x9")).board == ("boardsize 9", "clear_board", "komi 7.5")
    assert go_of(make_task("go_9x9(size=7,komi=6)")).board[2] == "komi 6"
    pytest.importorskip("pyspiel")
    other = from_open_spiel("go", board_size=5, komi=0.5)
    words, states = go_of(other), played(other, "B-c3 W-e5 B-PASS")
    facts = [np.asarray(x)[0] for x in words.facts(states)]
    position = words.position(spiel(other, "B-c3 W-e5 B-PASS").legal_actions(), *facts)
    board = ("boardsize 5", "clear_board", "komi 0.5")
    assert position.setup == (*board, "play b C3", "play w E5", "play b PASS")
    assert (
        position.side == "w" and {"A1", "PASS"} < set(position.moves) and len(position.moves) == 24
    )


def go_crew(folder, mode: str, dial: str = "level") -> Crew:
    protocol = Gtp(("boardsize 5", "clear_board", "komi 7.5"), dial, fresh=True)
    return Crew(tuple(faked(folder, GTP, mode)), protocol, timeout=60.0, start_timeout=60.0)


def test_gtp_engines_are_asked(tmp_path):
    asked = Asked(Position(("play b C3",), "w", {"A1": 20, "PASS": 25}, "C3"), 7, None, 0)
    good, resigns = go_crew(tmp_path, "good"), go_crew(tmp_path, "resigns")
    (reply,) = good.answers([asked])
    assert reply.move == "A1" and reply.value == pytest.approx(np.tanh(1.0))
    told = (tmp_path / "log").read_text().splitlines()
    assert told[-4:] == ["level 7", "play b C3", "estimate_score", "genmove w"]
    assert resigns.answers([asked])[0][:2] == ("PASS", -1.0)
    for crew_, message in (
        (go_crew(tmp_path, "old"), "version '1'"),
        (go_crew(tmp_path, "noisy"), "`protocol_version` by 'welcome'"),
        (go_crew(tmp_path, "refuses"), "answered `komi 7.5` by"),
    ):
        with pytest.raises(EngineError, match=message):
            crew_.open()
    good.close()
    resigns.close()


def test_gtp_keeps_no_seconds_and_speaks_no_nonsense(tmp_path):
    with from_gtp(faked(tmp_path, GTP, "nonsense"), SMALL, start_timeout=60.0) as engine:
        state = jax.vmap(SMALL.init)(KEY[None])
        with pytest.raises(EngineError, match=r"'Z99'.*\.\.\.\.\./.* b \(X black.*Legal: A5"):
            engine.decide(state, key=KEY)
        with pytest.raises(BudgetError, match="limit of seconds"):
            engine.decide(state, budget=Budget(seconds=1.0), key=KEY)


@needs("gnugo")
def test_gnugo_plays_and_turns_its_dial():
    states = jax.vmap(SMALL.init)(jax.random.split(KEY, 2))
    with from_gtp("gnugo", SMALL, budget=0) as gnugo:
        assert "--chinese-rules" in repr(gnugo)
        decision, _ = gnugo.decide(states, key=KEY)
        np.testing.assert_array_equal(decision.action, [12, 12])  # the middle
        np.testing.assert_allclose(decision.value, np.tanh([-0.75] * 2), rtol=1e-6)  # komi alone
        assert decision.spent.model_steps is None
        again, _ = gnugo.decide(states, key=KEY)
        np.testing.assert_array_equal(again.value, decision.value)


BACKGAMMON = make_task("backgammon")
advance, can_move = (jax.jit(jax.vmap(f)) for f in (BACKGAMMON.advance, BACKGAMMON.legal))


def test_turns_of_backgammon_are_played_out_as_its_rules_say():
    """Random play: where a checker may move, what it leads to, and that turns end in some board."""
    states = [jax.vmap(BACKGAMMON.init)(KEY[None])]
    rng, words = np.random.default_rng(3), backgammon_of(BACKGAMMON)
    for ply in range(120):
        state = states[-1]
        allowed = np.flatnonzero(np.asarray(can_move(state))[0]).tolist()
        if not allowed:
            break
        position = words.position(allowed, *(np.asarray(x)[0] for x in words.facts(state)))
        told = set(position.moves.values())  # the six passes are one
        assert told == set(allowed) or (min(allowed) < 6 and len(told) == 1)
        assert {line.split()[0] for line in position.setup} <= set(position.moves)
        board, unused = tuple(np.asarray(state.board)[0].tolist()), np.asarray(state.unused)[0]
        own = {
            6 * (1 if source == 24 else source + 2) + die
            for die in set(unused[unused >= 0].tolist())
            for source in _sources(board, die)
        }
        forced = int(state.used[0]) == 0 and set(allowed) < own
        assert set(allowed) == own or forced or (not own and min(allowed) < 6)
        action = int(rng.choice(allowed))
        after = advance(state, jnp.array([action]), jax.random.split(jax.random.key(ply), 1))
        if action >= 6 and int(after.mover[0]) == int(state.mover[0]):
            place, die = divmod(action, 6)
            moved = _moved(board, 24 if place == 1 else place - 2, die)
            assert moved == tuple(np.asarray(after.board)[0].tolist())
        states.append(after)
    assert ply > 60 and {int(s.used[0]) for s in states} >= {0, 1}


def test_a_backgammon_is_worth_three():
    board = [0] * 28
    board[23], board[26], board[20], board[0] = 1, 14, -1, -14
    words = backgammon_of(BACKGAMMON)
    position = words.position([25 * 6], np.array(board), np.array([0, 3, -1, -1]))
    (line,) = position.setup
    assert line.split()[:2] == ["1/off", "3"] and position.moves == {"1/off": 150}
    assert position.told.endswith("to play 1-4")


@needs("gnubg")
def test_gnubg_plays_openings_by_the_book():
    """3-1 makes the five point and 6-1 the bar point, one checker at a time."""
    first = jax.vmap(BACKGAMMON.init)(KEY[None])
    with from_gnubg(BACKGAMMON, budget=0, start_timeout=60.0) as gnubg:
        for roll, book in (((2, 0), {"8/5", "6/5"}), ((5, 0), {"13/7", "8/7"})):
            dice, played = jnp.array([roll], jnp.int32), set()
            unused = jnp.array([[*roll, -1, -1]], jnp.int32)
            state = eqx.tree_at(lambda s: (s.dice, s.unused), first, (dice, unused))
            for _ in range(2):
                decision, _ = gnubg.decide(state, key=KEY)
                facts = [np.asarray(x)[0] for x in gnubg.words.facts(state)]
                (word,) = gnubg.words.position(decision.action.tolist(), *facts).moves
                played.add(word)
                state = advance(state, decision.action, KEY[None])
            assert played == book
        assert 0 < float(decision.value[0]) < 0.5 and "from_gnubg(gnubg" in repr(gnubg)
