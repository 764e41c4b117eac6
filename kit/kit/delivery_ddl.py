"""The delivery tables as the first migration of each service makes them (``kit.tables`` says what they mean).

The functions are SECURITY DEFINER: a service has no DDL rights, and may still make and drop its daily partitions.
"""

from typing import Final

DELIVERY_DDL: Final = """
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

-- And this lets it drop the partitions of days that are over, and only those: of the outbox once the relay has
-- published all that is in them, of the inbox a week later, because what may be sent again has to be known longer
-- than it lasts. Rows in the default partitions stay. Returns the names of what it dropped.
CREATE FUNCTION drop_old_partitions(keep_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  today date := (now() AT TIME ZONE 'UTC')::date;
  part record;
  last_id bigint;
BEGIN
  IF keep_days < 1 THEN
    RAISE EXCEPTION 'keep_days is %, at least 1 day is kept', keep_days;
  END IF;
  PERFORM pg_advisory_xact_lock(7201453);
  FOR part IN
    SELECT parent.relname AS parent, child.relname AS name, to_date(right(child.relname, 8), 'YYYYMMDD') AS day
    FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid JOIN pg_class AS parent ON parent.oid = inhparent
    WHERE parent.oid IN ('outbox'::regclass, 'inbox'::regclass) AND child.relname ~ '^(outbox|inbox)_[0-9]{8}$'
    ORDER BY child.relname
  LOOP
    CONTINUE WHEN part.day + keep_days + (CASE part.parent WHEN 'inbox' THEN 7 ELSE 0 END) >= today;
    IF part.parent = 'outbox' THEN
      EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', part.name);
      EXECUTE format('SELECT max(id) FROM %I', part.name) INTO last_id;
      CONTINUE WHEN last_id > (SELECT cursor FROM relay WHERE name = 'outbox' FOR UPDATE);
    END IF;
    EXECUTE format('DROP TABLE %I', part.name);
    RETURN NEXT part.name;
  END LOOP;
END $$;
"""

PRIVACY_AUDIT_DDL = """
CREATE TABLE privacy_audit (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
  who TEXT NOT NULL,
  why TEXT NOT NULL,
  action TEXT NOT NULL,
  applicant TEXT NOT NULL,
  changed INTEGER NOT NULL,
  CONSTRAINT pk_privacy_audit PRIMARY KEY (id),
  CONSTRAINT ck_privacy_audit_action_known CHECK (action IN ('export', 'erase'))
);
"""

# PostgreSQL is told to gather no statistics of documents: no statement has conditions on whole ones, and to compare
# thousands of them is most of what ANALYZE costs. Partitions do not take that over from their table.
DOCUMENTS_DDL: Final = """
DO $$
DECLARE
  document record;
BEGIN
  FOR document IN
    SELECT attrelid::regclass AS owner, attname AS name FROM pg_attribute JOIN pg_class AS own ON own.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND attnum > 0 AND NOT attisdropped AND atttypid IN ('jsonb'::regtype, 'bytea'::regtype)
    ORDER BY 1, 2
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', document.owner, document.name);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION roll_partitions(days_ahead integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  today date := (now() AT TIME ZONE 'UTC')::date;
  day date;
  name text;
BEGIN
  PERFORM pg_advisory_xact_lock(7201453);
  FOR day IN SELECT generate_series(today - 1, today + days_ahead, interval '1 day')::date LOOP
    name := 'outbox_' || to_char(day, 'YYYYMMDD');
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)', name,
        day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
      EXECUTE format('ALTER TABLE %I ALTER COLUMN headers SET STATISTICS 0, ALTER COLUMN data SET STATISTICS 0', name);
    END IF;
    name := 'inbox_' || to_char(day, 'YYYYMMDD');
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF inbox FOR VALUES FROM (%L) TO (%L)', name,
        first_uuid_of(day), first_uuid_of(day + 1));
    END IF;
  END LOOP;
END $$;
"""
