"""Every public name of mctx is in `deliberation.direct.mctx`, and the two are held side by side."""

import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import mctx
import mctx_worlds as worlds
import numpy as np
import pytest
from mctx_worlds import ACTIONS, BATCH
from tables import LIGHT

import deliberation.direct.mctx as ours
from deliberation.core.errors import BatchMismatchError, ContractError, NonFiniteError
from deliberation.direct.tree_search.backends.choice import why_not_native

SIMULATIONS = 12
BACKENDS = ["native", "jax"]
RECORDS = [
    "RootFnOutput", "RecurrentFnOutput", "PolicyOutput", "DecisionRecurrentFnOutput",
    "ChanceRecurrentFnOutput", "GumbelMuZeroExtraData", "Tree",
]  # fmt: skip


def available(backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())


def lightly(function):
    return jax.jit(function, compiler_options=LIGHT)


def plain(leaf):
    """Numbers, of keys too."""
    return np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
                      else leaf)  # fmt: skip


def alike(got, true):
    """Two records with the same fields, and the same in them to rounding."""
    assert list(got) == list(true)
    for name, field in true.items():
        leaves = jax.tree.leaves(got[name]), jax.tree.leaves(field)
        for a, b in zip(*leaves, strict=True):
            assert a.dtype == b.dtype, name
            np.testing.assert_allclose(plain(a), plain(b), rtol=2e-5, atol=2e-5, err_msg=name)


# Names and records


def test_every_name_is_there_with_mctx_s_arguments():
    public = [name for name in dir(mctx) if not name.startswith("_")]
    assert set(public) <= set(dir(ours)) and set(mctx.__all__) <= set(ours.__all__)
    for name in public:
        true, got = getattr(mctx, name), getattr(ours, name)
        if not inspect.isfunction(true):
            continue
        have = inspect.signature(got).parameters
        for argument in inspect.signature(true).parameters.values():
            same = have[argument.name]
            assert same.kind == argument.kind, (name, argument)
            defaults = [getattr(x.default, "__name__", x.default) for x in (argument, same)]
            assert defaults[0] == defaults[1], (name, argument)
        positional = [k for k, v in have.items() if v.kind == v.POSITIONAL_OR_KEYWORD]
        assert positional == list(inspect.signature(true).parameters)[: len(positional)]


@pytest.mark.parametrize("name", RECORDS)
def test_records_have_mctx_s_habits(name):
    theirs, own = getattr(mctx, name), getattr(ours, name)
    fields = {field.name: np.float32(i) for i, field in enumerate(dataclasses.fields(theirs))}
    true, got = theirs(**fields), own(**fields)
    assert list(got) == list(got.keys()) == list(true) and len(got) == len(true)
    assert dict(got) == dict(true) and got.to_tuple() == true.to_tuple()
    assert dict(own(fields)) == dict(own.from_tuple(got.to_tuple())) == fields
    last = list(fields)[-1]
    assert got[last] == getattr(got, last) == fields[last] and last in got and "x" not in got
    other = got.replace(**{last: 9})
    assert type(other) is own and other[last] == 9 and got[last] == fields[last]
    assert dataclasses.replace(got, **{last: 9})[last] == 9
    # Leaves come in mctx's order, under mctx's names.
    leaves = [jax.tree_util.tree_leaves_with_path(x) for x in (got, true)]
    assert leaves[0] == leaves[1]
    assert dict(jax.tree.map(lambda x: x + 1, got)) == {k: v + 1 for k, v in fields.items()}
    with pytest.raises(KeyError):
        got["x"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(got, last, 0)
    with pytest.raises(TypeError):
        own(**fields, x=0)


# A world in tables, whose embeddings have leaves of every type


@functools.cache
def world(seed, bad=False):
    """(parameters, roots) of random tables; if `bad`, some values and rewards are -inf.

    Of odd seeds ties are everywhere.
    """
    params, root = worlds.tables(seed, "ties" if seed % 2 else "real")
    params["luck"] = jnp.float32(0.0 if seed % 2 else 0.1)
    if bad:
        value, reward = np.array(params["value"]), np.array(params["reward"])
        value[[9, 17, 30]] = reward[5, 1] = reward[11, :2] = -np.inf
        params = {**params, "value": jnp.asarray(value), "reward": jnp.asarray(reward)}
        params["discount"] = jnp.full_like(params["discount"], 0.9)
    keys = [jax.random.split(jax.random.key(seed, impl=x), BATCH) for x in ("threefry2x32", "rbg")]
    embedding = {
        "at": root["embedding"], "key": keys[0], "other": keys[1],
        "z": jnp.full((BATCH, 2), 1 + 2j, jnp.complex64), "none": jnp.zeros((BATCH, 0, 3)),
        "none of bytes": jnp.zeros((BATCH, 2, 0), bool), "four bits": jnp.ones(BATCH, jnp.int4),
    }  # fmt: skip
    return params, {**root, "embedding": embedding}


def follow(lib, params, key, action, state):
    made, at = worlds.follow_tables(lib, params, key, action, state["at"])
    keys = jax.vmap(jax.random.fold_in)(state["key"], action)
    z = state["z"] * (0.6 + 0.8j)
    luck = jax.vmap(jax.random.uniform)(keys)
    more = luck + z[:, 0].imag * state["four bits"].astype(jnp.float32)
    value = made.value + params["luck"] * more
    new = {**state, "at": at, "key": keys, "z": z, "four bits": -state["four bits"]}
    return made.replace(value=value), new


def masked(seed):
    invalid = np.random.default_rng(seed).random((BATCH, ACTIONS)) < 0.3
    invalid[:, seed % ACTIONS] = False
    return jnp.asarray(invalid)


@functools.cache
def muzero(lib, backend=None):
    """A program of everything that may be data: the depth too."""
    own = {} if backend is None else {"backend": backend}

    def run(params, root, key, invalid, depth):
        transform = functools.partial(lib.qtransform_by_min_max, min_value=-3.0, max_value=3.0)
        return lib.muzero_policy(
            params, key, lib.RootFnOutput(**root), functools.partial(follow, lib), SIMULATIONS,
            invalid, depth, qtransform=transform, dirichlet_fraction=0.0, pb_c_init=2.0,
            pb_c_base=50.0, temperature=0.0, **own,
        )  # fmt: skip

    return lightly(run)


@functools.cache
def by_muzero(lib, seed=0, depth=SIMULATIONS, bad=False, backend=None):
    """A search of one of the worlds."""
    params, root = world(seed, bad)
    invalid = jnp.zeros((BATCH, ACTIONS), bool) if bad else masked(seed)
    if seed == 3:
        # Some mask by logits instead.
        root = {**root, "prior_logits": jnp.where(invalid, -jnp.inf, root["prior_logits"])}
        invalid = jnp.zeros_like(invalid)
    return muzero(lib, backend)(params, root, jax.random.key(seed), invalid, jnp.int32(depth))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [False, True])
def test_leaves_of_every_type_traced_depths_and_infinite_values(backend, bad):
    """Typed keys, complex numbers, nothing at all; -inf for what is as bad as can be."""
    available(backend)
    for seed, depth in ((0, SIMULATIONS), (1, SIMULATIONS), (2, 2), (3, SIMULATIONS), (4, 0)):
        got, true = by_muzero(ours, seed, depth, bad, backend), by_muzero(mctx, seed, depth, bad)
        ours.check_finite(got)
        np.testing.assert_array_equal(got.action, true.action)
        np.testing.assert_allclose(got.action_weights, true.action_weights, rtol=1e-6)
        alike(got.search_tree, true.search_tree)
        alike(got.search_tree.summary(), true.search_tree.summary())
        assert (np.asarray(true.search_tree.node_values)[:, 0] == -np.inf).any() == bad


def test_one_depth_for_each_member_of_a_vmapped_search():
    params, root = world(2)
    args = (params, root, jax.random.key(2), masked(2))
    run = lightly(jax.vmap(muzero(ours).__wrapped__, (None, None, None, None, 0)))
    got = run(*args, jnp.asarray([2, 12]))
    for i, depth in enumerate((2, 12)):
        alone = muzero(ours)(*args, jnp.int32(depth))
        np.testing.assert_array_equal(got.action_weights[i], alone.action_weights)


# Trees


def test_trees_are_read_and_changed_as_mctx_s():
    grown, true = (by_muzero(x).search_tree for x in (ours, mctx))
    assert isinstance(grown, ours.Tree) and len(grown) == len(true) == 14
    for got in (grown, grown.replace(), ours.Tree(**true)):
        alike(got, true)
        assert len(got.to_tuple()) == len(true.to_tuple())
        assert (got.num_actions, got.num_simulations) == (true.num_actions, true.num_simulations)
        assert (got.ROOT_INDEX, got.NO_PARENT, got.UNVISITED) == (0, -1, -1)
        nodes = jnp.arange(BATCH) % SIMULATIONS
        np.testing.assert_allclose(got.qvalues(nodes), true.qvalues(nodes), rtol=1e-5, atol=1e-6)
        alike(got.summary(), true.summary())
        row, other = (jax.tree.map(lambda x: x[3], tree) for tree in (got, true))
        np.testing.assert_allclose(row.qvalues(2), other.qvalues(2), rtol=1e-5, atol=1e-6)
        with pytest.raises(BatchMismatchError, match="summary"):
            row.summary()
        with pytest.raises(BatchMismatchError, match="node index for each"):
            got.qvalues(0)
        # What is worked out from a field follows its changes.
        changes = {"children_rewards": true.children_rewards + 1, "extra_data": nodes}
        assert type(got.replace(**changes)) is ours.Tree
        found, wanted = got.replace(**changes), true.replace(**changes)
        np.testing.assert_allclose(found.summary().qvalues, wanted.summary().qvalues, rtol=1e-5)
        np.testing.assert_array_equal(found["extra_data"], nodes)


def test_a_changed_tree_is_checked_too():
    out = by_muzero(ours)
    tree = out.search_tree.replace()
    ours.check_finite(tree)
    ours.check_finite(out.replace(search_tree=tree))
    wrong = tree.replace(raw_values=tree.raw_values.at[5, 3].set(jnp.nan))
    with pytest.raises(NonFiniteError, match=r"value of simulation 3 .*row 5"):
        ours.check_finite(wrong)
    parent, action = int(tree.parents[2, 4]), int(tree.action_from_parent[2, 4])
    rewards = tree.children_rewards.at[2, parent, action].set(jnp.inf)
    with pytest.raises(NonFiniteError, match=r"reward of simulation 4 .*row 2"):
        ours.check_finite(tree.replace(children_rewards=rewards))


# Functions that select an action, one node at a time


def selections(lib):
    """What each function says at every node of every row: (key, tree) to arrays [B, N]."""
    mixed = functools.partial(lib.qtransform_completed_by_mix_value, value_scale=0.3)
    halving = functools.partial(lib.gumbel_muzero_root_action_selection, num_simulations=8)
    fns = {
        "muzero": lib.muzero_action_selection,
        "muzero by other constants": functools.partial(
            lib.muzero_action_selection, pb_c_init=0.3, pb_c_base=20.0, qtransform=mixed
        ),
        "gumbel below": lib.gumbel_muzero_interior_action_selection,
        "gumbel of 3": lambda *at: halving(*at[:3], max_num_considered_actions=3),
        "gumbel of 1": lambda *at: halving(*at[:3], max_num_considered_actions=1, qtransform=mixed),
        "gumbel of 16": lambda *at: halving(*at[:3], max_num_considered_actions=16),
        "min max": lambda key, tree, node, depth: lib.qtransform_by_min_max(
            tree, node, min_value=-2.0, max_value=2.0
        ),
        "siblings": lambda key, tree, node, depth: lib.qtransform_by_parent_and_siblings(
            tree, node, epsilon=0.1
        ),
        "raw value": lambda key, tree, node, depth: lib.qtransform_completed_by_mix_value(
            tree, node, use_mixed_value=False, rescale_values=False
        ),
    }

    def run(key, tree):
        keys = jax.random.split(key, tree.node_visits.shape)
        nodes = jnp.arange(tree.node_visits.shape[1])
        depth = jnp.minimum(nodes, 1)

        def every(fn):
            inner = jax.vmap(fn, (0, None, 0, 0))
            return jax.vmap(lambda keys, row: inner(keys, row, nodes, depth))(keys, tree)

        return {name: every(fn) for name, fn in fns.items()}

    return lightly(run)


def test_selection_functions_choose_as_mctx_s():
    """On a tree of mctx's, which has unvisited, hopeless and invalid actions, and Gumbel noise."""
    true = by_muzero(mctx).search_tree
    noise = jax.random.gumbel(jax.random.key(3), (BATCH, ACTIONS))
    logits = true.children_prior_logits.at[:, 2:, 1].set(-jnp.inf)
    true = true.replace(
        embeddings=None, children_prior_logits=logits,
        extra_data=mctx.GumbelMuZeroExtraData(root_gumbel=noise),
    )  # fmt: skip
    wanted = selections(mctx)(jax.random.key(7), true)
    got = selections(ours)(jax.random.key(7), ours.Tree(**true))
    for name, there in wanted.items():
        assert got[name].dtype == there.dtype
        if there.dtype == jnp.int32:
            # Where none was visited as often as is considered, mctx takes even what is invalid.
            invalid = np.take_along_axis(np.asarray(true.root_invalid_actions), there, 1)
            lost = invalid & name.startswith("gumbel of")
            np.testing.assert_array_equal(np.where(lost, there, got[name]), there, name)
            assert len(np.unique(there)) > 1
        else:
            np.testing.assert_allclose(got[name], there, rtol=1e-5, atol=1e-6, err_msg=name)


# Searches by functions of one's own


def at_root(key, tree, node):
    """Round the valid actions, by what the search was given beside."""
    assert key.dtype == jnp.uint32
    scores = tree.extra_data["start"] - tree.children_visits[node]
    return jnp.argmax(jnp.where(tree.root_invalid_actions, -jnp.inf, scores))


def below(key, tree, node, depth):
    """By many fields, chance and the depth."""
    scores = 0.3 * jax.random.normal(key, (tree.num_actions,)) / (1 + depth)
    scores += tree.qvalues(node) + jax.nn.softmax(tree.children_prior_logits[node])
    scores += tree.children_rewards[node] * tree.children_discounts[node] + tree.raw_values[node]
    scores += 0.1 * (tree.embeddings[node] % tree.num_actions == jnp.arange(ACTIONS))
    return jnp.argmax(scores - 0.1 * tree.children_values[tree.parents[node]])


def searches(lib, fns):
    """A search by (root, interior) functions, in the plain world of the tables."""
    own_root, own_below = fns
    follow_tables = worlds.bound(lib, worlds.follow_tables)

    def run(params, root, key, invalid, extra):
        return lib.search(
            params, key, root=lib.RootFnOutput(**root), recurrent_fn=follow_tables,
            root_action_selection_fn=own_root, interior_action_selection_fn=own_below,
            num_simulations=SIMULATIONS, max_depth=4, invalid_actions=invalid, extra_data=extra,
        )  # fmt: skip

    return run


def test_searches_by_functions_of_ones_own():
    extra = {"start": jax.random.normal(jax.random.key(1), (BATCH, ACTIONS))}
    given = (*worlds.tables(5, "real"), jax.random.PRNGKey(5), masked(5), extra)
    got, true = (lightly(searches(x, (at_root, below)))(*given) for x in (ours, mctx))
    alike(got, true)
    alike(got.summary(), true.summary())
    assert int(true.node_visits[:, 0].min()) == SIMULATIONS + 1


def halving(lib):
    """Gumbel MuZero, put together of its parts."""
    root = functools.partial(
        lib.gumbel_muzero_root_action_selection, num_simulations=SIMULATIONS,
        max_num_considered_actions=4,
    )  # fmt: skip
    return root, lib.gumbel_muzero_interior_action_selection


def test_policies_put_together_of_their_parts():
    """Under vmap, over three batches at once."""
    noise = jax.random.gumbel(jax.random.key(1), (3, BATCH, ACTIONS))
    keys = jax.random.split(jax.random.key(5), 3)
    given = (*worlds.tables(6, "real"), keys, masked(6))
    trees = []
    for lib in (ours, mctx):
        run = jax.vmap(searches(lib, halving(lib)), (None, None, 0, None, 0))
        trees.append(lightly(run)(*given, lib.GumbelMuZeroExtraData(root_gumbel=noise)))
    fields = {k: v for k, v in trees[0].items() if k != "extra_data"}
    alike(fields, {k: trees[1][k] for k in fields})


def test_selection_functions_are_held_to_a_number():
    for wrong in (lambda *at: jnp.zeros(2, jnp.int32), lambda *at: 0.5):
        with pytest.raises(ContractError, match="one action, an integer"):
            given = (*worlds.tables(5, "real"), jax.random.key(5), masked(5), None)
            jax.eval_shape(searches(ours, (wrong, below)), *given)


# Bandits, whose answers are known


def bandit(lib, rewards):
    """One step, after which nothing comes."""

    def recurrent_fn(params, key, action, state):
        gain = jnp.take_along_axis(rewards, action[:, None], 1)[:, 0]
        zeros = jnp.zeros_like(gain)
        made = lib.RecurrentFnOutput(
            reward=gain, discount=zeros, value=zeros, prior_logits=jnp.zeros_like(rewards)
        )
        return made, state

    return recurrent_fn


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("policy", ["muzero", "gumbel_muzero"])
def test_what_is_as_bad_as_can_be_is_tried_once(policy, backend):
    """mctx's own scores are NaN after that, for the transforms that rescale."""
    available(backend)
    more = {"muzero": {"dirichlet_fraction": 0.0, "temperature": 0.0}, "gumbel_muzero": {}}[policy]

    def run(rewards, invalid):
        root = ours.RootFnOutput(
            prior_logits=jnp.zeros_like(rewards), value=jnp.zeros(len(rewards)), embedding=()
        )
        return getattr(ours, f"{policy}_policy")(
            (), jax.random.key(1), root, bandit(ours, rewards), 24, invalid, max_depth=1,
            backend=backend, **more,
        )  # fmt: skip

    worst = -jnp.inf
    rewards = jnp.asarray([[worst, 0.1, 0.9], [worst, 0.5, worst], [worst] * 3, [worst] * 3])
    invalid = jnp.zeros((4, 3), bool).at[3, 0].set(True)
    got = lightly(run)(rewards, invalid)
    ours.check_finite(got)
    np.testing.assert_array_equal(got.action[:2], [2, 1])
    assert got.action[3] != 0
    np.testing.assert_allclose(got.action_weights.sum(-1), 1.0, rtol=1e-6)
    visits = np.asarray(got.search_tree.summary().visit_counts)
    bad = np.isneginf(rewards) & ~np.asarray(invalid)
    if policy == "muzero":
        assert (visits[:2][bad[:2]] == 1).all()
    assert visits[3, 0] == 0
    # The prior is all that there is to go by where all is bad.
    if policy == "gumbel_muzero":
        assert (np.asarray(got.action_weights)[:2][bad[:2]] == 0).all()
        np.testing.assert_allclose(got.action_weights[2], 1 / 3, rtol=1e-6)


def test_with_one_outcome_chance_changes_nothing():
    """Twice the simulations: each passes through an afterstate of its own."""
    logits = jnp.asarray([[-1.0, 0.0, 2.0, 3.0], [0.0, 2.0, 5.0, -4.0]])
    rewards = 0.1 * logits
    invalid = jnp.asarray([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]])

    def decide(params, key, action, state):
        made = ours.DecisionRecurrentFnOutput(
            chance_logits=jnp.asarray([[0.0, -jnp.inf]] * 2),
            afterstate_value=jnp.take_along_axis(rewards, action[:, None], 1)[:, 0],
        )
        return made, (action, state)

    def happen(params, key, outcome, after):
        made, state = bandit(ours, rewards)(params, key, *after)
        made = dict(made)
        return ours.ChanceRecurrentFnOutput(action_logits=made.pop("prior_logits"), **made), state

    def run():
        root = ours.RootFnOutput(prior_logits=logits, value=jnp.zeros(2), embedding=jnp.zeros(2))
        more = {"invalid_actions": invalid, "dirichlet_fraction": 0.0}
        key = jax.random.key(0)
        plainly = ours.muzero_policy((), key, root, bandit(ours, rewards), 10, **more)
        chancy = ours.stochastic_muzero_policy((), key, root, decide, happen, 20, **more)
        return plainly, chancy

    plainly, chancy = lightly(run)()
    np.testing.assert_array_equal(plainly.action, chancy.action)
    np.testing.assert_allclose(plainly.action_weights, chancy.action_weights, rtol=1e-6)
    assert (np.asarray(plainly.action_weights)[invalid == 1] == 0).all()
