"""The latency benchmark: from submission to award at a fifth of the maximum, beside what nobody can save."""
