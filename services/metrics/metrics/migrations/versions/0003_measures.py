"""What the programme's targets add up beside money: numbers of the requests, such as square metres.

Applications that were seen before have none until the projection is rebuilt.
"""

from kit.migrations import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("ALTER TABLE applications ADD COLUMN measures text NOT NULL DEFAULT '{}';")
