"""Values as canonical JSON: one spelling for each value, so that it can be hashed and compared.

JSON has no NaN or infinity, and null would be ambiguous: they are written as the strings "NaN",
"Infinity" and "-Infinity" and read back as numbers. Strings with exactly these contents are
refused, so nothing changes its meaning on the way through a file.
"""

import math
from typing import Any

import msgspec

from .errors import RecordError

_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def plain(value: Any, where: str, *, finite: bool = False) -> Any:
    """JSON values only, from these and tuples, numpy and JAX arrays and scalars.

    `finite` refuses NaN and infinity. Raises `RecordError` that says where the value is.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(float(value), where, finite)
    if isinstance(value, str):
        if value in _NAMES:
            raise RecordError(f"{where} is the string {value!r}, which stands for a number here.")
        return str(value)
    if isinstance(value, dict):
        return {
            _key(k, where): plain(v, f"{where}[{k!r}]", finite=finite) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(v, f"{where}[{i}]", finite=finite) for i, v in enumerate(value)]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), where, finite=finite)
    raise RecordError(
        f"{where} is {value!r} ({type(value).__name__}), which JSON cannot hold: "
        "use numbers, strings, lists and dicts, and write anything else as an artefact."
    )


def restore(value: Any) -> Any:
    """The values that `plain` wrote, with NaN and infinity as numbers again."""
    if isinstance(value, str):
        return _NAMES.get(value, value)
    if isinstance(value, dict):
        return {k: restore(v) for k, v in value.items()}
    if isinstance(value, list):
        return [restore(v) for v in value]
    return value


def canonical(value: Any) -> bytes:
    """The one JSON spelling of plain values: sorted keys, no spaces."""
    return msgspec.json.encode(value, order="sorted")


def _number(value: float, where: str, finite: bool) -> float | str:
    if math.isfinite(value):
        return value
    if finite:
        raise RecordError(f"{where} is {value}: settings must be finite numbers.")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise RecordError(f"{where} has the key {key!r}: JSON keys are strings.")
    return key
