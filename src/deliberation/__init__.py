"""Direct, amortised and hybrid optimisers, and the instruments that tell them apart.

Everything below is imported on first use, so that `import deliberation` is instant.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
