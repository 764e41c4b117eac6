"""You are at the pools' gauges in Prometheus' text: back to fen, by pool and state."""

from collections.abc import Mapping
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from contracts.money import FEN_PER_YUAN

APPROPRIATED: Final = "appropriated"
_NAMES: Final = ("drawdown_pool_appropriated_yuan", "drawdown_pool_balance_yuan")


def of_pools(text: str) -> Mapping[tuple[str, str], int]:
    """Return what each pool has in each state, and what was appropriated to it."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        (sample.labels["pool"], sample.labels.get("state", APPROPRIATED)): round(sample.value * FEN_PER_YUAN)
        for sample in samples
        if sample.name in _NAMES
    }
