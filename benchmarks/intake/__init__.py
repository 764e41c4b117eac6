"""Intake's benchmark: how many applications are accepted a second, and how fast they are found again among millions.

Everything is real but the callers: services as they run, tokens of an issuer whose keys they fetch, PostgreSQL with
fsync on. A process of its own sends what was made ready before, and asks nothing of an answer but its status.
"""
