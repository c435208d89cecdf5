"""The nouns: budgets, ledgers, objectives, rollouts, and the finding of tasks without imports."""

import importlib
import pkgutil
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.core import UniformRandom, check_decider, check_task
from deliberation.core.budget import UNLIMITED, Budget
from deliberation.core.catalogue import catalogue
from deliberation.core.decider import Decider, Decision, check_finite, row_keys
from deliberation.core.errors import (
    BatchMismatchError,
    BudgetError,
    IllegalActionError,
    NoLegalActionError,
    NonFiniteError,
    UnknownNameError,
)
from deliberation.core.ledger import Ledger
from deliberation.core.objective import Objective, misere
from deliberation.core.play import rollout
from deliberation.core.task import Task, batch_size, check_batch
from deliberation.tasks import make_task
from deliberation.tasks.board.solved import replay

KEY = jax.random.key(0)


def test_a_budget_is_one_number_or_one_for_each_row():
    simulations, steps = Budget.of(5).rows(3)
    assert simulations.tolist() == [5, 5, 5]
    assert steps.tolist() == [UNLIMITED] * 3
    simulations, steps = Budget(jnp.array([1, 0]), 7).rows(2)
    assert (simulations.tolist(), steps.tolist()) == ([1, 0], [7, 7])
    assert Budget.of(np.array([3, 4])).rows(2)[0].tolist() == [3, 4]
    assert Budget.of(Budget(2)) == Budget(2)


@pytest.mark.parametrize("value", [2.0, True, float("nan")])
def test_a_budget_counts_in_whole_numbers(value):
    with pytest.raises(BudgetError, match="whole numbers"):
        Budget.of(value)


def test_a_budget_that_makes_no_sense_is_refused():
    with pytest.raises(BudgetError, match="is -1: a budget cannot be negative"):
        Budget.of(-1).rows(2)
    with pytest.raises(BudgetError, match="model_steps is -3"):
        Budget(1, jnp.array([4, -3])).rows(2)
    with pytest.raises(BudgetError, match="dtype float"):
        Budget.of(jnp.ones(2)).rows(2)
    with pytest.raises(BatchMismatchError, match=r"shape \(3,\) for a batch of 2"):
        Budget.of(np.arange(3)).rows(2)
    with pytest.raises(BatchMismatchError, match=r"shape \(2, 1\)"):
        Budget.of(np.ones((2, 1), int)).rows(2)


amounts = st.one_of(st.none(), st.integers(0, 10**6))
ledgers = st.builds(Ledger, *[amounts] * 6)


@given(ledgers, ledgers, ledgers)
@settings(max_examples=100, deadline=None)
def test_adding_ledgers_is_associative_and_has_a_zero(a, b, c):
    assert ((a + b) + c)._amounts() == (a + (b + c))._amounts()
    assert (a + b)._amounts() == (b + a)._amounts()
    assert (a + Ledger())._amounts() == a._amounts()


def test_unknown_is_not_zero():
    total = Ledger(model_steps=jnp.array([1, 2]), flops=None) + Ledger(model_steps=3, flops=4)
    assert total.as_dict() == {
        "model_steps": 9,
        "network_evaluations": 0,
        "fits": 0,
        "data": 0,
        "flops": None,
        "seconds": 0,
    }


@pytest.mark.parametrize(
    ("ledger", "told"),
    [
        (Ledger(), "Ledger(nothing)"),
        (Ledger(3, None, seconds=0.12345678), "model_steps=3, network_evaluations=unknown, sec"),
        (Ledger(np.array([32, 32, 32])), "Ledger(model_steps=96 (3 x 32))"),
        (Ledger(flops=jnp.array([1e9, 2.5e9])), "Ledger(flops=3.5e+09 (2 of 1e+09 to 2.5e+09))"),
        (Ledger(np.zeros(1000)), "Ledger(nothing)"),
    ],
)
def test_what_many_rows_spent_is_read_in_one_line(ledger, told):
    assert told in repr(ledger)


def test_turning_an_objective_round_twice_gives_it_back():
    task = make_task("tic_tac_toe")
    aim = task.objective
    turned = misere(aim)
    assert misere(turned) is aim
    won = [[0, 3, 1, 4], [0, 3, 1, 4, 2]]
    before, after = (jax.tree.map(lambda x, i=i: x[i], replay(task, won)) for i in (0, 1))
    assert aim(before, jnp.int32(2), after).tolist() == [1.0, -1.0]
    assert turned(before, jnp.int32(2), after).tolist() == [-1.0, 1.0]
    assert turned.discount == aim.discount
    assert turned.bounds == (-1.0, 1.0)


class Half(Objective):
    """One for every stone that is put, worth half a ply later."""

    @property
    def discount(self):
        return 0.5

    @property
    def bounds(self):
        return (0.0, 2.0)

    def __call__(self, state, action, after):
        return jnp.array([1.0, 10.0])


def test_bounds_turn_round_with_the_objective():
    assert misere(Half()).bounds == (-2.0, 0.0)
    assert misere(Half()).discount == 0.5


class Fixed(Decider):
    """Takes the lowest (or highest) legal action, counts its own decisions, spends `cost`."""

    task: Task
    highest: bool = False
    cost: int = 1
    illegal_at: int = -1

    def begin(self, batch):
        return jnp.zeros(batch, jnp.int32)

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        legal = jax.vmap(self.task.legal)(state)
        over = jax.vmap(self.task.terminated)(state)
        count = legal.shape[1]
        last = count - 1 - jnp.argmax(legal[:, ::-1], 1)
        action = jnp.where(over, -1, last if self.highest else jnp.argmax(legal, 1))
        action = jnp.where(memory == self.illegal_at, 0, action).astype(jnp.int32)
        weights = jax.nn.one_hot(action, count)
        spent = Ledger(model_steps=jnp.full(len(over), self.cost), flops=None)
        return Decision(action, weights, jnp.zeros(len(over)), spent), memory + 1


def test_rollout_plays_each_seat_and_adds_up():
    task = make_task("tic_tac_toe")
    games = rollout(task, [Fixed(task), Fixed(task, highest=True, cost=10)], key=KEY, batch=2)
    assert games.actions.tolist() == [[0, 8, 1, 7, 2]] * 2
    assert games.returns.tolist() == [[1.0, -1.0]] * 2
    assert games.lengths.tolist() == [5, 5]
    assert [s.total().model_steps for s in games.spent] == [6, 40]
    assert games.spent[0].flops is None
    assert np.asarray(games.final.won).all()


def test_rollout_scores_by_the_objective_given():
    task = make_task("tic_tac_toe")
    seats = [Fixed(task), Fixed(task, highest=True)]
    games = rollout(task, seats, key=KEY, objective=Half())
    assert games.returns.tolist() == [[1.9375, 19.375]]
    turned = rollout(task, seats, key=KEY, objective=misere(task.objective))
    assert turned.returns.tolist() == [[-1.0, 1.0]]


def test_rollout_goes_on_from_given_states_and_leaves_finished_rows_alone():
    task = make_task("tic_tac_toe")
    start = replay(task, [[0, 3, 1, 4, 2], [0, 3, 1, 4], []])
    games = rollout(task, [Fixed(task), Fixed(task, highest=True)], key=KEY, state=start)
    assert games.lengths.tolist() == [0, 1, 5]
    assert games.returns.tolist() == [[0.0, 0.0], [1.0, -1.0], [1.0, -1.0]]
    assert games.actions[0].tolist() == [-1] * 5
    # Rows that are over cost nothing: 1 + 3 decisions of the first player, 2 of the second.
    assert [s.total().model_steps for s in games.spent] == [4, 2]
    assert rollout(task, Fixed(task), key=KEY, state=games.final).actions.shape == (3, 0)


def test_rollout_keeps_the_memory_of_rows_that_did_not_decide():
    """With rows at different plies, a seat's memory counts only the decisions it made."""
    task = make_task("tic_tac_toe")
    start = replay(task, [[], [8]])
    # Memory 1 is each seat's second decision; cell 0 is taken by then, so it is illegal there.
    seats = [Fixed(task, illegal_at=2), Fixed(task)]
    with pytest.raises(IllegalActionError, match="Action 0 is illegal"):
        rollout(task, seats, key=KEY, state=start)
    games = rollout(task, [Fixed(task, illegal_at=5), Fixed(task)], key=KEY, state=start)
    assert games.lengths.min() > 4


class Wide(Fixed):
    """Answers in 64 bits, beyond those of a task's actions: in 32 it would be action 0."""

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        decision, memory = super().decide(state, memory, key=key)
        far = np.full(len(decision.action), 2**40)
        return eqx.tree_at(lambda d: d.action, decision, far), memory


def test_rollout_refuses_an_action_that_a_cast_would_make_legal():
    with pytest.raises(IllegalActionError, match="2147483647 is illegal"):
        rollout(make_task("tic_tac_toe"), Wide(make_task("tic_tac_toe")), key=KEY)


def test_rollout_refuses_an_illegal_action_showing_the_position():
    task = make_task("tic_tac_toe")
    with pytest.raises(IllegalActionError, match=r"Action 0 is illegal here. Legal: \[2, 3"):
        rollout(task, [Fixed(task, illegal_at=1), Fixed(task)], key=KEY, batch=2)
    with pytest.raises(ValueError, match="2 players"):
        rollout(task, [Fixed(task)], key=KEY)


class Stuck(type(make_task("tic_tac_toe"))):
    """Tic-tac-toe that forgets to offer moves."""

    def legal(self, state):
        return jnp.zeros(9, bool)


def test_broken_batches_are_refused():
    task = make_task("tic_tac_toe")
    state = replay(task, [[], [1]])
    assert batch_size(state) == 2
    with pytest.raises(BatchMismatchError, match="common leading axis"):
        batch_size(task.init(KEY))
    with pytest.raises(BatchMismatchError, match=r"\(3,\) keys for a batch of 2"):
        row_keys(jax.random.split(KEY, 3), 2)
    check_batch(task, state)
    with pytest.raises(NoLegalActionError, match="Row 0 is not terminal"):
        check_batch(Stuck(3, 3, 3, False), state)
    check_finite("a network", value=jnp.zeros(3))
    with pytest.raises(NonFiniteError, match=r"a network gave NaN or infinity in its value.*row 1"):
        check_finite("a network", prior=jnp.zeros(3), value=jnp.array([0.0, jnp.inf, jnp.nan]))
    eqx.filter_jit(lambda x: check_finite("inside", x=x))(jnp.array([jnp.nan]))


def test_a_batch_of_no_episodes_is_refused():
    task = make_task("tic_tac_toe")
    none = jax.tree.map(lambda x: x[None][:0], task.init(jax.random.key(0)))
    for wrong in ({"batch": 0}, {"batch": -1}, {"state": none}):
        with pytest.raises(BatchMismatchError, match="at least 1 episode"):
            rollout(task, UniformRandom(task), key=jax.random.key(0), **wrong)
    with pytest.raises(ValueError, match="at least 1 episode"):
        check_task(task, episodes=0)


def test_row_keys_depend_on_their_own_row_only():
    keys = row_keys(KEY, 4)
    assert bool((row_keys(keys, 4) == keys).all())
    assert bool((row_keys(keys[1:3], 2) == keys[1:3]).all())
    assert len(np.unique(jax.random.key_data(keys), axis=0)) == 4


def test_catalogue_reads_literals_without_importing(tmp_path):
    (tmp_path / "one.py").write_text("raise SystemExit\nTASKS = {'a': {'options': [1, 2]}}\n")
    (tmp_path / "_hidden.py").write_text("TASKS = {'b': 1}\n")
    (tmp_path / "none.py").write_text("OTHER = 1\n")
    assert catalogue(tmp_path, "TASKS") == {"one": {"a": {"options": [1, 2]}}}
    (tmp_path / "two.py").write_text("TASKS = make()\n")
    with pytest.raises(ValueError, match="malformed"):
        catalogue(tmp_path, "TASKS")


def test_every_public_name_of_every_room_can_be_imported():
    import deliberation

    found = 0
    for module in pkgutil.walk_packages(deliberation.__path__, "deliberation."):
        if module.ispkg:
            room = importlib.import_module(module.name)
            for name in getattr(room, "__all__", []):
                assert getattr(room, name) is not None
                found += 1
    assert found > 200
    with pytest.raises(AttributeError, match="nothing"):
        _ = deliberation.nothing  # type: ignore[attr-defined]


def test_listing_tasks_does_not_import_jax():
    code = (
        "import sys; from deliberation.tasks import list_tasks;"
        "assert 'tic_tac_toe' in list_tasks(); print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_says_that_none_are_known():
    assert str(UnknownNameError("factory in my_world", "Corridor", [])) == (
        "There is no factory in my_world named 'Corridor'. There are none at all."
    )


def test_an_unknown_name_lists_what_is_known_when_nothing_is_near():
    error = UnknownNameError("task", "zzz", ["hex", "othello"])
    assert str(error) == "There is no task named 'zzz'. Known: hex, othello."


@pytest.mark.parametrize("name", ["tic_tac_toe", "kuhn_poker"])
def test_playing_at_random_is_a_decider(name):
    task = make_task(name)
    check_decider(UniformRandom(task))
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 9000))
    decision, _ = UniformRandom(task).decide(state, key=jax.random.key(1))
    counts = np.bincount(np.asarray(decision.action), minlength=task.traits.actions)
    legal = np.asarray(task.legal(jax.tree.map(lambda x: x[0], state)))
    assert np.abs(counts / 9000 - legal / legal.sum()).max() < 0.02


class Unknown(Objective):
    """Says NaN of every transition."""

    def __call__(self, state, action, after):
        return jnp.full(2, jnp.nan)


def test_returns_that_are_no_number_are_refused():
    task = make_task("tic_tac_toe")
    with pytest.raises(NonFiniteError, match="Unknown gave NaN"):
        rollout(task, UniformRandom(task), key=jax.random.key(0), objective=Unknown())
