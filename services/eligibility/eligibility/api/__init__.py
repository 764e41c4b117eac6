"""Eligibility over HTTP: HTTP to commands and queries, results to HTTP; no decisions."""

from typing import Final

from fastapi import APIRouter

from eligibility.api import calls, policies, reads, tasks
from eligibility.api.parts import Parts

__all__ = ["TAGS", "Parts", "router"]

TAGS: Final = {
    "tasks": "What waits for a person: claim it, decide it, ask the applicant, declare an interest.",
    "assessments": "Applications as they were assessed, and their decisions made again.",
    "calls": "Ranking calls: a panel scores, an officer ranks.",
    "policies": "The schemes' documents: published, simulated.",
    "audit": "Who did what, when, on which facts.",
}


def router(parts: Parts) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1")
    reads.add(routes, parts)
    tasks.add(routes, parts)
    policies.add(routes, parts)
    calls.add(routes, parts)
    return routes
