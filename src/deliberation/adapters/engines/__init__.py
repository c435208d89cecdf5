"""Game engines as a user has them: programs that speak UCI or GTP over pipes, as deciders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
