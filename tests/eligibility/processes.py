"""The service as its operator has it: `python -m eligibility`, with its settings in the environment, on real parts."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any, Self

import httpx
import msgspec
from aiokafka import AIOKafkaConsumer

from contracts.events import Event
from contracts.topics import TOPIC_OF, event_type
from kit.identifiers import uuid7
from kit.kafka import Producer, Record
from kit.messages import Message, headers_of, parse
from stack.ports import free_ports

PATIENCE_SECONDS = 60


class Process:
    """One process of the service; `with` it, so that it ends with the test."""

    def __init__(self, environment: dict[str, str], verb: str = "run") -> None:
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {"HTTP_PORT": str(self.port), "LOG_FORMAT": "json"} | environment
        self._log = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115  # closed with the process
        self._child = subprocess.Popen(
            [sys.executable, "-m", "eligibility", verb],
            env=os.environ | {f"ELIGIBILITY_{name}": value for name, value in settings.items()},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._log.close()

    async def until_ready(self) -> None:
        await self._until("/health/ready")

    async def until_listening(self) -> None:
        await self._until("/health/live")

    async def _until(self, path: str) -> None:
        for _ in range(PATIENCE_SECONDS * 10):
            assert self._child.poll() is None, self.output()
            with contextlib.suppress(httpx.HTTPError):
                if (await self.get(path)).status_code == 200:
                    return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{path} never answers 200")

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async with httpx.AsyncClient(timeout=5) as client:
            return await client.get(self.url + path, headers=headers)

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    async def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self._child.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end; return the exit code."""
        return await asyncio.to_thread(self._child.wait, PATIENCE_SECONDS)

    def output(self) -> str:
        self._log.seek(0)
        return self._log.read()


async def publish(bootstrap: str, events: Sequence[Event]) -> None:
    """Send the events to their topics, as the service that writes them would."""
    producer = Producer(bootstrap, "test")
    await producer.start()
    await producer.send([_record(event, place) for place, event in enumerate(events)])
    await producer.stop()


def _record(event: Event, sequence: int) -> Record:
    topic = TOPIC_OF[type(event)]
    key = str(getattr(event, topic.key))
    headers = headers_of(
        event_id=uuid7(),
        event_type=event_type(type(event)),
        source="test",
        subject=key,
        time=event.occurred_at,
        sequence=sequence,
        traceparent=None,
    )
    return Record(
        topic.name, key.encode(), msgspec.json.encode(event), headers, int(event.occurred_at.timestamp() * 1000)
    )


async def read(bootstrap: str, topics: Iterable[str], *, enough: int, quiet_seconds: float = 1.0) -> list[Message]:
    """Return what is on the topics once ``enough`` are there and nothing more comes for a while."""
    consumer: Any = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Message] = []
    try:
        quiet = 0.0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found) < enough or quiet < quiet_seconds:
                batch = await consumer.getmany(timeout_ms=200)
                quiet = 0.0 if batch else quiet + 0.2
                found += [parse(record) for records in batch.values() for record in records]
    finally:
        await consumer.stop()
    return found
