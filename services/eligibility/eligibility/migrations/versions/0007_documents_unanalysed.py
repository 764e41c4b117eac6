"""No statistics of columns that hold documents: of no use, and most of what ANALYZE costs (docs/decisions/0032).

Code of 0006 runs on beside it.
"""

from kit.migrations import leave_documents_out_of_statistics

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    leave_documents_out_of_statistics()
