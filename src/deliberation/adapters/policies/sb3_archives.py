"""Archives of stable-baselines3: plain weights read without running code, or all of it on trust.

The one file that imports stable-baselines3 and sb3-contrib. An archive's `data` is JSON whose
values may be pickles; `policy.pth` holds tensors, which `torch.load(weights_only=True)` reads
without running anything. Where all that a network is built from is plain JSON, it is built from the
library's own class and the task's own spaces, and filled with those tensors.
"""

import importlib
import json
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import (
    BackendError,
    ForeignPolicyError,
    PolicyFileError,
    UnknownNameError,
    UntrustedFileError,
)
from ...core.failures import in_words
from ...core.task import Task
from .shown import probe_shapes, spaces_of
from .torch_modules import imported

_HOMES = {
    "stable_baselines3.common.policies": ("PPO", "A2C", "TRPO"),
    "stable_baselines3.dqn.policies": ("DQN",),
    "stable_baselines3.sac.policies": ("SAC",),
    "stable_baselines3.td3.policies": ("TD3", "DDPG"),
    "sb3_contrib.common.maskable.policies": ("MaskablePPO",),
    "sb3_contrib.common.recurrent.policies": ("RecurrentPPO",),
    "sb3_contrib.qrdqn.policies": ("QRDQN",),
    "sb3_contrib.tqc.policies": ("TQC",),
    "sb3_contrib.crossq.policies": ("CrossQ",),
    "sb3_contrib.ars.policies": ("ARS",),
}
"""The algorithms whose policies live in a module."""
ALGORITHMS = {name: home.partition(".")[0] for home, names in _HOMES.items() for name in names}
"""The algorithms that can be adapted, and the package of each."""
_WITH_SDE = ("PPO", "A2C", "TRPO", "RecurrentPPO")
"""Those that hand `use_sde` to their policies beside `policy_kwargs`."""


class Loaded(NamedTuple):
    """A policy in PyTorch, the algorithm that trained it, and how often it explores."""

    policy: Any
    algorithm: str
    exploration: float


def package(name: str) -> Any:
    """A module of stable-baselines3 or sb3-contrib. Raises `BackendError` where it is missing."""
    imported()
    try:
        return importlib.import_module(name)
    except ImportError as error:
        library = name.partition(".")[0].replace("_", "-")
        raise BackendError(
            f"Policies of {library} need it: pip install 'deliberation[sb3]' ({error})."
        ) from error


def read_archive(path: Path, task: Task, algorithm: str | None, trust: bool) -> Loaded:
    """The policy of an archive that `model.save` wrote.

    Raises `PolicyFileError` for what is no such archive, `UntrustedFileError` where reading it
    would run code and it is not trusted, and `ForeignPolicyError` for one of other shapes.
    """
    package("stable_baselines3")
    path = path if path.exists() or path.suffix == ".zip" else path.with_name(path.name + ".zip")
    with _opened(path) as archive:
        data = _data(path, archive)
        named = _algorithm(path, data, algorithm)
        if trust:
            return _in_full(path, named)
        return Loaded(
            _from_weights(path, archive, data, named, task), named,
            _number(data.get("exploration_rate")),
        )  # fmt: skip


def _number(found: Any) -> float:
    return float(found) if isinstance(found, int | float) else 0.0


def _bad(path: Path, what: str, remedy: str = "") -> PolicyFileError:
    remedy = remedy or "It is truncated or of another kind: save the model again by `model.save`."
    return PolicyFileError(f"{path} {what}. {remedy}")


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise _bad(path, "is missing", "Give the path that `model.save` wrote to.") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise _bad(path, f"is no archive of stable-baselines3: {error}") from error


def _data(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    """The settings of the algorithm; pickles stay text."""
    if missing := sorted({"data", "policy.pth"} - set(archive.namelist())):
        raise _bad(path, f"is a zip file, but none of stable-baselines3: it has no {missing}")
    try:
        data = json.loads(archive.read("data"))
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise _bad(path, f"has settings that are damaged: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("policy_class"), dict):
        raise _bad(path, "has settings that name no class of policies")
    return data


def _algorithm(path: Path, data: dict[str, Any], asked: str | None) -> str:
    """The algorithm whose archive this is, by the home of its policies and by its settings."""
    if asked is not None and asked not in ALGORITHMS:
        raise UnknownNameError("algorithm of stable-baselines3", asked, ALGORITHMS)
    home = str(data["policy_class"].get("__module__"))
    could_be = list(_HOMES.get(home, ()))
    if home == "stable_baselines3.common.policies":
        ppo, trpo = "clip_range" in data, "cg_max_steps" in data
        could_be = ["PPO"] if ppo else ["TRPO"] if trpo else ["A2C"]
    if asked is not None and could_be and asked not in could_be:
        raise _bad(
            path, f"holds a policy of {' or '.join(could_be)}, and not of {asked}",
            f"Say algorithm={could_be[0]!r}, or nothing.",
        )  # fmt: skip
    if asked is None and not could_be:
        raise _bad(
            path, f"holds a policy of a class of its own, in {home}",
            f"Say which algorithm trained it: algorithm= one of {', '.join(sorted(ALGORITHMS))}; "
            "or load it yourself and hand over the model.",
        )  # fmt: skip
    return asked or could_be[0]


def _in_full(path: Path, algorithm: str) -> Loaded:
    """As its own library loads it, whatever that runs."""
    kind = getattr(package(ALGORITHMS[algorithm]), algorithm)
    try:
        model = kind.load(path, device="cpu")
    except Exception as error:
        raise _bad(
            path, f"cannot be loaded by {algorithm}.load: {in_words(error)}",
            "Install the versions that its system_info.txt names, or load it yourself and hand "
            "over the model.",
        ) from error  # fmt: skip
    return Loaded(model.policy, algorithm, float(getattr(model, "exploration_rate", 0.0)))


def untrusted(path: Path, why: str) -> UntrustedFileError:
    """What is said of a file that would run code."""
    return UntrustedFileError(
        f"{path} {why}, and reading that runs whatever code is in it. If you trust whoever made "
        "it, say trust=True (--trust)."
    )


def _from_weights(
    path: Path, archive: zipfile.ZipFile, data: dict[str, Any], algorithm: str, task: Task
) -> Any:
    """A policy built anew from JSON and the task's spaces, with the archive's tensors."""
    kind, options = _plain_class(path, data, algorithm), _plain_options(path, data, algorithm)
    spaces = _spaces(task)
    _check_spaces(path, data, spaces)
    torch = imported()
    try:
        with archive.open("policy.pth") as file:
            weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _bad(path, f"has weights that are damaged: {error}") from error
    try:
        policy = kind(*spaces, lambda _: 0.0, **options)
        policy.load_state_dict(weights)
        return policy
    except Exception as error:
        raise ForeignPolicyError(
            f"{path} holds a policy of {algorithm} whose network is not the one that {task!r} "
            f"asks for: {error}. Adapt the environment that it was trained in, wrappers included."
        ) from error


def _plain_class(path: Path, data: dict[str, Any], algorithm: str) -> Any:
    """The library's own class of policies that the settings name, if it is one of those."""
    home = str(data["policy_class"].get("__module__"))
    written = str(data["policy_class"].get("__init__", ""))
    name = written.removeprefix("<function ").partition(".__init__")[0]
    algorithm_class = getattr(package(ALGORITHMS[algorithm]), algorithm)
    for kind in algorithm_class.policy_aliases.values():
        if kind.__name__ == name and kind.__module__ == home:
            return kind
    raise untrusted(path, f"has a class of policies of its own ({name})")


def _plain_options(path: Path, data: dict[str, Any], algorithm: str) -> dict[str, Any]:
    options = data.get("policy_kwargs") or {}
    if not isinstance(options, dict):
        raise _bad(path, "has settings whose policy_kwargs are damaged")
    if ":serialized:" in options:
        raise untrusted(
            path, f"keeps its policy_kwargs ({', '.join(k for k in options if k[0] != ':')}) as a "
            "pickle"
        )  # fmt: skip
    if algorithm in _WITH_SDE:
        options = {**options, "use_sde": bool(data.get("use_sde", False))}
    return {name: x for name, x in options.items() if name != "device"}


def _spaces(task: Task) -> tuple[Any, Any]:
    """The spaces that a policy for the task has; images with their channels in front."""
    spaces = package("gymnasium.spaces")
    told = package("stable_baselines3.common.preprocessing")
    turn = package("stable_baselines3.common.vec_env").VecTransposeImage

    def transposed(space: Any) -> Any:
        if isinstance(space, spaces.Dict):
            return spaces.Dict({name: transposed(part) for name, part in space.spaces.items()})
        if told.is_image_space(space) and not told.is_image_space_channels_first(space):
            return turn.transpose_space(space)
        return space

    found, traits = spaces_of(task), task.traits
    if found is not None:
        return transposed(found[0]), found[1]
    seen = spaces.Box(-float("inf"), float("inf"), probe_shapes(task).shape)
    if traits.discrete:
        return seen, spaces.Discrete(traits.actions)
    return seen, spaces.Box(traits.low, traits.high, traits.shape)


def _check_spaces(path: Path, data: dict[str, Any], ours: tuple[Any, Any]) -> None:
    """Compare what the settings say of the spaces in plain JSON."""
    for what, space in zip(("observation_space", "action_space"), ours, strict=True):
        told = data.get(what)
        told = told if isinstance(told, dict) else {}
        kind, shape, count = str(told.get(":type:", "")), told.get("_shape"), told.get("n")
        named = kind.rpartition(".")[2].rstrip("'>")
        same = named == type(space).__name__
        same &= shape is None or str(shape) == str(list(space.shape or ()))
        same &= count is None or str(count) == str(getattr(space, "n", None))
        if kind and not same:
            size = f" of {count}" if count is not None else f" of shape {shape}" * bool(shape)
            raise ForeignPolicyError(
                f"{path} holds a policy whose {what} is a {named}{size}, and the task's is "
                f"{space!r}. Adapt the environment that it was trained in, wrappers included "
                "(gymnasium.wrappers.FrameStackObservation for stacked frames)."
            )


def read_vec_normalize(path: Path, trust: bool) -> Any:
    """The statistics that `VecNormalize.save` wrote: a pickle."""
    package("stable_baselines3")
    if not path.exists():
        raise _bad(path, "is missing", "Give the path that `VecNormalize.save` wrote to.")
    if not trust:
        raise untrusted(path, "is a pickle of VecNormalize")
    kind = package("stable_baselines3.common.vec_env").VecNormalize
    try:
        with path.open("rb") as file:
            found = pickle.load(file)
    except Exception as error:
        raise _bad(
            path, f"is no file of VecNormalize: {in_words(error)}",
            "Save the statistics again by `env.save(path)`.",
        ) from error  # fmt: skip
    if not isinstance(found, kind):
        raise _bad(
            path, f"holds a {type(found).__name__}, and no VecNormalize",
            "Save the statistics by `env.save(path)`.",
        )  # fmt: skip
    return found
