"""Look-ahead: at every token, the likeliest candidates are each written to the end and graded."""

import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from ...core.contract.text_model import Sampling, TextModel, check_counts
from .drawing import LIKELIEST, PLAIN, Allow, Row, lengths, mixed, next_logprobs
from .spending import Searched, TextBudget, begun, row_seeds
from .verifying import Texts, Verifier, check_verifier


def lookahead(
    model: TextModel, prompts: Texts, verifier: Verifier, *, candidates: int, tokens: int,
    key: Key[Array, "*prompts"], samples: int = 1, rollout: Sampling = LIKELIEST,
    stop: int | None = None, budget: TextBudget | None = None, allow: Allow | None = None,
) -> Searched:  # fmt: skip
    """Write token by token the candidate whose completions by the model grade best on the mean.

    At every place the likeliest `candidates` are each completed `samples` times as `rollout` says
    (greedily unless told otherwise), likelier candidates first among equals: one-step policy
    improvement over the model (Tesauro and Galperin 1996). The best text met is the answer, be it
    the one written or a completion. A prompt ends where its budget may not see the next place
    through, or at the greatest grade. Raises as `best_of_n` does.
    """
    check_counts(candidates=candidates, samples=samples)
    check_verifier(verifier)
    rollout.check()
    texts, purse, best = begun(model, prompts, verifier, tokens, budget)
    seed, ends = row_seeds(key, len(texts)), lengths(texts) + tokens
    written = Row(
        model, texts, ends, *model.start(texts[:, : lengths(texts).max(initial=0)]),
        sampling=PLAIN, stop=stop, allow=allow,
    )  # fmt: skip
    candidates = min(candidates, model.vocabulary)
    each = candidates * samples
    for place in range(tokens):
        left = tokens - place
        # The last token of a completion is not read, but the one that is written then is.
        passes = each * (left - 1) + (left > 1)
        enough = (purse.tokens_left >= each * left) & (purse.passes_left >= passes)
        written.live &= enough & ~best.over
        at = np.flatnonzero(written.live)
        if not len(at):
            break
        logprobs = next_logprobs(
            model, np.asarray(written.logits)[at], written.texts[at], PLAIN, allow
        )
        order = np.argsort(-logprobs, axis=1, kind="stable")[:, :candidates]
        tried = np.repeat(order, samples, 1)
        tried = np.where(np.isfinite(np.take_along_axis(logprobs, tried, 1)), tried, -1)
        ahead = _completed(
            written, at, tried.ravel(), logprobs, rollout, mixed(seed, np.int64(place))
        )
        rows = np.repeat(at, each)
        np.add.at(purse.passes, rows, ahead.passes)
        np.add.at(purse.tokens, rows, ahead.length - ahead.begun)
        done = ahead.ended(ends[rows])
        grades = np.full(len(rows), verifier.least)
        grades[done] = best.look(rows[done], ahead.texts[done], ahead.logprob[done])
        worth = grades.reshape(len(at), -1, samples).mean(2)
        worth = np.where(tried[:, ::samples] >= 0, worth, -np.inf)
        chosen = np.full(len(texts), -1)
        chosen[at] = order[np.arange(len(at)), worth.argmax(1)]
        chosen[at] = np.where(np.isfinite(worth.max(1)), chosen[at], -1)
        nats = np.zeros(len(texts))
        nats[at] = logprobs[np.arange(len(at)), np.maximum(chosen[at], 0)]
        had = written.passes.copy()
        written.add(chosen, nats)
        purse.passes += written.passes - had
    return best.searched(purse)


def _completed(
    written: Row, at: Int[np.ndarray, " live"], token: Int[np.ndarray, " tried"],
    logprobs: Float[np.ndarray, "live vocabulary"], rollout: Sampling,
    seed: UInt32[np.ndarray, " prompts"],
) -> Row:  # fmt: skip
    """Each candidate token after its text, and what the model writes on from there."""
    each = len(token) // len(at)
    rows = np.repeat(at, each)
    ahead = Row(
        written.model, written.texts[rows], written.ends[rows], np.asarray(written.logits)[rows],
        written.model.pick(written.memory, rows), sampling=rollout, stop=written.stop,
        allow=written.allow,
    )  # fmt: skip
    ahead.logprob += written.logprob[rows]
    ahead.add(token, logprobs[np.repeat(np.arange(len(at)), each), np.maximum(token, 0)])
    number = np.tile(np.arange(each), len(at))
    return ahead.run(mixed(seed[rows], number))
