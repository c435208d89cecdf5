"""How what the library finds shows itself: as a figure, and as HTML in a notebook."""
