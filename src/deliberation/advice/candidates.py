"""Which families of deciders are candidates on a task, by its traits; and why others are not."""

from collections.abc import Callable

import msgspec

from ..core.task import Task, Traits
from .choosing import BOTH, LEARN, LOOK, PLAN, RANDOM


class Family(msgspec.Struct, frozen=True):
    """A kind of decider: `made` names the function that makes it, "module:function".

    `weight` is its part of the time. A family that is `trained` is made anew for every training.
    """

    name: str
    kind: str
    title: str
    made: str
    weight: float
    trained: bool = False


_PLANNERS, _LEARNERS = "deliberation.advice.planners", "deliberation.advice.learners"
FAMILIES = (
    Family("random", RANDOM, "Random play", f"{_PLANNERS}:random_play", 0.4),
    Family("one_step", LOOK, "One-step look", f"{_PLANNERS}:one_step", 0.4),
    Family("exact", PLAN, "Exact solution", f"{_PLANNERS}:exact", 0.8),
    Family("uct", PLAN, "Tree search (UCT)", f"{_PLANNERS}:tree_search", 1.5),
    Family("history_search", PLAN, "Search under chance and hidden state",
           f"{_PLANNERS}:history_search", 1.5),
    Family("best_of_n", PLAN, "Best of n tries", f"{_PLANNERS}:best_of_n", 0.8),
    Family("cem", PLAN, "Cross-entropy planning", f"{_PLANNERS}:cross_entropy", 1.2),
    Family("q_learning", LEARN, "Q-learning in a table", f"{_LEARNERS}:q_learning", 0.8, True),
    Family("dqn", LEARN, "Deep Q-learning", f"{_LEARNERS}:deep_q_learning", 1.2, True),
    Family("ppo", LEARN, "Policy gradient (PPO)", f"{_LEARNERS}:policy_gradient", 1.2, True),
    Family("imitation", BOTH, "A network that imitates a search",
           f"{_LEARNERS}:imitation", 1.3, True),
    Family("plan_imitation", BOTH, "A policy that imitates a planner",
           f"{_LEARNERS}:plan_imitation", 1.3, True),
    Family("expert_iteration", BOTH, "Expert iteration",
           f"{_LEARNERS}:expert_iteration", 2.0, True),
)  # fmt: skip
"""All that can be measured; a family of kind "both" holds its network alone, too ("learn")."""

LONG = 60
"""Episodes longer than this are planned some way ahead, too, and not only to their ends."""
NEVER_LEARNED = "nothing here learns for more than two players, whose aims need not be opposed"


def searched(traits: Traits) -> str:
    """Why tree search does not serve; nothing where it does."""
    if not traits.discrete:
        return "actions are continuous"
    if not traits.fully_observable:
        return "part of the state is hidden"
    if not traits.deterministic and not traits.outcomes:
        return "chance is not listed (Task.outcomes)"
    return "" if traits.players <= 2 else f"there are {traits.players} players"


def _exact(t: Traits) -> str:
    return searched(t)


def _history(t: Traits) -> str:
    if not t.discrete:
        return "actions are continuous"
    return "" if searched(t) else "nothing is hidden, so tree search serves"


def _counted(t: Traits) -> str:
    return "" if t.discrete else "actions are continuous"


def _cem(t: Traits) -> str:
    if t.players > 1:
        return "it plans for one player"
    if not t.fully_observable:
        return "part of the state is hidden"
    return "" if not t.discrete or t.horizon > LONG else "episodes are short enough for tree search"


def _table(t: Traits) -> str:
    if not t.discrete:
        return "actions are continuous"
    if not t.fully_observable:
        return "part of the state is hidden, and tables tell states apart"
    return NEVER_LEARNED if t.players > 2 else ""


def _dqn(t: Traits) -> str:
    if not t.discrete:
        return "actions are continuous"
    if t.players == 2:
        return "games of two are learned by expert iteration or policy gradient"
    return NEVER_LEARNED if t.players > 2 else ""


def _ppo(t: Traits) -> str:
    if t.players > 2:
        return NEVER_LEARNED
    if t.players == 2 and not searched(t):
        return "expert iteration learns such games"
    if t.players == 1 and t.discrete and t.fully_observable:
        return "deep Q-learning stands for learners of numbered actions"
    return ""


def _imitation(t: Traits) -> str:
    if t.players > 1:
        return "games of more players are learned by self-play"
    return searched(t)


def _plan_imitation(t: Traits) -> str:
    if t.discrete:
        return "actions are numbered"
    return "" if t.players == 1 and t.fully_observable else "it plans for one player in full view"


def _self_play(t: Traits) -> str:
    return searched(t) if t.players != 1 else "there is one player: a search is imitated instead"


_REASONS: dict[str, Callable[[Traits], str]] = {
    "random": lambda t: "",
    "one_step": lambda t: "" if t.discrete or t.players == 1 else "it looks ahead for one player",
    "exact": _exact,
    "uct": searched,
    "history_search": _history,
    "best_of_n": lambda t: _counted(t) or ("" if searched(t) else "tree search serves"),
    "cem": _cem,
    "q_learning": _table,
    "dqn": _dqn,
    "ppo": _ppo,
    "imitation": _imitation,
    "plan_imitation": _plan_imitation,
    "expert_iteration": _self_play,
}


def reason(family: Family, traits: Traits) -> str:
    """Why a family does not fit such tasks; nothing where it does."""
    return _REASONS[family.name](traits)


def candidates(task: Task) -> tuple[list[Family], dict[str, str]]:
    """The families that fit a task, and for each other one why it does not, by its title."""
    reasons = {family.name: reason(family, task.traits) for family in FAMILIES}
    fit = [family for family in FAMILIES if not reasons[family.name]]
    return fit, {f.title: reasons[f.name] for f in FAMILIES if reasons[f.name]}
