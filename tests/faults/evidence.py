"""You are at the evidence: everything that the checks look at, read once, after rest, by plain means.

SQL through the superuser, a consumer without a group, the simulators' and the metrics service's own HTTP, the
components' logs, the operations log. No code of the services or of kit is involved.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiokafka
import asyncpg
import httpx

from contracts.topics import TOPICS
from stack.grants import SERVICES
from tests.faults.journal import Try, read
from tests.faults.sabotage import Place, Saboteur

Row = asyncpg.Record
_TABLES: Final = {
    "intake": ("applications", "claims", "timeline", "invoices", "parked", "outbox", "consumer_offset", "relay"),
    "eligibility": ("assessments", "claims", "parked", "outbox", "consumer_offset", "relay"),
    "disbursement": ("pools", "envelopes", "caps", "applications", "awards", "claims", "payments", "reports",
                     "transfers", "parked", "outbox", "consumer_offset", "relay"),
    "metrics": ("pools", "parked", "consumer_offset"),
}  # fmt: skip
_ALARMS: Final = re.compile(r"violates check constraint|LedgerError|loop_died|below zero")
_CONNECTIONS: Final = """
    SELECT usename, count(*) AS count, count(*) FILTER (WHERE state LIKE 'idle in transaction%'
      AND state_change < now() - interval '5 seconds') AS stuck
    FROM pg_stat_activity WHERE usename = ANY($1) GROUP BY usename
"""
_READ_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Record:
    """A record as it stands in its topic."""

    place: Place
    key: str
    headers: dict[str, str]
    value: bytes | None

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.value or b"{}")
        return found

    @property
    def type(self) -> str:
        return self.headers.get("ce_type", "").removeprefix("drawdown.").removesuffix(".v1")


@dataclass
class Evidence:
    """``tables[service][table]`` are rows, ``topics[name]`` records in the order of (partition, offset)."""

    by: Saboteur
    tries: list[Try] = field(default_factory=list)
    tables: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    topics: dict[str, list[Record]] = field(default_factory=dict)
    bank: list[dict[str, Any]] = field(default_factory=list)
    shown_pools: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    connections: list[Row] = field(default_factory=list)
    open_files: dict[str, int] = field(default_factory=dict)
    caps: dict[str, int] = field(default_factory=dict)

    def rows(self, service: str, table: str) -> list[Row]:
        return self.tables[service][table]

    def own(self, topic: str) -> list[Record]:
        """What the services wrote to a topic: without the suite's own records, each event once."""
        seen: set[str] = set()
        found = []
        for record in self.topics.get(topic, []):
            identifier = record.headers.get("ce_id", str(record.place))
            if record.place not in self.by.intruders and identifier not in seen:
                seen.add(identifier)
                found.append(record)
        return found


async def gather(by: Saboteur, log: Path) -> Evidence:
    """Read everything."""
    found = Evidence(by, tries=list(read(log)))
    for service, tables in _TABLES.items():
        connection = await by.system.connect(service)
        try:
            found.tables[service] = {name: await connection.fetch(f"SELECT * FROM {name}") for name in tables}
            if service == "disbursement":
                rows = await connection.fetch("SELECT scheme, policy->'cap'->>'amount' AS cap FROM policies")
                found.caps = {row["scheme"]: int(row["cap"]) for row in rows if row["cap"]}
        finally:
            await connection.close()
    found.connections = await by.system.fetch("postgres", _CONNECTIONS, list(SERVICES))
    found.topics = await _topics(by.system.stack.kafka_bootstrap)
    await _over_http(found)
    found.alarms = list(_alarms(by))
    found.open_files = {name: by.system.process(name).num_fds() for name in by.system.services}
    return found


async def _over_http(found: Evidence) -> None:
    urls = found.by.system.stack.urls
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        found.bank = (await client.get(f"{urls['finance']}/v1/log")).json()["items"]
        for name in (name for name in urls if name.startswith("metrics")):
            items = (await client.get(f"{urls[name]}/v1/pools")).json()["items"]
            found.shown_pools[name] = {item["pool"]: item for item in items}


def _alarms(by: Saboteur) -> Iterator[str]:
    for name in [*by.system.services, "postgres"]:
        log = by.system.home.log(name)
        with log.open(errors="replace") as lines:
            for line in lines:
                if _ALARMS.search(line):
                    yield f"{name}: {line.strip()[:300]}"


async def _topics(bootstrap: str) -> dict[str, list[Record]]:
    """Every topic from its first record to its last."""
    reader = aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    topics: dict[str, list[Record]] = {}
    try:
        async with asyncio.timeout(_READ_SECONDS):
            await reader.start()
            places = [aiokafka.TopicPartition(t.name, n) for t in TOPICS.values() for n in range(t.partitions)]
            reader.assign(places)
            ends = await reader.end_offsets(places)
            unread = {place for place in places if ends[place]}
            while unread:
                for batch in (await reader.getmany(*unread, timeout_ms=500)).values():
                    for record in batch:
                        topics.setdefault(record.topic, []).append(_record(record))
                unread = {place for place in unread if await reader.position(place) < ends[place]}
    finally:
        await asyncio.wait({asyncio.create_task(reader.stop())}, timeout=10)
    return {name: sorted(records, key=lambda record: record.place) for name, records in topics.items()}


def _record(raw: Any) -> Record:
    headers = {name: (value or b"").decode(errors="replace") for name, value in raw.headers}
    key = (raw.key or b"").decode(errors="replace")
    return Record((raw.topic, raw.partition, raw.offset), key, headers, raw.value)
