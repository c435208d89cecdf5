"""Hybrids: search guided by networks, and expert iteration. The only place that sees both sides."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
