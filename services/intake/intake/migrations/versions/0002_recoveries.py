"""Money that is asked back. Code of 0001 runs on beside the new column."""

from kit.migrations import execute_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE applications ADD COLUMN recoveries JSONB DEFAULT '{}' NOT NULL;
"""


def upgrade() -> None:
    execute_script(COLUMNS)
