"""Learned functions as deciders: a network or a table is evaluated, whatever is asked."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
