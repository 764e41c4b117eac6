"""You are at a topic's events as they pass by, decoded: where each stands, what it says, how it breaks the contract."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.codec import UnknownEventTypeError, decode
from contracts.topics import TOPICS
from stack.errors import StackError

START_SECONDS = 15.0
POLL_MS = 200
CLOSE_SECONDS = 5.0
PREFIX, SUFFIX = "drawdown.", ".v1"


@dataclass(frozen=True)
class Wanted:
    """Which events of a topic, and how long to go on."""

    topic: str
    from_beginning: bool = False
    stop_at_end: bool = False
    type: str | None = None
    key: str | None = None

    def takes(self, seen: "Seen") -> bool:
        """Whether it is one of them; a type may be given short (`award.issued`) or whole."""
        return self.key in (None, seen.key) and self.type in (None, seen.type, _short(seen.type))


@dataclass(frozen=True)
class Seen:
    """One event. `data` is its JSON, or its text where it is none; `fault` says how it breaks the contract."""

    topic: str
    partition: int
    offset: int
    time: str
    key: str
    type: str
    data: Any
    fault: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """One line for people."""
        said = f"[{self.fault}] " if self.fault else ""
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        return f"{self.time} {self.partition}/{self.offset} {self.key} {_short(self.type)} {said}{data}"

    def json(self) -> str:
        """One line for programs."""
        return json.dumps(asdict(self), ensure_ascii=False)


async def tail(bootstrap: str, wanted: Wanted) -> AsyncIterator[Seen]:
    """Yield a topic's events, from now on or from its beginning, until the caller stops (or the end as it is now)."""
    if wanted.topic not in TOPICS:
        raise StackError(f"there is no topic {wanted.topic}: choose one of {', '.join(TOPICS)}")
    kafka = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        left = await _begin(kafka, wanted)
        while left or not wanted.stop_at_end:
            batch = await kafka.getmany(timeout_ms=POLL_MS)
            for record in sorted((r for records in batch.values() for r in records), key=lambda r: r.timestamp):
                seen = see(record)
                if wanted.takes(seen):
                    yield seen
            left = {place: end for place, end in left.items() if await kafka.position(place) < end}
    except (KafkaError, OSError, TimeoutError) as error:
        raise StackError(f"Kafka does not answer at {bootstrap} ({error or type(error).__name__})") from error
    finally:
        # in a task of its own, with a deadline: a client's stop waits for a broker that hangs
        await asyncio.wait({asyncio.create_task(kafka.stop())}, timeout=CLOSE_SECONDS)


async def _begin(kafka: Any, wanted: Wanted) -> dict[TopicPartition, int]:  # aiokafka has no types
    """Go to where to read from; answers the partitions that have something between there and their present end."""
    places = [TopicPartition(wanted.topic, number) for number in range(TOPICS[wanted.topic].partitions)]
    async with asyncio.timeout(START_SECONDS):
        await kafka.start()
        kafka.assign(places)
        ends = dict(await kafka.end_offsets(places))
        starts = dict(await kafka.beginning_offsets(places)) if wanted.from_beginning else ends
    for place in places:
        kafka.seek(place, starts[place])
    return {place: end for place, end in ends.items() if starts[place] < end}


def see(record: Any) -> Seen:
    """Decode a record as far as it goes."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    kind = headers.get("ce_type", "")
    return Seen(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        time=headers.get("ce_time") or datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(),
        key=(record.key or b"").decode(errors="replace"),
        type=kind,
        data=_data(record.value),
        fault=headers.get("dl_reason") or _fault(kind, record.value),
        headers=headers,
    )


def _data(value: bytes | None) -> Any:
    try:
        return None if value is None else json.loads(value)
    except ValueError:
        return (value or b"").decode(errors="replace")


def _fault(kind: str, value: bytes | None) -> str | None:
    try:
        decode(kind, value or b"")
    except (UnknownEventTypeError, ValueError) as error:
        return str(error)
    return None


def _short(kind: str) -> str:
    return kind.removeprefix(PREFIX).removesuffix(SUFFIX)
