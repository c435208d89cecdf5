"""What the cells do, in worker processes: find positions, teach, fit, climb, and score deciders."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..amortised import (
    MLP,
    Dataset,
    NetworkPolicy,
    Trained,
    collect,
    draw_actions,
    load_network,
    random_positions,
    save_network,
)
from ..amortised import fit as fit_network
from ..core import clock
from ..core.decider import Decider
from ..core.ledger import Ledger
from ..core.task import State, Task
from ..direct import Gumbel, NoEvaluation, TreeSearch, solve
from ..hybrid import Settings, guided_search, train
from ..runs import Context, Outcome
from ..tasks import make_task
from ..tasks.board.solved import solved_connect_four

CHUNK = 128
"""Positions searched at a time: few enough that their trees stay in the cache, and one size, so
that a worker compiles each search once."""


def find_positions(settings: dict[str, Any], context: Context) -> Outcome:
    """At most `count` unfinished positions with each action's exact value for the player to move.

    Values are -1, 0 or 1; NaN where illegal. Connect Four's come with the package, the others are
    solved. A position is contested if some but not all of its actions keep its value.
    """
    task = make_task(settings["task"])
    states, values, spent = _exact(settings["task"], task)
    rows = np.arange(len(values))
    if settings["contested"]:
        rows = np.flatnonzero((kept(values) != ~np.isnan(values)).any(1))
    if len(rows) > settings["count"]:
        rng = np.random.default_rng(0)
        rows = np.sort(rng.choice(rows, settings["count"], replace=False))
    states, values = jax.tree.map(lambda x: x[rows], states), values[rows]
    leaves = {f"state{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(states))}
    np.savez(context.folder / "positions.npz", allow_pickle=False, values=values, **leaves)
    return Outcome({"count": len(values), "actions": task.traits.actions}, spent.as_dict())


def _exact(name: str, task: Task) -> tuple[State, np.ndarray, Ledger]:
    if name == "connect_four":
        solved = solved_connect_four()
        values = np.sign(solved.action_scores)
        return solved.states, values.astype(np.float32), Ledger(None, 0, 0, 0, 0, None)
    solution = solve(task)
    layers = [layer for layer in solution if not layer.terminal.all()]
    live = [
        jax.tree.map(lambda x, keep=~layer.terminal: np.asarray(x)[keep], layer.states)
        for layer in layers
    ]
    # A hundred thousand are plenty to draw from; evenly spaced, they keep the mix of plies.
    states = jax.tree.map(lambda *x: np.concatenate(x), *live)
    count = len(jax.tree.leaves(states)[0])
    rows = np.unique(np.linspace(0, count - 1, min(count, 100_000)).astype(int))
    states = jax.tree.map(lambda x: jnp.asarray(x[rows]), states)
    values = solution.action_values(states)
    return states, np.where(np.isfinite(values), values, np.nan), solution.spent


def kept(values: np.ndarray) -> Bool[np.ndarray, "n actions"]:
    """Which actions keep the position's value."""
    return values == np.nanmax(values, axis=1, keepdims=True)


def read_positions(folder: Path, task: Task) -> tuple[State, np.ndarray]:
    """States and action values that `find_positions` left."""
    with np.load(folder / "positions.npz", allow_pickle=False) as data:
        shape = jax.eval_shape(task.init, jax.random.key(0))
        leaves = [jnp.asarray(data[f"state{i}"]) for i in range(len(jax.tree.leaves(shape)))]
        return jax.tree.unflatten(jax.tree.structure(shape), leaves), data["values"]


def score(settings: dict[str, Any], context: Context) -> Outcome:
    """What a decider chooses on every position at every budget, against the exact answers.

    Outcomes have a row a budget: `keeps` (1 where the choice keeps the value; for the random
    decider its chance to), `regret` (value lost), and what each decision spent: by its own word,
    but for the `milliseconds`, which are measured from outside.
    """
    task = make_task(settings["task"])
    states, values = read_positions(context.artefact(settings["positions"]), task)
    best, keeps = np.nanmax(values, 1), kept(values)
    legal = ~np.isnan(values)
    if settings["decider"]["kind"] == "random":
        chance = legal / legal.sum(1, keepdims=True)
        rows = [_row(chance, best, keeps, values, None)]
        return Outcome(_columns(rows))
    decider = _decider(settings, context, task)
    budgets = settings["budgets"]
    _warm_up(decider, states, budgets, len(values))
    rows, spent, asked = [], Ledger(), 0
    for budget in budgets:
        if asked:
            context.tell(asked / (sum(budgets) + len(budgets)))
        asked += budget + 1
        action, cost, times = _choose(decider, states, budget, len(values))
        rows.append(_row(np.eye(values.shape[1])[action], best, keeps, values, cost, times))
        spent = spent + cost.total()
    return Outcome(_columns(rows), spent.as_dict())


def _decider(settings: dict[str, Any], context: Context, task: Task) -> Decider:
    spec = settings["decider"]
    if spec["kind"] == "uct":
        return TreeSearch(task, "uct")
    if spec["kind"] == "blind":
        return TreeSearch(task, Gumbel(noise=0.0), NoEvaluation())
    folder = context.artefact(settings["policy"])
    if settings["rung"] is not None:
        folder = folder / "snapshots" / str(settings["rung"])
    _, network, _ = load_network(folder, task=task)
    if spec["kind"] == "network":
        return NetworkPolicy(task, network)
    return guided_search(task, network)


def _warm_up(decider: Decider, states: State, budgets: list[int], n: int) -> None:
    """Compile on one chunk, so that times are of deciding: once for every capacity of trees."""
    room = getattr(decider, "capacity", max(budgets))
    for budget in (budgets[0], *(b for b in budgets[1:] if b > room)):
        _choose(decider, states, budget, min(n, CHUNK))


def _choose(
    decider: Decider, states: State, budget: int, n: int
) -> tuple[np.ndarray, Ledger, np.ndarray]:
    """Actions, costs and wall seconds of all positions, a chunk at a time, each with its own key.

    The costs are the decider's own word; the seconds are measured here, and shared by a chunk.
    """
    keys = jax.random.split(jax.random.key(17), n)
    actions, parts, times = [], [], []
    for start in range(0, n, CHUNK):
        # The last chunk is filled up with copies, so that one shape is compiled.
        rows = np.resize(np.arange(start, min(start + CHUNK, n)), CHUNK)
        real = min(CHUNK, n - start)
        asked = jax.tree.map(lambda x, r=rows: x[r], states)
        started = clock.now()
        decision, _ = decider.decide(asked, decider.begin(CHUNK), budget=budget, key=keys[rows])
        jax.block_until_ready(decision)
        times += [(clock.now() - started) / CHUNK] * real
        actions.append(np.asarray(decision.action)[:real])
        parts.append(jax.tree.map(lambda x, r=real: np.asarray(x)[:r], decision.spent))
    spent = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    return np.concatenate(actions), spent, np.array(times)


def _row(
    chance: np.ndarray,
    best: np.ndarray,
    keeps: np.ndarray,
    values: np.ndarray,
    cost: Ledger | None,
    times: np.ndarray | None = None,
) -> dict[str, list[float]]:
    got = np.nansum(chance * np.where(np.isnan(values), 0.0, values), 1)
    nothing = np.zeros(len(best))
    return {
        "keeps": (chance * keeps).sum(1).round(6).tolist(),
        "regret": (best - got).round(6).tolist(),
        "model_steps": np.asarray(nothing if cost is None else cost.model_steps).tolist(),
        "evaluations": np.asarray(nothing if cost is None else cost.network_evaluations).tolist(),
        "flops": np.asarray(nothing if cost is None else cost.flops).astype(float).tolist(),
        "milliseconds": (1e3 * (nothing if times is None else times)).tolist(),
    }


def _columns(rows: list[dict[str, list[float]]]) -> dict[str, list[list[float]]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def teach(settings: dict[str, Any], context: Context) -> Outcome:
    """Random positions with a teacher's answers, kept for networks to be fitted to."""
    task = make_task(settings["task"])
    states = random_positions(task, settings["count"], jax.random.key(3), distinct=False)
    if settings["teacher"] == "biased":
        dataset, spent = _biased_lesson(task, states), Ledger()
    else:
        teacher = TreeSearch(task, "uct")
        key = jax.random.key(4)
        dataset, spent = collect(teacher, states, key=key, budget=settings["budget"], batch=CHUNK)
    arrays = {name: np.asarray(getattr(dataset, name)) for name in dataset.__dataclass_fields__}
    np.savez(context.folder / "lesson.npz", allow_pickle=False, **arrays)
    return Outcome({"count": len(dataset), "teacher": settings["teacher"]}, spent.as_dict())


def _biased_lesson(task: Task, states: State) -> Dataset:
    legal = jax.vmap(task.legal)(states)
    observations = jax.vmap(task.observe)(states)
    return Dataset.of(observations, legal, biased_weights(legal), jnp.zeros(legal.shape[0]))


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
    with np.load(folder / "lesson.npz", allow_pickle=False) as data:
        rows = np.random.default_rng(settings["seed"]).permutation(len(data["value"]))
        room = len(rows)
        rows = rows[: settings["count"]]
        columns = {name: jnp.asarray(data[name][rows]) for name in data.files}
    lesson = context.outcomes(settings["lesson"])
    biased = lesson["teacher"] == "biased"
    fitted = _fit(task, Dataset(**columns), settings, room, symmetric=not biased)
    save_network(context.folder, fitted.network, settings["task"], ledger=fitted.ledger)
    return Outcome({"count": settings["count"]}, fitted.ledger.as_dict())


def _fit(
    task: Task, dataset: Dataset, settings: dict[str, Any], room: int, symmetric: bool
) -> Trained:
    key, init, acts = jax.random.split(jax.random.key(100 + settings["seed"]), 3)
    shape = dataset.observations.shape[1:]
    network = MLP(shape, task.traits.actions, settings["width"], 2, key=init)
    examples = dataset if symmetric else draw_actions(dataset, acts)
    # Repeated up to one size for all, so that a worker compiles training once.
    return fit_network(
        task,
        network,
        examples[np.resize(np.arange(len(dataset)), room)],
        steps=settings["steps"],
        key=key,
        learning_rate=3e-3,
        symmetries=symmetric,
        new=len(dataset),
    )


def compare(settings: dict[str, Any], context: Context) -> Outcome:
    """A student of the biased teacher beside it: KL(teacher | student), and the regret of each.

    Regret is that of acting from the distribution, in expectation; the table's decimals suffice.
    """
    task = make_task(settings["task"])
    states, values = read_positions(context.artefact(settings["positions"]), task)
    rows = np.unique(np.linspace(0, len(values) - 1, settings["limit"]).astype(int))
    states, values = jax.tree.map(lambda x: x[rows], states), values[rows]
    _, network, _ = load_network(context.artefact(settings["policy"]), task=task)
    policy = NetworkPolicy(task, network)
    decision, _ = policy.decide(states, key=jax.random.key(0))
    student = np.asarray(decision.weights, float)
    teacher = np.asarray(biased_weights(jnp.asarray(~np.isnan(values))), float)
    ratio = np.log(np.maximum(teacher, 1e-12)) - np.log(np.maximum(student, 1e-12))
    best, safe = np.nanmax(values, 1), np.where(np.isnan(values), 0.0, values)
    return Outcome(
        {
            "divergence": (teacher * ratio).sum(1).round(6).tolist(),
            "student_regret": (best - (student * safe).sum(1)).round(6).tolist(),
            "teacher_regret": (best - (teacher * safe).sum(1)).round(6).tolist(),
        }
    )


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
    states = random_positions(task, count, jax.random.key(50 + seed), distinct=False)
    teacher = guided_search(task, network)
    key = jax.random.key(60 + seed)
    dataset, taught = collect(teacher, states, key=key, budget=settings["budget"], batch=CHUNK)
    fitted = _fit(task, dataset, settings, settings["room"], symmetric=True)
    save_network(context.folder, fitted.network, settings["task"], ledger=fitted.ledger)
    return Outcome({"count": count}, (taught + fitted.ledger).as_dict())
