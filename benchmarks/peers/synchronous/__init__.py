"""The usual synchronous service: each request has a transaction of its own, which locks a row, writes and commits.

It keeps what intake keeps, in the same tables, after the same checks, and gives the same answers. Numbers count
without a gap, so the row of the scheme's counter is locked until the commit. Two ways to the database: SQLAlchemy's
session (``orm``), and statements written by hand for asyncpg (``tuned``), which can do without the lock as well.
"""
