"""Evidence that was uploaded: what it is and what it hashes to. The bytes are in the document store."""

from kit.migrations import execute_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE documents (
  document_id uuid NOT NULL,
  client text NOT NULL,
  kind text,
  name text NOT NULL,
  media_type text NOT NULL,
  size bigint NOT NULL,
  sha256 text NOT NULL,
  uploaded_at timestamptz NOT NULL,
  finding text,
  confirmed_by text,
  confirmed_at timestamptz,
  CONSTRAINT pk_documents PRIMARY KEY (document_id),
  CONSTRAINT ck_documents_not_empty CHECK (size > 0)
);
"""


def upgrade() -> None:
    execute_script(_TABLES)
