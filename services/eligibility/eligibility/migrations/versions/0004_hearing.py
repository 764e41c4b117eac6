"""What is said of an application: questions, answers, objections, one appeal; the decisions before a correction."""

from kit.migrations import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = """
LOCK TABLE assessments, claims, tasks IN ACCESS EXCLUSIVE MODE;
ALTER TABLE assessments ADD COLUMN left_seconds double precision, ADD COLUMN approved_at timestamptz;

ALTER TABLE tasks DROP CONSTRAINT ck_tasks_kind;
ALTER TABLE tasks ADD CONSTRAINT ck_tasks_kind CHECK (kind IN ('review', 'facts', 'acceptance', 'appeal')) NOT VALID;
ALTER TABLE tasks VALIDATE CONSTRAINT ck_tasks_kind;

CREATE TABLE statements (
  application_id uuid NOT NULL,
  position integer NOT NULL,
  document jsonb NOT NULL,
  CONSTRAINT pk_statements PRIMARY KEY (application_id, position)
);

CREATE TABLE appeals (
  application_id uuid NOT NULL,
  grounds text NOT NULL,
  lodged_at timestamptz NOT NULL,
  decided_at timestamptz,
  upheld boolean,
  outcome jsonb,
  CONSTRAINT pk_appeals PRIMARY KEY (application_id),
  CONSTRAINT ck_appeals_decided CHECK ((decided_at IS NULL) = (upheld IS NULL))
);

CREATE TABLE earlier_decisions (
  application_id uuid NOT NULL,
  position integer NOT NULL,
  document jsonb NOT NULL,
  CONSTRAINT pk_earlier_decisions PRIMARY KEY (application_id, position)
);

CREATE TRIGGER statements_are_immutable BEFORE UPDATE OR DELETE ON statements
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER earlier_decisions_are_immutable BEFORE UPDATE OR DELETE ON earlier_decisions
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    execute_script(_TABLES)
