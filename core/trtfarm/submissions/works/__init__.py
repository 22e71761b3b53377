"""What steps stand for: of each kind of step the action, and what a worker must know to do it, by what it makes."""
