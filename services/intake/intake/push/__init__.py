"""What is pushed to the portal: each line of a timeline, by server-sent events and by webhooks.

A line is a row of ``pushes``, written in the transaction of its change. Everything here reads these rows in the order
of their ids, up to the fence (``kit.fence``). ``hub`` hands them to open streams, ``addressing`` makes deliveries of
them, ``sender`` posts those.
"""
