"""Expert iteration: search teaches the network, and the network guides the search."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
