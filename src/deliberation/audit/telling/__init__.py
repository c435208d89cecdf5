"""How an audit is told: its conclusion in sentences, its figures, and how far it is."""
