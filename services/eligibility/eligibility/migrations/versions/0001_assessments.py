"""Delivery tables, policies, assessments, contracts, claims, counted invoices. Forward only: a mistake gets a 0002."""

from kit.migrations import create_delivery_tables, execute_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE policies (
  scheme text NOT NULL,
  version text NOT NULL,
  content_hash text NOT NULL,
  document jsonb NOT NULL,
  published_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT pk_policies PRIMARY KEY (scheme, version)
);

CREATE TABLE assessments (
  application_id uuid NOT NULL,
  scheme text NOT NULL,
  applicant text NOT NULL,
  policy_version text NOT NULL,
  submitted jsonb NOT NULL,
  submitted_at timestamptz NOT NULL,
  traceparent text,
  status text NOT NULL,
  facts jsonb,
  outcome text,
  reasons jsonb,
  approved jsonb,
  cap_holder text,
  decided_at timestamptz,
  waits_for text,
  next_try_at timestamptz NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  leased_until timestamptz,
  lease_token uuid,
  due_at timestamptz,
  missed_at timestamptz,
  CONSTRAINT pk_assessments PRIMARY KEY (application_id),
  CONSTRAINT ck_assessments_status CHECK (status IN ('pending', 'waiting', 'decided', 'withdrawn')),
  CONSTRAINT ck_assessments_outcome CHECK (outcome IN ('approved', 'rejected')),
  CONSTRAINT ck_assessments_decided CHECK ((status = 'decided') <= (outcome IS NOT NULL AND facts IS NOT NULL))
);
CREATE INDEX ix_assessments_due ON assessments (next_try_at) WHERE status IN ('pending', 'waiting');
CREATE INDEX ix_assessments_deadline ON assessments (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE contracts (
  scheme text NOT NULL,
  provider text NOT NULL,
  number text NOT NULL,
  application_id uuid NOT NULL,
  CONSTRAINT pk_contracts PRIMARY KEY (scheme, provider, number),
  CONSTRAINT uq_contracts_application_id UNIQUE (application_id),
  CONSTRAINT fk_contracts_application_id_assessments
    FOREIGN KEY (application_id) REFERENCES assessments (application_id)
);

CREATE TABLE claims (
  claim_id uuid NOT NULL,
  application_id uuid NOT NULL,
  submitted jsonb NOT NULL,
  status text NOT NULL,
  eligible jsonb,
  reasons jsonb NOT NULL,
  decided_at timestamptz NOT NULL,
  CONSTRAINT pk_claims PRIMARY KEY (claim_id),
  CONSTRAINT ck_claims_status CHECK (status IN ('verified', 'rejected', 'withdrawn'))
);
CREATE INDEX ix_claims_application_id ON claims (application_id);

CREATE TABLE counted_invoices (
  seller text NOT NULL,
  number text NOT NULL,
  claim_id uuid NOT NULL,
  CONSTRAINT pk_counted_invoices PRIMARY KEY (seller, number)
);
"""


def upgrade() -> None:
    create_delivery_tables()
    execute_script(_TABLES)
