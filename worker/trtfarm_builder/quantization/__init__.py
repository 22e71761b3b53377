"""Explicit quantisation: an ONNX model and its scales become an ONNX model with Q/DQ nodes, and back."""
