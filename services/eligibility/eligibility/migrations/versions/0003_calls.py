"""Ranking calls: the panel's scores, the rankings, and each application's place."""

from kit.migrations import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE panel_scores (
  application_id uuid NOT NULL,
  panellist text NOT NULL,
  score integer NOT NULL,
  comment text NOT NULL,
  scored_at timestamptz NOT NULL,
  CONSTRAINT pk_panel_scores PRIMARY KEY (application_id, panellist)
);

CREATE TABLE rankings (
  scheme text NOT NULL,
  version text NOT NULL,
  document jsonb NOT NULL,
  decided_by text NOT NULL,
  decided_at timestamptz NOT NULL,
  CONSTRAINT pk_rankings PRIMARY KEY (scheme, version)
);

CREATE TABLE placements (
  application_id uuid NOT NULL,
  scheme text NOT NULL,
  version text NOT NULL,
  document jsonb NOT NULL,
  CONSTRAINT pk_placements PRIMARY KEY (application_id)
);

CREATE TRIGGER rankings_are_immutable BEFORE UPDATE OR DELETE ON rankings
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER placements_are_immutable BEFORE UPDATE OR DELETE ON placements
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    execute_script(_TABLES)
