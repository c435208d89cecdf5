"""The search's native back end: C++ kernels, built on first use and called through XLA."""
