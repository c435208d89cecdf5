"""The zoo: every named kind of decision system, on tasks it is meant for; one file each.

A module here declares a literal `ZOO = {"name", "title", "kind", "items", "tasks", "source"}`, so
that it can be listed without being imported, and a function `build(task, effort, key)`, which
makes (trains, where there is something to learn) the decider and says which parts it has; see
`Made`. Modules with an underscore are what the entries share.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
