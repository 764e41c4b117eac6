"""Who is behind a sum, as companies: of each pool's district, month and state a few, however many come.

``parties`` keeps only what no company is known of yet, and is found by its application. What is known already moves.
Processes of before that still run read ``parties`` alone and withhold more sums for as long; what they add meanwhile
moves with the next event of its application, and is counted until then as before.
"""

from kit.migrations import execute_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOVED = """
CREATE TABLE companies_behind (
  pool TEXT NOT NULL,
  district TEXT NOT NULL,
  month DATE NOT NULL,
  state TEXT NOT NULL,
  company UUID NOT NULL,
  CONSTRAINT pk_companies_behind PRIMARY KEY (pool, district, month, state, company)
);

INSERT INTO companies_behind (pool, district, month, state, company)
SELECT pool, district, month, state, company FROM (
  SELECT *, row_number() OVER (PARTITION BY pool, district, month, state ORDER BY company) AS place FROM (
    SELECT DISTINCT pool, district, month, state, company FROM parties JOIN applications USING (application_id)
    WHERE company IS NOT NULL
  ) AS known
) AS placed WHERE place <= 20;

DELETE FROM parties USING applications
WHERE applications.application_id = parties.application_id AND applications.company IS NOT NULL;

ALTER TABLE parties
  DROP CONSTRAINT pk_parties,
  ADD CONSTRAINT pk_parties PRIMARY KEY (application_id, pool, district, month, state);
"""


def upgrade() -> None:
    execute_script(MOVED)
