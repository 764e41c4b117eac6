"""Disbursement over HTTP: reads for finance and auditors, and what finance orders and reports. No decisions."""

from typing import Final

from fastapi import APIRouter

from disbursement.api import files, reads, reconciliation, writes
from disbursement.api.files import BODY_LIMITS
from disbursement.api.parts import Parts

__all__ = ["BODY_LIMITS", "TAGS", "Parts", "router"]

TAGS: Final = {
    "pools": "The pools' and envelopes' balances. Public: no token is needed.",
    "ledger": "Every transfer, and whether the books agree with each other.",
    "awards": "Awards, claims on them, and what is demanded back.",
    "payments": "Payments, what the bank did, and what finance's people decide.",
    "orders": "What takes two persons: one orders it, another approves it.",
    "files": "Payments to the bank and its answers, as ISO 20022 files.",
}


def router(parts: Parts) -> APIRouter:
    """Return disbursement's routes."""
    routes = APIRouter(prefix="/v1")
    reads.add(routes, parts)
    reconciliation.add(routes, parts)
    writes.add(routes, parts)
    files.add(routes, parts)
    return routes
