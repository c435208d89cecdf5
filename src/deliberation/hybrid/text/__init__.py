"""Searching around a model of text: samples, votes, beams, and trees over tokens or lines."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
