"""Other floating-point types: an ONNX model in float32 becomes one that computes in float16 inside."""
