"""The layers of adapted networks: `insides`, by hooks in PyTorch and by taps in equinox."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from ...core.decider import Decider
from ...core.errors import UnknownNameError, UnsuitableTaskError, WrongKindError
from ...core.insides import Insides, Units, flat, no_insides, tapped
from ...core.task import State
from .host import Asked, HostPolicy, Layered, asked_about
from .jax_modules import JaxPolicy
from .torch_modules import copied, imported


def insides(policy: Decider) -> Insides:
    """The layers of a decider made by `from_torch`, `from_equinox`, `from_sb3` or `text_policy`.

    Layers are the innermost parts of a network by their own names, with what they give before the
    next part is called; of a language model, at the last token. The scores are logits,
    probabilities or values of actions, as the network has them. The network at random weights is
    one whose layers are initialised anew as PyTorch does; in equinox, and where a layer does not
    know how, its weights are put in random order.

    Raises `WrongKindError` for deciders without a network (or with one that carries a memory, or
    answers with an action alone), and `UnsuitableTaskError` where actions are continuous.
    """
    if not isinstance(policy, Decider):
        raise WrongKindError(f"{policy!r} is no decider: bring it in with from_torch or from_sb3.")
    if not policy.task.traits.discrete:
        raise UnsuitableTaskError(
            f"{policy!r} has continuous actions: layers are read where actions are numbered."
        )
    if isinstance(policy, JaxPolicy):
        if policy.meaning == "action":
            raise no_insides(policy, "answers with an action, and scores none")
        return tapped(policy.module, _first, policy.task, policy._seen)
    if isinstance(policy, HostPolicy):
        network = policy.model.layered()
        if network is not None:
            return _hooked(policy, network)
    raise no_insides(policy, "has no network that scores its actions by what it sees alone")


def _first(module: Any, seen: Any) -> Array:
    """The scores that a module gives, alone or before a value."""
    said = module(seen)
    pair = isinstance(said, tuple | list) and len(said) == 2
    return jax.numpy.asarray(said[0] if pair else said)


def _hooked(policy: HostPolicy, network: Layered) -> Insides:
    """The insides of a module of PyTorch: what its innermost parts give when it scores actions."""
    torch, (module, scores, last) = imported(), network

    def run(asked: Asked, hooks: dict[str, Any]) -> np.ndarray:
        with torch.no_grad(), policy.model.blamed(asked), _within(module, hooks):
            return scores(module, asked).detach().cpu().numpy().astype(float)

    def read(states: State) -> dict[str, np.ndarray]:
        asked, given = asked_about(policy, states), {}

        def noting(name: str) -> Any:
            def note(part: Any, inputs: Any, found: Any) -> None:
                del part, inputs
                if torch.is_tensor(found) and found.is_floating_point() and found.ndim > 1 + last:
                    seen = found[:, -1] if last else found
                    given[name] = seen.detach().cpu().numpy().astype(float)

            return note

        names = _parts(module)
        run(asked, {name: noting(name) for name in names})
        rows = {name: x.reshape(len(x), -1) for name, x in given.items()}
        found = {name: x for name, x in rows.items() if len(x) == asked.count}
        if not found:
            raise no_insides(policy, "has no part that gives numbers for every row")
        return found

    def resume(states: State, layer: str, units: Units) -> np.ndarray:
        if layer not in _parts(module):
            raise UnknownNameError("layer", layer, _parts(module))

        def instead(part: Any, inputs: Any, found: Any) -> Any:
            del part, inputs
            given = torch.tensor(np.array(units), dtype=found.dtype, device=found.device)
            if not last:
                return given.reshape(found.shape)
            changed = found.clone()
            changed[:, -1] = given.reshape(changed[:, -1].shape)
            return changed

        return run(asked_about(policy, states), {layer: instead})

    def untrained(key: Key[Array, ""]) -> Insides:
        return _hooked(policy, network._replace(module=_anew(module, key)))

    return Insides(
        lambda states: flat(asked_about(policy, states).observation), read, resume, untrained
    )


def _parts(module: Any) -> dict[str, Any]:
    """The parts of a module that have none themselves, by name; the module where it is one."""
    found = {name: part for name, part in module.named_modules() if not list(part.children())}
    return {name or type(module).__name__: part for name, part in found.items()}


@contextmanager
def _within(module: Any, hooks: dict[str, Any]) -> Iterator[None]:
    """Hooks on parts of a module, while it runs in evaluation mode."""
    module.eval()
    parts = _parts(module)
    held = [parts[name].register_forward_hook(hook) for name, hook in hooks.items()]
    try:
        yield
    finally:
        for one in held:
            one.remove()


def _anew(module: Any, key: Key[Array, ""]) -> Any:
    """A copy of a module with its weights drawn anew, the generator of PyTorch left as it was."""
    torch, anew = imported(), copied(module)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(int(jax.random.bits(key)))
        for part in anew.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
                continue
            for weights in part.parameters(recurse=False):
                order = torch.randperm(weights.numel())
                weights.copy_(weights.reshape(-1)[order].reshape(weights.shape))
    return anew
