"""Pushes by intake's own processes, on real Kafka and PostgreSQL: killed in the middle, side by side, stopped."""

import asyncio
import contextlib
import time
from contextlib import ExitStack
from functools import partial
from random import Random
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from contracts.topics import TOPICS
from kit.database import Database
from stack import keyring
from stack.home import Home
from stack.kafka import Kafka
from stack.postgres import Postgres
from tests.intake.push import storm
from tests.intake.push.follower import Follower
from tests.intake.push.receiver import Receiver
from tests.intake.scenes import application, approval_of
from tests.kit import broker
from tests.kit.broker import record_of, send
from tests.kit.conftest import eventually
from tests.kit.issuer import AUDIENCE, NAME, Issuer
from tests.kit.processes import Process


@pytest.fixture
async def settings(
    empty_database: Database, postgres: Postgres, kafka: Kafka, issuer: Issuer, stack_home: Home
) -> dict[str, str]:
    keyring.create(stack_home)
    await broker.start_at(empty_database, "intake", await broker.ends_of(kafka.bootstrap, TOPICS))
    return {
        "DATABASE_URL": postgres.dsn("intake"),
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "ACCESS_ISSUER": NAME,
        "ACCESS_JWKS_URL": issuer.url,
        "ACCESS_AUDIENCE": AUDIENCE,
        "KEYRING_FILE": str(stack_home.keyring_file),
        "WEBHOOK_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "WEBHOOK_CALL_SECONDS": "2",
    }


def intake(settings: dict[str, str]) -> Process:
    return Process("INTAKE", ["intake", "run"], settings)


PATIENCE_SECONDS = 240.0  # on a machine that does much else


async def ready(*processes: Process) -> None:
    for process in processes:
        await eventually(partial(process.answers, "/health/ready"), PATIENCE_SECONDS)


async def call(process: Process, follower: Follower, path: str, body: object) -> httpx.Response:
    headers = follower.headers | {"idempotency-key": str(uuid4())}
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        return await client.post(process.url + path, json=body, headers=headers)


async def test_a_follower_misses_nothing_while_processes_are_killed_and_kafka_tells_of_decisions(
    settings: dict[str, str], kafka: Kafka, empty_database: Database, follower: Follower
) -> None:
    done = asyncio.Event()
    with ExitStack() as stack:
        processes = [stack.enter_context(intake(settings)) for _ in range(2)]
        await ready(*processes)
        following = asyncio.create_task(_follow_somewhere(follower, processes, done))
        await eventually(lambda: bool(follower.seen))
        sending = asyncio.create_task(_apply_and_decide(processes, follower, kafka))
        await eventually(lambda: len(follower.changes) > 10, 60)
        processes[0].child.kill()
        processes[0] = stack.enter_context(intake(settings))
        applied = await sending
        await eventually(lambda: follower.types.count("application.approved") == applied, 90)
        truth = await storm.committed(empty_database, "portal")
        await eventually(lambda: int(follower.last or 0) >= truth[-1])
        done.set()
        await following
    assert [int(event["id"]) for event in follower.changes] == truth
    assert len(truth) >= 2 * applied, "one that was taken in and not answered is told of, too"
    assert applied >= 12


async def _apply_and_decide(processes: list[Process], follower: Follower, kafka: Kafka) -> int:
    """Apply again and again, of any process, and let eligibility's approval come by Kafka; return how many it took."""
    taken = 0
    for number in range(40):
        with contextlib.suppress(httpx.TransportError):  # it was killed: what became of it the database knows
            answer = await call(processes[number % 2], follower, "/v1/applications", application())
            if answer.status_code == 201:
                await send(kafka.bootstrap, [record_of(approval_of(answer.json()))])
                taken += 1
    return taken


async def _follow_somewhere(follower: Follower, processes: list[Process], done: asyncio.Event) -> None:
    random = Random(1)
    while not done.is_set():
        process = random.choice(processes)
        with contextlib.suppress(TimeoutError, httpx.TransportError, AssertionError):
            await follower.follow(process.url, done.is_set, seconds=random.uniform(0.3, 1.5))
        await asyncio.sleep(0.02)  # as an event source pauses


async def test_what_a_killed_process_was_posting_is_posted_by_another(
    settings: dict[str, str], follower: Follower, receiver: Receiver, empty_database: Database
) -> None:
    with intake(settings) as first, intake(settings | {"ROLES": '["http"]'}) as front:
        await ready(first, front)
        made = await call(front, follower, "/v1/webhooks", {"url": receiver.url})
        receiver.secret = made.json()["secret"]
        receiver.hold.clear()
        await call(front, follower, "/v1/applications", application())
        await eventually(lambda: len(receiver.calls) == 1)
        first.child.kill()
        receiver.hold.set()
        await call(front, follower, "/v1/applications", application())
        with intake(settings) as second:
            await ready(second)
            await eventually(lambda: len(receiver.calls) == 3, 40)
            await eventually(lambda: _delivered(empty_database, 2))
    by_application: dict[str, set[str]] = {}
    for one in receiver.calls:
        by_application.setdefault(one.application_id, set()).add(one.id)
    assert [len(ids) for ids in by_application.values()] == [1, 1], "the same id again"


async def _delivered(database: Database, number: int) -> bool:
    async with database.reading() as connection:
        query = text("SELECT count(*) FROM deliveries WHERE status = 'delivered'")
        return bool((await connection.execute(query)).scalar_one() == number)


async def test_streams_end_politely_when_the_process_is_stopped(settings: dict[str, str], follower: Follower) -> None:
    with intake(settings) as process:
        await ready(process)
        following = asyncio.create_task(follower.follow(process.url, lambda: False))
        await eventually(lambda: bool(follower.seen))
        began = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - began < 10
        assert not await following
        assert follower.comments[-1] == ": bye"
        [stopped] = process.logged("stopped")
        assert stopped["clean"] is True, process.output()
        [ended] = process.logged("stream_ended")
        assert ended["reason"] == "stopping"


async def test_a_process_stops_cleanly_while_kafka_still_waits_for_one_that_was_killed(
    settings: dict[str, str],
) -> None:
    with intake(settings) as killed:
        await ready(killed)
    with intake(settings) as process:
        await eventually(partial(_waits_for_partitions, process), PATIENCE_SECONDS)
        began = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - began < 10
        [stopped] = process.logged("stopped")
        assert stopped["clean"] is True, process.output()


async def _waits_for_partitions(process: Process) -> bool:
    try:
        answer = await process.get("/health/ready")
    except httpx.TransportError:
        return False
    return "waits for its partitions" in answer.text
