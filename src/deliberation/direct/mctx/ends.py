"""What comes before and after a search in mctx's manner: checks, noise at the root, the answer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...core.errors import BatchMismatchError, NonFiniteError
from ...core.task import is_concrete
from ..tree_search.tree import DISCOUNT, REWARD, TOTAL, VALUE
from .rules import LOWEST
from .trees import GrownTree, Tree
from .types import PolicyOutput, RootFnOutput

_TINY = float(jnp.finfo(jnp.float32).tiny)
_PLACES = {REWARD: "reward", DISCOUNT: "discount", VALUE: "value", TOTAL: "mean of its returns"}


def checked(root: Any, invalid_actions: Any) -> tuple[RootFnOutput, Array]:
    """The roots in single precision and what is invalid there, if their shapes agree."""
    logits, value = jnp.asarray(root.prior_logits), jnp.asarray(root.value)
    if logits.ndim != 2 or value.shape != logits.shape[:1]:
        raise BatchMismatchError(
            "A root needs prior_logits[batch, actions] and value[batch]; got "
            f"{list(logits.shape)} and {list(value.shape)}."
        )
    embedding = jax.tree.map(jnp.asarray, root.embedding)
    for path, leaf in jax.tree_util.tree_leaves_with_path(embedding):
        if leaf.shape[:1] != value.shape:
            raise BatchMismatchError(
                f"root.embedding{jax.tree_util.keystr(path)} has shape {list(leaf.shape)}; its "
                f"first axis must be the batch of {value.shape[0]}."
            )
    logits = logits.astype(jnp.float32)
    invalid = jnp.zeros_like(logits) if invalid_actions is None else jnp.asarray(invalid_actions)
    if invalid.shape != logits.shape:
        raise BatchMismatchError(
            f"invalid_actions must have the shape of the logits, {list(logits.shape)}; got "
            f"{list(invalid.shape)}."
        )
    value = value.astype(jnp.float32)
    return RootFnOutput(prior_logits=logits, value=value, embedding=embedding), invalid


def masked(
    logits: Float[Array, "batch actions"], invalid_actions: Any
) -> Float[Array, "batch actions"]:
    """Logits that leave nothing for what is invalid, finite even where everything is."""
    if invalid_actions is None:
        return logits
    return jnp.where(invalid_actions, LOWEST, logits - logits.max(-1, keepdims=True))


def noisy(
    key: Any, logits: Float[Array, "batch actions"], fraction: Any, alpha: Any
) -> Float[Array, "batch actions"]:
    """The logits of the prior mixed with a `fraction` of Dirichlet noise."""
    prior = jax.nn.softmax(logits)
    # Gamma variates take long to compile: without noise there is no need to.
    if not (isinstance(fraction, (int, float)) and fraction == 0):
        batch, actions = logits.shape
        noise = jax.random.dirichlet(key, jnp.full(actions, alpha), (batch,))
        prior = (1 - fraction) * prior + fraction * noise
    return jnp.log(jnp.maximum(prior, _TINY))


def sampled(key: Any, tree: GrownTree, temperature: Any) -> PolicyOutput:
    """Shares of visits, and an action drawn from them."""
    weights = tree.summary().visit_probs
    logits = jnp.log(jnp.maximum(weights, _TINY))
    logits = logits - logits.max(-1, keepdims=True)
    action = jax.random.categorical(key, logits / jnp.maximum(_TINY, temperature))
    return output(action, weights, tree)


def output(
    action: Int[Array, " batch"], weights: Float[Array, "batch actions"], tree: GrownTree
) -> PolicyOutput:
    """The answer, void in rows where something was not finite; there is a refusal outside jit."""
    good = _sound(tree).all(-1)
    made = PolicyOutput(
        action=jnp.where(good, action, -1).astype(jnp.int32),
        action_weights=jnp.where(good[:, None], weights, jnp.nan),
        search_tree=tree,
    )
    if is_concrete(made):
        check_finite(made)
    return made


def _sound(tree: Tree | GrownTree) -> Bool[Array, "batch 5"]:
    """Where all numbers of a row may be reckoned with; see `_wrong`."""
    return jnp.stack([~wrong.any(-1) for wrong in _wrong(tree).values()], -1)


def _wrong(tree: Tree | GrownTree) -> dict[str, Bool[Array, "batch nodes"]]:
    """Which numbers of each node are NaN or infinite, though some may be -inf.

    That is a logit of what is impossible, and the reward or value of what is as bad as can be.
    """
    if isinstance(tree, GrownTree):
        slots = {name: tree.nodes[..., slot] for slot, name in _PLACES.items()}
        logits = tree.logits
    else:
        entering = (_entering(tree, x) for x in (tree.children_rewards, tree.children_discounts))
        found = (*entering, tree.raw_values, tree.node_values)
        slots, logits = dict(zip(_PLACES.values(), found, strict=True)), tree.children_prior_logits
    wrong = {name: jnp.isnan(x) | (x == jnp.inf) for name, x in slots.items()}
    wrong["discount"] = ~jnp.isfinite(slots["discount"])
    wrong["prior logits"] = (jnp.isnan(logits) | (logits == jnp.inf)).any(-1)
    return wrong


def _entering(tree: Tree, x: Float[Array, "batch nodes actions"]) -> Float[Array, "batch nodes"]:
    """What belongs to the edge into each node; 0 for the root."""
    batch = jnp.arange(x.shape[0])[:, None]
    found = x[batch, tree.parents, tree.action_from_parent]
    return jnp.where(tree.parents >= 0, found, 0.0)


def check_finite(out: PolicyOutput | Tree | GrownTree) -> None:
    """Raise `NonFiniteError` if a model gave NaN or infinity, with the place it came from first.

    For use on what came out of `jax.jit`, where nothing can be raised: the output of a policy, or
    the tree of a search. -inf is no fault in logits, rewards and values.
    """
    tree = out.search_tree if isinstance(out, PolicyOutput) else out
    wrong = {name: np.asarray(there) for name, there in _wrong(tree).items()}
    rows = np.flatnonzero(np.any([there.any(-1) for there in wrong.values()], axis=0))
    if not len(rows):
        return
    row = int(rows[0])
    bad = {name: there[row] for name, there in wrong.items()}
    # What came from the model first; sums only where they overflowed by themselves.
    sums = {_PLACES[TOTAL]: bad.pop(_PLACES[TOTAL])}
    bad = bad if any(there.any() for there in bad.values()) else sums
    node = min(int(np.argmax(there)) for there in bad.values() if there.any())
    name = next(name for name, there in bad.items() if there[node])
    action = int(tree.action_from_parent[row, node])
    where = f"simulation {node} (the model was asked for action {action})" if node else "the root"
    raise NonFiniteError(
        f"NaN or infinity in the {name} of {where}, in row {row} of the batch ({len(rows)} of "
        f"{tree.node_values.shape[0]} rows are concerned). Check the weights of the network (a "
        "diverged training run?) and the rewards; logits, rewards and values may be -inf, nothing "
        "else."
    )
