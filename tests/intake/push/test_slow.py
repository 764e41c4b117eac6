"""Who does not read is left, and nobody else notices."""

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from prometheus_client import REGISTRY

from intake.push import api as push
from intake.push import commands
from intake.push.guard import Guard
from intake.push.hub import Hub
from intake.push.records import NewPush
from intake.push.stream import Manner
from intake.push.tables import pushes
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import create_app
from kit.rows import insert_records
from tests.intake.push.follower import Follower, serving
from tests.kit.conftest import eventually
from tests.kit.issuer import Issuer, access_of

MANNER = Manner(heartbeat_seconds=0.2, write_seconds=3.0, position_seconds=0.3, most_seconds=12.0, most_waiting=50)


@pytest.fixture
async def place(empty_database: Database, issuer: Issuer) -> AsyncIterator[tuple[str, Hub]]:
    """Intake's streams with little patience."""
    stop = asyncio.Event()
    hub = Hub(empty_database, poll_seconds=0.02)
    running = asyncio.create_task(hub.run(stop))
    writer: GroupedWriter[commands.Command] = GroupedWriter(empty_database, commands.apply)
    app = create_app(service="intake", title="intake", description="", trouble={})
    app.include_router(push.router(push.Parts(empty_database, writer, hub, Guard(), access_of(issuer), MANNER)))
    await eventually(lambda: hub.at is not None)
    async with serving(app) as url:
        yield url, hub
    stop.set()
    await running


async def _write(database: Database, number: int, size: int = 2_000) -> None:
    push_ = NewPush(client="portal", application_id=None, applicant=None, type="a.b", data=b'"%s"' % (b"x" * size))
    async with database.transaction() as connection:
        await insert_records(connection, pushes, [push_] * number)


def _ended(reason: str) -> float:
    return REGISTRY.get_sample_value("drawdown_push_streams_ended_total", {"reason": reason}) or 0.0


async def test_a_reader_that_reads_nothing_is_left_and_another_gets_everything_in_one_go(
    place: tuple[str, Hub], empty_database: Database, follower: Follower
) -> None:
    """Far more comes at once than may pile up: who reads catches up from the database, and is never cut off."""
    url, hub = place
    before = _ended("slow")
    following = asyncio.create_task(follower.follow(url, lambda: len(follower.changes) >= 3_000))
    await eventually(lambda: bool(follower.seen))
    lazy = await _lazy(url, follower.headers)
    try:
        await eventually(lambda: len(hub._open) == 2)
        await _write(empty_database, 2_900)
        await _write(empty_database, 100)
        assert await following
        ids = [int(event["id"]) for event in follower.changes]
        assert ids == list(range(ids[0], ids[0] + 3_000))
        await eventually(lambda: _ended("slow") == before + 1)
        await eventually(lambda: hub._open == [])
    finally:
        lazy.close()


async def _lazy(url: str, headers: dict[str, str]) -> socket.socket:
    """Ask for the stream and read nothing."""
    end = urlsplit(url)
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(lazy, (end.hostname, end.port))
    lines = ["GET /v1/events HTTP/1.1", "Host: intake", *(f"{name}: {value}" for name, value in headers.items())]
    await loop.sock_sendall(lazy, "\r\n".join([*lines, "", ""]).encode())
    return lazy


async def test_a_quiet_stream_lives_by_comments_and_its_place_moves_on(
    place: tuple[str, Hub], empty_database: Database, follower: Follower
) -> None:
    url, _ = place
    following = asyncio.create_task(follower.follow(url, lambda: len({event["id"] for event in follower.seen}) == 2))
    await eventually(lambda: bool(follower.seen))
    async with empty_database.transaction() as connection:
        other = NewPush(client="another", application_id=None, applicant=None, type="a.b", data=b"{}")
        await insert_records(connection, pushes, [other])
    assert await following
    assert ": keep-alive" in follower.comments
    assert 1_000 <= follower.retry_ms <= 5_000
    assert {event["event"] for event in follower.seen} == {"stream.position"}
    first, last = follower.seen[0], follower.seen[-1]
    assert int(last["id"]) > int(first["id"]), "so that its last id does not grow old while others are busy"


async def test_a_stream_ends_by_itself_so_that_its_client_comes_back_with_a_new_token(
    place: tuple[str, Hub], follower: Follower
) -> None:
    url, _ = place
    before = _ended("renewal")
    assert not await follower.follow(url, lambda: False, seconds=60)
    assert follower.comments[-1] == ": bye"
    assert _ended("renewal") == before + 1
