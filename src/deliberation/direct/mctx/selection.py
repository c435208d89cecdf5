"""Functions that select an action at one node of one row's tree: mctx's three, and users' own."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt32

from ...core.errors import ContractError
from ..tree_search.picker import Descent
from .keys import FRY
from .rules import NOISE, Selection, behind, best, bonus_rate, considered_visits, halving_scores
from .transforms import (
    QTransform,
    qtransform_by_parent_and_siblings,
    qtransform_completed_by_mix_value,
)
from .types import InteriorActionSelectionFn, RootActionSelectionFn

Action = Int[Array, ""]


def muzero_action_selection(
    rng_key: Any, tree: Any, node_index: Any, depth: Any, *, pb_c_init: Any = 1.25,
    pb_c_base: Any = 19652.0, qtransform: QTransform = qtransform_by_parent_and_siblings,
) -> Action:  # fmt: skip
    """PUCT as in appendix B of Schrittwieser et al. (2020), at one node of an unbatched tree.

    The best of q, transformed, + (`pb_c_init` + ln((N + `pb_c_base` + 1) / `pb_c_base`)) sqrt(N) p
    / (1 + n); ties are broken by noise. At `depth` 0, not what is invalid at the root.
    """
    visits, prior = tree.children_visits[node_index], tree.children_prior_logits[node_index]
    rate = bonus_rate(tree.node_visits[node_index], pb_c_init, pb_c_base)
    bonus = rate * jax.nn.softmax(prior) / (visits + 1)
    luck = jax.random.uniform(rng_key, visits.shape)
    scores = qtransform(tree, node_index) + bonus + NOISE * luck
    return best(scores, (tree.root_invalid_actions == 0) | (depth != 0))


def gumbel_muzero_root_action_selection(
    rng_key: Any, tree: Any, node_index: Any, *, num_simulations: Any,
    max_num_considered_actions: int, qtransform: QTransform = qtransform_completed_by_mix_value,
) -> Action:  # fmt: skip
    """Sequential halving at the root of one row's tree (Danihelka et al. 2022).

    `extra_data` of the tree holds the `root_gumbel` noise. `num_simulations` is the budget that is
    halved, over at most `max_num_considered_actions` that are valid.
    """
    del rng_key
    visits = tree.children_visits[node_index].astype(jnp.float32)
    logits = tree.children_prior_logits[node_index]
    valid = (1 - tree.root_invalid_actions).sum(-1).astype(jnp.int32)
    budget = jnp.asarray(num_simulations, jnp.int32).reshape(1)
    considered = considered_visits(
        jnp.minimum(visits.sum(-1).astype(jnp.int32), budget - 1).reshape(1, 1), budget,
        jnp.minimum(valid, max_num_considered_actions).reshape(1), max_num_considered_actions,
    )[0, 0]  # fmt: skip
    base = tree.extra_data.root_gumbel + (logits - logits.max(-1, keepdims=True))
    scores = halving_scores(base, qtransform(tree, node_index), visits, considered)
    return best(scores, tree.root_invalid_actions == 0)


def gumbel_muzero_interior_action_selection(
    rng_key: Any, tree: Any, node_index: Any, depth: Any, *,
    qtransform: QTransform = qtransform_completed_by_mix_value,
) -> Action:  # fmt: skip
    """The action whose share of visits lies furthest behind the improved policy, below the root.

    The improved policy is softmax(logits + q), q transformed (Danihelka et al. 2022).
    """
    del rng_key, depth
    visits = tree.children_visits[node_index].astype(jnp.float32)
    logits = tree.children_prior_logits[node_index]
    improved = jax.nn.softmax(logits + qtransform(tree, node_index))
    return best(behind(improved, visits), jnp.ones(visits.shape, bool))


class BySelectionFns(Selection):
    """A rule of the engine made of two functions, one for the root and one for what lies below.

    It runs on the portable back end: the kernels cannot call Python.
    """

    at_root: RootActionSelectionFn = eqx.field(static=True)
    below: InteriorActionSelectionFn = eqx.field(static=True)
    typed: bool = eqx.field(static=True)
    """Whether the functions get typed keys, as for a typed key or another generator's."""

    def pick(self, at: Descent) -> tuple[Int[Array, " lanes"], UInt32[Array, "lanes 2"]]:
        """What the functions say; `noise` holds a key for each lane, split at every step down."""
        keys = jax.random.wrap_key_data(at.noise, impl=FRY)
        on, here = (jax.vmap(jax.random.split)(keys)[:, i] for i in range(2))
        given = here if self.typed else jax.random.key_data(here)
        tree = self.view(at.tree)
        # mctx counts the depth in the type of the logits.
        depth = at.depth.astype(jnp.float32)
        action = jax.lax.cond(
            at.depth == 0,
            lambda: _scalars(jax.vmap(self.at_root)(given, tree, at.node)),
            lambda: _scalars(jax.vmap(self.below, (0, 0, 0, None))(given, tree, at.node, depth)),
        )
        return action, jax.random.key_data(on)


def _scalars(action: Any) -> Int[Array, " lanes"]:
    action = jnp.asarray(action)
    if action.ndim != 1 or not jnp.issubdtype(action.dtype, jnp.integer):
        raise ContractError(
            "An action selection function must return one action, an integer without axes; got "
            f"{action.dtype}{list(action.shape[1:])}."
        )
    return action.astype(jnp.int32)
