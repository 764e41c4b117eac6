"""The rights of the manifests on a real broker: what the services need works over TLS and SCRAM, all else is denied."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from contracts.topics import SERVICES
from kit.brokers import Brokers, connection
from kit.kafka import Producer, Record, group_consumer
from kit.lag import ends_of
from kit.topic_reader import read_on
from metrics.lag import LagWatch
from stack.home import open_home
from stack.kafkadata import NodePorts
from stack.ports import free_ports
from tests.deploy import secured_kafka
from tests.deploy.secured_kafka import SecuredKafka
from tests.deploy.test_kubernetes import heard

DENIED_SECONDS = 20.0


@pytest.fixture(scope="module")
async def kafka() -> AsyncIterator[SecuredKafka]:
    path = Path(tempfile.mkdtemp(prefix="drawdown-secured-"))
    client, controller, guarded = free_ports(3)
    async with secured_kafka.running(open_home(path), NodePorts(client, controller), guarded) as cluster:
        yield cluster
    shutil.rmtree(path)


async def write(brokers: Brokers, topic: str) -> None:
    producer = Producer(brokers, "test")
    try:
        await producer.start()
        await producer.send([Record(topic, b"key", b"{}", [], 0)])
    finally:
        await producer.stop()


async def read(brokers: Brokers, topic: str) -> int:
    """How many records lie in the topic, read as a service reads on in it."""
    places = [(topic, partition) for partition in range(12)]
    return sum(len(stretch.records) for stretch in (await read_on(brokers, dict.fromkeys(places, 0), 100)).values())


async def fetch(brokers: Brokers, topic: str) -> None:
    """Read from a topic without a group; raises what the broker answers."""
    consumer = AIOKafkaConsumer(**connection(brokers), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(DENIED_SECONDS):
            while True:
                await consumer.getmany(timeout_ms=200)
    finally:
        await consumer.stop()


async def visible(brokers: Brokers) -> set[str]:
    """The topics that the brokers tell a user of."""
    consumer = AIOKafkaConsumer(**connection(brokers))
    await consumer.start()
    try:
        return set(await consumer.topics())
    finally:
        await consumer.stop()


async def join(brokers: Brokers, group: str, topics: list[str]) -> set[str]:
    """Become a member of a group; return the topics of which it gets partitions."""
    consumer = group_consumer(brokers, group)
    await consumer.start()
    try:
        consumer.subscribe(topics)
        async with asyncio.timeout(DENIED_SECONDS):
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=200)
        return {place.topic for place in consumer.assignment()}
    finally:
        await consumer.stop()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_gets_what_it_consumes_and_writes_its_own(kafka: SecuredKafka, service: str) -> None:
    brokers = kafka.as_user(service)
    await write(brokers, f"{service}.dead-letters")
    assert await join(brokers, service, heard(service)) == set(heard(service))
    ends = await ends_of(brokers, [TopicPartition(topic, 0) for topic in heard(service)])
    assert len(ends) == len(heard(service))


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("intake", "disbursement.ledger"),
        ("eligibility", "intake.applications"),
        ("metrics", "disbursement.ledger"),
        ("finance", "disbursement.ledger"),
        ("finance", "disbursement.payments"),
        ("disbursement", "finance.payment-status"),
        ("keda", "intake.applications"),
    ],
)
async def test_nobody_writes_anothers_topic(kafka: SecuredKafka, user: str, topic: str) -> None:
    with pytest.raises(KafkaError) as denied:
        await write(kafka.as_user(user), topic)
    assert "Authorization" in type(denied.value).__name__


async def test_disbursement_reads_back_what_it_wrote(kafka: SecuredKafka) -> None:
    await write(kafka.as_user("disbursement"), "disbursement.payments")
    assert await read(kafka.as_user("disbursement"), "disbursement.payments") == 1


async def test_finance_pays_and_reports_and_sees_nothing_else(kafka: SecuredKafka) -> None:
    finance = kafka.as_user("finance")
    assert await join(finance, "finance-payments", ["disbursement.payments"]) == {"disbursement.payments"}
    await write(finance, "finance.payment-status")
    assert await visible(finance) == {"disbursement.payments", "finance.payment-status"}
    with pytest.raises(TopicAuthorizationFailedError):
        await fetch(finance, "finance.payment-status")


async def test_nobody_takes_anothers_place_in_a_group(kafka: SecuredKafka) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await join(kafka.as_user("intake"), "disbursement", ["eligibility.decisions"])


async def test_metrics_sees_how_far_every_group_is_behind(kafka: SecuredKafka) -> None:
    await LagWatch(kafka.as_user("metrics"), 60.0, SERVICES).read()


async def test_a_wrong_password_is_no_way_in(kafka: SecuredKafka) -> None:
    with pytest.raises(KafkaError):
        await write(kafka.as_user("intake", "guessed"), "intake.applications")


async def test_who_shows_no_login_is_not_let_in(kafka: SecuredKafka) -> None:
    with pytest.raises(KafkaError):
        await write(kafka.as_user(None), "intake.applications")


async def test_a_broker_that_another_authority_signed_is_not_believed(kafka: SecuredKafka, tmp_path: Path) -> None:
    secured_kafka.write_certificates(tmp_path / "ca.crt", tmp_path / "other.pem")
    with pytest.raises(KafkaError):
        await write(kafka.as_user("intake", ca_file=tmp_path / "ca.crt"), "intake.applications")
