"""Money that is asked back, and what of a claim is kept back for it. Code of 0001 runs on beside the new columns."""

from kit.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE applications ADD COLUMN recoveries JSONB DEFAULT '{}' NOT NULL;

ALTER TABLE claims ADD COLUMN netted BIGINT;
"""


def upgrade() -> None:
    execute_script(COLUMNS)
