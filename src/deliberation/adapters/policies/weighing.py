"""Distributions over numbered actions from what a policy says, as NumPy arrays."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from ...core.errors import IllegalActionError, WrongKindError

SLACK = 1e-3
"""By so much the sum of probabilities may differ from 1."""
Meaning = Literal["logits", "probabilities", "action", "q"]
"""What the numbers mean that a network answers with; see `from_torch`."""


def check_meaning(meaning: str, discrete: bool) -> None:
    """Refuse a meaning that there is not, or that continuous actions cannot have."""
    known = get_args(Meaning)
    if meaning not in known:
        raise WrongKindError(f"meaning={meaning!r} is none of {', '.join(map(repr, known))}.")
    if not discrete and meaning != "action":
        raise WrongKindError(
            f"meaning={meaning!r} is for numbered actions, and these are continuous: let the "
            "network answer with the action itself, and say meaning='action'."
        )


def weights_of(
    meaning: str,
    said: Float[np.ndarray, "batch actions"],
    legal: Bool[np.ndarray, "batch actions"],
    name: str,
) -> Float[np.ndarray, "batch actions"]:
    """The distribution over legal actions that logits, probabilities or action values stand for.

    Where no illegal action has any, probabilities stay as they are, to the last bit.
    """
    if meaning == "logits":
        return softmax(said, legal)
    if meaning == "q":
        return one_hot(best(said, legal), said.shape[1])
    return renormalised(said, legal, name)


def softmax(
    logits: Float[np.ndarray, "batch actions"], legal: Bool[np.ndarray, "batch actions"]
) -> Float[np.ndarray, "batch actions"]:
    """The softmax over legal actions; zero elsewhere."""
    kept = np.where(legal, logits, -np.inf)
    powers = np.exp(kept - kept.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def renormalised(
    probabilities: Float[np.ndarray, "batch actions"],
    legal: Bool[np.ndarray, "batch actions"],
    name: str,
) -> Float[np.ndarray, "batch actions"]:
    """Probabilities with those of illegal actions left out; refused where nothing remains.

    And where they are none: negative, or with a sum that is not 1.
    """
    odd = (probabilities < 0).any(-1) | ~(np.abs(probabilities.sum(-1) - 1) < SLACK)
    if odd.any():
        row = int(np.argmax(odd))
        raise WrongKindError(
            f"{name} gives {probabilities[row].tolist()} as probabilities, which are at least 0 "
            'and sum to 1. If these are scores before a softmax, say meaning="logits".'
        )
    kept = np.where(legal, probabilities, 0)
    total = kept.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        row = int(np.argmin(total > 0))
        raise IllegalActionError(
            f"{name} gives legal actions no probability: {probabilities[row].tolist()}, where only "
            f"{np.flatnonzero(legal[row]).tolist()} are legal. Check that it is a policy for this "
            "task, with actions numbered alike."
        )
    whole = (kept == probabilities).all(-1, keepdims=True) & (np.abs(total - 1) < 1e-4)
    return np.where(whole, kept, kept / total)


def best(
    scores: Float[np.ndarray, "batch actions"], legal: Bool[np.ndarray, "batch actions"]
) -> Int[np.ndarray, " batch"]:
    """The legal action with the greatest score; the first where several have it."""
    return np.where(legal, scores, -np.inf).argmax(axis=-1)


def one_hot(action: Int[np.ndarray, " batch"], actions: int) -> Float[np.ndarray, "batch actions"]:
    """All weight on the action."""
    return (np.arange(actions) == action[:, None]).astype(np.float32)


def drawn(
    weights: Float[np.ndarray, "batch actions"], uniform: Float[np.ndarray, " batch"]
) -> Int[np.ndarray, " batch"]:
    """An action a row, as probable as its weight, from a number drawn evenly from [0, 1)."""
    sums = np.cumsum(weights, axis=-1, dtype=np.float64)
    below = (sums <= (uniform * sums[:, -1])[:, None]).sum(axis=-1)
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(axis=-1)
    return np.minimum(below, last)
