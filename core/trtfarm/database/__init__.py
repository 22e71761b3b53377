"""The database: the farm's only truth about what exists and what has to be done."""
