"""Words that a reader may not know: they explain themselves where they stand, and at the foot."""

import re
from html import escape
from typing import NamedTuple


class Term(NamedTuple):
    """A word, the pattern by which it is found in a text, and what it means."""

    name: str
    pattern: str
    meaning: str


WORDS = r"""
way from random to optimum
(?:of the |the )?way from random(?: play)? to (?:[a-z]+ )*optimum|of the way|way (?=gained|reached)
A scale for how good choices are: 0 is what choosing at random earns, 1 what the best choices
earn. In a position one choice is at random and play is best afterwards; where whole episodes are
played, all choices are. At 0.9 of the way a tenth of that difference is lost.

n*
n\*
The number of decisions after which learning has paid: training is paid once, search again at
each decision.

simulation
simulations?
One pass of a search through the futures that it has looked at so far, by which it adds to them.
Their number is the effort of a decision.

contested
contested
A position in which the possible actions are not all worth the same, so that choosing matters.

regret
regrets?
What a choice gives up against the best one, by the exact values of both.

held out
held out|kept apart(?: from training)?|set aside|not taught on
Not used for training, and no mirror image of what was: what is measured there was not learned
by heart.

smallest effect
smallest effect(?: that matters)?
Set before measuring: an effect that is smaller does not matter. A claim holds only beyond it,
and a measured effect that surely falls short of it refutes the claim.

Holm
Holm(?: 1979)?
Of many claims, some would come out by chance. Holm's procedure (1979) asks more of each, so
that the chance of any wrong verdict among all is at most 5 %.

95 % interval
95(?: |&nbsp;|\u00a0)% intervals?|own intervals?(?: alone)?
Where the true value lies, with the measurement's own uncertainty: intervals made in this way
contain it 95 times of 100.

instrument check
instrument checks?|Instrument checks?
True by construction if the measurement works, as that a network takes no step of the rules. It is
shown in grey, and never counted as support.

inconclusive
inconclusive
The interval reaches to both sides of the smallest effect, or does not hold up under the one
error rate: more measuring would tell.

forward pass
forward pass(?:es)?
One evaluation of a learned function: the whole effort of its decision.

estimand
[Ee]stimand
Exactly which quantity, of which population, was to be estimated; written down before measuring.

nats
nats|KL(?:\([^)]*\))?|divergence
How far one distribution over actions is from another (Kullback-Leibler divergence): 0 where
they are the same.

expert iteration
[Ee]xpert iteration
Training a network, again and again, on the answers of a search that it guides itself.

lines of equal score
lines of equal score|isolines?
Mixtures of training and decision compute that choose equally well: their slope is the rate at
which one buys the other.
"""
"""Blocks of a name, the pattern by which it is found, and what it means."""


def _read(words: str) -> tuple[Term, ...]:
    blocks = [block.split("\n", 2) for block in words.strip().split("\n\n")]
    return tuple(Term(name, pattern, " ".join(rest.split())) for name, pattern, rest in blocks)


TERMS = _read(WORDS)
TAG = re.compile(r"(<[^>]*>)")
NOT_WITHIN = ("svg", "a", "dfn", "title", "style")
"""Elements whose text stays as it is."""
NOT_READ = ("title", "style", "script", "metadata")
"""Elements whose text nobody sees."""


def explained(block: str) -> str:
    """Markup whose unknown words explain themselves: each where it first stands in the block.

    The explanation shows on hover and on focus, so that a keyboard or a finger reaches it too.
    """
    seen: set[str] = set()
    inside: list[str] = []
    pieces = []
    for piece in TAG.split(block):
        if TAG.fullmatch(piece):
            _follow(piece, inside)
            pieces.append(piece)
        else:
            pieces.append(piece if inside else _marked(piece, seen))
    return "".join(pieces)


def glossary(shown: str) -> str:
    """The terms that stand in some markup as a list, for the foot of its page; nothing for none."""
    used = sorted(_standing(shown), key=lambda term: term.name.lower())
    if not used:
        return ""
    terms = "\n".join(
        f"<dt>{escape(term.name)}</dt><dd>{escape(term.meaning)}</dd>" for term in used
    )
    return (
        '<details id="glossary"><summary>Words used here: '
        f'{len(used)} explained</summary>\n<dl class="terms">{terms}</dl></details>'
    )


def _standing(shown: str) -> set[Term]:
    """The terms that a reader meets in some markup."""
    inside: list[str] = []
    met: set[Term] = set()
    for piece in TAG.split(shown):
        if TAG.fullmatch(piece):
            _follow(piece, inside, NOT_READ)
        elif not inside:
            met |= {TERMS[int(str(x.lastgroup)[1:])] for x in _WORDS.finditer(piece)}
    return met


def _follow(tag: str, inside: list[str], elements: tuple[str, ...] = NOT_WITHIN) -> None:
    """Keep track of being within one of these elements."""
    name = re.split(r"[\s>/]", tag.strip("</"), maxsplit=1)[0]
    if name not in elements or tag.endswith("/>"):
        return
    if not tag.startswith("</"):
        inside.append(name)
    elif inside and inside[-1] == name:
        inside.pop()


_WORDS = re.compile(
    "|".join(rf"(?P<t{i}>(?<![\w&])(?:{term.pattern})(?!\w))" for i, term in enumerate(TERMS))
)


def _marked(text: str, seen: set[str]) -> str:
    def mark(found: re.Match[str]) -> str:
        term = TERMS[int(str(found.lastgroup)[1:])]
        if term.name in seen:
            return found[0]
        seen.add(term.name)
        meaning = escape(term.meaning)
        return f'<dfn class="term" tabindex="0" title="{meaning}">{found[0]}</dfn>'

    return _WORDS.sub(mark, text)
