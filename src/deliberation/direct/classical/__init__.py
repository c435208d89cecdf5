"""Classical search of games and graphs: alpha-beta, A* and beam search."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
