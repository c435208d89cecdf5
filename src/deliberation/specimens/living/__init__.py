"""What goes on learning: by rewards alone, by a model, near- or far-sighted."""
