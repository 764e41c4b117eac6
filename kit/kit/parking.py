"""Parking: an event that can't be handled waits here for a person, and later events of its key wait behind it.

Other keys go on. Nothing is dropped: a row holds the record as it came (key, headers, value), why it is here, and
what became of it. ``kit.redrive`` takes rows up again, in order. A copy of each event that caused a stop goes to the
service's dead-letter topic, for whoever watches those; what merely waits behind it is not copied.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import meters
from kit.driver import fetch
from kit.messages import event_id_of, event_type_of

# invalid: breaks the contract. refused: a handler says never. not_yet: it waits for something of another topic and
# is tried again by itself. failed: a handler broke several times. behind: only waits for its key.
Family = Literal["invalid", "refused", "not_yet", "failed", "behind"]
Place = tuple[str, str]

MAX_COPIED_BYTES: Final = 512 * 1024  # of a value, in a dead letter: the broker refuses messages above 1 MiB
_REASON_CHARACTERS: Final = 2_000

_HELD: Final = "SELECT DISTINCT topic, key FROM parked WHERE state = 'parked' AND topic = ANY($1::text[])"
_ADD: Final = text(
    """
    INSERT INTO parked (topic, partition, "offset", key, event_id, type, headers, value, family, reason, error_class,
                        attempts, next_try_at)
    VALUES (:topic, :partition, :offset, :key, :event_id, :type, CAST(:headers AS jsonb), :value, :family, :reason,
            :error_class, :attempts, now() + make_interval(secs => :next_try_seconds))
    ON CONFLICT (topic, partition, "offset") DO NOTHING
    """
)
_WAITING: Final = text("SELECT topic, count(*) AS events FROM parked WHERE state = 'parked' GROUP BY topic")


class Parked(msgspec.Struct, kw_only=True):
    """An event that is to be parked: the record with the reason."""

    record: Any
    family: Family
    reason: str
    error_class: str = ""
    attempts: int = 1
    next_try_seconds: float = 0.0


class Row(msgspec.Struct, kw_only=True):
    """A parked event as it is stored; it reads like the Kafka record that it was."""

    id: int
    topic: str
    partition: int
    offset: int
    key_text: str
    event_id: str | None
    type: str | None
    header_texts: list[tuple[str, str]]
    value: bytes | None
    family: Family
    reason: str
    error_class: str
    attempts: int
    state: str
    parked_at: datetime
    next_try_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None
    settled_why: str | None = None

    @property
    def key(self) -> bytes:
        return self.key_text.encode()

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [(name, value.encode()) for name, value in self.header_texts]


def place_of(record: Any) -> Place:
    """Return the topic and key of a record: what has to keep its order."""
    return record.topic, (record.key or b"").decode(errors="replace")


async def held(connection: AsyncConnection, topics: Iterable[str]) -> set[Place]:
    """Return the keys of these topics that have a parked event: whatever comes for them has to wait behind it."""
    return {(topic, key) for topic, key in await fetch(connection, _HELD, sorted(set(topics)))}


async def park(connection: AsyncConnection, events: Sequence[Parked]) -> None:
    """Store events in the order in which they came. One that is known already (a rewound offset) is left as it is."""
    if events:
        await connection.execute(_ADD, [_values(event) for event in events])
        for event in events:
            meters.EVENTS.labels(event_type_of(event.record) or "", "parked").inc()


async def count(connection: AsyncConnection) -> dict[str, int]:
    """Return how many events wait, by topic."""
    return {row.topic: row.events for row in await connection.execute(_WAITING)}


def dead_letter_headers(event: Parked, group: str) -> list[tuple[str, str]]:
    """Return the headers of a dead letter: those that the event had, then why, where from and how often it failed."""
    record = event.record
    size = len(record.value or b"")
    own = [
        ("dl_reason", event.reason[:_REASON_CHARACTERS]),
        ("dl_family", event.family),
        ("dl_error_class", event.error_class),
        ("dl_group", group),
        ("dl_topic", record.topic),
        ("dl_partition", str(record.partition)),
        ("dl_offset", str(record.offset)),
        ("dl_attempts", str(event.attempts)),
        *([("dl_truncated", f"{MAX_COPIED_BYTES} of {size} bytes")] if size > MAX_COPIED_BYTES else []),
    ]
    return [*header_texts(record.headers), *own]


def header_texts(headers: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, str]]:
    return [(name, (value or b"").decode(errors="replace")) for name, value in headers]


def _values(event: Parked) -> dict[str, Any]:
    record = event.record
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": place_of(record)[1],
        "event_id": event_id_of(record),
        "type": event_type_of(record),
        "headers": msgspec.json.encode(header_texts(record.headers)).decode(),
        "value": record.value,
        "family": event.family,
        "reason": event.reason[:_REASON_CHARACTERS],
        "error_class": event.error_class,
        "attempts": event.attempts,
        "next_try_seconds": event.next_try_seconds,
    }
