"""Calibration and verification data: found, checked, and prepared as plain `.npy` files that every child can read."""
