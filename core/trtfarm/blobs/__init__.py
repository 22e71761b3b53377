"""Blobs: files named by the SHA-256 of their content."""
