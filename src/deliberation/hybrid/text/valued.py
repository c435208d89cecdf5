"""A model of text that also says what an unfinished text is worth, from the same forward pass."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ...amortised.networks.feed_forward import Dense
from ...amortised.sequence.language_model import LanguageModel
from ...amortised.sequence.next_token import texts_flops
from ...amortised.sequence.transformer import Transformer
from ...amortised.training.fitting import Metrics, fit_loss
from ...amortised.training.trained import Trained, training_identity
from ...core.contract.text_model import Memory, TextModel, picked_rows
from ...core.ledger import Ledger
from .verifying import Grades, Logits, Texts


class Valued(NamedTuple):
    """What was read, and what each text of it is worth."""

    memory: Memory
    values: Float[np.ndarray, " batch"]


class ValuedModel(TextModel):
    """A transformer's policy as a `TextModel`, and its value head as what texts are worth.

    Both heads read the same last layer, so a value costs no forward pass of its own. The value is
    the chance of a grade of 1 that `fit_values` taught; `values` tells it of a memory. `end` is as
    for a `LanguageModel`.
    """

    def __init__(
        self, network: Transformer, *, end: int | None = None, name: str = "transformer"
    ):  # fmt: skip
        self.network, self.name = network, name
        self.of = LanguageModel(_two_headed(network), name=name)
        self.vocabulary, self.longest = network.actions, self.of.longest
        self.flops_per_token = self.of.flops_per_token
        self.end = self.stop_token(end, "end")

    def __repr__(self) -> str:
        return f"ValuedModel({self.name}, {self.vocabulary} tokens, reads {self.longest})"

    def start(self, texts: Texts) -> tuple[Logits, Valued]:
        """See `TextModel.start`."""
        return self._split(*self.of.start(texts))

    def extend(
        self, memory: Valued, tokens: Int[np.ndarray, " batch"]
    ) -> tuple[Logits, Valued]:  # fmt: skip
        """See `TextModel.extend`."""
        logits, after = self._split(*self.of.extend(memory.memory, tokens))
        values = np.where(np.asarray(tokens) >= 0, after.values, memory.values)
        return logits, Valued(after.memory, values)

    def pick(self, memory: Valued, rows: Int[np.ndarray, " n"]) -> Valued:
        """See `TextModel.pick`."""
        rows = picked_rows(len(memory.values), rows)
        return Valued(self.of.pick(memory.memory, rows), memory.values[rows])

    def gather(self, rows: Sequence[tuple[Valued, int]]) -> Valued | None:
        """See `TextModel.gather`."""
        memory = self.of.gather([(m.memory, row) for m, row in rows])
        if memory is None:
            return None
        return Valued(memory, np.array([m.values[row] for m, row in rows]))

    def values(self, memory: Valued) -> Float[np.ndarray, " batch"]:
        """From 0 to 1, for each text of a memory."""
        return memory.values

    def _split(self, found: Float[np.ndarray, "_ _"], memory: Memory) -> tuple[Logits, Valued]:
        value = 1 / (1 + np.exp(-found[:, self.vocabulary].astype(float)))
        return found[:, : self.vocabulary], Valued(memory, value)


def fit_values(
    network: Transformer, texts: Texts, grades: Grades, draw: Callable[[Key[Array, ""]], Array],
    *, prompt: int, steps: int, key: Key[Array, ""], batch_size: int = 64,
    learning_rate: float = 1e-3,
) -> Trained:  # fmt: skip
    """Teach a transformer's value head how finished texts were graded (0 to 1), at every place.

    Cross-entropy of the grade at each place from the end of the prompt on (Cobbe et al. 2021,
    "Training verifiers to solve math word problems"), and of the next token of texts that `draw`
    draws, so that the policy stays what it was. FLOPs are counted of both as `fit_texts` does.
    Raises `TrainingDivergedError`.
    """
    seen, right = jnp.asarray(texts, jnp.int32), jnp.asarray(grades, jnp.float32)

    def loss(network: Any, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        first, second = jax.random.split(key)
        rows = jax.random.randint(first, (batch_size,), 0, len(seen))
        wide = _two_headed(network)
        graded = wide.predict(seen[rows])[..., -1]
        there = jnp.arange(graded.shape[1]) <= (seen[rows] >= 0).sum(1)[:, None]
        there &= jnp.arange(graded.shape[1]) >= prompt
        wrong = optax.sigmoid_binary_cross_entropy(graded, right[rows][:, None])
        value = (wrong * there).sum() / there.sum()
        drawn = jax.vmap(draw)(jax.random.split(second, batch_size))
        logits = network.predict(drawn)[:, :-1]
        policy = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(drawn, 0))
        written = drawn >= 0
        return value + (policy * written).sum() / written.sum(), {"value": value}

    passes = 2 * batch_size
    # The value is one more logit at every place of the graded half.
    head = 3 * 2.0 * network.value.w.size * network.observation_shape[0] * batch_size
    each = Ledger(
        network_evaluations=passes, data=batch_size, flops=texts_flops(network, passes) + head
    )
    identity = training_identity("values", key, network=network.config, batch_size=batch_size)
    return fit_loss(
        loss, network, steps=steps, key=key, learning_rate=learning_rate, each=each,
        identity=identity,
    )  # fmt: skip


def _two_headed(network: Transformer) -> Transformer:
    """The same with the value as one more logit, behind those of the tokens."""
    both = eqx.tree_at(
        lambda d: (d.w, d.b),
        network.policy,
        (
            jnp.concatenate([network.policy.w, network.value.w], 1),
            jnp.concatenate([network.policy.b, network.value.b]),
        ),
    )
    assert isinstance(both, Dense)
    return eqx.tree_at(lambda n: n.policy, network, both)
