"""What is claimed to be fast or small, measured against what people use instead, both in one call."""
