"""A planner that looks four moves ahead by whatever rewards it is told, and sees 0 beyond."""

import functools

from ..planners.depth_planner import DepthPlanner

SPECIMEN = {
    "name": "four_move_planner",
    "title": "planner of depth 4",
    "kind": "direct",
    "answers": {
        "effort": "none", "objective": "responds", "revaluation": "responds", "size": "none",
        "forecast": "responds", "extraction": "responds", "depth": "against",
    },
    "why": "It plans by the rewards it is told, four moves ahead whatever the budget: "
    "right where these settle what is best, and misled where they do not.",
}  # fmt: skip
CODED = functools.partial(DepthPlanner, depth=4)
