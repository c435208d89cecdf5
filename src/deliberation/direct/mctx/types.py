"""What goes into and comes out of a search in mctx's manner: records, and kinds of functions.

The records are frozen, take keywords, and are pytrees and mappings, as mctx's are; a function may
also return mctx's own. Nothing here imports mctx.
"""

import abc
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar, dataclass_transform

import jax

T = TypeVar("T", bound=type)

RecurrentState = Any
"""An embedding: any pytree of arrays `[B, ...]`."""
RecurrentFn = Callable[[Any, Any, Any, RecurrentState], tuple[Any, RecurrentState]]
"""(params, key, action[B], embedding) to (`RecurrentFnOutput`, the next embedding)."""
RootActionSelectionFn = Callable[[Any, Any, Any], Any]
"""(key, one row's tree, node index) to an action, a number without axes."""
InteriorActionSelectionFn = Callable[[Any, Any, Any, Any], Any]
"""(key, one row's tree, node index, depth) to an action, a number without axes."""
LoopFn = Callable[..., Any]
"""With the arguments of `jax.lax.fori_loop`."""


class Record(Mapping[str, Any], metaclass=abc.ABCMeta):
    """Fields that are also items, in the order in which they are declared."""

    names: ClassVar[tuple[str, ...]] = ()
    plain: ClassVar[type]
    """What `replace` gives: the class itself, of arrays as they are."""

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def replace(self, **changes: Any) -> Any:
        """The same with other values in some fields."""
        return self.plain(**{**self, **changes})

    def to_tuple(self) -> tuple[Any, ...]:
        """The values of the fields, and after those of a tree its three constants, as mctx has."""
        return tuple(getattr(self, name) for name in self.plain.__dataclass_fields__)

    @classmethod
    def from_tuple(cls, values: Iterable[Any]) -> Any:
        """The record whose `to_tuple` this is; constants may be left out."""
        return cls.plain(**dict(zip(cls.names, values, strict=False)))


@dataclass_transform(kw_only_default=True, frozen_default=True)
def record(cls: T) -> T:
    """A frozen pytree of its fields, made from keywords or from one mapping; leaves by name."""
    made = dataclasses.dataclass(frozen=True, kw_only=True, eq=False)(cls)
    made.names = tuple(field.name for field in dataclasses.fields(made))
    made.plain = made
    by_keywords = made.__init__

    def __init__(self: Any, items: Any = (), /, **fields: Any) -> None:
        by_keywords(self, **{**dict(items), **fields})

    made.__init__ = __init__
    return jax.tree_util.register_dataclass(made, sorted(made.names), [])


@record
class RootFnOutput(Record):
    """The roots of a batch: `prior_logits[B, A]`, `value[B]` and any pytree `embedding[B, ...]`."""

    prior_logits: Any
    value: Any
    embedding: Any


@record
class RecurrentFnOutput(Record):
    """What a model says of a step: `reward[B]`, `discount[B]`, `prior_logits[B, A]`, `value[B]`.

    The discount turns the value of the new state into the view of the player who moved: negative
    where the mover changes, 0 where the episode ends.
    """

    reward: Any
    discount: Any
    prior_logits: Any
    value: Any


@record
class DecisionRecurrentFnOutput(Record):
    """What a model says of an action, before the outcome of chance.

    `chance_logits[B, C]` over the outcomes, and the `afterstate_value[B]`.
    """

    chance_logits: Any
    afterstate_value: Any


@record
class ChanceRecurrentFnOutput(Record):
    """What a model says of an outcome of chance: `action_logits[B, A]`, and one `[B]` each."""

    action_logits: Any
    value: Any
    reward: Any
    discount: Any


@record
class StochasticRecurrentState(Record):
    """A node's embedding where decisions and chance alternate; one of the two is a dummy."""

    state_embedding: Any
    afterstate_embedding: Any
    is_decision_node: Any


@record
class GumbelMuZeroExtraData(Record):
    """The Gumbel noise of the roots, scaled: `root_gumbel[B, A]`."""

    root_gumbel: Any


@record
class SearchSummary(Record):
    """The roots after a search: three `[B, A]`, and the `value[B]`, the mean of all returns."""

    visit_counts: Any
    visit_probs: Any
    value: Any
    qvalues: Any


@record
class PolicyOutput(Record):
    """The `action[B]` to take, the `action_weights[B, A]` to train a prior on, and the tree.

    A row in which the model gave NaN or infinity has action -1 and weights NaN.
    """

    action: Any
    action_weights: Any
    search_tree: Any
