"""Signed bundles: tables and engines as one file, on their way from one farm to another."""
