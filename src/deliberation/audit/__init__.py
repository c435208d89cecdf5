"""The audit: what any policy does when effort is offered, and when what is wanted is changed.

A battery of probes, one file each, put to a decider in a task whose every state can be listed. Each
reports a statistic with its interval, its controls, a verdict worded by what it rules out, and what
could fool it. The instruments themselves are held against specimens, whose right answers are known
(`deliberation.specimens`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
