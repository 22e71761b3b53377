"""Tests that every implementation of an interface must pass: the folders beside this one run them on theirs."""
