"""A past: applications that the service's own code took in, and heard of; then copies of them, as many as are wanted.

The copies are whole rows in the real tables with all their indexes, each a minute earlier, under other ids, of other
companies. What stands inside their documents is the originals': no query looks there. Timelines are not copied, as no
list reads them; and the tables are not logged, which makes them faster to fill and no faster to read.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import Column, DateTime, Table, Uuid

from benchmarks.intake import traffic
from benchmarks.ledger.past import FUNCTIONS, ORIGINALS, SETTINGS, without_indexes
from benchmarks.ledger.traffic import example
from contracts.events import ApplicationApproved, ApplicationRejected, AwardIssued, Event
from contracts.topics import TOPIC_OF, event_type
from intake import tables
from intake.claiming import CreateClaim
from intake.commands import Command, CreateApplication, apply
from intake.handlers import handle
from kit.database import Database
from kit.idempotency import Answer
from kit.identifiers import uuid7, uuid_of
from kit.messages import Message

_GROUP: Final = 500
_AWARDED, _REJECTED, _CLAIMED = 0.6, 0.15, 0.7  # shares: of all, of all, and of the awarded
_CLIENT: Final = "portal"
_OTHER_CLIENTS: Final = 4  # a hundredth of all applications each, so that theirs are spread thinly
_SECOND_SCHEME: Final = "corpus-voucher"
_TABLES: Final = (tables.applications, tables.claims)
_RENAMED: Final = ("applicant",)
_NUMBERED: Final = ("number", "voucher_code")
# So that there is more than one scheme and client: accepted the same way, told apart afterwards.
_SPREAD: Final = f"""
UPDATE applications SET
  scheme = CASE WHEN n % 10 = 0 THEN '{_SECOND_SCHEME}' ELSE scheme END,
  client = CASE WHEN n % 25 = 0 THEN 'portal-' || (n / 25) % {_OTHER_CLIENTS} ELSE client END
FROM (SELECT application_id AS id, row_number() OVER (ORDER BY application_id) AS n FROM applications) AS numbered
WHERE id = application_id
"""


async def take_in(database: Database, count: int) -> None:
    """Take in so many applications; most are awarded and claimed on, some rejected, the others still wait."""
    random = Random(3)
    for _ in range(count // _GROUP + 1):
        taken = await _carried_out(database, [_new(random) for _ in range(_GROUP)])
        awards = await _decide(database, taken, random)
        await _carried_out(database, [_claim(award) for award in awards if random.random() < _CLAIMED])
    async with database.transaction() as connection:
        await connection.exec_driver_sql(_SPREAD)


def _new(random: Random) -> CreateApplication:
    body = msgspec.json.decode(random.choice(traffic.applications()))
    body["applicant"]["contact"] = None  # one that is sealed is bound to its application: in a copy nobody opens it
    scheme, submit = body.pop("scheme"), body.pop("submit")
    return CreateApplication(key=None, traceparent=None, client=_CLIENT, scheme=scheme, body=body, submit=submit)


def _claim(award: AwardIssued) -> CreateClaim:
    invoice = {
        "number": f"F-{award.award_id}",
        "seller": award.applicant,
        "issued_on": "2026-02-28",
        "money": {"amount": 20_000_000, "currency": "CNY"},
        "tax": {"amount": 1_132_075, "currency": "CNY"},
    }
    usage = {"starts_on": "2026-02-01", "ends_on": "2026-02-28", "statement": None}
    body = {"invoices": [invoice], "usage": usage, "milestone": None, "documents": [], "details": {}}
    return CreateClaim(key=None, traceparent=None, client=_CLIENT, award_id=award.award_id, body=body)


async def _carried_out(database: Database, commands: Sequence[Command]) -> list[dict[str, Any]]:
    """Carry out commands in one transaction; return what was answered."""
    async with database.transaction() as connection:
        outcomes, said = await apply(connection, commands, datetime.now(UTC))
        await said.make_writes()
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
    assert not refused, refused[:1]
    return [msgspec.json.decode(outcome.body) for outcome in outcomes if isinstance(outcome, Answer)]


async def _decide(database: Database, taken: Sequence[dict[str, Any]], random: Random) -> list[AwardIssued]:
    """Let decisions and awards arrive; return the awards."""
    events: list[Event] = []
    for application in taken:
        names = {
            "application_id": uuid_of(application["application_id"]),
            "scheme": application["scheme"],
            "applicant": application["applicant"]["uscc"],
        }
        drawn = random.random()
        if drawn < _REJECTED:
            events.append(msgspec.structs.replace(example(ApplicationRejected), **names))
        elif drawn < _REJECTED + _AWARDED:
            award_id = uuid7()
            award = {"award_id": award_id, "voucher_code": f"CV-{award_id.hex[-16:]}"}
            events.append(msgspec.structs.replace(example(ApplicationApproved), **names))
            events.append(msgspec.structs.replace(example(AwardIssued), **names, **award, valid_until=_FAR))
    async with database.transaction() as connection:
        said = await handle(connection, [_message(event) for event in events], datetime.now(UTC))
        await said.make_writes()
    return [event for event in events if isinstance(event, AwardIssued)]


_FAR: Final = datetime(2099, 1, 1, tzinfo=UTC)


def _message(event: Event) -> Message:
    topic = TOPIC_OF[type(event)]
    key = str(getattr(event, topic.key))
    return Message(uuid7(), event_type(type(event)), datetime.now(UTC), key, topic.name, 0, 0, None, event)


# --- copies ---------------------------------------------------------------------------------------------------


async def multiply(dsn: str, applications: int) -> int:
    """Bring a database to about so many applications by copies of what it has; return how many there are."""
    connection = await asyncpg.connect(dsn)
    try:
        there = await connection.fetchval("SELECT count(*) FROM applications")
        copies = max(0, round(applications / there) - 1)
        await connection.execute(SETTINGS)
        await connection.execute(FUNCTIONS)
        for table in _TABLES:
            await connection.execute(ORIGINALS.format(table.name, ""))
            await connection.execute(f"ALTER TABLE {table.name} SET UNLOGGED")
            async with without_indexes(connection, table.name):
                await connection.execute(_statement(table), copies)
        return int(await connection.fetchval("SELECT count(*) FROM applications"))
    finally:
        await connection.close()


def _statement(table: Table) -> str:
    names = ", ".join(column.name for column in table.c)
    values = ", ".join(_value(column) for column in table.c)
    # Copies outside, originals inside: rows lie on the disk as they would have come, the oldest first.
    copies = "(SELECT copy FROM generate_series($1::bigint, 1, -1) AS copy) AS copies"
    return f"INSERT INTO {table.name} ({names}) SELECT {values} FROM {copies} CROSS JOIN original_{table.name}"


def _value(column: Column[Any]) -> str:
    if isinstance(column.type, Uuid):
        return f"earlier({column.name}, copy)"
    if isinstance(column.type, DateTime):
        return f"{column.name} - copy * interval '1 minute'"
    if column.name in _RENAMED:
        return f"renamed({column.name}, copy)"
    if column.name in _NUMBERED:
        return f"{column.name} || '-' || copy"
    return column.name
