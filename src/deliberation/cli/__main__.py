"""`python -m deliberation.cli`, for where the `deliberate` script is not on the path."""

from . import main

main()
