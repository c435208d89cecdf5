"""MC-AIXI-CTW: the kernel against the reference, the contract, learning, and what it refuses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import Budget, check_decider, misere, rollout
from deliberation.core.errors import ForeignMemoryError, TooLargeError, UnsuitableTaskError
from deliberation.direct import MCAIXI, Percepts, learn
from deliberation.direct.bayes import lifetime as mc_aixi_learning
from deliberation.direct.bayes import mc_aixi, rho_uct
from deliberation.direct.bayes.context_tree import NODE
from deliberation.tasks import make_task

KEY = jax.random.key(0)
RPS = make_task("biased_rps", horizon=1000)
SMALL = {"horizon": 3, "depth": 12, "budget": 12, "life": 200, "capacity": 4096}


LIGHT = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
CYCLES = 30
"""Each number of cycles, of runs and each agent's settings are a program to compile."""


def agent(task=RPS, **settings):
    return MCAIXI(task, **{**SMALL, **settings})


def compiled_anew(function):
    """The same function, traced again, and compiled fast rather than to run fast."""
    plain = function.__wrapped__
    return eqx.filter_jit(lambda *given: plain(*given), compiler_options=LIGHT)


@pytest.fixture(autouse=True, scope="module")
def compile_lightly():
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((mc_aixi, "_decide"), (mc_aixi_learning, "_live")):
            patch.setattr(module, name, compiled_anew(getattr(module, name)))
        yield


@pytest.fixture(scope="module")
def youth():
    """An agent that searches further, and four lives of it that explored all the time."""
    one, lived = agent(horizon=3, depth=16, budget=60, life=2000, capacity=1 << 16), None
    rewards = []
    for key in jax.random.split(KEY, 4):
        lived = learn(one, RPS, 300, key, runs=4, since=lived, epsilon=1.0)
        assert lived.explored.all()
        rewards.append(lived.rewards)
    return one, lived, np.concatenate(rewards, 1)


@pytest.fixture(scope="module")
def wild():
    """The memory of two small agents that explored all the time."""
    return learn(agent(), RPS, CYCLES, KEY, runs=2, epsilon=1.0).memory


def only(tree):
    """The first row."""
    return jax.tree.map(lambda x: x[:1], tree)


@pytest.mark.parametrize("name", ["biased_rps", "tiger", "cheese_maze"])
def test_the_contract_of_deciders_is_kept(name):
    check_decider(agent(make_task(name, horizon=6), budget=8))


def test_kernel_and_reference_live_the_same_lives(monkeypatch):
    if not rho_uct.native():
        pytest.skip("there is no C++ compiler")
    task = make_task("cheese_maze", horizon=8)
    lives = []
    for kernel in (True, False):
        monkeypatch.setattr(rho_uct, "native", lambda kernel=kernel: kernel)
        monkeypatch.setattr(mc_aixi_learning, "_live", compiled_anew(mc_aixi_learning._live))
        # A pool that runs full, episodes that end, exploration: all of it.
        one = agent(task, depth=20, capacity=250, budget=3, horizon=2)
        lives.append(learn(one, task, 20, KEY, epsilon=0.5, gamma=0.99))
    fast, slow = lives
    assert np.array_equal(fast.rewards, slow.rewards)
    for x, y in zip(jax.tree.leaves(fast.memory), jax.tree.leaves(slow.memory), strict=True):
        assert np.array_equal(x, y)
    assert (np.asarray(fast.memory.mind.size) == 250).all()


def test_visits_and_values_are_those_of_the_reference(monkeypatch, wild):
    if not rho_uct.native():
        pytest.skip("there is no C++ compiler")
    one, mind = agent(), only(wild.mind)
    orders = jnp.array([[rho_uct.LEARN, 1, 5, 60]], jnp.int32)
    given = (one.terms, mind, orders, jnp.array([[True, False, True]]), jnp.array([9], jnp.uint32))
    fast_mind, fast = rho_uct.live(*given)
    monkeypatch.setattr(rho_uct, "native", lambda: False)
    slow_mind, slow = rho_uct.live(*given)
    assert np.array_equal(fast.visits, slow.visits)
    assert np.asarray(fast.visits).sum() == 60 and fast.visits[0, 1] == 0
    assert np.array_equal(fast.values, slow.values)
    assert np.array_equal(fast_mind.nodes, slow_mind.nodes)


def expectimax(terms, forest_of, left):
    """The value of the best action, by all percepts of the mixture: what rho-UCT converges to."""
    values, last = [], forest_of()
    last.mark()
    for action in range(3):
        total = 0.0
        for percept in range(2**terms.percept_bits):
            forest = last if left == 1 else forest_of()
            forest.push(action, terms.action_bits)
            p = np.exp(forest.learn_code(percept, terms.percept_bits))
            reward = min(percept % 2**terms.reward_bits, terms.high - terms.low) + terms.low
            if left == 1:
                rest = last.revert() or 0.0
            else:
                rest = expectimax(terms, lambda f=forest: copy_of(f), left - 1)[1]
            total += p * (reward + rest)
        values.append(total)
    return values, max(values)


def copy_of(forest):
    return type(forest)(
        forest.nodes.copy(), forest.size, forest.bits.copy(), forest.length, forest.depth
    )


def test_search_converges_to_expectimax_over_the_mixture(wild):
    terms = agent().terms._replace(horizon=2)
    mind = jax.tree.map(np.asarray, only(wild.mind))

    def forest():
        pool = mind.nodes[0].reshape(-1).view(NODE)
        found = rho_uct.Forest(
            pool.copy(), int(mind.size[0]), mind.history[0].copy(), int(mind.length[0]), terms.depth
        )
        return found

    exact, _ = expectimax(terms, forest, 2)
    orders = jnp.array([[rho_uct.NOTHING, 0, 0, 40_000]], jnp.int32)
    seed = jnp.array([3], jnp.uint32)
    _, found = rho_uct.live(terms, only(wild.mind), orders, jnp.ones((1, 3), bool), seed)
    best = int(np.argmax(exact))
    assert int(np.argmax(found.values[0])) == best
    assert float(found.values[0, best]) == pytest.approx(exact[best], abs=0.05)


def test_it_learns_to_win_by_losing(youth):
    """Chance gives 0 a round and the optimum is 0.25."""
    one, young, rewards = youth
    grown = learn(one, RPS, 300, jax.random.key(1), since=young)
    assert not grown.explored.any()
    assert abs(rewards.mean()) < 0.05
    assert grown.rewards.mean() > 0.1
    assert grown.spent.data == 1200
    assert grown.spent.model_steps == 1200 * (60 * 3 + 1)


def test_experience_is_carried_into_new_episodes(youth):
    one, lived, _ = youth
    old = one.with_experience(lived.memory)
    task = make_task("biased_rps", horizon=40)
    found = rollout(task, old, key=KEY, batch=12)
    assert found.returns.mean() / 40 > 0.06
    assert "experienced" in repr(old) and "experienced" not in repr(one)


def test_the_clock_of_a_life_is_that_of_the_task_it_is_lived_in():
    one = agent(make_task("biased_rps", horizon=5))
    lived = learn(one, RPS, CYCLES, KEY, runs=2)
    assert lived.spent.model_steps == 2 * CYCLES * (12 * 3 + 1)
    assert (np.asarray(lived.state.time) == CYCLES).all()


def test_lives_continue_and_repeat():
    one = agent()
    whole = [learn(one, RPS, CYCLES, KEY, runs=2, epsilon=0.3) for _ in range(2)]
    assert np.array_equal(whole[0].rewards, whole[1].rewards)
    more = learn(one, RPS, CYCLES, KEY, since=whole[0])
    assert (np.asarray(more.memory.mind.length) == 2 * CYCLES * one.bits).all()
    assert whole[0].curve(10).shape == (2, 3)


def test_episodes_that_end_lose_no_percept():
    """Each of three episodes of ten cycles is told its first sight and ten percepts."""
    task = make_task("biased_rps", horizon=10)
    one = agent(task)
    lived = learn(one, task, 30, KEY)
    assert int(lived.memory.mind.length[0]) == 33 * one.bits
    assert int(lived.memory.action[0]) == -1
    # What an episode sees first takes room as well: here for two of them.
    with pytest.raises(TooLargeError, match="life"):
        learn(agent(task, life=31), task, 30, KEY)
    with pytest.raises(TooLargeError, match="life"):
        learn(agent(task, life=31), task, 33, KEY)


def test_budgets_are_kept_and_none_answers_at_random():
    state = jax.vmap(RPS.init)(jax.random.split(KEY, 64))
    decision, _ = agent().decide(state, budget=0, key=KEY)
    assert set(np.asarray(decision.action).tolist()) == {0, 1, 2}
    assert np.allclose(decision.weights, 1 / 3)
    assert np.asarray(decision.spent.model_steps).sum() == 0
    decision, _ = agent().decide(state, budget=Budget(model_steps=20), key=KEY)
    assert (np.asarray(decision.spent.model_steps) == 18).all()


def test_what_it_cannot_do_is_refused():
    with pytest.raises(UnsuitableTaskError, match="players"):
        agent(make_task("kuhn_poker"))
    with pytest.raises(UnsuitableTaskError, match="perceived"):
        agent(make_task("frozen_lake"))
    with pytest.raises(TooLargeError, match="life"):
        learn(agent(), RPS, 300, KEY)
    with pytest.raises(ForeignMemoryError):
        agent().decide(jax.vmap(RPS.init)(KEY[None]), agent(depth=13, life=9).begin(1), key=KEY)
    with pytest.raises(ValueError, match="horizon"):
        agent(horizon=0)
    with pytest.raises(UnsuitableTaskError, match="bits"):
        Percepts(RPS.sense, 2**20, 0, 2**16)
    task = make_task("tiger")
    with pytest.raises(UnsuitableTaskError, match="told"):
        learn(agent(task), task, 20, KEY, epsilon=1.0, objective=misere(task.objective))


def test_percepts_are_encoded_as_in_table_2():
    sizes = {name: Percepts.of(make_task(name)) for name in ("cheese_maze", "tiger", "biased_rps")}
    found = {name: (p.observation_bits, p.reward_bits) for name, p in sizes.items()}
    assert found == {"cheese_maze": (4, 5), "tiger": (2, 7), "biased_rps": (2, 2)}
    maze = make_task("cheese_maze")
    state = jax.jit(maze.init)(KEY)
    encode = jax.jit(lambda reward: sizes["cheese_maze"].encode(state, reward))
    code, told = encode(jnp.float32(-1))
    assert int(code) == int(maze.sense(state)) * 32 + 9 and bool(told)
    assert not bool(encode(jnp.float32(0.5))[1])
    assert not bool(encode(jnp.float32(11))[1])
