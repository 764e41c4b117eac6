"""Intake's composition root: the only reader of settings; connects database, commands, handlers, HTTP and loops."""

from typing import Any

from fastapi import FastAPI

from intake import api
from intake.commands import Command, apply
from intake.handlers import SUBSCRIPTIONS, handle
from intake.settings import Settings
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import create_app
from kit.service import Service
from kit.worker import Worker

TITLE = "Drawdown intake"
DESCRIPTION = "Applications and claims: what the government portal calls, and the state it shows."


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    database = Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        name="intake",
    )
    service = Service("intake", settings, database)
    worker = Worker(service, events=SUBSCRIPTIONS, handle=handle)
    writer: GroupedWriter[Command] = GroupedWriter(
        database,
        apply,
        max_queue_size=settings.write_queue_size,
        max_group_size=settings.write_group_size,
        committed=worker.wake_relay,
    )
    service.add_loop("writer", writer.run)
    app = create_app(service="intake", title=TITLE, description=DESCRIPTION, trouble=worker.trouble)
    app.include_router(api.router(api.Parts(database, writer)))
    await service.run(app)


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document without a database."""
    app = FastAPI(title=TITLE, description=DESCRIPTION, version="1")
    app.include_router(api.router(api.Parts(None, None)))
    return app.openapi()
