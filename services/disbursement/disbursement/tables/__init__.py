"""The tables that disbursement owns. Amounts are BIGINT fen; the CHECKs are the last wall, not the first.

One lock rules: whoever changes anything that belongs to a pool (its envelopes, caps, awards, claims, payments,
waitlist) locks the pool's row first, pools in the order of their names. What reaches over pools (an account, the
support of one contract) is changed under the locks of all of them. No other row needs a lock of its own.
"""

from typing import Final

from disbursement.tables.awards import applications, awards, claims, companies, lines, stacks
from disbursement.tables.columns import metadata
from disbursement.tables.files import bank_files, payment_file_entries, payment_files
from disbursement.tables.ledger import caps, envelopes, policies, pools, transfers
from disbursement.tables.payments import accounts, nettings, orders, payments, recoveries, reports
from disbursement.tables.reconciliation import (
    known_flaws,
    ledger_checkpoints,
    reconciliation_turns,
    reconciliations,
    topic_positions,
)

__all__: Final = [
    "accounts",
    "applications",
    "awards",
    "bank_files",
    "caps",
    "claims",
    "companies",
    "envelopes",
    "known_flaws",
    "ledger_checkpoints",
    "lines",
    "metadata",
    "nettings",
    "orders",
    "payment_file_entries",
    "payment_files",
    "payments",
    "policies",
    "pools",
    "reconciliation_turns",
    "reconciliations",
    "recoveries",
    "reports",
    "stacks",
    "topic_positions",
    "transfers",
]
