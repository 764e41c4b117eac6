"""Room for the next version of an application beside the one that is there, so that most updates touch no index.

An application is updated seven times in its life; five of these change nothing that is indexed. PostgreSQL keeps such a
version out of the twelve indexes where it finds room on the same page. Only what is written from now on is laid out so.
"""

from kit.migrations import execute_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ROOM = """
ALTER TABLE applications SET (fillfactor = 70);

ALTER TABLE claims SET (fillfactor = 70);
"""


def upgrade() -> None:
    execute_script(_ROOM)
