"""A contract may be taken before its application is stored, in one transaction: the reference counts at its end.

Code of 0007 runs on beside it.
"""

from kit.migrations import execute_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_DEFERRED = """
ALTER TABLE contracts ALTER CONSTRAINT fk_contracts_application_id_assessments DEFERRABLE INITIALLY DEFERRED;
"""


def upgrade() -> None:
    execute_script(_DEFERRED)
