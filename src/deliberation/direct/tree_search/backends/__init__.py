"""The two ways to walk the tree, with the same results: C++ kernels, or pure JAX."""
