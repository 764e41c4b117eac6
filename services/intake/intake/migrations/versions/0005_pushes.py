"""What is pushed to the portal: a feed of changes, webhooks and what is posted to them.

Code of 0004 goes on beside it, and pushes nothing: what changes in its processes is in the timeline alone.
"""

from kit.migrations import execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE SEQUENCE pushes_id_seq;

CREATE TABLE pushes (
  id bigint NOT NULL DEFAULT CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('pushes_id_seq') END,
  created_at timestamptz NOT NULL DEFAULT now(),
  client text NOT NULL,
  application_id uuid,
  applicant text,
  type text NOT NULL,
  data bytea NOT NULL,
  CONSTRAINT pk_pushes PRIMARY KEY (id)
);

CREATE TABLE pushes_forgotten (
  up_to bigint NOT NULL,
  CONSTRAINT pk_pushes_forgotten PRIMARY KEY (up_to)
);

CREATE TABLE webhooks (
  webhook_id uuid NOT NULL,
  client text NOT NULL,
  url text NOT NULL,
  events text[] NOT NULL,
  status text NOT NULL,
  disabled_because text,
  disabled_at timestamptz,
  secret text NOT NULL,
  previous_secret text,
  previous_secret_until timestamptz,
  cursor bigint NOT NULL,
  missed bigint NOT NULL,
  not_before timestamptz,
  version integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT pk_webhooks PRIMARY KEY (webhook_id),
  CONSTRAINT ck_webhooks_status_known CHECK (status IN ('enabled', 'disabled'))
);
CREATE INDEX ix_webhooks_client ON webhooks (client);

CREATE TABLE deliveries (
  delivery_id uuid NOT NULL,
  webhook_id uuid NOT NULL,
  position bigint NOT NULL,
  application_id uuid,
  type text NOT NULL,
  body bytea NOT NULL,
  status text NOT NULL,
  created_at timestamptz NOT NULL,
  attempts integer NOT NULL,
  next_try_at timestamptz NOT NULL,
  leased_until timestamptz,
  failing_since timestamptz,
  last_attempt_at timestamptz,
  last_status integer,
  last_error text,
  delivered_at timestamptz,
  CONSTRAINT pk_deliveries PRIMARY KEY (delivery_id),
  CONSTRAINT fk_deliveries_webhook_id_webhooks FOREIGN KEY (webhook_id)
    REFERENCES webhooks (webhook_id) ON DELETE CASCADE,
  CONSTRAINT ck_deliveries_status_known CHECK (status IN ('pending', 'delivered', 'skipped'))
);
CREATE INDEX ix_deliveries_of_webhook ON deliveries (webhook_id, delivery_id);
CREATE INDEX ix_deliveries_pending ON deliveries (webhook_id, application_id, position, delivery_id)
  WHERE status = 'pending';
CREATE INDEX ix_deliveries_created_at ON deliveries (created_at);
"""


def upgrade() -> None:
    execute_script(TABLES)
