"""The HTTP side, as FastAPI's manual has it, with the middleware, errors and token checks that all services share."""

from typing import Annotated, Protocol

from fastapi import FastAPI, Request, Response

from benchmarks.peers.synchronous.acceptance import Sent
from intake.callers import client_of
from intake.problems import PROBLEMS
from intake.schemas import NewApplication
from kit.access import Access, Principal
from kit.http import TRACEPARENT, create_app
from kit.idempotency import Answer
from kit.writes import IdempotencyKey, key_of, response_of


class Store(Protocol):
    """Where applications are kept."""

    async def accept(self, sent: Sent) -> Answer: ...

    async def close(self) -> None: ...


def create(store: Store, access: Access) -> FastAPI:
    """Return the application."""
    app = create_app(service="synchronous", title="synchronous", description="", trouble={}, own_problems=PROBLEMS)
    Sender = Annotated[Principal, access.principal("portal")]  # noqa: N806  # a type

    @app.post("/v1/applications", status_code=201)
    async def create_application(
        request: Request, body: NewApplication, person: Sender, idempotency_key: IdempotencyKey = None
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        assert key is not None
        parts = body.model_dump(mode="json", exclude={"scheme", "submit"})
        sent = Sent(key, client_of(person), TRACEPARENT.get(), body.scheme, parts)
        return response_of(await store.accept(sent))

    return app
