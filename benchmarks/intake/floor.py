"""``python -m benchmarks.intake.floor usual|ours``: HTTP alone. Tokens and bodies are checked, nothing is kept.

``usual`` is the peers' application, written as FastAPI's manual has it; ``ours`` is intake's own routes.
"""

import sys
from typing import Any, cast

import msgspec
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict

from benchmarks.peers.synchronous.acceptance import Sent
from benchmarks.peers.synchronous.app import create
from intake import api, shortcut
from intake.problems import PROBLEMS
from kit import collector
from kit.access import Access
from kit.http import create_app
from kit.idempotency import Answer
from kit.service import http_config
from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Variables begin with ``FLOOR_``; there is neither a database nor Kafka."""

    model_config = SettingsConfigDict(env_prefix="FLOOR_", extra="ignore")
    kafka_bootstrap: str = ""
    database_url: str = "postgresql://nowhere"


class Nothing:
    """In the place of the peers' store and of intake's writer: answers with the body, at once."""

    async def accept(self, sent: Sent) -> Answer:
        return Answer(201, msgspec.json.encode(sent.body))

    async def submit(self, command: Any) -> Answer:
        return Answer(201, msgspec.json.encode(command.body))

    async def close(self) -> None:
        """Nothing was opened."""


def application(kind: str, access: Access) -> FastAPI:
    """Return the application of that kind."""
    if kind == "usual":
        return create(Nothing(), access)
    app = create_app(service="intake", title="intake", description="", trouble={}, own_problems=PROBLEMS)
    parts = api.Parts(None, cast(Any, Nothing()), access=access)
    app.include_router(api.router(parts))
    shortcut.add(app, parts)
    return app


async def serve(kind: str, settings: Settings) -> None:
    config = http_config(application(kind, Access.of(settings)))
    config.host, config.port = settings.http_host, settings.http_port
    collector.calm()
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], Settings()))  # it reads the environment
