"""What the reconciliation reads: books, and the figures that do not agree, each found by the database.

All of it is read in one snapshot. The statements below name what has to be equal; they answer only what is not.
"""

from typing import Final

from sqlalchemy import TextClause, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import tables
from disbursement.reconciliation.chain import Link, Reached
from disbursement.reconciliation.rules import Unequal
from disbursement.records import Envelope, Pool
from kit.driver import Prepared

_MOST: Final = 1_000

_AWARDS: Final = """
WITH moved AS (
  SELECT award_id, min(pool) AS pool,
    sum(CASE WHEN source = 'available' THEN amount ELSE 0 END) AS awarded,
    sum(CASE 'committed' WHEN target THEN amount WHEN source THEN -amount ELSE 0 END) AS committed,
    sum(CASE 'obligated' WHEN target THEN amount WHEN source THEN -amount ELSE 0 END) AS obligated,
    sum(CASE 'disbursed' WHEN target THEN amount WHEN source THEN -amount ELSE 0 END) AS disbursed,
    sum(CASE WHEN target = 'available' THEN amount ELSE 0 END) AS released
  FROM transfers WHERE award_id IS NOT NULL GROUP BY award_id
)
SELECT coalesce(a.pool, m.pool) AS pool, 'award ' || award_id AS subject, pair.*, 'its transfers' AS by
FROM (SELECT * FROM awards WHERE pool IS NOT NULL) AS a FULL JOIN moved AS m USING (award_id)
CROSS JOIN LATERAL (VALUES
  ('awarded', a.awarded, m.awarded), ('committed', a.committed, m.committed), ('obligated', a.obligated, m.obligated),
  ('disbursed', a.disbursed, m.disbursed), ('released', a.released, m.released)) AS pair (name, kept, made)
WHERE (a.awarded, a.committed, a.obligated, a.disbursed, a.released)
  IS DISTINCT FROM (m.awarded, m.committed, m.obligated, m.disbursed, m.released)
  AND coalesce(pair.kept, 0) <> coalesce(pair.made, 0)
"""
_CAPS: Final = """
WITH held AS (
  SELECT scheme, fiscal_year, applicant AS holder, min(pool) AS pool, sum(awarded - released) AS granted
  FROM awards WHERE pool IS NOT NULL GROUP BY scheme, fiscal_year, applicant
)
SELECT h.pool, 'cap of ' || holder || ' in ' || scheme || ' ' || fiscal_year AS subject,
  'granted' AS name, c.granted AS kept, h.granted AS made, 'its awards' AS by
FROM caps AS c FULL JOIN held AS h USING (scheme, fiscal_year, holder)
WHERE coalesce(c.granted, 0) <> coalesce(h.granted, 0)
"""
_STACKS: Final = """
WITH held AS (
  SELECT contract_provider AS provider, contract_number AS number, sum(awarded - released) AS granted,
    CASE WHEN count(DISTINCT pool) = 1 THEN min(pool) END AS pool
  FROM awards WHERE contract_provider IS NOT NULL GROUP BY contract_provider, contract_number
)
SELECT h.pool, 'contract ' || number || ' of ' || provider AS subject,
  'granted' AS name, s.granted AS kept, h.granted AS made, 'its awards' AS by
FROM stacks AS s FULL JOIN held AS h USING (provider, number)
WHERE coalesce(s.granted, 0) <> coalesce(h.granted, 0)
"""
_ENVELOPES: Final = """
WITH held AS (
  SELECT scheme, fiscal_year, sum(committed) AS committed, sum(obligated) AS obligated, sum(disbursed) AS disbursed
  FROM awards WHERE pool IS NOT NULL GROUP BY scheme, fiscal_year
)
SELECT e.pool, 'envelope of ' || scheme || ' in ' || fiscal_year AS subject, pair.*, 'its awards' AS by
FROM envelopes AS e LEFT JOIN held AS h USING (scheme, fiscal_year)
CROSS JOIN LATERAL (VALUES
  ('committed', e.committed, h.committed), ('obligated', e.obligated, h.obligated),
  ('disbursed', e.disbursed, h.disbursed)) AS pair (name, kept, made)
WHERE pair.kept <> coalesce(pair.made, 0)
"""
_PAYMENTS: Final = """
WITH moved AS (
  SELECT payment_id, min(pool) AS pool,
    sum(CASE 'obligated' WHEN target THEN amount WHEN source THEN -amount ELSE 0 END) AS obligated,
    sum(CASE WHEN target = 'disbursed' AND starts_with(command, 'payment.settled') THEN amount ELSE 0 END) AS settled,
    sum(CASE WHEN target = 'disbursed' AND starts_with(command, 'payment.netted') THEN amount ELSE 0 END) AS netted
  FROM transfers WHERE payment_id IS NOT NULL GROUP BY payment_id
), told AS (
  SELECT payment_id, CASE WHEN count(*) = 1 THEN sum(amount) END AS settled
  FROM reports WHERE effect = 'moved' AND type = 'payment.settled' GROUP BY payment_id
), held AS (
  SELECT payment_id, pool,
    CASE WHEN status IN ('held', 'instructed', 'returned') THEN amount + netted ELSE 0 END AS obligated,
    CASE WHEN status = 'settled' THEN amount ELSE 0 END AS settled,
    CASE WHEN status = 'settled' THEN netted ELSE 0 END AS netted
  FROM payments
)
SELECT coalesce(h.pool, m.pool) AS pool, 'payment ' || payment_id AS subject, pair.*
FROM held AS h FULL JOIN moved AS m USING (payment_id) FULL JOIN told AS t USING (payment_id)
CROSS JOIN LATERAL (VALUES
  ('obligated', h.obligated, coalesce(m.obligated, 0), 'its transfers'),
  ('settled', h.settled, coalesce(m.settled, 0), 'its transfers'),
  ('netted', h.netted, coalesce(m.netted, 0), 'its transfers'),
  ('settled', h.settled, CASE WHEN t IS NULL THEN 0 ELSE t.settled END, 'the bank''s reports')
) AS pair (name, kept, made, by)
WHERE (h.obligated, h.settled, h.netted, h.settled)
  IS DISTINCT FROM (m.obligated, m.settled, m.netted, CASE WHEN t IS NULL THEN 0 ELSE t.settled END)
  AND coalesce(pair.kept, 0) IS DISTINCT FROM pair.made
"""
_RECOVERIES: Final = """
WITH moved AS (
  SELECT split_part(command, ':', 2) AS recovery_id, min(pool) AS pool, sum(amount) AS received
  FROM transfers WHERE source = 'disbursed' AND target = 'available' GROUP BY 1
), told AS (
  SELECT recovery_id, sum(amount) AS received
  FROM reports WHERE effect = 'moved' AND type = 'recovery.received' GROUP BY recovery_id
), kept_back AS (
  SELECT n.recovery_id,
    sum(CASE WHEN p.status = 'settled' THEN n.amount ELSE 0 END) AS netted,
    sum(CASE WHEN p.status IN ('held', 'instructed', 'returned') THEN n.amount ELSE 0 END) AS reserved
  FROM nettings AS n JOIN payments AS p USING (payment_id) GROUP BY n.recovery_id
)
SELECT coalesce(r.pool, m.pool) AS pool, 'recovery ' || coalesce(CAST(r.recovery_id AS text), m.recovery_id) AS subject,
  pair.*
FROM recoveries AS r FULL JOIN moved AS m ON m.recovery_id = CAST(r.recovery_id AS text)
LEFT JOIN told AS t ON t.recovery_id = r.recovery_id LEFT JOIN kept_back AS k ON k.recovery_id = r.recovery_id
CROSS JOIN LATERAL (VALUES
  ('received', r.received, m.received, 'its transfers'),
  ('received by the bank', r.received - r.netted, coalesce(t.received, 0), 'the bank''s reports'),
  ('netted', r.netted, k.netted, 'what settled payments kept back'),
  ('reserved', r.reserved, k.reserved, 'what payments under way keep back')
) AS pair (name, kept, made, by)
WHERE coalesce(pair.kept, 0) <> coalesce(pair.made, 0)
"""
_NETTINGS: Final = """
WITH kept_back AS (SELECT payment_id, sum(amount) AS netted FROM nettings GROUP BY payment_id)
SELECT p.pool, 'payment ' || payment_id AS subject, 'netted' AS name, p.netted AS kept, k.netted AS made,
  'what it keeps back for each demand' AS by
FROM (SELECT * FROM payments WHERE netted > 0) AS p FULL JOIN kept_back AS k USING (payment_id)
WHERE coalesce(p.netted, 0) <> coalesce(k.netted, 0)
"""


def _statement(sql: str) -> TextClause:
    return text(f"{sql.replace(':', chr(92) + ':')} ORDER BY subject, name LIMIT :most")


SUMS: Final[dict[str, list[TextClause]]] = {
    "awards": [_statement(sql) for sql in (_AWARDS, _CAPS, _STACKS, _ENVELOPES)],
    "payments": [_statement(sql) for sql in (_PAYMENTS, _RECOVERIES, _NETTINGS)],
}


async def unequal(connection: AsyncConnection, check: str) -> list[Unequal]:
    """Return the figures of a check that do not agree, the first thousand of each kind."""
    found = []
    for statement in SUMS[check]:
        for row in await connection.execute(statement, {"most": _MOST}):
            made = None if row.made is None and row.by == "the bank's reports" else int(row.made or 0)
            found.append(Unequal(row.pool, row.subject, row.name, int(row.kept or 0), made, row.by))
    return found


async def pools(connection: AsyncConnection) -> list[Pool]:
    rows = await connection.execute(select(tables.pools).order_by(tables.pools.c.pool))
    return [Pool(**row) for row in rows.mappings()]


async def envelopes(connection: AsyncConnection) -> list[Envelope]:
    return [Envelope(**row) for row in (await connection.execute(select(tables.envelopes))).mappings()]


async def checkpoints(connection: AsyncConnection) -> dict[tuple[str, str], Reached]:
    """Return how far each pool was read, by (pool, reader)."""
    rows = (await connection.execute(select(tables.ledger_checkpoints))).mappings()
    return {
        (row["pool"], row["reader"]): Reached(**{name: value for name, value in row.items() if name != "reader"})
        for row in rows
    }


async def known_flaws(connection: AsyncConnection, pool: str) -> frozenset[int]:
    columns = tables.known_flaws.c
    return frozenset((await connection.execute(select(columns.version).where(columns.pool == pool))).scalars())


_LINKS: Final = tables.transfers.c
_FOLLOWING: Final = Prepared(
    select(*[_LINKS[name] for name in Link.__struct_fields__])
    .where(_LINKS.pool == bindparam("pool"), _LINKS.version >= bindparam("from_version"))
    .order_by(_LINKS.version)
    .limit(bindparam("most"))
)


async def links(connection: AsyncConnection, pool: str, from_version: int, most: int) -> list[Link]:
    """Return a pool's transfers from a version on, in order."""
    rows = await _FOLLOWING.rows(connection, pool=pool, from_version=from_version, most=most)
    return [Link(**row) for row in rows]
