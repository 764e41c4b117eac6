"""Wires metrics: settings, programme, database, HTTP, consumer, and the watch over everybody's lag. Decides nothing."""

from typing import Any

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from contracts.topics import SERVICES
from kit import admin
from kit.access import Access
from kit.database import Database, describe
from kit.door import Door
from kit.errors import TransientError
from kit.http import MoreMetrics, Trouble, create_app, document_of
from kit.lag import Lags
from kit.limits import Limits
from kit.logging import get_logger
from kit.service import Service
from kit.worker import Worker
from metrics import api, meters, programme, snapshot
from metrics.handlers import SUBSCRIPTIONS, Handlers
from metrics.lag import LagWatch
from metrics.page import routes as page
from metrics.page.freshness import Watch
from metrics.page.latest import Latest
from metrics.problems import PROBLEMS
from metrics.programme import Programme
from metrics.settings import Settings

log = get_logger(__name__)

TITLE = "Drawdown metrics"
DESCRIPTION = """Where the money is and where the applications stand, replayed from the events.

Amounts are whole fen. Every answer is of one moment. The same figures, in yuan, are on `GET /metrics` for Prometheus.
"""


async def run(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    known = programme.read(settings.programme_file)
    database = Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        name="metrics",
    )
    service = Service("metrics", settings, database)
    handlers = Handlers(settings.calendar)
    worker = Worker(service, events=SUBSCRIPTIONS, handle=handlers.handle, group=settings.consumer_group)
    if "worker" in settings.roles:
        groups = sorted({*SERVICES, settings.consumer_group})
        service.add_loop("lag", LagWatch(settings.brokers, settings.lag_poll_seconds, groups).run)
    watch = Watch(worker.lags.read)
    if "http" in settings.roles:
        service.add_loop("freshness", watch.run)
    callers = service.callers
    access = Access.of(settings)
    render = renderer(callers, known, settings)
    app = application(
        callers,
        known,
        Latest(callers, known, settings.calendar, watch),
        render,
        worker.trouble,
        worker.stuck,
        limits=Limits.of(settings, access),
        door=Door.of(settings),
    )
    app.include_router(admin.router(worker.redrive, worker.lags, access))
    await service.run(app)


def application(
    database: Database,
    known: Programme,
    latest: Latest,
    more_metrics: MoreMetrics,
    trouble: dict[str, Trouble],
    stuck: Trouble = lambda: None,
    *,
    limits: Limits | None = None,
    door: Door | None = None,
) -> FastAPI:
    """Return the HTTP application."""
    app = create_app(
        service="metrics",
        title=TITLE,
        description=DESCRIPTION,
        trouble=trouble,
        stuck=stuck,
        more_metrics=more_metrics,
        limits=limits,
        door=door,
        own_problems=PROBLEMS,
        tags={**api.TAGS, **page.TAGS},
    )
    api.add_routes(app, database, known)
    page.add_routes(app, latest, known)
    return app


def renderer(database: Database, known: Programme, settings: Settings) -> MoreMetrics:
    """Return what renders the figures at each scrape. While the database is away, the process's own metrics go on."""

    async def render() -> bytes:
        try:
            async with database.snapshot() as connection:
                taken = await snapshot.read(connection, settings.calendar)
        except (SQLAlchemyError, OSError, TimeoutError, TransientError) as error:
            log.warning("projection_unreadable", reason=describe(error), error_class=type(error).__name__)
            return meters.render(None, known)
        return meters.render(taken, known)

    return render


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document, without anything running."""
    settings = Settings(database_url="postgresql://localhost/metrics", kafka_bootstrap="localhost:9092")
    database = Database(settings.database_url, name="metrics")
    watch = Watch(Lags(database, settings.brokers, group=settings.consumer_group, topics=()).read)
    latest = Latest(database, Programme(), settings.calendar, watch)
    app = application(database, Programme(), latest, renderer(database, Programme(), settings), {})
    app.include_router(admin.router(None, None, Access()))
    return document_of(app)
