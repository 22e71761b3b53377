"""The farm of this process."""
