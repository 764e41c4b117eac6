"""Disbursement over HTTP: reads for finance and auditors, and what finance orders and reports. No decisions."""

from fastapi import APIRouter

from disbursement.api import files, reads, reconciliation, writes
from disbursement.api.files import BODY_LIMITS
from disbursement.api.parts import Parts

__all__ = ["BODY_LIMITS", "Parts", "router"]


def router(parts: Parts) -> APIRouter:
    """Return disbursement's routes."""
    routes = APIRouter(prefix="/v1")
    reads.add(routes, parts)
    reconciliation.add(routes, parts)
    writes.add(routes, parts)
    files.add(routes, parts)
    return routes
