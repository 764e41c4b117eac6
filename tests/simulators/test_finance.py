"""The finance system over real Kafka, as its own process: each payment once, through duplicates and SIGKILL."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import aiokafka
import httpx
import pytest

from contracts.codec import decode, encode
from contracts.events import PaymentInstructed, PaymentReport, PaymentStatusRequested
from contracts.topics import TOPICS
from tests.simulators.payments import asked, instruction

DEADLINE_SECONDS = 30.0


class Kafka(Protocol):
    bootstrap: str


@dataclass
class Received:
    """A report as a plain consumer sees it."""

    event: PaymentReport
    headers: dict[str, str]
    key: str
    partition: int


@dataclass
class FinanceProcess:
    """The simulator's process and the way to start it again."""

    environment: dict[str, str]
    process: asyncio.subprocess.Process | None = None
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.environment['SIM_HTTP_PORT']}")

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stack.simulators", "finance", env={**os.environ, **self.environment}
        )
        await eventually(self.is_ready)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return await self.process.wait()

    async def is_ready(self) -> bool:
        try:
            return (await self.client.get("/health/ready")).is_success
        except httpx.TransportError:
            return False

    async def log(self, payments: Sequence[PaymentInstructed]) -> dict[UUID, dict[str, Any]]:
        ours = {payment.payment_id for payment in payments}
        items = (await self.client.get("/v1/log")).json()["items"]
        return {UUID(item["payment_id"]): item for item in items if UUID(item["payment_id"]) in ours}

    async def has_reported(self, payments: Sequence[PaymentInstructed], times: int = 1) -> bool:
        log = await self.log(payments)
        return sum(int(item["times_reported"]) >= times for item in log.values()) == len(payments)


@pytest.fixture
async def finance(kafka: Kafka, tmp_path: Path) -> AsyncIterator[FinanceProcess]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    running = FinanceProcess(
        {
            "SIM_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "SIM_HTTP_PORT": str(port),
            "SIM_LOG": str(tmp_path / "bank.log"),
            "SIM_RETURNED": "0.1",
            "SIM_DUPLICATES": "0",
            "SIM_DELAY_SECONDS": "0.01",
        }
    )
    try:
        yield running
    finally:
        await running.client.aclose()
        if running.process is not None and running.process.returncode is None:
            await running.kill()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, "not within the deadline"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def producing(kafka: Kafka) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:

        async def send(
            payments: Sequence[PaymentInstructed | PaymentStatusRequested], ce_type: str = "payment.instructed"
        ) -> None:
            headers = [("ce_type", f"drawdown.{ce_type}.v1".encode())]
            for payment in payments:
                await producer.send(
                    "disbursement.payments", encode(payment), payment.applicant.encode(), headers=headers
                )
            await producer.flush()

        yield send


async def reports(kafka: Kafka, payments: Sequence[PaymentInstructed]) -> list[Received]:
    """Return all reports on these payments that are in the topic now, in order."""
    ours = {str(payment.payment_id) for payment in payments}
    received: list[Received] = []
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        partitions = [
            aiokafka.TopicPartition("finance.payment-status", number)
            for number in range(TOPICS["finance.payment-status"].partitions)
        ]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                records = (await consumer.getmany(partition, timeout_ms=500)).get(partition, [])
                received += [_received(record) for record in records if record.key.decode() in ours]
    return received


def _received(record: Any) -> Received:
    headers = {name: value.decode() for name, value in record.headers}
    event = decode(headers["ce_type"], record.value)
    assert isinstance(event, PaymentReport)
    return Received(event, headers, record.key.decode(), record.partition)


async def test_each_payment_is_reported_once_as_a_cloud_event(kafka: Kafka, finance: FinanceProcess) -> None:
    payments = [instruction(amount=100 + number) for number in range(300)]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)
    await eventually(lambda: finance.has_reported(payments))

    received = await reports(kafka, payments)
    assert sorted((each.event.payment_id, each.event.money.amount) for each in received) == sorted(
        (payment.payment_id, payment.money.amount) for payment in payments
    )
    for each in received:
        assert each.key == each.headers["ce_subject"] == str(each.event.payment_id)
        assert UUID(each.headers["ce_id"]).version == 7
        assert each.headers["ce_source"] == "/finance-simulator"
        assert each.headers["ce_specversion"] == "1.0"
        assert each.headers["content-type"] == "application/json"
    assert {each.headers["ce_type"] for each in received} == {
        "drawdown.payment.settled.v1",
        "drawdown.payment.returned.v1",
    }


async def test_an_instruction_that_comes_again_pays_nothing_again(kafka: Kafka, finance: FinanceProcess) -> None:
    payments = [instruction() for _ in range(20)]
    later = [instruction()]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments + payments)
        await eventually(lambda: finance.has_reported(payments))
        await send(payments + later)
    await eventually(lambda: finance.has_reported(later))
    assert len(await reports(kafka, payments)) == len(payments)


async def test_a_second_attempt_is_a_payment_of_its_own(kafka: Kafka, finance: FinanceProcess) -> None:
    first = instruction()
    second = instruction(payment_id=first.payment_id, attempt=2)
    await finance.start()
    async with producing(kafka) as send:
        await send([first, second])

    async def both_reported() -> bool:
        return len(await reports(kafka, [first])) == 2

    await eventually(both_reported)


async def test_duplicates_say_the_same_under_old_and_new_ids(kafka: Kafka, finance: FinanceProcess) -> None:
    finance.environment["SIM_DUPLICATES"] = "1"
    payments = [instruction() for _ in range(40)]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)
    await eventually(lambda: finance.has_reported(payments, times=2))

    received = await reports(kafka, payments)
    assert len(received) == 2 * len(payments)
    same_event = 0
    for payment in payments:
        first, second = (each for each in received if each.event.payment_id == payment.payment_id)
        assert first.event == second.event
        same_event += first.headers["ce_id"] == second.headers["ce_id"]
    assert 0 < same_event < len(payments)


async def test_a_lost_report_is_made_when_it_is_asked_for_once_a_question(
    kafka: Kafka, finance: FinanceProcess
) -> None:
    finance.environment["SIM_LOST"] = "1"
    payments = [instruction() for _ in range(20)]
    later = [instruction()]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)
        await eventually(lambda: _is_decided(finance, payments))
        assert await reports(kafka, payments) == []
        await send([asked(payment) for payment in payments] * 2, "payment.status_requested")
        await eventually(lambda: finance.has_reported(payments))
        await finance.kill()
        await finance.start()
        await send([asked(later[0])], "payment.status_requested")  # of a payment that it does not know yet
        await send(later)
        await send([asked(payment, 2) for payment in [*payments[:1], *later]], "payment.status_requested")
        await eventually(lambda: finance.has_reported(later))
    first, *others = await reports(kafka, payments[:1])
    assert [(each.event, each.headers["ce_id"]) for each in others] == [(first.event, first.headers["ce_id"])]
    assert len(await reports(kafka, payments[1:])) == len(payments) - 1
    assert {item["outcome"] for item in (await finance.log(payments)).values()} <= {"settled", "returned"}


async def test_after_sigkill_the_outcomes_stay_and_nothing_is_left_out(kafka: Kafka, finance: FinanceProcess) -> None:
    finance.environment["SIM_DELAY_SECONDS"] = "0.5"
    payments = [instruction() for _ in range(200)]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)
        await eventually(lambda: _is_decided(finance, payments[:1]))
        before = await finance.log(payments)
        await finance.kill()
        await send(payments)
    await finance.start()
    await eventually(lambda: finance.has_reported(payments))

    after = await finance.log(payments)
    assert {key: item["outcome"] for key, item in before.items()}.items() <= {
        key: item["outcome"] for key, item in after.items()
    }.items()
    received = await reports(kafka, payments)
    told = {(each.event.payment_id, each.event.bank_reference) for each in received}
    assert len(told) == len(payments)


async def test_what_it_cannot_read_is_left_alone(kafka: Kafka, finance: FinanceProcess) -> None:
    await finance.start()
    payments = [instruction()]
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        headers = [("ce_type", b"drawdown.payment.instructed.v1")]
        await producer.send_and_wait("disbursement.payments", b"{not json", b"key", headers=headers)
        await producer.send_and_wait("disbursement.payments", None, b"key")
    async with producing(kafka) as send:
        await send(payments)
    await eventually(lambda: finance.has_reported(payments))


async def test_sigterm_ends_it_soon(finance: FinanceProcess) -> None:
    await finance.start()
    started = time.monotonic()
    await finance.terminate()
    assert time.monotonic() - started < 5


async def _is_decided(finance: FinanceProcess, payments: Sequence[PaymentInstructed]) -> bool:
    return len(await finance.log(payments)) == len(payments)
