"""Imported before it is known what to do: what each step of a TensorRT begins with, its modules and a CUDA context."""

from trtfarm_builder.trt import build, calibrate, gpu  # noqa: F401 - to have them loaded

gpu.call("cudaFree", 0)
