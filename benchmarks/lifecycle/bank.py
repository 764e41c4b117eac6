"""The bank, in a process of its own: accepts every account, settles every payment, says so at once.

It has two doors. Through Kafka it reads what Drawdown instructs and reports, as docs/how-to/consume-payments.md has it;
from the monolith it fetches what is open, a page at a time, and posts its reports. What it says is the same.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer

from benchmarks.intake.wire import Address
from benchmarks.opening.wire import Wire
from contracts.codec import decode, encode
from contracts.events import AccountVerificationRequested, AccountVerified, PaymentInstructed, PaymentSettled
from contracts.topics import TOPIC_OF, event_type
from kit.identifiers import uuid7
from kit.kafka import Producer, Record
from kit.messages import headers_of

Asked = PaymentInstructed | AccountVerificationRequested
Told = PaymentSettled | AccountVerified

SOURCE: Final = "bank"
_READ_AT_MOST: Final = 1_000
_READ_TIMEOUT_MS: Final = 50
_POLL_SECONDS: Final = 0.02
_AT_ONCE: Final = 16
_ANSWER_SECONDS: Final = 60.0
_KINDS: Final = {event_type(kind).encode() for kind in (PaymentInstructed, AccountVerificationRequested)}


class Door(Protocol):
    """Where the bank hears and tells."""

    async def listen(self) -> Sequence[Asked]: ...

    async def tell(self, reports: Sequence[Told]) -> None: ...

    async def close(self) -> None: ...


class Bank:
    """Works until it is closed. What it has dealt with it does not deal with again."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._known: set[tuple[UUID, int]] = set()
        self._working = asyncio.create_task(self._work())

    @classmethod
    async def by_kafka(cls, bootstrap: str) -> "Bank":
        return cls(await KafkaDoor.open(bootstrap))

    @classmethod
    async def by_http(cls, address: Address, token: str) -> "Bank":
        return cls(HttpDoor(address, token))

    async def close(self) -> None:
        """Stop. Raises what went wrong meanwhile, if anything did."""
        failed = self._working.done()
        self._working.cancel()
        try:
            await self._working
        except asyncio.CancelledError:
            if failed:
                raise
        finally:
            await self._door.close()

    async def _work(self) -> None:
        while True:
            fresh = [event for event in await self._door.listen() if self._is_new(event)]
            if fresh:
                await self._door.tell([report(event) for event in fresh])

    def _is_new(self, event: Asked) -> bool:
        key = subject_of(event), event.attempt if isinstance(event, PaymentInstructed) else 0
        new = key not in self._known
        self._known.add(key)
        return new


def subject_of(event: Asked | Told) -> UUID:
    """Return what an event is about: a payment, or a question whose an account is."""
    if isinstance(event, PaymentInstructed | PaymentSettled):
        return event.payment_id
    return event.verification_id


def report(event: Asked) -> Told:
    """Return what the bank says to this."""
    now = datetime.now(UTC)
    if isinstance(event, AccountVerificationRequested):
        return AccountVerified(occurred_at=now, verification_id=event.verification_id)
    return PaymentSettled(
        occurred_at=now,
        payment_id=event.payment_id,
        end_to_end_id=event.end_to_end_id,
        money=event.money,
        bank_reference=f"B{event.payment_id.hex[:20].upper()}",
        attempt=event.attempt,
        settled_at=now,
    )


class KafkaDoor:
    """As any finance system connects: the topic of instructions from now on, the topic of reports."""

    def __init__(self, consumer: AIOKafkaConsumer, producer: Producer) -> None:
        self._consumer = consumer
        self._producer = producer

    @classmethod
    async def open(cls, bootstrap: str) -> "KafkaDoor":
        consumer = AIOKafkaConsumer(
            TOPIC_OF[PaymentInstructed].name,
            bootstrap_servers=bootstrap,
            client_id="bank",
            auto_offset_reset="latest",
            enable_auto_commit=False,
        )
        await consumer.start()
        await consumer.seek_to_end()
        producer = Producer(bootstrap, "bank")
        await producer.start()
        return cls(consumer, producer)

    async def listen(self) -> Sequence[Asked]:
        arrived = await self._consumer.getmany(timeout_ms=_READ_TIMEOUT_MS, max_records=_READ_AT_MOST)
        return list(_asked(record for records in arrived.values() for record in records))

    async def tell(self, reports: Sequence[Told]) -> None:
        await self._producer.send([_record(each) for each in reports])

    async def close(self) -> None:
        await self._consumer.stop()
        await self._producer.stop()


def _asked(records: Iterable[Any]) -> Iterator[Asked]:
    for record in records:
        kind = dict(record.headers)["ce_type"]
        if kind in _KINDS:
            event = decode(kind.decode(), record.value)
            assert isinstance(event, PaymentInstructed | AccountVerificationRequested), "its type says so"
            yield event


def _record(event: Told) -> Record:
    subject, now = str(subject_of(event)), datetime.now(UTC)
    headers = headers_of(
        event_id=uuid7(),
        event_type=event_type(type(event)),
        source=SOURCE,
        subject=subject,
        time=now,
        sequence=0,
        traceparent=None,
    )
    topic = TOPIC_OF[type(event)].name
    return Record(topic, subject.encode(), encode(event), headers, int(now.timestamp() * 1000))


class HttpDoor:
    """As finance calls the monolith: open questions and payments by page, a call for each report."""

    PAYMENTS: Final = "/v1/payments?status=instructed&limit=500"
    QUESTIONS: Final = "/v1/account-verifications?status=asked&limit=500"

    def __init__(self, address: Address, token: str) -> None:
        self._wire = Wire(*address, token, _ANSWER_SECONDS, _AT_ONCE)

    async def listen(self) -> Sequence[Asked]:
        questions = await self._page(self.QUESTIONS, AccountVerificationRequested)
        payments = await self._page(self.PAYMENTS, PaymentInstructed)
        if not questions and not payments:
            await asyncio.sleep(_POLL_SECONDS)
        return [*questions, *payments]

    async def _page(self, path: str, kind: type[Any]) -> list[Any]:
        answer = await self._wire.get(path)
        if answer.status != 200:
            raise ConnectionError(f"{path}: {answer.status} {answer.body[:300]!r}")
        return msgspec.json.decode(answer.body, type=dict[str, list[kind]])["items"]  # type: ignore[valid-type]

    async def tell(self, reports: Sequence[Told]) -> None:
        await asyncio.gather(*map(self._post, reports))

    async def _post(self, event: Told) -> None:
        path, body = _call(event)
        answer = await self._wire.post(path, msgspec.json.encode(body), f"{event.TYPE}:{subject_of(event)}")
        if answer.status != 200:
            raise ConnectionError(f"{event.TYPE}: {answer.status} {answer.body[:300]!r}")

    async def close(self) -> None:
        await self._wire.close()


def _call(event: Told) -> tuple[str, dict[str, Any]]:
    """Return where a report is posted, and the body that says the same."""
    if isinstance(event, AccountVerified):
        return f"/v1/account-verifications/{event.verification_id}/status", {"type": "verified"}
    return f"/v1/payments/{event.payment_id}/status", {
        "type": "settled",
        "end_to_end_id": event.end_to_end_id,
        "money": event.money,
        "bank_reference": event.bank_reference,
        "at": event.settled_at,
        "attempt": event.attempt,
    }
