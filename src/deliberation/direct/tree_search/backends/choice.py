"""Which of the two back ends grows the trees: C++ kernels on the CPU, or pure JAX everywhere."""

import os
from types import ModuleType
from typing import Literal

import jax

from ....core.errors import BackendError, UnknownNameError
from ...kernels.build import VARIABLE, load
from ..picker import Picker

BackendName = Literal["auto", "native", "jax"]
_NAMES = ("auto", "native", "jax")


def backend_name(wanted: BackendName = "auto") -> Literal["native", "jax"]:
    """The back end that serves this process: as wanted, else as `DELIBERATION_BACKEND` says.

    `auto` takes the native one where JAX runs on the CPU and a compiler was at hand. Raises
    `BackendError` if the native one is demanded and cannot be had.
    """
    if wanted == "auto":
        wanted = os.environ.get(VARIABLE, "auto")  # type: ignore[assignment]
    if wanted not in _NAMES:
        raise UnknownNameError("back end", wanted, _NAMES)
    if wanted == "jax":
        return "jax"
    why_not = why_not_native()
    if not why_not:
        return "native"
    if wanted == "native":
        raise BackendError(
            f"The native kernels are not to be had: {why_not}. Install a C++ compiler (Debian: "
            f"sudo apt install g++) or let {VARIABLE} be auto or jax."
        )
    return "jax"


def why_not_native() -> str:
    """Empty if the native kernels can be used here, else the reason why not."""
    if jax.default_backend() != "cpu":
        return f"JAX computes on {jax.default_backend()}, and they are for the CPU"
    return load()


def backend_for(rule: Picker, wanted: BackendName = "auto") -> ModuleType:
    """The module that grows trees by this rule, as `backend_name` says; pure JAX if it must.

    Rules without a kernel go by JAX whatever is wanted.
    """
    from . import portable

    if backend_name(wanted) == "jax" or not rule.native:
        return portable
    from . import native

    return native
