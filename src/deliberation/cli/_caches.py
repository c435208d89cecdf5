"""Where caches lie, and how large they are."""

import contextlib
import os
from pathlib import Path

from ..core.cache import cache_folder, programs_folder


def caches() -> dict[str, Path | None]:
    """Each cache by name, None where it is switched off; all are safe to delete at any time."""
    return {
        "compiled": programs_folder(),
        "kernels": cache_folder() / "native",
        "artefacts": cache_folder() / "artefacts",
    }


def folder_size(folder: Path) -> tuple[int, int]:
    """How many files lie in a folder, and how many bytes they hold."""
    sizes = []
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # another process may tidy up meanwhile
                sizes.append(os.stat(os.path.join(base, name)).st_size)
    return len(sizes), sum(sizes)
