"""Benchmarks of mlip-sse beside the packages that do the same; see README.md."""
