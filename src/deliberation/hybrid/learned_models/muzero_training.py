"""MuZero's training: play by search in the learned world, then learn from what was played.

Schrittwieser et al. (2020), appendix G.
"""

from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from ...amortised.training.optimisers import (
    cosine_schedule,
    gradient_steps,
    init_optimiser,
    make_optimiser,
)
from ...amortised.training.trained import Trained, training_identity
from ...amortised.training.updates import Watch, run_updates
from ...amortised.trial_and_error.experience import check_opposed, stops
from ...core.errors import UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State, Task
from .latent import LatentNetworks
from .muzero import MuZeroSettings
from .muzero_learning import Moments, Windows, draw_windows, returns, unrolled_loss


class Carry(eqx.Module):
    """All that an update of MuZero starts from; `age` counts the actions of each lane's episode."""

    networks: LatentNetworks
    opt_state: PyTree
    lanes: State
    age: Int[Array, " lanes"]
    moments: Moments
    filled: Int[Array, ""]
    score: Float[Array, " lanes"]
    last: Float[Array, ""]
    step: Int[Array, ""]
    key: Key[Array, ""]


def train_muzero(
    task: Task,
    *,
    key: Key[Array, ""],
    settings: MuZeroSettings | None = None,
    objective: Objective | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn a world, a policy and values from acting.

    Values go on where an episode is cut and not over (`Task.truncated`; see also
    `MuZeroSettings.timeouts`), and nothing is taught of what would have followed there.

    Metrics of each update: the losses, and `score`, the mean return of player 0 in the episodes
    that ended (the one before's where none did); of two players also `repeats`, how often one
    moved twice in a row, which is refused unless the settings say that they do not `alternate`.
    `folder` and `watch` are those of `run_updates`. Raises `TrainingDivergedError` and
    `UnsuitableTaskError`.
    """
    settings = settings or MuZeroSettings()
    check_opposed(task, "MuZero", objective)
    # The length goes in as data, and all else is compared by value: equal courses compile once.
    update = eqx.Partial(
        _update, task, replace(settings, updates=1, hasty=False), objective,
        jnp.int32(settings.updates),
    )  # fmt: skip
    carry = _start(task, settings, objective, key)

    def watched(step: int, shown: dict[str, float]) -> bool | None:
        if shown.get("repeats", 0.0) > 0:
            raise UnsuitableTaskError(
                f"In {task!r} a player moved twice in a row, and MuZero's world takes turns unless "
                "told otherwise: train with MuZeroSettings(alternate=False), which learns who "
                "moves next."
            )
        return watch(step, shown) if watch is not None else None

    trained = run_updates(
        update, carry, updates=settings.updates, folder=folder, watch=watched, hasty=settings.hasty,
        identity=training_identity(
            "muzero", key, task=task, objective=objective, settings=settings
        ),
    )  # fmt: skip
    networks, done = trained.carry.networks, len(trained.metrics["score"])
    decider = settings.decider(task, networks, objective, capacity=max(64, settings.simulations))
    return Trained(
        decider, networks, _cost(settings, networks, done, trained.seconds), trained.metrics,
        trained.carry, None if folder is None else Path(folder),
    )  # fmt: skip


def _cost(
    settings: MuZeroSettings, networks: LatentNetworks, updates: int, seconds: float
) -> Ledger:
    """Steps of the world and of the model, passes and FLOPs of so many updates."""
    plies = updates * settings.plies * settings.lanes
    imagined = plies * settings.simulations
    steps = updates * settings.gradient_steps
    unrolled = steps * settings.batch_size * settings.unroll
    judged = steps * settings.batch_size * (settings.unroll + 1)
    encoded = steps * settings.batch_size
    passes = (plies + encoded, imagined + unrolled, plies + imagined + judged)
    each = (networks.represent.flops, networks.step_flops, networks.predict.flops)
    learned = (encoded, unrolled, judged)
    return Ledger(
        model_steps=plies + imagined,
        network_evaluations=sum(passes),
        fits=steps,
        data=plies,
        # A gradient costs two more passes than the pass itself.
        flops=sum((p + 2 * b) * f for p, b, f in zip(passes, learned, each, strict=True)),
        seconds=seconds,
    )


def _start(
    task: Task, settings: MuZeroSettings, objective: Objective | None, key: Key[Array, ""]
) -> Carry:
    key, weights, first = jax.random.split(key, 3)
    networks = settings.networks(task, weights, objective)
    lanes = jax.vmap(task.init)(jax.random.split(first, settings.lanes))
    seen, legal = jax.vmap(task.observe)(lanes), jax.vmap(task.legal)(lanes)
    room = (settings.length, settings.lanes)
    zeros = jnp.zeros(room)
    moments = Moments(
        jnp.zeros((*room, *seen.shape[1:])), jnp.ones((*room, legal.shape[1]), bool),
        jnp.zeros((*room, legal.shape[1])), jnp.zeros(room, jnp.int32), zeros, zeros, zeros + 1,
        jnp.zeros(room, bool), jnp.zeros(room, bool), jnp.zeros(room, bool),
    )  # fmt: skip
    opt_state = init_optimiser(make_optimiser(settings.weight_decay), networks)
    return Carry(
        networks, opt_state, lanes, jnp.zeros(settings.lanes, jnp.int32), moments, jnp.int32(0),
        jnp.zeros(settings.lanes), jnp.float32(0), jnp.int32(0), key,
    )  # fmt: skip


def _update(
    task: Task,
    settings: MuZeroSettings,
    objective: Objective | None,
    updates: Int[Array, ""],
    carry: Carry,
) -> tuple[Carry, dict[str, Float[Array, ""]]]:
    """Play, then learn."""
    key, play, learn = jax.random.split(carry.key, 3)
    (lanes, age, score), new, ended = _play(task, settings, objective, carry, play)
    moments = carry.moments.push(new)
    filled = jnp.minimum(carry.filled + settings.plies, settings.length)
    # A cosine down to a tenth: the first searches change quickly, the last are to agree.
    rate = cosine_schedule(settings.learning_rate, 1, floor=0.1)(carry.step / updates)
    networks, opt_state, losses = _learn(
        settings, rate, carry.networks, carry.opt_state, moments,
        returns(moments, settings.gamma(task, objective), settings.steps(task)), filled, learn,
    )  # fmt: skip
    total, count = ended
    last = jnp.where(count > 0, total / jnp.maximum(count, 1), carry.last)
    after = Carry(
        networks, opt_state, lanes, age, moments, filled, score, last, carry.step + 1, key
    )
    shown = {**losses, "score": last}
    if settings.alternate and task.traits.players == 2:
        shown["repeats"] = ((new.sign > 0) & ~new.over).mean(dtype=jnp.float32)
    return after, shown


def _play(
    task: Task,
    settings: MuZeroSettings,
    objective: Objective | None,
    carry: Carry,
    key: Key[Array, ""],
) -> tuple[tuple, Moments, tuple[Float[Array, ""], Float[Array, ""]]]:
    """Every lane goes on by `plies`, each searched; finished ones start again.

    Returns the lanes with their ages and scores, what was played, and the scores that are final
    (their sum, and how many).
    """
    scored = task.objective if objective is None else objective
    player = settings.decider(
        task, carry.networks, objective, capacity=settings.simulations, noise=1.0
    )

    def ply(now: tuple, key: Key[Array, ""]) -> tuple[tuple, tuple]:
        state, age, score = now
        search, dice, stray, chance, again = jax.random.split(key, 5)
        decision, _ = player.decide(state, key=search)
        legal = jax.vmap(task.legal)(state)
        anything = jax.random.categorical(dice, jnp.where(legal, 0.0, -jnp.inf))
        lost = jax.random.bernoulli(stray, settings.explore, anything.shape)
        action = jnp.where(lost, anything, decision.action).astype(jnp.int32)
        after = jax.vmap(task.advance)(state, action, jax.random.split(chance, settings.lanes))
        earned = jax.vmap(scored)(state, action, after)
        mover, follows = jax.vmap(task.player)(state), jax.vmap(task.player)(after)
        gain = jnp.take_along_axis(earned, mover[:, None], 1)[:, 0]
        age, score = age + 1, score + earned[:, 0]
        over, cut = stops(task, after, age, timeouts=settings.timeouts)
        moment = Moments(
            jax.vmap(task.observe)(state).astype(jnp.float32), legal, decision.weights, action,
            decision.value, gain, jnp.where(mover == follows, 1.0, -1.0), over, cut, lost,
        )  # fmt: skip
        fresh = jax.vmap(task.init)(jax.random.split(again, settings.lanes))
        done = (jnp.where(over, score, 0.0).sum(), over.sum())
        onward = (where_rows(over, fresh, after), *(jnp.where(over, 0, x) for x in (age, score)))
        return onward, (moment, done)

    keys = jax.random.split(key, settings.plies)
    lanes, (moments, done) = jax.lax.scan(ply, (carry.lanes, carry.age, carry.score), keys)
    return lanes, moments, (done[0].sum(), done[1].sum().astype(jnp.float32))


def _learn(
    settings: MuZeroSettings,
    rate: Float[Array, ""],
    networks: LatentNetworks,
    opt_state: PyTree,
    moments: Moments,
    value: Float[Array, "time lanes"],
    filled: Int[Array, ""],
    key: Key[Array, ""],
) -> tuple[LatentNetworks, PyTree, dict[str, Float[Array, ""]]]:
    """Gradient steps on windows drawn from the ring; the losses are their means."""
    keys = jax.random.split(key, settings.gradient_steps)

    def draw(now: Int[Array, ""]) -> Windows:
        return draw_windows(moments, value, filled, keys[now], settings.batch_size, settings.unroll)

    networks, opt_state, losses = gradient_steps(
        lambda n, windows: unrolled_loss(n, windows, settings.value_weight), networks, opt_state,
        make_optimiser(settings.weight_decay), draw, jnp.full(settings.gradient_steps, rate),
    )  # fmt: skip
    return networks, opt_state, jax.tree.map(lambda x: x.mean(), losses)
