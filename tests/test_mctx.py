"""`deliberation.direct.mctx` finds what mctx finds with the same keys; and what it adds to that."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import mctx
import mctx_worlds as worlds
import numpy as np
import pytest
from mctx._src import seq_halving
from mctx_worlds import ACTIONS, BATCH
from tables import LIGHT

import deliberation.direct.mctx as ours
from deliberation.core.errors import (
    BatchMismatchError,
    BudgetError,
    ContractError,
    NonFiniteError,
    TooLargeError,
)
from deliberation.direct.mctx.rules import considered_visits
from deliberation.direct.tree_search.backends.choice import why_not_native

SIMULATIONS = 20
BACKENDS = ["native", "jax"]
WHOLE = (
    "node_visits", "parents", "action_from_parent", "children_index", "children_visits",
)  # fmt: skip
REAL = (
    "raw_values", "node_values", "children_prior_logits", "children_rewards", "children_discounts",
    "children_values",
)  # fmt: skip


def available(backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())


def scaled(lib, tree, node):
    """A transform of a user's own, which looks at more than one field."""
    q = lib.qtransform_completed_by_mix_value(tree, node, value_scale=0.05)
    return q + 0.01 * tree.children_rewards[node] - 0.02 * tree.raw_values[node]


def partly(lib, name, **options):
    return functools.partial(getattr(lib, f"qtransform_{name}"), **options)


CASES = {
    # policy, the function to follow, and what differs from the defaults
    "muzero": ("muzero", worlds.follow_network, lambda lib: {"temperature": 0.5}),
    "muzero, mixed": (
        "muzero", worlds.follow_network,
        lambda lib: {
            "dirichlet_fraction": 0.0, "max_depth": 2,
            "qtransform": partly(lib, "completed_by_mix_value", value_scale=0.02),
        },
    ),
    "gumbel": ("gumbel_muzero", worlds.follow_network, lambda lib: {}),
    "gumbel of 3": (
        "gumbel_muzero", worlds.follow_tables,
        lambda lib: {
            "max_num_considered_actions": 3, "gumbel_scale": 0.5, "max_depth": 3,
            "qtransform": partly(
                lib, "completed_by_mix_value", maxvisit_init=3.0, rescale_values=False,
                use_mixed_value=False,
            ),
        },
    ),
    "gumbel, own": (
        "gumbel_muzero", worlds.follow_network,
        lambda lib: {"gumbel_scale": 0.0, "qtransform": functools.partial(scaled, lib)},
    ),
    "connect four": ("muzero", worlds.follow_connect_four, lambda lib: {"dirichlet_fraction": 0.0}),
    "stochastic": ("stochastic_muzero", None, lambda lib: {"max_depth": 6}),
}  # fmt: skip


@functools.cache
def compiled(lib, case, backend=None, **extra):
    """One program for all worlds of a case: (parameters, key, root, invalid actions) to output."""
    policy, follow, options = CASES[case]
    search = getattr(lib, f"{policy}_policy")
    own = {} if backend is None else {"backend": backend}
    follows = [
        worlds.bound(lib, f) for f in ([follow] if follow else [worlds.decide, worlds.happen])
    ]
    given = {"num_simulations": SIMULATIONS, **options(lib), **own, **extra}

    def run(params, key, root, invalid, **more):
        return search(
            params, key, lib.RootFnOutput(**root), *follows, invalid_actions=invalid,
            **{**given, **more},
        )  # fmt: skip

    return jax.jit(run, compiler_options=LIGHT)


def some_invalid(seed, actions):
    """Masks of all kinds; in one row nothing is valid."""
    invalid = np.random.default_rng(seed).random((BATCH, actions)) < 0.3
    invalid[np.arange(BATCH), np.arange(BATCH) % actions] = False
    invalid[0] = seed % 2 == 0
    return jnp.asarray(invalid)


@functools.cache
def of(case, seed):
    """The arguments of one world of a case."""
    follow = CASES[case][1]
    if follow is worlds.follow_tables:
        params, root = worlds.tables(seed, "ties" if seed % 2 else "real")
    elif follow is worlds.follow_connect_four:
        params, root = worlds.connect_four(seed)
    else:
        params, root = worlds.network(seed, noise=0.3 * (seed % 2))
    actions = root["prior_logits"].shape[1]
    invalid = some_invalid(seed, actions)
    if seed == 3:
        # Some mask by logits instead.
        logits = jnp.where(invalid, -jnp.inf, root["prior_logits"])
        root, invalid = {**root, "prior_logits": logits}, jnp.zeros_like(invalid)
    if follow is worlds.follow_connect_four:
        invalid = root["prior_logits"] == jnp.finfo(jnp.float32).min
    return params, jax.random.key(seed), root, invalid


@functools.cache
def truth(case, seed):
    return jax.tree.map(np.asarray, compiled(mctx, case)(*of(case, seed)))


def leaves(embedding):
    return jax.tree.leaves(dict(embedding) if isinstance(embedding, Mapping) else embedding)


def same(got, true, rtol=2e-5):
    np.testing.assert_array_equal(got.action, true.action)
    np.testing.assert_allclose(got.action_weights, true.action_weights, rtol=rtol, atol=rtol)
    tree, other = got.search_tree, true.search_tree
    for name in WHOLE:
        np.testing.assert_array_equal(getattr(tree, name), getattr(other, name), name)
    for name in REAL:
        a, b = getattr(tree, name), getattr(other, name)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol, err_msg=name)
    for a, b in zip(leaves(tree.embeddings), leaves(other.embeddings), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    for a, b in zip(tree.summary().values(), other.summary().values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_finds_what_mctx_finds(case, backend):
    available(backend)
    search = compiled(ours, case, backend)
    for seed in range(4):
        same(search(*of(case, seed)), truth(case, seed))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_back_end_asked_for_walks_the_tree(backend):
    available(backend)
    given = of("muzero", 0)
    text = compiled(ours, "muzero", backend).lower(*given).as_text()
    assert ("deliberation_round" in text) == (backend == "native")


def test_transforms_of_ones_own_go_by_jax():
    available("native")
    text = compiled(ours, "gumbel, own", "native").lower(*of("gumbel, own", 0)).as_text()
    assert "deliberation_round" not in text


def test_turns_of_sequential_halving():
    budgets, most = (1, 7, 64, 200), 24
    pairs = [(b, m) for b in budgets for m in range(most + 1)]
    budget, considered = (jnp.asarray(x, jnp.int32) for x in zip(*pairs, strict=True))
    turns = jax.jit(considered_visits, static_argnums=3)
    got = np.asarray(turns(jnp.arange(200)[:, None], budget, considered, most))
    for row, (b, m) in enumerate(pairs):
        true = seq_halving.get_sequence_of_considered_visits(m, b)
        np.testing.assert_array_equal(got[:b, row], true)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", ["muzero, mixed", "gumbel"])
def test_budgets_are_data(case, backend):
    """One program for all budgets; each row has its own and comes out as it would alone."""
    available(backend)
    params, key, root, invalid = of(case, 1)
    search = compiled(ours, case, backend, num_simulations=None, capacity=SIMULATIONS)
    every = search(params, key, root, invalid, num_simulations=jnp.int32(SIMULATIONS))
    same(every, truth(case, 1))
    budgets = jnp.asarray(np.arange(BATCH) * 5 % (SIMULATIONS + 1), jnp.int32)
    mixed = search(params, key, root, invalid, num_simulations=budgets)
    visits = np.asarray(mixed.search_tree.summary().visit_counts)
    np.testing.assert_array_equal(visits.sum(1), budgets)
    for budget in (0, 5, SIMULATIONS):
        alone = search(params, key, root, invalid, num_simulations=jnp.int32(budget))
        rows = np.flatnonzero(budgets == budget)
        same(*(jax.tree.map(lambda x: x[rows], out) for out in (mixed, alone)), rtol=1e-6)  # noqa: B023


def test_a_smaller_budget_is_mctx_of_that_size():
    params, key, root, invalid = of("gumbel", 2)
    dynamic = compiled(ours, "gumbel", "jax", num_simulations=None, capacity=SIMULATIONS)
    got = dynamic(params, key, root, invalid, num_simulations=jnp.int32(9))
    true = compiled(mctx, "gumbel", num_simulations=9)(params, key, root, invalid)
    np.testing.assert_array_equal(got.action, true.action)
    np.testing.assert_allclose(got.action_weights, true.action_weights, atol=2e-5)
    parents = np.asarray(got.search_tree.parents)[:, :10]
    np.testing.assert_array_equal(parents, true.search_tree.parents)


def plain(case="muzero", change=None, **options):
    """A small search as a user would write it; `change` alters what the model says."""
    policy, follow, _ = CASES[case]
    params, key, root, _ = of(case, 0)

    def recurrent_fn(*args):
        made, after = follow(ours, *args)
        return (made, after) if change is None else change(made, after)

    given = {"num_simulations": 3, **options}
    if policy == "muzero":
        given.setdefault("dirichlet_fraction", 0)
    roots = ours.RootFnOutput(**{**root, **given.pop("root", {})})
    search = getattr(ours, f"{policy}_policy")
    params, key = given.pop("params", params), given.pop("key", key)
    return search(params, key, roots, recurrent_fn, **given)


def jitted(*args, **options):
    return jax.jit(lambda: plain(*args, **options), compiler_options=LIGHT)()


@functools.cache
def usual(case="muzero"):
    """The small search with nothing changed."""
    return jitted(case)


def equal(got, true):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(true), strict=True):
        np.testing.assert_array_equal(a, b)


def test_keys_of_every_kind():
    equal(jitted(key=jax.random.PRNGKey(0)), usual())
    other = jitted(key=jax.random.key(0, impl="rbg"))
    np.testing.assert_allclose(other.action_weights.sum(1), 1.0, rtol=1e-6)


def test_loop_fn_is_honoured():
    asked = []

    def loop_fn(first, last, body, start):
        asked.append((first, last))
        return jax.lax.fori_loop(first, last, body, start)

    equal(jitted("gumbel", loop_fn=loop_fn), usual("gumbel"))
    assert asked == [(0, 3)]


def test_records_are_mctx_s():
    """A function may go on returning mctx's records; ours are mappings and can be replaced."""

    def change(made, after):
        return mctx.RecurrentFnOutput(**made), after

    got = jitted(change=change)
    equal(got, usual())
    assert set(got) == {"action", "action_weights", "search_tree"}
    assert got.replace(action=1)["action"] == 1


ROW = 5
FIELDS = ("reward", "value", "prior_logits")


@functools.cache
def spoilt(policy, backend):
    """A search in which one row's model goes wrong in a field when the embedding has an age."""

    def run(which, wrong, age):
        def change(made, after):
            for i, field in enumerate(FIELDS):
                old = made[field]
                there = (jnp.arange(BATCH) == ROW) & (after["age"] == age) & (which == i)
                bad = jnp.where(there.reshape(-1, *[1] * (old.ndim - 1)), wrong, old)
                made = made.replace(**{field: bad})
            return made, after

        return plain(policy, change=change, backend=backend)

    return jax.jit(run, compiler_options=LIGHT)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("policy", ["muzero", "gumbel"])
def test_what_is_not_finite_voids_its_row_and_is_found(policy, backend):
    available(backend)
    search = spoilt(policy, backend)
    sound = search(-1, 0.0, 1)
    ours.check_finite(sound)
    others = np.arange(BATCH) != ROW
    for which, field in enumerate(FIELDS):
        for wrong in (jnp.nan, jnp.inf):
            got = search(which, wrong, 1)
            assert got.action[ROW] == -1 and np.isnan(got.action_weights[ROW]).all()
            equal((got.action[others], got.action_weights[others]),
                  (sound.action[others], sound.action_weights[others]))  # fmt: skip
            place = rf"{field.replace('_', ' ')} of simulation 1 .*row {ROW} .*1 of {BATCH} rows"
            with pytest.raises(NonFiniteError, match=place):
                ours.check_finite(got)
    # Age 2 is first met behind the first node, whichever that simulation is.
    depth = np.asarray(sound.search_tree.embeddings["age"])[ROW]
    if (depth == 2).any():
        with pytest.raises(NonFiniteError, match=f"simulation {np.argmax(depth == 2)} "):
            ours.check_finite(search(0, jnp.nan, 2))


def test_outside_of_jit_what_is_not_finite_raises():
    with pytest.raises(NonFiniteError, match="value of the root, in row 2"):
        plain(root={"value": jnp.zeros(BATCH).at[2].set(jnp.nan)}, num_simulations=0)
    logits = jnp.zeros((BATCH, ACTIONS)).at[3].set(jnp.nan)
    wrong = jax.jit(lambda: plain("gumbel", root={"prior_logits": logits}, num_simulations=0))
    with pytest.raises(NonFiniteError, match="prior logits of the root, in row 3"):
        ours.check_finite(wrong())


REFUSED = {
    "beyond the capacity": (BudgetError, "capacity of 2", {"capacity": 2}),
    "negative": (BudgetError, "got -1", {"num_simulations": -1}),
    "too large": (TooLargeError, "bytes", {"max_bytes": 1000}),
    "too many": (TooLargeError, "numbered", {"capacity": 2**25}),
    "a mask of another shape": (
        BatchMismatchError, "invalid_actions", {"invalid_actions": jnp.zeros((BATCH, 2))},
    ),
    "values of another batch": (
        BatchMismatchError, "prior_logits", {"root": {"value": jnp.zeros(3)}},
    ),
    "embeddings of another batch": (
        BatchMismatchError, r"embedding.*first axis", {"root": {"embedding": {"x": jnp.zeros(3)}}},
    ),
    "rewards of another shape": (
        ContractError, r"reward must have shape",
        {"change": lambda made, after: (made.replace(reward=made.reward[:, None]), after)},
    ),
    "another structure": (
        ContractError, "structure", {"change": lambda made, after: (made, after["x"])},
    ),
    "another shape": (
        ContractError, r"\['x'\] must be float32",
        {"change": lambda made, after: (made, {**after, "x": after["x"][:, :2]})},
    ),
    "another type": (
        ContractError, r"\['age'\] must be int32",
        {"change": lambda made, after: (made, {**after, "age": after["age"] + 0.5})},
    ),
}  # fmt: skip


def test_a_traced_budget_needs_a_capacity():
    with pytest.raises(BudgetError, match="capacity="):
        jax.jit(lambda n: plain(num_simulations=n))(3)


def test_no_gradient_goes_through_a_search():
    def weight(params):
        return plain("gumbel", params=params).action_weights[:, 0].sum()

    slope = jax.jit(jax.grad(weight), compiler_options=LIGHT)(of("gumbel", 0)[0])
    assert all((np.asarray(x) == 0).all() for x in jax.tree.leaves(slope))


@pytest.mark.parametrize("what", REFUSED)
def test_bad_input_is_refused(what):
    error, says, options = REFUSED[what]
    with pytest.raises(error, match=says):
        jax.eval_shape(lambda: plain(**options))
