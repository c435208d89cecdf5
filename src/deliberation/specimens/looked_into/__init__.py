"""Networks whose layers can be read: what is in them, and whether it is used."""
