"""Who is behind a pool's sums: of each district, month and state as many companies as a decision to show it can need.

A transfer names its application, and only events of other topics name the application's company. Whichever comes
first, both are stored under no common lock: what a transfer can't tell yet waits in ``parties``, the application's
next event takes it from there, and whoever reads looks there too. So nobody is missed where both are stored at once.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from kit.driver import fetch
from metrics.projection import Party
from metrics.rules.disclosure import ENOUGH_COMPANIES, LEAST_COMPANIES, Behind

_CELL: Final = "pool, district, month, state"

# Rows are written in the order of their keys, so that two workers never wait for each other in a ring.
_NOTE: Final = f"""
WITH moved AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::uuid[]) AS given ({_CELL}, application_id)
), known AS (
  SELECT * FROM unnest($6::uuid[], $7::uuid[]) AS given (application_id, company)
), found AS (
  DELETE FROM parties USING known WHERE parties.application_id = known.application_id
  RETURNING {_CELL}, company
), with_room AS MATERIALIZED (
  SELECT * FROM (SELECT {_CELL} FROM moved UNION SELECT {_CELL} FROM found) AS cell
  WHERE {ENOUGH_COMPANIES} > (
    SELECT count(*) FROM (
      SELECT FROM companies_behind AS behind
      WHERE (behind.pool, behind.district, behind.month, behind.state)
        = (cell.pool, cell.district, cell.month, cell.state)
      LIMIT {ENOUGH_COMPANIES}
    ) AS first_ones
  )
), told AS MATERIALIZED (
  SELECT {_CELL}, application_id, company
  FROM moved JOIN with_room USING ({_CELL}) LEFT JOIN applications USING (application_id)
), waiting AS (
  INSERT INTO parties (application_id, {_CELL})
  SELECT application_id, {_CELL} FROM told WHERE company IS NULL ORDER BY application_id, {_CELL}
  ON CONFLICT DO NOTHING
)
INSERT INTO companies_behind ({_CELL}, company)
SELECT {_CELL}, company FROM told WHERE company IS NOT NULL
UNION SELECT {_CELL}, company FROM found JOIN with_room USING ({_CELL})
ORDER BY {_CELL}, company
ON CONFLICT DO NOTHING
"""  # noqa: S608  # our own names and numbers

_READ: Final = """
SELECT pool, {key} AS key, state, count(DISTINCT company) AS companies, array_agg(DISTINCT company) AS named
FROM (
  SELECT pool, district, month, state, company FROM companies_behind
  UNION ALL
  SELECT pool, district, month, state, (
    SELECT company FROM applications WHERE applications.application_id = parties.application_id
  ) FROM parties
) AS behind
WHERE company IS NOT NULL
GROUP BY pool, key, state
"""
_KEYS: Final = {"district": "district", "month": "to_char(month, 'YYYY-MM')"}


async def note(connection: AsyncConnection, moved: Collection[Party], companies: Mapping[UUID, UUID]) -> None:
    """Note for whose applications money ``moved``, once ``companies`` (by application) and all rows are stored."""
    cells: list[tuple[Any, ...]] = list(zip(*moved, strict=True)) or [()] * 5
    await fetch(connection, _NOTE, *cells, list(companies), list(companies.values()))


async def read_behind(connection: AsyncConnection, by: str) -> dict[tuple[str, str, str], Behind]:
    """Return who is behind the sums ``by`` district or month, by (pool, key, state).

    An application that nothing was heard of counts for nobody.
    """
    return {
        (pool, key, state): Behind(
            min(companies, ENOUGH_COMPANIES), frozenset(named) if companies < LEAST_COMPANIES else frozenset()
        )
        for pool, key, state, companies, named in await fetch(connection, _READ.format(key=_KEYS[by]))
    }
