"""The finance system over real Kafka, as its own process: each payment once, through duplicates and SIGKILL."""

import asyncio
import itertools
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
import msgspec
import pytest

from contracts.codec import decode, encode
from contracts.events import (
    AccountRejected,
    AccountVerified,
    PaymentInstructed,
    PaymentReport,
    PaymentSettled,
    RecoveryReceived,
)
from contracts.topics import TOPICS, event_type
from stack.simulators.broker import Heard, Told
from tests.simulators.conftest import Serve
from tests.simulators.fake_disbursement import FakeDisbursement, served
from tests.simulators.payments import account_question, asked, closed, demand, instruction

DEADLINE_SECONDS = 60.0  # a crowded machine takes long to start a process
OPPOSITES = (("settled", "returned"), ("returned", "settled"))


class Kafka(Protocol):
    bootstrap: str


@dataclass
class Received:
    """A report as a plain consumer sees it."""

    event: Told
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

    async def entries(self, payments: Sequence[PaymentInstructed]) -> list[dict[str, Any]]:
        ours = {str(payment.payment_id) for payment in payments}
        items = (await self.client.get("/v1/log")).json()["items"]
        return [item for item in items if item["payment_id"] in ours]

    async def log(self, payments: Sequence[PaymentInstructed]) -> dict[UUID, dict[str, Any]]:
        return {UUID(item["payment_id"]): item for item in await self.entries(payments)}

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

        async def send(events: Sequence[Heard]) -> None:
            for event in events:
                headers = [("ce_type", event_type(type(event)).encode())]
                await producer.send("disbursement.payments", encode(event), event.applicant.encode(), headers=headers)
            await producer.flush()

        yield send


async def reports(kafka: Kafka, payments: Sequence[PaymentInstructed]) -> list[Received]:
    """Return all reports on these payments that are in the topic now, in order."""
    return await reports_on(kafka, {payment.payment_id for payment in payments})


async def reports_on(kafka: Kafka, subjects: set[UUID]) -> list[Received]:
    """Return all reports on these that are in the topic now, in order."""
    ours = {str(subject) for subject in subjects}
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


def by_key(received: Sequence[Received]) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = {}
    for each in received:
        found.setdefault(each.key, []).append(each)
    return found


def _received(record: Any) -> Received:
    headers = {name: value.decode() for name, value in record.headers}
    event = decode(headers["ce_type"], record.value)
    assert isinstance(event, Told)
    return Received(event, headers, record.key.decode(), record.partition)


async def test_each_payment_is_reported_once_as_a_cloud_event(kafka: Kafka, finance: FinanceProcess) -> None:
    payments = [instruction(amount=100 + number) for number in range(300)]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)
    await eventually(lambda: finance.has_reported(payments))

    received = await reports(kafka, payments)
    told = [each.event for each in received if isinstance(each.event, PaymentReport)]
    assert sorted((event.payment_id, event.money.amount, event.attempt) for event in told) == sorted(
        (payment.payment_id, payment.money.amount, 1) for payment in payments
    )
    for each, event in zip(received, told, strict=True):
        assert each.key == each.headers["ce_subject"] == str(event.payment_id)
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


async def test_an_attempt_after_a_return_is_paid_and_one_after_a_settlement_is_not(
    kafka: Kafka, finance: FinanceProcess
) -> None:
    finance.environment |= {"SIM_RETURNED": "0.5", "SIM_RETURNED_AGAIN": "0"}
    payments = [instruction() for _ in range(40)]
    better = msgspec.structs.replace(payments[0].creditor, account="6222020000000000001")
    again = [msgspec.structs.replace(payment, attempt=2, creditor=better) for payment in payments]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments + again)

    async def all_reported() -> bool:
        entries = await finance.entries(payments)
        return len(entries) == 80 and all(entry["times_reported"] for entry in entries)

    await eventually(all_reported)
    outcomes = {(entry["payment_id"], entry["attempt"]): entry["outcome"] for entry in await finance.entries(payments)}
    pairs = {(outcomes[str(each.payment_id), 1], outcomes[str(each.payment_id), 2]) for each in payments}
    assert pairs == {("settled", "repeated"), ("returned", "settled")}
    for told in by_key(await reports(kafka, payments)).values():
        first, second = (each.event for each in told)
        assert isinstance(first, PaymentReport)
        assert isinstance(second, PaymentSettled)
        assert (first.attempt, second.attempt) == (1, 2)
        assert (first.bank_reference == second.bank_reference) == isinstance(first, PaymentSettled)


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
        first, second = (each for each in received if each.key == str(payment.payment_id))
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
        await send([asked(payment) for payment in payments] * 2)
        await eventually(lambda: finance.has_reported(payments))
        await finance.kill()
        await finance.start()
        await send([asked(later[0])])  # of a payment that it does not know yet
        await send(later)
        await send([asked(payment, 2) for payment in [*payments[:1], *later]])
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
    events = [each.event for each in received if isinstance(each.event, PaymentReport)]
    assert len({(event.payment_id, event.bank_reference) for event in events}) == len(payments)


async def test_after_sigkill_what_was_not_said_is_said_under_its_first_id(
    kafka: Kafka, finance: FinanceProcess
) -> None:
    finance.environment |= {"SIM_DELAY_SECONDS": "1", "SIM_CONTRADICTIONS": "1", "SIM_DUPLICATES": "1"}
    payments = [instruction() for _ in range(50)]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)
        await eventually(lambda: finance.has_reported(payments))
        await finance.kill()
    await finance.start()

    async def all_said() -> bool:
        return not any(entry["unsaid"] for entry in await finance.entries(payments))

    await eventually(all_said)
    entries = await finance.entries(payments)
    said = {report["event_id"]: report["says"] for entry in entries for report in entry["reports"]}
    received = {each.headers["ce_id"] for each in await reports(kafka, payments)}
    assert received == {event_id for event_id, says in said.items() if says != "unknown_payment"}
    assert all({"truth", "again"} < {report["says"] for report in entry["reports"]} for entry in entries)


async def test_a_contradiction_says_the_opposite_or_of_something_else(kafka: Kafka, finance: FinanceProcess) -> None:
    finance.environment |= {"SIM_RETURNED": "0.5", "SIM_CONTRADICTIONS": "1", "SIM_REORDER_SECONDS": "0.5"}
    payments = [instruction(UUID(int=(7 << 76) + number)) for number in range(80)]  # among them is every kind
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)

    async def all_said() -> bool:
        entries = await finance.entries(payments)
        return len(entries) == 80 and not any(entry["unsaid"] for entry in entries)

    await eventually(all_said)
    told = by_key(await reports(kafka, payments))
    spoken, came_first = set(), set()
    for entry in await finance.entries(payments):
        wrong = next(report for report in entry["reports"] if report["says"] != "truth")
        spoken.add((entry["outcome"], wrong["says"]))
        ids = [each.headers["ce_id"] for each in told[entry["payment_id"]]]
        if ids[0] == wrong["event_id"]:
            came_first.add(wrong["says"])
    others = {"other_amount", "other_name", "unknown_payment"}
    assert spoken == {(one, says) for one, other in OPPOSITES for says in (other, *others)}
    assert "returned" in came_first
    assert "settled" not in came_first


async def test_reports_overtake_each_other(kafka: Kafka, finance: FinanceProcess) -> None:
    finance.environment["SIM_REORDER_SECONDS"] = "2"
    payments = [instruction() for _ in range(100)]
    await finance.start()
    async with producing(kafka) as send:
        await send(payments)
    await eventually(lambda: finance.has_reported(payments))

    order = {str(payment.payment_id): number for number, payment in enumerate(payments)}
    received = sorted(await reports(kafka, payments), key=lambda each: each.headers["ce_time"])
    places = [order[each.key] for each in received]
    assert sum(later < earlier for earlier, later in itertools.pairwise(places)) > 20


async def test_a_question_about_an_account_has_one_answer(kafka: Kafka, finance: FinanceProcess) -> None:
    finance.environment["SIM_REJECTED"] = "0.5"
    creditor = instruction().creditor
    questions = [account_question(msgspec.structs.replace(creditor, account=f"{number:019}")) for number in range(30)]
    ours = {question.verification_id for question in questions}
    await finance.start()

    async def answered(times: int) -> bool:
        return len(await reports_on(kafka, ours)) == times

    async with producing(kafka) as send:
        await send(questions * 2)
        await eventually(lambda: answered(30))
        await send([msgspec.structs.replace(question, question=2) for question in questions] * 2)
        await eventually(lambda: answered(60))
        await finance.kill()
        await finance.start()
    answers: dict[str, set[tuple[str, Told]]] = {}
    for each in await reports_on(kafka, ours):
        assert isinstance(each.event, AccountVerified | AccountRejected)
        assert each.key == each.headers["ce_subject"] == str(each.event.verification_id)
        answers.setdefault(each.key, set()).add((each.headers["ce_id"], each.event))
    assert all(len(answer) == 1 for answer in answers.values())
    assert {type(event) for answer in answers.values() for _, event in answer} == {AccountVerified, AccountRejected}


async def test_a_lost_answer_about_an_account_is_given_to_the_second_question(
    kafka: Kafka, finance: FinanceProcess
) -> None:
    finance.environment["SIM_LOST"] = "1"
    question, marker = account_question(), account_question()
    await finance.start()
    async with producing(kafka) as send:
        await send([question])
        await send([marker, msgspec.structs.replace(marker, question=2)])
        await eventually(lambda: _is_reported(kafka, marker.verification_id))
        assert await reports_on(kafka, {question.verification_id}) == []
        await send([msgspec.structs.replace(question, question=2)])
        await eventually(lambda: _is_reported(kafka, question.verification_id))


async def test_a_debtor_pays_all_that_is_demanded(kafka: Kafka, finance: FinanceProcess) -> None:
    demands = [demand(amount) for amount in (1, 100, 1_000_000)]
    await finance.start()
    async with producing(kafka) as send:
        await send(demands * 2)

    async def received() -> bool:
        told = await reports_on(kafka, {each.recovery_id for each in demands})
        events = [each.event for each in told if isinstance(each.event, RecoveryReceived)]
        return sum(event.money.amount for event in events) == 1_000_101

    await eventually(received)


async def test_no_money_comes_in_on_a_closed_demand(kafka: Kafka, finance: FinanceProcess) -> None:
    finance.environment["SIM_DELAY_SECONDS"] = "1"
    over, open_demand = demand(), demand()
    await finance.start()
    async with producing(kafka) as send:
        await send([over, closed(over), open_demand])
        await eventually(lambda: _is_reported(kafka, open_demand.recovery_id))
    assert await reports_on(kafka, {over.recovery_id}) == []


async def test_the_officers_act_once_though_the_process_dies(
    kafka: Kafka, finance: FinanceProcess, serve: Serve, tmp_path: Path
) -> None:
    fake = FakeDisbursement()
    payments = [instruction() for _ in range(20)]
    async with served(fake, serve) as url:
        finance.environment |= {"SIM_DISBURSEMENT_URL": url, "SIM_HOME": str(tmp_path)}
        finance.environment |= {"SIM_RETURNED": "1", "SIM_CANCELLED": "0.3"}
        await finance.start()
        async with producing(kafka) as send:
            await send(payments)
            await eventually(lambda: finance.has_reported(payments))
        fake.returned(payments)
        await eventually(lambda: _has_begun(fake))
        await finance.kill()
        await finance.start()
        await eventually(lambda: _is_dealt_with(fake))
    assert fake.broken_keys == []
    assert len(fake.effects) == len(payments)
    assert {effect.act for effect in fake.effects} == {"instruction", "cancellation"}


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


async def _has_begun(fake: FakeDisbursement) -> bool:
    return bool(fake.effects)


async def _is_dealt_with(fake: FakeDisbursement) -> bool:
    return not fake.waiting()


async def _is_reported(kafka: Kafka, subject: UUID) -> bool:
    return bool(await reports_on(kafka, {subject}))


async def _is_decided(finance: FinanceProcess, payments: Sequence[PaymentInstructed]) -> bool:
    return len(await finance.log(payments)) == len(payments)
