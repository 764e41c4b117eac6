"""You are where the contract's topics come to exist on a broker that creates none by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from contracts.topics import TOPICS, Topic
from stack.errors import StackError

ADMIN_TIMEOUT_MS = 10_000
CLOSE_SECONDS = 5.0
ATTEMPTS = 3


@asynccontextmanager
async def admin_client(bootstrap: str) -> AsyncIterator[Any]:  # aiokafka has no types
    """An admin client that is closed at the end, also when it never came to a connection."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=ADMIN_TIMEOUT_MS)
    try:
        await admin.start()
        yield admin
    finally:
        # In a task of its own, with a deadline: aiokafka's close() waits for a broker that hangs, and it swallows a
        # cancellation that was meant for us, which would then run on for ever.
        await asyncio.wait({asyncio.create_task(admin.close())}, timeout=CLOSE_SECONDS)


async def create_topics(bootstrap: str, replicas: int) -> None:
    """The contract's topics where they lack.

    Raises StackError when one is there with another number of partitions: keys would lose their order.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await _create_topics(bootstrap, replicas)
        except (KafkaError, OSError) as error:  # a young broker may take longer than a request's deadline
            if attempt == ATTEMPTS:
                raise StackError(f"the topics can't be created ({error}): see the broker's log") from error
            await asyncio.sleep(attempt)
        else:
            return


async def _create_topics(bootstrap: str, replicas: int) -> None:
    async with admin_client(bootstrap) as admin:
        present = set(await admin.list_topics()) & TOPICS.keys()
        if present:
            _check_partitions(await admin.describe_topics(sorted(present)))
        lacking = [_new(topic, replicas) for topic in TOPICS.values() if topic.name not in present]
        if lacking:
            _check_created(await admin.create_topics(lacking))


def _new(topic: Topic, replicas: int) -> NewTopic:
    policy = {"cleanup.policy": "compact"} if topic.compacted else {}
    return NewTopic(topic.name, topic.partitions, replicas, topic_configs=policy)


def _check_partitions(descriptions: list[dict[str, Any]]) -> None:
    for described in descriptions:
        name, there = described["topic"], len(described["partitions"])
        if there != TOPICS[name].partitions:
            wanted = TOPICS[name].partitions
            raise StackError(f"topic {name} has {there} partitions, the contract says {wanted}: start in a new --home")


def _check_created(response: Any) -> None:  # aiokafka has no types
    for name, code, message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise StackError(f"topic {name} can't be created ({message or code}): see the broker's log")
