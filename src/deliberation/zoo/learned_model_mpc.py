"""Planning by a learned model: an ensemble, searched anew at every step."""

from jaxtyping import Array, Key

from ..core.task import Task
from ..direct import CEM
from ..hybrid import LearnedModelMPC, MPCSettings, train_mpc
from .made import Made

ZOO = {
    "name": "learned_model_mpc",
    "title": "Learned-model MPC",
    "kind": "hybrid",
    "items": [14, 15],
    "tasks": {"pendulum": {"horizon": 100}, "cartpole": {"horizon": 200}},
    "source": "Chua et al. 2018",
}
_UPDATES = {"smoke": 3, "quick": 10, "full": 20}


def _planner(model: Task) -> CEM:
    return CEM(model, horizon=20, budget=128, population=32)


def build(task: Task, effort: str, key: Key[Array, ""]) -> Made:
    """Without what was learned, the same planner by the rules; without planning, its habit."""
    small = {"gradient_steps": 50, "hasty": True} if effort == "smoke" else {}
    settings = MPCSettings(updates=_UPDATES[effort], **small)
    found = train_mpc(task, key=key, settings=settings, planner=_planner)
    decider = found.decider
    budget = 32 if effort == "smoke" else 128
    habit = LearnedModelMPC(task, decider.model, _planner)
    return Made(decider, _planner(task), habit, budget, found.ledger)
