"""Beam search: the likeliest texts, a few beginnings of them kept at every length."""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from ...core.contract.text_model import Memory, Sampling, Stop, TextModel, check_counts
from .drawing import PLAIN, Allow, lengths, next_logprobs
from .spending import Purse, Searched, TextBudget, begun, stop_of
from .verifying import Logits, Texts, Verifier

_LARGEST_LOG = 300.0
"""Of a power of a length: about half of what a number holds, so that quotients stay finite too."""


def beam_search(
    model: TextModel, prompts: Texts, *, width: int, tokens: int, length_penalty: float = 0.0,
    verifier: Verifier | None = None, sampling: Sampling = PLAIN, stop: Stop = "end",
    budget: TextBudget | None = None, allow: Allow | None = None,
) -> Searched:  # fmt: skip
    """Keep the `width` likeliest beginnings of each length, and take the best text that ended.

    Best by logprob / length ** `length_penalty` (0: the likeliest), or by the verifier where one is
    given, likelier ones first among equals. With a width of vocabulary ** tokens it is exact.
    A prompt ends once none of its beams can still be better (without a verifier), or a text has
    the greatest grade. Nothing is drawn: there is no key. A budget that does not hold `width` beams
    to the last token narrows them to as many as it holds, at least one, anew at each length: a
    prompt whose budget holds one whole text finishes one. Raises as `best_of_n` does.
    """
    check_counts(width=width)
    sampling.check()
    if not abs(length_penalty) * math.log(max(tokens, 2)) < _LARGEST_LOG:
        raise ValueError(
            f"length_penalty is a power of up to {tokens} tokens that is still a finite number; "
            f"got {length_penalty}."
        )
    texts, purse, best = begun(model, prompts, verifier, tokens, budget)
    stop = stop_of(model, verifier, stop)
    longest = lengths(texts).max(initial=0)
    beams = _Beams(model, texts, *model.start(texts[:, :longest]))
    for written in range(1, tokens + 1):
        if not len(beams.rows):
            break
        left = tokens - written + 1
        logprobs = next_logprobs(model, beams.logits, beams.texts, sampling, allow)
        origin, token, total = _likeliest(beams, logprobs, _affordable(width, purse, left))
        after = beams.texts[origin]
        after[np.arange(len(after)), lengths(after)] = token
        rows = beams.rows[origin]
        np.add.at(purse.tokens, rows, 1)
        over = (written == tokens) | ((token == stop) if stop is not None else token < 0)
        best.look(rows[over], after[over], total[over], total[over] / written**length_penalty)
        going = ~over & ~best.over[rows]
        if verifier is None:
            least = (written + 1 if length_penalty <= 0 else tokens) ** length_penalty
            going &= total / least > best.rank[rows]
        going &= _rank_within(rows, going) < _readable(purse, left - 1)[rows]
        beams.keep(origin[going], after[going], total[going], token[going])
        np.add.at(purse.passes, rows[going], 1)
    return best.searched(purse)


class _Beams:
    """The beginnings that are kept, those of one prompt beside each other, the likeliest first."""

    def __init__(self, model: TextModel, texts: Texts, logits: Logits, memory: Memory):
        self.model, self.texts, self.logits, self.memory = model, texts, np.asarray(logits), memory
        self.rows, self.logprob = np.arange(len(texts)), np.zeros(len(texts))

    def keep(
        self, origin: Int[np.ndarray, " n"], texts: Texts, logprob: Float[np.ndarray, " n"],
        token: Int[np.ndarray, " n"],
    ) -> None:  # fmt: skip
        """Go on with these beams, each made of one of the last by a token that is read now."""
        self.rows, self.texts, self.logprob = self.rows[origin], texts, logprob
        if len(origin):
            logits, self.memory = self.model.extend(self.model.pick(self.memory, origin), token)
            self.logits = np.asarray(logits)


def _affordable(width: int, purse: Purse, left: int) -> Int[np.ndarray, " prompts"]:
    """How many beams can each write so many tokens; one where not even that can, if any token."""
    return np.minimum(np.clip(purse.tokens_left // left, 1, width), purse.tokens_left)


def _readable(purse: Purse, left: int) -> Int[np.ndarray, " prompts"]:
    """How many beams can be read on for so many tokens, one where not even that, if any."""
    return np.minimum(np.maximum(purse.passes_left // max(1, left), 1), purse.passes_left)


def _likeliest(
    beams: _Beams, logprobs: Float[np.ndarray, "n vocabulary"], width: Int[np.ndarray, " prompts"]
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " kept"], Float[np.ndarray, " kept"]]:
    """The beam and the token of the likeliest continuations of each prompt, and their logprobs."""
    total = beams.logprob[:, None] + logprobs
    found: list[tuple[np.ndarray, ...]] = []
    for row in np.unique(beams.rows):
        at = np.flatnonzero(beams.rows == row)
        flat = total[at].ravel()
        top = np.argsort(-flat, kind="stable")[: int(min(width[row], flat.size))]
        top = top[np.isfinite(flat[top])]
        origin, token = np.divmod(top, total.shape[1])
        found.append((at[origin], token, flat[top]))
    origin, token, kept = (np.concatenate(x) for x in zip(*found, strict=True))
    return origin, token, kept


def _rank_within(
    rows: Int[np.ndarray, " n"], going: Bool[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """How many going beams of the same prompt come before each; rows of a prompt are together."""
    before = np.cumsum(going) - going
    first = np.searchsorted(rows, rows)
    return before - before[np.minimum(first, len(rows) - 1)] if len(rows) else before
