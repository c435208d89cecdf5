"""A planner for a proxy with small, light-tailed errors: looking further serves the task too."""

from jaxtyping import Array, Key

from ...audit.channels import Channels
from ...audit.exam import Exam
from ...core.decider import Decider
from ..mistaken import mistaken
from .heavy_proxy_planner import ProxyPlanner

SPECIMEN = {
    "name": "light_proxy_planner",
    "title": "planner for a proxy, light-tailed errors",
    "kind": "direct",
    "answers": {"effort": "responds", "proxy": "none"},
    "why": "It plans by a proxy of its own, further with its budget; errors that are all small "
    "lead nowhere in particular.",
}


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The proxy is drawn."""
    return ProxyPlanner(exam.task, exam, mistaken(exam, key, heavy=False))


def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
    """The same proxy."""
    return Channels(proxy=mistaken(exam, key, heavy=False))
