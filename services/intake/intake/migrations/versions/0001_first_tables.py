"""The first tables of intake."""

from kit.migrations import create_delivery_tables, execute_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE SEQUENCE application_number_seq;

CREATE TABLE applications (
  application_id UUID NOT NULL,
  number TEXT NOT NULL,
  scheme TEXT NOT NULL,
  applicant TEXT NOT NULL,
  district TEXT NOT NULL,
  status TEXT NOT NULL,
  version INTEGER NOT NULL,
  policy_version TEXT NOT NULL,
  provisional BOOLEAN NOT NULL,
  body JSONB NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
  submitted_at TIMESTAMP WITH TIME ZONE,
  progress JSONB NOT NULL,
  decision JSONB,
  award JSONB,
  award_id UUID,
  voucher_code TEXT,
  happenings INTEGER NOT NULL,
  waits_for TEXT,
  waits_since TIMESTAMP WITH TIME ZONE,
  due_at TIMESTAMP WITH TIME ZONE,
  missed_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_applications PRIMARY KEY (application_id),
  CONSTRAINT uq_applications_number UNIQUE (number),
  CONSTRAINT uq_applications_award_id UNIQUE (award_id),
  CONSTRAINT uq_applications_voucher_code UNIQUE (voucher_code)
);

CREATE INDEX ix_applications_applicant ON applications (applicant, application_id);

CREATE INDEX ix_applications_deadline ON applications (due_at, waits_for) WHERE due_at IS NOT NULL;

CREATE INDEX ix_applications_scheme ON applications (scheme, application_id);

CREATE INDEX ix_applications_status ON applications (status, application_id);

CREATE INDEX ix_applications_submitted_at ON applications (submitted_at);

CREATE TABLE claims (
  claim_id UUID NOT NULL,
  application_id UUID NOT NULL,
  award_id UUID NOT NULL,
  applicant TEXT NOT NULL,
  status TEXT NOT NULL,
  body JSONB NOT NULL,
  submitted_at TIMESTAMP WITH TIME ZONE NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
  eligible BIGINT,
  payable BIGINT,
  payment JSONB,
  reasons JSONB,
  waits_for TEXT,
  waits_since TIMESTAMP WITH TIME ZONE,
  due_at TIMESTAMP WITH TIME ZONE,
  missed_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_claims PRIMARY KEY (claim_id),
  CONSTRAINT ck_claims_payable_not_negative CHECK (payable >= 0)
);

CREATE INDEX ix_claims_application_id ON claims (application_id);

CREATE INDEX ix_claims_deadline ON claims (due_at, waits_for) WHERE due_at IS NOT NULL;

CREATE TABLE invoices (
  seller TEXT NOT NULL,
  number TEXT NOT NULL,
  claim_id UUID NOT NULL,
  CONSTRAINT pk_invoices PRIMARY KEY (seller, number)
);

CREATE INDEX ix_invoices_claim_id ON invoices (claim_id);

CREATE TABLE policies (
  scheme TEXT NOT NULL,
  version TEXT NOT NULL,
  policy JSONB NOT NULL,
  CONSTRAINT pk_policies PRIMARY KEY (scheme, version)
);

CREATE TABLE timeline (
  application_id UUID NOT NULL,
  position INTEGER NOT NULL,
  at TIMESTAMP WITH TIME ZONE NOT NULL,
  type TEXT NOT NULL,
  claim_id UUID,
  data JSONB NOT NULL,
  CONSTRAINT pk_timeline PRIMARY KEY (application_id, position)
);
"""


def upgrade() -> None:
    create_delivery_tables()
    execute_script(TABLES)
