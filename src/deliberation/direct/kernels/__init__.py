"""The C++ kernels of the searches: their sources, and their build on first use."""
