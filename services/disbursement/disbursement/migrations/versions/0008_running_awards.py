"""The index of the awards' deadlines says too when each expires, so that those that run are counted from it alone.

Code of 0007 runs on beside it.
"""

from kit.migrations import execute_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEX = """
DROP INDEX ix_awards_deadline;
CREATE INDEX ix_awards_deadline ON awards (next_step_at) INCLUDE (expires_at) WHERE next_step_at IS NOT NULL;
"""


def upgrade() -> None:
    execute_script(_INDEX)
