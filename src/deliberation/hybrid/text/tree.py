"""Tree search over a text, token by token or line by line, on the library's own search engine."""

import functools
import itertools
import math
import weakref
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Int, Key

from ...core.contract.text_model import Sampling, Stop, TextModel, check_counts
from ...core.errors import BudgetError
from ...core.failures import as_raised, calling_out
from ...core.noise import Seed
from ...core.task import State
from ...direct.tree_search.backends.choice import BackendName, backend_for
from ...direct.tree_search.engine import Outcome, init, proceed
from ...direct.tree_search.limits import Limits, room_for
from ...direct.tree_search.models.base import Model, Step
from ...direct.tree_search.picker import Number, Schedule, Scores
from ...direct.tree_search.round import Leaves
from ...direct.tree_search.rules import Rule
from ...direct.tree_search.tree import NodeView
from .drawing import PLAIN, Allow, lengths
from .nodes import LineNodes, Manner, Nodes, TokenNodes, Worth
from .shelf import row_bytes
from .spending import UNLIMITED, Searched, TextBudget, begun, row_seeds, stop_of
from .verifying import Texts, Verifier, check_verifier

_NUMBERS = itertools.count()
_OPEN: weakref.WeakValueDictionary[int, Nodes] = weakref.WeakValueDictionary()
"""Searches under way, by number: a compiled program serves any of them."""
LEAST_ROOM, LARGEST_ROOM = 256, 2**20
"""Nodes of a tree: searches with small budgets share one compiled program."""


@as_raised
def tree_search(
    model: TextModel, prompts: Texts, verifier: Verifier, *, tokens: int, budget: TextBudget,
    key: Key[Array, "*prompts"], line: int | None = None, candidates: int = 16,
    value: Worth | None = None, rollouts: int = 0, rule: Rule | None = None,
    sampling: Sampling = PLAIN, stop: Stop = "end", allow: Allow | None = None,
    backend: BackendName = "auto", max_bytes: int = 2**30,
) -> Searched:  # fmt: skip
    """Grow a tree from each prompt and take the best finished text that it came to.

    The edges of a node are its likeliest `candidates` tokens, with the model's probabilities as the
    prior; or, where `line` is the token that ends a line, as many lines drawn from the model.
    What ends is graded by the verifier. What does not is worth the least grade, or what `value`
    says (within the bounds of grades, else `VerifierError`), or the mean grade of `rollouts` that
    the model writes on from there; of both, the mean.
    A `ValuedModel` says what texts are worth by itself. `rule` is `Diving` unless given: no text is
    looked at twice. The model's memory of each node is kept: a child costs the tokens that it adds.
    No more than `max_bytes` is kept at a time, by searching from fewer prompts at once.

    The `budget` must limit tokens, passes or FLOPs. Raises as `best_of_n` does.
    """
    check_counts(2, candidates=candidates)
    check_counts(0, rollouts=rollouts)
    check_verifier(verifier)
    sampling.check()
    texts, purse, best = begun(model, prompts, verifier, tokens, budget)
    most = int(np.minimum(purse.tokens_left, purse.passes_left + 1).max(initial=0))
    if most >= UNLIMITED // 2:
        raise BudgetError("A tree search goes on until its budget ends: give tokens or passes.")
    how = Manner(
        tokens, min(candidates, model.vocabulary) if line is None else candidates, sampling,
        stop_of(model, verifier, stop), allow, value, rollouts,
        None if line is None else model.stop_token(line, "line"),
    )  # fmt: skip
    seed, chosen = row_seeds(key, len(texts)), _usual(verifier) if rule is None else rule
    logits, memory = model.start(texts[:, : lengths(texts).max(initial=0)])
    nodes = TokenNodes if line is None else LineNodes
    room = room_for(min(2 * most, LARGEST_ROOM), LEAST_ROOM)
    at_once = max(1, max_bytes // max(1, row_bytes(memory, len(texts)) * min(most, room)))
    for rows in np.array_split(np.arange(len(texts)), max(1, -(-len(texts) // at_once))):
        part = purse.of(rows), best.of(rows)
        read = np.asarray(logits)[rows], model.pick(memory, rows)
        grown = nodes(model, texts[rows], read, how, *part, seed[rows])
        _grow(grown, chosen, backend_for(chosen, backend), room)
        purse.put(rows, part[0])
        best.put(rows, part[1])
    return best.searched(purse)


class Diving(Rule):
    """PUCT for who looks for one best text: what was not tried yet counts as the least grade.

    (q - least) / span + c p sqrt(N) / (1 + n), so that with a small `c` a search goes on from where
    it is until what comes back is no better than elsewhere (the "first play urgency" of Gelly and
    Wang 2006). Edges behind which nothing is left to be found come last. With `c` = 1.25 and no
    values it spreads over beginnings as they are likely.
    """

    needs_value: ClassVar[bool] = True
    most_visited: ClassVar[bool] = True
    c: Number = 0.03
    least: Number = 0.0
    span: Number = 1.0

    def interior(self, node: NodeView) -> Scores:
        """By what came back and how likely an edge is, among those that are not settled."""
        total = jnp.maximum(node.visits.sum(-1, keepdims=True), 1)
        q = jnp.where(node.visits > 0, (node.q - self.least) / self.span, 0.0)
        score = q + self.c * jnp.sqrt(total) * node.prior / (1 + node.visits)
        return jnp.where(node.settled, -jnp.inf, score)

    def answer(self, root: NodeView, schedule: Schedule) -> tuple[Scores, Scores]:
        """The prior, and what came back: the search is asked for its texts, and not for a token."""
        del schedule
        return root.prior, root.q


class _Found(NamedTuple):
    """What `nodes.Arrived` is in a compiled program."""

    node: Any
    logits: Any
    legal: Any
    reward: Any
    value: Any
    over: Any


class _TextModelTree(Model):
    """What the engine plans with: numbers of nodes, whose texts and memories the host keeps."""

    search: Int[Array, ""]
    sizes: tuple[int, int] = eqx.field(static=True)
    """Candidates of a node, and how deep texts go: a node adds a token at least."""
    grades: tuple[float, float] = eqx.field(static=True)
    """The least and the greatest there can be."""

    actions = property(lambda self: self.sizes[0])
    horizon = property(lambda self: self.sizes[1])
    bounds = property(lambda self: self.grades)
    most = property(lambda self: self.grades[1])

    def root(self, state: State, seed: Seed, evaluate: bool) -> Step:
        """What the model said after the prompts."""
        del seed, evaluate
        return self._step(state, _roots, state)

    def step(self, leaves: Leaves) -> Step:
        """What the edges lead to."""
        return self._step(leaves.node, _step, leaves.state, leaves.action, leaves.new)

    def _step(self, like: Int[Array, " lanes"], call: Any, *given: Array) -> Step:
        lanes = like.shape[0]
        numbers = jax.ShapeDtypeStruct((lanes,), jnp.float32)
        table = (lanes, self.actions)
        form = _Found(
            jax.ShapeDtypeStruct((lanes,), jnp.int32),
            jax.ShapeDtypeStruct(table, jnp.float32), jax.ShapeDtypeStruct(table, jnp.bool_),
            numbers, numbers, jax.ShapeDtypeStruct((lanes,), jnp.bool_),
        )  # fmt: skip
        found = _Found(*io_callback(call, tuple(form), self.search, *given, ordered=False))
        ones, none = jnp.ones(lanes), jnp.zeros(lanes, jnp.int32)
        return Step(
            found.node, found.reward, ones, found.value, found.logits, ones, found.over, None,
            none, none, legal=found.legal,
        )  # fmt: skip


def _usual(verifier: Verifier) -> Rule:
    span = verifier.greatest - verifier.least
    return Diving(least=verifier.least, span=span if math.isfinite(span) else 1.0)


def _roots(search: Any, state: Any) -> tuple:
    with calling_out():
        return tuple(_OPEN[int(search)].roots())


def _step(search: Any, node: Any, edge: Any, new: Any) -> tuple:
    with calling_out():
        return tuple(_OPEN[int(search)].step(*(np.asarray(x) for x in (node, edge, new))))


@eqx.filter_jit
def _begun(
    model: Model, rule: Rule, rows: Int[Array, " rows"], budget: Int[Array, " rows"], seed: Seed,
    room: int,
) -> Outcome:  # fmt: skip
    return init(model, rule, rows, budget, seed, capacity=room, evaluate=True)


@functools.partial(eqx.filter_jit, donate="all-except-first")
def _grown(given: tuple[Model, Rule, Array, ModuleType], outcome: Outcome) -> Outcome:
    model, rule, most, backend = given
    return proceed(model, rule, outcome, Limits(most, most), backend=backend)


def _grow(nodes: Nodes, rule: Rule, backend: ModuleType, room: int) -> None:
    """Search until every budget is spent, the best grade found, or the tree exhausted or full.

    How much a simulation takes is known when it is done: a few are taken at a time, as many as the
    budget is sure to hold by what they took so far, and no node is paid for beyond it.
    """
    number = next(_NUMBERS)
    _OPEN[number] = nodes
    verifier = nodes.best.verifier
    assert verifier is not None
    model = _TextModelTree(
        jnp.int32(number), (nodes.how.candidates, nodes.how.tokens),
        (verifier.least, verifier.greatest),
    )  # fmt: skip
    rows, before = np.arange(len(nodes.seed)), nodes.purse.passes.copy()
    left, dearest = _left(nodes), nodes.dearest
    places, most = (jnp.asarray(np.minimum(x, 2**30), jnp.int32) for x in (rows, left))
    outcome = _begun(model, rule, places, most, jnp.asarray(nodes.seed), room)
    taken = np.zeros(len(rows), np.int64)
    while True:
        left, done = _left(nodes), np.asarray(outcome.done)
        each = np.ceil((nodes.purse.passes - before) / np.maximum(taken, 1)).clip(1)
        each = np.where(taken > 0, each, dearest)
        more = np.where(done | nodes.best.over, 0, np.ceil(left / each)).astype(np.int64)
        most = np.minimum(taken + more, 2 * room).astype(np.int32)
        outcome = _grown((model, rule, jnp.asarray(most), backend), outcome)
        after = np.asarray(outcome.simulations, np.int64)
        if not (after > taken).any():
            return
        taken = after


def _left(nodes: Nodes) -> Int[np.ndarray, " prompts"]:
    """How many tokens each prompt can still have read or written."""
    return np.minimum(nodes.purse.passes_left, nodes.purse.tokens_left).clip(0)
