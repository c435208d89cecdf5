"""What an evaluator's answer means for every player, however many there are."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ...core.noise import Seed
from ...core.objective import Objective
from ...core.task import State, Task
from ..evaluators import Evaluator, ask, check_answer
from ..faults import IN_PRIOR, IN_REWARD, IN_VALUE


class Judgement(eqx.Module):
    """What an evaluator says of states: a prior for the mover, and a value for every player.

    `faults` says what was NaN or infinite (`faults.FAULT_OF`), `stuck` where a playout came to a
    live state without a legal action.
    """

    logits: Float[Array, "batch actions"]
    values: Float[Array, "batch players"]
    model_steps: Int[Array, " batch"]
    faults: Int[Array, " batch"]
    stuck: Bool[Array, " batch"]


def judge(
    task: Task,
    objective: Objective,
    evaluator: Evaluator,
    state: State,
    live: Bool[Array, " batch"],
    seed: Seed,
    left: Int[Array, " batch"],
) -> Judgement:
    """Ask an evaluator, and work out what its answer means for every player.

    No more steps are `left` than so many.

    Playouts give each player its own return, whatever the number of players. Another evaluator
    speaks for the player to move; of two, the other one gets the opposite.
    """
    legal, mover = jax.vmap(task.legal)(state), jax.vmap(task.player)(state)
    judged = ask(evaluator, task, objective, state, live, seed, left)
    check_answer(evaluator, judged, *legal.shape)
    values = judged.to_all(mover, task.traits.players)
    prior = (jnp.isfinite(judged.logits) | ~legal).all(-1)
    # What is known of every player comes from rewards alone.
    source = IN_VALUE if judged.values is None else IN_REWARD
    faults = unless(prior, IN_PRIOR) | unless(jnp.isfinite(values).all(-1), source)
    stuck = jnp.zeros_like(live) if judged.stuck is None else judged.stuck
    return Judgement(judged.logits, values, judged.model_steps, faults, stuck)


def unless(sound: Bool[Array, " batch"], fault: int) -> Int[Array, " batch"]:
    """The bit of a fault where something is not sound."""
    return jnp.where(sound, 0, fault)
