"""TensorRT-RTX: plans from Q/DQ models, built without a GPU. Needs tensorrt_rtx and nothing else."""
