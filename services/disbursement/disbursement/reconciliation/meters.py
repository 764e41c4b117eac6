"""The reconciliation as Prometheus metrics, rendered from the stored results: every process shows the same."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from contracts.money import FEN_PER_YUAN
from disbursement.reconciliation import queries, results
from disbursement.reconciliation.results import Kept, Key
from kit.database import Database, describe
from kit.errors import OverloadedError
from kit.logging import get_logger

log = get_logger(__name__)


def renderer(database: Database) -> Callable[[], Awaitable[bytes]]:
    """Return what renders the results at each scrape. While the database is away, they are absent."""

    async def render() -> bytes:
        try:
            async with database.snapshot() as connection:
                kept = await results.read(connection)
                pools = [pool.pool for pool in await queries.pools(connection)]
        except (SQLAlchemyError, OSError, TimeoutError, OverloadedError) as error:
            log.warning("reconciliation_unreadable", reason=describe(error), error_class=type(error).__name__)
            return b""
        return generate_latest(_Results(kept, results.checked_at(kept, pools)))

    return render


class _Results(Collector):
    def __init__(self, kept: Mapping[Key, Kept], checked_at: datetime | None) -> None:
        self._kept = kept
        self._checked_at = checked_at

    def collect(self) -> Iterator[Metric]:
        yield _differences(list(self._kept.values()))
        if self._checked_at is not None:
            yield GaugeMetricFamily(
                "drawdown_reconciliation_timestamp_seconds",
                "When the check was made whose result is oldest; absent until each was made once",
                value=self._checked_at.timestamp(),
            )


def _differences(kept: Sequence[Kept]) -> Metric:
    family = GaugeMetricFamily(
        "drawdown_reconciliation_difference_yuan",
        "By how much the books differ, added up without regard to sign: 0, or nothing is awarded from the pool",
        labels=("check", "pool"),
    )
    for each in kept:
        family.add_metric((each.check_name, each.pool), each.difference / FEN_PER_YUAN)
    return family
