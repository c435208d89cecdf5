"""With 64-bit numbers enabled nothing collides, nothing crashes, and the same is answered."""

import os
import subprocess
import sys
from pathlib import Path

import wide


def test_the_library_works_in_64_bits():
    run = subprocess.run(
        [sys.executable, Path(wide.__file__)],
        # A number that is squeezed into a narrower array is a warning today and an error tomorrow.
        capture_output=True, text=True,
        env={**os.environ, "JAX_ENABLE_X64": "1", "PYTHONWARNINGS": "error::FutureWarning"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == str(wide.check_searches())
