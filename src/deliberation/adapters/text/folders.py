"""Folders that `save_pretrained` wrote, read without running anything that stands in them.

The one file that imports transformers. Weights are read from safetensors alone, classes are the
library's own, and nothing is looked up in the network; what else a folder asks for needs trust.
"""

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import PolicyFileError, UntrustedFileError, WrongKindError
from ..policies.torch_modules import imported, needed

_A_LAYER = re.compile(r"\.\d+\..*weight$")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_SETTINGS = "config.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "tokenizer.model")


class Opened(NamedTuple):
    """What a folder holds: a model on the CPU in float32, and its tokenizer if there is one."""

    module: Any
    tokenizer: Any


def transformers() -> Any:
    """The library. Raises `BackendError` where it is missing."""
    whose = "Language models of transformers"
    needed("torch", whose, "transformers")
    return needed("transformers", whose, "transformers")


def is_model(made: Any) -> bool:
    """Whether something is a model of transformers."""
    return isinstance(made, transformers().PreTrainedModel)


def open_folder(folder: Path, trust: bool) -> Opened:
    """The causal language model of a folder, and its tokenizer.

    Raises `PolicyFileError` for what is missing or damaged, `UntrustedFileError` for pickled
    weights and code of its own without `trust`, and `WrongKindError` for a model that does not
    continue texts.
    """
    library = transformers()
    config = _settings(folder)
    if not trust:
        _refuse_code(folder)
        _refuse_pickles(folder)
    if config.get("is_encoder_decoder"):
        raise WrongKindError(
            f"{folder} holds a {config.get('model_type')} with an encoder: give a causal language "
            "model, which tells the next token of a text."
        )
    if (folder / "adapter_config.json").exists():
        raise _bad(folder, "holds an adapter to a model elsewhere", "Merge the two, and save that.")
    module = _loaded(folder, trust, library)
    return Opened(module, open_tokenizer(folder, trust))


def open_tokenizer(folder: Path, trust: bool = False) -> Any:
    """The tokenizer of a folder, None where it holds none. Raises as `open_folder` does."""
    if not any((folder / name).exists() for name in _TOKENIZERS):
        return None
    if not trust:
        _refuse_code(folder)
    library = transformers()
    plain = folder / "tokenizer.json"
    try:
        with _quiet():
            if plain.exists() and not (folder / "tokenizer_config.json").exists():
                return library.PreTrainedTokenizerFast(tokenizer_file=str(plain))
            return library.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=trust
            )
    except Exception as error:
        raise _bad(folder, f"has a tokenizer that cannot be read: {_told(error)}") from error


def _bad(folder: Path, what: str, remedy: str = "") -> PolicyFileError:
    remedy = remedy or "Save the model again by `model.save_pretrained(folder)`."
    return PolicyFileError(f"{folder} {what}. {remedy}")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


def _settings(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise _bad(
            folder, "is no folder",
            "Give the local folder that `model.save_pretrained` wrote; nothing is downloaded.",
        )  # fmt: skip
    found = _json(folder, _SETTINGS)
    if found is None:
        raise _bad(folder, f"holds no {_SETTINGS}, so it is no model of transformers")
    return found


def _json(folder: Path, name: str) -> dict[str, Any] | None:
    path = folder / name
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _bad(folder, f"has a {name} that is damaged: {_told(error)}") from error
    if not isinstance(found, dict):
        raise _bad(folder, f"has a {name} that is damaged: it holds a {type(found).__name__}")
    return found


def _refuse_code(folder: Path) -> None:
    """Refuse settings that name code in the folder, or kernels from elsewhere."""
    for name in (_SETTINGS, "tokenizer_config.json"):
        found = _json(folder, name) or {}
        for word in ("auto_map", "custom_pipelines"):
            if found.get(word):
                raise UntrustedFileError(
                    f"{folder / name} names code of its own ({word}: {found[word]}), which would "
                    "be run. If you trust whoever made it, say trust=True (--trust)."
                )


def _refuse_pickles(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles and not any(name.endswith(".safetensors") for name in names):
        raise UntrustedFileError(
            f"{folder} keeps its weights in {', '.join(pickles[:3])}, a pickle, and reading that "
            "runs whatever code is in it. Save them as safetensors, or if you trust whoever made "
            "them, say trust=True (--trust)."
        )


def _loaded(folder: Path, trust: bool, library: Any) -> Any:
    """The model as the library's own class makes it, complete. Attention is the library's own,
    whatever kernels the settings name.
    """
    safe = True if not trust else None
    try:
        with _quiet():
            module, report = library.AutoModelForCausalLM.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=trust, use_safetensors=safe,
                dtype=imported().float32, attn_implementation="eager", output_loading_info=True,
            )  # fmt: skip
    except Exception as error:
        raise _bad(folder, f"holds no model that can be read: {_told(error)}") from error
    for lost in ("missing_keys", "mismatched_keys"):
        if report.get(lost):
            some = ", ".join(map(str, sorted(map(str, report[lost]))[:3]))
            raise _bad(folder, f"holds weights that are not all its network's ({lost}: {some})")
    # A head of another kind may be left over; a whole layer may not.
    layers = [key for key in report.get("unexpected_keys") or () if _A_LAYER.search(str(key))]
    if layers:
        raise _bad(
            folder, f"holds layers that its settings do not have ({', '.join(sorted(layers)[:3])})"
        )
    return module


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the library says while it loads is said by our errors, or not worth saying."""
    said = transformers().utils.logging
    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity(logging.CRITICAL)
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(level)
        if bars:
            said.enable_progress_bar()
