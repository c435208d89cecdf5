"""Where the claims come from: the texts that make them, and the papers that they follow.

What a row of the table or a chapter of a story says has the source of the row or the story; a claim
that takes over an experiment or a result names that as well.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .aspects import LANGUAGE, LEARNED


class Source(NamedTuple):
    """A text: who wrote it and when, its title, and where it is to be read ("" if nowhere sure)."""

    by: str
    title: str
    link: str = ""


_ARXIV = "https://arxiv.org/abs/"
TABLE = (
    Source(
        "DragonGod (2023)",
        "Beren's “Deconfusing Direct vs Amortised Optimisation”",
        "https://www.lesswrong.com/posts/5YDczJcLZ6RmN5SSz",
    ),
    Source(
        "Millidge (2022)",
        "Deconfusing direct vs amortised optimization",
        "https://www.lesswrong.com/posts/S54HKhxQyttNLATKu",
    ),
)
"""The table, the text beneath it, and what both distil."""
STORY = {
    LEARNED: (Source("An essay on learned optimisation", "optimising for a goal, or searching"),),
    LANGUAGE: TABLE,
}
"""Of claims with worlds of their own."""

_FOLLOWED = """
exchange_rate | Jones (2021) | Scaling scaling laws with board games | 2104.03113
generalisation_compositions | Lake and Baroni (2018) | Generalization without systematicity
  | 1711.00350
both_directions | Anthony, Tian and Barber (2017)
  | Thinking fast and slow with deep learning and tree search | 1705.08439
limit_of_search | Knuth and Moore (1975) | An analysis of alpha-beta pruning
  | https://doi.org/10.1016/0004-3702(75)90019-3
effort_follows_stakes | Hay, Russell, Tolpin and Shimony (2012)
  | Selecting computations: theory and applications | 1207.5879
biggest_rock | Demski (2019) | Selection vs control
  | https://www.alignmentforum.org/posts/ZDZmopKquzHYPRNxq
online_oracle | Oesterheld et al. (2023) | Incentivizing honest performative predictions with proper
  scoring rules | 2305.17601
competent_and_wrong | Langosco et al. (2022)
  | Goal misgeneralization in deep reinforcement learning | 2105.14111
hidden_incentives | Krueger, Maharaj and Leike (2020)
  | Hidden incentives for auto-induced distributional shift | 2009.09153
quantilisers | Taylor (2016) | Quantilizers: a safer alternative to maximizers for limited
  optimization | https://intelligence.org/files/QuantilizersSaferAlternative.pdf
gradient_step_in_context | von Oswald et al. (2023)
  | Transformers learn in-context by gradient descent | 2212.07677
mesa_control_and_search | Hubinger et al. (2019)
  | Risks from learned optimization in advanced machine learning systems | 1906.01820
next_token_lookahead | Bachmann and Nagarajan (2024) | The pitfalls of next-token prediction
  | 2403.06963
thinking_steps | Bansal et al. (2022) | End-to-end algorithm synthesis with recurrent networks
  | 2202.05826
one_objective | Ziebart, Maas, Bagnell and Dey (2008)
  | Maximum entropy inverse reinforcement learning
  | https://cdn.aaai.org/AAAI/2008/AAAI08-227.pdf
thinking_aloud | Wei et al. (2022)
  | Chain-of-thought prompting elicits reasoning in large language models | 2201.11903
thinking_aloud | Pfau, Merrill and Bowman (2024) | Let's think dot by dot | 2404.15758
traces_or_paths | Gandhi et al. (2024) | Stream of search: learning to search in language
  | 2404.03683
"""
"""A claim, and what it follows: by whom, the title, and the number on arXiv or an address."""


def _read(text: str) -> dict[str, tuple[Source, ...]]:
    found: dict[str, tuple[Source, ...]] = {}
    for line in text.strip().replace("\n  ", " ").splitlines():
        claim, by, title, place = [part.strip() for part in line.split("|")]
        link = place if place.startswith("https:") else f"{_ARXIV}{place}"
        found[claim] = (*found.get(claim, ()), Source(by, title, link))
    return found


FOLLOWED = _read(_FOLLOWED)


def sources_of(claim: Mapping[str, Any]) -> tuple[Source, ...]:
    """What an entry of `claims.list_claims` goes back to: first the text that makes the claim."""
    return (*STORY.get(claim["aspect"], TABLE), *FOLLOWED.get(claim["name"], ()))
