"""Capacity: what a city, a province and a country need, computed from what was measured on one machine.

``python -m benchmarks.capacity`` reads ``benchmarks/results`` and writes docs/explanation/capacity.md. Nothing is
measured here.
"""
