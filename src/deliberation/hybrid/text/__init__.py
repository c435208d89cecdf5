"""Searching around a model of text: samples, votes, beams, and trees over tokens or lines.

All of them take prompts [n, places] of tokens, padded with -1 at the end, and give `Searched`. What
they share: at most so many `tokens` are written after a prompt, up to the token `stop`. That is the
model's own (`model.end`) unless told otherwise, or where it has none that of the texts which the
verifier grades; None stops nowhere. Tokens are drawn by `sampling` (`core.Sampling`); a `budget`
(`TextBudget`) limits tokens, passes or FLOPs a prompt, and a search is as wide as it affords;
`allow` takes texts [n, places] and says which tokens may follow each: [n, vocabulary]. A `Verifier`
grades whole texts, the prompt and the stop token included; `Verifier.of(task)` is that of a task.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
