"""Programs that other tools' users would run, one process each."""
