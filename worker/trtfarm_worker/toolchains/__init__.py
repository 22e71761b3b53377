"""Toolchains: interpreters with one TensorRT each. Installing, testing, keeping and choosing them."""
