"""Compares an outbox with its topics: what the relay says that it published is there, once, in order, and nothing else.

Each partition has a position: the offset to read on from, and the outbox id up to which it was compared. An event that
was sent again stands there twice, which is as it should be: readers drop the second. What is no event of the contract
is passed over: whoever reads the topic parks it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.topics import TOPICS
from kit.database import Database
from kit.driver import fetch
from kit.kafka import partition_of
from kit.logging import get_logger
from kit.outbox import opened
from kit.sealing import is_sealed, keyring_if_any
from kit.topic_reader import Place, Seen, Stretch, read_on
from kit.turns import in_turns

log = get_logger(__name__)

_SLICE: Final = 2_000  # rows, and as many records, are held at once: some 10 kB for each pair
_MOST_SLICES: Final = 5_000

_ROWS: Final = """
SELECT id, event_id, topic, key, type, data FROM outbox
WHERE id > $1 AND id <= $2 AND topic = ANY($3::text[]) ORDER BY id LIMIT $4
"""
_CURSOR: Final = text("SELECT cursor FROM relay WHERE name = 'outbox'")
_LAST: Final = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq")
_OLDEST: Final = text("SELECT min(id) FROM outbox")
_KNOWN: Final = "SELECT id, event_id, topic, key, type, data FROM outbox WHERE id = ANY($1::bigint[])"


class Position(msgspec.Struct, frozen=True):
    """Where a partition is read on from, and up to which outbox id it was compared.

    An offset of -1 begins anew at the topic's end, at the first moment at which the outbox has nothing to send.
    """

    next_offset: int = 0
    checked_id: int = 0

    @property
    def anew(self) -> bool:
        return self.next_offset < 0


class Finding(msgspec.Struct, frozen=True):
    """One event that the outbox and the topic do not agree on, in words, and its data, for whoever knows them."""

    place: Place
    words: str
    data: bytes | None


class Compared(msgspec.Struct):
    """How far each partition agrees with the outbox, and what does not. Where something is found, it stays."""

    positions: dict[Place, Position]
    findings: list[Finding] = []


class _Row(msgspec.Struct, frozen=True):
    """A row of the outbox, its data as it was published."""

    id: int
    event_id: UUID
    topic: str
    key: str
    type: str
    data: bytes | None


class Outbox(msgspec.Struct, frozen=True):
    """A slice of the outbox: all ids up to ``reach``. ``resting``: everything in the outbox is published."""

    rows: Sequence[Any]
    reach: int
    whole: bool
    resting: bool


class Judged(msgspec.Struct):
    """What one partition's stretch says; ``strange`` is not of this slice: sent again, or never in the outbox."""

    position: Position
    findings: list[Finding]
    strange: list[Seen]


async def compare(
    database: Database,
    bootstrap: str,
    topics: Sequence[str],
    positions: Mapping[Place, Position],
    go_on: Callable[[], None] = lambda: None,
) -> Compared:
    """Read on from the given positions (unknown ones are the beginning), slice by slice, to the relay's cursor.

    ``go_on`` is called before each slice, and may raise. Raises TransientError while the brokers do not answer.
    """
    places = [(topic, number) for topic in topics for number in range(TOPICS[topic].partitions)]
    compared = Compared({place: positions.get(place, Position()) for place in places})
    for _ in range(_MOST_SLICES):
        go_on()
        if not await _compare_slice(database, bootstrap, topics, compared) or compared.findings:
            break
    return compared


async def _compare_slice(database: Database, bootstrap: str, topics: Sequence[str], compared: Compared) -> bool:
    """Compare one slice; return whether there is more."""
    positions = compared.positions
    async with database.reading() as connection:
        outbox = await _read_outbox(connection, topics, positions.values())
    starts = {place: each.next_offset for place, each in positions.items()}
    stretches = await read_on(bootstrap, starts, _SLICE + len(starts), outbox.reach)
    rows = _by_place(outbox.rows)
    judged = {}
    for place, stretch in stretches.items():
        judged[place] = judge(place, positions[place], rows.get(place, []), stretch, outbox.reach)
        await asyncio.sleep(0)  # a partition is some milliseconds of work: let the other loops have their turn
    async with database.reading() as connection:
        last_id = (await connection.execute(_LAST)).scalar_one()
        for place, each in judged.items():
            each.findings += await _never_said(connection, place, each.strange, last_id)
    at_rest = outbox.resting and outbox.reach == last_id
    for place, each in judged.items():
        if positions[place].anew and at_rest:
            each.position = Position(stretches[place].next_offset, last_id)
        if each.findings:
            compared.findings += each.findings
        else:
            positions[place] = each.position
    return not outbox.whole or not all(stretch.is_read and not stretch.lost for stretch in stretches.values())


async def _read_outbox(connection: AsyncConnection, topics: Sequence[str], positions: Any) -> Outbox:
    last_id = (await connection.execute(_LAST)).scalar_one()
    cursor = (await connection.execute(_CURSOR)).scalar_one()
    low = min((each.checked_id for each in positions if not each.anew), default=cursor)
    found = await fetch(connection, _ROWS, low, cursor, list(topics), _SLICE)
    rows = [_row(connection, _Row(*row)) async for few in in_turns(found) for row in few]
    whole = len(rows) < _SLICE
    return Outbox(rows, cursor if whole else rows[-1].id, whole, resting=cursor == last_id)


def _row(connection: AsyncConnection, row: _Row) -> _Row:
    if not is_sealed(row.data or b""):
        return row
    return msgspec.structs.replace(row, data=opened(keyring_if_any(connection), row.event_id, row.data))


def _by_place(rows: Sequence[Any]) -> dict[Place, list[Any]]:
    places: dict[Place, list[Any]] = {}
    for row in rows:
        place = (row.topic, partition_of(row.key.encode(), TOPICS[row.topic].partitions))
        places.setdefault(place, []).append(row)
    return places


def judge(place: Place, position: Position, rows: Sequence[Any], stretch: Stretch, reach: int) -> Judged:
    """Lay a partition's records beside its rows of the outbox (in the order of their ids), up to the id ``reach``."""
    if position.anew:
        return Judged(position, [], [])
    if stretch.lost:
        log.error("topic_lost", topic=place[0], partition=place[1], read_up_to=position.next_offset)
        return Judged(Position(), [], [])  # what the outbox still has must be there again: compared from the beginning
    if not stretch.at_end:
        reach = min(reach, max((seen.sequence or 0 for seen in stretch.records), default=0))
    wanted = {row.id: row for row in rows if position.checked_id < row.id <= reach}
    judged = Judged(Position(stretch.next_offset, max(position.checked_id, reach)), [], [])
    found: set[int] = set()
    highest = 0
    for seen in stretch.records:
        number = seen.sequence or 0
        if number > reach and seen.is_event():  # of a later slice, if the outbox has it at all
            judged.strange.append(seen)
            judged.position = Position(seen.offset, judged.position.checked_id)
            break
        if number not in wanted or not _same(wanted[number], seen):
            judged.strange.append(seen)
        elif number not in found:
            found.add(number)
            highest = max(highest, number)
            if number < highest:
                judged.findings.append(_finding(place, wanted[number], "stands behind a later one on"))
    missing = (row for number, row in wanted.items() if number not in found)
    judged.findings += [_finding(place, row, "was published and is not on") for row in missing]
    return judged


def _finding(place: Place, row: Any, what: str) -> Finding:
    return Finding(place, f"{row.type} {row.event_id} (outbox {row.id}) {what} {place[0]}/{place[1]}", row.data)


async def _never_said(
    connection: AsyncConnection, place: Place, strange: Sequence[Seen], last_id: int
) -> list[Finding]:
    """Return those that the outbox never had. What it has forgotten, it can't be asked about."""
    if not strange:
        return []
    oldest = (await connection.execute(_OLDEST)).scalar_one()
    ids = [seen.sequence for seen in strange if seen.sequence is not None]
    known = {row[0]: _row(connection, _Row(*row)) for row in await fetch(connection, _KNOWN, ids)}
    return [
        Finding(place, f"{place[0]}/{place[1]} has at {seen.offset} an event that the outbox never had", seen.value)
        for seen in strange
        if not (seen.sequence in known and _same(known[seen.sequence], seen))
        and not _forgotten(seen, oldest, last_id)
        and seen.is_event()
    ]


def _forgotten(seen: Seen, oldest: int | None, last_id: int) -> bool:
    number = seen.sequence or 0
    return 0 < number < (oldest or last_id + 1)


def _same(row: Any, seen: Seen) -> bool:
    return str(row.event_id) == seen.event_id and row.data == seen.value
