"""Calibration tables: the text TensorRT reads INT8 scales from, kept bit for bit and checked before it does."""
