"""The farm that commands speak to: one that is open in this process, or one behind HTTP."""
