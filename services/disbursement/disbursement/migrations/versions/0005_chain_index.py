"""One index less on transfers: a pool's chain is found by its versions, and nobody looks a transfer up by its hash."""

from kit.migrations import execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_script("ALTER TABLE transfers DROP CONSTRAINT uq_transfers_pool;")
