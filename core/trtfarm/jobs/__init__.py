"""Jobs: what has to be run, who runs it, and what became of it."""
