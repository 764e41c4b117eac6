"""Awards that end, lines of the waitlist, cap groups by company, support by contract, accounts, recoveries, orders.

``caps`` holds what each company was granted from here on, and no longer what its group was: it is computed anew from
the awards. Stop disbursement before this migration: code of 0001 would keep caps by group.
"""

from kit.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE pools ADD COLUMN on_hold TEXT;

CREATE TABLE lines (
  scheme TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  pool TEXT NOT NULL,
  waiting BIGINT NOT NULL,
  short_of TEXT NOT NULL,
  wake BOOLEAN NOT NULL,
  CONSTRAINT pk_lines PRIMARY KEY (scheme, fiscal_year),
  CONSTRAINT ck_lines_not_negative CHECK (waiting >= 0),
  CONSTRAINT ck_lines_short_of_known CHECK (short_of IN ('envelope', 'pool'))
);
CREATE INDEX ix_lines_pool ON lines (pool);
CREATE INDEX ix_lines_wake ON lines (scheme, fiscal_year) WHERE wake;
INSERT INTO lines
  SELECT a.scheme, a.fiscal_year, e.pool, count(*), 'envelope', true
  FROM applications a JOIN envelopes e ON e.scheme = a.scheme AND e.fiscal_year = a.fiscal_year
  WHERE a.state = 'waitlisted' GROUP BY a.scheme, a.fiscal_year, e.pool;

CREATE TABLE companies (
  uscc TEXT NOT NULL,
  members TEXT[] NOT NULL,
  as_of TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_companies PRIMARY KEY (uscc)
);
INSERT INTO companies
  SELECT a.applicant, array_agg(DISTINCT b.applicant ORDER BY b.applicant), max(a.issued_at)
  FROM awards a JOIN awards b ON b.cap_holder = a.cap_holder
  GROUP BY a.applicant HAVING count(DISTINCT b.applicant) > 1;

DELETE FROM caps;
INSERT INTO caps
  SELECT scheme, fiscal_year, applicant, sum(awarded - released) FROM awards GROUP BY scheme, fiscal_year, applicant;

CREATE TABLE stacks (
  provider TEXT NOT NULL,
  number TEXT NOT NULL,
  granted BIGINT NOT NULL,
  CONSTRAINT pk_stacks PRIMARY KEY (provider, number),
  CONSTRAINT ck_stacks_not_negative CHECK (granted >= 0)
);

ALTER TABLE awards ADD COLUMN contract_provider TEXT;
ALTER TABLE awards ADD COLUMN contract_number TEXT;
ALTER TABLE awards ADD COLUMN recovered BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE awards ADD COLUMN expires_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE awards ADD COLUMN noticed_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE awards ADD COLUMN next_step_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE awards ADD COLUMN ended_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE awards ADD COLUMN end_reason TEXT;
ALTER TABLE awards ADD CONSTRAINT ck_awards_recovered_within_released CHECK (recovered >= 0 AND recovered <= released);
CREATE INDEX ix_awards_deadline ON awards (next_step_at) WHERE next_step_at IS NOT NULL;
UPDATE awards SET expires_at = valid_until + interval '30 days', next_step_at = valid_until - interval '30 days'
  WHERE status = 'active';

CREATE TABLE accounts (
  verification_id UUID NOT NULL,
  applicant TEXT NOT NULL,
  name TEXT NOT NULL,
  account TEXT NOT NULL,
  bank_code TEXT NOT NULL,
  application_id UUID NOT NULL,
  scheme TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  status TEXT NOT NULL,
  reason_code TEXT,
  asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
  answered_at TIMESTAMP WITH TIME ZONE,
  due_at TIMESTAMP WITH TIME ZONE,
  next_step_at TIMESTAMP WITH TIME ZONE,
  missed_at TIMESTAMP WITH TIME ZONE,
  questions INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT pk_accounts PRIMARY KEY (verification_id),
  CONSTRAINT uq_accounts_applicant UNIQUE (applicant, account, bank_code, name),
  CONSTRAINT ck_accounts_status_known CHECK (status IN ('asked', 'verified', 'rejected'))
);
CREATE INDEX ix_accounts_deadline ON accounts (next_step_at) WHERE next_step_at IS NOT NULL;

ALTER TABLE payments ADD COLUMN netted BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE payments ADD COLUMN hold TEXT;
ALTER TABLE payments ADD COLUMN released BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE payments ADD COLUMN verification_id UUID;
ALTER TABLE payments DROP CONSTRAINT ck_payments_positive;
ALTER TABLE payments ADD CONSTRAINT ck_payments_positive CHECK (amount >= 0 AND netted >= 0 AND amount + netted > 0);
ALTER TABLE payments DROP CONSTRAINT ck_payments_status_known;
ALTER TABLE payments ADD CONSTRAINT ck_payments_status_known
  CHECK (status IN ('held', 'instructed', 'settled', 'returned', 'cancelled'));
ALTER TABLE payments ADD CONSTRAINT ck_payments_hold_known CHECK (hold IN ('account', 'account_rejected', 'release'));
ALTER TABLE payments ADD CONSTRAINT ck_payments_held_for_a_reason CHECK ((status = 'held') = (hold IS NOT NULL));
CREATE INDEX ix_payments_held ON payments (verification_id) WHERE status = 'held';

ALTER TABLE reports ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE reports ALTER COLUMN amount DROP NOT NULL;
ALTER TABLE reports ALTER COLUMN end_to_end_id DROP NOT NULL;
ALTER TABLE reports ALTER COLUMN bank_reference DROP NOT NULL;
ALTER TABLE reports ADD COLUMN recovery_id UUID;
ALTER TABLE reports ADD COLUMN verification_id UUID;
ALTER TABLE reports ADD COLUMN attempt INTEGER;
CREATE INDEX ix_reports_recovery_id ON reports (recovery_id);

CREATE TABLE recoveries (
  recovery_id UUID NOT NULL,
  award_id UUID NOT NULL,
  application_id UUID NOT NULL,
  applicant TEXT NOT NULL,
  scheme TEXT NOT NULL,
  pool TEXT NOT NULL,
  demanded BIGINT NOT NULL,
  received BIGINT DEFAULT '0' NOT NULL,
  netted BIGINT DEFAULT '0' NOT NULL,
  reserved BIGINT DEFAULT '0' NOT NULL,
  written_off BIGINT DEFAULT '0' NOT NULL,
  reason TEXT NOT NULL,
  status TEXT NOT NULL,
  demanded_at TIMESTAMP WITH TIME ZONE NOT NULL,
  closed_at TIMESTAMP WITH TIME ZONE,
  due_at TIMESTAMP WITH TIME ZONE,
  next_step_at TIMESTAMP WITH TIME ZONE,
  missed_at TIMESTAMP WITH TIME ZONE,
  questions INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT pk_recoveries PRIMARY KEY (recovery_id),
  CONSTRAINT ck_recoveries_positive CHECK (demanded > 0 AND reserved >= 0 AND written_off >= 0),
  CONSTRAINT ck_recoveries_netted_is_received CHECK (netted >= 0 AND netted <= received),
  CONSTRAINT ck_recoveries_within_demand CHECK (received + reserved + written_off <= demanded),
  CONSTRAINT ck_recoveries_status_known CHECK (status IN ('demanded', 'received', 'written_off'))
);
CREATE INDEX ix_recoveries_award_id ON recoveries (award_id);
CREATE INDEX ix_recoveries_open ON recoveries (applicant, pool) WHERE status = 'demanded';
CREATE INDEX ix_recoveries_deadline ON recoveries (next_step_at) WHERE next_step_at IS NOT NULL;

CREATE TABLE nettings (
  payment_id UUID NOT NULL,
  recovery_id UUID NOT NULL,
  amount BIGINT NOT NULL,
  CONSTRAINT pk_nettings PRIMARY KEY (payment_id, recovery_id),
  CONSTRAINT ck_nettings_positive CHECK (amount > 0)
);

CREATE TABLE orders (
  order_id UUID NOT NULL,
  kind TEXT NOT NULL,
  subject JSONB NOT NULL,
  reason TEXT NOT NULL,
  status TEXT NOT NULL,
  proposed_by TEXT NOT NULL,
  proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  decided_by TEXT,
  decided_at TIMESTAMP WITH TIME ZONE,
  decision_reason TEXT,
  CONSTRAINT pk_orders PRIMARY KEY (order_id),
  CONSTRAINT ck_orders_status_known CHECK (status IN ('proposed', 'executed', 'rejected'))
);
CREATE INDEX ix_orders_status ON orders (status, order_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a posted transfer is never changed or removed: post another one that corrects it';
END;
$$;
CREATE TRIGGER transfers_are_immutable BEFORE UPDATE OR DELETE ON transfers
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    execute_script(TABLES)
