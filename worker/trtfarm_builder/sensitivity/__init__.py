"""Which nodes to leave in floating point, found by measuring what each of them loses in INT8."""
