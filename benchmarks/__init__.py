"""Measures Proa against peers in the same run: `python -m benchmarks [NAME...] [--full]`; see docs/benchmarks.md."""
