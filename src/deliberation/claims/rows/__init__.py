"""The rows of the comparison table, one claim a file; several claims may stand in one row."""
