"""The loops that every training goes through: resumable updates, and fitting any loss."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
