"""Direct optimisers: they search for an answer when asked; no function is learned beforehand.

What an agent infers from its own history (a mixture, a belief, a tree) it carries in its memory.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
