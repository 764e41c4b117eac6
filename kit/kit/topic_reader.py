"""Reads on in topics, from given offsets to their present end, without a group: for whoever checks what is there."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from kit.brokers import connection
from kit.database import describe
from kit.deadlines import within
from kit.errors import PermanentError, TransientError
from kit.logging import get_logger
from kit.messages import parse

log = get_logger(__name__)

_READ_SECONDS: Final = 30.0
_CLOSE_SECONDS: Final = 2.0
_POLL_MS: Final = 200
_READ_AT_ONCE: Final = 30  # records, a millisecond
_FETCHED_BYTES: Final = 4 << 20  # by default 50 MB may come at once, for a look at 2,000 records
_MOST_DIGITS: Final = 18  # a bigint holds every number of so many

Place = tuple[str, int]
"""A topic and the number of a partition."""


class Seen(msgspec.Struct, frozen=True):
    """A record, and what its headers say; None where they say nothing that can be read."""

    offset: int
    event_id: str | None
    sequence: int | None
    value: bytes | None
    record: Any = None

    def is_event(self) -> bool:
        """Return whether it keeps to the contract: what does not is parked by whoever reads it."""
        try:
            parse(self.record)
        except PermanentError:
            return False
        return True


class Stretch(msgspec.Struct):
    """What was read of a partition. ``lost``: it ends before the offset that was asked for, and nothing was read.

    ``passed``: its last record is an event that lies beyond what was asked for, so that nothing before it is left.
    """

    records: list[Seen]
    next_offset: int
    at_end: bool = True
    lost: bool = False
    passed: bool = False

    @property
    def is_read(self) -> bool:
        """Whether all was read that was asked for."""
        return self.at_end or self.passed

    def take(self, seen: Seen, reach: int) -> None:
        """Add the next record, unless the stretch has passed the number that was asked for."""
        if not self.passed:
            self.records.append(seen)
            self.passed = (seen.sequence or 0) > reach and seen.is_event()


async def read_on(
    bootstrap: str, starts: Mapping[Place, int], most: int, reach: int = sys.maxsize
) -> dict[Place, Stretch]:
    """Return what follows the given offsets: all up to the present ends, or about ``most`` records.

    Of each partition no more than the first event whose sequence is above ``reach``: what is far ahead must not keep
    what is behind from being read. An offset of -1 is the present end. Raises TransientError while the brokers do not
    answer.
    """
    kafka = AIOKafkaConsumer(
        **connection(bootstrap),
        client_id="drawdown-reader",
        enable_auto_commit=False,
        fetch_max_bytes=_FETCHED_BYTES,
        max_partition_fetch_bytes=_FETCHED_BYTES // 16,
    )
    try:
        return await within(_READ_SECONDS, _read(kafka, starts, most, reach), "reading on in the topics")
    except (KafkaError, OSError, TimeoutError) as error:
        raise TransientError(f"Kafka does not answer: {describe(error)}") from error
    finally:
        await _close(kafka)


async def _read(kafka: Any, starts: Mapping[Place, int], most: int, reach: int) -> dict[Place, Stretch]:
    await kafka.start()  # aiokafka has no types
    places = {TopicPartition(*place): start for place, start in starts.items()}
    kafka.assign(list(places))
    begins = await kafka.beginning_offsets(list(places))
    ends = await kafka.end_offsets(list(places))
    stretches: dict[Any, Stretch] = {}
    for place, start in places.items():
        first = ends[place] if start < 0 else max(start, begins[place])
        stretches[place] = Stretch([], first, at_end=first >= ends[place], lost=first > ends[place])
        kafka.seek(place, min(first, ends[place]))
    await _fill(kafka, stretches, ends, most, reach)
    return {(place.topic, place.partition): stretch for place, stretch in stretches.items()}


async def _fill(kafka: Any, stretches: Mapping[Any, Stretch], ends: Mapping[Any, int], most: int, reach: int) -> None:
    kafka.pause(*[place for place, stretch in stretches.items() if stretch.at_end])
    left = [place for place, stretch in stretches.items() if not stretch.at_end]
    while left and (free := most - sum(len(stretch.records) for stretch in stretches.values())) > 0:
        some = min(free, _READ_AT_ONCE)
        for place, records in (await kafka.getmany(*left, timeout_ms=_POLL_MS, max_records=some)).items():
            for record in records:
                if record.offset < ends[place]:
                    stretches[place].take(_seen(record), reach)
        for place in left:
            stretch = stretches[place]
            stretch.next_offset = min(await kafka.position(place), ends[place])
            stretch.at_end = stretch.next_offset >= ends[place] and not stretch.passed
            if stretch.is_read:
                kafka.pause(place)
        left = [place for place in left if not stretches[place].is_read]
        await asyncio.sleep(0)  # what was fetched before is given without waiting: let the other loops have their turn


def _seen(record: Any) -> Seen:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    sequence = headers.get("ce_sequence", "")
    is_number = sequence.isascii() and sequence.isdigit() and len(sequence) <= _MOST_DIGITS
    return Seen(record.offset, headers.get("ce_id"), int(sequence) if is_number else None, record.value, record)


async def _close(kafka: Any) -> None:
    try:
        await within(_CLOSE_SECONDS, kafka.stop(), "closing the client that reads topics")
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("reader_dropped", reason=describe(error))
