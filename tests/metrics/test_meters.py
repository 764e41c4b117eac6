"""What Prometheus reads: every amount to the fen, every family of the contract, nothing that is not known."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from metrics import meters
from metrics.programme import Programme
from metrics.rules.books import Pool
from metrics.rules.forecast import Pace
from metrics.snapshot import Snapshot
from tests.metrics.story import POOL, SCHEME, START

TEN_BILLION_YUAN = 1_000_000_000_000


def snapshot(**figures: Any) -> Snapshot:
    nothing: dict[str, Any] = {
        "now": START,
        "pools": [],
        "scheme_balances": {},
        "disbursed": {},
        "tallies": {},
        "envelopes": {},
        "used": {},
        "paces": {},
        "last_event_at": None,
    }
    return Snapshot(**nothing | figures)


def samples(taken: Snapshot | None) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = meters.render(taken, Programme()).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@given(st.integers(min_value=-TEN_BILLION_YUAN, max_value=TEN_BILLION_YUAN))
def test_yuan_read_back_to_the_fen(fen: int) -> None:
    assert round(meters.yuan(fen) * 100) == fen
    assert Decimal(repr(meters.yuan(fen))) == Decimal(fen) / 100


@given(st.integers(min_value=0, max_value=TEN_BILLION_YUAN), st.integers(min_value=0, max_value=TEN_BILLION_YUAN))
def test_balances_read_back_to_the_fen(available: int, disbursed: int) -> None:
    taken = snapshot(pools=[Pool(pool=POOL, available=available, disbursed=disbursed)])
    found = samples(taken)
    for state, fen in {"available": available, "disbursed": disbursed, "committed": 0}.items():
        assert round(found[("drawdown_pool_balance_yuan", (("pool", POOL), ("state", state)))] * 100) == fen


def test_an_unreadable_projection_shows_no_figures() -> None:
    assert samples(None) == {("drawdown_projection_readable", ()): 0}


def test_an_envelope_is_what_this_years_awards_left() -> None:
    found = samples(snapshot(envelopes={SCHEME: 1_000_00}, used={SCHEME: 999_99, "opc-community": 5}))
    assert found[("drawdown_envelope_remaining_yuan", (("scheme", SCHEME),))] == 0.01
    assert len([name for name, _ in found if name == "drawdown_envelope_remaining_yuan"]) == 1


@pytest.mark.parametrize(("promised", "shown"), [(9_000, True), (0, False)])
def test_a_forecast_is_shown_when_there_is_a_trend(promised: int, *, shown: bool) -> None:
    pace = Pace(POOL, promised, first_day=(START - timedelta(days=89)).date())
    found = samples(snapshot(pools=[Pool(pool=POOL, available=1_000)], paces={POOL: pace}))
    key = ("drawdown_pool_exhaustion_timestamp_seconds", (("pool", POOL),))
    expected = (START + timedelta(days=10)).timestamp() if shown else None
    assert found.get(key) == expected


def test_a_stages_bounds_are_written_as_prometheus_3_stores_them() -> None:
    found = samples(snapshot(tallies={("claim_to_payment", SCHEME, "60"): 1, ("claim_to_payment", SCHEME, "+Inf"): 1}))
    bounds = {dict(labels)["le"] for name, labels in found if name == "drawdown_stage_seconds_bucket"}
    assert {"1.0", "60.0", "604800.0", "1.296e+06", "+Inf"} <= bounds
