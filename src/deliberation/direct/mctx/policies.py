"""The three policies of mctx and its bare search: what they take, and what they give."""

from typing import Any

import jax
import jax.numpy as jnp

from ...core.keys import is_key
from ...core.task import is_concrete
from ..tree_search.backends.choice import BackendName
from .ends import check_finite, checked, masked, noisy, output, sampled
from .keys import is_fry
from .model import alternating
from .reach import MOST_BYTES, Reach, run_search
from .rules import GumbelMuZero, MuZero
from .selection import BySelectionFns
from .transforms import (
    QTransform,
    qtransform_by_parent_and_siblings,
    qtransform_completed_by_mix_value,
    recognise,
)
from .trees import GrownTree
from .types import (
    GumbelMuZeroExtraData,
    InteriorActionSelectionFn,
    LoopFn,
    PolicyOutput,
    RecurrentFn,
    RootActionSelectionFn,
    RootFnOutput,
    StochasticRecurrentState,
)

_FORI = jax.lax.fori_loop


def muzero_policy(
    params: Any, rng_key: Any, root: Any, recurrent_fn: RecurrentFn, num_simulations: Any,
    invalid_actions: Any = None, max_depth: Any = None, loop_fn: LoopFn = _FORI, *,
    qtransform: QTransform = qtransform_by_parent_and_siblings, dirichlet_fraction: Any = 0.25,
    dirichlet_alpha: Any = 0.3, pb_c_init: Any = 1.25, pb_c_base: Any = 19652,
    temperature: Any = 1.0, capacity: int | None = None, backend: BackendName = "auto",
    max_bytes: int = MOST_BYTES,
) -> PolicyOutput:  # fmt: skip
    """MuZero's search (Schrittwieser et al. 2020): PUCT, with Dirichlet noise at the root.

    `root` holds `prior_logits[B, A]`, `value[B]` and `embedding[B, ...]`; `recurrent_fn(params,
    key, action[B], embedding)` gives a `RecurrentFnOutput` and the next embedding.
    `invalid_actions[B, A]` is nonzero for what must not be done at the root; no path is longer than
    `max_depth`. The root's prior is mixed with `dirichlet_fraction` of noise of concentration
    `dirichlet_alpha`; `pb_c_init` and `pb_c_base` are the constants of PUCT, `qtransform` what
    becomes of q in it. The action is drawn from N^(1 / `temperature`), the weights are the shares
    of visits. For `num_simulations`, `capacity` and `backend` see the module.

    Raises `NonFiniteError` (see the module), `BatchMismatchError` and `ContractError` for shapes
    that do not fit, `BudgetError` for budgets without or beyond a capacity, `TooLargeError` before
    allocating more than `max_bytes` for the trees.
    """
    rng_key, noise_key, search_key = jax.random.split(rng_key, 3)
    root, rule = _by_bonus(
        noise_key, root, invalid_actions, qtransform, dirichlet_fraction, dirichlet_alpha,
        pb_c_init, pb_c_base,
    )  # fmt: skip
    reach = Reach(num_simulations, capacity, max_depth, loop_fn, backend, max_bytes)
    tree = run_search(params, search_key, recurrent_fn, rule, root, reach)
    return sampled(rng_key, rule.view(tree), temperature)


def _by_bonus(
    key: Any, root: Any, invalid_actions: Any, qtransform: QTransform, fraction: Any, alpha: Any,
    pb_c_init: Any, pb_c_base: Any,
) -> tuple[RootFnOutput, MuZero]:  # fmt: skip
    """The roots with noise in their priors and without what is invalid, and the rule for them."""
    root, invalid = checked(root, invalid_actions)
    logits = masked(noisy(key, root.prior_logits, fraction, alpha), invalid_actions)
    actions = logits.shape[1]
    rule = MuZero(actions, invalid, None, recognise(qtransform), init=pb_c_init, base=pb_c_base)
    return root.replace(prior_logits=logits), rule


def gumbel_muzero_policy(
    params: Any, rng_key: Any, root: Any, recurrent_fn: RecurrentFn, num_simulations: Any,
    invalid_actions: Any = None, max_depth: Any = None, loop_fn: LoopFn = _FORI, *,
    qtransform: QTransform = qtransform_completed_by_mix_value,
    max_num_considered_actions: int = 16, gumbel_scale: Any = 1.0, capacity: int | None = None,
    backend: BackendName = "auto", max_bytes: int = MOST_BYTES,
) -> PolicyOutput:  # fmt: skip
    """Gumbel MuZero's search (Danihelka et al. 2022): sequential halving at the root.

    At most `max_num_considered_actions` are drawn without replacement by Gumbel-top-k, the noise
    multiplied by `gumbel_scale`, and halved by g + logits + `qtransform`; below the root, the
    deterministic rule of the improved policy. The action is the best of the most visited, the
    weights are the improved policy. Other arguments and errors as for `muzero_policy`.
    """
    root, invalid = checked(root, invalid_actions)
    logits = masked(root.prior_logits, invalid_actions)
    rng_key, gumbel_key = jax.random.split(rng_key)
    gumbel = gumbel_scale * jax.random.gumbel(gumbel_key, logits.shape, logits.dtype)
    actions = logits.shape[1]
    valid = (1 - invalid).sum(-1).astype(jnp.int32)
    rule = GumbelMuZero(
        actions, invalid, GumbelMuZeroExtraData(root_gumbel=gumbel), recognise(qtransform),
        base=gumbel + (logits - logits.max(-1, keepdims=True)),
        first=jnp.minimum(valid, max_num_considered_actions),
        most=min(actions, max_num_considered_actions),
    )  # fmt: skip
    reach = Reach(num_simulations, capacity, max_depth, loop_fn, backend, max_bytes)
    root = root.replace(prior_logits=logits)
    tree = run_search(params, rng_key, recurrent_fn, rule, root, reach)
    action, q = rule.best(tree)
    improved = logits + q
    # Where all is as bad as can be, the prior is all that there is to go by.
    improved = jnp.where((improved == -jnp.inf).all(-1, keepdims=True), logits, improved)
    weights = jax.nn.softmax(masked(improved, invalid_actions))
    return output(action, weights, rule.view(tree))


def stochastic_muzero_policy(
    params: Any, rng_key: Any, root: Any, decision_recurrent_fn: RecurrentFn,
    chance_recurrent_fn: RecurrentFn, num_simulations: Any, invalid_actions: Any = None,
    max_depth: Any = None, loop_fn: LoopFn = _FORI, *,
    qtransform: QTransform = qtransform_by_parent_and_siblings, dirichlet_fraction: Any = 0.25,
    dirichlet_alpha: Any = 0.3, pb_c_init: Any = 1.25, pb_c_base: Any = 19652,
    temperature: Any = 1.0, capacity: int | None = None, backend: BackendName = "auto",
    max_bytes: int = MOST_BYTES,
) -> PolicyOutput:  # fmt: skip
    """Stochastic MuZero's search (Antonoglou et al. 2022): decisions and chance alternate.

    `decision_recurrent_fn(params, key, action, embedding)` gives a `DecisionRecurrentFnOutput` and
    an afterstate; `chance_recurrent_fn(params, key, outcome, afterstate)` a
    `ChanceRecurrentFnOutput` and the next embedding. Both are asked at every simulation, one of
    them with a dummy. Outcomes are taken in proportion to their probability, without noise. Other
    arguments, results and errors as for `muzero_policy`; `max_depth` counts both kinds of step.
    """
    rng_key, noise_key, search_key = jax.random.split(rng_key, 3)
    root, rule = _by_bonus(
        noise_key, root, invalid_actions, qtransform, dirichlet_fraction, dirichlet_alpha,
        pb_c_init, pb_c_base,
    )  # fmt: skip
    batch, actions = root.prior_logits.shape
    first = jnp.zeros(batch, jnp.int32)
    told, afterstate = decision_recurrent_fn(params, rng_key, first, root.embedding)
    outcomes = jnp.shape(told.chance_logits)[-1]
    wide = root.replace(
        prior_logits=jnp.pad(root.prior_logits, ((0, 0), (0, outcomes)), constant_values=-jnp.inf),
        embedding=StochasticRecurrentState(
            state_embedding=root.embedding,
            afterstate_embedding=jax.tree.map(jnp.asarray, afterstate),
            is_decision_node=jnp.ones(batch, bool),
        ),
    )
    both = alternating(decision_recurrent_fn, chance_recurrent_fn, actions)
    reach = Reach(num_simulations, capacity, max_depth, loop_fn, backend, max_bytes)
    tree = run_search(params, search_key, both, rule, wide, reach, chances=True)
    return sampled(rng_key, rule.view(tree), temperature)


def search(
    params: Any, rng_key: Any, *, root: Any, recurrent_fn: RecurrentFn,
    root_action_selection_fn: RootActionSelectionFn,
    interior_action_selection_fn: InteriorActionSelectionFn, num_simulations: Any,
    max_depth: Any = None, invalid_actions: Any = None, extra_data: Any = None,
    loop_fn: LoopFn = _FORI, capacity: int | None = None, max_bytes: int = MOST_BYTES,
) -> GrownTree:  # fmt: skip
    """Search by action selection functions of one's own, and give the tree.

    `root_action_selection_fn(key, tree, node_index)` and `interior_action_selection_fn(key, tree,
    node_index, depth)` say which action to take from a node of one row's tree, an integer without
    axes. The tree holds `invalid_actions` as `root_invalid_actions` (else zeros) and, unread,
    `extra_data`, a pytree with a leading batch axis. Other arguments and errors as for
    `muzero_policy`; it runs in pure JAX everywhere.
    """
    root, invalid = checked(root, invalid_actions)
    rule = BySelectionFns(
        root.prior_logits.shape[1], invalid, extra_data, root_action_selection_fn,
        interior_action_selection_fn, is_key(rng_key) or not is_fry(rng_key),
    )  # fmt: skip
    reach = Reach(num_simulations, capacity, max_depth, loop_fn, "auto", max_bytes)
    tree = rule.view(run_search(params, rng_key, recurrent_fn, rule, root, reach))
    if is_concrete((tree.nodes, tree.logits)):
        check_finite(tree)
    return tree
