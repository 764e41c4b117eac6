"""The usual synchronous service: each request has a transaction of its own, which locks a row, writes and commits.

Two peers. **Accepting** (``app``, ``acceptance``, ``orm``, ``tuned``), beside intake: it keeps what that keeps, in the
same tables, after the same checks, and gives the same answers. Numbers count without a gap, so the row of the scheme's
counter is locked until the commit. Two ways to the database: SQLAlchemy's session (``orm``), and statements written by
hand for asyncpg (``tuned``), which can do without the lock as well.

**The whole** (``whole`` and what it imports), beside all four services: FastAPI, a session of SQLAlchemy's ORM for each
request, one database, no broker. A compute voucher from application to settled payment: applied for, the registers
asked, decided, awarded, claimed, paid, under the same policies, limits and checks, by the services' own pure functions.
An application's award is in the answer to the call that sends it. It passes the same tests (``tests/journeys/
test_vouchers.py``). What it does not cover: drafts, other schemes, persons (reviews, appeals, orders of two), clocks,
recoveries, documents, pushes; the ledger has no chain of hashes, payments that come back stay with finance.
"""
