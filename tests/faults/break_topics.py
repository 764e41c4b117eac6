"""You are at the faults of topics (F18): one is lost, made anew, and filled again from its writer's outbox.

The suite plays the operator's part by the calls behind ``drawdown events`` and in the order of
``docs/runbooks/database-restore.md``: all of them before the topic is there again, because relays write to it at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any, Final

import httpx
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from stack import issuer
from stack.grants import SERVICES
from stack.topics import admin_client, create_topics
from tests.faults.sabotage import NotHappenedError, Place, Poison, Saboteur, until

_TOPICS: Final = ("intake.applications", "eligibility.decisions", "disbursement.awards")
_COMMAND: Final = {"who": "the fault suite", "why": "the topic was lost", "dry_run": False}
_DELETE_TRIES: Final = 5
_COMMAND_SECONDS: Final = 120.0
_REFILLED_SECONDS: Final = 120.0
# A relay that was fenced needs half of its lease (5 s) to learn of it, and 4 s to let go of what it was sending.
_LET_GO_SECONDS: Final = 8.0
# So far before the new topic's beginning go the places of what was parked of the old one.
_ROOM: Final = 1_000_000_000_000

_REREAD: Final = "SELECT count(*) FROM redrive_audit WHERE action = 'reread' AND topic = $1"
_PARKED: Final = 'SELECT topic, partition, "offset" FROM parked WHERE topic = $1'
_WRITTEN: Final = "SELECT count(*) FROM outbox WHERE topic = $1"
_READ: Final = "SELECT coalesce(sum(next_offset), 0) FROM consumer_offset WHERE topic = $1"


async def lose_topic(by: Saboteur) -> str:
    """F18: a topic is deleted under load, with all that is in it."""
    topic = by.random.choice(_TOPICS)
    writer = TOPICS[topic].writer
    system = by.system
    pair = [system.busy[writer], system.busy[f"{writer}-2"]]
    async with AsyncExitStack() as quiet:
        for lock in (*pair, system.kafka_busy, system.topics_busy, system.postgres_busy):
            await quiet.enter_async_context(lock)
        await _delete(by, topic)
        try:
            await asyncio.sleep(by.random.uniform(0, 4))
            readers = [service for service in SERVICES if await _reread(by, service, topic)]
            await _move_places(by, topic, readers)
            sent = await _resend(by, writer)
            await asyncio.sleep(_LET_GO_SECONDS)
            written = await _count(by, writer, _WRITTEN, topic)
        finally:
            await create_topics(system.stack.kafka_bootstrap, min(3, len(system.brokers)))
        for service in readers:
            await _until_read(by, service, topic, written)
    return f"{topic} lost; {sent} events sent again, its {written} read again by {' '.join(readers)}"


async def _delete(by: Saboteur, topic: str) -> None:
    """Delete it until it is gone: an answer that does not come in time says nothing."""
    said = ""
    for _ in range(_DELETE_TRIES):
        try:
            async with admin_client(by.system.stack.kafka_bootstrap) as admin:
                await admin.delete_topics([topic])
                await _until_gone(admin, topic)
        except (KafkaError, TimeoutError, NotHappenedError) as error:
            said = repr(error)
        else:
            return
    raise NotHappenedError(f"{topic} could not be deleted: {said}")


async def _until_gone(admin: Any, topic: str) -> None:  # aiokafka has no types
    async def gone() -> bool:
        return topic not in await admin.list_topics()

    await until(gone, f"{topic} gone")


async def _reread(by: Saboteur, service: str, topic: str) -> bool:
    """Have a service read the topic again, once: each time moves what it has parked. False: it does not read it."""
    before = await _count(by, service, _REREAD, topic)
    async for answer in _told(by, service, "reread", topic=topic):
        if answer is not None and answer.status_code == httpx.codes.NOT_FOUND:
            return False
        if await _count(by, service, _REREAD, topic) > before:  # also when the answer was lost
            return True
    raise NotHappenedError(f"{service} could not be told to read {topic} again")


async def _resend(by: Saboteur, service: str) -> int:
    """Have a service send all of its outbox again; answer how many events that are."""
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    async for answer in _told(by, service, "resend", since=since):
        if answer is not None and answer.is_success:
            return int(answer.json()["events"])
    raise NotHappenedError(f"{service} could not be told to send again")


async def _told(by: Saboteur, service: str, command: str, **body: str) -> AsyncIterator[httpx.Response | None]:
    """Tell one of a service's processes after the other, for a while, until the caller has heard enough."""
    ends = time.monotonic() + _COMMAND_SECONDS
    processes = cycle((service, f"{service}-2"))
    headers = issuer.at_hand(by.system.home, "ops")
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=headers) as client:
        while time.monotonic() < ends:
            url = f"{by.system.stack.urls[next(processes)]}/admin/{command}"
            try:
                yield await client.post(url, json={**_COMMAND, **body})
            except httpx.TransportError:
                yield None
            await asyncio.sleep(0.5)


async def _move_places(by: Saboteur, topic: str, readers: list[str]) -> None:
    """What was noted of the old topic is found before the beginning of the new one. Poison that nobody had read yet
    is gone with the topic.
    """
    parked = {(service, tuple(row)) for service in readers for row in await by.system.fetch(service, _PARKED, topic)}

    def moved(place: Place) -> Place:
        return (*place[:2], place[2] - _ROOM) if place[0] == topic else place

    def was_met(poison: Poison) -> bool:
        must = ("disbursement",) if poison.kind == "illegal state" else poison.parked_by
        return poison.place[0] != topic or any((service, poison.place) in parked for service in must)

    places = {moved(place) for place in by.intruders}
    by.intruders.clear()
    by.intruders.update(places)
    by.poisons[:] = [poison for each in by.poisons if was_met(poison := replace(each, place=moved(each.place)))]


async def _until_read(by: Saboteur, service: str, topic: str, written: int) -> None:
    async def has_read() -> bool:
        return await _count(by, service, _READ, topic) >= written

    await until(has_read, f"{topic} read by {service}", _REFILLED_SECONDS)


async def _count(by: Saboteur, service: str, query: str, topic: str) -> int:
    [[count]] = await by.system.fetch(service, query, topic)
    return int(count)
