"""One battery for every kind of output: who follows the objective, who the weights and the teacher.

Items are inputs of `output_kinds`, where the best output is known. The way goes from what is best
for another input (0) to what is best for this one (1), so that it does not depend on the unit.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...amortised import MLP
from ...amortised.training.optimisers import (
    cosine,
    gradient_steps,
    init_optimiser,
    make_optimiser,
)
from ...amortised.training.updates import compile_update
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, batch_size
from ...runs import Context, Outcome
from .asking import CHUNK
from .output_kinds.kind import OutputKind, Outputs, make_kind

BATCH = 64
OWN, OTHER = "own", "other"
SPOILT = 0.75
"""How many answers of a spoilt lesson are those to other inputs."""


class Lesson(NamedTuple):
    """What one student is taught: `rows` of the inputs, repeated up to one size for all students.

    The answers are those of a teacher ("own" or "other"), each to the input in `answers`: itself,
    or another one where the lesson is spoilt.
    """

    teacher: str
    rows: Int[np.ndarray, " room"]
    answers: Int[np.ndarray, " room"]


class Exam(NamedTuple):
    """Inputs with the worth of the best output, and of the best for another input, by objective."""

    states: State
    best: Mapping[str, Float[np.ndarray, " n"]]
    ignorant: Mapping[str, Float[np.ndarray, " n"]]


def put_through(settings: dict[str, Any], context: Context) -> Outcome:
    """A direct optimiser and students of one kind of output, under every swap.

    Outcomes, [n] for the direct side and [seeds, n] for students; ways are judged by the objective
    they are named by:
    `direct[told][judged]`, `network[judged]`, `shuffled`, `spoilt`, `left_out[lesson]` (on inputs
    that a lesson had or left out), `sizes` (a way for each size of data), `apart` (from the own
    teacher, for each size), `from_own`, `from_other` (of the students of each teacher). Distances
    are in parts of that between the teachers; `beaten` says where a direct output was better than
    the best.
    """
    kind = make_kind(settings["kind"])
    draw, ask, fit = jax.random.split(jax.random.key(settings["key"]), 3)
    states, tested = kind.inputs(max(settings["counts"]), settings["tested"], draw)
    wants = {OWN: kind.own, OTHER: kind.other}
    taught = {name: answers(kind, states, goal, ask) for name, goal in wants.items()}
    said = {name: answers(kind, tested, goal, ask) for name, goal in wants.items()}
    exam = examine(kind, tested, wants)
    context.tell(0.3)
    lessons = make_lessons(kind, states, settings)
    networks = train_all(kind, states, taught, lessons, settings, fit)
    heard = {name: say(kind, network, tested) for name, network in networks.items()}
    heard["shuffled"] = say(kind, shuffled(networks["most"], fit), tested)
    found = judge(kind, exam, wants, said, heard, settings)
    kept = kind.left_out(tested)
    pairs = {name: np.array(found.pop(name))[:, kept].tolist() for name in ("halved", "whole")}
    spent = Ledger(fits=settings["steps"] * len(lessons), data=max(settings["counts"]))
    return Outcome({**found, "left_out": pairs}, spent.as_dict())


def answers(kind: OutputKind, states: State, goal: Objective, key: Key[Array, ""]) -> Outputs:
    """What the direct optimiser answers, `CHUNK` inputs at a time."""
    n, parts = batch_size(states), []
    keys = jax.random.split(key, n)
    for start in range(0, n, CHUNK):
        rows = np.resize(np.arange(start, min(start + CHUNK, n)), CHUNK)
        asked = jax.tree.map(lambda x, r=rows: x[r], states)
        found = kind.direct.decide(
            asked, kind.direct.begin(CHUNK), objective=goal, budget=kind.budget, key=keys[rows]
        )
        parts.append(kind.outputs(*found)[: n - start])
    return np.concatenate(parts)


def examine(kind: OutputKind, states: State, wants: Mapping[str, Objective]) -> Exam:
    """The scale of ways: the best output for each input, and the best for the one before it."""
    best, ignorant = {}, {}
    for name, goal in wants.items():
        found = kind.solve(states, goal)
        best[name] = kind.worth(states, found, goal)
        ignorant[name] = kind.worth(states, np.roll(found, 1, axis=0), goal)
    return Exam(states, best, ignorant)


def way(exam: Exam, kind: OutputKind, outputs: Outputs, name: str, goal: Objective) -> np.ndarray:
    """1 - regret / mean stake of each output."""
    stake = (exam.best[name] - exam.ignorant[name]).mean()
    return 1 - (exam.best[name] - kind.worth(exam.states, outputs, goal)) / stake


def make_lessons(
    kind: OutputKind, states: State, settings: dict[str, Any]
) -> dict[tuple[str, int], Lesson]:
    """By condition and seed: each size of data, another teacher, spoilt answers, half the inputs.

    Lessons of one seed are nested; all but the sizes have the most data, or half of the inputs.
    """
    counts, room, found = settings["counts"], max(settings["counts"]), {}
    for seed in settings["seeds"]:
        rng = np.random.default_rng(seed)
        order = rng.permutation(room)
        kept = order[~kind.left_out(jax.tree.map(lambda x, r=order: x[r], states))]
        spoilt = np.where(rng.random(room) < SPOILT, rng.permutation(order), order)
        for count in counts:
            rows = np.resize(order[:count], room)
            found[f"size {count}", seed] = Lesson(OWN, rows, rows)
        half = np.resize(kept, room)
        # Beside it as many examples from everywhere.
        whole = np.resize(order[: len(kept)], room)
        found["other teacher", seed] = Lesson(OTHER, order, order)
        found["spoilt", seed] = Lesson(OWN, order, spoilt)
        found["halved", seed] = Lesson(OWN, half, half)
        found["whole", seed] = Lesson(OWN, whole, whole)
    return found


def train_all(
    kind: OutputKind,
    states: State,
    taught: Mapping[str, Outputs],
    lessons: Mapping[tuple[str, int], Lesson],
    settings: dict[str, Any],
    key: Key[Array, ""],
) -> dict[str, MLP]:
    """A network for each lesson, all fitted side by side; by condition, with an axis of seeds."""
    seen = kind.seen(states)
    targets = {name: jnp.asarray(kind.target(outputs)) for name, outputs in taught.items()}
    teacher = jnp.array([int(lesson.teacher == OWN) for lesson in lessons.values()])
    rows, told = (np.stack([lesson[i] for lesson in lessons.values()]) for i in (1, 2))
    # Everything is drawn on the host: in the compiled program it would take longest to compile.
    first, picks = {}, {}
    for seed in settings["seeds"]:
        begin = jax.random.fold_in(key, seed)
        first[seed] = MLP(
            seen.shape[1:], kind.numbers, settings["width"], 2, value_range=None, key=begin
        )
        size = (settings["steps"], BATCH)
        picks[seed] = np.random.default_rng([1, seed]).integers(rows.shape[1], size=size)
    started = [first[seed] for _, seed in lessons]
    course = Course(
        kind, jax.tree.map(lambda *x: jnp.stack(x), *started), seen,
        jnp.stack([targets[OTHER], targets[OWN]]), teacher, jnp.asarray(rows), jnp.asarray(told),
        jnp.stack([jnp.asarray(picks[seed]) for _, seed in lessons]),
        jnp.asarray(cosine(settings["steps"], settings["rate"])),
    )  # fmt: skip
    # Training is a matter of seconds, of which compiling would be the most.
    networks = compile_update(_train, hasty=True)(course)
    names = np.array([name for name, _ in lessons])
    found = {
        name: jax.tree.map(lambda x, n=name: x[names == n], networks)
        for name in dict.fromkeys(names.tolist())
    }
    return {**found, "most": found[f"size {max(settings['counts'])}"]}


class Course(eqx.Module):
    """All that students are taught with: for each its first weights, its lesson, and its draws."""

    kind: OutputKind
    networks: MLP
    seen: Float[Array, "n numbers"]
    targets: Float[Array, "teachers n outputs"]
    teacher: Int[Array, " lessons"]
    rows: Int[Array, "lessons room"]
    told: Int[Array, "lessons room"]
    picks: Int[Array, "lessons steps batch"]
    rates: Float[Array, " steps"]


def _train(course: Course) -> MLP:
    """All students in one program; those of one seed start from the same weights."""
    optimiser = make_optimiser(1e-4)

    def one(network: MLP, teacher: Array, rows: Array, told: Array, picks: Array) -> MLP:
        def draw(now: Int[Array, ""]) -> tuple[Array, Array]:
            return course.seen[rows[picks[now]]], course.targets[teacher, told[picks[now]]]

        def loss(network: MLP, batch: tuple[Array, Array]) -> tuple[Float[Array, ""], tuple]:
            return course.kind.loss(network.batched(batch[0])[0], batch[1]), ()

        moments = init_optimiser(optimiser, network)
        return gradient_steps(loss, network, moments, optimiser, draw, course.rates)[0]

    parts = (course.networks, course.teacher, course.rows, course.told, course.picks)
    return eqx.filter_vmap(one)(*parts)


def say(kind: OutputKind, networks: MLP, states: State) -> list[Outputs]:
    """What each of some networks answers to every input."""
    seen = kind.seen(states)
    return [kind.read(np.asarray(raw)) for raw in _forward(networks, seen)]


@eqx.filter_jit
def _forward(networks: MLP, seen: Float[Array, "n ..."]) -> Float[Array, "networks n numbers"]:
    return eqx.filter_vmap(lambda network: network.batched(seen)[0])(networks)


def shuffled(networks: MLP, key: Key[Array, ""]) -> MLP:
    """The same networks with the weights of the last layer in another order."""
    weights = networks.policy.w
    flat = weights.reshape(weights.shape[0], -1)
    keys = jax.random.split(key, len(flat))  # each network's weights in an order of their own
    moved = jax.vmap(jax.random.permutation)(keys, flat).reshape(weights.shape)
    return eqx.tree_at(lambda n: n.policy.w, networks, moved)


def judge(
    kind: OutputKind,
    exam: Exam,
    wants: Mapping[str, Objective],
    said: Mapping[str, Outputs],
    heard: Mapping[str, list[Outputs]],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """The outcomes of `put_through`, in numbers that JSON holds."""

    def judged(outputs: Outputs, name: str) -> list[float]:
        return way(exam, kind, outputs, name, wants[name]).round(6).tolist()

    def ways(condition: str, name: str = OWN) -> list[list[float]]:
        return [judged(outputs, name) for outputs in heard[condition]]

    unit = max(float(kind.apart(said[OWN], said[OTHER]).mean()), 1e-12)

    def apart(condition: str, teacher: str) -> list[list[float]]:
        return [(kind.apart(x, said[teacher]) / unit).round(6).tolist() for x in heard[condition]]

    sizes = [f"size {count}" for count in settings["counts"]]
    students = {OWN: sizes[-1], OTHER: "other teacher"}
    direct = {told: {name: judged(said[told], name) for name in wants} for told in wants}
    beaten = np.concatenate([np.ravel(direct[name][name]) for name in wants]) > 1 + 1e-3
    return {
        "direct": direct,
        "network": {name: ways(sizes[-1], name) for name in wants},
        **{name: ways(name) for name in ("shuffled", "spoilt", "halved", "whole")},
        "sizes": [ways(name) for name in sizes],
        "apart": [apart(name, OWN) for name in sizes],
        "from_own": {name: apart(who, name) for name, who in students.items()},
        "from_other": {
            name: apart(who, OTHER if name == OWN else OWN) for name, who in students.items()
        },
        "beaten": beaten.astype(float).tolist(),
    }
