"""What a company was accredited for, and which invoices a claim counted in: found by an index, however many there are.

Code of 0005 runs on beside it.
"""

from kit.migrations import execute_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = """
CREATE INDEX ix_assessments_applicant ON assessments (applicant);
CREATE INDEX ix_counted_invoices_claim_id ON counted_invoices (claim_id);
"""


def upgrade() -> None:
    execute_script(_INDEXES)
