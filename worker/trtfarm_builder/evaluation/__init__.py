"""How far a quantised model is from its FP32 original, and what a model is made of; on the CPU with ONNX Runtime."""
