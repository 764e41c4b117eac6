"""Eligibility over HTTP: HTTP to commands and queries, results to HTTP; no decisions."""

from fastapi import APIRouter

from eligibility.api import calls, policies, reads, tasks
from eligibility.api.parts import Parts

__all__ = ["Parts", "router"]


def router(parts: Parts) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1")
    reads.add(routes, parts)
    tasks.add(routes, parts)
    policies.add(routes, parts)
    calls.add(routes, parts)
    return routes
