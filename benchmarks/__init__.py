"""Benchmarks: run ``python -m benchmarks.zonal`` at the root of the project."""
