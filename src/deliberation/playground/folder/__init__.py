"""The folder of runs: which there are, what each found, and what stands behind every number."""
