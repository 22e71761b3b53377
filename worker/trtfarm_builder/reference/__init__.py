"""The reference toolchain: TensorRT's calibrators on the CPU, with ONNX Runtime for the activations.

Numbers are those of TensorRT 8.5 calibrating before layer fusion, measured against tables that it wrote itself.
"""
