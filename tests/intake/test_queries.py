"""What the portal reads is found by an index, however many there are; pages stay right while rows arrive."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Select, event, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from intake import queries, tables
from kit.database import Database
from kit.driver import driver_of
from kit.identifiers import uuid7
from stack.postgres import Postgres
from tests.intake.scenes import USCC, Portal

APPLICATIONS = 30_000
PAGE = 50
MOST_PAGES = 1_000
"""Of 8 kB, that a query may look at; the applications take 4,000, and a rare row may need one for itself."""
GROWING = {"applications", "claims", "timeline", "documents", "invoices"}
MIDDLE, LATE = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)

# Rows come in the order of their ids. A few are of a small client, a few have a rare status; some districts are small.
_FILL = """
INSERT INTO applications (application_id, number, scheme, applicant, district, status, version, policy_version,
  provisional, body, created_at, updated_at, submitted_at, progress, happenings, client)
SELECT
  (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') || '7000800000000000'
    || lpad(to_hex(n), 4, '0'))::uuid,
  'N-' || n, CASE WHEN n % 40 = 0 THEN 'rare-voucher' ELSE 'test-voucher' END, lpad((n / 3)::text, 18, '0'),
  'district-' || n % 9,
  CASE WHEN n % 500 = 0 THEN 'clarifying' WHEN n % 5 = 0 THEN 'rejected' ELSE 'awarded' END, 1, '1',
  false, jsonb_build_object('applicant', jsonb_build_object('name', repeat('x', 700), 'contact', NULL,
    'account', jsonb_build_object('name', 'x', 'number', '****1', 'bank_code', 'B', 'sealed', repeat('x', 150))),
    'request', 1, 'documents', 1), made, made,
  CASE WHEN n % 7 > 0 THEN made END, '{}', 0,
  CASE WHEN n % 1000 = 0 THEN 'small-portal' ELSE 'portal' END
FROM (
  SELECT n, timestamptz '2026-01-01' + n * interval '15 minutes' AS made FROM generate_series(1, :rows) AS n
) AS rows
"""
_CLAIMS = """
INSERT INTO claims (claim_id, application_id, award_id, applicant, status, body, submitted_at, updated_at)
SELECT gen_random_uuid(), application_id, gen_random_uuid(), applicant, 'paid', '{"invoices": [], "usage": null}',
  created_at, created_at
FROM applications
"""
_LINES = """
INSERT INTO timeline (application_id, position, at, type, data)
SELECT application_id, position, created_at, 'application.submitted', '{}'
FROM applications, generate_series(1, 3) AS position
"""


@pytest.fixture
async def grown(empty_database: Database, postgres: Postgres) -> AsyncIterator[AsyncConnection]:
    """The database with many applications, each with a claim and a timeline, as the planner knows them."""
    async with empty_database.transaction() as connection:
        await connection.execute(text(_FILL), {"rows": APPLICATIONS})
        for statement in (_CLAIMS, _LINES):
            await connection.exec_driver_sql(statement)
    owner = await asyncpg.connect(postgres.owner_dsn("intake"))
    await owner.execute("ANALYZE applications, claims, timeline")
    await owner.close()
    async with empty_database.reading() as connection:
        yield connection
    owner = await asyncpg.connect(postgres.owner_dsn("intake"))
    await owner.execute("TRUNCATE applications, claims, timeline CASCADE")  # no dead rows for the next to wade through
    await owner.close()


FILTERS: dict[str, dict[str, str]] = {
    "everything": {},
    "applicant": {"applicant": f"{3:018}"},
    "nobody": {"applicant": USCC},
    "scheme": {"scheme": "test-voucher"},
    "a rare scheme": {"scheme": "rare-voucher"},
    "no such scheme": {"scheme": "nothing"},
    "status": {"status": "awarded"},
    "a rare status": {"status": "clarifying"},
    "no such status": {"status": "nothing"},
    "district": {"district": "district-3"},
    "no such district": {"district": "nowhere"},
    "scheme and status": {"scheme": "test-voucher", "status": "rejected"},
    "all of them": {"applicant": f"{3:018}", "scheme": "test-voucher", "status": "awarded", "district": "district-0"},
}
TIMES: dict[str, dict[str, datetime | None]] = {
    "any time": {"submitted_from": None, "submitted_until": None},
    "from": {"submitted_from": LATE, "submitted_until": None},
    "until": {"submitted_from": None, "submitted_until": MIDDLE},
    "between": {"submitted_from": MIDDLE, "submitted_until": LATE},
}
VIEWERS = {"a portal": "portal", "a small portal": "small-portal", "an officer": None}


async def plan_of(connection: AsyncConnection, query: Select[Any]) -> dict[str, Any]:
    compiled = query.compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
    explained = await connection.execute(
        text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {compiled}".replace(":", r"\:"))
    )
    found = explained.scalar_one()
    [plan] = json.loads(found) if isinstance(found, str) else found
    root: dict[str, Any] = plan["Plan"]
    return root


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def complaint(plan: dict[str, Any]) -> str | None:
    """Say what a plan does that would cost more with every application; None if nothing."""
    scanned = [n["Relation Name"] for n in nodes(plan) if n["Node Type"] == "Seq Scan" and n["Actual Rows"] >= 0]
    if growing := GROWING.intersection(scanned):
        return f"reads all of {', '.join(sorted(growing))}"
    looked_at = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return f"looks at {looked_at} pages" if looked_at > MOST_PAGES else None


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_a_list_is_found_by_an_index_whatever_is_asked(grown: AsyncConnection, viewer: str) -> None:
    middle = await grown.execute(text("SELECT application_id FROM applications ORDER BY 1 OFFSET :n"), {"n": 15_000})
    cursor = middle.scalars().first()
    complaints = {}
    for filtered, filters in FILTERS.items():
        for timed, times in TIMES.items():
            for after in (None, cursor):
                query = queries.matching(filters=dict(filters), **times, after=after, limit=PAGE)
                asked = queries.seen_by(query, VIEWERS[viewer])
                if said := complaint(await plan_of(grown, asked)):
                    complaints[filtered, timed, after is not None] = said
    assert not complaints


async def test_a_query_without_its_index_is_found_out(grown: AsyncConnection) -> None:
    query = queries.matching(
        filters={"district": "nowhere"}, submitted_from=None, submitted_until=None, after=None, limit=PAGE
    ).where(tables.applications.c.number.like("%x"))
    without = query.with_only_columns(tables.applications.c.number).where(tables.applications.c.happenings > 5)
    assert complaint(await plan_of(grown, without)) is None, "the district's index"
    no_index: Select[Any] = select(tables.applications).where(tables.applications.c.happenings > 5)
    assert complaint(await plan_of(grown, no_index)) == "reads all of applications"


async def test_every_other_read_is_found_by_an_index(grown: AsyncConnection) -> None:
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked[statement] = values

    def note_of_driver(said: Any) -> None:
        asked[said.query] = said.args

    engine, driver = grown.engine.sync_engine, await driver_of(grown)
    event.listen(engine, "before_cursor_execute", note)
    driver.add_query_logger(note_of_driver)
    try:
        one = (await grown.execute(text("SELECT application_id FROM applications LIMIT 1"))).scalar_one()
        asked.clear()
        for client in VIEWERS.values():
            await queries.application(grown, one, client)
            await queries.timeline(grown, one, client)
            await queries.award(grown, uuid7(), client)
            await queries.claim(grown, uuid7(), client)
        await queries.voucher(grown, "nothing", USCC)
        await queries.document(grown, uuid7())
    finally:
        event.remove(engine, "before_cursor_execute", note)
        driver.remove_query_logger(note_of_driver)
    assert len(asked) >= 10
    for statement, values in asked.items():
        [[[plan]]] = await driver.fetch(f"EXPLAIN (FORMAT JSON) {statement}", *values)
        scanned = {n["Relation Name"] for n in nodes(plan["Plan"]) if n["Node Type"] == "Seq Scan"}
        assert not scanned & (GROWING - {"documents"}), statement


async def test_pages_stay_right_while_rows_arrive(portal: Portal) -> None:
    """What was there at the start is seen once, whatever arrives, and in whatever order it was submitted."""
    drafts = [(await portal.apply(submit=False)).json()["application_id"] for _ in range(6)]
    there = [(await portal.apply()).json()["application_id"] for _ in range(12)]
    for draft in reversed(drafts):  # submitted in another order than made
        await portal.client.post(f"/v1/applications/{draft}/submission")
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    async def arrive() -> None:
        for _ in range(15):
            await portal.apply()

    async def seen(**filters: str) -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await portal.client.get("/v1/applications", params={"limit": "3", **filters, **cursor})).json()
            found += [one["application_id"] for one in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    by_making, by_submission, _ = await asyncio.gather(seen(), seen(submitted_from=since), arrive())
    assert by_making[:18] == [*drafts, *there]
    assert by_submission[:18] == [*there, *reversed(drafts)]
    for found in (by_making, by_submission):
        assert len(found) == len(set(map(UUID, found)))
