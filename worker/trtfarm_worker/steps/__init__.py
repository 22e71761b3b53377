"""What each kind of job asks of a builder process, and what it keeps of the answer."""
