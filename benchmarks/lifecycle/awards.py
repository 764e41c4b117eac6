"""When an award can be read on its topic: the moment from which everybody can know of it."""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer

from contracts.events import AwardIssued
from contracts.topics import TOPIC_OF, event_type

_KIND: Final = event_type(AwardIssued).encode()
_READ_TIMEOUT_MS: Final = 1_000
_PATIENCE_SECONDS: Final = 30.0
_LOOK_EVERY_SECONDS: Final = 0.01


class Awards:
    """Reads the topic from now on, and notes when each application's award came."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._read_at: dict[bytes, float] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, bootstrap: str) -> Self:
        consumer = AIOKafkaConsumer(
            TOPIC_OF[AwardIssued].name,
            bootstrap_servers=bootstrap,
            client_id="watch",
            auto_offset_reset="latest",
            enable_auto_commit=False,
        )
        await consumer.start()
        await consumer.seek_to_end()
        return cls(consumer)

    def forget(self) -> None:
        self._read_at.clear()

    async def of(self, application_ids: Collection[bytes]) -> Mapping[bytes, float]:
        """Return when each of these was read, by the clock of ``time.perf_counter``."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._read_at.keys() >= set(application_ids):
            if self._reading.done() or time.monotonic() > deadline:
                raise TimeoutError(f"{len(set(application_ids) - self._read_at.keys())} awards are not on their topic")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return self._read_at

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.wait({self._reading})
        await self._consumer.stop()

    async def _read(self) -> None:
        while True:
            arrived = await self._consumer.getmany(timeout_ms=_READ_TIMEOUT_MS)
            now = time.perf_counter()
            for records in arrived.values():
                for record in records:
                    self._note(record, now)

    def _note(self, record: Any, now: float) -> None:
        headers = dict(record.headers)
        if headers["ce_type"] == _KIND:
            self._read_at[headers["ce_subject"]] = now
