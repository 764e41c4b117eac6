"""The producer on real Kafka: when it has been stopped, it is over."""

import asyncio
import signal

import pytest

from kit.kafka import Producer, Record
from stack.kafka import Kafka
from tests.kit.conftest import eventually


async def test_a_stopped_producer_tries_no_more(kafka: Kafka) -> None:
    """Else what it had left would come late, into a topic that was made anew even before what is sent again."""
    record = Record("metrics.dead-letters", b"key", b"{}", [], 0)
    [broker] = kafka.nodes
    assert broker.identity
    producer = Producer(kafka.bootstrap, "test")
    await producer.start()
    await producer.send([record])
    broker.identity.send(signal.SIGSTOP)
    try:
        sending = asyncio.create_task(producer.send([record]))
        await eventually(_is_sending)
        with pytest.raises(TimeoutError, match="stopping the producer"):
            await producer.stop()
        sending.cancel()
        await eventually(lambda: not _is_sending())
    finally:
        broker.identity.send(signal.SIGCONT)


def _is_sending() -> bool:
    return any("_send_produce_req" in repr(task) or "_sender_routine" in repr(task) for task in asyncio.all_tasks())
