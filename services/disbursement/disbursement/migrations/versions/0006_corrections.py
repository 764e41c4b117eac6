"""Awards that follow a re-assessment: what stands of the approval, and what is still to be asked back."""

from kit.migrations import execute_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CORRECTIONS = """
ALTER TABLE awards ADD COLUMN corrected_to bigint, ADD COLUMN excess bigint NOT NULL DEFAULT 0;
ALTER TABLE awards DROP CONSTRAINT ck_awards_within_approval;
ALTER TABLE awards ADD CONSTRAINT ck_awards_within_approval
  CHECK (awarded - released <= approved AND (awarded <= approved OR corrected_to >= 0)) NOT VALID;
ALTER TABLE awards ADD CONSTRAINT ck_awards_corrected CHECK (excess >= 0 AND corrected_to >= 0) NOT VALID;
ALTER TABLE awards VALIDATE CONSTRAINT ck_awards_within_approval;
ALTER TABLE awards VALIDATE CONSTRAINT ck_awards_corrected;
"""


def upgrade() -> None:
    execute_script(_CORRECTIONS)
