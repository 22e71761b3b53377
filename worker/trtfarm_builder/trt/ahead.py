"""Imported before it is known what to do: what each step of a TensorRT begins with.

That is its modules, a CUDA context, and the kernel library that the first builder of a process loads. This builder
makes nothing; it is kept because the library would go with it.
"""

from trtfarm_builder.trt import build, calibrate  # noqa: F401 - to have them loaded
from trtfarm_builder.trt.binding import trt

_BUILDER = trt.Builder(trt.Logger(trt.Logger.ERROR))
