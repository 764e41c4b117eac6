"""You are at an ear on all topics of the contract: what was said of one application since it began to listen."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from stack.errors import StackError
from stack.events_tail import PREFIX, SUFFIX, Seen, see

START_SECONDS = 15.0
CLOSE_SECONDS = 5.0
POLL_MS = 100
_IDS = ("application_id", "award_id", "claim_id", "payment_id", "verification_id")


class Listener:
    """Hears everything and picks what belongs to one application, by the ids that its events name."""

    def __init__(self, kafka: Any) -> None:  # aiokafka has no types
        self._kafka = kafka
        self._heard: list[Seen] = []

    async def listen(self) -> None:
        """Hear what has come since the last time."""
        batch = await self._kafka.getmany(timeout_ms=POLL_MS)
        records = sorted((each for records in batch.values() for each in records), key=lambda each: each.timestamp)
        self._heard += map(see, records)

    def of(self, application_id: str) -> list[Seen]:
        """Everything of this application, each event once, in the order of its time."""
        known, found, before = {application_id}, dict[str, Seen](), -1
        while len(found) != before:
            before = len(found)
            for seen in self._heard:
                ids = set(_ids(seen))
                if ids & known:
                    known |= ids
                    found.setdefault(seen.headers.get("ce_id", ""), seen)
        return sorted(found.values(), key=lambda seen: seen.time)


def _ids(seen: Seen) -> Iterator[str]:
    if isinstance(seen.data, dict):
        yield from (str(seen.data[name]) for name in _IDS if seen.data.get(name))


def kind(seen: Seen) -> str:
    """Its type, short; of a transfer with its reason."""
    short = seen.type.removeprefix(PREFIX).removesuffix(SUFFIX)
    return f"{short}/{seen.data['reason']}" if short == "transfer.posted" else short


@asynccontextmanager
async def listening(bootstrap: str) -> AsyncIterator[Listener]:
    """Listen from now on. Raises StackError where Kafka does not answer."""
    kafka = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        async with asyncio.timeout(START_SECONDS):
            await kafka.start()
            places = [
                TopicPartition(t.name, number) for t in TOPICS.values() if t.events for number in range(t.partitions)
            ]
            kafka.assign(places)
            for place, end in (await kafka.end_offsets(places)).items():
                kafka.seek(place, end)
        yield Listener(kafka)
    except (KafkaError, OSError, TimeoutError) as error:
        raise StackError(f"Kafka does not answer at {bootstrap} ({error or type(error).__name__})") from error
    finally:
        # in a task of its own, with a deadline: a client's stop waits for a broker that hangs
        await asyncio.wait({asyncio.create_task(kafka.stop())}, timeout=CLOSE_SECONDS)
