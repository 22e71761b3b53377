"""Measures what TensorRT's legacy calibrator makes of known histograms, by quantile and regression cutoff."""
