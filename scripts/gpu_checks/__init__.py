"""What is checked on a real GPU with a real TensorRT; `scripts/gpu_check.py` runs it all and writes a report."""
