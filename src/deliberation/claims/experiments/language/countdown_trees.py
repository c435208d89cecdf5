"""Searches around a small transformer on Countdown, at equal forward passes."""

import zlib
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from ....amortised import Transformer
from ....amortised.sequence import LanguageModel
from ....hybrid.text import Diving, TextBudget, Verifier, beam_search, tree_search
from ....stats import pass_at_k
from ....tasks.text import Countdown
from ....tasks.text.base import TextState

Texts = Int[np.ndarray, "n places"]
WIDE, BRANCHES = 0.3, 8
"""How much trees look elsewhere (`Diving`'s c), and lines at each place of the tree over lines.
These and `hopeful` were chosen among 10 variants in pilots with other keys, and nothing of best of
n: this favours trees."""
BLIND = 64
"""Texts of true lines, drawn without a network, of which the best of n is reckoned."""


def filled(task: Countdown, texts: Texts) -> Int[np.ndarray, "filled places"]:
    """Rows up to a power of two, so that few programs are compiled."""
    rows = np.full((1 << max(len(texts) - 1, 0).bit_length(), task.places), -1, np.int32)
    rows[: len(texts)] = texts[:, : task.places]
    return rows


def graded(task: Countdown, texts: Texts) -> Float[np.ndarray, " n"]:
    """The exact grade of each text."""
    return np.asarray(_grades(task, filled(task, texts)), float)[: len(texts)]


def allowed(task: Countdown, texts: Texts) -> Bool[np.ndarray, "n symbols"]:
    """What the grammar lets follow each text."""
    return np.asarray(_allowed(task, filled(task, texts)))[: len(texts)]


def by_lot(texts: Texts) -> Float[np.ndarray, " n"]:
    """1 for half of all texts, whatever they say."""
    return np.array(
        [zlib.crc32(t[t >= 0].astype(np.int32).tobytes()) >> 16 & 1 for t in texts], float
    )


def hopeful(texts: Texts) -> Float[np.ndarray, " n"]:
    """Whatever goes on may be right: a tree goes to the end before it goes back."""
    return np.ones(len(texts))


def samples_for(task: Countdown, passes: int) -> int:
    """How many whole answers so many passes pay for: the prompt is read once for all of them."""
    return (passes - task.prompt_places) // (task.answer_places - 1)


def searched(
    network: Transformer, task: Countdown, prompts: Int[np.ndarray, "problems told"],
    right: Float[np.ndarray, "problems samples"], budgets: list[int], luck: int,
    *, lot: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Share of problems solved [budgets], by what goes on around the network.

    `best`: best of as many of its samples as the passes pay for (over all choices of so many of the
    samples that were drawn); `beam`, `tree` (over tokens) and `lines` are searches with the exact
    verifier, each for every budget anew. `passes`: the most that any of them took, in parts of the
    budget. `blind`: best of as many texts of any true lines, drawn without the network. With `lot`
    the verifier of all of them accepts by lot.
    """
    model = LanguageModel(network)
    verifier = Verifier(by_lot if lot else partial(graded, task))
    found: dict[str, list[float]] = {name: [] for name in ("best", "beam", "tree", "lines")}
    many = np.repeat(prompts, BLIND, axis=0)
    guessed = graded(task, blindly(task, many, luck)).reshape(-1, BLIND)
    found["blind"] = []
    most = 0.0
    for budget in budgets:
        n = samples_for(task, budget)
        for name, some in (("best", right), ("blind", guessed)):
            one = some.mean() if lot else pass_at_k(some.sum(1), some.shape[1], n).mean()
            found[name].append(float(one))
        how = {
            "tokens": task.answer_places, "stop": task.end, "allow": partial(allowed, task),
            "budget": TextBudget(passes=budget),
        }  # fmt: skip
        grow = partial(
            tree_search, model, prompts, verifier, key=jax.random.key(luck), value=hopeful,
            rule=Diving(c=WIDE), **how,
        )  # fmt: skip
        runs = {
            "beam": beam_search(model, prompts, width=n, verifier=verifier, **how),
            "tree": grow(),
            "lines": grow(line=task.symbols.index(";"), candidates=BRANCHES),
        }
        for name, run in runs.items():
            found[name].append(float(graded(task, run.texts).mean()))
            spent = np.asarray(run.spent.network_evaluations, float)
            most = max(most, float(spent.max()) / budget)
    return {**found, "passes": most}


def blindly(task: Countdown, prompts: Int[np.ndarray, "rows told"], luck: int) -> Texts:
    """Texts within the grammar, each token drawn evenly from those that it allows."""
    return np.asarray(_blindly(task, prompts, jax.random.key(luck)))


@partial(jax.jit, static_argnums=0)
def _blindly(task: Countdown, prompts: Any, key: Any) -> Any:
    rows, told = prompts.shape
    blank = jnp.full((rows, task.answer_places), -1, prompts.dtype)

    def add(texts: Any, now: Any) -> tuple[Any, None]:
        key, place = now
        may = jax.vmap(lambda text: task.well_formed(TextState(text, place)))(texts)
        token = jax.random.categorical(key, jnp.where(may, 0.0, -jnp.inf))
        return texts.at[:, told + place].set(token.astype(texts.dtype)), None

    keys = jax.random.split(key, task.answer_places)
    places = jnp.arange(task.answer_places)
    return jax.lax.scan(add, jnp.concatenate([prompts, blank], 1), (keys, places))[0]


@partial(jax.jit, static_argnums=0)
def _grades(task: Countdown, rows: Any) -> Any:
    return jax.vmap(task.grade)(rows)


@partial(jax.jit, static_argnums=0)
def _allowed(task: Countdown, rows: Any) -> Any:
    return jax.vmap(lambda row: task.well_formed(task.begun(row)))(rows)
