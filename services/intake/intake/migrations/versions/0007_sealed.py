"""Which applications have their account sealed, and under which key: found by an index, for whoever seals and rotates.

Code of 0004 runs on beside it: what it writes in clear is found, and sealed in the background.
"""

from kit.migrations import create_privacy_audit, execute_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEX = """
CREATE INDEX ix_applications_key_id ON applications (split_part(body #>> '{applicant,account,sealed}', '.', 2));

ALTER TABLE documents ADD COLUMN erased_at timestamptz;
"""


def upgrade() -> None:
    execute_script(_INDEX)
    create_privacy_audit()
