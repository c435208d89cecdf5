"""Claims about two kinds of learned optimisation, from the texts on it; one file each.

Such a claim has worlds of its own and is not asked of tasks, so it has no `applies`. It belongs to
a chapter (`aspects.CHAPTERS`). `cells` and `analyse` take `null`: the same experiment with what the
claim is about taken out, by which `benchmarks/stories.py` sees to it that no null is supported.
"""
