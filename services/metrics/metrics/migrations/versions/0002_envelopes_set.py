"""What a scheme may commit in a fiscal year, as disbursement has set it: a new table, nothing that is there changes.

A projection that had passed over ``envelope.set`` before this shows the policies' envelopes until it is rebuilt.
"""

from kit.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE envelope_years (
  scheme TEXT NOT NULL,
  fiscal_year INTEGER NOT NULL,
  appropriated BIGINT NOT NULL,
  CONSTRAINT pk_envelope_years PRIMARY KEY (scheme, fiscal_year)
);
"""


def upgrade() -> None:
    execute_script(TABLES)
