"""Strangers at the door: worlds, policies and engines made elsewhere, as tasks and deciders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
