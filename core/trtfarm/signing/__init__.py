"""Signed engines: an engine is native code, and only one that a trusted farm built is ever loaded."""
