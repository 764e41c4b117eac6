"""How the services say it: database, outbox, relay, consumer, grouped writes, HTTP, settings, logs, meters.

Nothing here knows a grant from a library book. What it knows is loops, limits, retries, fences and shutdown.
"""
