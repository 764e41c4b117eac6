"""Benchmarks: ratios between Drawdown and a peer, taken in one run on one machine (README.md says how to read them)."""
