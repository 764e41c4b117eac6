"""Indexes for each way to ask for a list: what one client sent, a district's, by the time of submission.

Each is built while writers wait, a second for some hundred thousand applications. The first two replace scans; the
last one carries the id as well, so that a page goes on where the one before ended.
"""

from kit.migrations import execute_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = """
CREATE INDEX ix_applications_client ON applications (client, application_id);

CREATE INDEX ix_applications_district ON applications (district, application_id);

DROP INDEX ix_applications_submitted_at;

CREATE INDEX ix_applications_submitted_at ON applications (submitted_at, application_id);
"""


def upgrade() -> None:
    execute_script(INDEXES)
