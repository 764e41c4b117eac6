"""Accounts are kept sealed: what they are told apart by, and which key each row is sealed under.

Code of 0006 runs on beside it. Two accounts may have one mask, so masks don't tell them apart any more; fingerprints
do. Rows from before have none, until they are sealed in the background.
"""

from kit.migrations import create_privacy_audit, execute_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SEALED = """
ALTER TABLE accounts ADD COLUMN sealed text, ADD COLUMN fingerprint text;
ALTER TABLE accounts DROP CONSTRAINT uq_accounts_applicant;
ALTER TABLE accounts ADD CONSTRAINT uq_accounts_applicant UNIQUE (applicant, fingerprint);
CREATE INDEX ix_accounts_key_id ON accounts (split_part(sealed, '.', 2));
CREATE INDEX ix_awards_key_id ON awards (split_part(creditor ->> 'sealed', '.', 2));
CREATE INDEX ix_payments_key_id ON payments (split_part(creditor ->> 'sealed', '.', 2));
CREATE INDEX ix_applications_key_id ON applications (split_part(approval #>> '{creditor,sealed}', '.', 2))
  WHERE jsonb_typeof(approval) = 'object';
"""


def upgrade() -> None:
    execute_script(_SEALED)
    create_privacy_audit()
