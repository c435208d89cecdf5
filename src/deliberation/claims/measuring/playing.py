"""Teaching where whole episodes are played: lessons from a search's own play, and fits to them.

Positions are those that play meets, with what was seen before where something is hidden; now and
then an action is drawn at random, so that the lesson also holds what to do after a slip (as the
noise of Laskey et al. 2017, "DART: noise injection for robust imitation learning").
"""

from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...amortised import Network, answer_network, save_network
from ...amortised.networks.feed_forward import flops
from ...amortised.policies.answer import cut_off, from_action
from ...amortised.training.optimisers import cosine, gradient_steps, init_optimiser, make_optimiser
from ...core.decider import Decider
from ...core.ledger import Ledger
from ...core.play import masked_total
from ...core.rows import where_rows
from ...core.task import State, Task, stopped
from ...runs import Context, Outcome
from ...tasks import make_task
from ...tasks.remembered import shown_with_memory
from . import subjects
from .split import prints
from .teaching import best_fit, drawn_rows, read_lesson

LANES = 64
"""Episodes that are played side by side."""
NOISE = 0.25
"""How many of the actions that are carried out are drawn at random instead."""
BATCH = 128
RARE = 0.02
"""Play that sees so little that is new teaches no more."""


class Seen(NamedTuple):
    """What one step of all lanes teaches."""

    observations: np.ndarray
    legal: np.ndarray
    weights: np.ndarray
    answers: np.ndarray
    value: np.ndarray


def teach(settings: dict[str, Any], context: Context) -> Outcome:
    """What a search answered in its own episodes, with what had been seen until then.

    Of what was seen alike more than once only the first is kept. There may be fewer examples than
    asked for, where play hardly ever comes to anything new.
    """
    task = make_task(settings["task"])
    teacher, shown = subjects.planner(task), shown_with_memory(task)
    key, count = jax.random.key(3), settings["count"]
    found, spent, known = [], Ledger(), np.zeros(0, np.uint64)
    while len(known) < count:
        now = jax.random.fold_in(key, len(found))
        seen, cost = play_once(shown, task, teacher, settings["budget"], now)
        kinds = prints(seen.observations)
        first = np.unique(kinds, return_index=True)[1]
        first = first[~np.isin(kinds[first], known)]
        found, spent = [*found, Seen(*(x[first] for x in seen))], spent + cost
        known = np.concatenate([known, kinds[first]])
        context.tell(min(len(known) / count, 1.0))
        if len(first) < RARE * len(kinds):
            break
    # Drawn, so that no part of an episode is left out more often than another.
    rows = np.random.default_rng(0).permutation(len(known))[:count]
    lesson = Seen(*(np.concatenate(x)[rows] for x in zip(*found, strict=True)))
    np.savez(context.folder / "lesson.npz", allow_pickle=False, **_arrays(task, lesson))
    return Outcome({"count": len(rows), "teacher": settings["teacher"]}, spent.as_dict())


def _arrays(task: Task, lesson: Seen) -> dict[str, np.ndarray]:
    """As `read_lesson` wants them; of continuous actions there are answers and no weights."""
    if task.traits.discrete:
        pair = np.ones((len(lesson.value), 2), np.float32)
        found = lesson._asdict()
        del found["answers"]
        return {**found, "sample_weights": pair}
    return {name: getattr(lesson, name) for name in ("observations", "answers", "value")}


def play_once(
    shown: Task, task: Task, teacher: Decider, budget: int, key: Key[Array, ""]
) -> tuple[Seen, Ledger]:
    """`LANES` episodes to their ends; `shown` is the task as the student will see it."""
    begin, key = jax.random.split(key)
    state = jax.vmap(shown.init)(jax.random.split(begin, LANES))
    memory, parts, spent = teacher.begin(LANES), [], Ledger()
    for ply in range(task.traits.horizon):
        live = ~np.asarray(_over(shown, state))
        if not live.any():
            break
        ask, move = jax.random.split(jax.random.fold_in(key, ply))
        below = state if shown is task else state.state
        said, memory = teacher.decide(below, memory, budget=budget, key=ask)
        spent = spent + masked_total(said.spent, live)
        looked, legal, after, noisy = _step(shown, state, said.action, move)
        columns = (looked, legal, said.weights, said.action, said.value)
        parts.append(Seen(*(np.asarray(x)[live] for x in columns)))
        # A plan made for another action is no beginning for the next one.
        memory = where_rows(noisy, teacher.begin(LANES), memory)
        state = after
    return Seen(*(np.concatenate(x) for x in zip(*parts, strict=True))), spent


@eqx.filter_jit
def _over(task: Task, state: State) -> Array:
    return jax.vmap(lambda s: stopped(task, s))(state)


@eqx.filter_jit
def _step(
    task: Task, state: State, action: Array, key: Key[Array, ""]
) -> tuple[Array, Array, State, Array]:
    """What is seen, what is legal, the states after, and where another action was carried out."""
    traits, lanes = task.traits, action.shape[0]
    coin, draw, chance = jax.random.split(key, 3)
    legal = jax.vmap(task.legal)(state)
    if traits.discrete:
        other = jax.random.categorical(draw, jnp.where(legal, 0.0, -jnp.inf)).astype(action.dtype)
    else:
        low, high = traits.low, traits.high
        other = jax.random.uniform(draw, action.shape, minval=low, maxval=high)
    noisy = jax.random.bernoulli(coin, NOISE, (lanes,))
    done = where_rows(noisy, other, action)
    after = jax.vmap(task.advance)(state, done, jax.random.split(chance, lanes))
    over = jax.vmap(lambda s: stopped(task, s))(state)
    return jax.vmap(task.observe)(state), legal, where_rows(over, state, after), noisy


def fit(settings: dict[str, Any], context: Context) -> Outcome:
    """A network fitted to some of such a lesson; the task's symmetries are not used."""
    task, folder = make_task(settings["task"]), context.artefact(settings["lesson"])
    if task.traits.discrete:
        dataset = read_lesson(folder, settings["count"], settings["seed"])
        found = best_fit(shown_with_memory(task), dataset, settings, symmetric=False)
        network, spent = found.network, found.ledger
    else:
        network, spent = fit_answers(task, folder, settings)
    save_network(context.folder, network, settings["task"], ledger=spent)
    return Outcome({"count": spent.data}, spent.as_dict())


def fit_answers(task: Task, folder: Path, settings: dict[str, Any]) -> tuple[Network, Ledger]:
    """Continuous answers: the best of several numbers of steps, by the error on those set aside.

    As `teaching.best_fit`: examples are repeated up to one size, so that one program serves all.
    """
    with np.load(folder / "lesson.npz", allow_pickle=False) as data:
        few = drawn_rows(len(data["value"]), settings["count"], settings["seed"])
        seen, told = jnp.asarray(data["observations"][few]), jnp.asarray(data["answers"][few])
    wanted = jax.vmap(lambda a: from_action(task.traits, a))(told)
    aside = max(len(few) // 8, 1)
    taught = jnp.asarray(np.resize(np.arange(aside, len(few)), settings["room"]))
    begin, order = jax.random.split(jax.random.key(100 + settings["seed"]))
    network = answer_network(task, width=settings["width"], key=begin, scored=False)
    found, most = [], max(settings["steps"])
    for steps in settings["steps"]:
        rates = jnp.asarray(np.pad(cosine(steps, 3e-3), (0, most - steps)))
        fitted = _fit(network, seen[taught], wanted[taught], rates, jnp.int32(steps), order)
        off = float(_error(fitted, seen[:aside], wanted[:aside]))
        found.append((off, steps, fitted))
    least = min(found, key=lambda each: each[:2])[2]
    total = sum(settings["steps"])
    passes = total * BATCH
    spent = Ledger(
        network_evaluations=passes, flops=3.0 * passes * flops(network), fits=total, data=len(few)
    )
    return least, spent


@eqx.filter_jit
def _fit(
    network: Network,
    seen: Float[Array, "room ..."],
    wanted: Float[Array, "room numbers"],
    rates: Float[Array, " most"],
    steps: Int[Array, ""],
    key: Key[Array, ""],
) -> Network:
    optimiser = make_optimiser(1e-4)

    def draw(now: Int[Array, ""]) -> tuple[Array, Array]:
        picks = jax.random.randint(jax.random.fold_in(key, now), (BATCH,), 0, len(seen))
        return seen[picks], wanted[picks]

    def loss(network: Network, batch: tuple[Array, Array]) -> tuple[Float[Array, ""], tuple]:
        return _error(network, *batch), ()

    moments = init_optimiser(optimiser, network)
    return gradient_steps(loss, network, moments, optimiser, draw, rates, steps)[0]


def _error(
    network: Network, seen: Float[Array, "n ..."], wanted: Float[Array, "n numbers"]
) -> Float[Array, ""]:
    """Squared error of the answers within their range."""
    return jnp.square(cut_off(network.batched(seen)[0], -1.0, 1.0) - wanted).sum(1).mean()
