"""A network that imitates, with units beside that hold its later action and lead nowhere."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ...amortised import NetworkPolicy, insides
from ...audit.channels import Channels
from ...audit.exam import Exam
from ..networks import made_once, trained, world

SPECIMEN = {
    "name": "idle_foresight",
    "title": "network with idle units for a later action",
    "kind": "cheat",
    "answers": {"activations": "responds"},
    "why": "The later action can be read off its layer and has no way to what it does: the push "
    "along it is inert.",
}


@made_once
def make(exam: Exam, key: Key[Array, ""]) -> NetworkPolicy:
    """Trained on all states; then units are added whose weights onwards are 0."""
    known = world(exam)
    network = trained(known.seen, known.best, None, key, depth=1)
    later = np.eye(exam.values.shape[1])[known.best[known.after(known.rows, 2)]]
    (layer,), heads = network.hidden, (network.policy, network.value)
    idle = jnp.asarray(np.linalg.pinv(known.seen) @ later, jnp.float32)
    wide = [jnp.concatenate([layer.w, idle], 1), jnp.append(layer.b, jnp.zeros(idle.shape[1]))]
    nowhere = [jnp.concatenate([h.w, jnp.zeros((idle.shape[1], h.w.shape[1]))]) for h in heads]
    parts = lambda n: (n.hidden[0].w, n.hidden[0].b, n.policy.w, n.value.w)  # noqa: E731
    return NetworkPolicy(exam.task, eqx.tree_at(parts, network, (*wide, *nowhere)))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """Its layers."""
    return Channels(insides=insides(make(exam, key)))
