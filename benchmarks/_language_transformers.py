"""Tokens a second that a stranger's model writes here, beside `model.generate` on the same weights.

GPT-2 at random weights, 64 tokens after prompts of 16: prompts side by side, the samples of one
prompt, and texts of which most end early. The likeliest tokens are held against those of
`generate`. What is compiled is compiled before the clock runs. Both take turns; each counts by the
least of several times.

    python benchmarks/language_models.py generate
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
import transformers

from deliberation.adapters import from_transformers
from deliberation.core.contract import Sampling

VOCABULARY, PROMPT, NEW, REPEATS = 64, 16, 64, 7
KEY = jax.random.key(0)
ROWS = (
    {"what": "one text, greedy", "texts": 1},
    {"what": "8 texts, greedy", "texts": 8},
    {"what": "32 texts, greedy", "texts": 32},
    {"what": "32 texts, drawn", "texts": 32, "temperature": 1.0},
    {"what": "32 samples of one text", "texts": 1, "samples": 32, "temperature": 1.0},
    {"what": "32 texts, most end early", "texts": 32, "stop": 7, "temperature": 1.0},
)


SIZES = ((64, 2), (128, 4))
"""Width and depth."""


def rows(repeats: int = REPEATS, busy: bool = False) -> list[dict[str, Any]]:
    """A row a size and way of writing: tokens a second of both, and how many times as fast it is
    here; with `busy` by processor time on one thread.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if busy else before)
    clock = time.process_time if busy else time.perf_counter
    try:
        found = []
        for width, depth in SIZES:
            module = _module(width, depth)
            model = from_transformers(module, compiled=True)
            for told in ROWS:
                one = _row(module, model, repeats, clock, **told)
                found.append({"width": width, "depth": depth, **one})
                print(found[-1], flush=True)
        return found
    finally:
        torch.set_num_threads(before)


def _module(width: int, depth: int) -> Any:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=256, n_embd=width, n_layer=depth, n_head=4,
        initializer_range=0.1, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval()


def _row(
    module: Any,
    model: Any,
    repeats: int,
    clock: Callable[[], float],
    *,
    what: str,
    texts: int,
    samples: int = 1,
    stop: int | None = None,
    temperature: float = 0.0,
) -> dict[str, Any]:
    prompts = np.random.default_rng(0).integers(0, VOCABULARY, (texts, PROMPT))
    ids, how = torch.tensor(prompts), Sampling(temperature)
    drawn = {"do_sample": True, "top_k": 0} if temperature else {"do_sample": False}
    ends = {} if stop is None else {"eos_token_id": stop}

    def theirs() -> np.ndarray:
        with torch.inference_mode():
            found = module.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, pad_token_id=0,
                num_return_sequences=samples, **drawn, **ends,
            )  # fmt: skip
        return found[:, PROMPT:].numpy()

    draws = iter(jax.random.split(KEY, 2 + repeats))

    def ours() -> np.ndarray:  # with other draws each time, as theirs
        return model.write(
            prompts, key=next(draws), tokens=NEW, sampling=how, stop=stop, samples=samples
        ).tokens

    same = bool((theirs() == ours()).all())  # and what is compiled, is compiled here
    same = None if temperature else same
    rates: dict[Callable[[], np.ndarray], float] = {theirs: 0.0, ours: 0.0}
    for _ in range(repeats):
        for way in (theirs, ours):
            began = clock()
            tokens = way()
            spent = clock() - began
            rates[way] = max(rates[way], _written(tokens, stop) / spent)
    slow, fast = rates.values()
    return {
        "what": what,
        "generate_tokens_a_second": round(slow),
        "tokens_a_second": round(fast),
        "times_as_fast": round(fast / slow, 2),
        "same_tokens": same,
    }


def _written(tokens: np.ndarray, stop: int | None) -> int:
    """How many tokens stand up to the end of each text."""
    if stop is None:
        return tokens.size
    ended = np.cumsum(tokens == stop, axis=1) - (tokens == stop)
    return int((ended == 0).sum())
