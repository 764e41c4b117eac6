"""The tables and statements of the row-lock ledger. Each decision is written by one statement."""

from typing import Final

_BOOKS: Final = """
  appropriated bigint NOT NULL, available bigint NOT NULL, committed bigint NOT NULL DEFAULT 0,
  obligated bigint NOT NULL DEFAULT 0, disbursed bigint NOT NULL DEFAULT 0,
  CHECK (available >= 0 AND committed >= 0 AND obligated >= 0 AND disbursed >= 0),
  CHECK (appropriated = available + committed + obligated + disbursed)
"""

TABLES: Final = f"""
CREATE TABLE pools (pool text PRIMARY KEY, {_BOOKS});
CREATE TABLE envelopes (
  scheme text, fiscal_year integer, pool text NOT NULL, {_BOOKS}, PRIMARY KEY (scheme, fiscal_year));
CREATE TABLE caps (
  scheme text, fiscal_year integer, holder text, granted bigint NOT NULL CHECK (granted >= 0),
  PRIMARY KEY (scheme, fiscal_year, holder));
CREATE TABLE applications (
  application_id uuid PRIMARY KEY, applicant text NOT NULL, scheme text NOT NULL, fiscal_year integer NOT NULL,
  state text NOT NULL, submitted_at timestamptz NOT NULL, approval bytea);
CREATE INDEX ON applications (scheme, fiscal_year, submitted_at, application_id) WHERE state = 'waitlisted';
CREATE TABLE awards (
  award_id uuid PRIMARY KEY, application_id uuid NOT NULL UNIQUE, applicant text NOT NULL, scheme text NOT NULL,
  fiscal_year integer NOT NULL, pool text NOT NULL, district text NOT NULL, cap_holder text NOT NULL,
  policy_version text NOT NULL, kind text NOT NULL, voucher_code text UNIQUE, rate integer NOT NULL,
  approved bigint NOT NULL, awarded bigint NOT NULL, committed bigint NOT NULL, obligated bigint NOT NULL DEFAULT 0,
  disbursed bigint NOT NULL DEFAULT 0, limited_by text NOT NULL, creditor jsonb NOT NULL,
  issued_at timestamptz NOT NULL, valid_until timestamptz NOT NULL,
  CHECK (awarded <= approved), CHECK (awarded = committed + obligated + disbursed),
  CHECK (committed >= 0 AND obligated >= 0 AND disbursed >= 0));
CREATE TABLE claims (
  claim_id uuid PRIMARY KEY, award_id uuid NOT NULL, application_id uuid NOT NULL, applicant text NOT NULL,
  eligible bigint NOT NULL, payable bigint NOT NULL, status text NOT NULL, verified_at timestamptz NOT NULL);
CREATE INDEX ON claims (award_id);
CREATE TABLE payments (
  payment_id uuid PRIMARY KEY, claim_id uuid NOT NULL UNIQUE, award_id uuid NOT NULL, application_id uuid NOT NULL,
  applicant text NOT NULL, scheme text NOT NULL, fiscal_year integer NOT NULL, pool text NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0), end_to_end_id text NOT NULL UNIQUE, status text NOT NULL,
  creditor jsonb NOT NULL, instructed_at timestamptz NOT NULL, settled_at timestamptz, bank_reference text);
CREATE TABLE transfers (
  transfer_id uuid PRIMARY KEY, command text NOT NULL UNIQUE, pool text NOT NULL, source text NOT NULL,
  target text NOT NULL, amount bigint NOT NULL CHECK (amount > 0), award_id uuid, claim_id uuid, payment_id uuid,
  posted_at timestamptz NOT NULL);
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(),
  event_id uuid NOT NULL, topic text NOT NULL, key text NOT NULL, type text NOT NULL, data bytea NOT NULL);
CREATE TABLE processed (event_id uuid PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now());
"""

OPEN_POOL: Final = "INSERT INTO pools (pool, appropriated, available) VALUES ($1, $2, $2)"
OPEN_ENVELOPE: Final = """
INSERT INTO envelopes (scheme, fiscal_year, pool, appropriated, available) VALUES ($1, $2, $3, $4, $4)
"""
DEDUPLICATE: Final = "INSERT INTO processed (event_id) VALUES ($1) ON CONFLICT DO NOTHING"
LOCK_POOL: Final = "SELECT available FROM pools WHERE pool = $1 FOR UPDATE"

# After the lock, in a statement of its own: one that waited for the lock would still read these as they were before.
LIMITS: Final = """
SELECT (SELECT available FROM envelopes WHERE scheme = $1 AND fiscal_year = $2) AS envelope,
  (SELECT granted FROM caps WHERE scheme = $1 AND fiscal_year = $2 AND holder = $3) AS granted,
  EXISTS (SELECT FROM applications WHERE application_id = $4) AS known,
  EXISTS (SELECT FROM applications WHERE scheme = $1 AND fiscal_year = $2 AND state = 'waitlisted') AS line
"""

_EVENT: Final = "INSERT INTO outbox (event_id, topic, key, type, data)"

DECLINE: Final = f"""
WITH application AS (
  INSERT INTO applications (application_id, applicant, scheme, fiscal_year, state, submitted_at, approval)
  VALUES ($1, $2, $3, $4, $5, $6, $7))
{_EVENT} VALUES ($8, $9, $10, $11, $12)
"""

AWARD: Final = f"""
WITH application AS (
  INSERT INTO applications (application_id, applicant, scheme, fiscal_year, state, submitted_at)
  VALUES ($1, $2, $3, $4, 'awarded', $5)),
award AS (
  INSERT INTO awards (award_id, application_id, applicant, scheme, fiscal_year, pool, district, cap_holder,
    policy_version, kind, voucher_code, rate, approved, awarded, committed, limited_by, creditor, issued_at,
    valid_until)
  VALUES ($6, $1, $2, $3, $4, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16, $17, $18, $19)),
transfer AS (
  INSERT INTO transfers (transfer_id, command, pool, source, target, amount, award_id, posted_at)
  VALUES ($20, $21, $7, 'available', 'committed', $15, $6, $18)),
cap AS (
  INSERT INTO caps (scheme, fiscal_year, holder, granted) VALUES ($3, $4, $9, $15)
  ON CONFLICT (scheme, fiscal_year, holder) DO UPDATE SET granted = caps.granted + excluded.granted),
envelope AS (
  UPDATE envelopes SET available = available - $15, committed = committed + $15
  WHERE scheme = $3 AND fiscal_year = $4),
event AS ({_EVENT} VALUES ($22, $23, $24, $25, $26))
UPDATE pools SET available = available - $15, committed = committed + $15 WHERE pool = $7
"""

AWARD_OF_CLAIM: Final = """
SELECT rate, committed, fiscal_year, creditor, EXISTS (SELECT FROM claims WHERE claim_id = $2) AS known
FROM awards WHERE award_id = $1
"""

REJECT_CLAIM: Final = f"""
WITH claim AS (
  INSERT INTO claims (claim_id, award_id, application_id, applicant, eligible, payable, status, verified_at)
  VALUES ($1, $2, $3, $4, $5, 0, 'rejected', $6))
{_EVENT} VALUES ($7, $8, $9, $10, $11)
"""

PAY_CLAIM: Final = f"""
WITH claim AS (
  INSERT INTO claims (claim_id, award_id, application_id, applicant, eligible, payable, status, verified_at)
  VALUES ($1, $2, $3, $4, $5, $6, 'payable', $7)),
payment AS (
  INSERT INTO payments (payment_id, claim_id, award_id, application_id, applicant, scheme, fiscal_year, pool, amount,
    end_to_end_id, status, creditor, instructed_at)
  VALUES ($8, $1, $2, $3, $4, $9, $10, $11, $6, $12, 'instructed', $13, $7)),
award AS (UPDATE awards SET committed = committed - $6, obligated = obligated + $6 WHERE award_id = $2),
transfer AS (
  INSERT INTO transfers (transfer_id, command, pool, source, target, amount, award_id, claim_id, payment_id, posted_at)
  VALUES ($14, $15, $11, 'committed', 'obligated', $6, $2, $1, $8, $7)),
envelope AS (
  UPDATE envelopes SET committed = committed - $6, obligated = obligated + $6 WHERE scheme = $9 AND fiscal_year = $10),
event AS ({_EVENT} VALUES ($16, $17, $4, $18, $19), ($20, $21, $4, $22, $23))
UPDATE pools SET committed = committed - $6, obligated = obligated + $6 WHERE pool = $11
"""

# What never changes of a payment, so that it may be read before the lock.
PAYMENT: Final = """
SELECT claim_id, award_id, application_id, applicant, scheme, fiscal_year, pool FROM payments WHERE payment_id = $1
"""

# A report that does not fit the payment, or comes again, finds no row to settle, and nothing moves.
SETTLE: Final = f"""
WITH payment AS (
  UPDATE payments SET status = 'settled', settled_at = $4, bank_reference = $5
  WHERE payment_id = $1 AND amount = $2 AND end_to_end_id = $3 AND status = 'instructed' RETURNING *),
claim AS (UPDATE claims SET status = 'paid' FROM payment WHERE claims.claim_id = payment.claim_id),
award AS (
  UPDATE awards SET obligated = obligated - $2, disbursed = disbursed + $2
  FROM payment WHERE awards.award_id = payment.award_id),
transfer AS (
  INSERT INTO transfers (transfer_id, command, pool, source, target, amount, award_id, claim_id, payment_id, posted_at)
  SELECT $6, $7, pool, 'obligated', 'disbursed', $2, award_id, claim_id, payment_id, $8 FROM payment),
envelope AS (
  UPDATE envelopes SET obligated = envelopes.obligated - $2, disbursed = envelopes.disbursed + $2
  FROM payment WHERE envelopes.scheme = payment.scheme AND envelopes.fiscal_year = payment.fiscal_year),
event AS ({_EVENT} SELECT $9, $10, applicant, $11, $12 FROM payment)
UPDATE pools SET obligated = pools.obligated - $2, disbursed = pools.disbursed + $2
FROM payment WHERE pools.pool = payment.pool
"""
