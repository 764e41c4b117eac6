"""The rows that a batch works on, as plain mutable records: what was loaded, changed in memory, and is stored again.

Every amount is whole fen. A record's fields are its table's columns.
"""

from typing import Final

from disbursement.records.awards import Application, Award, Claim, Company, Line, Stack
from disbursement.records.ledger import Books, Cap, Envelope, Pool, Transfer
from disbursement.records.payments import Account, Clocked, Netting, Order, Payment, Recovery, Report

__all__: Final = [
    "Account",
    "Application",
    "Award",
    "Books",
    "Cap",
    "Claim",
    "Clocked",
    "Company",
    "Envelope",
    "Line",
    "Netting",
    "Order",
    "Payment",
    "Pool",
    "Recovery",
    "Report",
    "Stack",
    "Transfer",
]
