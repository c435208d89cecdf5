"""MC-AIXI-CTW: a computable approximation of AIXI that knows nothing of its world at birth.

Veness, Ng, Hutter, Uther and Silver, "A Monte-Carlo AIXI approximation" (2011): the world is
predicted by a Bayes mixture over context trees (`context_tree`), and actions are searched in that
mixture (`rho_uct`).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory
from ...core.errors import ForeignMemoryError, TooLargeError, UnsuitableTaskError
from ...core.noise import Seed, mix, seeds
from ...core.objective import Objective
from ...core.task import State, Task, is_concrete
from ..ties import best_action
from ..tree_search.limits import Limits
from .context_tree import fresh_nodes
from .percepts import Percepts
from .rho_uct import LEARN, NOTHING, SEE, Mind, Terms, live


class AixiMemory(eqx.Module):
    """All that a row has lived through: its mixture, its history, and what it is in the midst of.

    `action` is the last action, whose percept is still to come (-1: none), taken in `previous`:
    kept only to work out, by the objective in force, the reward that the world hands over.
    """

    mind: Mind
    action: Int[Array, " batch"]
    previous: State


class MCAIXI(CheckedDecider):
    """Predicts its world by context trees and searches in what they predict.

    The rules of `task` are never asked: a simulation imagines `horizon` cycles by the mixture, and
    each cycle imagined counts as a model step. So `budget` counts simulations (of the mixture), and
    0 answers at random. All experience lies in the memory; `begin` gives that of a newborn, or
    `experience` (see `with_experience`). `value` is the mean return of the next `horizon` cycles,
    whatever is left of the episode, and `weights` are shares of visits.

    Rewards are percepts. An objective handed over is followed as soon as its rewards have been
    felt, and not before: what the mixture has learned of rewards stays. Its rewards must be whole
    numbers within those of `percepts`.

    `depth` is how many bits of the past are looked at (a percept's own bits are extra), `c` the
    exploration constant of the search. There is room for `life` cycles of history and `capacity`
    nodes of trees (24 bytes each); out of nodes the trees grow no deeper, out of life it refuses.
    The C++ kernel serves where there is a compiler, plain Python elsewhere with equal answers.

    Raises `UnsuitableTaskError` for more than one player, continuous actions, tasks that do not say
    how they are perceived and rewards that cannot be told; `TooLargeError` when life is over;
    `ForeignMemoryError` for the memory of an agent with other settings.
    """

    task: Task
    percepts: Percepts
    budget: Budget
    experience: AixiMemory | None
    horizon: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)
    c: float = eqx.field(static=True)
    life: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        horizon: int = 4,
        depth: int = 32,
        budget: Budget | int = 500,
        c: float = 0.5,
        life: int = 1024,
        capacity: int = 1 << 15,
        percepts: Percepts | None = None,
        experience: AixiMemory | None = None,
    ):
        traits = task.traits
        if traits.players != 1 or not traits.discrete:
            raise UnsuitableTaskError(
                f"{task!r} has {traits.players} players"
                f"{'' if traits.discrete else ' and continuous actions'}: MCAIXI acts alone in a "
                "world, by actions that can be counted. Let opponents be part of the world."
            )
        if min(horizon, life) < 1 or depth < 0 or c < 0:
            raise ValueError(
                "MCAIXI needs a horizon and a life of at least 1, a depth and a c of at least 0; "
                f"got horizon={horizon}, life={life}, depth={depth}, c={c}."
            )
        self.task = task
        self.percepts = Percepts.of(task) if percepts is None else percepts
        if capacity < self.percepts.bits:
            raise ValueError(f"A percept has {self.percepts.bits} bits, and each needs a node.")
        self.budget, self.experience = Budget.of(budget), experience
        self.horizon, self.depth, self.c = horizon, depth, float(c)
        self.life, self.capacity = life, capacity

    def __repr__(self) -> str:
        old = "" if self.experience is None else ", experienced"
        return (
            f"MCAIXI({self.task!r}, horizon={self.horizon}, depth={self.depth}, "
            f"budget={self.budget.simulations}{old})"
        )

    @property
    def terms(self) -> Terms:
        """The sizes of the agent, as its kernel wants them."""
        p = self.percepts
        action_bits = max(self.task.traits.actions - 1, 1).bit_length()
        return Terms(
            self.depth, action_bits, p.bits, p.reward_bits, p.low, p.high, self.horizon, self.c
        )

    @property
    def bits(self) -> int:
        """Bits of history that a cycle adds."""
        return self.terms.action_bits + self.terms.percept_bits

    def begin(self, batch: int) -> AixiMemory:
        """A newborn in every row, or one with this agent's experience."""
        if self.experience is not None:
            return jax.tree.map(lambda x: jnp.repeat(x[None], batch, 0), self.experience)
        trees = self.percepts.bits
        first = jax.eval_shape(self.task.init, jax.random.key(0))
        nodes = jnp.asarray(fresh_nodes(trees, self.capacity))
        return AixiMemory(
            Mind(
                jnp.broadcast_to(nodes, (batch, *nodes.shape)),
                jnp.full(batch, trees, jnp.int32),
                jnp.zeros((batch, self._places), jnp.uint8),
                jnp.zeros(batch, jnp.int32),
            ),
            jnp.full(batch, -1, jnp.int32),
            jax.tree.map(lambda x: jnp.zeros((batch, *x.shape), x.dtype), first),
        )

    @property
    def _places(self) -> int:
        # A simulation writes what it imagines behind what was lived.
        return (self.life + self.horizon + 2) * self.bits

    def with_experience(self, memory: AixiMemory, row: int = 0) -> "MCAIXI":
        """The same agent, which begins every episode with what a row of a memory has learned."""
        check_mind(self, memory)
        one = jax.tree.map(lambda x: jnp.asarray(x[row]), memory)
        one = eqx.tree_at(lambda m: m.action, one, jnp.int32(-1))
        return eqx.tree_at(lambda a: a.experience, self, one, is_leaf=lambda x: x is None)

    def living_in(self, task: Task) -> "MCAIXI":
        """The same agent in another task with the same actions and percepts."""
        return MCAIXI(
            task,
            horizon=self.horizon,
            depth=self.depth,
            budget=self.budget,
            c=self.c,
            life=self.life,
            capacity=self.capacity,
            percepts=self.percepts,
            experience=self.experience,
        )

    def choose(self, question: Question) -> tuple[Decision, AixiMemory]:
        """Learn what came of the last action, then search."""
        limits, keys = Limits(*question.limits), question.keys
        memory = self.begin(len(keys)) if question.memory is None else question.memory
        check_mind(self, memory)
        check_life(self, memory, 1)
        # What is data stays out of the compiled program.
        agent = bare(self)
        decision, memory, told = _decide(
            agent, question.objective, question.state, memory, limits, keys
        )
        if is_concrete(decision):
            check_told(self, told)
        return decision, memory


def bare(agent: MCAIXI) -> MCAIXI:
    """The agent without its experience and budget, so that neither is compiled."""
    agent = eqx.tree_at(lambda a: a.experience, agent, None, is_leaf=lambda x: x is None)
    return eqx.tree_at(lambda a: a.budget, agent, Budget(0))


def update_orders(
    agent: MCAIXI,
    objective: Objective,
    state: State,
    memory: AixiMemory,
    now: Bool[Array, " batch"],
) -> tuple[Int[Array, "batch 3"], Bool[Array, " batch"]]:
    """What to do with what each row perceives now, and whether its reward could be told.

    Where an action is pending its percept is learned; in a new episode what is seen is noted.
    """

    def one(before: State, action: Int[Array, ""], after: State):
        reward = jnp.asarray(objective(before, jnp.maximum(action, 0), after))[0]
        pending = action >= 0
        code, told = agent.percepts.encode(after, jnp.where(pending, reward, 0.0))
        return code, told | ~pending, pending

    code, told, pending = jax.vmap(one)(memory.previous, memory.action, state)
    over = jax.vmap(agent.task.terminated)(state)
    does = jnp.where(pending, LEARN, jnp.where(over, NOTHING, SEE))
    does = jnp.where(now, does, NOTHING)
    orders = jnp.stack([does, jnp.maximum(memory.action, 0), code], axis=1)
    return orders.astype(jnp.int32), told | ~now


def act(
    agent: MCAIXI,
    objective: Objective,
    state: State,
    memory: AixiMemory,
    limits: Limits,
    seed: Seed,
) -> tuple[Decision, AixiMemory, Bool[Array, " batch"]]:
    """Learn and search; pure, for use inside of a larger compiled loop.

    Also says which rows' rewards could be told. Seconds are left at zero.
    """
    legal = jax.vmap(agent.task.legal)(state)
    alive = ~jax.vmap(agent.task.terminated)(state)
    orders, told = update_orders(agent, objective, state, memory, jnp.ones_like(alive))
    simulations = jnp.minimum(limits.simulations, limits.model_steps // agent.horizon)
    simulations = jnp.where(alive, simulations, 0).astype(jnp.int32)
    orders = jnp.concatenate([orders, simulations[:, None]], axis=1)
    mind, found = live(agent.terms, memory.mind, orders, legal, mix(seed, 1))
    searched, tried = simulations > 0, found.visits > 0
    values = jnp.where(searched[:, None], jnp.where(tried, found.values, -jnp.inf), 0.0)
    action = best_action(jnp.where(legal, values, -jnp.inf), mix(seed, 2))
    shares = jnp.where(searched[:, None], found.visits, legal).astype(jnp.float32)
    decision = answer(
        alive, action, shares / jnp.maximum(shares.sum(1), 1)[:, None],
        jnp.where(searched, values.max(1, initial=-jnp.inf), 0.0),
        model_steps=simulations * agent.horizon,
    )  # fmt: skip
    return decision, AixiMemory(mind, decision.action, state), told


@eqx.filter_jit
def _decide(
    agent: MCAIXI,
    objective: Objective,
    state: State,
    memory: AixiMemory,
    limits: Limits,
    keys: Key[Array, " batch"],
) -> tuple[Decision, AixiMemory, Bool[Array, " batch"]]:
    return act(agent, objective, state, memory, limits, seeds(keys))


def check_mind(agent: MCAIXI, memory: Memory) -> None:
    """Refuse what is not the memory of an agent set up like this one."""
    wanted = jax.eval_shape(lambda: bare(agent).begin(1))
    shapes = [(x.shape[1:], x.dtype) for x in jax.tree.leaves(wanted)]
    given = [(jnp.shape(x)[1:], jnp.asarray(x).dtype) for x in jax.tree.leaves(memory)]
    if not isinstance(memory, AixiMemory) or given != shapes:
        raise ForeignMemoryError(
            f"This memory is not one that {agent!r} began: its parts have other shapes. Begin with "
            "`agent.begin(batch)`, and keep percepts, depth, life and capacity as they were."
        )


def check_life(agent: MCAIXI, memory: AixiMemory, cycles: int) -> None:
    """Refuse to live on where there is no room for the history. A no-op under `jit`."""
    if not is_concrete(memory.mind.length):
        return
    lived = int(np.asarray(memory.mind.length).max(initial=0)) // agent.bits
    if lived + cycles > agent.life + 1:
        raise TooLargeError(
            f"{agent!r} has lived {lived} of its {agent.life} cycles and was to live {cycles} "
            "more. Build it with a greater `life`."
        )


def check_told(agent: MCAIXI, told: Bool[Array, " batch"]) -> None:
    """Refuse rewards and observations for which there is no code."""
    if bool(told.all()):
        return
    p = agent.percepts
    raise UnsuitableTaskError(
        f"Row {int(jnp.argmin(told))} met a percept that cannot be told: {agent!r} knows rewards "
        f"that are whole numbers from {p.low} to {p.high} and {p.senses} observations. Hand it "
        "Percepts that are wide enough for this objective."
    )
