"""Intake's composition root: the only reader of settings; connects database, commands, handlers, HTTP and loops."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from intake import api, privacy, queries, sealed, shortcut
from intake.clocks import Deadlines
from intake.commands import Command, apply
from intake.documents import api as documents
from intake.documents.scanning import Scanner as DocumentScanner
from intake.documents.store import open_store
from intake.documents.upload import Sweeper
from intake.handlers import SUBSCRIPTIONS, handle
from intake.problems import PROBLEMS
from intake.push import api as push
from intake.push import wiring
from intake.settings import Settings
from kit import admin
from kit import privacy as asked
from kit.access import Access
from kit.backoff import Backoff
from kit.clocks import Scanner
from kit.database import Database, describe
from kit.door import Door
from kit.groups import GroupedWriter
from kit.http import Trouble, create_app, document_of
from kit.limits import Limits
from kit.logging import get_logger
from kit.resealing import Resealer
from kit.sealing import Keyring
from kit.service import Service
from kit.worker import Worker

log = get_logger(__name__)

TITLE = "Drawdown intake"
DESCRIPTION = "Applications and claims: what the government portal calls, and the state it shows."


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    keyring = Keyring.read(settings.keyring_file, "INTAKE_KEYRING_FILE", seals=settings.seal)
    database = Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        name="intake",
        keyring=keyring,
    )
    service = Service("intake", settings, database)
    worker = Worker(service, events=SUBSCRIPTIONS, handle=handle)
    writer: GroupedWriter[Command] = GroupedWriter(
        database,
        apply,
        max_queue_size=settings.write_queue_size,
        max_group_size=settings.write_group_size,
        groups_at_once=settings.write_groups_at_once,
        max_age_seconds=settings.write_age_seconds,
        answer_seconds=settings.write_answer_seconds,
        pace_seconds=settings.write_pace_seconds,
        committed=worker.wake_relay,
    )
    service.add_loop("writer", writer.run)
    service.add_loop("resealing", Resealer(database, sealed.COLUMNS if "worker" in settings.roles else ()).run)
    if "worker" in settings.roles:
        service.add_loop("clocks", Scanner(database, Deadlines(), committed=worker.wake_relay).run)
    schemes = SchemesAwaited(database)
    service.add_loop("schemes", schemes.run)
    trouble = worker.trouble | {"schemes": lambda: schemes.trouble}
    store = open_store(settings.documents_url) if settings.documents_url else None
    if store is not None and "worker" in settings.roles:
        service.add_loop("documents", Sweeper(database, store).run)
    scanner = DocumentScanner(settings.document_scanner, settings.document_scanner_seconds)
    access = Access.of(settings)
    parts = api.Parts(service.callers, writer, store, scanner, access)
    pushed = wiring.add(service, settings, access)
    limits, door = Limits.of(settings, access), Door.of(settings)
    app = application(parts, trouble, worker.stuck, pushed=pushed, limits=limits, door=door)
    app.include_router(admin.router(worker.redrive, worker.lags, access))
    app.include_router(asked.router(database, privacy.Holdings(store), access))
    await service.run(app)


class SchemesAwaited:
    """Keeps intake from being ready before the first policy has arrived: until then it could only refuse."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.trouble: str | None = "no policy has arrived yet: eligibility publishes them"

    async def run(self, stop: asyncio.Event) -> None:
        """Look until there is a policy; a database that is away is another part's trouble."""
        backoff = Backoff(0.1, 2.0)
        while self.trouble is not None and not await backoff.pause(stop):
            try:
                async with self._database.reading() as connection:
                    if await queries.any_policy(connection):
                        self.trouble = None
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("schemes_unread", reason=describe(error))


def application(
    parts: api.Parts,
    trouble: Mapping[str, Trouble],
    stuck: Trouble = lambda: None,
    *,
    pushed: push.Parts | None = None,
    limits: Limits | None = None,
    door: Door | None = None,
) -> FastAPI:
    """Return the HTTP application; what it says of itself is the same without a database."""
    app = create_app(
        service="intake",
        title=TITLE,
        description=DESCRIPTION,
        trouble=trouble,
        stuck=stuck,
        body_limits={documents.PATH: documents.LARGEST_BODY_BYTES},
        limits=limits,
        door=door,
        own_problems=PROBLEMS,
        tags=api.TAGS | push.TAGS,
    )
    app.include_router(api.router(parts))
    app.include_router(push.router(pushed))
    shortcut.add(app, parts)
    return app


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document without a database."""
    app = application(api.Parts(None, None), {})
    app.include_router(admin.router(None, None, Access()))
    app.include_router(asked.router(None, None, Access()))
    return document_of(app)
