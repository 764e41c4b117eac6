"""The first tables of disbursement."""

from kit.migrations import create_delivery_tables, execute_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE applications (
  application_id UUID NOT NULL,
  applicant TEXT NOT NULL,
  scheme TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  state TEXT NOT NULL,
  submitted_at TIMESTAMP WITH TIME ZONE NOT NULL,
  approval JSONB,
  CONSTRAINT pk_applications PRIMARY KEY (application_id),
  CONSTRAINT ck_applications_state_known CHECK (state IN ('awarded', 'waitlisted', 'refused', 'withdrawn'))
);

CREATE INDEX ix_applications_waitlist ON applications (scheme, fiscal_year, submitted_at, application_id)
  WHERE state = 'waitlisted';

CREATE TABLE awards (
  award_id UUID NOT NULL,
  application_id UUID NOT NULL,
  applicant TEXT NOT NULL,
  scheme TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  pool TEXT,
  district TEXT NOT NULL,
  cap_holder TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  kind TEXT NOT NULL,
  voucher_code TEXT,
  rate INTEGER NOT NULL,
  approved BIGINT NOT NULL,
  awarded BIGINT NOT NULL,
  committed BIGINT NOT NULL,
  obligated BIGINT NOT NULL,
  disbursed BIGINT NOT NULL,
  released BIGINT NOT NULL,
  limited_by TEXT NOT NULL,
  status TEXT NOT NULL,
  creditor JSONB NOT NULL,
  issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
  valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
  valid_until TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_awards PRIMARY KEY (award_id),
  CONSTRAINT ck_awards_not_negative CHECK (committed >= 0 AND obligated >= 0 AND disbursed >= 0 AND released >= 0),
  CONSTRAINT ck_awards_balanced CHECK (awarded = committed + obligated + disbursed + released),
  CONSTRAINT ck_awards_within_approval CHECK (awarded <= approved),
  CONSTRAINT uq_awards_application_id UNIQUE (application_id),
  CONSTRAINT uq_awards_voucher_code UNIQUE (voucher_code)
);

CREATE TABLE caps (
  scheme TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  holder TEXT NOT NULL,
  granted BIGINT NOT NULL,
  CONSTRAINT pk_caps PRIMARY KEY (scheme, fiscal_year, holder),
  CONSTRAINT ck_caps_not_negative CHECK (granted >= 0)
);

CREATE TABLE claims (
  claim_id UUID NOT NULL,
  award_id UUID NOT NULL,
  application_id UUID NOT NULL,
  applicant TEXT NOT NULL,
  eligible BIGINT NOT NULL,
  payable BIGINT NOT NULL,
  limited_by TEXT NOT NULL,
  status TEXT NOT NULL,
  verified_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_claims PRIMARY KEY (claim_id),
  CONSTRAINT ck_claims_within_expense CHECK (payable >= 0 AND payable <= eligible)
);

CREATE INDEX ix_claims_award_id ON claims (award_id);

CREATE TABLE envelopes (
  scheme TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  pool TEXT NOT NULL,
  appropriated BIGINT DEFAULT '0' NOT NULL,
  available BIGINT DEFAULT '0' NOT NULL,
  committed BIGINT DEFAULT '0' NOT NULL,
  obligated BIGINT DEFAULT '0' NOT NULL,
  disbursed BIGINT DEFAULT '0' NOT NULL,
  CONSTRAINT pk_envelopes PRIMARY KEY (scheme, fiscal_year),
  CONSTRAINT ck_envelopes_not_negative CHECK (available >= 0 AND committed >= 0 AND obligated >= 0 AND disbursed >= 0),
  CONSTRAINT ck_envelopes_balanced CHECK (appropriated = available + committed + obligated + disbursed)
);

CREATE TABLE payments (
  payment_id UUID NOT NULL,
  claim_id UUID NOT NULL,
  award_id UUID NOT NULL,
  application_id UUID NOT NULL,
  applicant TEXT NOT NULL,
  scheme TEXT NOT NULL,
  pool TEXT NOT NULL,
  amount BIGINT NOT NULL,
  end_to_end_id TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  creditor JSONB NOT NULL,
  instructed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  settled_at TIMESTAMP WITH TIME ZONE,
  returned_at TIMESTAMP WITH TIME ZONE,
  bank_reference TEXT,
  reason_code TEXT,
  due_at TIMESTAMP WITH TIME ZONE,
  next_step_at TIMESTAMP WITH TIME ZONE,
  missed_at TIMESTAMP WITH TIME ZONE,
  questions INTEGER DEFAULT '0' NOT NULL,
  CONSTRAINT pk_payments PRIMARY KEY (payment_id),
  CONSTRAINT ck_payments_positive CHECK (amount > 0),
  CONSTRAINT ck_payments_status_known CHECK (status IN ('instructed', 'settled', 'returned', 'cancelled')),
  CONSTRAINT uq_payments_claim_id UNIQUE (claim_id),
  CONSTRAINT uq_payments_end_to_end_id UNIQUE (end_to_end_id)
);

CREATE INDEX ix_payments_deadline ON payments (next_step_at) WHERE next_step_at IS NOT NULL;

CREATE INDEX ix_payments_status ON payments (status, payment_id);

CREATE TABLE policies (
  scheme TEXT NOT NULL,
  version TEXT NOT NULL,
  policy JSONB NOT NULL,
  CONSTRAINT pk_policies PRIMARY KEY (scheme, version)
);

CREATE TABLE pools (
  pool TEXT NOT NULL,
  name_zh TEXT NOT NULL,
  name_en TEXT NOT NULL,
  appropriated BIGINT DEFAULT '0' NOT NULL,
  available BIGINT DEFAULT '0' NOT NULL,
  committed BIGINT DEFAULT '0' NOT NULL,
  obligated BIGINT DEFAULT '0' NOT NULL,
  disbursed BIGINT DEFAULT '0' NOT NULL,
  version BIGINT DEFAULT '0' NOT NULL,
  hash TEXT NOT NULL,
  CONSTRAINT pk_pools PRIMARY KEY (pool),
  CONSTRAINT ck_pools_not_negative CHECK (available >= 0 AND committed >= 0 AND obligated >= 0 AND disbursed >= 0),
  CONSTRAINT ck_pools_balanced CHECK (appropriated = available + committed + obligated + disbursed)
);

CREATE TABLE reports (
  event_id UUID NOT NULL,
  payment_id UUID NOT NULL,
  type TEXT NOT NULL,
  amount BIGINT NOT NULL,
  end_to_end_id TEXT NOT NULL,
  bank_reference TEXT NOT NULL,
  effect TEXT NOT NULL,
  detail TEXT NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_reports PRIMARY KEY (event_id)
);

CREATE INDEX ix_reports_discrepancies ON reports (event_id) WHERE effect = 'discrepancy';

CREATE INDEX ix_reports_payment_id ON reports (payment_id);

CREATE TABLE transfers (
  pool TEXT NOT NULL,
  version BIGINT NOT NULL,
  transfer_id UUID NOT NULL,
  command TEXT NOT NULL,
  source TEXT NOT NULL,
  target TEXT NOT NULL,
  amount BIGINT NOT NULL,
  scheme TEXT,
  award_id UUID,
  claim_id UUID,
  payment_id UUID,
  hash TEXT NOT NULL,
  document TEXT NOT NULL,
  posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_transfers PRIMARY KEY (pool, version),
  CONSTRAINT ck_transfers_positive CHECK (amount > 0),
  CONSTRAINT uq_transfers_pool UNIQUE (pool, hash),
  CONSTRAINT uq_transfers_transfer_id UNIQUE (transfer_id),
  CONSTRAINT uq_transfers_command UNIQUE (command)
);
"""


def upgrade() -> None:
    create_delivery_tables()
    execute_script(TABLES)
