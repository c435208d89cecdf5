"""Where things that can be made again are kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where caches lie: `DELIBERATION_CACHE`, or in the user's cache folder."""
    if os.environ.get("DELIBERATION_CACHE"):
        return Path(os.environ["DELIBERATION_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "deliberation"
