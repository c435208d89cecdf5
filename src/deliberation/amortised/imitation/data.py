"""Examples to learn from: positions, and what a teacher answered there."""

import functools
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Num, PyTree

from ...core.budget import Budget
from ...core.decider import Decider, row_keys
from ...core.errors import BatchMismatchError, NonFiniteError, UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.play import (
    masked_total,
    random_positions,  # noqa: F401, offered beside what is made of them
)
from ...core.task import State, Symmetry, Task, batch_size


class Dataset(eqx.Module):
    """Observations with the distribution over actions and the value to be learned there.

    `weights` are zero where illegal and sum to 1. `sample_weights` scales how much a row counts,
    in the policy's loss (first column) and the value's (second). Observations may be kept as any
    numbers (int8 to save room); they are read as float32. Arrays may be NumPy's, whose rows are
    picked without compiling anything.
    """

    observations: Num[Array, "n ..."] | Num[np.ndarray, "n ..."]
    legal: Bool[Array, "n actions"] | Bool[np.ndarray, "n actions"]
    weights: Float[Array, "n actions"] | Float[np.ndarray, "n actions"]
    value: Float[Array, " n"] | Float[np.ndarray, " n"]
    sample_weights: Float[Array, "n 2"] | Float[np.ndarray, "n 2"]

    @staticmethod
    def of(
        observations: Num[Array, "..."] | np.ndarray,
        legal: Bool[Array, "..."] | np.ndarray,
        weights: Float[Array, "..."] | np.ndarray,
        value: Float[Array, "..."] | np.ndarray,
        sample_weights: Float[Array, "..."] | np.ndarray | None = None,
    ) -> "Dataset":
        """Check and pack arrays; one sample weight a row serves policy and value alike.

        Raises `BatchMismatchError`, `NonFiniteError`, and `ValueError` for weights that are
        negative, on illegal actions, or do not sum to 1.
        """
        n = len(weights)
        each = jnp.ones(n) if sample_weights is None else jnp.asarray(sample_weights)
        each = jnp.stack([each, each], axis=1) if each.ndim == 1 else each
        arrays = (jnp.asarray(observations), jnp.asarray(legal), jnp.asarray(weights))
        if {len(x) for x in (*arrays, value, each)} != {n} or arrays[1].shape != arrays[2].shape:
            raise BatchMismatchError(
                "The arrays of a data set need one common leading axis, and legal and weights one "
                f"shape; got {[tuple(np.shape(x)) for x in (*arrays, value, each)]}."
            )
        dataset = Dataset(*arrays, jnp.asarray(value), each)
        _check_targets(dataset)
        return dataset

    def __len__(self) -> int:
        return self.weights.shape[0]

    def __getitem__(self, rows: Int[Array, " rows"] | np.ndarray | slice) -> "Dataset":
        """The rows asked for, as a data set."""
        return _take(self, rows)

    def __repr__(self) -> str:
        shape = self.observations.shape[1:]
        return f"Dataset({len(self)} rows, observations {shape}, {self.weights.shape[1]} actions)"


def collect(
    teacher: Decider,
    state: State,
    *,
    key: Key[Array, "*batch"],
    objective: Objective | None = None,
    budget: Budget | int | None = None,
    batch: int = 1024,
) -> tuple[Dataset, Ledger]:
    """Ask a teacher about a batch of states: its weights and values, and what it spent on them.

    Finished states teach nothing and are left out. The teacher is asked `batch` states at a time,
    each with its own key, so the answers do not depend on `batch`. The ledger counts no data:
    `fit` counts the examples that it is the first to see. Memory is fresh for every state.
    """
    task, n = teacher.task, batch_size(state)
    keys = row_keys(key, n)
    live = np.flatnonzero(~np.asarray(jax.vmap(task.terminated)(state)))
    if len(live) == 0:
        raise UnsuitableTaskError(
            "Every state is finished, so there is nothing to ask the teacher about: give states "
            "of play, for example from `random_positions(task, n, key)`."
        )
    batch = min(batch, len(live))
    limits = None if budget is None else Budget.of(budget)
    parts, spent = [], Ledger()
    for start in range(0, len(live), batch):
        # The last batch is filled up with a copy, so that the teacher is compiled for one size.
        rows = np.resize(live[start : start + batch], batch)
        real = np.arange(batch) < len(live) - start
        asked = _take(state, rows)
        dial = None if limits is None else _rows_of(limits, rows, n)
        decision, _ = teacher.decide(
            asked, teacher.begin(batch), objective=objective, budget=dial, key=keys[rows]
        )
        spent = spent + masked_total(decision.spent, real)
        parts.append(_take((decision.weights, decision.value), real))
    weights, value = (jnp.concatenate(column) for column in zip(*parts, strict=True))
    observations, legal = _look(task, _take(state, live))
    return Dataset.of(observations, legal, weights, value), spent


def augment(task: Task, dataset: Dataset) -> Dataset:
    """The data set followed by its image under each symmetry of the task.

    Images are the same examples seen again, not new ones: hand `fit` the count of the originals as
    `new`, or leave augmentation to `fit` itself.
    """
    images = [dataset, *(image(symmetry, dataset) for symmetry in task.symmetries)]
    return functools.reduce(_concatenate, images)


def image(symmetry: Symmetry, dataset: Dataset) -> Dataset:
    """A data set transformed: what was said of action `a` is said of `symmetry.actions[a]`."""
    source = np.argsort(symmetry.actions)
    return Dataset(
        observations=jax.vmap(symmetry.observation)(jnp.asarray(dataset.observations)),
        legal=dataset.legal[:, source],
        weights=dataset.weights[:, source],
        value=dataset.value,
        sample_weights=dataset.sample_weights,
    )


def random_images(symmetries: Sequence[Symmetry], dataset: Dataset, key: Key[Array, ""]) -> Dataset:
    """Each row under a symmetry drawn for it, the identity included; runs inside of `jit`."""
    if not symmetries:
        return dataset
    n, actions = dataset.weights.shape
    pick = jax.random.randint(key, (n,), 0, len(symmetries) + 1)
    moves = [lambda x: x, *(s.observation for s in symmetries)]
    seen = jnp.stack([jax.vmap(move)(dataset.observations) for move in moves])
    sources = [range(actions), *(np.argsort(s.actions) for s in symmetries)]
    source = jnp.asarray(np.stack([np.asarray(s) for s in sources]))[pick]
    return Dataset(
        observations=seen[pick, jnp.arange(n)],
        legal=jnp.take_along_axis(dataset.legal, source, axis=1),
        weights=jnp.take_along_axis(dataset.weights, source, axis=1),
        value=dataset.value,
        sample_weights=dataset.sample_weights,
    )


def draw_actions(dataset: Dataset, key: Key[Array, ""]) -> Dataset:
    """The data set with one action drawn from each row's weights as its only target."""
    return eqx.tree_at(lambda d: d.weights, dataset, _draw(dataset.weights, key))


@jax.jit
def _draw(weights: Float[Array, "n actions"], key: Key[Array, ""]) -> Float[Array, "n actions"]:
    chosen = jax.random.categorical(key, jnp.log(weights), axis=-1)
    return jax.nn.one_hot(chosen, weights.shape[1])


def _check_targets(dataset: Dataset) -> None:
    for name in ("observations", "weights", "value", "sample_weights"):
        if not np.isfinite(np.asarray(getattr(dataset, name))).all():
            raise NonFiniteError(
                f"The data set's {name} hold NaN or infinity: check the teacher or the file."
            )
    # On the host, where no program is compiled for each size of a data set.
    weights = np.asarray(dataset.weights)
    wrong = (weights < 0).any(1) | (np.abs(weights.sum(1) - 1) > 1e-3)
    wrong = wrong | (~np.asarray(dataset.legal) & (weights > 0)).any(1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"Row {row} has weights {weights[row].tolist()}: a distribution must not "
            "be negative, must sum to 1 and be zero on illegal actions."
        )


def _rows_of(budget: Budget, rows: np.ndarray, n: int) -> Budget:
    """The same budget for some of its rows, where it gives one number a row."""
    simulations, steps = budget.rows(n)
    return Budget(simulations[rows], None if budget.model_steps is None else steps[rows])


def _take(tree: PyTree, rows: Int[Array, " rows"] | np.ndarray | slice) -> PyTree:
    return jax.tree.map(lambda x: x[rows], tree)


def _concatenate(a: State, b: State) -> State:
    return jax.tree.map(lambda x, y: jnp.concatenate([x, y]), a, b)


@eqx.filter_jit
def _look(task: Task, state: State) -> tuple[Num[Array, "n ..."], Bool[Array, "n actions"]]:
    return jax.vmap(task.observe)(state), jax.vmap(task.legal)(state)
