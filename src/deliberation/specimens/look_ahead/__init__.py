"""How far they see: good where little look-ahead is needed, or where much is."""
