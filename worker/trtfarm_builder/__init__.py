"""The builder process: one native step (parse, calibrate, quantise, build, run) per process, told what to do in JSON.

Runs on whatever interpreter a toolchain has (CPython 3.8 and up), so it imports neither trtfarm nor anything beyond the
standard library and numpy, except in the packages named after what they need (`reference`, `quantization`,
`evaluation`: onnx and onnxruntime; `images`: pillow; `rtx`: tensorrt_rtx).
"""

PROTOCOL = 1
