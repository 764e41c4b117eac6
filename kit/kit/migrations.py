"""Migrations by Alembic: each service's live inside its package, and `python -m <service> migrate` runs them.

A migration runs while the old code still runs: it waits seconds at most for a lock, and two that start at the same
time take turns.
"""

import asyncio
from typing import Any, Final

from alembic import command, context, op
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kit import revisions
from kit.database import async_url
from kit.revisions import head

_LOCK_KEY: Final = 7_201_452  # any constant: one migration at a time per database
_LOCK_TIMEOUT: Final = "5s"

__all__ = ["configuration", "create_delivery_tables", "execute_script", "head", "migrate", "run", "upgrade"]


def configuration(service: str) -> Config:
    """Return Alembic's configuration for a service's package."""
    config = Config()
    config.set_main_option("script_location", str(revisions.directory(service)))
    config.set_main_option("path_separator", "os")
    return config


async def upgrade(service: str, url: str) -> None:
    """Bring a database to the head revision."""
    engine = create_async_engine(async_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, configuration(service))
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


_DELIVERY_DDL: Final = """
CREATE SEQUENCE outbox_id_seq;

CREATE TABLE outbox (
  id bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  event_id uuid NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  type text NOT NULL,
  subject text NOT NULL,
  time timestamptz NOT NULL,
  traceparent text,
  headers jsonb,
  data bytea,
  CONSTRAINT pk_outbox PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;

CREATE TABLE relay (
  name text NOT NULL,
  cursor bigint NOT NULL,
  holder text NOT NULL,
  token bigint NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT pk_relay PRIMARY KEY (name)
);
INSERT INTO relay (name, cursor, holder, token, expires_at) VALUES ('outbox', 0, '', 0, '-infinity');

CREATE TABLE inbox (
  event_id uuid NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT pk_inbox PRIMARY KEY (event_id)
) PARTITION BY RANGE (event_id);
CREATE TABLE inbox_default PARTITION OF inbox DEFAULT;

CREATE TABLE consumer_offset (
  consumer_group text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  epoch bigint NOT NULL,
  CONSTRAINT pk_consumer_offset PRIMARY KEY (consumer_group, topic, partition)
);

CREATE TABLE parked (
  id bigint GENERATED ALWAYS AS IDENTITY,
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  key text NOT NULL,
  event_id text,
  type text,
  headers jsonb NOT NULL,
  value bytea,
  family text NOT NULL,
  reason text NOT NULL,
  error_class text NOT NULL,
  attempts integer NOT NULL,
  state text NOT NULL DEFAULT 'parked',
  parked_at timestamptz NOT NULL DEFAULT now(),
  next_try_at timestamptz NOT NULL,
  settled_at timestamptz,
  settled_by text,
  settled_why text,
  CONSTRAINT pk_parked PRIMARY KEY (id),
  CONSTRAINT uq_parked_topic UNIQUE (topic, partition, "offset"),
  CONSTRAINT ck_parked_state_known CHECK (state IN ('parked', 'redriven', 'discarded'))
);
CREATE INDEX ix_parked_waiting ON parked (topic, key, partition, "offset") WHERE state = 'parked';

CREATE TABLE redrive_audit (
  id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT now(),
  who text NOT NULL,
  why text NOT NULL,
  action text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  handled integer NOT NULL,
  stopped_by text,
  CONSTRAINT pk_redrive_audit PRIMARY KEY (id)
);

CREATE TABLE idempotency (
  client text NOT NULL,
  key text NOT NULL,
  request_hash bytea NOT NULL,
  status integer NOT NULL,
  headers text NOT NULL,
  body bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT pk_idempotency PRIMARY KEY (client, key)
);
CREATE INDEX ix_idempotency_created_at ON idempotency (created_at);

CREATE FUNCTION first_uuid_of(day date) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
  SELECT (lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0')
          || repeat('0', 20))::uuid
$$;

-- The service has no DDL rights; this lets it make the partitions of the coming days, and only that.
CREATE FUNCTION roll_partitions(days_ahead integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  today date := (now() AT TIME ZONE 'UTC')::date;
  day date;
BEGIN
  PERFORM pg_advisory_xact_lock(7201453);
  FOR day IN SELECT generate_series(today - 1, today + days_ahead, interval '1 day')::date LOOP
    IF to_regclass('outbox_' || to_char(day, 'YYYYMMDD')) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
        'outbox_' || to_char(day, 'YYYYMMDD'),
        day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    END IF;
    IF to_regclass('inbox_' || to_char(day, 'YYYYMMDD')) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF inbox FOR VALUES FROM (%L) TO (%L)',
        'inbox_' || to_char(day, 'YYYYMMDD'), first_uuid_of(day), first_uuid_of(day + 1));
    END IF;
  END LOOP;
END $$;
SELECT roll_partitions(7);
"""


def create_delivery_tables() -> None:
    """Create outbox, relay, inbox, offsets and idempotency keys; for the first migration of each service."""
    execute_script(_DELIVERY_DDL)


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
