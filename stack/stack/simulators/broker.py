"""Kafka for the finance simulator: instructions in, reports out, as any finance system would connect.

Reads the topic from its beginning at every start, without a consumer group: the bank's own log knows what was
dealt with, so no offset can be wrong.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import aiokafka
import msgspec
from aiokafka.errors import KafkaError

from contracts.codec import UnknownEventTypeError, decode, encode
from contracts.events import (
    AccountRejected,
    AccountVerificationRequested,
    AccountVerified,
    Event,
    PaymentInstructed,
    PaymentReport,
    PaymentStatusRequested,
    RecoveryClosed,
    RecoveryDemanded,
    RecoveryReceived,
)
from contracts.topics import TOPIC_OF, event_type

Heard = PaymentInstructed | PaymentStatusRequested | AccountVerificationRequested | RecoveryDemanded | RecoveryClosed
Told = PaymentReport | AccountVerified | AccountRejected | RecoveryReceived

SOURCE: Final = "/finance-simulator"
INSTRUCTIONS: Final = TOPIC_OF[PaymentInstructed].name
_READ_AT_MOST: Final = 1000
_READ_TIMEOUT_MS: Final = 200
_SEND_DEADLINE_SECONDS: Final = 30.0
_RETRY_AFTER_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """One message to be: the event and the ``ce_id`` that it travels under."""

    event: Told
    event_id: UUID

    @property
    def subject(self) -> str:
        """What it is about, which is its key too."""
        match self.event:
            case PaymentReport():
                return str(self.event.payment_id)
            case RecoveryReceived():
                return str(self.event.recovery_id)
            case _:
                return str(self.event.verification_id)


class Instructions:
    """What the programme instructs, asks and demands, in batches, from the first one ever."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = aiokafka.AIOKafkaConsumer(
            INSTRUCTIONS,
            bootstrap_servers=bootstrap,
            client_id="finance-simulator",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )

    async def start(self) -> None:
        """Connect, for as long as it takes: the broker may come up after us."""
        while True:
            try:
                await self._consumer.start()
            except KafkaError as error:
                logger.warning("Kafka is not there yet: %s", error)
                await asyncio.sleep(_RETRY_AFTER_SECONDS)
            else:
                return

    async def read(self) -> list[Heard]:
        """Return what has arrived, which may be nothing after a moment. What is about one company is in order."""
        arrived = await self._consumer.getmany(timeout_ms=_READ_TIMEOUT_MS, max_records=_READ_AT_MOST)
        events = (_event(record) for records in arrived.values() for record in records)
        return [event for event in events if isinstance(event, Heard)]

    async def stop(self) -> None:
        await self._consumer.stop()


class Reports:
    """Sends reports until the broker has them. A producer that failed once is replaced, never reused."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self._replacing = asyncio.Lock()

    async def send(self, reports: Sequence[Report]) -> None:
        """Return when all are acknowledged. After an error all are sent again: duplicates are allowed."""
        while True:
            producer = await self._started()
            try:
                async with asyncio.timeout(_SEND_DEADLINE_SECONDS):
                    sent = [await producer.send(**_message(report)) for report in reports]
                    await asyncio.gather(*sent)
            except (KafkaError, TimeoutError) as error:
                logger.warning("reports not sent, trying again: %r", error)
                await self._discard(producer)
            else:
                return

    async def stop(self) -> None:
        if self._producer is not None:
            await self._discard(self._producer)

    async def _started(self) -> aiokafka.AIOKafkaProducer:
        async with self._replacing:
            while self._producer is None:
                producer = aiokafka.AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=5
                )
                try:
                    await producer.start()
                    self._producer = producer
                except KafkaError as error:
                    logger.warning("Kafka is not there: %s", error)
                    await producer.stop()
                    await asyncio.sleep(_RETRY_AFTER_SECONDS)
            return self._producer

    async def _discard(self, producer: aiokafka.AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        try:
            async with asyncio.timeout(_SEND_DEADLINE_SECONDS):
                await producer.stop()
        except (KafkaError, TimeoutError) as error:
            logger.warning("the old producer did not stop cleanly: %r", error)


def _event(record: aiokafka.ConsumerRecord[bytes, bytes]) -> Event | None:
    """Return the event of a record; what nobody could pay is logged with its place and left alone."""
    headers = dict(record.headers)
    try:
        return decode(headers.get("ce_type", b"").decode(), record.value or b"")
    except (UnknownEventTypeError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        logger.warning("unreadable %s/%s@%s: %s", record.topic, record.partition, record.offset, error)
        return None


def _message(report: Report) -> dict[str, object]:
    """Return a CloudEvent in Kafka's binary mode. aiokafka's partitioner is murmur2 of the key."""
    headers = {
        "ce_id": str(report.event_id),
        "ce_source": SOURCE,
        "ce_type": event_type(type(report.event)),
        "ce_time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "ce_subject": report.subject,
        "ce_specversion": "1.0",
        "content-type": "application/json",
    }
    return {
        "topic": TOPIC_OF[type(report.event)].name,
        "key": report.subject.encode(),
        "value": encode(report.event),
        "headers": [(name, value.encode()) for name, value in headers.items()],
    }
