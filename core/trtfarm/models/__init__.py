"""ONNX models, read without trusting them: a scan of the protobuf wire format, fingerprints, safe copies, shapes."""
