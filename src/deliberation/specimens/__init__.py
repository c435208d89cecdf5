"""Specimens: deciders whose right answers are known beforehand; they validate the audit's probes.

One file each, declared by `SPECIMEN`, with a class `CODED` or a function `make`. Cheats are
specimens too.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
