"""Benchmarks: side-by-side measurements, with results as JSON in `benchmarks/results/`."""
