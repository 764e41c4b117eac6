"""Kafka: the contract's topics are there, and no other is made by accident."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from stack import kafkadata
from stack.errors import StackError
from stack.kafka import Kafka
from stack.kafkadata import Detour, NodePorts
from stack.topics import admin_client, create_topics


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[Any]:
    async with admin_client(kafka.bootstrap) as client:
        yield client


async def test_each_topic_of_the_contract_has_its_partitions(admin: Any) -> None:
    described = await admin.describe_topics(sorted(TOPICS))
    assert {d["topic"]: len(d["partitions"]) for d in described} == {t.name: t.partitions for t in TOPICS.values()}


async def test_creating_the_topics_again_changes_nothing(kafka: Kafka) -> None:
    await create_topics(kafka.bootstrap, replicas=1)


async def test_another_number_of_partitions_is_refused(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {name: type(t)(**{**_fields(t), "partitions": t.partitions + 1}) for name, t in TOPICS.items()}
    monkeypatch.setattr("stack.topics.TOPICS", changed)
    with pytest.raises(StackError, match="partitions, the contract says"):
        await create_topics(kafka.bootstrap, replicas=1)


def _fields(topic: Any) -> dict[str, Any]:
    return {name: getattr(topic, name) for name in topic.__struct_fields__}


def test_a_cluster_id_is_no_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([UUID(int=0xF8 << 120), UUID(int=1)])
    monkeypatch.setattr("uuid.uuid4", lambda: next(drawn))
    assert kafkadata.new_cluster_id() == "A" * 21 + "Q"


def test_who_comes_by_the_detour_is_sent_on_to_the_port_in_between() -> None:
    ports = [NodePorts(9092, 9093, detour=Detour(listens=9094, told=9095))]
    values = kafkadata.settings(1, ports, Path("data"))
    assert values["listeners"] == "PLAINTEXT://127.0.0.1:9092,DETOUR://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093"
    assert values["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092,DETOUR://127.0.0.1:9095"
    assert str(values["listener.security.protocol.map"]).endswith("DETOUR:PLAINTEXT")


async def test_an_unknown_topic_is_not_made_by_writing_to_it(kafka: Kafka, admin: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=2_000)
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("no.such.topic", b"{}")
    finally:
        await producer.stop()
    assert "no.such.topic" not in await admin.list_topics()
