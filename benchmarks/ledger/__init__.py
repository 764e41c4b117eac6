"""S2: how many commands a second the ledger takes on one hot pool, beside a row lock per command and beside no rules.

All sides get the same kinds of records, as a consumer would have fetched them, and decode them within the clock. Ours
is the path that the service runs: fence, parked keys, inbox, load, decide, store, outbox, offsets, commit
(``kit.batch``), in a process of its own.
"""
