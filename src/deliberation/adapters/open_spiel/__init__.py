"""Games of OpenSpiel: a state is its history, played again where no copy of it is kept."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
