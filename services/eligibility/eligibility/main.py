"""The composition root: settings in, a running service out. Nothing is decided here."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI

from eligibility import api, desk, privacy, sealed
from eligibility.assessor import Assessor, retry_of
from eligibility.clocks import Deadlines
from eligibility.commands import Command
from eligibility.handlers import SUBSCRIPTIONS, handle
from eligibility.handover import Handover
from eligibility.policies import read_documents
from eligibility.problems import PROBLEMS
from eligibility.publication import publish
from eligibility.registers import Registers
from eligibility.settings import Settings
from eligibility.shelf import Shelf
from kit import admin
from kit import privacy as asked
from kit.access import Access
from kit.clocks import Scanner
from kit.database import Database
from kit.door import Door
from kit.groups import GroupedWriter
from kit.http import Trouble, create_app, document_of
from kit.limits import Limits
from kit.resealing import Resealer
from kit.sealing import Keyring
from kit.service import Service
from kit.worker import Worker

NAME = "eligibility"
TITLE = "Drawdown eligibility"
DESCRIPTION = "Assessments with their facts, reasons and replay, and the policy documents behind them."


async def run(settings: Settings) -> None:
    """Run one process of the service until it is told to stop."""
    documents = read_documents(settings.policies_dir)
    keyring = Keyring.read(settings.keyring_file, "ELIGIBILITY_KEYRING_FILE", seals=settings.seal)
    database = Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        name=NAME,
        keyring=keyring,
    )
    service = Service(NAME, settings, database)
    shelf, registers, due = Shelf(), Registers(settings), asyncio.Event()
    handover = Handover(
        registers,
        shelf,
        due,
        group_size=settings.assessor_group_size,
        lease_seconds=settings.assessor_lease_seconds,
        retry=partial(retry_of, settings),
    )
    worker = Worker(
        service,
        events=SUBSCRIPTIONS,
        handle=partial(handle, shelf, handover),
        handle_redriven=partial(handle, shelf, None),
        committed=handover.committed,
    )
    assessor = Assessor(database, registers, shelf, settings, handover, woken=due, committed=worker.wake_relay)
    service.add_loop("resealing", Resealer(database, sealed.COLUMNS if "worker" in settings.roles else ()).run)
    if "worker" in settings.roles:
        service.before_loops(partial(publish, database, documents))
        service.add_loop("assessor", assessor.run)
        service.add_loop("clocks", Scanner(database, Deadlines(shelf), committed=worker.wake_relay).run)
    writer: GroupedWriter[Command] = GroupedWriter(database, partial(desk.apply, shelf), committed=worker.wake_relay)
    service.add_loop("writer", writer.run)
    access = Access.of(settings)
    parts = api.Parts(shelf, service.callers, writer, access, due.set)
    limits, door = Limits.of(settings, access), Door.of(settings)
    app = application(parts, worker.trouble, worker.stuck, limits=limits, door=door)
    app.include_router(admin.router(worker.redrive, worker.lags, access))
    app.include_router(asked.router(database, privacy.Holdings(), access))
    try:
        await service.run(app)
    finally:
        await registers.close()


def application(
    parts: api.Parts,
    trouble: Mapping[str, Trouble],
    stuck: Trouble = lambda: None,
    *,
    limits: Limits | None = None,
    door: Door | None = None,
) -> FastAPI:
    """Return the HTTP application; what it says of itself is the same without a database."""
    app = create_app(
        service=NAME,
        title=TITLE,
        description=DESCRIPTION,
        trouble=trouble,
        stuck=stuck,
        limits=limits,
        door=door,
        own_problems=PROBLEMS,
        tags=api.TAGS,
    )
    app.include_router(api.router(parts))
    return app


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document without a database."""
    app = application(api.Parts(Shelf()), {})
    app.include_router(admin.router(None, None, Access()))
    app.include_router(asked.router(None, None, Access()))
    return document_of(app)
