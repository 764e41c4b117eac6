"""Persons who decide: tasks, votes, interests, an audit that only grows; claims that wait for acceptance."""

from kit.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
LOCK TABLE assessments, claims IN ACCESS EXCLUSIVE MODE;
CREATE TABLE tasks (
  task_id uuid NOT NULL,
  kind text NOT NULL,
  application_id uuid NOT NULL,
  claim_id uuid,
  scheme text NOT NULL,
  applicant text NOT NULL,
  opened_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  holder text,
  claimed_at timestamptz,
  closed_at timestamptz,
  outcome text,
  CONSTRAINT pk_tasks PRIMARY KEY (task_id),
  CONSTRAINT ck_tasks_kind CHECK (kind IN ('review', 'facts', 'acceptance'))
);
CREATE UNIQUE INDEX uq_tasks_open ON tasks (coalesce(claim_id, application_id), kind) WHERE closed_at IS NULL;
CREATE INDEX ix_tasks_application_id ON tasks (application_id);

CREATE TABLE votes (
  subject uuid NOT NULL,
  officer text NOT NULL,
  approve boolean NOT NULL,
  amount bigint,
  reasons jsonb NOT NULL,
  at timestamptz NOT NULL,
  facts text NOT NULL,
  CONSTRAINT pk_votes PRIMARY KEY (subject, officer, facts)
);

CREATE TABLE interests (
  officer text NOT NULL,
  applicant text NOT NULL,
  why text NOT NULL,
  declared_at timestamptz NOT NULL,
  CONSTRAINT pk_interests PRIMARY KEY (officer, applicant)
);

CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL,
  who text NOT NULL,
  what text NOT NULL,
  application_id uuid,
  claim_id uuid,
  task_id uuid,
  facts text,
  data jsonb NOT NULL,
  CONSTRAINT pk_audit PRIMARY KEY (id)
);
CREATE INDEX ix_audit_application_id ON audit (application_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME;
END;
$$;
CREATE TRIGGER audit_is_immutable BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER votes_are_immutable BEFORE UPDATE OR DELETE ON votes
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER interests_are_immutable BEFORE UPDATE OR DELETE ON interests
  FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE INDEX ix_assessments_submitted_at ON assessments (submitted_at, application_id) WHERE status = 'decided';

ALTER TABLE claims DROP CONSTRAINT ck_claims_status;
ALTER TABLE claims ADD CONSTRAINT ck_claims_status CHECK (status IN ('waiting', 'verified', 'rejected', 'withdrawn'));
"""


def upgrade() -> None:
    execute_script(_TABLES)
