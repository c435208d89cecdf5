"""Agents that infer their world as they act: MC-AIXI-CTW and exact Bayes mixtures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
