"""Migrations by Alembic: each service's live inside its package, and `python -m <service> migrate` runs them.

A migration runs while the old code still runs: it waits seconds at most for a lock, and two that start at the same
time take turns. It is one transaction. Where it and a writer wait for each other, it is undone whole and tried again.
"""

import asyncio
from typing import Any, Final

from alembic import command, context, op
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kit import revisions
from kit.backoff import Backoff
from kit.database import async_url, describe
from kit.delivery_ddl import DELIVERY_DDL, DOCUMENTS_DDL, PRIVACY_AUDIT_DDL
from kit.logging import get_logger
from kit.revisions import head

_LOCK_KEY: Final = 7_201_452  # any constant: one migration at a time per database
_LOCK_TIMEOUT: Final = "5s"
_IN_THE_WAY: Final = ("40P01", "55P03")  # a deadlock, a lock that was not had in time
_TRIES: Final = 10
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 3.0

log = get_logger(__name__)

__all__ = [
    "configuration",
    "create_delivery_tables",
    "create_privacy_audit",
    "execute_script",
    "head",
    "leave_documents_out_of_statistics",
    "migrate",
    "run",
    "upgrade",
]


def configuration(service: str) -> Config:
    """Return Alembic's configuration for a service's package."""
    config = Config()
    config.set_main_option("script_location", str(revisions.directory(service)))
    config.set_main_option("path_separator", "os")
    return config


async def upgrade(service: str, url: str) -> None:
    """Bring a database to the head revision; what stands in the way of its locks is waited for, again and again."""
    engine = create_async_engine(async_url(url), poolclass=NullPool, hide_parameters=True)
    backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    try:
        while True:
            try:
                async with engine.begin() as connection:
                    await connection.run_sync(_upgrade, configuration(service))
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY or backoff.attempts >= _TRIES - 1:
                    raise
                log.warning("migration_tried_again", service=service, reason=describe(error))
                await asyncio.sleep(backoff.next_seconds())
            else:
                return
    finally:
        await engine.dispose()


def migrate(service: str, url: str) -> None:
    """Bring a database to the head revision, from outside an event loop."""
    asyncio.run(upgrade(service, url))


def _upgrade(connection: Connection, config: Config) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def run(metadata: MetaData) -> None:
    """Be a service's ``migrations/env.py``: use the connection that was handed in."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, include_name=include_name)
    with context.begin_transaction():
        context.run_migrations()


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave a partitioned table's daily partitions out of comparisons: a function makes them, not a migration."""
    return not (kind == "table" and name is not None and name.startswith(("outbox_", "inbox_")))


def create_delivery_tables() -> None:
    """Create outbox, relay, inbox, offsets and idempotency keys; for the first migration of each service."""
    execute_script(DELIVERY_DDL)


def create_privacy_audit() -> None:
    """Create the table of who exported or erased what is held of whom (``kit.privacy``)."""
    execute_script(PRIVACY_AUDIT_DDL)


def leave_documents_out_of_statistics() -> None:
    """Have ANALYZE pass over the columns that hold documents, also of partitions to come; no writer waits."""
    execute_script(DOCUMENTS_DDL)


def execute_script(script: str) -> None:
    """Run statements one by one (asyncpg takes one at a time); ``$$`` bodies stay whole."""
    for statement in split_statements(script):
        op.execute(text(statement.replace(":", r"\:")))


def split_statements(script: str) -> list[str]:
    """Split SQL at the semicolons outside of ``$$`` bodies."""
    statements, current, in_body = [], "", False
    for line in script.splitlines():
        if not in_body and (not line.strip() or line.lstrip().startswith("--")):
            continue
        in_body ^= line.count("$$") % 2 == 1
        current += line + "\n"
        if not in_body and line.rstrip().endswith(";"):
            statements.append(current.strip().rstrip(";"))
            current = ""
    return [*statements, current] if current.strip() else statements
