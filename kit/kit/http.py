"""The HTTP side that all services share: an application with health, metrics, problems and an edge."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from contracts.problem import Catalogue
from kit import openapi
from kit.door import Door
from kit.edge import Edge
from kit.health import MoreMetrics, Trouble, add_health, add_metrics, no_more_metrics
from kit.limits import Limits
from kit.problems import PROBLEMS
from kit.refusing import add_errors, problem
from kit.shortcuts import Shortcuts
from kit.tracing import TRACEPARENT

__all__ = ["TRACEPARENT", "MoreMetrics", "Trouble", "create_app", "document_of", "page_of", "problem"]

# Spans are the edge's. FastAPI's own would also record the input of a failed validation: names, accounts.
_NOT_FASTAPIS: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_TAGS: Final = {
    "admin": "For operators: parked events, redrive, how far behind the service is.",
    "privacy": "For operators and auditors: keys, and one applicant's data exported or erased.",
    "health": "For whoever runs the service: is it alive, is it ready, its metrics.",
}


def create_app(
    *,
    service: str,
    title: str,
    description: str,
    trouble: Mapping[str, Trouble],
    stuck: Trouble = lambda: None,
    more_metrics: MoreMetrics = no_more_metrics,
    body_limits: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    door: Door | None = None,
    own_problems: Catalogue | None = None,
    tags: Mapping[str, str] | None = None,
) -> FastAPI:
    """Return the service's application with the calls and errors that every service has.

    ``trouble`` maps each part that readiness depends on to a function that says what is missing, or None.
    ``stuck`` says why only a new process can go on, or None.
    ``more_metrics`` renders, at each scrape, what this process does not count itself.
    ``body_limits`` maps paths whose bodies may be larger than MAX_BODY_BYTES to how large, in bytes.
    ``limits`` says how often one caller may call, ``door`` how many calls begin at a time; without them all may.
    ``own_problems`` are the codes of the service's own refusals, ``tags`` says what its groups of calls are for.
    """
    app = _Application(
        title=title,
        description=description,
        version="1",
        openapi_url="/openapi.json",
        docs_url="/docs",
        generate_unique_id_function=openapi.operation_id,
        telemetry=_NOT_FASTAPIS,
    )
    app.state.shortcuts = Shortcuts()
    app.state.edge = {"body_limits": body_limits or {}, "limits": limits, "door": door}
    app.state.problems = {**PROBLEMS, **(own_problems or {})}
    app.state.tags = {**(tags or {}), **_TAGS}
    app.openapi = partial(document_of, app)  # type: ignore[method-assign]  # FastAPI's own way to replace it
    add_health(app, service, trouble, stuck)
    add_metrics(app, more_metrics)
    add_errors(app, door)
    return app


class _Application(FastAPI):
    """FastAPI behind the edge."""

    def build_middleware_stack(self) -> ASGIApp:
        inner = super().build_middleware_stack()
        return Edge(inner, shortcuts=self.state.shortcuts, errors=self.exception_handlers, **self.state.edge)


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application that has all of its routes; it is made once."""
    if app.openapi_schema is None:
        app.openapi_schema = openapi.describe(app, app.state.problems, app.state.tags)
    return app.openapi_schema


def page_of(rows: list[dict[str, Any]], limit: int, identifier: str) -> dict[str, Any]:
    """Return a page of at most ``limit`` rows; ask the database for one more, so that the end is known."""
    more = len(rows) > limit
    rows = rows[:limit]
    return {"items": rows, "next_cursor": str(rows[-1][identifier]) if more else None}
