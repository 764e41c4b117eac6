"""Disbursement's composition root: the only reader of settings; connects database, handlers, HTTP and loops."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from disbursement import api, privacy, programme, sealed
from disbursement.clocks import Deadlines
from disbursement.commands import Command, apply
from disbursement.files import file_writer
from disbursement.handlers import SUBSCRIPTIONS, handle
from disbursement.problems import PROBLEMS
from disbursement.reconciliation import meters as reconciled
from disbursement.reconciliation.loop import Reconciler
from disbursement.settings import Settings
from kit import admin
from kit import privacy as asked
from kit.access import Access
from kit.clocks import Scanner
from kit.database import Database
from kit.door import Door
from kit.groups import GroupedWriter
from kit.health import MoreMetrics, Trouble, no_more_metrics
from kit.http import create_app, document_of
from kit.limits import Limits
from kit.resealing import Resealer
from kit.sealing import Keyring
from kit.service import Service
from kit.worker import Worker

TITLE = "Drawdown disbursement"
DESCRIPTION = "The ledger of the programme's pools: awards, claims' payments, transfers and balances."


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    opening = programme.read(settings.programme_file)
    keyring = Keyring.read(settings.keyring_file, "DISBURSEMENT_KEYRING_FILE", seals=settings.seal)
    database = Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        name="disbursement",
        keyring=keyring,
    )
    service = Service("disbursement", settings, database)
    service.before_loops(lambda: programme.open_pools(database, opening))
    worker = Worker(service, events=SUBSCRIPTIONS, handle=handle)
    if "worker" in settings.roles:
        service.add_loop("clocks", Scanner(database, Deadlines(), committed=worker.wake_relay).run)
        reconciler = Reconciler(
            database,
            settings.brokers,
            every_seconds=settings.reconcile_every_seconds,
            sums_every_seconds=settings.reconcile_sums_every_seconds,
            committed=worker.wake_relay,
        )
        service.add_loop("reconciliation", reconciler.run)
    writer: GroupedWriter[Command] = GroupedWriter(database, apply, committed=worker.wake_relay)
    service.add_loop("writer", writer.run)
    service.add_loop("resealing", Resealer(database, sealed.COLUMNS if "worker" in settings.roles else ()).run)
    files = file_writer(database, opening.debtors if settings.payment_files else None, worker.wake_relay)
    service.add_loop("files", files.run)
    access = Access.of(settings)
    parts = api.Parts(service.callers, writer, access, files)
    app = application(
        parts,
        worker.trouble,
        worker.stuck,
        reconciled.renderer(service.callers),
        limits=Limits.of(settings, access),
        door=Door.of(settings),
    )
    app.include_router(admin.router(worker.redrive, worker.lags, access))
    app.include_router(asked.router(database, privacy.Holdings(), access))
    await service.run(app)


def application(
    parts: api.Parts,
    trouble: Mapping[str, Trouble],
    stuck: Trouble = lambda: None,
    more_metrics: MoreMetrics = no_more_metrics,
    *,
    limits: Limits | None = None,
    door: Door | None = None,
) -> FastAPI:
    """Return the HTTP application; what it says of itself is the same without a database."""
    app = create_app(
        service="disbursement",
        title=TITLE,
        description=DESCRIPTION,
        trouble=trouble,
        stuck=stuck,
        more_metrics=more_metrics,
        body_limits=api.BODY_LIMITS,
        limits=limits,
        door=door,
        own_problems=PROBLEMS,
        tags=api.TAGS,
    )
    app.include_router(api.router(parts))
    return app


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document without a database."""
    app = application(api.Parts(), {})
    app.include_router(admin.router(None, None, Access()))
    app.include_router(asked.router(None, None, Access()))
    return document_of(app)
