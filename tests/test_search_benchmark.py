"""The baselines that the search engine is measured against are what they claim to be."""

import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
import _search_report as report
import _search_timing as timing
from _search_contestants import FROM_ROOT, bare_loop, mctx_search, openings
from _search_rows import ROWS, MissingPeerError, Target

from deliberation.amortised import MLP
from deliberation.tasks import make_task

TASK = make_task("tic_tac_toe")
NETWORK = MLP((3, 3, 2), 9, width=8, depth=1, key=jax.random.key(5))
BLANK = jax.tree.map(jnp.zeros_like, NETWORK)


def position(*moves):
    """A batch of one: the state after these moves, row by row from the top."""
    state = TASK.init(jax.random.key(0))
    for move in moves:
        state = TASK.step(state, move, jax.random.key(0))
    return jax.tree.map(lambda x: jnp.asarray(x)[None], state)


def rows(*states):
    return jax.tree.map(lambda *x: jnp.concatenate(x), *states)


ONLY_MOVES = {
    (0, 3, 1, 4): 2,  # X wins
    (0, 3, 1, 4, 8): 5,  # O wins
    (0, 4, 8, 2): 6,  # X stops O
    (0, 4, 1): 2,  # O stops X
}


@pytest.mark.parametrize("rule", ["puct", "gumbel"])
def test_mctx_is_given_the_game_with_the_right_signs(rule: str) -> None:
    """With a network that knows nothing, its tree alone finds wins and stops threats."""
    state = rows(*(position(*moves) for moves in ONLY_MOVES))
    # Noise at the root could overrule even a sure win.
    options = {"gumbel_scale": 0.0} if rule == "gumbel" else {}
    search = mctx_search(TASK, rule, 150, **options)
    action, weights, tree = search(BLANK, state, jax.random.key(0))
    assert action.tolist() == list(ONLY_MOVES.values())
    legal = np.asarray(jax.vmap(TASK.legal)(state))
    assert np.allclose(np.asarray(weights)[~legal], 0)
    # Every simulation and the root: none is cut short by the end of a game.
    assert tree.node_visits[:, 0].tolist() == [151] * 4
    # Nothing counts beyond the end of a game, and elsewhere the other player's gain is a loss.
    over = jax.vmap(jax.vmap(TASK.terminated))(tree.embeddings)
    node = np.asarray(tree.children_index)
    row, parent, made = np.nonzero(node >= 0)
    ended = np.asarray(over)[row, node[row, parent, made]]
    discounts = np.asarray(tree.children_discounts)[row, parent, made]
    assert ended.any()
    assert (discounts == np.where(ended, 0.0, -1.0)).all()


RUN = bare_loop(TASK)


def walked(count: int, network: MLP = NETWORK, batch: int = 16):
    state, _ = openings(TASK, np.arange(batch) % 4)
    return state, *RUN(network, state, jax.random.key(3), jnp.int32(count))


def test_the_limit_makes_one_legal_step_a_pass_and_starts_again_at_the_root() -> None:
    advance = jax.jit(
        jax.vmap(jax.vmap(TASK.advance, (None, 0, None)), (0, None, None)),
    )
    every, key = jnp.arange(9), jax.random.key(0)
    root, _, before = walked(0)
    assert same(root, before).all()
    restarted = 0
    for count in range(1, 12):
        _, _, now = walked(count)
        after = advance(before, every, key)
        legal = np.asarray(jax.vmap(TASK.legal)(before))
        reached = np.stack([np.asarray(same(now, pick(after, a))) for a in range(9)], 1)
        on = (reached & legal).any(1)
        over = np.asarray(jax.vmap(jax.vmap(TASK.terminated))(after)) & legal
        back = np.asarray(same(now, root))
        # Either one legal step on, or at the root: after a step that ended the game, or all at
        # once after some plies.
        assert (on | back).all()
        assert (on | over.any(1) | (count % FROM_ROOT == 0)).all()
        assert back.all() == (count % FROM_ROOT == 0)
        restarted += int((back & ~on).sum())
        before = now
    assert restarted


def same(a, b):
    """Row by row, whether two batches of states are the same."""
    leaves = jax.tree.map(lambda x, y: x == y, a, b)
    return jnp.stack(jax.tree.leaves(leaves)).all(0)


def pick(states, action: int):
    return jax.tree.map(lambda x: x[:, action], states)


@pytest.mark.parametrize(
    "where", [lambda n: n.policy.b, lambda n: n.value.b, lambda n: n.hidden[0].b]
)
def test_the_limit_depends_on_all_that_the_network_says(where) -> None:
    """A pass whose answer is not used could be left out by the compiler."""
    network = eqx.tree_at(where, NETWORK, replace_fn=lambda x: x + jnp.arange(x.size) + 0.5)
    _, total, state = walked(6)
    _, other_total, other_state = walked(6, network)
    assert not np.array_equal(total, other_total)
    assert not same(state, other_state).all()


def test_the_limit_adds_up_rewards_and_values_for_player_0() -> None:
    """With a network worth 1/2 to whoever moves, signs alternate with the plies."""
    half = eqx.tree_at(lambda n: n.value.b, BLANK, jnp.full(1, np.arctanh(0.5), jnp.float32))
    start = position()
    totals = [float(RUN(half, start, jax.random.key(0), jnp.int32(n))[0][0]) for n in range(5)]
    # Nobody wins within four plies: +, then -, +, -, + are added.
    assert totals == pytest.approx([0.5, 0.0, 0.5, 0.0, 0.5])


def test_openings_are_live_and_replayed_by_their_moves() -> None:
    lengths = np.array([0, 1, 2, 3, 4, 4])
    state, moves = openings(TASK, lengths)
    assert (moves >= 0).sum(0).tolist() == lengths.tolist()
    assert not np.asarray(jax.vmap(TASK.terminated)(state)).any()
    for row, played in enumerate(moves.T):
        expected = position(*[m for m in played.tolist() if m >= 0])
        assert same(expected, jax.tree.map(lambda x, r=row: x[r : r + 1], state)).all()


def ratio(median: float, low: float | None, high: float | None) -> dict:
    return {"median": median, "low": low, "high": high}


@pytest.mark.parametrize(
    ("found", "target", "ceiling", "expected"),
    [
        (ratio(3, 2.5, 4), Target(2.5), None, "met"),
        (ratio(3, 2.4, 4), Target(2.5), None, "unclear"),
        (ratio(2, 1.5, 2.4), Target(2.5), None, "not met"),
        (ratio(1.2, 1.1, 1.25), Target(1.25, least=False), None, "met"),
        (ratio(1.2, 1.1, 1.3), Target(1.25, least=False), None, "unclear"),
        (ratio(1.4, 1.3, 1.5), Target(1.25, least=False), None, "not met"),
        (ratio(9, None, None), Target(2.5), None, "unclear"),
        (ratio(4, 3.5, 4.5), Target(8, capped=True), ratio(5, 4, 6), "out of reach"),
        (ratio(4, 3.5, 4.5), Target(8, capped=True), ratio(9, 7, 11), "not met"),
        (ratio(4, 3.5, 4.5), Target(8), ratio(5, 4, 6), "not met"),
        (ratio(9, 8.5, 9.5), Target(8, capped=True), ratio(5, 4, 6), "met"),
    ],
)
def test_verdicts_follow_from_the_interval(found, target, ceiling, expected) -> None:
    assert report.verdict(found, target, ceiling) == expected


def test_every_target_is_checked_and_shown() -> None:
    """A row whose ratios go by other names would pass by silence."""
    side = timing.spread([1.0, 2.0, 3.0])
    for name, row in ROWS.items():
        if row.faster is None and row.limit is None:
            continue
        ratios = {f"{row.peer} / ours": side, report.LIMITED: side}
        measured = {name: {"seconds": {"ours": side, row.peer: side}, "ratios": ratios}}
        wanted = {str(t) for t in (row.faster, row.limit) if t is not None}
        assert {check["target"] for check in report.checks(measured)} == wanted
        (line,) = report.lines(measured)
        assert all(any(target in cell for cell in line) for target in wanted)


def test_ratios_are_taken_within_rounds() -> None:
    """A round on a busy machine is slow for all."""
    seconds = {"a": [2.0, 20.0, 2.2, 2.0, 2.1], "b": [1.0, 10.0, 1.1, 1.0, 1.05]}
    (found,) = timing.ratios(seconds, [("a", "b"), ("a", "absent")]).values()
    assert found["median"] == pytest.approx(2.0)
    assert found["low"] == pytest.approx(2.0) and found["high"] == pytest.approx(2.0)
    assert timing.spread([4.0])["low"] is None


def test_contestants_take_turns_and_compiling_is_not_counted() -> None:
    calls: list[str] = []

    def contestant(name: str):
        def call(key):
            calls.append(name)
            return jnp.zeros(1)

        return call

    timing.SLICE, kept = 0.0, timing.SLICE
    try:
        found = timing.interleave({n: contestant(n) for n in "abc"}, 3, lambda text: None)
    finally:
        timing.SLICE = kept
    assert "".join(calls) == "aaabbbccc" + "abc" + "bca" + "cab"
    assert [len(times) for times in found.values()] == [3, 3, 3]


def test_refusals_say_what_to_do(monkeypatch) -> None:
    import search as command

    runner = CliRunner()
    answer = runner.invoke(command.main, ["--rows", "chess"])
    assert answer.exit_code == 2 and "no row 'chess'" in answer.output
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    answer = runner.invoke(command.main, ["--rows", "uct"])
    assert answer.exit_code == 1 and "pip install -e '.[dev]'" in answer.output
    with pytest.raises(MissingPeerError, match="open_spiel is not installed"):
        command.chosen("match")
