"""A planner that looks one move ahead by whatever rewards it is told, and sees 0 beyond."""

import functools

from ..planners.depth_planner import DepthPlanner

SPECIMEN = {
    "name": "one_move_planner",
    "title": "planner of depth 1",
    "kind": "direct",
    "answers": {"effort": "none", "revaluation": "responds", "extraction": "responds"},
    "why": "It plans by the rewards it is told, one move ahead whatever the budget: "
    "too short for most announcements to be served.",
}
CODED = functools.partial(DepthPlanner, depth=1)
