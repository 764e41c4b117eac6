"""What PostgreSQL counts is shown as it is, asked by a service's own login; what is stale is taken away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client.registry import CollectorRegistry
from sqlalchemy import text

from kit import statistics
from kit.database import Database
from kit.statistics import STATES, Shown, StatisticsWatch
from stack.ports import free_ports
from stack.postgres import Postgres
from tests.kit.conftest import SERVICE, eventually

LOOK_SECONDS = 0.05


class Watched:
    """A watch of one's own, read back as Prometheus would."""

    def __init__(self) -> None:
        self.shown = Shown()
        self.registry = CollectorRegistry()
        self.registry.register(self.shown)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def known(self, name: str, **labels: str) -> float:
        value = self.value(name, **labels)
        assert value is not None, name
        return value


@asynccontextmanager
async def watching(database: Database) -> AsyncIterator[Watched]:
    watched = Watched()
    stop = asyncio.Event()
    task = asyncio.create_task(
        StatisticsWatch(database, shown=watched.shown, look_every_seconds=LOOK_SECONDS).run(stop)
    )
    yield watched
    stop.set()
    async with asyncio.timeout(20):
        await task


async def test_the_services_own_login_sees_all_that_is_shown(database: Database) -> None:
    async with watching(database) as watched:
        await eventually(lambda: watched.value("database_size_bytes") is not None)
        assert watched.known("database_size_bytes") > 1_000_000
        assert watched.known("database_transactions_total", outcome="committed") > 0
        assert watched.known("database_blocks_total", source="cache") > 0
        assert watched.known("database_active_seconds_total") > 0
        assert watched.known("database_unfrozen_transactions") > 0
        assert 0 < watched.known("database_server_connections") < watched.known("database_server_connections_most")
        for name in ("database_temporary_bytes_total", "database_deadlocks_total", "database_waiting_sessions"):
            assert watched.known(name) >= 0
        for state in STATES:
            assert watched.known("database_sessions", state=state) >= 0


async def test_a_transaction_that_stays_open_and_one_that_waits_for_it_are_seen(database: Database) -> None:
    lock = text("SELECT 1 FROM relay WHERE name = 'outbox' FOR UPDATE")

    async def wait_for_it() -> None:
        async with database.transaction() as connection:
            await connection.execute(lock)

    async with watching(database) as watched:
        async with database.transaction() as connection:
            await connection.execute(lock)
            other = asyncio.create_task(wait_for_it())
            await eventually(lambda: (watched.value("database_waiting_sessions") or 0) >= 1)
            await eventually(lambda: (watched.value("database_oldest_transaction_seconds") or 0) > 2 * LOOK_SECONDS)
            assert watched.known("database_sessions", state="idle in transaction") >= 1
        await other
        await eventually(lambda: watched.value("database_waiting_sessions") == 0)


async def test_sessions_of_other_logins_are_counted_and_no_more(database: Database, postgres: Postgres) -> None:
    owner = Database(postgres.owner_dsn(SERVICE), pool_size=1, name="owner")
    async with watching(database) as watched, owner.transaction() as connection:
        await connection.execute(text("SELECT 1"))
        await eventually(lambda: (watched.value("database_sessions", state="other") or 0) >= 1)
    await owner.close()


async def test_rows_are_told_by_table_and_partitions_by_the_table_they_are_of(
    database: Database, postgres: Postgres
) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO inbox (event_id, received_at) SELECT gen_random_uuid(), now() FROM generate_series(1, 500)"
            )
        )
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM inbox"))
    async with watching(database) as watched:
        # PostgreSQL tells of a transaction's rows when its session is idle for a while.
        await eventually(lambda: (watched.value("database_dead_rows", table="inbox") or 0) >= 500, seconds=90)
        assert watched.known("database_partitions", table="inbox") >= 1
        assert watched.known("database_partitions", table="outbox") >= 1
        assert watched.value("database_dead_rows", table="inbox_default") is None
        assert watched.value("database_partitions", table="relay") is None
        assert watched.value("database_live_rows", table="relay") is not None


async def test_figures_go_while_the_database_is_away() -> None:
    [nobody_listens] = free_ports(1)
    away = Database(f"postgresql://nobody:x@127.0.0.1:{nobody_listens}/nothing")
    watched = Watched()
    watched.shown.statistics = statistics.Statistics(
        commits=1,
        rollbacks=0,
        hits=0,
        reads=0,
        temporary_bytes=0,
        deadlocks=0,
        active_seconds=0.0,
        bytes=1,
        unfrozen=1,
        connections=1,
        most_connections=100,
    )
    assert watched.known("database_size_bytes") == 1
    stop = asyncio.Event()
    task = asyncio.create_task(StatisticsWatch(away, shown=watched.shown, look_every_seconds=LOOK_SECONDS).run(stop))
    await eventually(lambda: watched.value("database_size_bytes") is None)
    stop.set()
    await task
    await away.close()
