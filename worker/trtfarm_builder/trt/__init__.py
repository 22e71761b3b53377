"""TensorRT 8.5 to 11 on the GPU that it builds for."""
