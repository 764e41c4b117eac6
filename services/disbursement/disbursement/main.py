"""Disbursement's composition root: the only reader of settings; connects database, handlers, HTTP and loops."""

from typing import Any

from fastapi import FastAPI

from disbursement import api, programme
from disbursement.clocks import Deadlines
from disbursement.commands import Command, apply
from disbursement.files import file_writer
from disbursement.handlers import SUBSCRIPTIONS, handle
from disbursement.reconciliation import meters as reconciled
from disbursement.reconciliation.loop import Reconciler
from disbursement.settings import Settings
from kit import admin
from kit.access import Access
from kit.clocks import Scanner
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import create_app
from kit.service import Service
from kit.worker import Worker

TITLE = "Drawdown disbursement"
DESCRIPTION = "The ledger of the programme's pools: awards, claims' payments, transfers and balances."


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    opening = programme.read(settings.programme_file)
    database = Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        name="disbursement",
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
    files = file_writer(database, opening.debtors if settings.payment_files else None, worker.wake_relay)
    service.add_loop("files", files.run)
    app = create_app(
        service="disbursement",
        title=TITLE,
        description=DESCRIPTION,
        trouble=worker.trouble,
        stuck=worker.stuck,
        more_metrics=reconciled.renderer(service.callers),
        body_limits=api.BODY_LIMITS,
    )
    app.include_router(api.router(api.Parts(service.callers, writer, Access.of(settings), files)))
    app.include_router(admin.router(worker.redrive, worker.lags))
    await service.run(app)


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document without a database."""
    app = FastAPI(title=TITLE, description=DESCRIPTION, version="1")
    app.include_router(api.router(api.Parts()))
    app.include_router(admin.router(None, None))
    return app.openapi()
