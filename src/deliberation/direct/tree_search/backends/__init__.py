"""The two ways to grow the trees, with the same results: C++ kernels, or pure JAX."""
