"""Teaching: lessons, networks fitted to them, expert iteration, and students beside teachers."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...amortised import (
    MLP,
    Dataset,
    Network,
    NetworkPolicy,
    Repeated,
    Trained,
    collect,
    draw_actions,
    load_network,
    loss,
    merge_equal,
    save_network,
)
from ...amortised import fit as fit_network
from ...core.ledger import Ledger
from ...core.task import State, Task, batch_size
from ...core.witness.noting import note_exam, note_taught
from ...direct import TreeSearch
from ...hybrid import Settings, guided_search, train
from ...runs import Column, Context, Outcome
from ...tasks import make_task
from .exams import read_positions
from .scoring import CHUNK
from .split import different_lessons, lessons, take

FEW = 64
"""Examples of which no more than so many differ are merged, each weighed by its copies."""


def teach(settings: dict[str, Any], context: Context) -> Outcome:
    """Random positions with a teacher's answers, kept for networks to be fitted to.

    None of them is among those kept for testing, nor an image of one. Those that a search answers
    all differ (there may be fewer than asked for); the biased teacher acts anew each time that it
    comes to one.
    """
    task = make_task(settings["task"])
    if settings["teacher"] == "biased":
        states = lessons(task, settings["count"], jax.random.key(3))
        dataset, spent = _biased_lesson(task, states), Ledger()
    else:
        states = different_lessons(task, settings["count"], jax.random.key(3))
        teacher = TreeSearch(task, "uct")
        key = jax.random.key(4)
        dataset, spent = collect(teacher, states, key=key, budget=settings["budget"], batch=CHUNK)
    if len(dataset) == batch_size(states):
        note_taught(states, np.asarray(dataset.weights).argmax(1))
    arrays = {name: np.asarray(getattr(dataset, name)) for name in dataset.__dataclass_fields__}
    np.savez(context.folder / "lesson.npz", allow_pickle=False, **arrays)
    return Outcome({"count": len(dataset), "teacher": settings["teacher"]}, spent.as_dict())


def _biased_lesson(task: Task, states: State) -> Dataset:
    legal = jax.vmap(task.legal)(states)
    observations = jax.vmap(task.observe)(states)
    return Dataset.of(observations, legal, biased_weights(legal), jnp.zeros(legal.shape[0]))


@jax.jit
def biased_weights(legal: Bool[Array, "n actions"]) -> Float[Array, "n actions"]:
    """A teacher known exactly and far from optimal: each legal action half as likely as the last.

    It prefers actions with low numbers, whatever they are worth.
    """
    rank = jnp.cumsum(legal, axis=1) - 1
    weights = jnp.where(legal, 0.5**rank, 0.0)
    return weights / weights.sum(1, keepdims=True)


def fit(settings: dict[str, Any], context: Context) -> Outcome:
    """A network fitted to some of a lesson's answers; of a biased teacher it sees only acts.

    Each seed draws its own, nested over counts: seeds then differ in data as well as in weights.
    """
    task = make_task(settings["task"])
    folder = context.artefact(settings["lesson"])
    acts = context.outcomes(settings["lesson"])["teacher"] == "biased"
    dataset = read_lesson(folder, settings["count"], settings["seed"], anew=acts)
    # A biased teacher prefers low numbers, which no symmetry keeps.
    symmetric = settings.get("symmetric", True) and not acts
    fitted = best_fit(task, dataset, settings, symmetric=symmetric, acts=acts)
    save_network(context.folder, fitted.network, settings["task"], ledger=fitted.ledger)
    return Outcome({"count": len(dataset)}, fitted.ledger.as_dict())


def read_lesson(folder: Path, count: int, seed: int, *, anew: bool = False) -> Dataset:
    """So many of the answers that `teach` left.

    Those of one seed are nested. None comes twice, unless the teacher acts `anew` each time: then
    they are drawn with replacement.
    """
    with np.load(folder / "lesson.npz", allow_pickle=False) as data:
        few = drawn_rows(len(data["value"]), count, seed, anew=anew)
        return Dataset(**{name: data[name][few] for name in data.files})


def drawn_rows(there: int, count: int, seed: int, *, anew: bool = False) -> np.ndarray:
    """Which examples a seed is shown; see `read_lesson`."""
    rng = np.random.default_rng(seed)
    return (rng.integers(there, size=there) if anew else rng.permutation(there))[:count]


def best_fit(
    task: Task,
    dataset: Dataset,
    settings: dict[str, Any],
    *,
    symmetric: bool = True,
    acts: bool = False,
) -> Trained:
    """The best of several numbers of gradient steps, by the loss on examples that are set aside.

    So that a network which was trained too long, or too little, does not pass for one that lacks
    data. What all of them cost is counted. Of `settings` are read: `steps`, `width`, `seed`, and
    `room`, the size that examples are repeated up to, so that one program serves all of them.
    """
    key, init, acting = jax.random.split(jax.random.key(100 + settings["seed"]), 3)
    shape = dataset.observations.shape[1:]
    examples = draw_actions(dataset, acting) if acts else dataset
    aside = max(len(dataset) // 8, 1)
    network = MLP(
        shape, task.traits.actions, settings["width"], 2,
        value_range=task.objective.bounds, key=init,
    )  # fmt: skip
    taught = _repeated(task if symmetric else None, examples, aside, settings["room"])
    unseen = _set_aside(examples, aside, settings["room"])
    found, spent = [], Ledger()
    for steps in settings["steps"]:
        fitted = fit_network(
            task,
            network,
            taught,
            steps=steps,
            key=key,
            learning_rate=3e-3,
            symmetries=symmetric,
            new=0 if found else len(dataset),
            room=max(settings["steps"]),
        )
        spent = spent + fitted.ledger
        found.append((float(_unseen_loss(fitted.network, unseen)), steps, fitted))
    least = min(found, key=lambda each: each[:2])
    return eqx.tree_at(lambda t: t.ledger, least[2], spent, is_leaf=lambda x: isinstance(x, Ledger))


def _repeated(turned: Task | None, examples: Dataset, first: int, room: int) -> Dataset | Repeated:
    """The examples from the `first` on, over and over up to `room`; few different ones merged.

    What is `turned` by a task's symmetries must be kept row by row.
    """
    rows = np.arange(first, len(examples))
    few = None
    if turned is None or not turned.symmetries:
        few = merge_equal(examples[rows], FEW)
    if few is None:
        return examples[np.resize(rows, room)]
    return Repeated(few.different, jnp.asarray(np.resize(np.asarray(few.which), room)))


def _set_aside(examples: Dataset, count: int, room: int) -> Dataset:
    """The first `count` examples, filled up with some that weigh nothing: one size for all."""
    size = max(room // 16, count)
    weight = np.where(np.arange(size) < count, size / count, 0.0).astype(np.float32)
    filled = examples[np.resize(np.arange(count), size)]
    weights = filled.sample_weights * weight[:, None]
    return eqx.tree_at(lambda d: d.sample_weights, filled, weights)


@eqx.filter_jit
def _unseen_loss(network: Network, examples: Dataset) -> Float[Array, ""]:
    return loss(network, examples)[0]


def compare(settings: dict[str, Any], context: Context) -> Outcome:
    """A student of the biased teacher beside it: KL(teacher | student), and the regret of each.

    Regret is that of acting from the distribution, in expectation, over what separates random play
    from the best: parts of the way. The table's decimals suffice.
    """
    task = make_task(settings["task"])
    stake = context.outcomes(settings["positions"])["stake"]
    states, values = read_positions(context.artefact(settings["positions"]), task)
    rows = np.unique(np.linspace(0, len(values) - 1, settings["limit"]).astype(int))
    states, values = take(states, rows), values[rows]
    _, network, _ = load_network(context.artefact(settings["policy"]), task=task)
    policy = NetworkPolicy(task, network)
    decision, _ = policy.decide(states, key=jax.random.key(0))
    student = np.asarray(decision.weights, float)
    note_exam(states, np.asarray(decision.action), values)
    teacher = np.asarray(biased_weights(jnp.asarray(~np.isnan(values))), float)
    ratio = np.log(np.maximum(teacher, 1e-12)) - np.log(np.maximum(student, 1e-12))
    best, safe = np.nanmax(values, 1), np.where(np.isnan(values), 0.0, values)
    regret = {name: (best - (acts * safe).sum(1)) / stake for name, acts in
              (("student", student), ("teacher", teacher))}  # fmt: skip
    found = {
        "divergence": Column((teacher * ratio).sum(1).astype(np.float32), ("position",), "nats"),
        **{
            f"{name}_regret": Column(lost.astype(np.float32), ("position",), "of the way")
            for name, lost in regret.items()
        },
    }
    return Outcome({"positions": len(best)}, columns=found)


def climb(settings: dict[str, Any], context: Context) -> Outcome:
    """Expert iteration; its networks along the way become the cell's artefact."""
    width = settings["width"]
    trained = train(
        settings["task"],
        iterations=settings["iterations"],
        folder=context.folder,
        seed=settings["seed"],
        settings=Settings(
            network={"kind": "mlp", "width": width, "depth": 2},
            lanes=CHUNK,
            plies=4,
            warmup_share=0.25,
            warmup_simulations=4 * settings["simulations"],
            simulations=settings["simulations"],
            batch_size=256,
        ),
        workers=1,
        snapshots=settings["rungs"],
        watch=lambda step, seen: context.tell(seen["share"]),
    )
    task = make_task(settings["task"])
    ladder = [
        load_network(context.folder / "snapshots" / str(rung), task=task)[2].ledger.as_dict()
        for rung in range(settings["rungs"])
    ]
    return Outcome({"ladder": ladder}, trained.ledger.as_dict())


def relearn(settings: dict[str, Any], context: Context) -> Outcome:
    """A fresh network, taught by an earlier one with or without search in between."""
    source = context.artefact(settings["source"]) / "snapshots" / str(settings["rung"])
    task, network, _ = load_network(source, task=make_task(settings["task"]))
    count, seed = settings["count"], settings["seed"]
    states = different_lessons(task, count, jax.random.key(50 + seed))
    teacher = guided_search(task, network)
    key = jax.random.key(60 + seed)
    dataset, taught = collect(teacher, states, key=key, budget=settings["budget"], batch=CHUNK)
    fitted = best_fit(task, dataset, settings)
    save_network(context.folder, fitted.network, settings["task"], ledger=fitted.ledger)
    return Outcome({"count": len(dataset)}, (taught + fitted.ledger).as_dict())
