"""Where caches are kept: files that can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of caches: `DELIBERATION_CACHE`, or one in the user's cache folder."""
    if os.environ.get("DELIBERATION_CACHE"):
        return Path(os.environ["DELIBERATION_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "deliberation"
