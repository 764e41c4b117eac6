"""Who sent an application: each program that calls sees its own."""

from kit.migrations import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("ALTER TABLE applications ADD COLUMN client text NOT NULL DEFAULT 'portal';")
