"""Whoever follows the pushes gets each one, once, in order, whatever writers, followers and processes do meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from random import Random

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from intake.push import api as push
from intake.push import commands
from intake.push.guard import Guard
from intake.push.hub import Hub
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import create_app
from stack.postgres import Postgres
from tests.intake.push import storm
from tests.intake.push.follower import Follower, serving
from tests.kit.conftest import eventually
from tests.kit.issuer import Issuer, access_of
from tests.kit.stress import WrongReader, inverted


@pytest.fixture
async def wide(postgres: Postgres, empty_database: Database) -> AsyncIterator[Database]:
    """The same database with room for all writers."""
    del empty_database
    found = Database(postgres.dsn("intake"), pool_size=storm.WRITERS + 8)
    yield found
    await found.close()


@pytest.fixture
async def two(wide: Database, issuer: Issuer) -> AsyncIterator[list[str]]:
    """Two processes' worth of intake: each has its own hub, on one database."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as loops:
        hubs = [Hub(wide, poll_seconds=0.01) for _ in range(2)]
        apps = [_app(wide, issuer, hub) for hub in hubs]
        for hub in hubs:
            loops.create_task(hub.run(stop))
        await eventually(lambda: all(hub.at is not None for hub in hubs))
        async with serving(apps[0]) as first, serving(apps[1]) as second:
            yield [first, second]
        stop.set()


def _app(database: Database, issuer: Issuer, hub: Hub) -> FastAPI:
    writer: GroupedWriter[commands.Command] = GroupedWriter(database, commands.apply)
    app = create_app(service="intake", title="intake", description="", trouble={})
    app.include_router(push.router(push.Parts(database, writer, hub, Guard(), access_of(issuer))))
    return app


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_follower_that_is_cut_off_again_and_again_misses_nothing_in_a_storm(
    wide: Database, two: list[str], follower: Follower, seed: int
) -> None:
    naive = WrongReader(
        "SELECT id, application_id::text AS key FROM pushes WHERE id > :id ORDER BY id", starts={"id": 0}
    )
    stop, done = asyncio.Event(), asyncio.Event()
    polling = asyncio.create_task(naive.run(wide, stop))
    client = storm.CLIENT
    following = asyncio.create_task(_follow_cut_off(follower, two, Random(seed), done))
    await eventually(lambda: bool(follower.seen))
    await storm.write_all(wide, client, seed)
    truth = await storm.committed(wide, client)
    await eventually(lambda: int(follower.last or 0) >= truth[-1], 120)
    done.set()
    cuts = await following
    stop.set()
    await polling

    assert [int(event["id"]) for event in follower.changes] == truth
    assert cuts > 10
    missed = len(set(truth) - {number for number, _ in naive.seen})
    assert missed > 0, "the storm is too mild to tell a right reader from a wrong one"
    assert inverted(naive.seen) == 0, "what it loses, it loses for good"


async def _follow_cut_off(follower: Follower, urls: list[str], random: Random, done: asyncio.Event) -> int:
    """Follow now here and now there, a few events at a time; return how often it was cut off."""
    cuts = 0
    while not done.is_set():
        until = len(follower.changes) + random.randint(1, 20)
        enough = partial(_has, follower, until)
        with contextlib.suppress(TimeoutError):
            await follower.follow(random.choice(urls), enough, seconds=random.uniform(1.0, 4.0))
        cuts += 1
    return cuts


def _has(follower: Follower, number: int) -> bool:
    return len(follower.changes) >= number


async def test_the_order_of_ids_is_the_order_of_what_happened_to_an_application(wide: Database) -> None:
    """Ids are drawn under the lock of what they tell of, and whoever draws one owns a transaction id already."""
    async with wide.transaction() as connection:
        before = (await connection.execute(text("SELECT pg_current_xact_id_if_assigned()"))).scalar_one()
        drawn = text(
            "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'pushes'::regclass AND adnum = 1"
        )
        default = (await connection.execute(drawn)).scalar_one()
        await connection.execute(text(f"SELECT {default}"))
        after = (await connection.execute(text("SELECT pg_current_xact_id_if_assigned()"))).scalar_one()
    assert before is None
    assert after is not None


async def test_an_open_transaction_holds_back_what_comes_after_it_and_nothing_is_passed_over(
    wide: Database, two: list[str], follower: Follower
) -> None:
    await follower.follow(two[0], lambda: bool(follower.seen))
    insert = "INSERT INTO pushes (client, type, data) VALUES ('portal', :type, '{}')"
    following = asyncio.create_task(follower.follow(two[0], lambda: len(follower.changes) >= 2))
    async with wide.transaction() as early:
        await early.execute(text(insert), {"type": "a.early"})
        async with wide.transaction() as late:
            await late.execute(text(insert), {"type": "a.late"})
        await asyncio.sleep(0.3)  # nothing tells from outside that it was not told
        assert follower.changes == []
    assert await following
    assert follower.types == ["a.early", "a.late"]
