"""Networks of PyTorch as deciders: `from_torch`. The one file that imports torch."""

import copy
import importlib
from typing import Any

import numpy as np

from ...core.decider import check_finite
from ...core.errors import BackendError, ForeignPolicyError, WrongKindError
from ...core.task import Task, check_is_task
from .expected import Score, reproduced
from .host import Asked, HostPolicy, Layered, Model, Said, adapted, probe
from .shown import Masks, Observe, form_of
from .weighing import Meaning, best, check_meaning, drawn, weights_of


def from_torch(
    module: Any,
    task: Task,
    meaning: Meaning = "logits",
    *,
    deterministic: bool = True,
    observe: Observe | None = None,
    masks: Masks | None = None,
    expect: Score | float | int | None = None,
) -> HostPolicy:
    """A decider from a `torch.nn.Module` that maps a batch of observations to numbers.

    It is copied, put into evaluation mode and asked without gradients, with observations as
    tensors of the dtype that its weights have (integers stay integers; a dictionary of
    observations, a dictionary of tensors). `meaning` tells what it answers with, one row an
    observation:

    - "logits": the action's weights are their softmax over legal actions;
    - "probabilities": those of illegal actions are left out, the rest scaled to sum to 1;
    - "q": values of actions, of which the greatest legal one is taken, and is the value;
    - "action": the action itself, a number where actions are numbered, else an array, which is
      clipped to the task's bounds.

    A pair is taken for one of these and the value (else the value is 0). `deterministic` takes the
    action with the greatest weight, otherwise it is drawn by the weights from the key. `observe`,
    `masks` and `expect` are as in `from_callable`.

    Raises `BackendError` without PyTorch, `WrongKindError` for what is no module or meaning,
    `ForeignPolicyError` for outputs of another width than the task has actions, `NonFiniteError`
    for NaN or infinity, `IllegalActionError` where it gives legal actions no probability, and
    `UnreproducedScoreError`.
    """
    check_is_task(task)
    torch = imported()
    if not isinstance(module, torch.nn.Module):
        raise WrongKindError(f"{module!r} is no torch.nn.Module: hand over the network itself.")
    check_meaning(meaning, task.traits.discrete)
    model = TorchModel(copied(module), meaning, deterministic, task)
    model.count_flops(probe(task, observe, 1, masks))
    return reproduced(adapted(task, model, observe, masks), expect)


def imported() -> Any:
    """PyTorch. Raises `BackendError` where it is missing."""
    return needed("torch", "Policies of PyTorch", "sb3")


def needed(package: str, whose: str, extra: str) -> Any:
    """A package that is there if an extra is. Raises `BackendError` that names it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise BackendError(
            f"{whose} need {package}: pip install 'deliberation[{extra}]' ({error})."
        ) from error


def copied(module: Any) -> Any:
    """A copy of a module, but for what it keeps of the computations that it last did."""
    done: dict[int, Any] = {}
    for part in module.modules():
        for holder in (part, getattr(part, "action_dist", None)):
            for held in vars(holder).values() if hasattr(holder, "__dict__") else ():
                if _is_distribution(held):
                    done[id(held)] = None
                elif imported().is_tensor(held) and not held.is_leaf:
                    done[id(held)] = held.detach().clone()
    return copy.deepcopy(module, done)


def _is_distribution(held: Any) -> bool:
    found = held if isinstance(held, list | tuple) and held else [held]
    kind = imported().distributions.Distribution
    return all(isinstance(x, kind) for x in found)


class TorchModel(Model):
    """A module of PyTorch on the host, and what its numbers mean."""

    evaluations = 1
    model_steps = 0

    def __init__(self, module: Any, meaning: str, deterministic: bool, task: Task):
        self.name = f"torch module {type(module).__name__} ({meaning})"
        self.module, self.meaning, self.deterministic = module, meaning, deterministic
        self.width = task.traits.actions if meaning != "action" else 0
        floating = [x for x in module.parameters() if x.is_floating_point()]
        self.like = floating[0] if floating else imported().zeros(())

    def count_flops(self, asked: Asked) -> None:
        """What one row costs, as PyTorch counts it; unknown where it counts nothing."""
        counting = importlib.import_module("torch.utils.flop_counter")
        with counting.FlopCounterMode(display=False) as counter, self.blamed(asked):
            self.raw(asked)
        self.flops = float(counter.get_total_flops()) or None

    def raw(self, asked: Asked) -> tuple[np.ndarray, np.ndarray | None]:
        """What the module gives, as it is, and its values if it gives a pair."""
        torch = imported()
        self.module.eval()
        with torch.no_grad():
            said, value = self._called(self.module, asked)
        value = None if value is None else value.detach().cpu().numpy().reshape(asked.count)
        return said.detach().cpu().numpy(), value

    def layered(self) -> Layered | None:
        """The module, where it scores actions."""
        return None if self.meaning == "action" else Layered(self.module, self.scores)

    def scores(self, module: Any, asked: Asked) -> Any:
        """What this module, or one of the same form, says of the actions, as a tensor."""
        return self._called(module, asked)[0]

    def _called(self, module: Any, asked: Asked) -> tuple[Any, Any]:
        found: Any = module(self._tensors(asked.observation))
        paired = isinstance(found, tuple | list) and len(found) == 2
        return (found[0], found[1]) if paired else (found, None)

    def _tensors(self, seen: Any) -> Any:
        if isinstance(seen, dict):
            return {name: self._tensors(part) for name, part in seen.items()}
        if isinstance(seen, tuple):
            return tuple(map(self._tensors, seen))
        tensor = imported().tensor(seen)
        dtype = self.like.dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(device=self.like.device, dtype=dtype)

    def answer(self, asked: Asked) -> Said:
        """One forward pass for all rows."""
        said, value = self.raw(asked)
        if self.meaning == "action":
            return Said(said, None, value)
        return decided(self, said, value, asked)


def decided(model: Any, said: np.ndarray, value: np.ndarray | None, asked: Asked) -> Said:
    """Actions, weights and values from what a network says of numbered actions."""
    if said.shape != (asked.count, model.width):
        raise ForeignPolicyError(
            f"{model.name} answers {form_of(said)} to {asked.count} observations "
            f"{form_of(asked.observation)}, and the task has {model.width} actions: there must be "
            f"one row an observation and one of its {model.meaning} an action."
        )
    # Networks that mask by themselves say minus infinity where nothing is asked of them.
    said = np.where(np.isneginf(said) & ~asked.legal, 0, said)
    check_finite(model.name, **{model.meaning: said})
    weights = weights_of(model.meaning, said, asked.legal, model.name)
    if model.meaning == "q":
        value = np.where(asked.legal, said, -np.inf).max(axis=-1)
    if model.deterministic:
        return Said(best(said, asked.legal), weights, value)
    return Said(drawn(weights, asked.uniform), weights, value)
