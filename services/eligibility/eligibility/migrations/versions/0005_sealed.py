"""Which applications have their account sealed, and under which key: found by an index, for whoever seals and rotates.

Code of 0004 runs on beside it: what it writes in clear is found, and sealed in the background.
"""

from kit.migrations import create_privacy_audit, execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEX = """
CREATE INDEX ix_assessments_key_id ON assessments (split_part(submitted #>> '{company,account,sealed}', '.', 2));
"""


def upgrade() -> None:
    execute_script(_INDEX)
    create_privacy_audit()
