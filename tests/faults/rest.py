"""You are at the quiet phase: no fault, no new application. Poison is taken out, then everything must come to rest.

What counts as rest is read from the databases and the brokers, never from the services.
"""

import asyncio
import time
from typing import Any, Final

import aiokafka
import asyncpg
import httpx
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from stack import issuer
from stack.grants import SERVICES
from tests.faults.sabotage import Saboteur
from tests.faults.system import System

_LOOK_EVERY_SECONDS: Final = 0.5
_WHO: Final = {"who": "the fault suite", "why": "it was poison"}
_AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, TimeoutError, httpx.HTTPError)

_UNPUBLISHED: Final = "SELECT count(*) FROM outbox, relay WHERE outbox.id > relay.cursor"
_PARKED: Final = "SELECT count(*) FROM parked WHERE state = 'parked'"
_OFFSETS: Final = "SELECT topic, partition, next_offset FROM consumer_offset"
_MOVING: Final = {
    "intake": {
        "applications under way": """
            SELECT count(*) FROM applications WHERE status IN ('submitted', 'assessing', 'approved')""",
        "claims under way": """
            SELECT count(*) FROM claims WHERE status IN ('submitted', 'verifying', 'payable')""",
    },
    "disbursement": {
        "payments under way": """
            SELECT count(*) FROM payments WHERE status IN ('held', 'instructed', 'returned')"""
    },
}


async def come_to_rest(by: Saboteur, seconds: float) -> tuple[float | None, list[str]]:
    """Return after how many seconds nothing moved any more (None: not in time), and what still did."""
    began = time.monotonic()
    while True:
        try:
            await take_out_poison(by)
            moving = await what_moves(by.system)
        except _AWAY as error:
            moving = [f"can't be asked: {type(error).__name__} {error}"]
        if not moving:
            return time.monotonic() - began, []
        if time.monotonic() - began > seconds:
            return None, moving
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def take_out_poison(by: Saboteur) -> None:
    """Discard the suite's own bad events, as an operator does; what waited behind them is then redriven."""
    intruders = by.intruders
    headers = issuer.at_hand(by.system.home, "ops")
    async with httpx.AsyncClient(trust_env=False, timeout=10, headers=headers) as client:
        for service in SERVICES:
            rows = await by.system.fetch(
                service,
                "SELECT id, topic, partition, \"offset\", family FROM parked WHERE state = 'parked' ORDER BY id",
            )
            admin = f"{by.system.stack.urls[service]}/admin/parked"
            for row in rows:
                if (row["topic"], row["partition"], row["offset"]) in intruders:
                    await client.post(f"{admin}/discard", json={"id": row["id"], **_WHO})
            if any(row["family"] == "behind" for row in rows):
                await client.post(f"{admin}/redrive", json={"all": True, "dry_run": False, **_WHO})


async def what_moves(system: System) -> list[str]:
    """Return in words what is not at rest."""
    found: list[str] = []
    ends = await _ends(system)
    for service in SERVICES:
        connection = await system.connect(service)
        try:
            queries = {"events unpublished": _UNPUBLISHED, "events parked": _PARKED, **_MOVING.get(service, {})}
            for what, query in queries.items():
                if count := await connection.fetchval(query):
                    found.append(f"{service}: {count} {what}")
            found += _lag(service, ends, await connection.fetch(_OFFSETS))
        finally:
            await connection.close()
    return found


def _lag(service: str, ends: dict[tuple[str, int], int], rows: list[Any]) -> list[str]:
    reached = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    topics = {topic for topic, _ in reached}
    behind = {place: end - reached.get(place, 0) for place, end in ends.items() if place[0] in topics}
    return [f"{service}: {place[0]}/{place[1]} lags {lag}" for place, lag in behind.items() if lag > 0]


async def _ends(system: System) -> dict[tuple[str, int], int]:
    """The end of every partition, asked for by a client without a group."""
    reader = aiokafka.AIOKafkaConsumer(bootstrap_servers=system.stack.kafka_bootstrap)
    try:
        async with asyncio.timeout(20):
            await reader.start()
            places = [aiokafka.TopicPartition(t.name, n) for t in TOPICS.values() for n in range(t.partitions)]
            return {(place.topic, place.partition): end for place, end in (await reader.end_offsets(places)).items()}
    finally:
        await asyncio.wait({asyncio.create_task(reader.stop())}, timeout=10)
