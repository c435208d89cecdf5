"""With 64-bit numbers enabled nothing collides, nothing crashes, and the same is answered."""

import os
import subprocess
import sys
from pathlib import Path

import wide


def test_the_library_works_in_64_bits():
    run = subprocess.run(
        [sys.executable, Path(wide.__file__)],
        capture_output=True, text=True, env={**os.environ, "JAX_ENABLE_X64": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == str(wide.check_searches())
