"""What every service tells whoever runs it: is it alive, can it work, and its metrics."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from kit.openapi import call

Trouble = Callable[[], str | None]
MoreMetrics = Callable[[], Awaitable[bytes]]


async def no_more_metrics() -> bytes:
    """Return the metrics of a service that has none but its process's own."""
    return b""


class LiveOut(BaseModel):
    """Whether the process is alive, and why not."""

    status: Literal["alive", "stuck"]
    service: str = Field(examples=["intake"])
    reason: str | None


class ReadyOut(BaseModel):
    """Whether it can do its work; what is missing, by part."""

    status: Literal["ready", "not ready"]
    service: str = Field(examples=["intake"])
    missing: dict[str, str] = Field(examples=[{}])


def add_health(app: FastAPI, service: str, trouble: Mapping[str, Trouble], stuck: Trouble) -> None:
    """Add liveness and readiness."""
    dead = {503: {"model": LiveOut, "description": "Only a new process can go on; `reason` says why"}}
    waits = {503: {"model": ReadyOut, "description": "Something is missing"}}

    @app.get(
        "/health/live",
        tags=["health"],
        summary="Is the process alive? If not, start it again",
        **call(LiveOut, more=dead),
    )
    async def get_liveness(response: Response) -> LiveOut:
        reason = stuck()
        response.status_code = 503 if reason else 200
        return LiveOut(status="stuck" if reason else "alive", service=service, reason=reason)

    @app.get(
        "/health/ready",
        tags=["health"],
        summary="Can it do its work? If not, what is missing?",
        **call(ReadyOut, more=waits),
    )
    async def get_readiness(response: Response) -> ReadyOut:
        missing = {part: said for part, check in trouble.items() if (said := check()) is not None}
        response.status_code = 503 if missing else 200
        return ReadyOut(status="not ready" if missing else "ready", service=service, missing=missing)


def add_metrics(app: FastAPI, more_metrics: MoreMetrics) -> None:
    """Add what Prometheus scrapes."""
    text = {CONTENT_TYPE_LATEST.split(";")[0]: {"schema": {"type": "string"}}}

    @app.get(
        "/metrics",
        tags=["health"],
        summary="Prometheus metrics of this process",
        response_class=Response,
        **call(media=text),
    )
    async def get_metrics() -> Response:
        return Response(generate_latest() + await more_metrics(), media_type=CONTENT_TYPE_LATEST)
