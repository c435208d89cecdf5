"""What the sources say beneath their table, one claim a file."""
