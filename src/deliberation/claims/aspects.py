"""The rows of the comparison table, in the order of the sources, and what these say of each side.

Source: the table of "Deconfusing Direct vs Amortised Optimisation" as distilled in the sources.
"""

from typing import NamedTuple


class Aspect(NamedTuple):
    """A row of the table: its title, and what is said of direct and of amortised optimisation."""

    title: str
    direct: str
    amortised: str


_TABLE = """
problem_solving | Problem solving
  | Computes optimal responses on the fly. | Evaluates the learned function on the given input.
computation | Computational approach
  | Searches through a solution space. | Learns a function approximator.
runtime_cost | Runtime cost
  | Higher: an in-depth search for each answer. | Lower: one forward pass.
scalability | Scalability with compute
  | By expanding the search depth. | By better approximating the posterior.
convergence | Convergence
  | To the argmax of the objective. | To the best description of the training data.
performance | Performance
  | More favourable in simple domains. | More favourable in rich domains.
data_efficiency | Data efficiency
  | Little data: the rules suffice. | Requires (much) more data.
generalisation | Generalisation
  | Depends on search depth and compute. | Depends on the approximator and its training data.
alignment | Alignment focus
  | Safe design of the reward function. | Design of reward function and dataset.
out_of_distribution | Out-of-distribution behaviour
  | Can diverge arbitrarily from previous behaviour.
  | Constrained by the learned function approximator.
examples | Examples
  | AIXI, MCTS, model-based RL. | Supervised learning, model-free RL, GPT models.
"""
"""A row's name, its title, and what is said of each side."""


def _read(table: str) -> dict[str, Aspect]:
    rows = table.strip().replace("\n  |", " |").splitlines()
    parts = ([part.strip() for part in row.split("|")] for row in rows)
    return {name: Aspect(*said) for name, *said in parts}


ASPECTS = _read(_TABLE)
COMMENTARY = "commentary"
"""Claims of the text beneath the table."""

LEARNED, LANGUAGE = "learned", "language"
"""Claims about learned optimisation and about models of language, whose worlds are their own."""


class Chapter(NamedTuple):
    """A part of the story that some claims tell together."""

    title: str
    lead: str


class Story(NamedTuple):
    """What claims with worlds of their own tell together, as a page of chapters."""

    title: str
    lead: str
    chapters: dict[str, Chapter]


_STORIES = """
# learned | Two kinds of learned optimisation
  | What was trained may come to optimise: by acting on the world until an objective is met, or by
  | searching for an answer and giving it. Which it does, where, and whether at all was made into
  | experiments that can come out either way. Each is of many trainings (one, of many kinds of
  | subjects), and what would refute it was written down before.
control | Control and selection
  | A search may rank what it holds (a list, a map) or act on the world to find out and to get. The
  | answer may be the same; what becomes of the world is not.
oracles | Oracles
  | Who only answers has no hands. But answers that are heard move the world, and whoever learns
  | from what follows may learn to move it.
reward | Reward and prediction
  | The same network, the same data and the same compute: told what was done, or told what it was
  | worth. They act alike where they were trained; the question is what they do elsewhere.
inside | Searching inside
  | Nothing in a trained network is called a search. Whether it does what a search does can be
  | measured: by what more steps of thought buy, and by the rule that its answers follow.
simplicity | Rule or table
  | A short rule and a long table agree on everything that was seen. Which of them training finds
  | turns on how much was seen, and what each does with the rest.
map | Where it optimises
  | To optimise is no yes or no: a system may do so for some inputs and not for others.
norms | Deontic action and attainment
  | Doing what is done, doing what is best, and getting what is wanted come apart.
# language | Models of language
  | A model of language is trained to tell the next token. What changes when it writes more before
  | it answers, when a search is put around it, or when it is told what its texts were worth, was
  | measured on small models of texts whose truth is known.
evaluated | Evaluated
  | One pass a token, whatever is asked. Such a model tends to its source as it grows, and writes
  | as that does.
aloud | Thinking aloud
  | Text that is written on the way to an answer is computing too: a pass of the network a token.
searched | Searched with
  | A model tells which continuations are likely. A search around it asks which of them are right.
steering | Steering
  | Told what its texts were worth, a model may come to write what makes the rest of them better.
"""
"""Of a story (#) its name, its title and what it is about; of its chapters the same."""


def _read_stories(text: str) -> dict[str, Story]:
    told: dict[str, Story] = {}
    for line in text.strip().replace("\n  |", " |").splitlines():
        name, title, *lead = [part.strip() for part in line.removeprefix("# ").split("|")]
        if line.startswith("# "):
            told[name] = Story(title, " ".join(lead), {})
        else:
            list(told.values())[-1].chapters[name] = Chapter(title, " ".join(lead))
    return told


STORIES = _read_stories(_STORIES)
CHAPTERS = {name: chapter for story in STORIES.values() for name, chapter in story.chapters.items()}
"""Those of all stories, one after the other."""

ORDER = {name: place for place, name in enumerate([*ASPECTS, COMMENTARY, *STORIES])}
