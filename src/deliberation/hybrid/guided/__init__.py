"""Searches that a learned policy or value guides, begins, bounds or prunes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
