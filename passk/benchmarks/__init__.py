"""Benchmarks: where problems come from."""
