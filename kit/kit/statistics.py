"""What PostgreSQL counts about a service's own database: asked every 15 s, shown at each scrape.

The questions need no more than the service's login. Of sessions of other logins PostgreSQL tells that they are there,
and not what they do ("other"). The counts are PostgreSQL's own, so a restart of the process loses nothing, and all
processes of a service show the same: take them by `max`.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.backoff import wait
from kit.database import Database, describe
from kit.errors import TransientError
from kit.logging import get_logger

log = get_logger(__name__)

LOOK_EVERY_SECONDS: Final = 15.0
STATES: Final = ("active", "idle", "idle in transaction", "idle in transaction (aborted)", "other")

_DATABASE: Final = text(
    """
    SELECT own.xact_commit AS commits, own.xact_rollback AS rollbacks, own.blks_hit AS hits, own.blks_read AS reads,
      own.temp_bytes AS temporary_bytes, own.deadlocks, own.active_time / 1000 AS active_seconds,
      pg_database_size(own.datid) AS bytes,
      (SELECT age(datfrozenxid) FROM pg_database WHERE oid = own.datid) AS unfrozen,
      (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
      current_setting('max_connections')::int AS most_connections
    FROM pg_stat_database own WHERE own.datname = current_database()
    """
)
_SESSIONS: Final = text(
    """
    SELECT CASE WHEN state = ANY(:states) THEN state ELSE 'other' END AS state, count(*) AS sessions,
      count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting,
      coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float AS oldest_seconds
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1
    """
)
_TABLES: Final = text(
    """
    SELECT coalesce(parent.relname, part.relname)::text AS name, sum(part.n_live_tup)::bigint AS live,
      sum(part.n_dead_tup)::bigint AS dead, count(parent.oid) AS partitions
    FROM pg_stat_user_tables part
    LEFT JOIN pg_inherits ON inhrelid = part.relid
    LEFT JOIN pg_class parent ON parent.oid = inhparent
    GROUP BY 1
    """
)


class Table(msgspec.Struct, frozen=True):
    """A table's rows as PostgreSQL estimates them, those of its partitions together."""

    name: str
    live: int
    dead: int
    partitions: int


class Sessions(msgspec.Struct, frozen=True):
    """The sessions of one state; ``oldest_seconds`` is the age of the oldest transaction among them, else 0."""

    state: str
    sessions: int
    waiting: int
    oldest_seconds: float


class Statistics(msgspec.Struct, frozen=True):
    """One look at the database. Counts are since PostgreSQL's statistics were last reset."""

    commits: int
    rollbacks: int
    hits: int
    reads: int
    temporary_bytes: int
    deadlocks: int
    active_seconds: float
    bytes: int
    unfrozen: int
    """Transactions since the oldest row that is not frozen: at two thousand million PostgreSQL takes no more writes."""
    connections: int
    """Of the whole server, which may have other databases."""
    most_connections: int
    sessions: tuple[Sessions, ...] = ()
    tables: tuple[Table, ...] = ()


async def read(connection: AsyncConnection) -> Statistics:
    """Return what PostgreSQL has counted by now."""
    own = (await connection.execute(_DATABASE)).one()
    sessions = await connection.execute(_SESSIONS, {"states": list(STATES)})
    tables = await connection.execute(_TABLES)
    return Statistics(
        **own._mapping,  # noqa: SLF001  # SQLAlchemy's name for a row's public mapping
        sessions=tuple(Sessions(**row) for row in sessions.mappings()),
        tables=tuple(Table(**row) for row in tables.mappings()),
    )


class Shown(Collector):
    """The last look as metrics; nothing while the database is away, or before the first look."""

    def __init__(self) -> None:
        self.statistics: Statistics | None = None

    def collect(self) -> Iterator[Metric]:
        found = () if self.statistics is None else (self.statistics,)
        for name, meaning, field in _GAUGES:
            gauge = GaugeMetricFamily(name, meaning, labels=())
            for each in found:
                gauge.add_metric((), float(getattr(each, field)))
            yield gauge
        for name, meaning, label, fields in _COUNTERS:
            counter = CounterMetricFamily(name, meaning, labels=(label,) if label else ())
            for each in found:
                for value, field in fields.items():
                    counter.add_metric((value,) if label else (), float(getattr(each, field)))
            yield counter
        yield from _sessions(found)
        yield from _tables(found)


_GAUGES: Final = (
    ("database_size_bytes", "Size of the service's database on disk", "bytes"),
    ("database_unfrozen_transactions", "Transactions since the oldest row that is not frozen", "unfrozen"),
    ("database_server_connections", "Connections that the PostgreSQL server has, of all databases", "connections"),
    ("database_server_connections_most", "Connections that the PostgreSQL server allows", "most_connections"),
)
_COUNTERS: Final[tuple[tuple[str, str, str, Mapping[str, str]], ...]] = (
    (
        "database_transactions",
        "Transactions that ended in the service's database",
        "outcome",
        {"committed": "commits", "rolled_back": "rollbacks"},
    ),
    ("database_blocks", "Blocks that were read, by where they were", "source", {"cache": "hits", "disk": "reads"}),
    ("database_active_seconds", "Time that sessions spent in statements", "", {"": "active_seconds"}),
    ("database_temporary_bytes", "Bytes that statements wrote to temporary files", "", {"": "temporary_bytes"}),
    ("database_deadlocks", "Deadlocks that PostgreSQL broke", "", {"": "deadlocks"}),
)


def _sessions(found: tuple[Statistics, ...]) -> Iterator[Metric]:
    sessions = GaugeMetricFamily("database_sessions", "Sessions in the service's database, by state", labels=("state",))
    waiting = GaugeMetricFamily("database_waiting_sessions", "Sessions that wait for a lock", labels=())
    oldest = GaugeMetricFamily("database_oldest_transaction_seconds", "Age of the oldest open transaction", labels=())
    for each in found:
        by_state = {row.state: row.sessions for row in each.sessions}
        for state in STATES:
            sessions.add_metric((state,), by_state.get(state, 0))
        waiting.add_metric((), sum(row.waiting for row in each.sessions))
        oldest.add_metric((), max((row.oldest_seconds for row in each.sessions), default=0.0))
    yield from (sessions, waiting, oldest)


def _tables(found: tuple[Statistics, ...]) -> Iterator[Metric]:
    live = GaugeMetricFamily("database_live_rows", "Rows that a table holds, estimated", labels=("table",))
    dead = GaugeMetricFamily(
        "database_dead_rows", "Rows that no one sees any more, not yet vacuumed", labels=("table",)
    )
    partitions = GaugeMetricFamily("database_partitions", "Partitions of a table that has any", labels=("table",))
    for each in found:
        for table in each.tables:
            live.add_metric((table.name,), table.live)
            dead.add_metric((table.name,), table.dead)
            if table.partitions:
                partitions.add_metric((table.name,), table.partitions)
    yield from (live, dead, partitions)


SHOWN: Final = Shown()
REGISTRY.register(SHOWN)


class StatisticsWatch:
    """Asks the database every ``look_every_seconds`` and shows what it says. What is stale is taken away."""

    def __init__(
        self, database: Database, *, shown: Shown = SHOWN, look_every_seconds: float = LOOK_EVERY_SECONDS
    ) -> None:
        self._database = database
        self._shown = shown
        self._look_every_seconds = look_every_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``; a database that does not answer is asked again next time."""
        while not stop.is_set():
            try:
                async with self._database.reading() as connection:
                    self._shown.statistics = await read(connection)
            except (SQLAlchemyError, OSError, TimeoutError, TransientError) as error:
                self._shown.statistics = None
                log.warning("statistics_unreadable", reason=describe(error), error_class=type(error).__name__)
            await wait(stop, self._look_every_seconds)
