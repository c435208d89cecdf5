"""Policies and tensors on disk, as JSON and safetensors; nothing can run code."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
