"""The outbox: events are rows, written in the transaction of the change that they tell of.

What an event says that is kept sealed elsewhere (``Event.PRIVATE``) is sealed here too, until the relay sends it.
A writer owns its transaction id before it draws an outbox id; the relay's fence (``kit.relay``) rests on that.
What a transaction has added is kept beside it until it commits, for the relay of the same process (``kit.at_hand``).
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import encode, to_builtins
from contracts.events import Event
from contracts.topics import HURRIED, TOPIC_OF, event_type
from kit import at_hand, meters, parking
from kit.driver import copy_columns, fetch
from kit.errors import PermanentError
from kit.identifiers import uuid7
from kit.messages import event_type_of
from kit.parking import Parked
from kit.rows import Writes
from kit.sealing import Keyring, is_sealed, keyring_if_any
from kit.tracing import TRACEPARENT

# Kafka's default limit of a message is 1 MiB with its headers; an event that is larger must be refused here, while
# its transaction can still fail, because a record that the broker refuses stops the relay.
LARGEST_EVENT_BYTES: Final = 900_000

_INSERT: Final = """
WITH own AS MATERIALIZED (SELECT pg_current_xact_id() AS xid),
ordered AS (
  SELECT e.* FROM own, unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::bytea[]
  ) WITH ORDINALITY AS e(event_id, topic, key, type, subject, time, traceparent, data, position)
  ORDER BY position
)
INSERT INTO outbox (id, event_id, topic, key, type, subject, time, traceparent, data)
SELECT nextval('outbox_id_seq'), event_id, topic, key, type, subject, time, traceparent, data FROM ordered
"""
_DRAW: Final = """
WITH own AS MATERIALIZED (SELECT pg_current_xact_id() AS xid)
SELECT array_agg(nextval('outbox_id_seq')) FROM own, generate_series(1, $1)
"""
_FEWEST_COPIED: Final = 20  # one more round trip for the ids, then half the cost for each event
_COLUMNS: Final = ("event_id", "topic", "key", "type", "subject", "time", "traceparent", "data")

_INSERT_DEAD_LETTER: Final = text(
    """
    INSERT INTO outbox (id, event_id, topic, key, type, subject, time, headers, data)
    VALUES (nextval('outbox_id_seq'), :event_id, :topic, :key, :type, :subject, now(), CAST(:headers AS jsonb), :data)
    """
)


TYPE_OF: Final = {event: event_type(event) for event in TOPIC_OF}


class Announcement(msgspec.Struct, frozen=True):
    """An event to be published, with the trace of the request or event that caused it.

    ``data`` is its JSON, where that was written already.
    """

    event: Event
    traceparent: str | None = None
    data: bytes | None = None


class Announcements(list[Announcement]):
    """What a transaction has to say, in order. Set ``traceparent`` to the cause before handling it.

    What is logged from then on, until the next cause, is logged as this one's. ``writes`` is what its handler has left
    to be written with them: one round trip less.
    """

    _traceparent: str | None = None
    writes: Writes | None = None

    @property
    def traceparent(self) -> str | None:
        return self._traceparent

    @traceparent.setter
    def traceparent(self, cause: str | None) -> None:
        self._traceparent = cause
        TRACEPARENT.set(cause)

    @property
    def hurried(self) -> bool:
        """Whether an applicant waits for any of it."""
        return any(type(said.event) in HURRIED for said in self)

    async def make_writes(self) -> None:
        """Write what was left to be written, before or without what is said."""
        if self.writes is not None:
            await self.writes.make()

    def say(self, event: Event, data: bytes | None = None) -> None:
        """Add an event that the current cause brought about; ``data``, where given, is what ``encode`` makes of it."""
        self.append(Announcement(event, self._traceparent, data))


async def add(connection: AsyncConnection, announcements: Announcements) -> None:
    """Write the events into the outbox, in order, as part of the open transaction; and what was left for it to write.

    Raises PermanentError for an event that is larger than LARGEST_EVENT_BYTES.
    """
    writes = announcements.writes or Writes(connection)
    columns = _columns(announcements, keyring_if_any(connection)) if announcements else []
    if not announcements:
        await writes.make()
    elif len(announcements) < _FEWEST_COPIED:
        writes.run_returning(_INSERT, columns, "id", lambda ids: at_hand.add(connection, sorted(ids), columns))
        await writes.make()
    else:
        await writes.make()
        [[numbers]] = await fetch(connection, _DRAW, len(announcements))
        await copy_columns(connection, "outbox", ("id", *_COLUMNS), [numbers, *columns])
        at_hand.add(connection, numbers, columns)


def _columns(announcements: Announcements, keyring: Keyring | None) -> list[list[Any]]:
    """Return a list for each of _COLUMNS."""
    events = [announcement.event for announcement in announcements]
    topics = [TOPIC_OF[type(event)] for event in events]
    keys = [str(getattr(event, topic.key)) for event, topic in zip(events, topics, strict=True)]
    ids = [uuid7() for _ in events]
    return [
        ids,
        [topic.name for topic in topics],
        keys,
        [TYPE_OF[type(event)] for event in events],
        [_subject(event, key) for event, key in zip(events, keys, strict=True)],
        [event.occurred_at for event in events],
        [announcement.traceparent for announcement in announcements],
        [_bytes(announcement, event_id, keyring) for announcement, event_id in zip(announcements, ids, strict=True)],
    ]


async def add_dead_letters(connection: AsyncConnection, topic: str, group: str, events: Sequence[Parked]) -> None:
    """Write a copy of each event for the dead-letter topic, headers and all. The transaction owns its id."""
    if events:
        await connection.execute(_INSERT_DEAD_LETTER, [_dead_letter(topic, group, event) for event in events])
        for event in events:
            meters.DEAD_LETTERS.labels(event.record.topic).inc()


def _dead_letter(topic: str, group: str, event: Parked) -> dict[str, object]:
    value = event.record.value
    return {
        "event_id": uuid7(),
        "topic": topic,
        "key": parking.place_of(event.record)[1],
        "type": event_type_of(event.record) or "",
        "subject": event.record.topic,
        "headers": msgspec.json.encode(parking.dead_letter_headers(event, group)).decode(),
        "data": None if value is None else value[: parking.MAX_COPIED_BYTES],
    }


def _subject(event: Event, key: str) -> str:
    text: str = to_builtins(getattr(event, "application_id", None) or key)  # a UUID's str() costs five times as much
    return text


def _bytes(announcement: Announcement, event_id: UUID, keyring: Keyring | None) -> bytes:
    event, data = announcement.event, announcement.data
    if data is None:
        data = encode(event)
    if len(data) > LARGEST_EVENT_BYTES:
        raise PermanentError(f"{event.TYPE} has {len(data)} bytes, the limit is {LARGEST_EVENT_BYTES}")
    if event.PRIVATE:
        assert keyring is not None, f"{event.TYPE} is kept sealed, and this database was opened without a keyring"
        return keyring.seal(data, _about(event_id)).encode() if keyring.seals else data
    return data


def opened(keyring: Keyring | None, event_id: UUID, data: bytes | None) -> bytes | None:
    """Return a row's data as it is published. Raises SealedError where the key is gone."""
    if keyring is None or data is None or not is_sealed(data):
        return data
    return keyring.open(data.decode(), _about(event_id))


def _about(event_id: UUID) -> str:
    return f"outbox:{event_id}"
