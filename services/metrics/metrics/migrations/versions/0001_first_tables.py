"""The first tables of metrics: a projection, so nothing here needs a backup."""

from kit.migrations import create_delivery_tables, execute_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE pools (
  pool TEXT NOT NULL,
  version BIGINT DEFAULT '0' NOT NULL,
  hash TEXT DEFAULT '0000000000000000000000000000000000000000000000000000000000000000' NOT NULL,
  appropriated BIGINT DEFAULT '0' NOT NULL,
  available BIGINT DEFAULT '0' NOT NULL,
  committed BIGINT DEFAULT '0' NOT NULL,
  obligated BIGINT DEFAULT '0' NOT NULL,
  disbursed BIGINT DEFAULT '0' NOT NULL,
  carried_available BIGINT DEFAULT '0' NOT NULL,
  carried_committed BIGINT DEFAULT '0' NOT NULL,
  carried_obligated BIGINT DEFAULT '0' NOT NULL,
  carried_disbursed BIGINT DEFAULT '0' NOT NULL,
  breaks BIGINT DEFAULT '0' NOT NULL,
  last_break TEXT,
  CONSTRAINT pk_pools PRIMARY KEY (pool)
);

CREATE TABLE applications (
  application_id UUID NOT NULL,
  scheme TEXT DEFAULT '' NOT NULL,
  intake TEXT DEFAULT '' NOT NULL,
  eligibility TEXT DEFAULT '' NOT NULL,
  disbursement TEXT DEFAULT '' NOT NULL,
  clarifications BIGINT DEFAULT '0' NOT NULL,
  appeals BIGINT DEFAULT '0' NOT NULL,
  submitted_at TIMESTAMP WITH TIME ZONE,
  approved_at TIMESTAMP WITH TIME ZONE,
  rejected_at TIMESTAMP WITH TIME ZONE,
  waitlisted_at TIMESTAMP WITH TIME ZONE,
  awarded_at TIMESTAMP WITH TIME ZONE,
  refused_at TIMESTAMP WITH TIME ZONE,
  withdrawn_at TIMESTAMP WITH TIME ZONE,
  lapsed_at TIMESTAMP WITH TIME ZONE,
  waits_for_pool TEXT,
  waits_for BIGINT DEFAULT '0' NOT NULL,
  awarded BIGINT DEFAULT '0' NOT NULL,
  CONSTRAINT pk_applications PRIMARY KEY (application_id)
);

CREATE TABLE claims (
  claim_id UUID NOT NULL,
  scheme TEXT DEFAULT '' NOT NULL,
  submitted_at TIMESTAMP WITH TIME ZONE,
  instructed_at TIMESTAMP WITH TIME ZONE,
  settled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_claims PRIMARY KEY (claim_id)
);

CREATE TABLE award_years (
  award_id UUID NOT NULL,
  fiscal_year INTEGER NOT NULL,
  CONSTRAINT pk_award_years PRIMARY KEY (award_id)
);

CREATE TABLE envelopes (
  scheme TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  envelope BIGINT,
  CONSTRAINT pk_envelopes PRIMARY KEY (scheme)
);

CREATE TABLE progress (
  topic TEXT NOT NULL,
  last_event_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_progress PRIMARY KEY (topic)
);

CREATE TABLE tallies (
  name TEXT NOT NULL,
  scheme TEXT NOT NULL,
  label TEXT NOT NULL,
  value BIGINT DEFAULT '0' NOT NULL,
  CONSTRAINT pk_tallies PRIMARY KEY (name, scheme, label)
);

CREATE TABLE scheme_balances (
  pool TEXT NOT NULL,
  scheme TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  state TEXT NOT NULL,
  amount BIGINT DEFAULT '0' NOT NULL,
  CONSTRAINT pk_scheme_balances PRIMARY KEY (pool, scheme, fiscal_year, state)
);

CREATE TABLE flows (
  pool TEXT NOT NULL,
  scheme TEXT NOT NULL,
  district TEXT NOT NULL,
  day DATE NOT NULL,
  state TEXT NOT NULL,
  amount BIGINT DEFAULT '0' NOT NULL,
  CONSTRAINT pk_flows PRIMARY KEY (pool, scheme, district, day, state)
);
"""


def upgrade() -> None:
    create_delivery_tables()
    execute_script(TABLES)
