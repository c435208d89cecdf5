"""Trees carried over to the next decision are those of a search begun there afresh."""

import copy
import functools
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_search as reference
from tables import (  # noqa: F401
    ACTIONS,
    LIGHT,
    as_task,
    compile_lightly,
    full_speed,
    random_world,
)

from deliberation.core import Budget, check_decider, misere, rollout
from deliberation.core.budget import UNLIMITED
from deliberation.core.errors import BatchMismatchError, ForeignMemoryError, TooLargeError
from deliberation.direct import PUCT, UCT, Gumbel, RandomRollouts, TreeSearch, solve
from deliberation.direct.aims import aim_of
from deliberation.direct.tree_search import reuse
from deliberation.direct.tree_search.backends.choice import backend_for, why_not_native
from deliberation.direct.tree_search.engine import init, proceed
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.models.base import TaskModel
from deliberation.direct.tree_search.tree import CHANCE, COUNT, LOGIT, PARENT, VISITS, pack
from deliberation.tasks import make_task

ROOM = 64
ONE_BY_ONE = jnp.minimum(jnp.arange(ROOM) + 1, ACTIONS).astype(jnp.int32)
"""A node offers one more action with every visit: so UCT never has two unvisited ones to choose
from, and meets no ties."""
light = functools.partial(eqx.filter_jit, compiler_options=LIGHT)


@light
def grow(model, rule, root, budget, seed, prove, backend, widths):
    outcome = init(model, rule, root, budget, seed, capacity=ROOM - 1, evaluate=True, prove=prove)
    limits = Limits(budget, jnp.full_like(budget, UNLIMITED))
    backend = backend_for(rule, backend)
    return proceed(model, rule, outcome, limits, widths=widths, backend=backend)


@light
def reroot(tree, node):
    return reuse.reroot(tree, node, reuse.subtree(tree, node), ROOM), reuse.settled(tree, node)


def world_without_ties(seed, kind="real"):
    world = random_world(seed, players=1 + seed % 2, kind=kind)
    world.legal[:] = True
    return world


@pytest.mark.parametrize("backend", ["native", "jax"])
@pytest.mark.parametrize("prove", [True, False])
@pytest.mark.parametrize("name", ["puct", "uct"])
def test_every_subtree_is_the_tree_of_a_search_begun_there(name, prove, backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())
    rule, widths = {
        "puct": (PUCT(jnp.float32(0.4), jnp.float32(20.0)), None),
        "uct": (UCT(jnp.float32(0.7)), ONE_BY_ONE),
    }[name]
    rows = jnp.arange(ROOM)
    sizes, proved = [], 0
    for seed, kind in ((0, "real"), (1, "real"), (1, "wins"), (11, "wins")):
        if name == "uct" and kind == "wins":
            continue  # equal returns are ties for UCT
        task, judge = as_task(world_without_ties(seed, kind))
        model = TaskModel(task, task.objective, judge)
        ways = (prove, backend, widths)
        start, seeds = jnp.zeros(ROOM, jnp.int32), jnp.full(ROOM, 7, jnp.uint32)
        old = grow(model, rule, start, jnp.full(ROOM, 60), seeds, *ways)
        size = int(old.tree.size[0])
        node = jnp.minimum(rows, size - 1).astype(jnp.int32)
        got, done = reroot(old.tree, node)
        through = old.tree.nodes[rows, node, COUNT].astype(jnp.int32) - 1
        root = old.tree.state(rows, node)
        fresh = grow(model, rule, root, through, rows.astype(jnp.uint32), *ways)
        for part in ("size", "nodes", "states"):
            np.testing.assert_array_equal(getattr(got, part), getattr(fresh.tree, part))
        # A root's prior is worked out by XLA, those of other nodes by the back end.
        edges, wanted = np.array(got.edges), np.array(fresh.tree.edges)
        np.testing.assert_allclose(edges[:, 0, LOGIT], wanted[:, 0, LOGIT], rtol=1e-6)
        edges[:, 0, LOGIT] = wanted[:, 0, LOGIT]
        np.testing.assert_array_equal(edges, wanted)
        moved = np.arange(1, size)
        np.testing.assert_array_equal(done[moved], fresh.done[moved])
        sizes.append(size)
        proved += int(done[moved].sum())
    assert min(sizes) > 12 and max(sizes) > 30 and proved > 4


def test_a_subtree_is_what_hangs_below():
    rng = np.random.default_rng(0)
    for _ in range(20):
        parent = np.array([[rng.integers(0, i) for i in range(1, 30)] for _ in range(4)])
        parent = np.pad(parent, ((0, 0), (1, 10)))
        size, node = rng.integers(1, 31, 4), rng.integers(0, 30, 4)
        node = np.minimum(node, size - 1)
        below = np.zeros((4, 40), bool)
        for row in range(4):
            for i in range(size[row]):
                j = i
                while j not in (0, node[row]):
                    j = parent[row, j]
                below[row, i] = j == node[row]
        assert (subtree_of(parent, size, node) == below).all()


def subtree_of(parent, size, node):
    world = reuse.nothing(jnp.zeros(4, jnp.int32), ACTIONS, 39, True).tree
    nodes = world.nodes.at[:, :, PARENT].set(parent)
    tree = eqx.tree_at(lambda t: (t.nodes, t.size), world, (nodes, jnp.asarray(size)))
    return np.asarray(reuse.subtree(tree, jnp.asarray(node, jnp.int32)))


def test_the_most_visited_node_with_the_state_is_found():
    rng = np.random.default_rng(1)
    blank = reuse.nothing(jnp.zeros(50, jnp.int32), ACTIONS, 149, True).tree
    held = rng.integers(0, 12, (50, 150))
    count, chance = rng.permuted(np.tile(np.arange(150), (50, 1)), axis=1), rng.random((50, 150))
    size, wanted = rng.integers(0, 151, 50), rng.integers(0, 15, 50)
    nodes = blank.nodes.at[:, :, COUNT].set(count).at[:, :, CHANCE].set(chance < 0.3)
    states = jax.vmap(lambda s: pack(s))(jnp.asarray(held, jnp.int32))
    parts = (nodes, states, jnp.asarray(size))
    tree = eqx.tree_at(lambda t: (t.nodes, t.states, t.size), blank, parts)
    node, there = reuse.find(tree, pack(jnp.asarray(wanted, jnp.int32)))
    for row in range(50):
        matches = np.flatnonzero((held[row] == wanted[row]) & (chance[row] >= 0.3))
        matches = matches[matches < size[row]]
        assert there[row] == (len(matches) > 0)
        if len(matches):
            assert node[row] == matches[np.argmax(count[row, matches])]
    assert 10 < there.sum() < 45


BUDGETS = np.arange(16) % 9 + 12


def two_decisions(planner, budgets=BUDGETS, second=None, **options):
    """Decide, take the action, decide again with what is remembered: (state, memory, answer)."""
    task, start = planner.task, jnp.zeros(16, jnp.int32)
    keys = jax.random.split(jax.random.key(3), 16)
    memory = planner.begin(16)
    first, memory = planner.decide(start, memory, budget=Budget(jnp.asarray(budgets)), key=keys)
    state = task.child[start, first.action]
    second = budgets if second is None else second
    budget = Budget(jnp.asarray(second))
    decision, after = planner.decide(state, memory, budget=budget, key=keys, **options)
    return state, memory, decision, after


@pytest.mark.parametrize("prove", [True, False])
def test_a_decision_goes_on_where_the_last_one_left_its_state(prove):
    task, judge = as_task(world_without_ties(1))
    rule = PUCT(jnp.float32(0.4), jnp.float32(20.0))
    planner = TreeSearch(task, rule, judge, reuse=True, prove=prove, capacity=ROOM - 1)
    state, memory, decision, after = two_decisions(planner)
    node, found = reuse.find(memory.tree, pack(state))
    carried = np.asarray(memory.tree.nodes[np.arange(16), node, COUNT]) - 1
    assert found.all() and (carried > 2).all()
    plain = TreeSearch(task, rule, judge, prove=prove, capacity=ROOM - 1)
    total = jnp.asarray(carried + BUDGETS, jnp.int32)
    whole, _ = plain.decide(state, budget=Budget(total), key=jax.random.key(9))
    np.testing.assert_array_equal(decision.action, whole.action)
    np.testing.assert_array_equal(decision.weights, whole.weights)
    np.testing.assert_array_equal(decision.value, whole.value)
    np.testing.assert_array_equal(after.tree.edges[:, 0, VISITS].sum(1), total)
    # What was spent is what is new: nodes of the tree, and no judgement of the root.
    kept = np.asarray(reuse.subtree(memory.tree, node)).sum(1)
    new = np.asarray(after.tree.size) - kept
    assert (new > 0).all()
    np.testing.assert_array_equal(decision.spent.model_steps, new)
    judged = whole.spent.network_evaluations - decision.spent.network_evaluations
    held = np.ascontiguousarray(memory.tree.states).view(np.int32)[:, :, 0]
    below = np.asarray(reuse.subtree(memory.tree, node))
    np.testing.assert_array_equal(judged, (below & ~np.asarray(task.over)[held]).sum(1))


def test_another_objective_starts_afresh():
    task, judge = as_task(world_without_ties(1), plain=True)
    planner = TreeSearch(task, "puct", judge, reuse=True, capacity=ROOM - 1)
    turned = misere(task.objective)
    louder = eqx.tree_at(lambda o: o.reward, task.objective, task.objective.reward * 2)
    for objective, same in ((None, True), (task.objective, True), (turned, False), (louder, False)):
        state, _, decision, after = two_decisions(planner, objective=objective)
        fresh, _ = planner.decide(
            state,
            objective=objective,
            budget=Budget(jnp.asarray(BUDGETS)),
            key=jax.random.split(jax.random.key(3), 16),
        )
        visits = np.asarray(after.tree.edges[:, 0, VISITS].sum(1))
        assert (visits > BUDGETS).all() if same else (visits <= BUDGETS).all()
        if not same:
            np.testing.assert_array_equal(decision.weights, fresh.weights)


def test_objectives_are_told_apart_by_form_and_by_numbers():
    task, _ = as_task(random_world(0))
    one = task.objective
    other = eqx.tree_at(lambda o: o.reward, one, one.reward.at[3, 1].add(1e-6))
    swapped = eqx.tree_at(lambda o: o.reward, one, one.reward[:, ::-1])
    aims = [aim_of(x) for x in (one, misere(one), misere(misere(one)), other, swapped)]
    aims = [tuple(np.asarray(x).tolist()) for x in aims]
    assert aims[0] == aims[2] and len(set(aims)) == 4


def test_rows_start_afresh_where_a_subtree_leaves_no_room_and_alone_decide_that():
    task, judge = as_task(world_without_ties(1))
    keys = jax.random.split(jax.random.key(3), 16)
    planner = TreeSearch(task, "puct", judge, reuse=True, capacity=24)
    plain = TreeSearch(task, "puct", judge, capacity=24)
    budgets = np.full(16, 20)
    second = np.where(np.arange(16) % 3 == 0, 24, np.arange(16))
    second[5] = 100  # its trees outgrow the memory
    state, memory, decision, after = two_decisions(planner, budgets, second)
    node, found = reuse.find(memory.tree, pack(state))
    kept = np.asarray(reuse.subtree(memory.tree, node)).sum(1)
    room = np.where(second > 24, 128, 24) + 1
    fits = kept + second <= room
    assert found.all() and 5 < fits.sum() < 12
    fresh, _ = plain.decide(state, budget=Budget(jnp.asarray(second)), key=keys)
    np.testing.assert_array_equal(decision.weights[~fits], fresh.weights[~fits])
    more = after.tree.edges[:, 0, VISITS].sum(1) > second
    assert more[fits].all() and not more[~fits].any()
    assert (after.tree.size > 0).sum() == 15 and after.tree.size[5] == 0
    for row in (0, 1, 5):
        one = slice(row, row + 1)
        memory = planner.begin(1)
        start, key = jnp.zeros(1, jnp.int32), keys[one]
        _, memory = planner.decide(start, memory, budget=int(budgets[row]), key=key)
        alone, _ = planner.decide(state[one], memory, budget=int(second[row]), key=key)
        np.testing.assert_allclose(alone.weights[0], decision.weights[row], atol=1e-6)
        for name in ("model_steps", "network_evaluations"):
            assert getattr(alone.spent, name)[0] == getattr(decision.spent, name)[row]


@pytest.mark.parametrize("rule", ["uct", "puct", "gumbel"])
def test_keeps_the_contract_of_deciders_with_its_memory(rule):
    task, judge = as_task(random_world(4))
    judge = RandomRollouts() if rule == "uct" else judge
    check_decider(TreeSearch(task, rule, judge, reuse=True, capacity=64))


@pytest.mark.usefixtures("full_speed")
def test_plays_on_from_its_memory_and_proofs_stay_proved():
    solution = solve(make_task("tic_tac_toe"))
    planner = TreeSearch(solution.task, "uct", reuse=True, budget=4096, capacity=8192)
    games = rollout(solution.task, planner, key=jax.random.key(5), batch=4)
    assert (games.returns == 0).all()  # perfect play is a draw
    keys = jax.random.split(jax.random.key(0), 4)
    advance = jax.jit(jax.vmap(solution.task.advance))
    state = jax.vmap(solution.task.init)(keys)
    for action in (4, 0, 8, 2):  # the first player must now block
        state = advance(state, jnp.full(4, action), keys)
    memory, steps = planner.begin(4), []
    for _ in range(3):
        decision, memory = planner.decide(state, memory, budget=4096, key=jax.random.key(1))
        assert memory.done.all()
        np.testing.assert_allclose(decision.value, solution.values(state), atol=1e-6)
        steps.append(decision.spent.model_steps.tolist())
        copied = copy.deepcopy(memory)  # or one that was saved
        again, after = planner.decide(state, copied, budget=4096, key=jax.random.key(2))
        assert (again.spent.model_steps == 0).all() and (again.value == decision.value).all()
        np.testing.assert_array_equal(after.tree.root.visits, memory.tree.root.visits)
        state = advance(state, decision.action, keys)
    assert min(steps[0]) > 0 and steps[1:] == [[0] * 4, [0] * 4]


def test_halving_counts_new_visits_only():
    """Sequential halving with a past: the published schedule on top of carried visits."""
    world = world_without_ties(3)
    world.over[:], world.over[-1] = False, True
    task, judge = as_task(world)
    rule = Gumbel(noise=0.0)
    planner = TreeSearch(task, rule, judge, reuse=True, prove=False, capacity=ROOM - 1)
    second = np.arange(16) + 4
    state, memory, decision, after = two_decisions(planner, np.full(16, 24), second)
    node, found = reuse.find(memory.tree, pack(state))
    assert found.all()
    base = np.asarray(memory.tree.edges[np.arange(16), node, VISITS])
    assert (base.max(1) > 1).all()
    visits = np.asarray(after.tree.edges[:, 0, VISITS]) - base
    scores = np.asarray(rule.sigma(after.tree.root) + after.tree.root.logits)
    for row, budget in enumerate(second):
        counts = np.zeros(ACTIONS, int)
        # Which place in the ranking gets how many: of each phase the first so many places.
        for _, place, _ in reference.halving(ACTIONS, int(budget)):
            counts[place] += 1
        assert sorted(visits[row], reverse=True) == sorted(counts, reverse=True)
        most = visits[row] == visits[row].max()
        assert decision.action[row] == np.argmax(np.where(most, scores[row], -np.inf))


def test_a_compiled_decision_remembers_as_well_and_never_outgrows_its_room():
    task, judge = as_task(world_without_ties(1))
    planner = TreeSearch(task, "puct", judge, reuse=True, prove=False, capacity=24)
    keys = jax.random.split(jax.random.key(3), 16)
    budget = jnp.asarray(BUDGETS)

    @light
    def compiled(state, memory, budget):
        return planner.decide(state, memory, budget=Budget(budget), key=keys)

    state, memory, decision, after = two_decisions(planner)
    again, kept = compiled(state, memory, budget)
    np.testing.assert_allclose(again.weights, decision.weights, atol=1e-6)
    np.testing.assert_array_equal(kept.tree.size, after.tree.size)
    # What cannot be looked at is cut: documented, and only there.
    many, _ = compiled(state, planner.begin(16), jnp.full(16, 60))
    assert (many.spent.model_steps <= 24).all() and (many.spent.model_steps > 12).any()
    plain = jax.jit(lambda s: planner.decide(s, budget=60, key=keys)[0].spent.model_steps)
    np.testing.assert_array_equal(
        plain(state), planner.decide(state, budget=60, key=keys)[0].spent.model_steps
    )


def test_memories_of_others_are_refused():
    task, judge = as_task(random_world(1))
    planner = TreeSearch(task, "puct", judge, reuse=True, capacity=16)
    start, key = jnp.zeros(16, jnp.int32), jax.random.key(0)
    other = TreeSearch(task, "puct", judge, reuse=True, capacity=17)
    for memory, error, words in (
        (other.begin(16), ForeignMemoryError, "other trees"),
        ((1, 2), ForeignMemoryError, "tuple"),
        (planner.begin(3), BatchMismatchError, "3 rows"),
    ):
        with pytest.raises(error, match=words):
            planner.decide(start, memory, budget=4, key=key)
    big = TreeSearch(task, "puct", judge, reuse=True, capacity=16, max_bytes=1000)
    for call in (lambda: big.begin(16), lambda: big.decide(start, budget=4, key=key)):
        with pytest.raises(TooLargeError, match="max_bytes"):
            call()
    assert TreeSearch(task, "puct", judge).begin(16) is None


def test_a_search_that_failed_is_not_remembered():
    world = world_without_ties(1)
    world.reward[5] = np.nan
    task, judge = as_task(world)
    planner = TreeSearch(task, "puct", judge, reuse=True, prove=False, capacity=ROOM - 1)
    keys = jax.random.split(jax.random.key(0), 16)
    roots = jnp.arange(16)

    @light
    def compiled(state, memory):
        return planner.decide(state, memory, budget=30, key=keys)[1]

    memory = compiled(roots, planner.begin(16))
    reached = np.asarray(memory.tree.size) == 0
    assert reached[5] and not reached[6:].any() and reached[:5].any()


def test_an_objective_is_told_by_the_same_words_in_every_process():
    code = (
        "import numpy as np; from deliberation import make_task, misere;"
        "from deliberation.direct.aims import aim_of; task = make_task('gridworld');"
        "first = {first};"
        "print(*[int(x) for o in (task.objective, misere(task.objective)) for x in aim_of(o)])"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code.replace("{first}", first)],
            capture_output=True, text=True, check=True,
        ).stdout.split()
        for first in ("0", "aim_of(misere(task.objective))")
    ]  # fmt: skip
    assert told[0] == told[1]
    assert told[0][:2] != told[0][2:]
