"""Direct, amortised and hybrid optimisers."""
