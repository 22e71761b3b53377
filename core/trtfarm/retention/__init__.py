"""What is kept and what may go: policies for engines, and a check of everything that is stored."""
