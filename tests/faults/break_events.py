"""You are at the faults of events: poison, lies, records sent again, offsets and leases taken away (F9-F11, F15)."""

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import aiokafka
from aiokafka.errors import KafkaError

from stack.grants import SERVICES
from stack.simulators.population import company
from tests.faults.sabotage import NotHappenedError, Place, Poison, Saboteur, Theft, until
from tests.faults.workload import STRANGERS_FROM

READERS: Final = {
    "intake.applications": ("eligibility", "disbursement", "metrics"),
    "eligibility.policies": ("intake", "disbursement", "metrics"),
    "eligibility.decisions": ("intake", "disbursement", "metrics"),
    "disbursement.awards": ("intake", "metrics"),
    "finance.payment-status": ("disbursement",),
    "disbursement.ledger": ("metrics",),
}
_SEND_SECONDS: Final = 60.0
_RANGE: Final = 40
Headers = list[tuple[str, bytes]]


async def produce(by: Saboteur, topic: str, records: list[tuple[bytes, bytes | None, Headers]]) -> list[Place]:
    """Send records as any Kafka tool would; return where they are."""
    places: list[Place] = []
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=by.system.stack.kafka_bootstrap, acks="all")
    try:
        async with asyncio.timeout(_SEND_SECONDS):
            await producer.start()
            for key, value, headers in records:
                done = await producer.send_and_wait(topic, value, key=key, headers=headers)
                places.append((topic, done.partition, done.offset))
    except (KafkaError, TimeoutError) as error:
        raise NotHappenedError(f"nothing could be sent to {topic}: {error!r}") from error
    finally:
        by.intruders.update(places)
        await asyncio.wait({asyncio.create_task(producer.stop())}, timeout=5)
    return places


async def poison(by: Saboteur) -> str:
    """F10: one bad event of each kind, into a topic."""
    topic = by.random.choice(sorted(READERS))
    shapes = _poisons(topic, [_stranger(by) for _ in range(9)])
    async with by.system.topics_busy:
        places = await produce(by, topic, [record for _, record in shapes])
        for (kind, _), place in zip(shapes, places, strict=True):
            by.poisons.append(Poison(kind, place, READERS[topic]))
    return f"{len(places)} poison events in {topic}"


async def illegal(by: Saboteur) -> str:
    """F10: an event that keeps to the contract and speaks of an award that never was."""
    key = _stranger(by)
    now = _now()
    claim = {
        "occurred_at": now,
        "application_id": str(uuid.uuid4()),
        "scheme": "compute-voucher",
        "applicant": key,
        "claim_id": str(uuid.uuid4()),
        "award_id": str(uuid.uuid4()),
        "eligible": {"amount": 100, "currency": "CNY"},
        "reasons": [],
        "submitted_at": now,
    }
    headers = _headers("drawdown.claim.verified.v1")
    async with by.system.topics_busy:
        [place] = await produce(by, "eligibility.decisions", [(key.encode(), json.dumps(claim).encode(), headers)])
        by.poisons.append(Poison("illegal state", place, ("disbursement", "intake")))
    return f"a claim on no award at {place}"


def _poisons(topic: str, keys: list[str]) -> list[tuple[str, tuple[bytes, bytes | None, Headers]]]:
    known = {
        "intake.applications": "drawdown.application.withdrawn.v1",
        "eligibility.policies": "drawdown.policy.published.v1",
        "eligibility.decisions": "drawdown.application.approved.v1",
        "disbursement.awards": "drawdown.award.issued.v1",
        "finance.payment-status": "drawdown.payment.settled.v1",
        "disbursement.ledger": "drawdown.transfer.posted.v1",
    }[topic]
    wrong_types = json.dumps({"occurred_at": 7, "application_id": [], "money": "much", "applicant": {}}).encode()
    large = b'{"padding": "' + b"x" * 900_000 + b'"}'
    shapes: list[tuple[str, bytes | None, Headers]] = [
        ("invalid JSON", b'{"occurred_at": ', _headers(known)),
        ("missing header", b"{}", _headers(known)[1:]),
        ("no headers", b"{}", []),
        ("unknown type", b"{}", _headers("drawdown.never.heard_of.v1")),
        ("unknown major version", b"{}", _headers(known.replace(".v1", ".v9"))),
        ("wrong types", wrong_types, _headers(known)),
        ("null value", None, _headers(known)),
        ("900 kB", large, _headers(known)),
        ("no UTF-8", b"\xff\xfe\x00", _headers(known)),
    ]
    return [(kind, (key.encode(), value, headers)) for (kind, value, headers), key in zip(shapes, keys, strict=True)]


async def send_again(by: Saboteur) -> str:
    """F11: an old range of a topic, once more, record for record."""
    topic = by.random.choice(["intake.applications", "eligibility.decisions", "disbursement.awards"])
    async with by.system.topics_busy:
        old = await _some_records(by, topic)
        records = [(record.key, record.value, list(record.headers)) for record in old]
        places = await produce(by, topic, records)
    return f"{len(places)} records of {topic} sent again"


async def steal_and_rewind(by: Saboteur) -> str:
    """F11 with F9: the offsets of a service go back, under an epoch that nobody was given."""
    service = by.random.choice(SERVICES)
    rows = await by.system.fetch(
        service,
        """
        UPDATE consumer_offset SET epoch = epoch + 1, next_offset = greatest(0, next_offset - $1)
        WHERE (consumer_group, topic, partition) IN (
          SELECT consumer_group, topic, partition FROM consumer_offset
          WHERE next_offset > 0 AND topic <> 'eligibility.policies' ORDER BY random() LIMIT 3)
        RETURNING topic, partition, epoch, next_offset
        """,
        by.random.choice((0, 10, 100)),
    )
    if not rows:
        raise NotHappenedError(f"{service} has handled nothing yet")
    by.thefts += [Theft(service, row["topic"], row["partition"], row["epoch"], row["next_offset"]) for row in rows]
    return f"{len(rows)} offsets of {service} taken and rewound"


async def two_relays(by: Saboteur) -> str:
    """F11: the lease ends while its holder publishes: two relays are at work for a moment."""
    service = by.random.choice(["intake", "eligibility", "disbursement"])
    [before] = await by.system.fetch(
        service, "UPDATE relay SET expires_at = '-infinity', token = token + 1 RETURNING holder, token"
    )

    async def taken() -> str | None:
        [now] = await by.system.fetch(service, "SELECT holder, token FROM relay")
        return str(now["token"]) if now["token"] > before["token"] else None

    token = await until(taken, "a new lease", 30)
    return f"{service}'s relay lost lease {before['token'] - 1}, now {token}"


async def restless_member(by: Saboteur) -> str:
    """F9: a member that joins the group and leaves it again, every two seconds."""
    group = by.random.choice(["eligibility", "disbursement", "intake"])
    topic = {"eligibility": "intake.applications", "intake": "disbursement.awards"}.get(group, "eligibility.decisions")
    given = 0
    for _ in range(3):
        member = aiokafka.AIOKafkaConsumer(
            topic, bootstrap_servers=by.system.stack.kafka_bootstrap, group_id=group, enable_auto_commit=False
        )
        try:
            async with asyncio.timeout(20):
                await member.start()
                await asyncio.sleep(2)
                given += len(member.assignment())
        except (KafkaError, TimeoutError):
            continue
        finally:
            await asyncio.wait({asyncio.create_task(member.stop())}, timeout=10)
    if not given:
        raise NotHappenedError(f"{group} gave the new member nothing")
    return f"a member of {group} was given {given} partitions, left each time"


async def contradict(by: Saboteur) -> str:
    """F15: finance takes back what it reported, reports another sum, and a payment that nobody instructed."""
    rows = await by.system.fetch(
        "disbursement",
        """
        SELECT payment_id, amount, end_to_end_id, status FROM payments WHERE status IN ('settled', 'returned')
        ORDER BY random() LIMIT 5
        """,
    )
    reports = [_lie(dict(row), row["amount"]) for row in rows]
    reports += [_lie({**row, "status": "returned"}, row["amount"] + 1) for row in rows]
    unknown = {"payment_id": uuid.uuid4(), "end_to_end_id": "DDunknown", "status": "returned"}
    reports.append(_lie(unknown, 100))
    async with by.system.topics_busy:
        await produce(by, "finance.payment-status", reports)
    by.lies += [key.decode() for key, _, _ in reports]
    return f"{len(reports)} false reports"


def _lie(payment: dict[str, Any], amount: int) -> tuple[bytes, bytes | None, Headers]:
    """The opposite of what became of it."""
    told = "returned" if payment["status"] == "settled" else "settled"
    now = _now()
    data = {
        "occurred_at": now,
        "payment_id": str(payment["payment_id"]),
        "end_to_end_id": payment["end_to_end_id"],
        "money": {"amount": amount, "currency": "CNY"},
        "bank_reference": f"LIE{uuid.uuid4().hex[:12]}",
        f"{told}_at": now,
        **({"reason_code": "AC04"} if told == "returned" else {}),
    }
    return str(payment["payment_id"]).encode(), json.dumps(data).encode(), _headers(f"drawdown.payment.{told}.v1")


def _headers(event_type: str) -> Headers:
    """A CloudEvent's attributes, written by hand. ``ce_id`` is a UUIDv7, whose first part is the time."""
    millis = int(datetime.now(UTC).timestamp() * 1000)
    identifier = uuid.UUID(int=(millis << 80) | (7 << 76) | (uuid.uuid4().int & ((1 << 76) - 1)))
    values = {"ce_id": str(identifier), "ce_type": event_type, "ce_time": _now(), "ce_source": "/saboteur"}
    return [(name, value.encode()) for name, value in values.items()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _stranger(by: Saboteur) -> str:
    """The code of a company that the workload does not use."""
    return company(1, STRANGERS_FROM + by.random.randrange(50_000)).uscc


async def _some_records(by: Saboteur, topic: str) -> list[Any]:
    """A range of a random partition, read without a group."""
    reader = aiokafka.AIOKafkaConsumer(bootstrap_servers=by.system.stack.kafka_bootstrap, enable_auto_commit=False)
    try:
        async with asyncio.timeout(30):
            await reader.start()
            places = [aiokafka.TopicPartition(topic, number) for number in range(12)]
            reader.assign(places)
            ends = await reader.end_offsets(places)
            place = max(places, key=lambda each: (ends[each] > 0, by.random.random()))
            if not ends[place]:
                raise NotHappenedError(f"{topic} is empty")
            reader.assign([place])
            reader.seek(place, by.random.randrange(max(1, ends[place] - _RANGE)))
            batch = await reader.getmany(place, timeout_ms=5000, max_records=_RANGE)
    except (KafkaError, TimeoutError) as error:
        raise NotHappenedError(f"nothing could be read of {topic}: {error!r}") from error
    finally:
        await asyncio.wait({asyncio.create_task(reader.stop())}, timeout=10)
    records = [r for r in batch.get(place, []) if (r.topic, r.partition, r.offset) not in by.intruders]
    if not records:
        raise NotHappenedError(f"nothing of our own at {place}")
    return records
