"""Advice for who has to decide: plan, learn or both, on a task and within limits.

A few planners, learners and hybrids are measured at several budgets; what comes out is the frontier
of score against latency and against cost, the number of decisions from which learning pays, and a
recommendation with how sure it is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
