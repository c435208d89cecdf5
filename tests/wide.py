"""What is checked with 64-bit numbers enabled, in a process of its own; see test_x64."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from deliberation.amortised import (
    DQN,
    PPO,
    Reinforce,
    Tabular,
    train_dqn,
    train_ppo,
    train_q_learning,
    train_reinforce,
    train_successor,
)
from deliberation.amortised.training import updates
from deliberation.core import Objective, Task, Traits, UniformRandom, check_task, rollout
from deliberation.direct import (
    AlphaBeta,
    BeamSearch,
    BestFirst,
    DynamicProgramming,
    HistorySearch,
    TreeSearch,
    solve,
    value_iteration,
)
from deliberation.tasks import make_task

KEY = jax.random.key(0)
STEP = 2**32


class Climb(Task):
    """Three steps up, which show in the high half of a number only; the top pays 1."""

    kind: str = eqx.field(static=True)

    @property
    def traits(self):
        return Traits(1, 2, 20)

    @property
    def objective(self):
        return Top()

    def init(self, key):
        return jnp.zeros((), self.kind)

    def advance(self, state, action, key):
        return state + action.astype(state.dtype) * STEP

    def observe(self, state):
        return (state / STEP).astype(jnp.float32)[None]

    def legal(self, state):
        return jnp.array([False, True]) & ~self.terminated(state)

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state >= 3 * STEP


class Top(Objective):
    def __call__(self, state, action, after):
        return jnp.where(after >= 3 * STEP, 1.0, 0.0)[None]

    @property
    def bounds(self):
        return (0.0, 1.0)


def prints(x):
    return np.asarray(Climb("int64").fingerprint(x)).tolist()


def check_fingerprints():
    for kind in ("int64", "uint64"):
        for x in (0, 1, 2**31, 2**32 + 1, 2**63 - 1):
            words = np.array(prints(jnp.asarray(x, kind)), np.int32)
            assert words.view(kind).tolist() == [x]
    pairs = [(1.0, np.nextafter(1.0, 2)), (0.0, 5e-324), (1j, 1j + 1e-300), (True, False)]
    for a, b in pairs:
        assert prints(jnp.asarray(a)) != prints(jnp.asarray(b)), (a, b)
    assert prints(jnp.float64(0.0)) == prints(jnp.float64(-0.0))
    for kind in ("threefry2x32", "rbg"):
        first, second = jax.random.split(jax.random.key(1, impl=kind))
        assert prints(first) != prints(second)
        assert (
            prints(jax.random.split(first, 3))
            == np.asarray(jax.random.key_data(jax.random.split(first, 3)).astype(jnp.int32))
            .reshape(-1)
            .tolist()
        )


def check_exact_methods():
    for kind in ("int64", "uint64", "float64"):
        task = Climb(kind)
        check_task(task, episodes=2)
        assert solve(task).value == 1
        for search in (BestFirst(task), BeamSearch(task)):
            assert float(rollout(task, search, key=KEY, budget=50).returns[0, 0]) == 1
        assert "value=1" in repr(value_iteration(task))
        assert float(rollout(task, DynamicProgramming(task), key=KEY).returns[0, 0]) == 1


def converted(program, looped=False):
    """Where a loop of a program turns an array of 1,000 numbers or more into another kind."""
    for equation in program.eqns:
        name = equation.primitive.name
        if looped and name == "convert_element_type" and equation.outvars[0].aval.size >= 1000:
            yield str(equation)
        for inner in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: hasattr(x, "jaxpr")
        ):
            if hasattr(inner, "jaxpr"):
                yield from converted(inner.jaxpr, looped or name in ("while", "scan"))


def check_costs():
    """A simulation must not cost more the more nodes there is room for."""
    tiger, lake = make_task("tiger"), make_task("frozen_lake")
    for searcher in (HistorySearch(tiger, capacity=1000), TreeSearch(lake, capacity=1000)):
        state = jax.vmap(searcher.task.init)(KEY[None])

        def decide(state, searcher=searcher):
            return searcher.decide(state, budget=1000, key=KEY)[0].value

        assert not list(converted(jax.make_jaxpr(decide)(state).jaxpr)), searcher


def check_learners():
    """An update keeps its carry's kinds of numbers; it is traced only, where others are refused."""

    def traced(update, hasty=False):
        def once(carry):
            after, *_ = eqx.filter_eval_shape(update, carry)
            one, other = (
                [x.dtype for x in jax.tree.leaves(t) if hasattr(x, "dtype")] for t in (carry, after)
            )
            assert one == other
            raise StopIteration

        return once

    updates.compile_update = traced
    game, room = make_task("tic_tac_toe"), make_task("gridworld")
    small = {"updates": 1, "environments": 4}
    table = Tabular(**small, steps=4, capacity=64)
    for learn, task, settings in (
        (train_ppo, game, PPO(**small, steps=8)),
        (train_dqn, game, DQN(**small, rounds=1, fits=2, batch=8, room=256, warmup=32)),
        (train_reinforce, game, Reinforce(**small, rounds=1)),
        (train_q_learning, game, table),
        (train_successor, room, table),
    ):
        try:
            learn(task, key=KEY, settings=settings)
        except StopIteration:
            continue
        raise AssertionError(learn)


def check_searches():
    """Returns what is answered, to be compared with what is answered in 32 bits."""
    game, tiger, lake = (make_task(x) for x in ("tic_tac_toe", "tiger", "frozen_lake"))
    state = jax.vmap(game.init)(jax.random.split(KEY, 2))
    told = []
    for backend in ("jax", "native"):
        searcher = TreeSearch(game, "uct", capacity=64, backend=backend)
        decision, _ = searcher.decide(state, budget=40, key=KEY)
        told += decision.action.tolist()
    decision, _ = AlphaBeta(game, depth=3).decide(state, budget=200, key=KEY)
    told += decision.action.tolist()
    played = rollout(game, UniformRandom(game), key=KEY, batch=4)
    told += played.returns[:, 0].tolist()
    state = jax.vmap(tiger.init)(jax.random.split(KEY, 2))
    decision, _ = HistorySearch(tiger).decide(state, budget=64, key=KEY)
    told += decision.action.tolist()
    told += rollout(lake, TreeSearch(lake, capacity=64), key=KEY, budget=32).returns[0].tolist()
    return told


if __name__ == "__main__":
    assert jax.config.jax_enable_x64
    warnings.simplefilter("error", FutureWarning)
    check_fingerprints()
    check_exact_methods()
    check_learners()
    check_costs()
    print(check_searches())
