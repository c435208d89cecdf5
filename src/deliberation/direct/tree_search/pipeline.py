"""A decision by tree search in stages: begin a tree, grow it, read the answer.

Each is pure. For the host they are compiled apart, so that a search can be looked at and ended
between two rounds; one search in many pieces is, number for number, the search in one piece.
"""

import functools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from ...core.decider import Decision
from ...core.ledger import Ledger
from ...core.noise import Seed, mix, seeds
from ...core.objective import Objective
from ...core.task import State, Task
from ..aims import aim_of
from ..evaluators import Evaluator
from ..ties import best_action
from .backends.choice import BackendName
from .engine import Outcome, going_on, lost, plant, proceed, watch
from .limits import Limits
from .models.base import Model
from .models.chance import model_for
from .models.sampled import Sampling, named
from .reuse import Remembered, carry, go_on_from, remember
from .round import Widths
from .rules import Rule, Scores
from .stopping import Stopping
from .tree import FORBIDDEN, log_prior, pack


class Setting(eqx.Module):
    """All that a search is made of but its budget and seed: what its compiled stages share."""

    task: Task
    objective: Objective
    rule: Rule
    evaluator: Evaluator
    stopping: Stopping
    prove: bool = eqx.field(static=True)
    backend: BackendName = eqx.field(static=True)
    sampling: Sampling | None = None

    @property
    def model(self) -> Model:
        """What the search walks on."""
        model = model_for(self.task, self.objective, self.evaluator)
        return model if self.sampling is None else self.sampling.over(model, self.task)

    def widths(self, outcome: Outcome) -> Widths:
        """How many actions a node offers, by its visits."""
        return None if self.sampling is None else self.sampling.widths(outcome.tree.nodes.shape[1])


def begin(
    setting: Setting,
    state: State,
    limits: Limits,
    seed: Seed,
    capacity: int,
    memory: Remembered | None = None,
    reserve: Int[Array, " batch"] | None = None,
) -> Outcome:
    """Trees with room for so many simulations: what is remembered of the states, else their roots.

    A remembered tree that leaves no room for the `reserve` (the budget, if that is None) is not
    gone on with.
    """
    budget = jnp.minimum(limits.simulations, limits.model_steps)
    model, rule = setting.model, setting.rule
    planted = functools.partial(
        plant, model, rule, state, budget, seed,
        judge=setting.evaluator.has_prior, prove=setting.prove,
    )  # fmt: skip
    if memory is None:
        outcome = planted(capacity=capacity)
    else:
        reserve = budget if reserve is None else reserve
        states, aim = pack(model.place(state)), aim_of(setting.objective)
        carried = carry(memory, states, aim, reserve, capacity + 1)
        alone = functools.partial(planted, capacity=0)
        outcome = go_on_from(carried, alone, rule, budget, seed)
    return watch(outcome) if setting.stopping.needs_returns else outcome


def grow(
    setting: Setting, outcome: Outcome, limits: Limits, rounds: Int[Array, ""] | None = None
) -> Outcome:
    """Go on until the limits, or for so many rounds."""
    return proceed(
        setting.model, setting.rule, outcome, limits, widths=setting.widths(outcome),
        stopping=setting.stopping, rounds=rounds, backend=setting.backend,
    )  # fmt: skip


def read(setting: Setting, outcome: Outcome) -> Decision:
    """The answer so far. Seconds are left at zero."""
    root = outcome.tree.root
    weights, preference = _answer(setting, outcome)
    live = root.legal.any(-1)
    weights = jnp.where(live[:, None], weights, 0.0)
    action = best_action(jnp.where(root.legal, preference, -jnp.inf), mix(outcome.seed, 2))
    traits, candidates = setting.task.traits, None
    if setting.sampling is not None:
        rows = jnp.arange(live.shape[0])
        drawn = outcome.tree.state(rows, jnp.zeros_like(rows))
        action, weights, candidates = named(drawn, action, weights, traits)
    # A node may be wider than the task's actions: outcomes of chance share its slots.
    weights = weights[:, : traits.actions] if traits.discrete else weights
    nothing_to_do = -1 if traits.discrete else 0.0
    value = jnp.where(outcome.done, root.value, root.mean)
    each = setting.evaluator.flops / max(1, setting.evaluator.passes)
    nothing = jnp.zeros_like(outcome.model_steps)
    return Decision(
        action=jnp.where(live.reshape(-1, *[1] * len(action.shape[1:])), action, nothing_to_do),
        weights=weights,
        value=jnp.where(live, value, 0.0),
        spent=Ledger(
            model_steps=outcome.model_steps,
            network_evaluations=outcome.evaluations,
            fits=nothing,
            data=nothing,
            flops=outcome.evaluations * each,
            seconds=jnp.zeros(live.shape, jnp.float32),
        ),
        candidates=candidates,
    )


def _answer(setting: Setting, outcome: Outcome) -> tuple[Scores, Scores]:
    """The rule's answer among actions not proved as bad as can be; a proved root's best actions.

    Where nothing is proved, weights and preference are what the rule says.
    """
    root = outcome.tree.root
    hopeless = lost(root, setting.objective.bounds)
    rest = eqx.tree_at(
        lambda n: (n.visits, n.q, n.logits, n.settled),
        root,
        (
            jnp.where(hopeless, 0.0, root.visits),
            jnp.where(hopeless, 0.0, root.q),
            log_prior(root.logits, root.legal & ~hopeless),
            root.settled & ~hopeless,
        ),
    )
    weights, preference = setting.rule.answer(rest, outcome.schedule)
    preference = jnp.where(hopeless, FORBIDDEN, preference)
    best = jnp.where(root.settled, root.q, FORBIDDEN)
    top = best.max(-1, keepdims=True)
    winners = root.settled & (best >= top - 1e-5 * jnp.abs(top))
    shared = winners / jnp.maximum(winners.sum(-1, keepdims=True), 1)
    proved = outcome.done[:, None]
    return jnp.where(proved, shared, weights), jnp.where(proved, best, preference)


# The same for the host.


@eqx.filter_jit
def begun(
    setting: Setting,
    state: State,
    limits: Limits,
    keys: Key[Array, " batch"],
    capacity: int,
    memory: Remembered | None,
    reserve: Int[Array, " batch"] | None,
) -> Outcome:
    """`begin`, compiled."""
    return begin(setting, state, limits, seeds(keys), capacity, memory, reserve)


@functools.partial(eqx.filter_jit, donate="all-except-first")
def grown(
    given: tuple[Setting, Limits, Int[Array, ""]], outcome: Outcome
) -> tuple[Outcome, Bool[Array, ""]]:
    """`grow`, compiled, and whether there is more to do; it uses up the outcome given."""
    setting, limits, rounds = given
    outcome = grow(setting, outcome, limits, rounds)
    return outcome, going_on(setting.model, outcome, limits, setting.stopping).any()


@functools.partial(eqx.filter_jit, donate="all-except-first")
def replanned(given: tuple[Setting, Int[Array, " batch"]], outcome: Outcome) -> Outcome:
    """The same search with the rule's plan for the root drawn up anew, for so many simulations."""
    setting, budget = given
    schedule = setting.rule.begin(outcome.tree.root, budget, mix(outcome.seed, 1))
    return Outcome(outcome.tree, schedule, outcome.seed, outcome.tally, outcome.returns)


@eqx.filter_jit
def answered(
    setting: Setting, outcome: Outcome
) -> tuple[Decision, Int[Array, " batch"], Bool[Array, " batch"]]:
    """`read`, compiled, and what was faulty or stuck in which rows."""
    return read(setting, outcome), outcome.faults, outcome.stuck


@eqx.filter_jit
def remembered(setting: Setting, outcome: Outcome, like: Remembered) -> Remembered:
    """The search as the memory for the next one."""
    return remember(outcome, aim_of(setting.objective), like)
