"""The smallest service there is, as a process: `python -m tests.kit.small`. It takes its time over each batch."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import RecoveryDemanded
from kit import admin, logging, tracing_settings
from kit.access import Access
from kit.database import Database
from kit.http import create_app
from kit.messages import Message
from kit.outbox import Announcements
from kit.service import Service, run_process
from kit.settings import ServiceSettings, load_settings
from kit.worker import Worker

DATABASE = "metrics"  # whose migrations and distribution it borrows


class SmallSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SMALL_")

    group: str
    batch_seconds: float = Field(default=0.0, description="how long PostgreSQL sleeps within each batch")


async def run(settings: SmallSettings) -> None:
    database = Database(settings.database_url, statement_timeout_seconds=settings.database_statement_timeout_seconds)
    service = Service(DATABASE, settings, database)

    async def handle(connection: AsyncConnection, _messages: Sequence[Message], _now: datetime) -> Announcements:
        await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": settings.batch_seconds})
        return Announcements()

    worker = Worker(service, events=[RecoveryDemanded], handle=handle, group=settings.group)
    app = create_app(service="small", title="Small", description="A test", trouble=worker.trouble, stuck=worker.stuck)
    app.include_router(admin.router(worker.redrive, worker.lags, Access.of(settings)))

    @app.get("/slow")
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @app.get("/cancel")
    async def cancel() -> None:
        """Take the consumer's loop for what it awaits, as a client's own cancellation does that comes up to it."""
        [loop] = [task for task in asyncio.all_tasks() if task.get_name() == "consumer"]
        loop.cancel()

    await service.run(app)


if __name__ == "__main__":
    found = load_settings(SmallSettings)
    logging.configure("small", log_format="json", level="INFO")
    tracing_settings.configure("small", "0")
    run_process(lambda: run(found))
