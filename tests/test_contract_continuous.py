"""Continuous actions: the contracts of tasks and deciders hold for them, and every breach shows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steering import Steering, best_action, curvatures

from deliberation.core import (
    Decider,
    Decision,
    Ledger,
    Symmetry,
    Traits,
    check_decider,
    check_task,
    misere,
    rollout,
)
from deliberation.core.errors import ContractError, FinishedGameError, IllegalActionError
from deliberation.core.task import check_actions

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_a_sound_task_passes(shape):
    check_task(Steering(shape))


class Flawed(Steering):
    flaw: str = eqx.field(static=True, default="")

    @property
    def traits(self):
        changed = {
            "actions": {"actions": 3},
            "bounds": {"low": 1.0, "high": -1.0},
            "endless": {"high": float("inf")},
            "shape": {"shape": (3,)},
        }.get(self.flaw, {})
        return Traits(
            1, **({"actions": 1, "shape": self.shape} | changed), horizon=2, discrete=False
        )

    @property
    def symmetries(self):
        return (Symmetry("none", lambda x: x, (0,)),) if self.flaw == "symmetries" else ()

    def step(self, state, action, key):
        return (
            self.advance(state, action, key)
            if self.flaw == "step"
            else super().step(state, action, key)
        )


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ("actions", "traits.actions is 3"),
        ("bounds", "range from 1.0 to -1.0"),
        ("endless", "range from -1.0 to inf"),
        ("shape", "changes the form of the state"),
        ("symmetries", "which number actions"),
        ("step", "accepted action"),
    ],
)
def test_a_broken_task_is_caught(flaw, words):
    with pytest.raises(ContractError, match=words):
        check_task(Flawed(flaw=flaw))


def test_illegal_use_is_refused():
    task = Steering((2,))
    state = task.init(KEY)
    for action in ([0.0, 1.5], [np.nan, 0.0], [0.0], 0.5, [[0.0, 0.0]]):
        with pytest.raises(IllegalActionError, match=r"shape \[2\] from -1.0 to 1.0"):
            task.step(state, np.array(action), KEY)
    task.step(state, np.array([1.0, -1.0]), KEY)
    over = task.step(task.step(state, jnp.zeros(2), KEY), jnp.zeros(2), KEY)
    with pytest.raises(FinishedGameError):
        task.step(over, jnp.zeros(2), KEY)
    states = jax.tree.map(lambda *x: jnp.stack(x), state, state, over)
    check_actions(task, states, jnp.array([[0, 0], [1.0, 1], [7, 7]]))
    with pytest.raises(IllegalActionError, match=r"1\.25"):
        check_actions(task, states, jnp.array([[0, 0], [1.25, 1], [0, 0]]))
    with pytest.raises(IllegalActionError):
        check_actions(task, states, jnp.zeros(3))


def test_fingerprints_tell_fractions_apart():
    task = Steering()
    prints = [
        np.asarray(task.fingerprint(eqx.tree_at(lambda s: s.x, task.init(KEY), jnp.float32(x))))
        for x in (0.25, 0.5, 0.0, -0.0)
    ]
    assert (prints[0] != prints[1]).any() and (prints[2] == prints[3]).all()


class Pilot(Decider):
    """The closed-form optimum; `flaw` names the clause that this copy breaks."""

    task: Steering
    flaw: str = eqx.field(static=True, default="")

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        over = jax.vmap(self.task.terminated)(state)
        gains = jnp.array([float(best_action(self.task, 1.0, t)) for t in range(self.task.steps)])
        batch = len(over)
        rest = lambda x: x.reshape(batch, *[1] * (state.x.ndim - 1))  # noqa: E731
        action = rest(gains[jnp.minimum(state.time, self.task.steps - 1)]) * state.x
        live = jnp.where(over, 0.0, 1.0)
        action = jnp.clip(action, -1, 1) * rest(live)
        weights = live[:, None]
        if self.flaw == "outside":
            action = action + 2.0
        if self.flaw == "shape":
            action = action.reshape(batch, -1)[:, :1]
        if self.flaw == "ended":
            action = action + 0.01 * rest(1 - live)
        if self.flaw == "weights":
            weights = weights * 2
        candidates = None
        if self.flaw == "candidates":
            candidates = action[:, None] * jnp.array([1.0, 1.5]).reshape(
                -1, *[1] * (action.ndim - 1)
            )
            candidates = jnp.clip(candidates, -1, 1)
            weights = weights * jnp.array([0.75, 0.25])
        if self.flaw == "candidates outside":
            candidates = action[:, None] + 3.0
        if self.flaw == "candidates' shape":
            candidates = jnp.zeros((batch, 1))
        value = jnp.zeros(batch)
        return Decision(action, weights, value, Ledger(), candidates), memory


@pytest.mark.parametrize("shape", [(), (2,)])
@pytest.mark.parametrize("flaw", ["", "candidates"])
def test_a_sound_decider_passes(shape, flaw):
    check_decider(Pilot(Steering(shape), flaw))


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ("outside", "keep to the bounds"),
        ("shape", "action has shape"),
        ("ended", r"continuous: zeros"),
        ("weights", "do not sum to 1"),
        ("candidates outside", "a candidate is not"),
        ("candidates' shape", "candidates have shape"),
    ],
)
def test_a_broken_decider_is_caught(flaw, words):
    with pytest.raises(ContractError, match=words):
        check_decider(Pilot(Steering((2,)), flaw))


def test_episodes_are_played_and_written_down():
    task = Steering((2,), steps=3)
    pilot = Pilot(task)
    states = jax.vmap(task.init)(jax.random.split(KEY, 4))
    played = rollout(task, pilot, key=KEY, state=states)
    best = -curvatures(task)[0] * (np.asarray(states.x) ** 2).sum(-1)
    np.testing.assert_allclose(played.returns[:, 0], best, rtol=1e-5)
    assert played.actions.shape == (4, 3, 2) and played.actions.dtype == np.float32
    assert played.lengths.tolist() == [3] * 4
    worst = rollout(task, pilot, key=KEY, state=states, objective=misere(task.objective))
    np.testing.assert_allclose(worst.returns, -played.returns, rtol=1e-5)
    with pytest.raises(IllegalActionError):
        rollout(task, Pilot(task, "outside"), key=KEY, state=states)


def test_rows_that_ended_early_rest():
    task = Steering(steps=3)
    states = jax.vmap(task.init)(jax.random.split(KEY, 2))
    states = eqx.tree_at(lambda s: s.time, states, jnp.array([0, 2]))
    played = rollout(task, Pilot(task), key=KEY, state=states)
    assert played.lengths.tolist() == [3, 1]
    assert (played.actions[1, 1:] == 0).all() and (played.actions[0] != 0).all()
