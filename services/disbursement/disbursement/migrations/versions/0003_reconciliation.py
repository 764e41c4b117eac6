"""What the reconciliation found, and how far it has read. Only new tables: older code runs beside them."""

from kit.migrations import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE reconciliations (
  check_name TEXT NOT NULL,
  pool TEXT NOT NULL,
  difference BIGINT NOT NULL,
  detail TEXT NOT NULL,
  found_at TIMESTAMP WITH TIME ZONE,
  checked_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_reconciliations PRIMARY KEY (check_name, pool),
  CONSTRAINT ck_reconciliations_not_negative CHECK (difference >= 0),
  CONSTRAINT ck_reconciliations_found_once CHECK ((difference = 0) = (found_at IS NULL))
);

CREATE TABLE reconciliation_turns (
  name TEXT NOT NULL,
  taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
  done_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_reconciliation_turns PRIMARY KEY (name)
);

CREATE TABLE ledger_checkpoints (
  pool TEXT NOT NULL,
  reader TEXT NOT NULL,
  version BIGINT NOT NULL,
  hash TEXT NOT NULL,
  appropriated BIGINT NOT NULL,
  available BIGINT NOT NULL,
  committed BIGINT NOT NULL,
  obligated BIGINT NOT NULL,
  disbursed BIGINT NOT NULL,
  CONSTRAINT pk_ledger_checkpoints PRIMARY KEY (pool, reader),
  CONSTRAINT ck_ledger_checkpoints_reader_known CHECK (reader IN ('new', 'again'))
);

CREATE TABLE known_flaws (
  pool TEXT NOT NULL,
  version BIGINT NOT NULL,
  why TEXT NOT NULL,
  signed_by TEXT NOT NULL,
  signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_known_flaws PRIMARY KEY (pool, version)
);

CREATE TABLE topic_positions (
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next_offset BIGINT NOT NULL,
  checked_id BIGINT NOT NULL,
  CONSTRAINT pk_topic_positions PRIMARY KEY (topic, partition),
  CONSTRAINT ck_topic_positions_places CHECK (next_offset >= -1 AND checked_id >= 0)
);
"""


def upgrade() -> None:
    execute_script(TABLES)
