"""Files of payments for the bank, which attempt of a payment is in which, and the bank's files. Only new tables."""

from kit.migrations import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE payment_files (
  message_id TEXT NOT NULL,
  pools TEXT[] NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  created_by TEXT NOT NULL,
  payments INTEGER NOT NULL,
  control_sum BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  content BYTEA NOT NULL,
  CONSTRAINT pk_payment_files PRIMARY KEY (message_id),
  CONSTRAINT ck_payment_files_positive CHECK (payments > 0 AND control_sum > 0)
);

CREATE TABLE payment_file_entries (
  payment_id UUID NOT NULL,
  attempt INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  CONSTRAINT pk_payment_file_entries PRIMARY KEY (payment_id, attempt)
);
CREATE INDEX ix_payment_file_entries_message_id ON payment_file_entries (message_id);

CREATE TABLE bank_files (
  message_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  received_by TEXT NOT NULL,
  reports INTEGER NOT NULL,
  answer TEXT NOT NULL,
  CONSTRAINT pk_bank_files PRIMARY KEY (message_id),
  CONSTRAINT ck_bank_files_kind_known CHECK (kind IN ('pain.002', 'camt.054'))
);

CREATE FUNCTION refuse_file_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a file that may be at the bank is never changed or removed';
END;
$$;
CREATE TRIGGER payment_files_are_immutable BEFORE UPDATE OR DELETE ON payment_files
  FOR EACH ROW EXECUTE FUNCTION refuse_file_change();
CREATE TRIGGER payment_file_entries_are_immutable BEFORE UPDATE OR DELETE ON payment_file_entries
  FOR EACH ROW EXECUTE FUNCTION refuse_file_change();
"""


def upgrade() -> None:
    execute_script(TABLES)
