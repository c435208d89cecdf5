"""Look-ahead: at every token, the likeliest candidates are each written to the end and graded."""

import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt32

from ...core.contract.text_model import Sampling, Stop, TextModel, check_counts
from .drawing import LIKELIEST, PLAIN, Allow, Row, lengths, mixed, next_logprobs
from .spending import Purse, Searched, TextBudget, begun, row_seeds, stop_of
from .verifying import Texts, Verifier, check_verifier


def lookahead(
    model: TextModel, prompts: Texts, verifier: Verifier, *, candidates: int, tokens: int,
    key: Key[Array, "*prompts"], samples: int = 1, rollout: Sampling = LIKELIEST,
    stop: Stop = "end", budget: TextBudget | None = None, allow: Allow | None = None,
) -> Searched:  # fmt: skip
    """Write token by token the candidate whose completions by the model grade best on the mean.

    At every place the likeliest `candidates` are each completed `samples` times as `rollout` says
    (greedily unless told otherwise), likelier candidates first among equals: one-step policy
    improvement over the model (Tesauro and Galperin 1996). The best text met is the answer, be it
    the one written or a completion. Where a budget may not see all candidates of a place through,
    as many are tried as it may, at least the likeliest, completed once if it must be: a prompt
    whose budget holds one whole text finishes one. It ends where the budget does, or at the
    greatest grade. Raises as `best_of_n` does.
    """
    check_counts(candidates=candidates, samples=samples)
    check_verifier(verifier)
    rollout.check()
    texts, purse, best = begun(model, prompts, verifier, tokens, budget)
    seed, ends = row_seeds(key, len(texts)), lengths(texts) + tokens
    written = Row(
        model, texts, ends, *model.start(texts[:, : lengths(texts).max(initial=0)]),
        sampling=PLAIN, stop=stop_of(model, verifier, stop), allow=allow,
    )  # fmt: skip
    most = min(candidates, model.vocabulary), samples
    for left in range(tokens, 0, -1):
        # What can be begun and not ended is only begun by who has nothing yet.
        enough = (purse.writable >= left) | ((purse.writable > 0) & ~best.finished)
        written.live &= enough & ~best.over
        at = np.flatnonzero(written.live)
        if not len(at):
            break
        logprobs = next_logprobs(
            model, np.asarray(written.logits)[at], written.texts[at], PLAIN, allow
        )
        width, each = (x[at] for x in _affordable(purse, left, *most))
        order, tried = _tried(logprobs, *most, width, each)
        room = np.minimum(left, purse.writable[at]) + written.length[at]
        place = np.int64(tokens - left)
        ahead = _completed(written, at, tried, room, logprobs, rollout, mixed(seed, place))
        rows = np.repeat(at, tried.shape[1])
        np.add.at(purse.passes, rows, ahead.passes)
        np.add.at(purse.tokens, rows, ahead.length - ahead.begun)
        done = ahead.ended(ends[rows])
        grades = np.full(len(rows), verifier.least)
        grades[done] = best.look(rows[done], ahead.texts[done], ahead.logprob[done])
        worth = np.where(tried >= 0, grades.reshape(tried.shape), 0.0)
        worth = worth.reshape(len(at), -1, samples).sum(2) / each[:, None]
        worth = np.where(tried[:, ::samples] >= 0, worth, -np.inf)
        best_one = order[np.arange(len(at)), worth.argmax(1)]
        _write(written, purse, at, np.where(np.isfinite(worth.max(1)), best_one, -1), logprobs)
    return best.searched(purse)


def _affordable(
    purse: Purse, left: int, candidates: int, samples: int
) -> tuple[Int[np.ndarray, " prompts"], Int[np.ndarray, " prompts"]]:
    """How many candidates of each prompt can be completed, and how often: one at least, once.

    Each takes so many tokens as are `left`. Where not all can be, two candidates are rather
    completed less often than one as often as wanted.
    """
    count = purse.tokens_left // left
    if left > 1:
        # The last token of a completion is not read, but the one that is written then is.
        count = np.minimum(count, (purse.passes_left - 1) // (left - 1))
    count = np.clip(count, 1, candidates * samples)
    width = np.clip(count // samples, np.minimum(count, 2), None).clip(max=candidates)
    return width, np.minimum(count // width, samples)


def _tried(
    logprobs: Float[np.ndarray, "live vocabulary"],
    candidates: int,
    samples: int,
    width: Int[np.ndarray, " live"],
    each: Int[np.ndarray, " live"],
) -> tuple[Int[np.ndarray, "live candidates"], Int[np.ndarray, "live tried"]]:
    """The candidates, likelier ones first; and those tried, each as often as sampled: -1 if not."""
    order = np.argsort(-logprobs, axis=1, kind="stable")[:, :candidates]
    tried, number = np.repeat(order, samples, 1), np.arange(candidates * samples)
    wanted = (number // samples < width[:, None]) & (number % samples < each[:, None])
    wanted &= np.isfinite(np.take_along_axis(logprobs, tried, 1))
    return order, np.where(wanted, tried, -1)


def _write(
    written: Row, purse: Purse, at: Int[np.ndarray, " live"], token: Int[np.ndarray, " live"],
    logprobs: Float[np.ndarray, "live vocabulary"],
) -> None:  # fmt: skip
    """Add a token to each of these rows, where its pass is paid for."""
    chosen, nats = np.full(len(written.texts), -1), np.zeros(len(written.texts))
    chosen[at] = token
    nats[at] = logprobs[np.arange(len(at)), np.maximum(token, 0)]
    last = written.length + 1 >= written.ends
    written.live &= last | (purse.passes_left > 0)
    had = written.passes.copy()
    written.add(chosen, nats)
    purse.passes += written.passes - had


def _completed(
    written: Row, at: Int[np.ndarray, " live"], tried: Int[np.ndarray, "live tried"],
    room: Int[np.ndarray, " live"], logprobs: Float[np.ndarray, "live vocabulary"],
    rollout: Sampling, seed: UInt32[np.ndarray, " prompts"],
) -> Row:  # fmt: skip
    """Each candidate token after its text, and what the model writes on from there, to `room`."""
    each, token = tried.shape[1], tried.ravel()
    rows = np.repeat(at, each)
    ahead = Row(
        written.model, written.texts[rows], np.repeat(room, each), np.asarray(written.logits)[rows],
        written.model.pick(written.memory, rows), sampling=rollout, stop=written.stop,
        allow=written.allow,
    )  # fmt: skip
    ahead.logprob += written.logprob[rows]
    ahead.add(token, logprobs[np.repeat(np.arange(len(at)), each), np.maximum(token, 0)])
    number = np.tile(np.arange(each), len(at))
    return ahead.run(mixed(seed[rows], number))
