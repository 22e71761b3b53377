"""trtfarm: calibrate an ONNX model once, build INT8 engines for every GPU, keep and find them again."""

__version__ = "0.1.0"
