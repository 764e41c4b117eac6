"""You are at what every fault shares: the system that it breaks, its share of chance, and what it leaves behind.

A fault answers with the proof that it happened, or raises NotHappenedError. What it leaves behind (records of its
own, poison, stolen epochs) is noted here, because the checks must tell it from what the services did.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.errors import KafkaError

from stack.topics import admin_client
from tests.faults.system import System
from tests.faults.workload import Workload

_SEEN_SECONDS: Final = 15.0


class NotHappenedError(Exception):
    """The fault had no effect: a run in which it counts is void."""


Place = tuple[str, int, int]
"""(topic, partition, offset)"""


@dataclass(frozen=True)
class Poison:
    """A bad event, where the broker put it, and the services that have to park it (any of them will do)."""

    kind: str
    place: Place
    parked_by: tuple[str, ...]


@dataclass(frozen=True)
class Theft:
    """An epoch that nobody but the suite was given: whoever works under it was not fenced."""

    service: str
    topic: str
    partition: int
    epoch: int
    reached: int


@dataclass
class Saboteur:
    """One for a run."""

    system: System
    workload: Workload
    random: random.Random
    intruders: set[Place] = field(default_factory=set)
    poisons: list[Poison] = field(default_factory=list)
    thefts: list[Theft] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fault:
    """``kind`` is the row of faults.md, ``name`` says which form of it. ``back_seconds`` is what I11 allows it."""

    kind: str
    name: str
    act: Callable[[Saboteur], Awaitable[str]]
    back_seconds: float
    weight: int = 1


async def until(seen: Callable[[], Awaitable[Any]], what: str, seconds: float = _SEEN_SECONDS) -> Any:
    """Return the first thing seen that is true. Raises NotHappenedError when that takes too long."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := await seen()):
        if asyncio.get_running_loop().time() > deadline:
            raise NotHappenedError(f"{what} was not seen within {seconds:.0f} s")
        await asyncio.sleep(0.1)
    return found


async def controller(system: System) -> str:
    """The name of the broker that the brokers call their controller. One that another fault has taken can't say."""

    async def said() -> str | None:
        try:
            async with admin_client(system.stack.kafka_bootstrap) as admin:
                described = await admin.describe_cluster()
        except KafkaError:
            return None
        return f"kafka-{described['controller_id']}" if len(system.brokers) > 1 else system.brokers[0]

    return str(await until(said, "the controller's name"))
