"""A farm behind HTTP."""
