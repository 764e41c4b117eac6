"""What the status page needs: how far applications came, the schemes' titles, how many companies are behind a sum.

It only adds. Of what was seen before, nothing is known of all that until the projection is rebuilt: the page then shows
schemes by their ids, counts no claims, and gives no sum of a district or month by itself.
"""

from kit.migrations import execute_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ADDED = """
ALTER TABLE applications
  ADD COLUMN company UUID,
  ADD COLUMN claimed_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN paid_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE envelopes
  ADD COLUMN title_zh TEXT DEFAULT '' NOT NULL,
  ADD COLUMN title_en TEXT DEFAULT '' NOT NULL;

CREATE TABLE parties (
  pool TEXT NOT NULL,
  district TEXT NOT NULL,
  month DATE NOT NULL,
  state TEXT NOT NULL,
  application_id UUID NOT NULL,
  CONSTRAINT pk_parties PRIMARY KEY (pool, district, month, state, application_id)
);
"""


def upgrade() -> None:
    execute_script(ADDED)
