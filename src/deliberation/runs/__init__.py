"""Cells of work, run in worker processes and kept as records; what was found, and on what."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
