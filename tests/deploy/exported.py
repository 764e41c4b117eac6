"""You are at what the services export, asked of their own registries: every name that a scrape may bring."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

import disbursement.main
import eligibility.main
import intake.main
from disbursement.reconciliation.meters import _Results
from metrics import meters
from metrics.programme import Programme
from tests.metrics.test_meters import snapshot

SERVICES: Final = (disbursement.main, eligibility.main, intake.main)  # what they import registers itself
OF_PROMETHEUS: Final = {"up", "ALERTS"}
_SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}


def names() -> set[str]:
    """Return the names of all samples, also of those that have none yet."""
    now = datetime.now(UTC)
    figures = text_string_to_metric_families(meters.render(snapshot(last_event_at=now), Programme()).decode())
    return _names(REGISTRY.collect()) | _names(figures) | _names(_Results({}, now).collect())


def _names(families: Iterable[Metric]) -> set[str]:
    return {family.name + suffix for family in families for suffix in _SUFFIXES.get(family.type, ("",))}
