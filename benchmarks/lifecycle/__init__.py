"""The lifecycle benchmark: whole lives a second, from application to settled payment, beside a synchronous monolith.

Both have the same portal, bank and registers before them, and PostgreSQL with fsync on. A turn ends when every payment
is settled, the portal is shown so and the metrics count it: work that still lies in a queue is none that is done.
"""
