"""You are at the faults of the network (F8): connections to PostgreSQL and to Kafka cut, torn, slow or silent.

Some second processes reach PostgreSQL, and some the brokers, through proxies (``system`` says which).
"""

import asyncio

from tests.faults.proxies import FarProxy
from tests.faults.sabotage import NotHappenedError, Saboteur

Ways = tuple[str, list[FarProxy]]


async def cut_postgres(by: Saboteur) -> str:
    """Connections to PostgreSQL reset in the middle of what they carry, several times."""
    return await _cut(by, _to_postgres(by))


async def tear_postgres(by: Saboteur) -> str:
    """Messages to and from PostgreSQL end in the middle."""
    return await _tear(by, _to_postgres(by))


async def slow_postgres(by: Saboteur) -> str:
    """Each packet to and from PostgreSQL is late."""
    return await _slow(by, _to_postgres(by))


async def freeze_postgres(by: Saboteur) -> str:
    """Half-open connections: PostgreSQL is there, and silent."""
    return await _freeze(by, _to_postgres(by))


async def cut_kafka(by: Saboteur) -> str:
    """Connections to one broker or to all of them reset in the middle of what they carry, several times."""
    return await _cut(by, _to_kafka(by))


async def tear_kafka(by: Saboteur) -> str:
    """Requests to brokers and their answers end in the middle."""
    return await _tear(by, _to_kafka(by))


async def slow_kafka(by: Saboteur) -> str:
    """Each packet to and from brokers is late."""
    return await _slow(by, _to_kafka(by))


async def freeze_kafka(by: Saboteur) -> str:
    """Half-open connections: the brokers are there, and silent."""
    return await _freeze(by, _to_kafka(by))


def _to_postgres(by: Saboteur) -> Ways:
    name = by.random.choice(sorted(by.system.proxies))
    return f"{name} to PostgreSQL", [by.system.proxies[name]]


def _to_kafka(by: Saboteur) -> Ways:
    names = by.random.choice([[by.random.choice(by.system.brokers)], by.system.brokers])
    return " ".join(names), [by.system.broker_proxies[name] for name in names]


async def _cut(by: Saboteur, ways: Ways) -> str:
    where, proxies = ways
    cut = 0
    for _ in range(4):
        cut += sum(await asyncio.gather(*(proxy.cut() for proxy in proxies)))
        await asyncio.sleep(by.random.uniform(0.1, 0.8))
    return _seen(cut, f"connections of {where} cut")


async def _tear(by: Saboteur, ways: Ways) -> str:
    where, proxies = ways
    seconds = by.random.uniform(1, 3)
    torn = sum(await asyncio.gather(*(proxy.tear(seconds) for proxy in proxies)))
    return _seen(torn, f"messages of {where} torn")


async def _slow(by: Saboteur, ways: Ways) -> str:
    where, proxies = ways
    delay, seconds = by.random.uniform(0.02, 0.2), by.random.uniform(3, 8)
    late = sum(await asyncio.gather(*(proxy.delay(delay, seconds) for proxy in proxies)))
    return _seen(late, f"bytes of {where} late")


async def _freeze(by: Saboteur, ways: Ways) -> str:
    where, proxies = ways
    seconds = by.random.uniform(4, 12)
    hung = sum(await asyncio.gather(*(proxy.freeze(seconds) for proxy in proxies)))
    return _seen(hung, f"connections of {where} hung {seconds:.0f} s")


def _seen(count: int, what: str) -> str:
    if not count:
        raise NotHappenedError(f"no {what}")
    return f"{count} {what}"
