"""Intake over HTTP, for the portal: bodies to commands, answers to responses. No decisions."""

from typing import Final

from fastapi import APIRouter

from intake.api import applications, claims, hearing, reads, schemes
from intake.api.parts import Parts
from intake.documents import api as documents

__all__ = ["TAGS", "Parts", "router"]

TAGS: Final = {
    "schemes": "What can be applied for, under which rule, and when. No token is needed.",
    "documents": "Evidence: uploaded once, named by its id, confirmed by providers.",
    "applications": "Applications: drafted, submitted, watched, withdrawn, appealed for.",
    "claims": "Claims against an award.",
    "awards": "Awards and vouchers.",
}


def router(parts: Parts) -> APIRouter:
    """Return intake's routes."""
    routes = APIRouter(prefix="/v1")
    schemes.add(routes, parts)
    applications.add(routes, parts)
    hearing.add(routes, parts)
    claims.add(routes, parts)
    reads.add(routes, parts)
    documents.add(routes, parts.library)
    return routes
