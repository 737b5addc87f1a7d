"""The fault bench: run ``python -m benchmarks.faults --short`` at the root of the project."""
