"""The exact solver against counts, values and best moves known by other means."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import Objective, Task, Traits, misere
from deliberation.core.errors import (
    ContractError,
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
    UnknownStateError,
    UnsuitableTaskError,
)
from deliberation.core.play import rollout
from deliberation.direct.exact.numbering import RowIndex
from deliberation.direct.exact.solver import ExactSolver, solve
from deliberation.tasks import make_task


@functools.cache
def solved(name, **options):
    return solve(make_task(name, **options))


class Corridor(Task):
    """Walk right (1) for a unit a step, or leave (0) for three at once; five actions at most."""

    horizon: int = eqx.field(static=True, default=5)
    deterministic: bool = eqx.field(static=True, default=True)
    hidden: bool = eqx.field(static=True, default=False)
    players: int = eqx.field(static=True, default=1)
    flaw: str = eqx.field(static=True, default="")

    @property
    def traits(self):
        return Traits(self.players, 2, self.horizon, self.deterministic, not self.hidden)

    @property
    def objective(self):
        return Gold(self.players, float("nan") if self.flaw == "nan" else 0.5)

    def init(self, key):
        return jnp.int32(0), jnp.bool_(False)

    def advance(self, state, action, key):
        return state[0] + 1, action == 0

    def observe(self, state):
        return jnp.stack([state[0], state[1]]).astype(jnp.float32)

    def legal(self, state):
        stuck = (state[0] == 3) & (self.flaw == "stuck")
        return jnp.broadcast_to(~self.terminated(state) & ~stuck, (2,))

    def player(self, state):
        return state[0] % self.players

    def terminated(self, state):
        return state[1] | (state[0] >= 5)

    def fingerprint(self, state):
        if self.flaw == "float":
            return self.observe(state)
        return super().fingerprint(state)


class Gold(Objective):
    players: int = eqx.field(static=True)
    worth: float = eqx.field(static=True)

    @property
    def discount(self):
        return self.worth

    def __call__(self, state, action, after):
        return jnp.full(self.players, jnp.where(action == 0, 3.0, 1.0) * self.worth)


SMALL = {"width": 4, "height": 3, "k": 3, "gravity": True}


def brute_force(width, height, k, winning=1):
    """{stones by column, as strings: (value for the mover, best moves)} by plain negamax."""

    def wins(board, who):
        at = {(c, r) for c, col in enumerate(board) for r, x in enumerate(col) if x == who}
        steps = [(0, 1), (1, 0), (1, 1), (1, -1)]
        return any(
            all((c + i * dc, r + i * dr) in at for i in range(k)) for c, r in at for dc, dr in steps
        )

    def over(board):
        return wins(board, "X") or wins(board, "O")

    @functools.cache
    def value(board):
        mover = "XO"[sum(map(len, board)) % 2]
        if wins(board, "OX"[mover == "O"]):
            return -winning, ()
        moves = [c for c in range(width) if len(board[c]) < height]
        scores = [-value((*board[:c], board[c] + mover, *board[c + 1 :]))[0] for c in moves]
        best = max(scores, default=0)
        return best, tuple(c for c, s in zip(moves, scores, strict=True) if s == best)

    found, queue = {}, [("",) * width]
    while queue:
        board = queue.pop()
        if board not in found:
            found[board] = value(board)
            mover = "XO"[sum(map(len, board)) % 2]
            free = [c for c in range(width) if len(board[c]) < height and not over(board)]
            queue += [(*board[:c], board[c] + mover, *board[c + 1 :]) for c in free]
    return found


def boards(task, states):
    """The same board code read off the observations of a batch of states."""
    planes = np.asarray(jax.vmap(task.observe)(states)).astype(int)
    mover = np.asarray(jax.vmap(task.player)(states))
    for plane, who in zip(planes, mover, strict=True):
        marks = np.array(["", "XO"[who], "OX"[who]])[plane[..., 0] + 2 * plane[..., 1]]
        yield tuple("".join(column[::-1]) for column in marks.T)


def test_tic_tac_toe_is_a_draw_with_5478_states():
    s = solved("tic_tac_toe")
    assert (s.states, s.value, s.plies) == (5478, 0.0, 9)
    assert [len(layer.terminal) for layer in s] == [1, 9, 72, 252, 756, 1260, 1520, 1140, 390, 78]
    ended = [int(layer.terminal.sum()) for layer in s]
    assert ended == [0, 0, 0, 0, 0, 120, 148, 444, 168, 78]


@pytest.mark.parametrize(
    ("name", "states", "value"),
    [("connect_3_4x4", 41_750, 1.0), ("hex_3x3", 5514, 1.0)],
)
def test_known_values(name, states, value):
    s = solved(name)
    assert (s.states, s.value) == (states, value)


def test_connect_4_5x4_agrees_with_an_independent_enumeration():
    # Counted by sets of Python integers in two minutes; 4 columns of 5 have 1,706,255 states.
    s = solved("connect_4_5x4")
    assert (s.states, s.value) == (3_945_711, 0.0)
    start = s.reachable(0).states
    assert s.action_values(start).tolist() == [[-1.0, 0.0, 0.0, 0.0, -1.0]]


def test_every_state_of_a_small_board_agrees_with_plain_negamax():
    s, truth = solved("mnk", **SMALL), brute_force(4, 3, 3)
    seen = 0
    for layer in s:
        values, best = s.values(layer.states), s.optimal(layer.states)
        for row, board in enumerate(boards(s.task, layer.states)):
            value, moves = (0, ()) if layer.terminal[row] else truth[board]
            assert (values[row], tuple(np.flatnonzero(best[row]))) == (value, moves), board
            seen += 1
    assert seen == s.states == len(truth)


def test_hex_3x3_opening_values():
    s = solved("hex_3x3")
    # From a flood-fill negamax with no code in common.
    openings = s.action_values(s.reachable(0).states)[0].astype(int)
    assert openings.tolist() == [-1, -1, 1, 1, 1, 1, 1, -1, -1]


def test_swapping_makes_hex_a_win_for_the_second_player():
    assert solved("hex_3x3", swap=True).value == -1.0


def test_misere_turns_the_aim_round():
    s = solved("mnk", **SMALL)
    turned = s.under(misere(s.task.objective))
    assert turned is s.under(misere(s.task.objective))
    assert s.under(None) is s.under(misere(misere(s.task.objective))) is s
    truth = brute_force(4, 3, 3, winning=-1)
    for layer in turned:
        values = turned.values(layer.states)
        expected = [truth[b][0] for b in boards(s.task, layer.states)]
        assert np.where(layer.terminal, 0, expected).tolist() == values.tolist()


def test_discounted_sums_of_one_player():
    s = solve(Corridor())
    # Worth from position p: max(1.5, 0.5 + 0.5 * worth(p + 1)); leaving at once is best.
    assert s.states == 11
    assert s.value == 1.5
    start = s.reachable(0).states
    assert s.action_values(start).tolist() == [[1.5, 1.25]]
    patient = solve(Corridor(), Gold(1, 1.0))
    assert patient.value == 7.0
    assert patient.optimal(start).tolist() == [[False, True]]


def test_lookups_terminal_rows_and_unknown_states():
    s = solved("tic_tac_toe")
    last = s.reachable(9)
    assert last.terminal.all()
    assert not s.optimal(last.states).any()
    assert (s.values(last.states) == 0).all()
    impossible = jax.tree.map(lambda x: x[:1], s.reachable(3).states)
    impossible = eqx.tree_at(lambda x: x.ply, impossible, impossible.ply + 2)
    with pytest.raises(UnknownStateError, match="Row 0 cannot be reached"):
        s.values(impossible)
    with pytest.raises(IndexError, match="0 to 9"):
        s.reachable(10)


def test_samples_are_distinct_live_and_repeatable():
    s = solved("tic_tac_toe")
    states = s.sample(4520)
    assert not np.asarray(jax.vmap(s.task.terminated)(states)).any()
    assert len({*boards_flat(s, states)}) == 4520
    assert boards_flat(s, s.sample(5, seed=3)) == boards_flat(s, s.sample(5, seed=3))
    assert boards_flat(s, s.sample(5, seed=3)) != boards_flat(s, s.sample(5, seed=4))
    with pytest.raises(ValueError, match="there are 4520"):
        s.sample(4521)
    assert len(boards_flat(s, s.sample(5478, live=False))) == 5478


def boards_flat(s, states):
    return [bytes(row) for row in np.asarray(jax.vmap(s.task.fingerprint)(states))]


def test_bounds_refuse_naming_the_size_reached():
    reached = r"ply 6 would bring it to 3,870 states.*reached so far: 2,350 states"
    with pytest.raises(TooLargeError, match=reached):
        solve(make_task("tic_tac_toe"), max_states=3000)
    with pytest.raises(TooLargeError, match=r"max_bytes=0\.1 MiB"):
        solve(make_task("tic_tac_toe"), max_bytes=100_000)
    with pytest.raises(TooLargeError, match="7x6"):
        solve(make_task("connect_four"), max_states=5000)


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        (Corridor(deterministic=False), UnsuitableTaskError, "chance"),
        (Corridor(hidden=True), UnsuitableTaskError, "hides"),
        (Corridor(players=3), UnsuitableTaskError, "3 players"),
        (Corridor(players=2), UnsuitableTaskError, "sum to zero"),
        (Corridor(horizon=3), ContractError, "horizon of 3"),
        (Corridor(flaw="stuck"), NoLegalActionError, "no legal action"),
        (Corridor(flaw="nan"), NonFiniteError, "NaN"),
        (Corridor(flaw="float"), ContractError, "must give integers"),
    ],
)
def test_unsuitable_tasks_are_refused(task, error, message):
    with pytest.raises(error, match=message):
        solve(task)


def test_exact_play_never_loses_and_draws_every_best_action():
    s = solved("tic_tac_toe")
    player = ExactSolver(s.task, s)
    games = rollout(s.task, player, key=jax.random.key(0), batch=64)
    assert (games.returns == 0).all()
    assert len(np.unique(games.actions[:, 0])) > 4  # all nine openings keep the draw
    start = jax.tree.map(lambda x: x.repeat(2, 0), s.reachable(0).states)
    decision, _ = player.decide(start, key=jax.random.key(1))
    np.testing.assert_allclose(decision.weights, 1 / 9)
    assert decision.spent.total().model_steps == 0


def test_exact_solver_follows_another_objective_and_pays_for_it():
    s = solve(make_task("tic_tac_toe"))
    player, key = ExactSolver(s.task, s), jax.random.key(0)
    states = s.sample(200)
    plain, _ = player.decide(states, key=key)
    turned, _ = player.decide(states, objective=misere(s.task.objective), key=key)
    again, _ = player.decide(states, objective=misere(s.task.objective), key=key)
    assert (np.asarray(plain.spent.model_steps) == 0).all()
    for decision in (turned, again):  # kept or not: a row pays what it would pay alone
        assert (np.asarray(decision.spent.model_steps) == 16_167).all()
    assert not np.array_equal(plain.weights, turned.weights)
    assert np.array_equal(turned.weights, again.weights)
    over, _ = player.decide(s.reachable(9).states, key=key)
    assert (np.asarray(over.action) == -1).all()
    assert not np.asarray(over.weights).any()


@pytest.mark.parametrize("big", [3, 2**31 - 1])
def test_rows_are_numbered_exactly_even_when_a_key_needs_several_words(big):
    rng = np.random.default_rng(0)
    rows = rng.choice([-big, 0, 1, big], (500, 7))
    index = RowIndex(rows, inverse=True)
    distinct = np.unique(rows, axis=0)
    assert len(index.first) == len(distinct)
    assert np.array_equal(rows[index.first][index.inverse], rows)
    assert np.array_equal(rows[index.find(rows)], rows)
    other = rng.choice([-big, 0, 1, big, 2, -big - 1], (500, 7))
    known = {tuple(row) for row in rows}
    assert [i >= 0 for i in index.find(other)] == [tuple(row) in known for row in other]
